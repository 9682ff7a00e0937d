//! What a step does to the store or to the disk.

use connect::refresh::flight::Action;
use connect::refresh::flight::Event as Happened;
use connect::refresh::flight::StoreFailed;
use connect::refresh::rules::LEASE;
use model::ReconnectReason;
use model::Timestamp;
use model::WriterId;
use store::credentials::SealedTokens;
use store::refreshes::Claim;
use store::refreshes::NewClaim;

use crate::faults::Point;
use crate::faults::Sabotage;
use crate::faults::When;
use crate::random::PERCENT;
use crate::replica::Kept;
use crate::replica::millis;
use crate::trial::Event;
use crate::trial::SWEEP_EVERY_MS;
use crate::trial::World;
use crate::trial::access_number;

impl World {
    pub(crate) fn is_elsewhere(&mut self, replica: usize, step: u64) -> bool {
        let pending = self.replicas[replica].pending(step);
        pending.is_none_or(|pending| !matches!(pending.point, Point::Reserve | Point::Spool))
    }

    /// A step takes effect: in the store, or on the disk.
    pub(crate) fn effect(&mut self, replica: usize, step: u64) {
        let Some(pending) = self.replicas[replica].pending(step) else { return };
        if pending.result.is_some() {
            return;
        }
        let fate = pending.fate;
        let snapshot = fate.forgotten_after.map(|_| self.store.snapshot());
        let is_down = self.is_store_down();
        let event = self.do_it(replica);
        let event = if fate.unacknowledged { failed(&event) } else { event };
        if let Some((snapshot, after)) = snapshot.zip(fate.forgotten_after) {
            self.forget_since(snapshot, after);
        }
        if let Some(ms) = fate.outage_after {
            self.push(0, Event::StoreDown(ms));
        }
        let mut latency = self.random.between(1, 10) + fate.delay.1;
        if is_down && self.random.strikes(25 * PERCENT) {
            // An answer that does not come is waited for; a refusal is not.
            latency += 5_000;
        }
        self.finish(replica, step, latency, event);
        if fate.crash == Some(When::After) {
            return self.crash(replica, fate.away_ms, fate.disk_gone);
        }
        if let Some((When::After, ms)) = fate.stall {
            self.stall(replica, ms);
        }
    }

