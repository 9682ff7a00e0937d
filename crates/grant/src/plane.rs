use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{AuditEvent, Clock, Outcome, Timestamp};
use serde::Deserialize;
use store::Store;
use tracing::{info, warn};
use vault::LimitKeys;

use crate::Result;
use crate::application::Configured;
use crate::limits::{Counters, Policies};
use crate::login::LoginSettings;
use crate::signing::{Seal, SigningSettings};

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
    /// What seals the signing keys.
    pub seal: Arc<dyn Seal>,
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
    /// What this process counts by itself.
    pub(crate) counters: Arc<Counters>,
}

impl Grant {
    /// Puts the plane together.
    pub fn new(parts: Parts) -> Self {
        let hashing = Arc::new(crate::login::local::Hashing::new(parts.settings.login.hashes_at_once));
        Self { parts: Arc::new(parts), signing: Arc::default(), hashing, counters: Arc::default() }
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
