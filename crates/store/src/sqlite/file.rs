//! The file: how it is made, migrated and opened.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection as Database, OpenFlags, OptionalExtension as _};

use super::blocking;
use crate::open::{Migrate, Migrated};
use crate::{Error, Result};

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// How long a statement waits for another process's lock.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long we wait for another process's migration.
const LOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// How long between two tries to take its lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Statements that a connection keeps prepared; more than there are.
const PREPARED: usize = 256;

/// Checks what the address says before anything is made.
pub(super) fn checked(path: &str) -> Result<PathBuf> {
    if path.is_empty() || path.contains('\0') || path.starts_with(":memory:") {
        return Err(Error::Address("name a file: sqlite:PATH".to_owned()));
    }
    let path = PathBuf::from(path);
    if path.is_dir() {
        return Err(Error::Address(format!("{} is a directory, not a file", path.display())));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        return Err(Error::Address(format!("the directory {} does not exist", directory.display())));
    }
    Ok(path)
}

/// Migrates, whatever the options say.
pub(crate) async fn migrate(path: &str) -> Result<Migrated> {
    let path = checked(path)?;
    up_to_date(&path, Migrate::AtStart).await
}

/// Makes the file if need be, and brings its schema to this version's. Of several processes one does it.
pub(super) async fn up_to_date(path: &Path, migrate: Migrate) -> Result<Migrated> {
    if migrate == Migrate::Never && !path.exists() {
        return Err(Error::NotMigrated { found: 0, known: known() });
    }
    let lock = lock(path, LOCK_TIMEOUT).await?;
    let path = path.to_owned();
    let migrated = blocking(move || bring_up_to_date(&path, migrate)).await;
    drop(lock);
    migrated
}

/// The highest version that this binary knows.
pub(super) fn known() -> i64 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

/// Does it, under the lock.
pub(super) fn bring_up_to_date(path: &Path, migrate: Migrate) -> Result<Migrated> {
    let known = known();
    make(path)?;
    let mut database = connect(path)?;
    let found = version(&database)?;
    if found > known {
        return Err(Error::NewerSchema { found, known });
    }
    if found == known {
        return Ok(Migrated { applied: 0, version: found });
    }
    if migrate == Migrate::Never {
        return Err(Error::NotMigrated { found, known });
    }
    let report = embedded::migrations::runner()
        .set_grouped(true)
        .run(&mut database)
        .map_err(|error| Error::Migration(error.into()))?;
    Ok(Migrated { applied: report.applied_migrations().len(), version: known })
}

/// Takes the lock under which a file is made and migrated: the operating system's, on a file beside the database.
///
/// Not on the database itself: closing any descriptor of that file would drop the locks that SQLite holds on it in this
/// process (<https://sqlite.org/howtocorrupt.html> §2.2).
async fn lock(path: &Path, limit: Duration) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .map_err(|error| unavailable(&name, &error))?;
    let taken = async {
        // Not `File::lock`, which nothing can end.
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(unavailable(&name, &error)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
            }
        }
    };
    tokio::time::timeout(limit, taken).await.unwrap_or_else(|_| {
        let (name, seconds) = (name.display(), limit.as_secs());
        let why = format!(
            "another process has held {name} for {seconds} s, as if it migrated; wait for it, or end it (lsof {name})"
        );
        Err(Error::Migration(why.into()))
    })?;
    Ok(file)
}

/// Makes an empty file that only its owner can read, or takes a file that is there from everybody else; SQLite gives
/// `-wal` and `-shm` the same mode.
fn make(path: &Path) -> Result<()> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(suffix);
                tighten(Path::new(&name));
            }
            Ok(())
        }
        Err(error) => Err(unavailable(path, &error)),
    }
}

/// Takes a file's mode from all but its owner. Where we may not, the operator must.
fn tighten(path: &Path) {
    let Ok(found) = fs::metadata(path) else { return };
    let mode = found.permissions().mode();
    if mode & 0o777 == mode & 0o700 {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode & 0o700)) {
        tracing::warn!(%error, path = %path.display(), "store.file_open_to_others");
    }
}

pub(super) fn unavailable(path: &Path, error: &io::Error) -> Error {
    Error::Unavailable(io::Error::new(error.kind(), format!("{}: {error}", path.display())).into())
}

/// Opens a connection that may write.
pub(super) fn connect(path: &Path) -> Result<Database> {
    // Without SQLITE_OPEN_URI and SQLITE_OPEN_CREATE: the path is a path, and `make` makes the file.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Database::open_with_flags(path, flags)?;
    database.busy_timeout(BUSY_TIMEOUT)?;
    database.set_prepared_statement_cache_capacity(PREPARED);
    let mode: String = database.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::Address(format!("{} can't be written", path.display())));
    }
    // A plan that depends on the bound values is made anew for each of them: 30 µs for a read of 5.
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // FULL: a commit that was answered survives a power failure (RFC 6749 §10.5 wants codes used once).
    database.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
    )?;
    Ok(database)
}

/// The schema's version; 0 when there is none.
pub(super) fn version(database: &Database) -> Result<i64> {
    let table: Option<i64> = database
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'refinery_schema_history'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if table.is_none() {
        return Ok(0);
    }
    let version: Option<i64> =
        database.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0))?;
    Ok(version.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_that_another_process_keeps_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let held = lock(&path, LOCK_TIMEOUT).await.unwrap();
        let error = lock(&path, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, Error::Migration(_)) && error.to_string().contains("x.db.lock"), "{error}");
        drop(held);
        lock(&path, LOCK_TIMEOUT).await.unwrap();
    }
}
