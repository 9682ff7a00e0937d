//! Failures that are played: for a moment a credential has a refresh token that is none, and gets its own back whatever
//! happens.
//!
//! A drill is begun and ended in one statement each. In between its row has what the credential was before, and nobody
//! can claim the credential ([`crate::refreshes::Refreshes::claim`]). The lease says whether somebody still plays: once it
//! has run out, anybody may end the drill. New tokens from elsewhere end it too, and so does a disconnect, which gives
//! back the token that was set aside.

use std::time::Duration;

use async_trait::async_trait;
use model::{CredentialId, IntegrationId, ReconnectReason, RefreshToken, SubjectId, Timestamp, WriterId};
use vault::Sealed;

use crate::Result;
use crate::refreshes::Claim;

/// What a drill begins with.
#[derive(Debug, Clone)]
pub struct NewDrill {
    /// The credential.
    pub credential: CredentialId,
    /// The generation that the caller has seen.
    pub generation: i64,
    /// The fence that the caller has seen.
    pub fence: i64,
    /// Who plays.
    pub holder: WriterId,
    /// How long the lease lives unless it is renewed ([`crate::refreshes::Refreshes::renew`]).
    pub lease: Duration,
    /// By how much the fence is raised; at least 1.
    pub step: i64,
    /// The refresh token, sealed anew: what is set aside is never older than the drill, so that a rotation of keys that goes
    /// through the tables meanwhile does not miss it.
    pub aside: Sealed<RefreshToken>,
    /// What stands in for it, sealed in its place.
    pub stand_in: Sealed<RefreshToken>,
    /// On whose word, as the audit trail names the actor.
    pub by: String,
}

/// A drill whose lease is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbandonedDrill {
    /// Under what it was played.
    pub claim: Claim,
    /// Whose credential.
    pub subject: SubjectId,
    /// Through which integration.
    pub integration: IntegrationId,
    /// When it began, by the database's clock.
    pub began_at: Timestamp,
    /// On whose word, as the audit trail names the actor.
    pub by: String,
}

/// The rows of `drills`, and the credentials that they are about.
#[async_trait]
pub trait Drills: Send + Sync {
    /// Sets the refresh token aside, puts the stand-in in its place, raises the fence and takes the lease, where generation
    /// and fence are those that were seen, the credential has a refresh token and is not broken, nothing is held, nobody
    /// has the lease, no call of this generation is in the journal, and no other drill is on.
    async fn begin(&self, new: &NewDrill) -> Result<Option<Claim>>;
    /// Writes what [`crate::refreshes::Refreshes::mark_broken`] writes, and keeps the lease. `false` when the drill is
    /// over.
    async fn mark_broken(
        &self,
        claim: &Claim,
        reason: ReconnectReason,
        error: Option<&str>,
        at: Timestamp,
    ) -> Result<bool>;
    /// Makes the credential what it was, gives the lease back and raises the fence, so that nobody who has called with the
    /// stand-in writes anything. `false` when the drill was over.
    async fn end(&self, claim: &Claim) -> Result<bool>;
    /// The same, unless somebody has the lease.
    async fn end_abandoned(&self, claim: &Claim) -> Result<bool>;
    /// At most `limit` drills whose lease is over, the oldest first.
    async fn abandoned(&self, limit: u32) -> Result<Vec<AbandonedDrill>>;
}
