//! What timers do for refreshing. Any replica can do any of it, at any time, twice: what two must not both do is decided
//! by one statement of the store.

use std::time::Duration;

use model::{Actor, AuditEvent, CredentialId, IntegrationId, Outcome, Timestamp};
use provider::answer::{AnswerError, Class};
use store::refreshes::{Due, EndingGrant, Hold};
use tracing::{error, info, warn};

use super::circuit::{AppKey, Change, Probe, Told};
use super::driver::announce;
use super::spool::Kept;
use super::{MAX_QUEUED, Trigger};
use crate::{Connect, Result};

/// For how long a credential that was taken from the queue is left alone by the others: a process that dies leaves nothing
/// undone for longer. Whoever comes nevertheless meets the lease.
const TAKEN_FOR: Duration = Duration::from_mins(2);

/// How many abandoned flights one round takes up.
const RECOVER_AT_ONCE: u32 = 100;

/// How long an answer stays in the spool after its commit: a database that fails over may forget what it acknowledged.
const SPOOL_RETENTION: Duration = Duration::from_mins(1);

/// How long an answer stays whose credential the store does not have.
const SPOOL_KEEPS_GONE: Duration = Duration::from_hours(24);

/// Ahead of a grant's fixed end, in days, the nearest first: a grant that ends in five days is warned of once.
const WARN_DAYS: [i64; 3] = [7, 14, 30];

/// How many uses one statement writes down.
const USES_AT_ONCE: usize = 500;

/// How many warnings one statement finds.
const WARN_AT_ONCE: u32 = 500;

impl Connect {
    /// Starts refreshing what is due. Answers whether more may be waiting.
    pub async fn refresh_due(&self) -> Result<bool> {
        let now = self.now();
        let at_once = self.parts.settings.refresh.at_once;
        // Few enough that those of one slow provider do not take the whole queue before they are counted.
        let room = MAX_QUEUED.saturating_sub(self.refreshing.queued()).min(at_once);
        if room == 0 || self.refreshing.is_stopping() {
            return Ok(false);
        }
        if self.store().refreshes.held().await?.is_some() {
            return Ok(false);
        }
        let mut except = self.refreshing.circuits.closed_to_all(now);
        except.extend(self.refreshing.crowded(at_once));
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let due = self.store().refreshes.take_due(now, now + TAKEN_FOR, &except, limit).await?;
        let full = due.len() == room;
        for one in due {
            self.fly_from_queue(one);
        }
        Ok(full)
    }

    fn fly_from_queue(&self, due: Due) {
        let place = self.refreshing.queue(due.integration, due.client_id);
        let waiter = self.fly(due.credential, due.generation, Trigger::Background);
        drop(self.detach(async move {
            waiter.ended().await;
            drop(place);
        }));
    }

    /// Takes up what was abandoned: leases that ran out without an end, the oldest first.
    pub async fn recover(&self) -> Result<usize> {
        let abandoned = self.store().refreshes.abandoned(RECOVER_AT_ONCE).await?;
        for one in &abandoned {
            drop(self.fly(one.credential, one.generation, Trigger::Recovery));
        }
        Ok(abandoned.len())
    }

    /// Brings what lies in the spool to the store, and drops what the store has had for a while.
    pub async fn sweep_spool(&self) {
        let Some(spool) = &self.refreshing.spool else { return };
        if let Err(error) = spool.look_again().await {
            warn!(outcome = "failure", %error, "spool.unreadable");
        }
        let now = self.now();
        for kept in spool.all() {
            if self.refreshing.is_under_way(&kept.claim.credential) {
                continue;
            }
            if kept.durable_since.is_none_or(|since| now.since(since) >= SPOOL_RETENTION) {
                let credential = kept.claim.credential;
                // One that fails does not keep the others waiting.
                if let Err(error) = self.sweep_one(kept, now).await {
                    warn!(%credential, outcome = "failure", %error, "spool.sweep_failed");
                }
            }
        }
    }

    async fn sweep_one(&self, kept: Kept, now: Timestamp) -> Result<()> {
        let Some(spool) = &self.refreshing.spool else { return Ok(()) };
        let claim = kept.claim;
        let Some(look) = self.store().refreshes.look(&claim.credential).await? else {
            // Its consent is over; or this is not the database that it belongs to, and the right one comes back.
            if now.since(kept.tokens.obtained_at) > SPOOL_KEEPS_GONE {
                spool.forget(claim).await;
            }
            return Ok(());
        };
        let generation = look.credential.generation;
        if look.tokens_fence == claim.fence {
            if kept.durable_since.is_some() {
                spool.forget(claim).await;
            } else {
                spool.is_durable(&claim, now);
            }
        } else if generation <= claim.generation {
            // It never arrived, or the store has forgotten it: the flight finds it here.
            drop(self.fly(claim.credential, generation, Trigger::Recovery));
        } else if kept.durable_since.is_some() || generation > claim.generation + 1 {
            // Its tokens have had successors since.
            spool.forget(claim).await;
        } else {
            if self.store().refreshes.keep_orphan(&claim, &kept.tokens).await? {
                let reason = "somebody else's answer came first";
                warn!(credential = %claim.credential, reason, "refresh.orphaned");
            }
            spool.forget(claim).await;
        }
        Ok(())
    }

