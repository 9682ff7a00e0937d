//! Where a store comes from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{Clock, WriterId};

use crate::api_keys::ApiKeys;
use crate::applications::Applications;
use crate::attempts::Attempts;
use crate::audit::Audit;
use crate::authorizations::Authorizations;
use crate::connections::Connections;
use crate::credentials::Credentials;
use crate::drills::Drills;
use crate::families::Families;
use crate::grants::Grants;
use crate::integrations::Integrations;
use crate::keyring::KeyringRows;
use crate::limits::{Limits, OrLocal};
use crate::portal::Portal;
use crate::postgres::Postgres;
use crate::refreshes::Refreshes;
use crate::revocations::Revocations;
use crate::sealed::SealedRows;
use crate::signing_keys::SigningKeys;
use crate::sqlite::Sqlite;
use crate::stripe::Stripe;
use crate::subjects::Subjects;
use crate::users::Users;
use crate::valkey::Valkey;
use crate::{Error, Result};

/// Which database, and how it is used.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:PATH`, `postgres://…` or `postgresql://…`. A host that is not this machine is spoken to over TLS, and
    /// its certificate must name it; `sslmode=disable` turns that off, `sslrootcert=FILE` names the authority.
    pub url: String,
    /// Whether [`Store::open`] may migrate.
    pub migrate: Migrate,
    /// The address with which migrations run, where the role of `url` may not change the schema. The latter then
    /// needs `GRANT USAGE ON SCHEMA public` and, once for each migration, `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL
    /// TABLES IN SCHEMA public`, or beforehand `ALTER DEFAULT PRIVILEGES` by the migrating role that say the same.
    pub migrate_url: Option<String>,
    /// How many hot records stay in memory; 0 for none.
    pub cache_entries: u64,
    /// How many connections: SQLite's readers, PostgreSQL's pool. `None` for twice the cores, at least four.
    pub connections: Option<usize>,
    /// The Redis or Valkey that counts what is limited: `redis://…`, `rediss://…` or `unix:///PATH`. `None`: PostgreSQL
    /// does, and beside SQLite this process in its memory.
    pub limits: Option<String>,
    /// How long a hit waits for the counters of all replicas before this process counts for itself.
    pub limits_patience: Duration,
    /// This process's chain in the audit trail.
    pub writer: WriterId,
    /// Dates the first entry of that chain, and times leases: SQLite's always, PostgreSQL's when it is not
    /// [`Clock::is_wall_clock`], for then the server's own clock does.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The usual: migrate at the start, 100,000 records in memory.
    pub fn new(url: impl Into<String>, writer: WriterId, clock: Arc<dyn Clock>) -> Self {
        Self {
            url: url.into(),
            migrate: Migrate::AtStart,
            migrate_url: None,
            cache_entries: 100_000,
            connections: None,
            limits: None,
            limits_patience: Duration::from_secs(1),
            writer,
            clock,
        }
    }

    /// The number of connections.
    pub(crate) fn connections(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        self.connections.unwrap_or(2 * cores).max(if self.connections.is_some() { 1 } else { 4 })
    }
}

/// Whether [`Store::open`] may migrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// It brings the schema to this version's, under a lock.
    AtStart,
    /// It refuses an older schema ([`Error::NotMigrated`]).
    Never,
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// How many migrations were applied.
    pub applied: usize,
    /// The version of the schema now.
    pub version: i64,
}

/// All nouns; cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// Whoever in the product owns connections.
    pub subjects: Arc<dyn Subjects>,
    /// Integrations that came through the API.
    pub integrations: Arc<dyn Integrations>,
    /// Authorizations in flight.
    pub attempts: Arc<dyn Attempts>,
    /// What consents yielded.
    pub credentials: Arc<dyn Credentials>,
    /// What stands between a credential and its next tokens.
    pub refreshes: Arc<dyn Refreshes>,
    /// Failures that are played.
    pub drills: Arc<dyn Drills>,
    /// Grants that are to be given back.
    pub revocations: Arc<dyn Revocations>,
    /// A subject's accounts at integrations.
    pub connections: Arc<dyn Connections>,
    /// Keys of the product's backend.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Links to pages, and the mails that carry them.
    pub portal: Arc<dyn Portal>,
    /// Accounts at Stripe.
    pub stripe: Arc<dyn Stripe>,
    /// OAuth clients that are registered with us.
    pub applications: Arc<dyn Applications>,
    /// People who sign in at our authorize page.
    pub users: Arc<dyn Users>,
    /// Authorization requests at our own door.
    pub authorizations: Arc<dyn Authorizations>,
    /// Consents.
    pub grants: Arc<dyn Grants>,
    /// Codes and tokens that we issue.
    pub families: Arc<dyn Families>,
    /// The keys that sign JSON Web Tokens.
    pub signing_keys: Arc<dyn SigningKeys>,
    /// How often something may happen.
    pub limits: Arc<dyn Limits>,
    /// The wrapped data keys.
    pub keyring: Arc<dyn KeyringRows>,
    /// Everything that they seal.
    pub sealed: Arc<dyn SealedRows>,
    /// The audit trail.
    pub audit: Arc<dyn Audit>,
    engine: Arc<dyn Engine>,
}

