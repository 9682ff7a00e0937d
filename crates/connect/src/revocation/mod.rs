//! Grants are given back to their providers, best effort: at once when a connection is disconnected, and until it succeeds
//! in the background, for three days. Then the tokens are erased.
//!
//! A revocation belongs to whoever has taken it, until its due time; any replica takes what is due. One that is repeated
//! after a crash does no harm: the provider says that the grant was gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::{Actor, AuditEvent, IntegrationId, Outcome, Timestamp};
use provider::catalog::{CallAuthentication, Ends, Entry};
use provider::exchange::App;
use provider::revoke::{Revoke, RevokeError, Revoked, revoke};
use store::credentials::{Credential, SealedTokens};
use store::revocations::Revocation;
use tokio::sync::Semaphore;
use tracing::{info, warn};
use vault::{Sealable, Sealed};

use crate::disconnect::Plan;
use crate::{Connect, Result};

pub mod metrics;

/// How long a revocation is held by whoever has taken it; much longer than an attempt takes, so that clocks of replicas may
/// differ.
pub(crate) const HELD: Duration = Duration::from_mins(5);

/// How long one call may take, unless the operator gives calls less.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// How long it is tried.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(72);

/// The pauses after the first attempts; then the last one repeats.
const PAUSES: [Duration; 6] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
    Duration::from_hours(12),
];

/// How many one round takes.
const ROUND: u32 = 20;

/// How many of these go to one integration at the same time.
const AT_ONCE: usize = 4;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    Succeeded,
    AlreadyGone,
    /// The person has consented anew, and the provider would end that too.
    Superseded,
    Failed,
}

/// Why it was not given back.
struct Failure {
    word: String,
    status: Option<u16>,
    retry_after: Option<Duration>,
}

impl Failure {
    fn of_ours(word: &str) -> Self {
        Self { word: word.to_owned(), status: None, retry_after: None }
    }
}

impl From<RevokeError> for Failure {
    fn from(error: RevokeError) -> Self {
        Self { word: error.word(), status: error.status, retry_after: error.retry_after }
    }
}

impl Connect {
    /// Gives back what is due, and waits for it. Answers whether more may be waiting.
    pub async fn revoke_due(&self) -> Result<bool> {
        // A restored store may know of revocations whose grants have been renewed since.
        if self.refreshing.is_stopping() || self.store().refreshes.held().await?.is_some() {
            return Ok(false);
        }
        let now = self.now();
        let taken = self.store().revocations.take_due(now, now + HELD, ROUND).await?;
        let full = taken.len() == ROUND as usize;
        let mut places: HashMap<IntegrationId, Arc<Semaphore>> = HashMap::new();
        let mut attempts = Vec::new();
        for revocation in taken {
            let places = places.entry(revocation.integration.clone());
            let places = places.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone();
            let plane = self.clone();
            attempts.push(self.detach(async move {
                // Never closed; without a place it goes on all the same.
                let _place = places.acquire().await;
                let (id, integration) = (revocation.id, revocation.integration.clone());
                if let Err(error) = plane.attempt(revocation).await {
                    warn!(%integration, revocation = %id, outcome = "failure", %error, will_retry = true,
                        "revocation.failed");
                }
            }));
        }
        for attempt in attempts {
            // A panic is in the log, and the revocation comes again.
            let _ = attempt.await;
        }
        Ok(full)
    }

    /// Measures how many are waiting.
    pub async fn measure_revocations(&self) -> Result<()> {
        let backlog = self.store().revocations.backlog().await?;
        self.revocation_metrics.backlog(&backlog, self.now());
        Ok(())
    }

    /// Takes over tokens that a provider gave when their connection was gone already.
    pub(crate) async fn revoke_late(&self, credential: &Credential, tokens: SealedTokens) -> Result<()> {
        let Plan::Revoke { url } = self.plan(credential) else { return Ok(()) };
        let now = self.now();
        let revocation = Revocation {
            id: vault::random::id(),
            credential: credential.id,
            subject: credential.subject.clone(),
            integration: credential.integration.clone(),
            provider: credential.provider.clone(),
            client_id: credential.client_id.clone(),
            url,
            label: None,
            account: credential.account.clone(),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            attempts: 0,
            due_at: now,
            created_at: now,
            last_error: None,
        };
        Ok(self.store().revocations.add(&revocation).await?)
    }

