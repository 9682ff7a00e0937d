//! Does what a flight says: with the real store, the real provider, the spool and the time. It decides nothing.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::{Actor, AuditEvent, CredentialId, Outcome, ReconnectReason, RefreshToken, Timestamp};
use provider::answer::{AnswerError, Class};
use provider::catalog::Entry;
use provider::exchange::App;
use provider::refresh::{Refresh, refresh};
use store::credentials::{Credential, SealedTokens};
use store::refreshes::{Claim, NewClaim};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, error, info, warn};

use super::circuit::{AppKey, Change, Probe, Told};
use super::flight::{
    Action, Answer, Event, Fate, Flight, Landing, RETRY_AFTER, Refusal, StoreFailed, Waiting,
};
use super::log::{Pen, What};
use super::rules::{LEASE, LEASE_MARGIN, LONGEST_REST, RENEW_EVERY, Replay, Rules, STALL};
use super::{Refreshing, STRICT_OF_ONE, Trigger};
use crate::{Connect, Result, parts};

pub(crate) mod drill;

/// What a flight needs beside its credential's row.
struct Job {
    entry: Arc<Entry>,
    app: App,
    rules: Rules,
    probe: Probe,
}

/// A flight with everything that it does on the way.
struct Driver<'a> {
    plane: &'a Connect,
    refreshing: &'a Refreshing,
    pen: &'a Pen,
    id: CredentialId,
    trigger: Trigger,
    job: Job,
    flight: Flight,
    token: Option<RefreshToken>,
    permits: Vec<OwnedSemaphorePermit>,
    /// Since when the lease is ours, by two clocks: either may have stood still while we slept.
    lease_since: Mutex<(Instant, Timestamp)>,
    /// The room that was made in the spool, and whether an answer went there.
    room: Option<(Claim, bool)>,
    /// When the lease is renewed next.
    next_renewal: Mutex<tokio::time::Instant>,
    marked: Option<ReconnectReason>,
    /// The tokens of the last call that brought some.
    brought: Option<Box<SealedTokens>>,
    store_error: Option<store::Error>,
    started: Instant,
    answered: Option<Instant>,
    announced: Option<Waiting>,
}

impl Connect {
    /// Flies once, and tells the log, the audit trail and the metrics how it ended.
    pub(super) async fn refresh(
        &self,
        id: CredentialId,
        generation: i64,
        trigger: Trigger,
        pen: &Pen,
    ) -> Result<Landing> {
        let Some(credential) = self.store().credentials.get(&id).await? else {
            return Ok(Landing::Gone);
        };
        let job = match self.job(&credential).await {
            Ok(Ok(job)) => job,
            unfit => {
                self.put_off(&credential, trigger).await;
                return unfit.map(|landing| landing.err().unwrap_or(Landing::Failed));
            }
        };
        let mut driver = Driver::new(self, pen, id, generation, trigger, job);
        let landing = driver.fly().await?;
        driver.tidy(&landing).await;
        driver.report(&landing).await;
        if landing == Landing::Gone {
            driver.give_back().await;
        }
        match (landing, driver.store_error) {
            (Landing::Failed, Some(error)) => Err(error.into()),
            (landing, _) => Ok(landing),
        }
    }

    /// A credential that can't be refreshed as things are comes again, but not at every round.
    async fn put_off(&self, credential: &Credential, trigger: Trigger) {
        if matches!(trigger, Trigger::Background | Trigger::Recovery) {
            let due = self.now() + LONGEST_REST.mul_f64(1.0 + vault::random::share());
            let put_off =
                self.store().refreshes.schedule(&credential.id, credential.generation, Some(due)).await;
            if let Err(error) = put_off {
                warn!(credential = %credential.id, outcome = "failure", %error, "refresh.put_off_failed");
            }
        }
    }

    async fn job(&self, credential: &Credential) -> Result<std::result::Result<Job, Landing>> {
        let integration = self.integration(&credential.integration, &credential.subject).await?;
        if integration.app.client_id != credential.client_id {
            let why = "another client_id than the one that was consented to".to_owned();
            return Ok(Err(Landing::Configuration(Some(why))));
        }
        let rules = self.rules(&integration.entry);
        let probe = Probe {
            key: AppKey::of(&credential.integration, &integration.app, &credential.token_url),
            entry: integration.entry.clone(),
            app: integration.app.clone(),
            token_url: credential.token_url.clone(),
        };
        Ok(Ok(Job { entry: integration.entry, app: integration.app, rules, probe }))
    }

