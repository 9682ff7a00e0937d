//! The refreshes of a store that lives in memory: what both databases promise, without their time.
//!
//! A simulation calls it millions of times, so every deed is also a plain function, and the futures of the trait are
//! ready when they are first asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{Clock, CredentialId, IntegrationId, ReconnectReason, Timestamp};

use crate::credentials::{Credential, SealedTokens};
use crate::refreshes::{
    Backlog, Claim, Due, Ending, EndingGrant, Hold, JournalRow, Look, NewClaim, Phase, Refreshes, Settlement,
};
use crate::value::without_nul;
use crate::{Error, Result};

/// Credentials and their journal in memory. Replicas that share it are replicas on one database.
pub struct Simulated {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    down: AtomicBool,
}

/// All that was committed at one moment; cheap to take.
#[derive(Clone)]
pub struct Snapshot(State);

#[derive(Clone, Default)]
struct State {
    /// Shared with the snapshots until they are written.
    rows: BTreeMap<CredentialId, Arc<Row>>,
    hold: Option<Hold>,
}

#[derive(Clone)]
struct Row {
    credential: Credential,
    fence: i64,
    tokens_fence: i64,
    leased_until: Option<Timestamp>,
    warned_days: Option<i64>,
    journal: BTreeMap<i64, JournalRow>,
}

impl Row {
    fn is_leased(&self, now: Timestamp) -> bool {
        self.leased_until.is_some_and(|until| until > now)
    }

    fn is_ours(&self, claim: &Claim) -> bool {
        self.fence == claim.fence && self.credential.generation == claim.generation
    }

    fn put_tokens(&mut self, generation: i64, fence: i64, tokens: &SealedTokens, due: Option<Timestamp>) {
        let credential = &mut self.credential;
        let old = &mut credential.tokens;
        *old = SealedTokens {
            refresh_token: tokens.refresh_token.clone().or_else(|| old.refresh_token.take()),
            extra: tokens.extra.clone().or_else(|| old.extra.take()),
            ..tokens.clone()
        };
        credential.generation = generation + 1;
        credential.refreshed_at = Some(tokens.obtained_at);
        credential.due_at = due;
        credential.broken = None;
        credential.last_error = None;
        credential.failures = 0;
        self.tokens_fence = fence;
        self.leased_until = None;
        self.journal.retain(|call, row| *call != fence && row.generation >= generation);
    }

    fn due(&self, since: Timestamp) -> Due {
        let credential = &self.credential;
        Due {
            credential: credential.id,
            generation: credential.generation,
            subject: credential.subject.clone(),
            integration: credential.integration.clone(),
            client_id: credential.client_id.clone(),
            since,
        }
    }
}

impl State {
    fn row(&mut self, id: &CredentialId) -> Option<&mut Row> {
        self.rows.get_mut(id).map(Arc::make_mut)
    }

    /// The row of a claim that still is its credential's last.
    fn ours(&mut self, claim: &Claim) -> Option<&mut Row> {
        if self.rows.get(&claim.credential)?.is_ours(claim) { self.row(&claim.credential) } else { None }
    }
}

/// The first `limit` of what was found, the oldest first.
fn oldest(mut found: Vec<(Timestamp, &Row)>, limit: u32) -> Vec<(Timestamp, &Row)> {
    found.sort_by_key(|(since, row)| (*since, row.credential.id));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    found
}

