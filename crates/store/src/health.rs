//! How a database is: sound, protected, and used with no more rights than needed. Looking changes nothing: nothing is made,
//! migrated or repaired.

use vault::WrappedKey;

use crate::open::{Address, Options};
use crate::{Error, Result};

/// What a look found.
#[derive(Debug, Clone)]
pub struct Health {
    /// The schema's version; 0 when there is none, as in a database that is somebody else's.
    pub schema: i64,
    /// The version that this binary needs.
    pub known: i64,
    /// Whether anything is there besides our schema.
    pub foreign: bool,
    /// Why it can't be written now; `None`: it can.
    pub read_only: Option<String>,
    /// The wrapped data keys, where the schema has them.
    pub keyring: Vec<WrappedKey>,
    /// What only one engine has.
    pub engine: EngineHealth,
}

/// What only one engine has.
#[derive(Debug, Clone)]
pub enum EngineHealth {
    /// SQLite's.
    Sqlite(SqliteHealth),
    /// PostgreSQL's.
    Postgres(PostgresHealth),
}

/// A SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteHealth {
    /// `wal` is ours.
    pub journal_mode: String,
    /// What SQLite's own check of the file complains of; empty: nothing.
    pub damage: Vec<String>,
    /// Rows that refer to rows that are not there.
    pub orphans: i64,
    /// Whether a connection as we make them waits for the disk at each commit (`synchronous = FULL`).
    pub synchronous_full: bool,
    /// Whether one enforces foreign keys.
    pub foreign_keys: bool,
}

/// A PostgreSQL server, seen by our role.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question that the server answers by itself")]
pub struct PostgresHealth {
    /// Such as 150004.
    pub server_version: i64,
    /// Whether this connection is encrypted.
    pub tls: bool,
    /// Whether the server is this machine: a Unix socket or loopback.
    pub is_this_machine: bool,
    /// Our role.
    pub role: String,
    /// Whether it may do everything.
    pub superuser: bool,
    /// Attributes that it has and nobody needs here: `CREATEROLE`, `CREATEDB`, `REPLICATION`, `BYPASSRLS`.
    pub attributes: Vec<String>,
    /// Whether it owns our tables or may create some, so that it may change the schema.
    pub may_change_schema: bool,
    /// Privileges that it lacks, as `INSERT ON attempts`.
    pub lacking: Vec<String>,
    /// What it may do to the audit trail beyond appending: `UPDATE`, `DELETE`, `TRUNCATE`.
    pub audit_rewrites: Vec<String>,
    /// How many connections the server still has for us.
    pub connections_free: i64,
    /// How many this process would open.
    pub connections_wanted: usize,
}

/// Looks at the database of `options.url`. With `thorough`, SQLite compares every index with its table, which reads the
/// whole file.
pub async fn look(options: &Options, thorough: bool) -> Result<Health> {
    match Address::of(&options.url)? {
        Address::Sqlite(path) => crate::sqlite::look(path, thorough).await,
        Address::Postgres(url) => crate::postgres::look(url, options).await,
    }
}

impl Health {
    /// What stops a start, beside damage: no schema, an older or a newer one.
    pub fn schema_error(&self) -> Option<Error> {
        let (found, known) = (self.schema, self.known);
        match found.cmp(&known) {
            std::cmp::Ordering::Less => Some(Error::NotMigrated { found, known }),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Error::NewerSchema { found, known }),
        }
    }
}
