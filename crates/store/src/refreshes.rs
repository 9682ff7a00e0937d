//! What stands between a credential and its next tokens: the claim, the journal of calls, the due time.
//!
//! A *claim* is the right to call the provider once for one credential. It raises the credential's *fence*, takes a
//! *lease*, and writes a journal row in phase [`Phase::Sent`], all in one statement or not at all; so it also proves
//! that the store can be written before a token is spent. What a claim yields is written only where its fence and its
//! generation are still the credential's own. Leases are timed by the database's clock, so that replicas need not agree
//! on the time.

use std::time::Duration;

use async_trait::async_trait;
use model::{CredentialId, IntegrationId, ReconnectReason, SubjectId, Timestamp, WriterId};

use crate::Result;
use crate::credentials::{Credential, SealedTokens};

/// The right to call the provider once, until somebody claims after us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// For which credential.
    pub credential: CredentialId,
    /// The generation of the tokens that will be spent.
    pub generation: i64,
    /// Our fence; the credential had a lower one before.
    pub fence: i64,
}

/// What a claim is made for.
#[derive(Debug, Clone, Copy)]
pub struct NewClaim {
    /// The credential.
    pub credential: CredentialId,
    /// The generation that the caller has seen.
    pub generation: i64,
    /// Who claims.
    pub holder: WriterId,
    /// How long the lease lives unless it is renewed.
    pub lease: Duration,
    /// The fence that the caller has seen: what it decided holds as long as nobody has claimed since.
    pub fence: i64,
    /// Whether that fence is the caller's own, whose lease it still holds: it calls again.
    pub again: bool,
    /// By how much the fence is raised; at least 1. Random, so that after a fail-over that has forgotten a claim its
    /// holder and the next one do not share a fence.
    pub step: i64,
}

/// What is known of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is under way, or whoever made it has gone away without a word.
    Sent,
    /// It ended without tokens, and the provider may have processed it.
    Ambiguous,
    /// It brought tokens when the claim had already passed to somebody else.
    Orphan,
}

impl Phase {
    /// The phase's word in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Ambiguous => "ambiguous",
            Self::Orphan => "orphan",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Sent, Self::Ambiguous, Self::Orphan].into_iter().find(|phase| phase.word() == word)
    }
}

/// One call of the journal. Calls that brought tokens in time, and calls that were certainly not processed, leave none.
#[derive(Debug, Clone)]
pub struct JournalRow {
    /// The claim's fence.
    pub fence: i64,
    /// The generation whose refresh token was spent.
    pub generation: i64,
    /// What is known of it.
    pub phase: Phase,
    /// Whether the provider said nothing at all (a time-out, a reset): then it may well have processed the call. Only
    /// for [`Phase::Ambiguous`].
    pub silent: bool,
    /// When it was claimed, by the database's clock.
    pub started_at: Timestamp,
    /// The tokens of an orphan.
    pub answer: Option<SealedTokens>,
}

/// Everything that a flight wants to know of its credential.
#[derive(Debug, Clone)]
pub struct Look {
    /// The credential.
    pub credential: Credential,
    /// The fence of the last claim; 0 before the first.
    pub fence: i64,
    /// The fence of the claim that brought the present tokens; 0 for those of the consent.
    pub tokens_fence: i64,
    /// Until when somebody holds the lease; it may have run out.
    pub leased_until: Option<Timestamp>,
    /// The journal of the generation before and of all that follow, by fence. A later one than the present was forgotten
    /// by a store that went back in time.
    pub journal: Vec<JournalRow>,
    /// The time by the database's clock.
    pub now: Timestamp,
    /// Whether the operator wants nothing refreshed ([`Refreshes::hold`]).
    pub held: bool,
    /// Whether a failure is played for it ([`crate::drills`]): nobody can claim it.
    pub drilled: bool,
}

/// How a call without tokens ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was certainly not processed; its journal row goes.
    NotProcessed,
    /// It may have been processed; the row stays as [`Phase::Ambiguous`], in place of earlier such rows of the same
    /// generation: silent if any of them was, and started when the first of them was.
    Ambiguous {
        /// Whether the provider said nothing at all.
        silent: bool,
    },
}

/// What follows from a call without tokens.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// How the call ended.
    pub ending: Ending,
    /// Whether the lease is kept for another call ([`NewClaim::again`]).
    pub keep_lease: bool,
    /// When the background tries again; `None` leaves the due time as it is.
    pub due_at: Option<Timestamp>,
    /// What went wrong, as a stable word or the provider's error code; `None` leaves the last one, and counts no
    /// failure.
    pub error: Option<String>,
}

/// A credential that wants attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub credential: CredentialId,
    /// Its generation.
    pub generation: i64,
    /// Whose.
    pub subject: SubjectId,
    /// Through which integration.
    pub integration: IntegrationId,
    /// By which of our apps.
    pub client_id: String,
    /// When it was due, or when its lease ran out.
    pub since: Timestamp,
}

/// A consent that ends on a fixed day, however often it is refreshed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndingGrant {
    /// Which.
    pub credential: CredentialId,
    /// Whose.
    pub subject: SubjectId,
    /// Through which integration.
    pub integration: IntegrationId,
    /// When.
    pub ends_at: Timestamp,
    /// Of how many days ahead somebody was last warned; `None` before the first warning.
    pub warned_days: Option<i64>,
}