    /// What the pending action does to the store or to the disk.
    pub(crate) fn do_it(&mut self, replica: usize) -> Happened {
        let now = Timestamp::from_unix_ms(self.now + self.replicas[replica].skew);
        let before = self.stored_number();
        // So that claims on both sides of a fail-over do not share a fence.
        let step = self.random.between(1, i64::from(u32::MAX));
        let Some(flying) = self.replicas[replica].flying.as_mut() else { return Happened::Woke };
        let Some(pending) = flying.pending.as_ref() else { return Happened::Woke };
        let (id, action) = (flying.credential, pending.action.clone());
        let claim = flying.flight.claim().copied();
        let generation = flying.flight.look().map_or(0, |look| look.credential.generation);
        match action {
            Action::Look => {
                let look = self.store.look_now(&id).map_err(|_| StoreFailed);
                Happened::Looked(look.map(|look| look.map(|look| (Box::new(look), None))))
            }
            Action::Claim { generation, after } => {
                let holder = WriterId::from([u8::try_from(replica).unwrap_or(0); 16]);
                let seen = flying.flight.look().map_or(0, |look| look.fence);
                let (fence, again) = (after.unwrap_or(seen), after.is_some());
                let claim = NewClaim { credential: id, generation, fence, again, holder, lease: LEASE, step };
                let claimed = self.store.claim_now(&claim).map_err(|_| StoreFailed);
                if let Ok(Some(_)) = claimed {
                    flying.claimed_at = self.now;
                    self.lease_lives();
                }
                Happened::Claimed(claimed)
            }
            Action::Reserve => {
                let unwritable = pending.fate.unwritable;
                if !unwritable {
                    flying.room = claim.map(|claim| (claim, false));
                }
                Happened::Reserved(!unwritable)
            }
            Action::Spool(tokens) => {
                let is_on_disk = !pending.fate.unwritable;
                self.spool(replica, claim, *tokens, is_on_disk);
                Happened::Spooled
            }
            Action::Commit(tokens, due) => {
                let Some(claim) = claim else { return Happened::Written(Ok(false)) };
                let done = self.store.commit_now(&claim, &tokens, due);
                if let Ok(true) = done {
                    self.tell(|| {
                        format!("store: generation {} by fence {}", claim.generation + 1, claim.fence)
                    });
                    self.committed(id, before, &tokens, due);
                }
                Happened::Written(done.map_err(|_| StoreFailed))
            }
            Action::Adopt { generation, fence, tokens, due } => {
                let done = self.store.adopt_now(&id, generation, fence, &tokens, due);
                if let Ok(true) = done {
                    self.tally.adopted += 1;
                    self.tell(|| format!("store: generation {} adopted of fence {fence}", generation + 1));
                    self.committed(id, before, &tokens, due);
                }
                Happened::Written(done.map_err(|_| StoreFailed))
            }
            Action::KeepOrphan(tokens) => {
                let Some(claim) = claim else { return Happened::Written(Ok(false)) };
                self.tally.orphans += 1;
                Happened::Written(self.store.keep_orphan_now(&claim, &tokens).map_err(|_| StoreFailed))
            }
            Action::Settle(settlement) => {
                let Some(claim) = claim else { return Happened::Written(Ok(false)) };
                let done = self.store.settle_now(&claim, &settlement);
                if let Ok(true) = done {
                    self.arm_due(settlement.due_at);
                }
                Happened::Written(done.map_err(|_| StoreFailed))
            }
            Action::MarkBroken(reason) => {
                let Some(claim) = claim else { return Happened::Written(Ok(false)) };
                Happened::Written(self.mark_broken(&claim, reason, now))
            }
            Action::Schedule(due) => {
                let done = self.store.schedule_now(&id, generation, due);
                if let Ok(true) = done {
                    self.arm_due(due);
                }
                Happened::Written(done.map_err(|_| StoreFailed))
            }
            Action::Sleep(..) | Action::Admit | Action::Call | Action::Judge | Action::Land(_) => {
                Happened::Woke
            }
        }
    }

    pub(crate) fn mark_broken(
        &mut self,
        claim: &Claim,
        reason: ReconnectReason,
        now: Timestamp,
    ) -> Result<bool, StoreFailed> {
        let is_hasty = crate::verdict::is_hasty(self);
        let done = self.store.mark_broken_now(claim, reason, None, now).map_err(|_| StoreFailed);
        if let Ok(true) = done {
            self.tally.hasty_marks += u32::from(is_hasty);
            self.tell(|| format!("store: broken ({})", reason.word()));
        }
        done
    }

    pub(crate) fn lease_lives(&mut self) {
        self.leased_until = self.now + millis(LEASE);
        self.arm_recover(millis(LEASE));
    }

    pub(crate) fn spool(
        &mut self,
        replica: usize,
        claim: Option<Claim>,
        tokens: SealedTokens,
        is_on_disk: bool,
    ) {
        let (Some(claim), Some(number)) = (claim, access_number(&tokens)) else { return };
        if is_on_disk {
            self.paths[number].kept = true;
        }
        if self.setup.sabotage == Some(Sabotage::SkipSpool) {
            return;
        }
        let process = &mut self.replicas[replica];
        process.spool.push(Kept { claim, tokens, number, durable_since: None, is_on_disk });
        if let Some(flying) = process.flying.as_mut() {
            flying.room = is_on_disk.then_some((claim, true)).or(flying.room);
        }
        self.arm_sweep(replica, SWEEP_EVERY_MS);
    }
}

/// What the process hears when the store's word is lost.
pub(crate) fn failed(event: &Happened) -> Happened {
    match event {
        Happened::Looked(_) => Happened::Looked(Err(StoreFailed)),
        Happened::Claimed(_) => Happened::Claimed(Err(StoreFailed)),
        _ => Happened::Written(Err(StoreFailed)),
    }
}