    /// The parts of a consent, which are given back one by one; their account is the consent's.
    pub(crate) async fn parts_to_give_back(&self, of: &Credential) -> Result<Vec<Credential>> {
        let parts = self.store().credentials.parts(&of.id).await?;
        Ok(parts.into_iter().map(|part| Credential { account: of.account.clone(), ..part }).collect())
    }

    /// Gives back what a consent has yielded, with its parts, in the background. The caller erases it.
    pub(crate) async fn give_back_later(&self, credential: &Credential, parts: &[Credential]) -> Result<()> {
        for one in [credential].into_iter().chain(parts) {
            self.revoke_late(one, one.tokens.clone()).await?;
        }
        Ok(())
    }

    /// Asks the provider once, and remembers what follows. An error is the store's; the revocation comes again.
    pub(crate) async fn attempt(&self, revocation: Revocation) -> Result<Tried> {
        let Ok(entry) = self.entry(&revocation.provider) else {
            return self.failed(&revocation, Failure::of_ours("no_recipe")).await;
        };
        if self.is_superseded(&revocation, &entry).await? {
            self.store().revocations.done(&revocation.id).await?;
            info!(subject = %revocation.subject, integration = %revocation.integration, revocation = %revocation.id,
                outcome = "superseded", "revocation.superseded");
            self.revocation_metrics.ended(&revocation.integration, "superseded");
            self.told(&revocation, "revocation.superseded", Outcome::Success, None).await;
            return Ok(Tried::Superseded);
        }
        match self.give_back(&revocation, &entry).await? {
            Err(failure) => self.failed(&revocation, failure).await,
            Ok(revoked) => {
                self.store().revocations.done(&revocation.id).await?;
                let (tried, word) = match revoked {
                    Revoked::Done => (Tried::Succeeded, "succeeded"),
                    Revoked::AlreadyGone => (Tried::AlreadyGone, "already_gone"),
                };
                info!(subject = %revocation.subject, integration = %revocation.integration, revocation = %revocation.id,
                    outcome = word, attempts = revocation.attempts, "revocation.succeeded");
                self.revocation_metrics.ended(&revocation.integration, word);
                self.told(&revocation, "revocation.succeeded", Outcome::Success, Some(word)).await;
                Ok(tried)
            }
        }
    }

    /// Where a revocation ends all that an account has granted, another consent of it would end as well. One whose account
    /// nobody knows may be of the same.
    async fn is_superseded(&self, revocation: &Revocation, entry: &Entry) -> Result<bool> {
        if entry.revocation.as_ref().is_none_or(|recipe| recipe.ends != Ends::Grant) {
            return Ok(false);
        }
        let account = revocation.account.as_ref().map(|account| account.id.as_str());
        let credentials = &self.store().credentials;
        Ok(credentials.may_share_grant(&revocation.client_id, account, &revocation.credential).await?)
    }

    async fn give_back(
        &self,
        revocation: &Revocation,
        entry: &Entry,
    ) -> Result<std::result::Result<Revoked, Failure>> {
        let (integration, subject) = (&revocation.integration, &revocation.subject);
        let client_id = revocation.client_id.as_str();
        let has_to_sign = entry.revocation.as_ref().is_some_and(|recipe| {
            matches!(recipe.call.authentication, CallAuthentication::Basic | CallAuthentication::Post)
        });
        let app = match self.app_of(integration, subject, client_id).await? {
            Some(app) => app,
            None if has_to_sign => return Ok(Err(Failure::of_ours("no_app_credentials"))),
            None => App { client_id: client_id.to_owned(), client_secret: None },
        };
        let (Ok(access_token), Ok(refresh_token)) = (
            self.unseal(revocation, revocation.access_token.as_ref()).await,
            self.unseal(revocation, revocation.refresh_token.as_ref()).await,
        ) else {
            return Ok(Err(Failure::of_ours("unreadable_tokens")));
        };
        let request = Revoke {
            entry,
            url: &revocation.url,
            app: &app,
            access_token: access_token.as_ref(),
            refresh_token: refresh_token.as_ref(),
            timeout: self.parts.http.total_timeout().min(CALL_LIMIT),
        };
        Ok(revoke(&self.parts.http, request).await.map_err(Failure::from))
    }

