//! SQLite: one writer thread, readers beside it, and a look at the log for what other processes write.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use model::{Clock, WriterId};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection as Database, ErrorCode, Row, ToSql, params_from_iter};
use vault::TokenHash;

use crate::api_keys::ApiKey;
use crate::cache::{Cache, Epochs};
use crate::columns::Columns;
use crate::connections::{ConnectionKey, Standing};
use crate::limits::{Limits, Memory};
use crate::open::{Engine, Options};
use crate::value::Value;
use crate::{Error, Result};

mod api_keys;
mod applications;
mod attempts;
mod audit;
mod authorizations;
mod connections;
mod credentials;
mod drills;
mod families;
mod file;
mod grants;
mod health;
mod integrations;
mod keyring;
mod portal;
mod readers;
mod refreshes;
mod revocations;
mod sealed;
mod signing_keys;
mod stripe;
mod subjects;
mod users;
mod watch;
mod writer;

pub(crate) use file::migrate;
pub(crate) use health::look;
use readers::Readers;
use watch::LogWatch;
use writer::Writer;

/// A SQLite file.
pub(crate) struct Sqlite {
    writer: Writer,
    readers: Arc<Readers>,
    standings: Cache<ConnectionKey, Standing>,
    keys: Cache<TokenHash, ApiKey>,
    chain: WriterId,
    clock: Arc<dyn Clock>,
}

impl Sqlite {
    pub(crate) async fn open(path: &str, options: &Options) -> Result<Self> {
        let (path, options) = (file::checked(path)?, options.clone());
        file::up_to_date(&path, options.migrate).await?;
        blocking(move || Self::open_now(&path, &options)).await
    }

    fn open_now(path: &Path, options: &Options) -> Result<Self> {
        let writer = file::connect(path)?;
        let epochs = Arc::new(Epochs::new());
        let watch = Arc::new(LogWatch::of(path, Arc::clone(&epochs))?);
        let readers = Arc::new(Readers::open(path, options.connections())?);
        Ok(Self {
            writer: Writer::start(writer, Arc::clone(&epochs), Arc::clone(&watch))?,
            readers,
            standings: Cache::new(options.cache_entries, None, Arc::clone(&epochs), watch.clone()),
            keys: Cache::new(options.cache_entries, None, epochs, watch),
            chain: options.writer,
            clock: Arc::clone(&options.clock),
        })
    }

    /// Runs a read that may take long where it holds up nobody.
    async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let readers = Arc::clone(&self.readers);
        blocking(move || readers.read(read)).await
    }
}

#[async_trait]
impl Engine for Sqlite {
    async fn ping(&self) -> Result<()> {
        self.writer.ping().await
    }

    fn limits(self: Arc<Self>) -> Arc<dyn Limits> {
        Arc::new(Memory::default())
    }

    async fn close(&self) {
        self.writer.close().await;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::Unavailable(error.into())))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Address("the file is not a SQLite database".to_owned()),
            _ => Self::Unavailable(error.into()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Octets(octets) => ValueRef::Blob(octets),
        }))
    }
}

impl Columns for Row<'_> {
    fn text(&self, column: usize) -> std::result::Result<Option<String>, String> {
        match self.get_ref(column) {
            Ok(ValueRef::Null) => Ok(None),
            Ok(ValueRef::Text(text)) => std::str::from_utf8(text)
                .map(|text| Some(text.to_owned()))
                .map_err(|_| "not UTF-8".to_owned()),
            other => Err(unexpected("text", other)),
        }
    }

    fn integer(&self, column: usize) -> std::result::Result<Option<i64>, String> {
        match self.get_ref(column) {
            Ok(ValueRef::Null) => Ok(None),
            Ok(ValueRef::Integer(number)) => Ok(Some(number)),
            other => Err(unexpected("a number", other)),
        }
    }

    fn octets(&self, column: usize) -> std::result::Result<Option<Vec<u8>>, String> {
        match self.get_ref(column) {
            Ok(ValueRef::Null) => Ok(None),
            Ok(ValueRef::Blob(octets)) => Ok(Some(octets.to_vec())),
            other => Err(unexpected("octets", other)),
        }
    }
}

/// Says what a column holds, by type alone.
fn unexpected(wanted: &str, found: rusqlite::Result<ValueRef<'_>>) -> String {
    match found {
        Ok(value) => format!("{} instead of {wanted}", value.data_type()),
        Err(error) => error.to_string(),
    }
}

/// Runs a statement that answers nothing; tells how many rows it wrote.
fn execute<'a>(
    database: &Database,
    sql: &'static str,
    values: impl IntoIterator<Item = &'a Value>,
) -> Result<usize> {
    Ok(database.prepare_cached(sql)?.execute(params_from_iter(values))?)
}

/// Runs a statement that answers at most one row.
fn find<'a, T>(
    database: &Database,
    sql: &'static str,
    values: impl IntoIterator<Item = &'a Value>,
    record: impl FnOnce(&dyn Columns) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = database.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let found = rows.next()?.map(|row| record(row)).transpose()?;
    // A statement that writes is done only when it has been stepped to its end.
    while rows.next()?.is_some() {}
    Ok(found)
}

/// Runs a statement that answers rows.
fn all<'a, T>(
    database: &Database,
    sql: &'static str,
    values: impl IntoIterator<Item = &'a Value>,
    record: impl Fn(&dyn Columns) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = database.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}