    /// The rules for credentials of this provider.
    pub(crate) fn rules(&self, entry: &Entry) -> Rules {
        let settings = &self.parts.settings;
        Rules {
            replay: Replay::of(entry),
            call_limit: settings.refresh.call_limit,
            first_retry: settings.refresh.first_retry,
            refresh_before: settings.refresh_before,
            idle_after: settings.refresh.idle_after,
            inactivity: entry.refresh.inactivity,
            holder_returns: match &self.refreshing.spool {
                Some(_) => settings.refresh.holder_returns,
                None => settings.refresh.holder_returns.min(STALL),
            },
            spool: self.refreshing.spool.is_some(),
        }
    }
}

impl<'a> Driver<'a> {
    fn new(
        plane: &'a Connect,
        pen: &'a Pen,
        id: CredentialId,
        generation: i64,
        trigger: Trigger,
        job: Job,
    ) -> Self {
        let seed = u64::from_le_bytes(vault::random::octets());
        Self {
            plane,
            refreshing: &plane.refreshing,
            pen,
            id,
            trigger,
            flight: Flight::new(job.rules.clone(), trigger, generation, seed),
            job,
            token: None,
            permits: Vec::new(),
            lease_since: Mutex::new((Instant::now(), plane.now())),
            room: None,
            next_renewal: Mutex::new(tokio::time::Instant::now() + RENEW_EVERY),
            marked: None,
            brought: None,
            store_error: None,
            started: Instant::now(),
            answered: None,
            announced: None,
        }
    }

    /// One action after the other, the lease renewed meanwhile.
    async fn fly(&mut self) -> Result<Landing> {
        let mut action = self.flight.survey();
        loop {
            let event = match action {
                Action::Land(landing) => return Ok(landing),
                Action::Admit => self.admit().await?,
                Action::Look => self.look().await,
                Action::Sleep(pause, waiting) => self.sleep(pause, waiting).await,
                Action::Claim { generation, after } => self.claim(generation, after).await,
                Action::Reserve => Event::Reserved(self.reserve().await),
                Action::Call => {
                    self.pen.write(What::Calling { attempt: self.flight.attempts() });
                    let asked = Instant::now();
                    let answer = self.renewing(self.call()).await;
                    self.answered = Some(Instant::now());
                    self.pen.answered(asked.elapsed(), answer.refusal());
                    self.tell_circuit(&answer);
                    if let Answer::Tokens(tokens) = &answer {
                        self.brought = Some(tokens.clone());
                    }
                    Event::Answered(answer)
                }
                Action::Spool(tokens) => {
                    self.keep(&tokens).await;
                    Event::Spooled
                }
                Action::Commit(tokens, due) => self.commit(&tokens, due).await,
                Action::Adopt { generation, fence, tokens, due } => {
                    let adopted = self.store().adopt(&self.id, generation, fence, &tokens, due).await;
                    self.written(adopted)
                }
                Action::KeepOrphan(tokens) => match self.flight.claim().copied() {
                    Some(claim) => {
                        let kept = self.store().keep_orphan(&claim, &tokens).await;
                        self.written(kept)
                    }
                    None => Event::Written(Ok(false)),
                },
                Action::Settle(settlement) => match self.flight.claim().copied() {
                    Some(claim) => {
                        let settled = self.store().settle(&claim, &settlement).await;
                        self.written(settled)
                    }
                    None => Event::Written(Ok(false)),
                },
                Action::Judge => Event::Judged(self.judge()),
                Action::MarkBroken(reason) => self.mark_broken(reason).await,
                Action::Schedule(due) => {
                    let generation = self.flight.look().map_or(0, |look| look.credential.generation);
                    let scheduled = self.store().schedule(&self.id, generation, due).await;
                    self.written(scheduled)
                }
            };
            action = self.flight.on(event, self.plane.now());
        }
    }

    fn store(&self) -> &dyn store::refreshes::Refreshes {
        self.plane.store().refreshes.as_ref()
    }

