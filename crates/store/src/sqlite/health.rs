//! A look at the file. The connection may write, because a reader alone would leave SQLite's `-wal` and `-shm` behind; it
//! writes nothing.

use std::path::Path;

use rusqlite::{Connection as Database, OpenFlags};

use super::{all, blocking, file};
use crate::health::{EngineHealth, Health, SqliteHealth};
use crate::rows::keyring_columns;
use crate::{Error, Result, rows};

/// How many complaints are told.
const COMPLAINTS: usize = 10;

/// Columns that every schema has: one that is older than ours is looked at too.
const KEYS: &str = concat!("SELECT ", keyring_columns!(), " FROM keyring ORDER BY version");

pub(crate) async fn look(path: &str, thorough: bool) -> Result<Health> {
    let path = file::checked(path)?;
    blocking(move || look_now(&path, thorough)).await
}

fn look_now(path: &Path, thorough: bool) -> Result<Health> {
    if !path.exists() {
        return Err(Error::NotMigrated { found: 0, known: file::known() });
    }
    let database = open(path)?;
    let schema = file::version(&database)?;
    let foreign = schema == 0 && count(&database, "SELECT count(*) FROM sqlite_schema")? > 0;
    let journal_mode: String = database.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let check = if thorough { "PRAGMA integrity_check(10)" } else { "PRAGMA quick_check(10)" };
    let mut damage = match texts(&database, check) {
        Err(error) if is_damage(&error) => vec![error.to_string()],
        found => found?,
    };
    damage.retain(|line| line != "ok");
    damage.truncate(COMPLAINTS);
    let sound = damage.is_empty();
    let orphans = if sound { count(&database, "SELECT count(*) FROM pragma_foreign_key_check")? } else { 0 };
    let keyring =
        if schema > 0 && sound { all(&database, KEYS, &[], rows::wrapped_key)? } else { Vec::new() };
    let read_only = writable(&database).err().map(|error| error.to_string());
    // As we open it, unless that would change it.
    let (synchronous, foreign_keys) = if schema > 0 && journal_mode == "wal" && read_only.is_none() {
        let ours = file::connect(path)?;
        (count(&ours, "PRAGMA synchronous")?, count(&ours, "PRAGMA foreign_keys")?)
    } else {
        (FULL, 1)
    };
    Ok(Health {
        schema,
        known: file::known(),
        foreign,
        read_only,
        keyring,
        engine: EngineHealth::Sqlite(SqliteHealth {
            journal_mode,
            damage,
            orphans,
            synchronous_full: synchronous >= FULL,
            foreign_keys: foreign_keys == 1,
        }),
    })
}

/// What `PRAGMA synchronous` calls it.
const FULL: i64 = 2;

/// A connection that changes neither settings nor file.
fn open(path: &Path) -> Result<Database> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Database::open_with_flags(path, flags)?;
    database.busy_timeout(file::BUSY_TIMEOUT)?;
    Ok(database)
}

/// Takes the write lock and gives it back.
fn writable(database: &Database) -> Result<()> {
    if database.is_readonly("main")? {
        return Err(Error::Unavailable("the file may only be read".into()));
    }
    Ok(database.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?)
}

fn count(database: &Database, sql: &'static str) -> Result<i64> {
    Ok(database.query_row(sql, [], |row| row.get(0))?)
}

/// Some damage stops the check itself.
fn is_damage(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<rusqlite::Error>());
    cause.and_then(rusqlite::Error::sqlite_error_code) == Some(rusqlite::ErrorCode::DatabaseCorrupt)
}

fn texts(database: &Database, sql: &'static str) -> Result<Vec<String>> {
    let mut statement = database.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}
