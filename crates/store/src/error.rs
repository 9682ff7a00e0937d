use std::error::Error as StdError;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not answer, refuses the connection, is full, or can't be written. Worth trying again.
    #[error("the store does not answer: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// A row holds what this version can't read.
    #[error("a row of {table} can't be read: {what}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A text holds a NUL character, which PostgreSQL can't keep. Neither engine takes it.
    #[error("{column} must not hold a NUL character")]
    NulCharacter {
        /// The column.
        column: &'static str,
    },
    /// The schema was made by a newer version of Claviger.
    #[error(
        "the schema of the store is newer ({found}) than this version knows ({known}); start the newer version"
    )]
    NewerSchema {
        /// The schema's version.
        found: i64,
        /// The highest version that this binary knows.
        known: i64,
    },
    /// The schema is missing or old, and migrating at the start is turned off.
    #[error("the schema of the store is at {found} and must be at {known}; run: claviger migrate")]
    NotMigrated {
        /// The schema's version; 0 when there is none.
        found: i64,
        /// The version that this binary needs.
        known: i64,
    },
    /// The database's role may not do what is needed, and which privilege mends it.
    #[error("the role of the store lacks a privilege: {0}")]
    Privilege(String),
    /// The address of the database is not one that we can use.
    #[error("database.url: {0}")]
    Address(String),
    /// The address of the server that counts is not one that we can use.
    #[error("the address of the server that counts: {0}")]
    LimitsAddress(String),
    /// The migration did not run through.
    #[error("the migration failed: {0}")]
    Migration(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// A statement that writes a row and returns it returned none.
    pub(crate) fn no_answer() -> Self {
        Self::Unavailable("the database answered no row".into())
    }
}