    /// Does something that may take long, and holds the lease meanwhile, without one waiting for the other.
    async fn renewing<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.renew_for_ever() => match never {},
        }
    }

    async fn renew_for_ever(&self) -> Infallible {
        loop {
            tokio::time::sleep_until(self.next_renewal(false)).await;
            self.next_renewal(true);
            let Some(claim) = self.flight.claim() else { continue };
            let asked = (Instant::now(), self.plane.now());
            // Whether it was lost is found out when it matters: at the commit.
            if let Ok(true) = self.store().renew(claim, LEASE).await {
                *self.lease_since.lock().unwrap_or_else(PoisonError::into_inner) = asked;
            }
        }
    }

    /// When the lease is renewed next; `put_off` moves that on.
    fn next_renewal(&self, put_off: bool) -> tokio::time::Instant {
        let mut next = self.next_renewal.lock().unwrap_or_else(PoisonError::into_inner);
        if put_off {
            *next = tokio::time::Instant::now() + RENEW_EVERY;
        }
        *next
    }

    async fn look(&mut self) -> Event {
        let mut found = self.store().look(&self.id).await;
        if let Ok(Some(look)) = &found
            && look.drilled
            && look.leased_until.is_none_or(|until| until <= look.now)
        {
            // A failure that was played is over, and nobody has said so: the refresh token is not the one that is meant.
            if let Err(error) = self.plane.end_drills().await {
                warn!(credential = %self.id, outcome = "failure", %error, "drill.restore_failed");
            }
            found = self.store().look(&self.id).await;
        }
        Event::Looked(self.unless_failed(found).map(|found| {
            found.map(|mut look| {
                // What the provider would answer could not be kept for long.
                look.held |= self.plane.may_seal().is_err();
                let spool = self.refreshing.spool.as_ref();
                let kept = spool
                    .and_then(|spool| spool.find(&self.id, look.credential.generation, look.tokens_fence));
                (Box::new(look), kept.map(|(fence, tokens)| (fence, Box::new(tokens))))
            })
        }))
    }

    async fn sleep(&mut self, pause: Duration, waiting: Waiting) -> Event {
        let (subject, integration) = self.names();
        if self.announced.replace(waiting) != Some(waiting) {
            self.pen.write(match waiting {
                Waiting::Lease | Waiting::Replay => What::Waiting { on: "lease" },
                Waiting::Answer => What::Waiting { on: "answer" },
                Waiting::Store => What::Waiting { on: "store" },
                Waiting::Retry { attempt } => What::Retrying { attempt, pause_ms: millis(pause) },
            });
            match waiting {
                Waiting::Lease | Waiting::Replay => {
                    debug!(%subject, %integration, credential = %self.id, on = "lease", "refresh.waiting");
                }
                Waiting::Answer => {
                    debug!(%subject, %integration, credential = %self.id, on = "answer", "refresh.waiting");
                }
                Waiting::Store => {
                    warn!(%subject, %integration, credential = %self.id, on = "store", "refresh.waiting");
                }
                Waiting::Retry { attempt } => {
                    let (error, class) = self.flight.last_error().unzip();
                    warn!(
                        %subject, %integration, credential = %self.id, attempt, next_retry_ms = millis(pause), error,
                        class = class.map(Class::word), "refresh.retrying"
                    );
                }
            }
        }
        if matches!(waiting, Waiting::Lease | Waiting::Replay | Waiting::Answer) {
            // Others may call meanwhile; before our own call we are admitted anew.
            self.permits.clear();
        }
        self.renewing(tokio::time::sleep(pause)).await;
        Event::Woke
    }

    /// The circuit, the pace, the budgets; and whether the refresh token can be read at all.
    async fn admit(&mut self) -> Result<Event> {
        let Some(look) = self.flight.look() else { return Ok(Event::Admitted(Ok(()))) };
        self.token = match &look.credential.tokens.refresh_token {
            None => None,
            Some(sealed) => Some(self.plane.parts.keys.open(&self.id, sealed).await?),
        };
        if self.refreshing.is_stopping() {
            return Ok(Event::Admitted(Err(Refusal::Down(RETRY_AFTER))));
        }
        if let Some(refusal) = self.refreshing.circuits.refuses(&self.job.probe, self.plane.now()) {
            return Ok(Event::Admitted(Err(refusal)));
        }
        self.permits.clear();
        let settings = &self.plane.parts.settings.refresh;
        let integration = &self.job.probe.key.integration;
        if matches!(self.trigger, Trigger::Background) {
            self.refreshing.pace(integration, settings.per_second).await;
        }
        let strict = self.job.rules.replay == Replay::Once;
        let at_once = if strict { settings.at_once.min(STRICT_OF_ONE) } else { settings.at_once };
        let mut permits = vec![permit(self.refreshing.budget(integration, at_once)).await];
        if strict {
            permits.push(permit(self.refreshing.strict.clone()).await);
        }
        self.permits = permits.into_iter().flatten().collect();
        // Much may have happened while we waited for our turn.
        if self.refreshing.is_stopping() {
            return Ok(Event::Admitted(Err(Refusal::Down(RETRY_AFTER))));
        }
        Ok(Event::Admitted(self.refreshing.circuits.admit(&self.job.probe, self.plane.now())))
    }

    async fn claim(&mut self, generation: i64, after: Option<i64>) -> Event {
        let asked = (Instant::now(), self.plane.now());
        let seen = self.flight.look().map_or(0, |look| look.fence);
        let (fence, again) = (after.unwrap_or(seen), after.is_some());
        let step = 1 + i64::from(u32::from_le_bytes(vault::random::octets()));
        let holder = self.refreshing.holder;
        let claim = NewClaim { credential: self.id, generation, fence, again, holder, lease: LEASE, step };
        let claimed = self.store().claim(&claim).await;
        self.next_renewal(true);
        *self.lease_since.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        Event::Claimed(self.unless_failed(claimed))
    }

    async fn reserve(&mut self) -> bool {
        let (Some(spool), Some(claim)) = (&self.refreshing.spool, self.flight.claim().copied()) else {
            return true;
        };
        if let Some((earlier, false)) = self.room.take() {
            spool.forget(earlier).await;
        }
        match spool.reserve(claim).await {
            Ok(()) => {
                self.room = Some((claim, false));
                true
            }
            Err(error) => {
                error!(credential = %self.id, outcome = "failure", %error, "spool.unwritable");
                false
            }
        }
    }

    async fn call(&self) -> Answer {
        let Some((token, look)) = self.token.as_ref().zip(self.flight.look()) else {
            return Answer::Withheld;
        };
        if self.flight.attempts() == 1 {
            let now = self.plane.now().as_unix_ms();
            let expires_in_ms = look.credential.tokens.expires_at.map(|at| at.as_unix_ms() - now);
            let (subject, integration) = self.names();
            info!(%subject, %integration, credential = %self.id, trigger = self.trigger.word(), expires_in_ms,
                "refresh.started");
        }
        let Ok(asked) = parts::scopes_to_ask(&look.credential, &self.job.entry) else {
            // Without its scopes the answer would be another resource's token.
            return Answer::Refused {
                class: Class::Interaction,
                error: "unknown_resource".to_owned(),
                retry_after: None,
                silent: false,
            };
        };
        let rotates = self.job.rules.replay != Replay::Free;
        let request = Refresh {
            entry: &self.job.entry,
            token_url: &look.credential.token_url,
            app: &self.job.app,
            refresh_token: token,
            scopes: asked.as_ref(),
            timeout: rotates.then_some(self.job.rules.call_limit),
            gate: &|| self.lease_lasts(),
        };
        // Boxed: what a call keeps on the way is large, and a flight waits long.
        let answer = match Box::pin(refresh(&self.plane.parts.http, request)).await {
            Ok(answer) => answer,
            Err(error) => return refused(&error, look.credential.part.is_some()),
        };
        let scopes = parts::granted(&look.credential, &self.job.entry, &answer);
        Answer::Tokens(Box::new(self.plane.seal_tokens(&self.id, &self.job.entry, &answer, scopes)))
    }

    /// Asked right before the request is sent: a process that was asleep may have lost its right to call.
    fn lease_lasts(&self) -> bool {
        let (instant, time) = *self.lease_since.lock().unwrap_or_else(PoisonError::into_inner);
        instant.elapsed().max(self.plane.now().since(time)) + LEASE_MARGIN < LEASE
    }

    fn tell_circuit(&self, answer: &Answer) {
        // What is asked for a part, the caller has named: it says nothing of the app.
        if self.is_part() && !matches!(answer, Answer::Tokens(_)) {
            return;
        }
        let told = match answer {
            Answer::Withheld => return,
            Answer::Tokens(_) => Told::Works,
            Answer::Refused { class, error, retry_after, .. } => match class {
                // A refusal counts as a death only when it is believed to be one.
                Class::Dead | Class::Interaction => return,
                Class::Configuration => Told::RefusesUs(Some(error.clone())),
                // It answers, with an error of its own or a status of the 400s: about this one connection.
                Class::Malformed
                    if *error != class.word()
                        && (!error.starts_with("http_") || error.starts_with("http_4")) =>
                {
                    return;
                }
                Class::NotSent | Class::Throttled | Class::Ambiguous | Class::Malformed => {
                    Told::Fails(*retry_after)
                }
            },
        };
        self.plane.tell_circuit(&self.job.probe.key, &told);
    }

    fn is_part(&self) -> bool {
        self.flight.look().is_some_and(|look| look.credential.part.is_some())
    }

    fn judge(&self) -> bool {
        if self.is_part() {
            return true;
        }
        let (circuits, key, now) = (&self.refreshing.circuits, &self.job.probe.key, self.plane.now());
        self.plane.tell_circuit(key, &Told::Dead);
        circuits.believes(key, now)
    }

    /// An answer that can't be kept goes straight to the store.
    async fn keep(&mut self, tokens: &SealedTokens) {
        let (Some(spool), Some(claim)) = (&self.refreshing.spool, self.flight.claim().copied()) else {
            return;
        };
        match spool.keep(claim, tokens).await {
            Ok(()) => self.room = Some((claim, true)),
            Err(error) => error!(credential = %self.id, outcome = "failure", %error, "spool.write_failed"),
        }
    }

    async fn commit(&mut self, tokens: &SealedTokens, due: Option<Timestamp>) -> Event {
        let Some(claim) = self.flight.claim().copied() else { return Event::Written(Ok(false)) };
        let committed = self.store().commit(&claim, tokens, due).await;
        self.written(committed)
    }

    async fn mark_broken(&mut self, reason: ReconnectReason) -> Event {
        let Some(claim) = self.flight.claim().copied() else { return Event::Written(Ok(false)) };
        let error = self.flight.last_error().map(|(error, _)| error.to_owned());
        let marked = self.store().mark_broken(&claim, reason, error.as_deref(), self.plane.now()).await;
        if let Ok(true) = marked {
            self.marked = Some(reason);
        }
        self.written(marked)
    }

    fn written(&mut self, result: store::Result<bool>) -> Event {
        Event::Written(self.unless_failed(result))
    }

    fn unless_failed<T>(&mut self, result: store::Result<T>) -> std::result::Result<T, StoreFailed> {
        result.map_err(|error| {
            self.store_error = Some(error);
            StoreFailed
        })
    }

    /// What lies in the spool after the end.
    async fn tidy(&mut self, landing: &Landing) {
        let Some((spool, (claim, kept))) = self.refreshing.spool.as_ref().zip(self.room) else { return };
        match (kept, landing) {
            (true, Landing::Fresh) if self.flight.fate() == Some(Fate::Committed) => {
                spool.is_durable(&claim, self.plane.now());
            }
            (false, _) => spool.forget(claim).await,
            // The sweeper sees what becomes of it.
            (true, _) => {}
        }
    }

    /// The connection was disconnected or connected anew while the provider answered: what it gave lives on there.
    async fn give_back(&mut self) {
        let Some((tokens, look)) = self.brought.take().zip(self.flight.look()) else { return };
        if let Err(error) = self.plane.revoke_late(&look.credential, *tokens).await {
            warn!(credential = %self.id, outcome = "failure", %error, "revocation.failed");
        }
    }

    async fn report(&self, landing: &Landing) {
        let (subject, integration) = self.names();
        let (attempts, metrics) = (self.flight.attempts(), &self.refreshing.metrics);
        let (error, class) = self.flight.last_error().unzip();
        let class = class.map_or("none", Class::word);
        let duration_ms = millis(self.started.elapsed());
        let counted = &self.job.probe.key.integration;
        match landing {
            Landing::Fresh if self.flight.fate() == Some(Fate::Orphaned) => {
                warn!(%subject, %integration, credential = %self.id, outcome = "superseded", duration_ms, attempts,
                    reason = "somebody else's answer came first", "refresh.orphaned");
                metrics.ended(counted, "superseded", class);
            }
            Landing::Fresh if self.flight.fate() == Some(Fate::Adopted) => {
                warn!(%subject, %integration, credential = %self.id, outcome = "success", duration_ms, attempts,
                    reason = "the answer of an earlier call was found", "refresh.adopted");
                metrics.ended(counted, "adopted", class);
                self.audit("connection.refreshed", Outcome::Success, None).await;
            }
            Landing::Fresh if self.flight.fate() == Some(Fate::Committed) => {
                let took = self.answered.map(|answered| answered.elapsed()).unwrap_or_default();
                info!(%subject, %integration, credential = %self.id, outcome = "success", duration_ms, attempts,
                    rotated = self.flight.rotated(), answer_to_durable_ms = millis(took), "refresh.succeeded");
                metrics.durable(took);
                self.pen.write(What::Durable { rotated: self.flight.rotated() });
                metrics.ended(counted, "success", class);
                self.audit("connection.refreshed", Outcome::Success, None).await;
            }
            Landing::Dead if self.marked.is_some() => {
                let reason = self.marked.map(ReconnectReason::word);
                error!(%subject, %integration, credential = %self.id, outcome = "failure", duration_ms, attempts,
                    reason, error, "refresh.dead");
                metrics.ended(counted, "dead", class);
                self.audit("connection.broken", Outcome::Failure, reason).await;
            }
            Landing::Unavailable(_) | Landing::Configuration(_) | Landing::Failed if attempts > 0 => {
                error!(%subject, %integration, credential = %self.id, outcome = "failure", duration_ms, attempts,
                    reason = class, error, "refresh.exhausted");
                metrics.ended(counted, "failure", class);
                self.audit("connection.refresh_failed", Outcome::Failure, Some(class)).await;
            }
            Landing::Gone if attempts > 0 => {
                // Disconnected or connected anew meanwhile: these tokens belong to a consent that is over.
                warn!(credential = %self.id, outcome = "superseded", attempts, "refresh.superseded");
                metrics.ended(counted, "superseded", class);
            }
            _ => {}
        }
    }

    /// The tokens are safe whether or not the trail can be written; the log says when it can't.
    async fn audit(&self, name: &str, outcome: Outcome, reason: Option<&str>) {
        let Some(look) = self.flight.look() else { return };
        let event = AuditEvent::new(self.plane.now(), name, outcome, Actor::System)
            .subject(&look.credential.subject)
            .target(&look.credential.integration)
            .fact("credential", self.id.to_string())
            .fact("trigger", self.trigger.word());
        let event = match reason {
            Some(reason) => event.reason(reason),
            None => event,
        };
        if let Err(error) = self.plane.audit(event).await {
            error!(credential = %self.id, outcome = "failure", %error, "audit.failed");
        }
    }

    fn names(&self) -> (String, String) {
        let names =
            |credential: &Credential| (credential.subject.to_string(), credential.integration.to_string());
        self.flight.look().map(|look| names(&look.credential)).unwrap_or_default()
    }
}