impl Simulated {
    /// An empty store, timed by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default(), down: AtomicBool::new(false) }
    }

    /// Puts a credential there as a consent does; one of the same id stays as it is.
    pub fn put(&self, credential: Credential) {
        let row = Row {
            fence: 0,
            tokens_fence: 0,
            leased_until: None,
            warned_days: None,
            journal: BTreeMap::new(),
            credential,
        };
        self.whatever().rows.entry(row.credential.id).or_insert_with(|| Arc::new(row));
    }

    /// Erases a credential and its journal, as the disconnect of its last connection does.
    pub fn remove(&self, id: &CredentialId) {
        self.whatever().rows.remove(id);
    }

    /// The credential as it is, even while the store is down.
    pub fn credential(&self, id: &CredentialId) -> Option<Credential> {
        self.whatever().rows.get(id).map(|row| row.credential.clone())
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.whatever().clone())
    }

    /// Forgets everything that was committed since: a fail-over to a replica that lagged behind.
    pub fn restore(&self, snapshot: Snapshot) {
        *self.whatever() = snapshot.0;
    }

    /// While it is down, every call is [`Error::Unavailable`].
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn whatever(&self) -> MutexGuard<'_, State> {
        // No code in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> Result<MutexGuard<'_, State>> {
        if self.down.load(Ordering::SeqCst) { Err(Error::no_answer()) } else { Ok(self.whatever()) }
    }

    /// [`Refreshes::look`].
    pub fn look_now(&self, id: &CredentialId) -> Result<Option<Look>> {
        let state = self.state()?;
        Ok(state.rows.get(id).map(|row| {
            let oldest = row.credential.generation - 1;
            Look {
                credential: row.credential.clone(),
                fence: row.fence,
                tokens_fence: row.tokens_fence,
                leased_until: row.leased_until,
                journal: row.journal.values().filter(|call| call.generation >= oldest).cloned().collect(),
                now: self.clock.now(),
                held: state.hold.is_some(),
                drilled: false,
            }
        }))
    }

    /// [`Refreshes::claim`].
    pub fn claim_now(&self, claim: &NewClaim) -> Result<Option<Claim>> {
        let mut state = self.state()?;
        if state.hold.is_some() {
            return Ok(None);
        }
        let now = self.clock.now();
        let (generation, credential) = (claim.generation, claim.credential);
        let Some(row) = state.row(&credential).filter(|row| {
            row.credential.generation == generation
                && row.credential.broken.is_none()
                && row.fence == claim.fence
                && (!row.is_leased(now) || claim.again)
        }) else {
            return Ok(None);
        };
        let last_call = row.journal.keys().next_back().copied().unwrap_or(0);
        let fence = row.fence.max(row.tokens_fence).max(last_call) + claim.step;
        row.fence = fence;
        row.leased_until = Some(now + claim.lease);
        let (phase, silent, started_at, answer) = (Phase::Sent, false, now, None);
        row.journal.insert(fence, JournalRow { fence, generation, phase, silent, started_at, answer });
        Ok(Some(Claim { credential, generation, fence }))
    }

    /// [`Refreshes::renew`].
    pub fn renew_now(&self, claim: &Claim, lease: Duration) -> Result<bool> {
        let mut state = self.state()?;
        let Some(row) = state.ours(claim).filter(|row| row.leased_until.is_some()) else { return Ok(false) };
        row.leased_until = Some(self.clock.now() + lease);
        Ok(true)
    }

    /// [`Refreshes::commit`].
    pub fn commit_now(&self, claim: &Claim, tokens: &SealedTokens, due: Option<Timestamp>) -> Result<bool> {
        without_nul("credentials.token_type", &tokens.token_type)?;
        let mut state = self.state()?;
        let Some(row) = state.ours(claim) else { return Ok(false) };
        row.put_tokens(claim.generation, claim.fence, tokens, due);
        Ok(true)
    }

    /// [`Refreshes::adopt`].
    pub fn adopt_now(
        &self,
        id: &CredentialId,
        generation: i64,
        fence: i64,
        tokens: &SealedTokens,
        due: Option<Timestamp>,
    ) -> Result<bool> {
        without_nul("credentials.token_type", &tokens.token_type)?;
        let mut state = self.state()?;
        let Some(row) = state.row(id).filter(|row| row.credential.generation == generation) else {
            return Ok(false);
        };
        row.put_tokens(generation, fence, tokens, due);
        Ok(true)
    }

    /// [`Refreshes::keep_orphan`].
    pub fn keep_orphan_now(&self, claim: &Claim, tokens: &SealedTokens) -> Result<bool> {
        let mut state = self.state()?;
        let Some(row) = state.row(&claim.credential) else { return Ok(false) };
        let (fence, generation) = (claim.fence, claim.generation);
        let made = row.journal.entry(fence).or_insert_with(|| {
            let started_at = self.clock.now();
            JournalRow { fence, generation, phase: Phase::Orphan, silent: false, started_at, answer: None }
        });
        made.phase = Phase::Orphan;
        made.silent = false;
        made.generation = generation;
        made.answer = Some(tokens.clone());
        Ok(true)
    }

    /// [`Refreshes::settle`].
    pub fn settle_now(&self, claim: &Claim, settlement: &Settlement) -> Result<bool> {
        if let Some(error) = &settlement.error {
            without_nul("credentials.last_error", error)?;
        }
        let mut state = self.state()?;
        let Some(row) = state.row(&claim.credential) else { return Ok(false) };
        let is_ours = row.is_ours(claim);
        if row.journal.get(&claim.fence).is_some_and(|call| call.phase != Phase::Orphan) {
            match settlement.ending {
                Ending::NotProcessed => {
                    row.journal.remove(&claim.fence);
                }
                Ending::Ambiguous { silent } => row.end_ambiguously(claim, silent, is_ours),
            }
        }
        if !is_ours {
            return Ok(false);
        }
        if !settlement.keep_lease {
            row.leased_until = None;
        }
        row.credential.due_at = settlement.due_at.or(row.credential.due_at);
        if let Some(error) = &settlement.error {
            row.credential.last_error = Some(error.clone());
            row.credential.failures += 1;
        }
        Ok(true)
    }

    /// [`Refreshes::mark_broken`].
    pub fn mark_broken_now(
        &self,
        claim: &Claim,
        reason: ReconnectReason,
        error: Option<&str>,
        at: Timestamp,
    ) -> Result<bool> {
        if let Some(error) = error {
            without_nul("credentials.last_error", error)?;
        }
        let mut state = self.state()?;
        let Some(row) = state.ours(claim) else { return Ok(false) };
        row.credential.broken = Some((at, reason));
        row.credential.due_at = None;
        if let Some(error) = error {
            row.credential.last_error = Some(error.to_owned());
        }
        row.leased_until = None;
        row.journal.remove(&claim.fence);
        Ok(true)
    }

    /// [`Refreshes::schedule`].
    pub fn schedule_now(&self, id: &CredentialId, generation: i64, due: Option<Timestamp>) -> Result<bool> {
        let mut state = self.state()?;
        let Some(row) = state.row(id).filter(|row| row.credential.generation == generation) else {
            return Ok(false);
        };
        row.credential.due_at = due;
        row.leased_until = row.leased_until.filter(|until| *until > self.clock.now());
        Ok(true)
    }

    /// [`Refreshes::hasten`].
    pub fn hasten_now(&self, integration: &IntegrationId, client_id: &str, now: Timestamp) -> Result<u64> {
        without_nul("credentials.client_id", client_id)?;
        let mut state = self.state()?;
        let is_late = |credential: &Credential| {
            credential.due_at.is_some_and(|due| due > now)
                && credential.broken.is_none()
                && credential.failures > 0
                && credential.integration == *integration
                && credential.client_id == client_id
        };
        let mut hastened = 0;
        for row in state.rows.values_mut().filter(|row| is_late(&row.credential)) {
            Arc::make_mut(row).credential.due_at = Some(now);
            hastened += 1;
        }
        Ok(hastened)
    }

    /// [`Refreshes::take_due`].
    pub fn take_due_now(
        &self,
        now: Timestamp,
        postponed: Timestamp,
        except: &[(IntegrationId, String)],
        limit: u32,
    ) -> Result<Vec<Due>> {
        let mut state = self.state()?;
        let leases_at = self.clock.now();
        let is_wanted = |row: &Row| {
            let credential = &row.credential;
            credential.broken.is_none()
                && !row.is_leased(leases_at)
                && !except.iter().any(|(integration, client_id)| {
                    *integration == credential.integration && *client_id == credential.client_id
                })
        };
        let due = state.rows.values().filter_map(|row| {
            let since = row.credential.due_at.filter(|due| *due <= now)?;
            is_wanted(row).then_some((since, row.as_ref()))
        });
        let taken: Vec<Due> =
            oldest(due.collect(), limit).into_iter().map(|(since, row)| row.due(since)).collect();
        for due in &taken {
            if let Some(row) = state.row(&due.credential) {
                row.credential.due_at = Some(postponed);
            }
        }
        Ok(taken)
    }

    /// [`Refreshes::abandoned`].
    pub fn abandoned_now(&self, limit: u32) -> Result<Vec<Due>> {
        let state = self.state()?;
        let now = self.clock.now();
        let ended = state.rows.values().filter_map(|row| {
            let until = row.leased_until.filter(|until| *until <= now)?;
            Some((until, row.as_ref()))
        });
        Ok(oldest(ended.collect(), limit).into_iter().map(|(until, row)| row.due(until)).collect())
    }

    /// [`Refreshes::note_use`].
    pub fn note_use_now(&self, ids: &[CredentialId], at: Timestamp) -> Result<()> {
        let mut state = self.state()?;
        for id in ids {
            if let Some(row) = state.row(id) {
                row.credential.used_at = row.credential.used_at.max(Some(at));
            }
        }
        Ok(())
    }

    /// [`Refreshes::ending`].
    pub fn ending_now(&self, before: Timestamp, days: i64, limit: u32) -> Result<Vec<EndingGrant>> {
        let state = self.state()?;
        let ending = state.rows.values().filter_map(|row| {
            let end = row.credential.grant_ends_at.filter(|end| *end < before)?;
            row.warned_days.is_none_or(|warned| warned > days).then_some((end, row.as_ref()))
        });
        let grant = |(ends_at, row): (Timestamp, &Row)| EndingGrant {
            credential: row.credential.id,
            subject: row.credential.subject.clone(),
            integration: row.credential.integration.clone(),
            ends_at,
            warned_days: row.warned_days,
        };
        Ok(oldest(ending.collect(), limit).into_iter().map(grant).collect())
    }

    /// [`Refreshes::mark_warned`].
    pub fn mark_warned_now(&self, grant: &EndingGrant, days: i64) -> Result<bool> {
        let mut state = self.state()?;
        let row = state.row(&grant.credential).filter(|row| row.warned_days == grant.warned_days);
        let Some(row) = row else { return Ok(false) };
        row.warned_days = Some(days);
        Ok(true)
    }

    /// [`Refreshes::backlog`].
    pub fn backlog_now(&self) -> Result<Backlog> {
        let state = self.state()?;
        let now = self.clock.now();
        let mut backlog = Backlog::default();
        for row in state.rows.values() {
            backlog.journal_rows += i64::try_from(row.journal.len()).unwrap_or(i64::MAX);
            let waits = row.credential.broken.is_none();
            if let Some(due) = row.credential.due_at.filter(|due| waits && *due <= now) {
                backlog.oldest_due = Some(backlog.oldest_due.map_or(due, |oldest| oldest.min(due)));
            }
        }
        Ok(backlog)
    }

    /// [`Refreshes::hold`].
    pub fn hold_now(&self, hold: &Hold) -> Result<bool> {
        without_nul("refresh_hold.reason", &hold.reason)?;
        without_nul("refresh_hold.held_by", &hold.by)?;
        let mut state = self.state()?;
        if state.hold.is_some() {
            return Ok(false);
        }
        state.hold = Some(hold.clone());
        Ok(true)
    }

    /// [`Refreshes::resume`].
    pub fn resume_now(&self) -> Result<bool> {
        Ok(self.state()?.hold.take().is_some())
    }

    /// [`Refreshes::held`].
    pub fn held_now(&self) -> Result<Option<Hold>> {
        Ok(self.state()?.hold.clone())
    }
}

