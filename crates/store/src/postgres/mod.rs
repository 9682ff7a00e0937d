//! PostgreSQL: a pool of connections, and one beside it that listens for what other replicas change.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use deadpool_postgres::{
    GenericClient, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use model::{Clock, WriterId};
use tokio::sync::Mutex;
use tokio::time::error::Elapsed;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Row, SimpleQueryMessage};
use vault::TokenHash;

use crate::api_keys::ApiKey;
use crate::audit::Head;
use crate::cache::{Cache, Epochs, Thing};
use crate::columns::Columns;
use crate::connections::{ConnectionKey, Standing};
use crate::limits::{Limits, OrLocal};
use crate::open::{Engine, Options};
use crate::value::Value;
use crate::{Error, Result};

mod address;
mod api_keys;
mod applications;
mod attempts;
mod audit;
mod authorizations;
mod connections;
mod credentials;
mod drills;
mod families;
mod grants;
mod health;
mod integrations;
mod issued;
mod keyring;
mod limits;
mod listener;
mod portal;
mod refreshes;
mod revocations;
mod schema;
mod sealed;
mod signing_keys;
mod stripe;
mod subjects;
mod users;

use address::Address;
pub(crate) use health::look;
use listener::Listener;
pub(crate) use schema::migrate;

/// How long a caller waits for a free connection, and for a new one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server works on one statement.
const STATEMENT_TIMEOUT: &str = "SET statement_timeout = '5s'";

/// How long a deed takes altogether. More than a statement may, so that the server gives up first and the connection
/// stays in use.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How old a record in memory may be: the safety net for a notice that was lost.
const LIFETIME: Duration = Duration::from_secs(30);

/// A PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
    epochs: Arc<Epochs>,
    listener: Arc<Listener>,
    standings: Cache<ConnectionKey, Standing>,
    keys: Cache<TokenHash, ApiKey>,
    chain: WriterId,
    /// The end of our chain; `None` while only the table knows it.
    head: Mutex<Option<Head>>,
    clock: Arc<dyn Clock>,
    limits_patience: Duration,
}

impl Postgres {
    pub(crate) async fn open(url: &str, options: &Options) -> Result<Self> {
        let address = Address::parse(url)?;
        schema::bring_up_to_date(&address, options).await?;
        let pool = pool(&address, options.connections())?;
        let epochs = Arc::new(Epochs::new());
        // Without records in memory nobody needs to hear of changes.
        let listener = Arc::new(match options.cache_entries {
            0 => Listener::deaf(),
            _ => Listener::start(address, Arc::clone(&epochs)),
        });
        let lifetime = Some(LIFETIME);
        Ok(Self {
            pool,
            standings: Cache::new(options.cache_entries, lifetime, Arc::clone(&epochs), listener.clone()),
            keys: Cache::new(options.cache_entries, lifetime, Arc::clone(&epochs), listener.clone()),
            epochs,
            listener,
            chain: options.writer,
            head: Mutex::new(None),
            clock: Arc::clone(&options.clock),
            limits_patience: options.limits_patience,
        })
    }

    async fn client(&self) -> Result<Object> {
        Ok(self.pool.get().await?)
    }

    /// Runs a statement that answers at most one row.
    async fn find<T>(
        &self,
        sql: &'static str,
        values: &[Value],
        record: impl FnOnce(&dyn Columns) -> Result<T>,
    ) -> Result<Option<T>> {
        self.query(sql, values).await?.first().map(|row| record(row)).transpose()
    }

    /// Runs a statement that answers rows.
    async fn all<T>(
        &self,
        sql: &'static str,
        values: &[Value],
        record: impl Fn(&dyn Columns) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.query(sql, values).await?.iter().map(|row| record(row)).collect()
    }

    async fn query(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        let client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, query(&client, sql, values)).await;
        settle(client, answer)
    }

    /// Runs a statement of [`listener::telling`] that changes `thing`; tells whether it wrote anything.
    async fn change(&self, sql: &'static str, mut values: Vec<Value>, thing: Thing) -> Result<bool> {
        values.push(Value::Text(thing.to_notice()));
        let done = self.query(sql, &values).await;
        // After an error too: the statement may have come through all the same.
        self.epochs.changed(thing);
        Ok(!done?.is_empty())
    }

    /// Runs a statement that answers nothing; tells how many rows it wrote.
    async fn execute(&self, sql: &'static str, values: &[Value]) -> Result<u64> {
        let client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, execute(&client, sql, values)).await;
        settle(client, answer)
    }
}

fn pool(address: &Address, size: usize) -> Result<Pool> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(address.config.clone(), address.tls.clone(), recycling);
    let limit_statements = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move { client.batch_execute(STATEMENT_TIMEOUT).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(CONNECT_TIMEOUT))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .recycle_timeout(Some(CONNECT_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .post_create(limit_statements)
        .build()
        .map_err(|error| Error::Unavailable(error.into()))
}

/// Gives a connection back to the pool, unless it has not answered in time: then it may never do so again.
fn settle<T>(client: Object, answer: std::result::Result<Result<T>, Elapsed>) -> Result<T> {
    answer.unwrap_or_else(|elapsed| {
        drop(Object::take(client));
        Err(Error::Unavailable(elapsed.into()))
    })
}

async fn query(client: &impl GenericClient, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, &parameters(values)).await?)
}

async fn execute(client: &impl GenericClient, sql: &'static str, values: &[Value]) -> Result<u64> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.execute(&statement, &parameters(values)).await?)
}

async fn find<T>(
    client: &impl GenericClient,
    sql: &'static str,
    values: &[Value],
    record: impl FnOnce(&dyn Columns) -> Result<T>,
) -> Result<Option<T>> {
    query(client, sql, values).await?.first().map(|row| record(row)).transpose()
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

#[async_trait]
impl Engine for Postgres {
    async fn ping(&self) -> Result<()> {
        let client = self.client().await?;
        let asked = client.simple_query("SHOW transaction_read_only");
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, asked).await;
        let messages = settle(client, answer.map(|messages| Ok(messages?)))?;
        let read_only = messages
            .iter()
            .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")));
        if read_only { Err(Error::Unavailable("the database takes no writes".into())) } else { Ok(()) }
    }

    fn limits(self: Arc<Self>) -> Arc<dyn Limits> {
        Arc::new(OrLocal::new(self))
    }

    async fn close(&self) {
        self.listener.stop();
        self.pool.close();
    }
}

/// What the server said, by its primary message alone: details may quote the row.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({code})")]
struct Said {
    message: String,
    code: String,
}

/// Whether the server refused a row because another has its key.
fn is_duplicate(error: &Error) -> bool {
    let Error::Unavailable(cause) = error else { return false };
    cause.downcast_ref::<Said>().is_some_and(|said| said.code == SqlState::UNIQUE_VIOLATION.code())
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => {
                let (message, code) = (said.message().to_owned(), said.code().code().to_owned());
                Self::Unavailable(Said { message, code }.into())
            }
            None => Self::Unavailable(error.into()),
        }
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
            error => Self::Unavailable(error.into()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Octets(octets) => octets.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

impl Columns for Row {
    fn text(&self, column: usize) -> std::result::Result<Option<String>, String> {
        self.try_get(column).map_err(|_| "not a text".to_owned())
    }

    fn integer(&self, column: usize) -> std::result::Result<Option<i64>, String> {
        self.try_get(column).map_err(|_| "not a number".to_owned())
    }

    fn octets(&self, column: usize) -> std::result::Result<Option<Vec<u8>>, String> {
        self.try_get(column).map_err(|_| "not octets".to_owned())
    }
}
