//! Disconnect: one way, whoever asks.
//!
//! 0. Where the provider takes the access token, and it has ended, it is refreshed first.
//! 1. What giving the grant back needs is planned. A provider or an integration that is gone from the catalog or the
//!    configuration does not stand in the way: then nothing is given back.
//! 2. In one transaction the connection becomes `disconnected`, and its tokens, unless another connection stands on them,
//!    a revocation. From here on nobody gets the token.
//! 3. The provider is asked once; the caller waits for that, and not for long. What does not succeed is tried again in the
//!    background ([`crate::revocation`]), and never makes the disconnect fail.

use std::time::{Duration, Instant};

use model::{Actor, AuditEvent, Outcome};
use provider::catalog::TokenKind;
use provider::revoke::is_possible;
use store::connections::{Connection, ConnectionKey, Disconnected as Left};
use store::credentials::Credential;
use store::revocations::NewRevocation;
use tokio::task::JoinError;
use tokio::time::error::Elapsed;
use tracing::{info, warn};

use crate::refresh::Trigger;
use crate::revocation::{HELD, Tried};
use crate::{Connect, Error, Result};

/// How long the caller waits for the provider.
const CALLER_WAITS: Duration = Duration::from_secs(10);

/// How long a refresh may take that the revocation needs.
const FRESHENS_FOR: Duration = Duration::from_secs(5);

/// How often a disconnect begins anew because the connection was connected anew meanwhile.
const MAX_PLANS: usize = 5;

/// A connection that is no more.
#[derive(Debug)]
pub struct Disconnected {
    /// The connection as it is now.
    pub connection: Connection,
    /// What became of the grant at the provider.
    pub revocation: RevocationOutcome,
}

/// What became of a grant at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// The provider has ended it.
    Succeeded,
    /// The provider knew nothing of it any more.
    AlreadyGone,
    /// The provider has not ended it yet; it is asked again in the background.
    Pending,
    /// The provider has no way to give it back, or nobody knows the way.
    Unsupported,
    /// Another connection stands on the same consent.
    Shared,
}

impl RevocationOutcome {
    /// The outcome's word in answers and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::AlreadyGone => "already_gone",
            Self::Pending => "pending",
            Self::Unsupported => "unsupported",
            Self::Shared => "shared",
        }
    }
}

/// How a credential's grant is to be given back.
pub(crate) enum Plan {
    Revoke { url: String },
    Not(RevocationOutcome),
}

impl Connect {
    /// Disconnects. From the transaction on nobody gets the token any more; a caller that goes away stops nothing.
    pub async fn disconnect(&self, key: &ConnectionKey, by: Actor) -> Result<Disconnected> {
        let (plane, key) = (self.clone(), key.clone());
        let done = self.detach(async move { plane.disconnect_now(&key, by).await });
        done.await.unwrap_or(Err(Error::Interrupted))
    }

    async fn disconnect_now(&self, key: &ConnectionKey, by: Actor) -> Result<Disconnected> {
        let began = Instant::now();
        self.freshen(key).await?;
        let (left, planned, parts) = self.leave(key, &by).await?;
        let (connection, attempt) = match left {
            Left::NotConnected | Left::Moved => return Err(Self::not_found(key)),
            Left::Shared(connection) => (connection, Err(RevocationOutcome::Shared)),
            Left::Erased(connection) => (connection, Err(planned)),
            Left::Revoking(connection, revocation) => {
                let plane = self.clone();
                (connection, Ok(self.detach(async move { plane.attempt(*revocation).await })))
            }
        };
        if attempt.as_ref().err() != Some(&RevocationOutcome::Shared) {
            for part in &parts {
                if let Err(error) = self.revoke_late(part, part.tokens.clone()).await {
                    warn!(integration = %key.integration, credential = %part.id, outcome = "failure", %error,
                        will_retry = false, "revocation.failed");
                }
            }
        }
        let event = AuditEvent::new(self.now(), "connection.disconnected", Outcome::Success, by)
            .subject(&key.subject)
            .target(connection.id)
            .fact("integration", key.integration.as_str())
            .fact("label", key.label.as_str());
        let audited = self.audit(event).await;
        let revocation = match attempt {
            Err(outcome) => outcome,
            Ok(attempt) => outcome(key, tokio::time::timeout(CALLER_WAITS, attempt).await),
        };
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(subject = %key.subject, integration = %key.integration, outcome = "success",
            revocation = revocation.word(), duration_ms, "disconnect.completed");
        audited?;
        Ok(Disconnected { connection: *connection, revocation })
    }