    /// Asks the providers whose circuit is open whether they are back.
    pub fn probe_circuits(&self) {
        for probe in self.refreshing.circuits.due_probes(self.now()) {
            let plane = self.clone();
            drop(self.detach(async move { plane.probe(&probe).await }));
        }
        self.refreshing.metrics.circuits(&self.refreshing.circuits.open());
    }

    async fn probe(&self, probe: &Probe) {
        let http = &self.parts.http;
        let answer = provider::refresh::probe(http, &probe.entry, &probe.token_url, &probe.app).await;
        let told = match &answer {
            Ok(()) => Told::Answers,
            Err(AnswerError { class: Class::Configuration, error, .. }) => Told::RefusesUs(error.clone()),
            Err(error) => Told::Fails(error.retry_after),
        };
        self.tell_circuit(&probe.key, &told);
    }

    /// Remembers what a provider's answer told. What waited for it to come back is due at once; the flight that found
    /// out does not wait for that, for it may hold tokens.
    pub(super) fn tell_circuit(&self, key: &AppKey, told: &Told) {
        let Some(change) = self.refreshing.circuits.tell(key, told, self.now()) else { return };
        announce(key, &change);
        if matches!(change, Change::HalfOpened | Change::Closed) {
            let (plane, key) = (self.clone(), key.clone());
            drop(self.detach(async move { plane.hasten(&key).await }));
        }
    }

    async fn hasten(&self, key: &AppKey) {
        let hastened = self.store().refreshes.hasten(&key.integration, &key.client_id, self.now()).await;
        if let Err(error) = hastened {
            warn!(integration = %key.integration, outcome = "failure", %error, "refresh.hasten_failed");
        }
    }

    /// Warns of grants that end on a fixed day, 30, 14 and 7 days ahead; of each stage one replica once.
    pub async fn warn_of_ends(&self) -> Result<usize> {
        let now = self.now();
        let mut warned = 0;
        for days in WARN_DAYS {
            let before = now + Duration::from_hours(24) * u32::try_from(days).unwrap_or(u32::MAX);
            loop {
                let ending = self.store().refreshes.ending(before, days, WARN_AT_ONCE).await?;
                for grant in &ending {
                    if self.store().refreshes.mark_warned(grant, days).await? {
                        self.warn_of_end(grant, now).await?;
                        warned += 1;
                    }
                }
                if ending.len() < WARN_AT_ONCE as usize {
                    break;
                }
            }
        }
        Ok(warned)
    }

    async fn warn_of_end(&self, grant: &EndingGrant, now: Timestamp) -> Result<()> {
        let days_left = grant.ends_at.since(now).as_secs().div_ceil(86_400);
        warn!(subject = %grant.subject, integration = %grant.integration, credential = %grant.credential,
            ends_at = %grant.ends_at, days_left, "grant.ending");
        self.audit(
            AuditEvent::new(now, "connection.grant_ending", Outcome::Success, Actor::System)
                .subject(&grant.subject)
                .target(&grant.integration)
                .fact("credential", grant.credential.to_string())
                .fact("ends_at", grant.ends_at.to_string()),
        )
        .await
    }

    /// Measures how much is waiting.
    pub async fn measure_backlog(&self) -> Result<()> {
        let backlog = self.store().refreshes.backlog().await?;
        self.refreshing.metrics.backlog(&backlog, self.now());
        Ok(())
    }

    /// Remembers which credentials were used since the last time.
    pub async fn note_uses(&self) -> Result<()> {
        let used = self.refreshing.take_used();
        for (index, some) in used.chunks(USES_AT_ONCE).enumerate() {
            if let Err(error) = self.store().refreshes.note_use(some, self.now()).await {
                used.iter()
                    .skip(index * USES_AT_ONCE)
                    .for_each(|credential| self.refreshing.used(*credential));
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Lets nothing be refreshed until [`Connect::resume_refreshing`]: what a restored backup holds may be spent.
    pub async fn hold_refreshing(&self, reason: &str, by: &Actor) -> Result<bool> {
        let hold = Hold { since: self.now(), reason: reason.to_owned(), by: by.to_string() };
        let is_new = self.store().refreshes.hold(&hold).await?;
        if is_new {
            error!(reason, by = %by, "refreshing.held");
            self.audit(
                AuditEvent::new(hold.since, "refreshing.held", Outcome::Success, by.clone()).reason(reason),
            )
            .await?;
        }
        Ok(is_new)
    }

    /// The operator says that refreshing may go on, and that grants which the provider calls dead are dead.
    pub async fn resume_refreshing(&self, by: &Actor) -> Result<bool> {
        let resumed = self.store().refreshes.resume().await?;
        for key in self.refreshing.circuits.believe(self.now()) {
            self.hasten(&key).await;
        }
        info!(by = %by, "refreshing.resumed");
        self.audit(AuditEvent::new(self.now(), "refreshing.resumed", Outcome::Success, by.clone())).await?;
        Ok(resumed)
    }

    /// Whether and why nothing is refreshed.
    pub async fn refreshing_held(&self) -> Result<Option<Hold>> {
        Ok(self.store().refreshes.held().await?)
    }

    /// Integrations whose circuit is open in this process, with the cause.
    pub fn open_circuits(&self) -> Vec<(IntegrationId, &'static str)> {
        self.refreshing.circuits.open().into_iter().map(|(id, cause)| (id, cause.word())).collect()
    }

    /// Remembers that a credential's tokens were handed out.
    pub(crate) fn note_use(&self, credential: CredentialId) {
        self.refreshing.used(credential);
    }
}
