//! Applications: OAuth clients that are registered with us.

use async_trait::async_trait;
use model::{ApplicationSettings, ClientId, Timestamp};
use serde::{Deserialize, Serialize};
use vault::TokenHash;

use crate::Result;

/// How an application came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registrar {
    /// By the API, the command line or the console.
    Operator,
    /// By itself (RFC 7591).
    Itself,
    /// By the document that lies at its client id (Client ID Metadata Documents).
    Document,
}

impl Registrar {
    const ALL: [Self; 3] = [Self::Operator, Self::Itself, Self::Document];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Itself => "itself",
            Self::Document => "document",
        }
    }

    /// Reads its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.word() == word)
    }
}

/// A secret of an application. Two live at once while it is rotated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationSecret {
    /// Its SHA-256, in hex.
    pub hash: String,
    /// When it was made or imported.
    pub created_at: Timestamp,
    /// From when on it is no longer good.
    pub expires_at: Option<Timestamp>,
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its name for itself.
    pub client_id: ClientId,
    /// What it may do.
    pub settings: ApplicationSettings,
    /// Its secrets; empty where it has none.
    pub secrets: Vec<ApplicationSecret>,
    /// How it came to be.
    pub registrar: Registrar,
    /// What lets it manage its own registration (RFC 7592 §3).
    pub registration_token: Option<TokenHash>,
    /// How it said that it proves who it is (RFC 7591 §2), where it registered itself.
    pub auth_method: Option<String>,
    /// Until when its document is believed without reading it again, where it has one.
    pub fresh_until: Option<Timestamp>,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How many go at once where too many came by themselves. More than that are left only where the operator allows fewer than before.
pub(crate) const EVICTED: u32 = 1000;

/// The rows of `applications`.
#[async_trait]
pub trait Applications: Send + Sync {
    /// Registers one; `false` when its client id is taken.
    async fn create(&self, application: &Application) -> Result<bool>;
    /// The same for one that came without the operator. Of those that came in the same way, have no grant, and ask nobody for one at
    /// the moment, at most `most` are left, it among them: the oldest go. Where several come at the same moment, the next one makes up
    /// for what they did not see of each other.
    async fn create_unasked(&self, application: &Application, most: u32) -> Result<bool>;
    /// Reads one.
    async fn get(&self, client_id: &ClientId) -> Result<Option<Application>>;
    /// Lists them by client id, after one, at most `limit`.
    async fn list(&self, after: Option<&ClientId>, limit: u32) -> Result<Vec<Application>>;
    /// Puts another in the place of the one that has its client id and the revision before it; `false` where somebody was
    /// faster, or there is none.
    async fn replace(&self, application: &Application) -> Result<bool>;
    /// Removes one with its grants, codes, families, tokens and requests; `false` where there is none. Its assertions stay
    /// used up.
    async fn remove(&self, client_id: &ClientId) -> Result<bool>;
    /// Uses up an assertion of an application (RFC 7523 §3 item 7), once, until it ends by itself: of any number of callers
    /// one gets `true`.
    async fn spend_assertion(
        &self,
        client_id: &ClientId,
        assertion: &TokenHash,
        expires_at: Timestamp,
    ) -> Result<bool>;
    /// Deletes at most `limit` assertions that ended before `now`; tells how many.
    async fn sweep_assertions(&self, now: Timestamp, limit: u32) -> Result<u64>;
    /// Deletes at most `limit` applications that registered themselves before `before`, have no grant, and ask nobody for one at the
    /// moment; tells how many.
    async fn sweep_unused(&self, before: Timestamp, limit: u32) -> Result<u64>;
    /// The same for those whose documents were believed until before `now`: what is needed again is read again.
    async fn sweep_documents(&self, now: Timestamp, limit: u32) -> Result<u64>;
}
