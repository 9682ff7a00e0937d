use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{AuditEvent, Clock, Outcome, RedirectUri, Scopes, Timestamp};
use provider::client::HttpClient;
use serde::Deserialize;
use store::Store;
use tokio::sync::Semaphore;
use tracing::{info, warn};
use vault::LimitKeys;

use crate::Result;
use crate::application::Configured;
use crate::client_id_document::{Documents, Flights};
use crate::limits::{Counters, Policies};
use crate::login::LoginSettings;
use crate::metrics::GrantMetrics;
use crate::protect::Protected;
use crate::signing::{Seal, SigningSettings};

/// How many documents of applications are read at once.
const DOCUMENTS_AT_ONCE: usize = 32;

/// What the operator decided about the grant plane.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who we are (RFC 8414 §2): our own address; no slash at the end.
    pub issuer: String,
    /// The product's own scopes.
    pub scopes: BTreeMap<String, ScopeText>,
    /// What tokens may be good for besides the product itself (RFC 8707 §2).
    pub resources: Vec<String>,
    /// Further paths of endpoints, for addresses that are entered elsewhere already.
    pub aliases: BTreeMap<String, Endpoint>,
    /// The resources that we stand before; each is among `resources`.
    pub protected: Vec<Protected>,
    /// The applications of the configuration file.
    pub applications: BTreeMap<String, Configured>,
    /// How long a code lives; at most ten minutes (RFC 6749 §4.1.2).
    pub code_ttl: Duration,
    /// How long an access token lives, where its application says nothing else.
    pub access_token_ttl: Duration,
    /// How long a refresh token lives that is not used, likewise.
    pub refresh_token_idle: Duration,
    /// How long a family lives at most, likewise.
    pub refresh_token_ttl: Duration,
    /// How long a spent refresh token brings the same answer again, likewise.
    pub refresh_leeway: Duration,
    /// How long a person may take from the application's button to the decision.
    pub authorization_ttl: Duration,
    /// How long a browser is believed who is signed in.
    pub sign_in_ttl: Duration,
    /// What applications may do that come without the operator.
    pub mcp: McpSettings,
    /// How people sign in.
    pub login: LoginSettings,
    /// How tokens are signed.
    pub signing: SigningSettings,
    /// How often anybody may try.
    pub limits: Policies,
}

/// An endpoint that can have further paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named by its path")]
pub enum Endpoint {
    Authorize,
    Token,
    Refresh,
    Revoke,
    Userinfo,
}

/// What applications may do that come without the operator, as those of the Model Context Protocol do.
#[derive(Debug, Clone)]
pub struct McpSettings {
    /// Whether there may be any.
    pub enabled: bool,
    /// Whether they may register themselves (RFC 7591).
    pub registration: bool,
    /// Whether a client id may be the address of a document (Client ID Metadata Documents).
    pub documents: bool,
    /// Where their answers may go, as [`model::RedirectUri::place`] says it; empty for anywhere.
    pub redirect_hosts: Vec<String>,
    /// What they may ask for, of the product's own scopes.
    pub scopes: Scopes,
    /// How long one is kept that nobody lets do anything.
    pub unused_for: Duration,
    /// How many of these are kept, of those that registered themselves and of those that have documents.
    pub max_unused: u32,
}

impl McpSettings {
    /// Whether answers may go there.
    pub(crate) fn allows(&self, uri: &RedirectUri) -> bool {
        let hosts = &self.redirect_hosts;
        hosts.is_empty() || hosts.iter().any(|host| host.eq_ignore_ascii_case(uri.place()))
    }
}

/// What a scope lets an application do, as a phrase that begins with a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeText {
    /// In English.
    pub en: String,
    /// In Estonian.
    pub et: String,
}

/// What the plane is made of.
pub struct Parts {
    /// What the operator decided.
    pub settings: Settings,
    /// Where rows are kept.
    pub store: Store,
    /// What asks login back ends.
    pub http: HttpClient,
    /// What seals the signing keys.
    pub seal: Arc<dyn Seal>,
    /// What reads the documents of applications.
    pub documents: Arc<dyn Documents>,
    /// What names the counters of tries.
    pub limit_keys: LimitKeys,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The grant plane; cheap to clone.
#[derive(Clone)]
pub struct Grant {
    pub(crate) parts: Arc<Parts>,
    pub(crate) signing: Arc<crate::signing::Ring>,
    pub(crate) hashing: Arc<crate::login::local::Hashing>,
    /// What is known of the OpenID providers at which people sign in.
    pub(crate) providers: Arc<crate::login::oidc::Providers>,
    /// The turns of what login back ends look at.
    pub(crate) checks: Arc<Semaphore>,
    /// The turns of mails that login back ends are asked to send.
    pub(crate) mails: Arc<Semaphore>,
    /// What this process counts by itself.
    pub(crate) counters: Arc<Counters>,
    /// The documents that are being read.
    pub(crate) flights: Arc<Flights>,
    /// Room for documents that are read at once.
    pub(crate) reading: Arc<Semaphore>,
    pub(crate) metrics: GrantMetrics,
}

impl Grant {
    /// Puts the plane together.
    pub fn new(parts: Parts) -> Self {
        let hashing = Arc::new(crate::login::local::Hashing::new(parts.settings.login.hashes_at_once));
        Self {
            parts: Arc::new(parts),
            signing: Arc::default(),
            hashing,
            providers: Arc::default(),
            checks: Arc::new(Semaphore::new(crate::login::CHECKS_AT_ONCE)),
            mails: Arc::new(Semaphore::new(crate::login::gotrue::MAILS_AT_ONCE)),
            counters: Arc::default(),
            flights: Arc::default(),
            reading: Arc::new(Semaphore::new(DOCUMENTS_AT_ONCE)),
            metrics: GrantMetrics::default(),
        }
    }

    /// What is counted.
    pub const fn metrics(&self) -> &GrantMetrics {
        &self.metrics
    }

    /// What the operator decided.
    pub fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.parts.settings.issuer
    }

    /// Remembers a security-relevant act, and says it in the log. An act whose trace can't be written is answered as a failure
    /// of the store.
    pub(crate) async fn remember(&self, event: AuditEvent) -> Result<()> {
        let (target, reason) = (event.target.as_deref(), event.reason.as_deref());
        if event.outcome == Outcome::Success {
            info!(actor = %event.actor, target, reason, outcome = "success", "{}", event.event);
        } else {
            warn!(actor = %event.actor, target, reason, outcome = event.outcome.word(), "{}", event.event);
        }
        Ok(self.store().audit.append(&event).await?)
    }
}
