//! Authorizations in flight. One-time: whoever consumes an attempt has it alone.

use async_trait::async_trait;
use model::{
    AttemptId, Binding, CodeVerifier, CredentialId, IntegrationId, Label, Origin, ProviderId, Scopes,
    SubjectId, Timestamp,
};
use serde::{Deserialize, Serialize};
use vault::{Sealed, TokenHash};

use crate::Result;
use crate::credentials::Credential;

/// One authorization in flight. Everything that the callback needs is pinned here at the start, so that nothing the
/// browser brings back decides where a code is sent.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its id, for logs; the verifier is sealed to it.
    pub id: AttemptId,
    /// Who will own the connection.
    pub subject: SubjectId,
    /// At which integration.
    pub integration: IntegrationId,
    /// Under which label.
    pub label: Label,
    /// The catalog entry.
    pub provider: ProviderId,
    /// Where the person stood.
    pub origin: Origin,
    /// Where the browser goes afterwards; `None` for the configured front end.
    pub return_to: Option<String>,
    /// Whether the browser is bound.
    pub binding: Binding,
    /// What we asked for.
    pub scopes: Scopes,
    /// Which of our apps asked (RFC 6749 §2.2).
    pub client_id: String,
    /// RFC 6749 §3.1.2, exactly as it was sent.
    pub redirect_uri: String,
    /// Where the code will be exchanged.
    pub token_url: String,
    /// The issuer that `iss` must name (RFC 9207), where the entry has one.
    pub issuer: Option<String>,
    /// The authorization request, complete but for `state` and `code_challenge`.
    pub authorize_url: String,
    /// RFC 7636 §4.1; `None` where the provider knows no PKCE.
    pub code_verifier: Option<Sealed<CodeVerifier>>,
    /// The API key or page that asked, as the audit trail names the actor.
    pub started_by: String,
    /// When it began.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used, by whichever callback came first.
    pub consumed_at: Option<Timestamp>,
    /// The hash of the cookie that the hop set; `None` before the hop and without binding.
    pub binding_hash: Option<TokenHash>,
    /// What the one consent connects, `integration` first; empty where that is all.
    pub members: Vec<Member>,
}

/// An integration that a consent connects, with what was asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which.
    pub integration: IntegrationId,
    /// What was asked for it; the attempt's own scopes are those of all.
    pub scopes: Scopes,
}

impl Attempt {
    /// What the consent connects, at least one.
    pub fn members(&self) -> Vec<Member> {
        if self.members.is_empty() {
            let (integration, scopes) = (self.integration.clone(), self.scopes.clone());
            return vec![Member { integration, scopes }];
        }
        self.members.clone()
    }
}

/// What the hop finds behind its ticket.
#[derive(Debug, Clone)]
pub enum Hop {
    /// The attempt, which now has its state and its browser.
    Started(Box<Attempt>),
    /// The ticket was used before.
    Used,
    /// The attempt is over.
    Expired,
    /// No attempt has that ticket.
    Unknown,
}

/// A consent of another account than before, which waits for the person's word.
#[derive(Debug, Clone)]
pub struct Question {
    /// The attempt that yielded it.
    pub attempt: Attempt,
    /// What it yielded.
    pub held: CredentialId,
    /// Until when the person may answer.
    pub answer_by: Timestamp,
}

/// The rows of `attempts`.
#[async_trait]
pub trait Attempts: Send + Sync {
    /// Writes an attempt that the hop will start; `ticket` is the one-time link.
    async fn create(&self, attempt: &Attempt, ticket: &TokenHash) -> Result<()>;
    /// Writes an attempt that has no hop and carries its state from the beginning (`binding=none`).
    async fn create_started(&self, attempt: &Attempt, state: &TokenHash) -> Result<()>;
    /// Starts the attempt behind a ticket, once: gives it its state and the hash of the browser's cookie.
    async fn start(
        &self,
        ticket: &TokenHash,
        state: &TokenHash,
        binding: &TokenHash,
        now: Timestamp,
    ) -> Result<Hop>;
    /// Reads the attempt that has this state, used and expired ones too.
    async fn find(&self, state: &TokenHash) -> Result<Option<Attempt>>;
    /// Uses up the attempt. Of any number of callers, on any number of replicas, one gets it; an attempt that was used
    /// or has expired at `now` yields `None`. Its verifier is erased; who needs it has read it before.
    async fn consume(&self, state: &TokenHash, now: Timestamp) -> Result<Option<Attempt>>;
    /// Keeps what a consent has yielded until the person says whether it may take the place of what was there: writes the
    /// credential, on which no connection stands yet, with its parts after it, and the question's link.
    async fn ask(
        &self,
        attempt: &AttemptId,
        credentials: &[Credential],
        question: &TokenHash,
        answer_by: Timestamp,
    ) -> Result<()>;
    /// Reads the question behind a link; `None` when it is unknown, answered, or too old at `now`.
    async fn question(&self, question: &TokenHash, now: Timestamp) -> Result<Option<Question>>;
    /// Answers a question, once: of any number of callers one gets it.
    async fn answer(&self, question: &TokenHash, now: Timestamp) -> Result<Option<Question>>;
    /// At most `limit` questions that were not answered before `before`, or not put into effect.
    async fn unanswered(&self, before: Timestamp, limit: u32) -> Result<Vec<Question>>;
    /// Forgets that a question was asked.
    async fn settle_question(&self, attempt: &AttemptId) -> Result<()>;
    /// Deletes at most `limit` attempts that expired before `before`; tells how many.
    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64>;
}
