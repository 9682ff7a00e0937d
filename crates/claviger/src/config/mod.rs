//! The configuration: compiled-in defaults, then the file, then the environment, then flags. Each setting remembers
//! where it came from, so that an error can name the place.
//!
//! - [`layers`]: the four layers become one table
//! - [`secret`]: the one type of all secrets
//! - [`groups`]: one app for all members of a group
//! - [`mod@grant`]: our own authorization server, and who may ask it; [`login`]: who signs in there
//! - [`protect`]: what we stand before
//! - [`mod@mail`]: the mail server; [`mod@stripe`]: Stripe; [`mod@portal`]: what customers see
//! - [`mod@duration`]: how durations are written

pub mod duration;
mod error;
pub mod grant;
pub mod groups;
pub mod layers;
pub mod login;
pub mod mail;
mod mistakes;
pub mod portal;
pub mod protect;
pub mod secret;
pub(crate) mod shown;
pub mod stripe;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

pub use duration::HumanDuration;
pub use error::ConfigError;
pub use grant::{Application, Grant};
pub use groups::Group;
pub use layers::{Flags, load};
pub use mail::Mail;
pub use portal::Portal;
pub use protect::Protect;
pub use secret::SecretSource;
pub use stripe::Stripe;

/// Everything that an operator can decide; see `claviger.default.toml` for units, defaults and reasons.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting; twice would drift")]
pub struct Config {
    pub public_url: Option<String>,
    pub frontend_url: Option<String>,
    pub product_name: String,
    pub data_dir: PathBuf,
    pub shutdown_grace: HumanDuration,
    pub key: SecretSource,
    pub trusted_proxies: Vec<String>,
    pub limit_store: Option<SecretSource>,
    pub public: Listener,
    pub backend: Listener,
    pub database: Database,
    pub connect: Connect,
    pub portal: Portal,
    pub subjects: Subjects,
    pub catalog: Catalog,
    pub outbound: Outbound,
    pub mail: Mail,
    pub stripe: Stripe,
    pub grant: Grant,
    pub log: Log,
    pub locale: Locale,
    pub groups: BTreeMap<String, Group>,
    pub integrations: BTreeMap<String, Integration>,
    pub applications: BTreeMap<String, Application>,
    #[serde(default)]
    pub protect: Vec<Protect>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Listener {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Database {
    pub url: Option<SecretSource>,
    pub migrate_url: Option<SecretSource>,
    pub migrate: bool,
    pub cache_entries: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Connect {
    pub default_provider: Option<model::IntegrationId>,
    pub return_to: Vec<String>,
    pub attempt_ttl: HumanDuration,
    pub attempt_retention: HumanDuration,
    pub refresh_before: HumanDuration,
    pub refresh: Refresh,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Refresh {
    pub background: bool,
    pub first_retry: HumanDuration,
    pub call_limit: HumanDuration,
    pub holder_returns: HumanDuration,
    pub idle_after: HumanDuration,
    pub at_once: usize,
    pub per_second: u32,
    pub hold_at_start: bool,
    pub spool: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Subjects {
    pub must_exist: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Catalog {
    pub directory: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Outbound {
    pub connect_timeout: HumanDuration,
    pub timeout: HumanDuration,
    pub allow_private: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Log {
    pub format: LogFormat,
    pub level: LogLevel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub enum LogFormat {
    Json,
    Text,
    Auto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Locale {
    pub default: LocaleTag,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub enum LocaleTag {
    En,
    Et,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Integration {
    pub provider: Option<model::ProviderId>,
    pub client_id: Option<SecretSource>,
    pub client_secret: Option<SecretSource>,
    pub scopes: Option<Vec<String>>,
    pub redirect_uri: Option<String>,
    pub attempt_ttl: Option<HumanDuration>,
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}