impl Row {
    /// Leaves the claim's call as ambiguous, and if it `is_ours`, no earlier one of its generation.
    fn end_ambiguously(&mut self, claim: &Claim, silent: bool, is_ours: bool) {
        let is_such = |call: &JournalRow| {
            call.phase == Phase::Ambiguous && call.generation == claim.generation && call.fence <= claim.fence
        };
        let silent = silent || self.journal.values().any(|call| is_such(call) && call.silent);
        let first = self.journal.values().filter(|call| is_such(call)).map(|call| call.started_at).min();
        if is_ours {
            self.journal.retain(|fence, call| *fence == claim.fence || !is_such(call));
        }
        if let Some(call) = self.journal.get_mut(&claim.fence) {
            call.phase = Phase::Ambiguous;
            call.silent = silent;
            call.started_at = first.map_or(call.started_at, |first| first.min(call.started_at));
        }
    }
}

#[async_trait]
impl Refreshes for Simulated {
    async fn look(&self, id: &CredentialId) -> Result<Option<Look>> {
        self.look_now(id)
    }

    async fn claim(&self, claim: &NewClaim) -> Result<Option<Claim>> {
        self.claim_now(claim)
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<bool> {
        self.renew_now(claim, lease)
    }

    async fn commit(&self, claim: &Claim, tokens: &SealedTokens, due: Option<Timestamp>) -> Result<bool> {
        self.commit_now(claim, tokens, due)
    }

    async fn adopt(
        &self,
        id: &CredentialId,
        generation: i64,
        fence: i64,
        tokens: &SealedTokens,
        due: Option<Timestamp>,
    ) -> Result<bool> {
        self.adopt_now(id, generation, fence, tokens, due)
    }

    async fn keep_orphan(&self, claim: &Claim, tokens: &SealedTokens) -> Result<bool> {
        self.keep_orphan_now(claim, tokens)
    }

    async fn settle(&self, claim: &Claim, settlement: &Settlement) -> Result<bool> {
        self.settle_now(claim, settlement)
    }

    async fn mark_broken(
        &self,
        claim: &Claim,
        reason: ReconnectReason,
        error: Option<&str>,
        at: Timestamp,
    ) -> Result<bool> {
        self.mark_broken_now(claim, reason, error, at)
    }

    async fn schedule(&self, id: &CredentialId, generation: i64, due: Option<Timestamp>) -> Result<bool> {
        self.schedule_now(id, generation, due)
    }

    async fn hasten(&self, integration: &IntegrationId, client_id: &str, now: Timestamp) -> Result<u64> {
        self.hasten_now(integration, client_id, now)
    }

    async fn take_due(
        &self,
        now: Timestamp,
        postponed: Timestamp,
        except: &[(IntegrationId, String)],
        limit: u32,
    ) -> Result<Vec<Due>> {
        self.take_due_now(now, postponed, except, limit)
    }

    async fn abandoned(&self, limit: u32) -> Result<Vec<Due>> {
        self.abandoned_now(limit)
    }

    async fn note_use(&self, ids: &[CredentialId], at: Timestamp) -> Result<()> {
        self.note_use_now(ids, at)
    }

    async fn ending(&self, before: Timestamp, days: i64, limit: u32) -> Result<Vec<EndingGrant>> {
        self.ending_now(before, days, limit)
    }

    async fn mark_warned(&self, grant: &EndingGrant, days: i64) -> Result<bool> {
        self.mark_warned_now(grant, days)
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.backlog_now()
    }

    async fn hold(&self, hold: &Hold) -> Result<bool> {
        self.hold_now(hold)
    }

    async fn resume(&self) -> Result<bool> {
        self.resume_now()
    }

    async fn held(&self) -> Result<Option<Hold>> {
        self.held_now()
    }
}