    async fn unseal<T: Sealable>(
        &self,
        revocation: &Revocation,
        sealed: Option<&Sealed<T>>,
    ) -> Result<Option<T>> {
        match sealed {
            Some(sealed) => self.parts.keys.open(&revocation.credential, sealed).await.map(Some),
            None => Ok(None),
        }
    }

    async fn failed(&self, revocation: &Revocation, failure: Failure) -> Result<Tried> {
        let now = self.now();
        let next = next_attempt(revocation, failure.retry_after, now);
        match next {
            Some(due_at) => {
                let (id, attempt) = (&revocation.id, revocation.attempts);
                self.store().revocations.failed(id, attempt, due_at, &failure.word).await?;
            }
            None => {
                self.store().revocations.done(&revocation.id).await?;
            }
        }
        warn!(subject = %revocation.subject, integration = %revocation.integration, revocation = %revocation.id,
            outcome = "failure", status = failure.status, error = failure.word, attempts = revocation.attempts,
            will_retry = next.is_some(), "revocation.failed");
        let (event, counted) = match next {
            Some(_) => ("revocation.failed", "failed"),
            None => ("revocation.abandoned", "abandoned"),
        };
        self.revocation_metrics.ended(&revocation.integration, counted);
        self.told(revocation, event, Outcome::Failure, Some(&failure.word)).await;
        Ok(Tried::Failed)
    }

    /// What happened stays so whether or not the trail can be written; the log says when it can't.
    async fn told(&self, revocation: &Revocation, name: &str, outcome: Outcome, reason: Option<&str>) {
        let event = AuditEvent::new(self.now(), name, outcome, Actor::System)
            .subject(&revocation.subject)
            .target(&revocation.integration)
            .fact("revocation", revocation.id.to_string())
            .fact("credential", revocation.credential.to_string())
            .fact("attempts", revocation.attempts);
        let event = match reason {
            Some(reason) => event.reason(reason),
            None => event,
        };
        if let Err(error) = self.audit(event).await {
            tracing::error!(revocation = %revocation.id, outcome = "failure", %error, "audit.failed");
        }
    }
}

/// When it is tried again after a failure at `now`; `None` when it is given up. The last attempt comes at the very end.
fn next_attempt(revocation: &Revocation, retry_after: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    let end = revocation.created_at + GIVEN_UP_AFTER;
    if now >= end {
        return None;
    }
    let attempt = usize::try_from(revocation.attempts).unwrap_or(usize::MAX).clamp(1, PAUSES.len());
    let next = (now + PAUSES[attempt - 1]).min(end);
    Some(retry_after.map_or(next, |pause| next.max(now + pause)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocation(attempts: i64) -> Revocation {
        let start = Timestamp::from_unix_ms(0);
        Revocation {
            id: [1; 16].into(),
            credential: [2; 16].into(),
            subject: "anna".parse().unwrap(),
            integration: "github".parse().unwrap(),
            provider: "github".parse().unwrap(),
            client_id: "our app".to_owned(),
            url: "https://provider.example/revoke".to_owned(),
            label: None,
            account: None,
            access_token: None,
            refresh_token: None,
            attempts,
            due_at: start,
            created_at: start,
            last_error: None,
        }
    }

    #[test]
    fn the_pauses_grow_and_after_three_days_it_is_given_up() {
        let mut now = Timestamp::from_unix_ms(0);
        let mut minutes = Vec::new();
        for attempt in 1.. {
            let Some(next) = next_attempt(&revocation(attempt), None, now) else { break };
            minutes.push(next.as_unix_ms() / 60_000);
            now = next;
        }
        let half_days = [516 + 720, 516 + 1440, 516 + 2160, 516 + 2880, 516 + 3600];
        assert_eq!(minutes[..5], [1, 6, 36, 156, 516]);
        assert_eq!(minutes[5..10], half_days);
        assert_eq!(minutes[10..], [72 * 60], "once more at the end, and never again");
    }

    #[test]
    fn a_provider_that_wants_to_be_left_alone_is() {
        let (now, hour) = (Timestamp::from_unix_ms(0), Duration::from_hours(1));
        assert_eq!(next_attempt(&revocation(1), Some(hour), now), Some(now + hour));
        assert_eq!(next_attempt(&revocation(4), Some(hour), now), Some(now + hour * 2));
    }
}