    /// Where a grant is given back by its access token, and that has ended, a refresh brings one that still says whose it
    /// is. Best effort, and not for long.
    async fn freshen(&self, key: &ConnectionKey) -> Result<()> {
        let connection = self.store().connections.get(key).await?;
        let Some(id) = connection.and_then(|connection| connection.credential) else { return Ok(()) };
        let Some(credential) = self.store().credentials.get(&id).await? else { return Ok(()) };
        let takes_access_token = self.entry(&credential.provider).is_ok_and(|entry| {
            entry.revocation.as_ref().is_some_and(|recipe| recipe.takes == TokenKind::AccessToken)
        });
        let tokens = &credential.tokens;
        let has_ended = tokens.expires_at.is_some_and(|end| end <= self.now());
        if takes_access_token && has_ended && tokens.refresh_token.is_some() && credential.broken.is_none() {
            let flight = self.fly(id, credential.generation, Trigger::Forced);
            let _ = flight.outcome(FRESHENS_FOR).await;
        }
        Ok(())
    }

    /// Steps 1 and 2; also what becomes of the grant where no revocation came of it, and the parts that went with it.
    async fn leave(
        &self,
        key: &ConnectionKey,
        by: &Actor,
    ) -> Result<(Left, RevocationOutcome, Vec<Credential>)> {
        for _ in 0..MAX_PLANS {
            let connection = self.store().connections.get(key).await?;
            let Some(id) = connection.and_then(|connection| connection.credential) else {
                return Err(Self::not_found(key));
            };
            let Some(credential) = self.store().credentials.get(&id).await? else { continue };
            let parts = self.parts_to_give_back(&credential).await?;
            let now = self.now();
            let (new, otherwise) = match self.plan(&credential) {
                Plan::Revoke { url } => {
                    let held_until = now + HELD;
                    let new = NewRevocation { id: vault::random::id(), credential: id, url, held_until };
                    (Some(new), RevocationOutcome::Unsupported)
                }
                Plan::Not(outcome) => (None, outcome),
            };
            let left = self.store().connections.disconnect(key, &by.to_string(), now, new.as_ref()).await?;
            if !matches!(left, Left::Moved) {
                return Ok((left, otherwise, parts));
            }
        }
        Err(Error::Interrupted)
    }

    /// How the grant of a credential is given back.
    pub(crate) fn plan(&self, credential: &Credential) -> Plan {
        let unsupported = Plan::Not(RevocationOutcome::Unsupported);
        let Ok(entry) = self.entry(&credential.provider) else { return unsupported };
        let Some(recipe) = &entry.revocation else { return unsupported };
        let tokens = &credential.tokens;
        if !is_possible(recipe, tokens.access_token.is_some(), tokens.refresh_token.is_some()) {
            return unsupported;
        }
        let Some(address) = self.endpoints_of(&entry, credential).and_then(|found| found.revoke) else {
            return unsupported;
        };
        Plan::Revoke { url: address.for_client(&credential.client_id) }
    }
}

/// What the caller is told of the first attempt. What did not succeed is in the queue, whyever.
fn outcome(
    key: &ConnectionKey,
    ended: std::result::Result<std::result::Result<Result<Tried>, JoinError>, Elapsed>,
) -> RevocationOutcome {
    match ended {
        Ok(Ok(Ok(Tried::Succeeded))) => RevocationOutcome::Succeeded,
        Ok(Ok(Ok(Tried::AlreadyGone))) => RevocationOutcome::AlreadyGone,
        Ok(Ok(Ok(Tried::Superseded))) => RevocationOutcome::Shared,
        Ok(Ok(Err(error))) => {
            warn!(subject = %key.subject, integration = %key.integration, outcome = "failure", %error,
                will_retry = true, "revocation.failed");
            RevocationOutcome::Pending
        }
        // Failed; still under way; or the task panicked, and the panic is in the log.
        Ok(Ok(Ok(Tried::Failed)) | Err(_)) | Err(_) => RevocationOutcome::Pending,
    }
}
