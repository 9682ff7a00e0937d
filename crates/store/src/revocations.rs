//! Grants that are to be given back to their providers: what is left of a credential when its last connection is gone.

use async_trait::async_trait;
use model::{
    AccessToken, Account, CredentialId, IntegrationId, Label, ProviderId, RefreshToken, RevocationId,
    SubjectId, Timestamp,
};
use vault::Sealed;

use crate::Result;

/// One grant, with everything that giving it back needs.
#[derive(Debug, Clone)]
pub struct Revocation {
    /// Its id.
    pub id: RevocationId,
    /// The credential that it was; the tokens are sealed to it.
    pub credential: CredentialId,
    /// Whose it was.
    pub subject: SubjectId,
    /// Through which integration it came.
    pub integration: IntegrationId,
    /// The catalog entry.
    pub provider: ProviderId,
    /// Which of our apps it was given to.
    pub client_id: String,
    /// Where it is given back, with every placeholder filled.
    pub url: String,
    /// The label of the connection that was disconnected; `None` where nobody knows.
    pub label: Option<Label>,
    /// The account that it acts for, where that is known.
    pub account: Option<Account>,
    /// RFC 6749 §1.4.
    pub access_token: Option<Sealed<AccessToken>>,
    /// RFC 6749 §1.5.
    pub refresh_token: Option<Sealed<RefreshToken>>,
    /// How often the provider has been asked, the attempt of whoever holds it included.
    pub attempts: i64,
    /// When it is tried again; until then whoever has taken it holds it.
    pub due_at: Timestamp,
    /// When it was to end.
    pub created_at: Timestamp,
    /// What the last attempt that failed said, as a stable word.
    pub last_error: Option<String>,
}

/// How a credential is given back when its last connection goes.
#[derive(Debug, Clone)]
pub struct NewRevocation {
    /// The id that it gets.
    pub id: RevocationId,
    /// The credential that this was planned for.
    pub credential: CredentialId,
    /// Where it is given back, with every placeholder filled.
    pub url: String,
    /// Until when the caller holds it, for the first attempt.
    pub held_until: Timestamp,
}

/// How many are waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RevocationBacklog {
    /// All of them.
    pub count: i64,
    /// When the oldest came to be.
    pub oldest: Option<Timestamp>,
}

/// The rows of `revocations`. [`crate::connections::Connections::disconnect`] makes most of them.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Adds one.
    async fn add(&self, revocation: &Revocation) -> Result<()>;
    /// Takes at most `limit` that are due at `now`, the longest waiting first, counts the attempt, and lets nobody else take
    /// them before `held_until`: of several replicas one gets each.
    async fn take_due(&self, now: Timestamp, held_until: Timestamp, limit: u32) -> Result<Vec<Revocation>>;
    /// It is over, however it ended: erases the row with its tokens. `false` when it was gone.
    async fn done(&self, id: &RevocationId) -> Result<bool>;
    /// The attempt of that number failed, and the next one is due at `due_at`. `false` when somebody else has taken it
    /// meanwhile, or it is gone.
    async fn failed(
        &self,
        id: &RevocationId,
        attempt: i64,
        due_at: Timestamp,
        last_error: &str,
    ) -> Result<bool>;
    /// How many are waiting.
    async fn backlog(&self) -> Result<RevocationBacklog>;
}