impl Refreshing {
    /// Waits for this integration's next turn, so that what is due together does not go out together.
    async fn pace(&self, integration: &model::IntegrationId, per_second: u32) {
        let turn = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let now = tokio::time::Instant::now();
            let next = pace.entry(integration.clone()).or_insert(now);
            let turn = (*next).max(now);
            *next = turn + Duration::from_secs(1) / per_second.max(1);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

/// Waits for a place. The semaphores are never closed; without a place the call goes on all the same.
async fn permit(semaphore: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    semaphore.acquire_owned().await.ok()
}

fn refused(error: &AnswerError, is_part: bool) -> Answer {
    if error.is_withheld() {
        return Answer::Withheld;
    }
    // A resource that the provider does not know, or that nobody consented to.
    let names_request =
        matches!(error.error.as_deref(), Some("invalid_scope" | "invalid_resource" | "invalid_target"));
    Answer::Refused {
        class: if is_part && names_request { Class::Interaction } else { error.class },
        error: error.error.clone().unwrap_or_else(|| match error.status {
            Some(status) => format!("http_{status}"),
            None => error.class.word().to_owned(),
        }),
        retry_after: error.retry_after,
        silent: error.is_silent(),
    }
}

/// Says that a circuit has opened or closed.
pub(super) fn announce(key: &AppKey, change: &Change) {
    let integration = &key.integration;
    match change {
        Change::Opened(cause) => {
            let error = match cause {
                super::circuit::Cause::Configuration(error) => error.as_deref(),
                _ => None,
            };
            error!(%integration, client_id = key.client_id, cause = cause.word(), error, "circuit.opened");
        }
        Change::HalfOpened => debug!(%integration, client_id = key.client_id, "circuit.half_opened"),
        Change::Closed => info!(%integration, client_id = key.client_id, "circuit.closed"),
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