/// What an engine does beside its nouns.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    async fn ping(&self) -> Result<()>;
    /// Its own counters.
    fn limits(self: Arc<Self>) -> Arc<dyn Limits>;
    async fn close(&self);
}

/// Which engine an address means.
pub(crate) enum Address<'a> {
    Sqlite(&'a str),
    Postgres(&'a str),
}

impl<'a> Address<'a> {
    pub(crate) fn of(url: &'a str) -> Result<Self> {
        match url.split_once(':') {
            Some(("sqlite", path)) => {
                // sqlite:///var/lib/x.db means the same as sqlite:/var/lib/x.db.
                Ok(Self::Sqlite(path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path)))
            }
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url)),
            _ => Err(Error::Address("use sqlite:PATH or postgres://USER@HOST/DATABASE".to_owned())),
        }
    }
}

impl Store {
    /// Opens the database; migrates first unless `options.migrate` is [`Migrate::Never`].
    pub async fn open(options: &Options) -> Result<Self> {
        let patience = options.limits_patience;
        let limits = options.limits.as_deref().map(|url| Valkey::at(url, patience)).transpose()?;
        let mut store = match Address::of(&options.url)? {
            Address::Sqlite(path) => Sqlite::open(path, options).await.map(Self::of),
            Address::Postgres(url) => Postgres::open(url, options).await.map(Self::of),
        }?;
        if let Some(limits) = limits {
            store.limits = Arc::new(OrLocal::new(Arc::new(limits)));
        }
        Ok(store)
    }

    /// Brings the schema to this version's, and nothing else.
    pub async fn migrate(options: &Options) -> Result<Migrated> {
        match Address::of(options.migrate_url.as_deref().unwrap_or(&options.url))? {
            Address::Sqlite(path) => crate::sqlite::migrate(path).await,
            Address::Postgres(url) => crate::postgres::migrate(url).await,
        }
    }

    /// Whether the database can be read and written now; cheap enough to be asked every second.
    pub async fn ping(&self) -> Result<()> {
        self.engine.ping().await
    }

    /// Writes what is under way, then stops: every later write is [`Error::Unavailable`].
    pub async fn close(&self) {
        self.engine.close().await;
    }

    fn of<E>(engine: E) -> Self
    where
        E: Engine
            + Subjects
            + Integrations
            + Attempts
            + Credentials
            + Refreshes
            + Drills
            + Revocations
            + Connections
            + ApiKeys
            + Portal
            + Stripe
            + Applications
            + Users
            + Authorizations
            + Grants
            + Families
            + SigningKeys
            + KeyringRows
            + SealedRows
            + Audit
            + 'static,
    {
        let engine = Arc::new(engine);
        Self {
            subjects: engine.clone(),
            integrations: engine.clone(),
            attempts: engine.clone(),
            credentials: engine.clone(),
            refreshes: engine.clone(),
            drills: engine.clone(),
            revocations: engine.clone(),
            connections: engine.clone(),
            api_keys: engine.clone(),
            portal: engine.clone(),
            stripe: engine.clone(),
            applications: engine.clone(),
            users: engine.clone(),
            authorizations: engine.clone(),
            grants: engine.clone(),
            families: engine.clone(),
            signing_keys: engine.clone(),
            limits: engine.clone().limits(),
            keyring: engine.clone(),
            sealed: engine.clone(),
            audit: engine.clone(),
            engine,
        }
    }
}