/// How much is waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Since when the longest waiting credential is due; `None` when none is. Broken ones do not wait.
    pub oldest_due: Option<Timestamp>,
    /// How many rows the journal has.
    pub journal_rows: i64,
}

/// Why nothing is refreshed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// Why, for the operator.
    pub reason: String,
    /// Who said so, as the audit trail names the actor.
    pub by: String,
}

/// The journal, and the columns of `credentials` that refreshing needs.
#[async_trait]
pub trait Refreshes: Send + Sync {
    /// Everything that a flight wants to know; `None` when the credential is gone.
    async fn look(&self, id: &CredentialId) -> Result<Option<Look>>;
    /// Claims: raises the fence, takes the lease, and writes the journal row `sent`, where generation and fence are
    /// those that were seen, the credential is not broken, nothing is held, no drill is on, and no live lease exists,
    /// or only the caller's own (`again`). The new fence is higher than any that the credential or its journal knows.
    async fn claim(&self, claim: &NewClaim) -> Result<Option<Claim>>;
    /// Prolongs the lease to `lease` from now; `false` when fence or generation are no longer ours, or the lease was
    /// given back or ended. One that has run out is ours until then.
    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<bool>;
    /// Puts new tokens in place where fence and generation are ours: generation + 1, lease given back, `tokens_fence`
    /// ours, `broken`, `last_error` and `failures` cleared, `refreshed_at` = `tokens.obtained_at`, `due_at` = `due`;
    /// our journal row goes, and every row of an older generation than the one that was spent. `false` when they are
    /// not ours. Ends a drill. A set without a refresh token keeps the old one (RFC 6749 §6); a set without extra keeps the old extra.
    async fn commit(&self, claim: &Claim, tokens: &SealedTokens, due: Option<Timestamp>) -> Result<bool>;
    /// Puts tokens in place that were kept elsewhere, where the generation is still `generation`, whoever holds the
    /// lease: as [`Refreshes::commit`], with `tokens_fence` = `fence`, the fence of the claim that brought them; that
    /// claim's journal row goes. The present lease, if any, is ended, so that its holder's commit fails. Repairs a
    /// broken credential.
    async fn adopt(
        &self,
        id: &CredentialId,
        generation: i64,
        fence: i64,
        tokens: &SealedTokens,
        due: Option<Timestamp>,
    ) -> Result<bool>;
    /// Keeps the tokens of a claim that has passed to somebody else: its journal row becomes (or is made) an
    /// [`Phase::Orphan`]. `false` when the credential is gone.
    async fn keep_orphan(&self, claim: &Claim, tokens: &SealedTokens) -> Result<bool>;
    /// Ends a call without tokens; `false` when fence or generation are no longer ours, and then only the journal row
    /// of our fence changes. An orphan stays one: its tokens are never dropped here.
    async fn settle(&self, claim: &Claim, settlement: &Settlement) -> Result<bool>;
    /// Says that only the person can repair it, where fence and generation are ours; gives the lease back and clears
    /// the due time. Our journal row goes. Without `error`, `last_error` stays.
    async fn mark_broken(
        &self,
        claim: &Claim,
        reason: ReconnectReason,
        error: Option<&str>,
        at: Timestamp,
    ) -> Result<bool>;
    /// Sets the due time where the generation is still `generation`, and ends a lease that has run out: the queue
    /// brings the credential again. Its journal stays.
    async fn schedule(&self, id: &CredentialId, generation: i64, due: Option<Timestamp>) -> Result<bool>;
    /// The provider is back: what failed there and waits for a later time is due at `now`. Answers how many.
    async fn hasten(&self, integration: &IntegrationId, client_id: &str, now: Timestamp) -> Result<u64>;
    /// Takes at most `limit` credentials that are due at `now`, the longest waiting first, and postpones them to
    /// `postponed`: of several replicas one gets each, and what it does not manage comes again. Broken ones and those
    /// with a live lease are left alone, and those of `except`: pairs of integration and client id.
    async fn take_due(
        &self,
        now: Timestamp,
        postponed: Timestamp,
        except: &[(IntegrationId, String)],
        limit: u32,
    ) -> Result<Vec<Due>>;
    /// Credentials whose lease has run out without an end, the oldest first.
    async fn abandoned(&self, limit: u32) -> Result<Vec<Due>>;
    /// Remembers that tokens were handed out. Changes nothing but `used_at`, which never moves back.
    async fn note_use(&self, ids: &[CredentialId], at: Timestamp) -> Result<()>;
    /// Grants that end before `before` and whose last warning was of more than `days` days ahead, or none; the nearest
    /// first.
    async fn ending(&self, before: Timestamp, days: i64, limit: u32) -> Result<Vec<EndingGrant>>;
    /// Remembers a warning; `false` when somebody else has given it meanwhile.
    async fn mark_warned(&self, grant: &EndingGrant, days: i64) -> Result<bool>;
    /// How much is waiting.
    async fn backlog(&self) -> Result<Backlog>;
    /// Lets nobody claim until [`Refreshes::resume`]; `false` when that was so already.
    async fn hold(&self, hold: &Hold) -> Result<bool>;
    /// Lets claims through again; `false` when nothing was held.
    async fn resume(&self) -> Result<bool>;
    /// Whether and why claims are held.
    async fn held(&self) -> Result<Option<Hold>>;
}
