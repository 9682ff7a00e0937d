//! One process of ours, and what it does when a flight says so: the simulation's counterpart of the product's driver.
//!
//! A step has up to three moments, each an event of its own: it begins, it takes effect elsewhere, and the process hears
//! of it. Between any two of them the process may crash or stand still.

use std::time::Duration;

use connect::refresh::Trigger;
use connect::refresh::flight::Action;
use connect::refresh::flight::Answer;
use connect::refresh::flight::Event as Happened;
use connect::refresh::flight::Fate as Came;
use connect::refresh::flight::Flight;
use connect::refresh::flight::Landing;
use connect::refresh::flight::RETRY_AFTER;
use connect::refresh::flight::Refusal;
use connect::refresh::rules::RENEW_EVERY;
use model::CredentialId;
use model::ReconnectReason;
use model::Timestamp;
use provider::answer::Class as Meaning;
use store::credentials::SealedTokens;
use store::refreshes::Claim;

use crate::call::refusal;
use crate::faults::Fate;
use crate::faults::Point;
use crate::faults::Sabotage;
use crate::faults::When;
use crate::random::PERCENT;
use crate::trial::Event;
use crate::trial::World;
use crate::words::describe;
use crate::words::describe_fate;

/// One process.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) is_up: bool,
    /// Counts its starts: what an earlier life was told means nothing to this one.
    pub(crate) life: u32,
    pub(crate) asleep_until: i64,
    /// How long it was away or asleep in all.
    pub(crate) idle_ms: i64,
    /// How far its clock goes ahead of the store's.
    pub(crate) skew: i64,
    pub(crate) resting_until: i64,
    pub(crate) flying: Option<Flying>,
    pub(crate) spool: Vec<Kept>,
    pub(crate) sweep_at: Option<i64>,
}

/// An answer in the spool.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) claim: Claim,
    pub(crate) tokens: SealedTokens,
    pub(crate) number: usize,
    pub(crate) durable_since: Option<i64>,
    pub(crate) is_on_disk: bool,
}

#[derive(Debug)]
pub(crate) struct Flying {
    pub(crate) flight: Flight,
    pub(crate) credential: CredentialId,
    pub(crate) trigger: Trigger,
    pub(crate) pending: Option<Pending>,
    pub(crate) lease_since: i64,
    /// When the store took its claim.
    pub(crate) claimed_at: i64,
    pub(crate) room: Option<(Claim, bool)>,
    /// The pair that it has in memory and nowhere else, as far as it knows.
    pub(crate) holding: Option<usize>,
}

/// The step under way.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) step: u64,
    pub(crate) action: Action,
    pub(crate) point: Point,
    pub(crate) fate: Fate,
    pub(crate) began: i64,
    pub(crate) has_begun: bool,
    pub(crate) result: Option<Happened>,
    /// Since when a renewal is asked for; the work is not looked at meanwhile.
    pub(crate) renewing: Option<i64>,
    pub(crate) renewed: Option<bool>,
    pub(crate) next_renewal: i64,
}

impl Kept {
    /// For how long the store has had it, as far as its replica knows.
    pub(crate) fn age(&self, now: i64) -> Option<i64> {
        Some(now - self.durable_since?)
    }
}

impl Replica {
    pub(crate) fn new(skew: i64) -> Self {
        Self {
            is_up: true,
            life: 0,
            asleep_until: 0,
            idle_ms: 0,
            skew,
            resting_until: 0,
            flying: None,
            spool: Vec::new(),
            sweep_at: None,
        }
    }

    /// Whether it has anything of this credential under way that a trial's end must wait for.
    pub(crate) fn is_busy(&self, credential: &CredentialId) -> bool {
        let waits = |kept: &Kept| kept.durable_since.is_none() && kept.claim.credential == *credential;
        self.flying.is_some() || self.spool.iter().any(waits)
    }

    pub(crate) fn pending(&mut self, step: u64) -> Option<&mut Pending> {
        self.flying.as_mut()?.pending.as_mut().filter(|pending| pending.step == step)
    }

    /// `Spool::find`.
    pub(crate) fn find(
        &self,
        credential: &CredentialId,
        generation: i64,
        tokens_fence: i64,
    ) -> Option<(i64, SealedTokens)> {
        let newer =
            |kept: &&Kept| kept.claim.credential == *credential && kept.claim.generation >= generation;
        let newer = self.spool.iter().filter(newer);
        let newest = newer.max_by_key(|kept| (kept.claim.generation, kept.claim.fence))?;
        (newest.claim.fence != tokens_fence).then(|| (newest.claim.fence, newest.tokens.clone()))
    }

    /// The store has it.
    pub(crate) fn is_durable(&mut self, claim: Claim, now: i64) {
        for kept in self.spool.iter_mut().filter(|kept| kept.claim == claim) {
            kept.durable_since.get_or_insert(now);
        }
    }

    pub(crate) fn forget(&mut self, claim: Claim) {
        self.spool.retain(|kept| kept.claim != claim);
    }
}

impl World {
    /// Joins the flight under way, or begins one.
    pub(crate) fn fly(&mut self, replica: usize, credential: CredentialId, seen: i64, trigger: Trigger) {
        if self.replicas[replica].flying.is_some() {
            return;
        }
        let dice = self.random.next();
        let mut flight = Flight::new(self.rules.clone(), trigger, seen, dice);
        let action = flight.survey();
        self.tell(|| {
            format!("replica {replica}: a flight begins ({trigger:?}), having seen generation {seen}")
        });
        let (lease_since, claimed_at, room, holding, pending) = (self.now, self.now, None, None, None);
        self.replicas[replica].flying =
            Some(Flying { flight, credential, trigger, pending, lease_since, claimed_at, room, holding });
        self.strike_flight();
        self.perform(replica, action);
    }

    /// Begins what the flight wants.
    pub(crate) fn perform(&mut self, replica: usize, mut action: Action) {
        loop {
            let event = match &action {
                Action::Land(_) => {
                    let Action::Land(landing) = action else { return };
                    return self.land(replica, &landing);
                }
                Action::Admit => Happened::Admitted(self.admit()),
                Action::Judge => Happened::Judged(self.believes()),
                _ => return self.step(replica, action),
            };
            let Some(next) = self.on(replica, event) else { return };
            action = next;
        }
    }

    /// Tells the flight what happened.
    pub(crate) fn on(&mut self, replica: usize, event: Happened) -> Option<Action> {
        let now = Timestamp::from_unix_ms(self.now + self.replicas[replica].skew);
        let flying = self.replicas[replica].flying.as_mut()?;
        flying.pending = None;
        Some(flying.flight.on(event, now))
    }

    pub(crate) fn admit(&mut self) -> Result<(), Refusal> {
        // The circuit notices sooner or later; it is not part of this.
        if self.is_provider_down() && self.random.strikes(50 * PERCENT) {
            return Err(Refusal::Down(Duration::from_secs(2)));
        }
        Ok(())
    }

    pub(crate) fn step(&mut self, replica: usize, action: Action) {
        let point = point_of(&action);
        let fate = self.fate(point);
        let step = self.random.next();
        let began = self.now;
        self.tell(|| format!("replica {replica}: {}{}", describe(&action), describe_fate(&fate)));
        let Some(flying) = self.replicas[replica].flying.as_mut() else { return };
        flying.pending = Some(Pending {
            step,
            action,
            point,
            fate,
            began,
            has_begun: false,
            result: None,
            renewing: None,
            renewed: None,
            next_renewal: began + millis(RENEW_EVERY),
        });
        let life = self.replicas[replica].life;
        match fate.crash {
            Some(When::Before) => return self.crash(replica, fate.away_ms, fate.disk_gone),
            Some(When::Meanwhile(ms)) => self.push(ms, Event::Crash(replica, life)),
            Some(When::After) | None => {}
        }
        match fate.stall {
            Some((When::Before, ms)) => {
                self.stall(replica, ms);
                return self.push(0, Event::Begin(replica, step));
            }
            Some((When::Meanwhile(after), ms)) => self.push(after, Event::Stall(replica, life, ms)),
            Some((When::After, _)) | None => {}
        }
        self.begin(replica, step);
    }

    pub(crate) fn begin(&mut self, replica: usize, step: u64) {
        let latency = self.random.between(1, 10);
        let Some(pending) = self.replicas[replica].pending(step) else { return };
        pending.has_begun = true;
        let fate = pending.fate;
        let pause = match &pending.action {
            Action::Sleep(pause, _) => Some(millis(*pause)),
            _ => None,
        };
        if let Some(pause) = pause {
            pending.result = Some(Happened::Woke);
            self.push(pause, Event::Done(replica, step));
            if pause >= millis(RENEW_EVERY) {
                self.push(millis(RENEW_EVERY), Event::Renew(replica, step));
            }
            return;
        }
        match pending.point {
            Point::Call => self.begin_call(replica, step, fate),
            Point::Reserve | Point::Spool => self.push(latency.min(5), Event::Effect(replica, step)),
            _ => {
                if let Some(ms) = fate.disconnect {
                    self.push(0, Event::Disconnect(ms));
                }
                self.push(latency + fate.delay.0, Event::Effect(replica, step));
            }
        }
    }

    /// The step is done; its process hears of it after so long.
    pub(crate) fn finish(&mut self, replica: usize, step: u64, after: i64, event: Happened) {
        if let Some(pending) = self.replicas[replica].pending(step) {
            pending.result = Some(event);
            self.push(after, Event::Done(replica, step));
        }
    }

    pub(crate) fn happens_at_replica(&mut self, event: Event) {
        // What happens elsewhere does not wait for a process that sleeps.
        match event {
            Event::Effect(replica, step) if self.is_elsewhere(replica, step) => {
                return self.effect(replica, step);
            }
            Event::RenewEffect(replica, step) => return self.renew_effect(replica, step),
            Event::Crash(replica, life) => {
                if self.replicas[replica].life == life {
                    self.crash(replica, 0, false);
                }
                return;
            }
            Event::Stall(replica, life, ms) => {
                if self.replicas[replica].life == life {
                    self.stall(replica, ms);
                }
                return;
            }
            Event::Restart(replica, life) => return self.restart(replica, life),
            _ => {}
        }
        let (Event::Begin(replica, _)
        | Event::Effect(replica, _)
        | Event::Done(replica, _)
        | Event::Send(replica, _)
        | Event::TimeUp(replica, _)
        | Event::Renew(replica, _)
        | Event::Renewed(replica, _)
        | Event::Sweep(replica, _)) = event
        else {
            return;
        };
        let asleep_until = self.replicas[replica].asleep_until;
        if asleep_until > self.now {
            return self.push_at(asleep_until, event);
        }
        match event {
            Event::Begin(_, step) => self.begin(replica, step),
            Event::Effect(_, step) => self.effect(replica, step),
            Event::Done(_, step) => self.done(replica, step),
            Event::Send(_, step) => self.send(replica, step),
            // Of a step that is over it tells nobody.
            Event::TimeUp(_, step) => self.deliver(replica, step, refusal(Meaning::Ambiguous, None, true)),
            Event::Renew(_, step) => self.renew(replica, step),
            Event::Renewed(_, step) => self.renewed(replica, step),
            Event::Sweep(_, life) => self.sweep(replica, life),
            _ => {}
        }
    }

    /// The process hears how its step ended.
    pub(crate) fn done(&mut self, replica: usize, step: u64) {
        let Some(pending) = self.replicas[replica].pending(step) else { return };
        let (Some(event), began) = (pending.result.take(), pending.began) else { return };
        let event = match event {
            Happened::Looked(Ok(Some((look, _)))) => {
                let credential = &look.credential;
                let found =
                    self.replicas[replica].find(&credential.id, credential.generation, look.tokens_fence);
                Happened::Looked(Ok(Some((look, found.map(|(fence, tokens)| (fence, Box::new(tokens)))))))
            }
            Happened::Claimed(claimed) => {
                if let Some(flying) = self.replicas[replica].flying.as_mut() {
                    flying.lease_since = began;
                }
                Happened::Claimed(claimed)
            }
            other => other,
        };
        self.deliver(replica, step, event);
    }

    /// Tells the flight, and begins what it wants next.
    pub(crate) fn deliver(&mut self, replica: usize, step: u64, event: Happened) {
        if self.replicas[replica].pending(step).is_none() || self.is_sabotaged(replica, &event) {
            return;
        }
        if let Some(action) = self.on(replica, event) {
            self.perform(replica, action);
        }
    }

    /// Does it wrong, where the trial wants that.
    pub(crate) fn is_sabotaged(&mut self, replica: usize, event: &Happened) -> bool {
        let Some(flying) = self.replicas[replica].flying.as_ref() else { return false };
        let credential = flying.credential;
        let now = Timestamp::from_unix_ms(self.now);
        match (self.setup.sabotage, event) {
            (
                Some(Sabotage::FirstRefusalIsFinal),
                Happened::Answered(Answer::Refused { class: Meaning::Dead, .. }),
            ) => {
                if let Ok(Some(look)) = self.store.look_now(&credential) {
                    let (generation, fence) = (look.credential.generation, look.fence);
                    let claim = Claim { credential, generation, fence };
                    // Whether it was written or not, and whose turn it is: this driver does not care.
                    let _ = self.mark_broken(&claim, ReconnectReason::GrantRevoked, now);
                }
                self.land(replica, &Landing::Dead);
                true
            }
            (Some(Sabotage::SkipReread), Happened::Written(Err(_) | Ok(false))) => {
                let is_commit = flying
                    .pending
                    .as_ref()
                    .is_some_and(|pending| matches!(pending.action, Action::Commit(..)));
                if is_commit {
                    self.land(replica, &Landing::Failed);
                }
                is_commit
            }
            _ => false,
        }
    }

    /// SIGSTOP: it does nothing at all.
    pub(crate) fn stall(&mut self, replica: usize, ms: i64) {
        let process = &mut self.replicas[replica];
        if !process.is_up || ms == 0 {
            return;
        }
        process.asleep_until = process.asleep_until.max(self.now + ms);
        process.idle_ms += ms;
        let wakes = process.asleep_until;
        self.tell(|| format!("replica {replica}: stands still for {ms} ms"));
        let step = self.replicas[replica].flying.as_ref().and_then(|flying| flying.pending.as_ref());
        if let Some((step, next)) = step.map(|pending| (pending.step, pending.next_renewal)) {
            self.push_at(wakes.max(next), Event::Renew(replica, step));
        }
    }

    /// `kill -9`.
    pub(crate) fn crash(&mut self, replica: usize, away_ms: i64, disk_gone: bool) {
        let sent = self.replicas[replica].flying.as_ref().and_then(|flying| flying.pending.as_ref());
        let is_at_store = sent.is_some_and(|pending| {
            let calls = matches!(pending.point, Point::Call | Point::Idle | Point::Reserve | Point::Spool);
            pending.has_begun && pending.result.is_none() && !calls
        });
        if is_at_store && self.random.strikes(50 * PERCENT) {
            // It was on its way already.
            self.do_it(replica);
        }
        let away = if away_ms > 0 { away_ms } else { self.random.between(1_000, 120_000) };
        let process = &mut self.replicas[replica];
        if !process.is_up {
            return;
        }
        process.is_up = false;
        process.life += 1;
        process.asleep_until = 0;
        process.idle_ms += away;
        process.sweep_at = None;
        let held = process.flying.take().and_then(|flying| flying.holding);
        if let Some(number) = held {
            self.paths[number].crashed = true;
        }
        for kept in &process.spool {
            self.paths[kept.number].disk_gone |= disk_gone;
        }
        process.spool.retain(|kept| kept.is_on_disk && !disk_gone);
        let life = process.life;
        self.tell(|| {
            format!(
                "replica {replica}: crashes, away for {away} ms{}",
                if disk_gone { ", its disk is gone" } else { "" }
            )
        });
        self.push(away, Event::Restart(replica, life));
    }

    pub(crate) fn restart(&mut self, replica: usize, life: u32) {
        let process = &mut self.replicas[replica];
        if process.life != life {
            return;
        }
        process.is_up = true;
        process.resting_until = 0;
        for kept in &mut process.spool {
            kept.durable_since = None;
        }
        self.tell(|| format!("replica {replica}: starts"));
        if !self.replicas[replica].spool.is_empty() {
            self.arm_sweep(replica, 0);
        }
    }

    /// The end of a flight.
    pub(crate) fn land(&mut self, replica: usize, landing: &Landing) {
        let now = self.now;
        let process = &mut self.replicas[replica];
        let Some(flying) = process.flying.take() else { return };
        if let Some((claim, true)) = flying.room.filter(|_| flying.flight.fate() == Some(Came::Committed)) {
            process.is_durable(claim, now);
        }
        process.resting_until = match landing {
            Landing::Fresh | Landing::Gone | Landing::Dead => 0,
            Landing::Unavailable(pause) => now + millis(*pause),
            Landing::Configuration(_) | Landing::Held | Landing::Failed => now + millis(RETRY_AFTER),
        };
        self.tell(|| format!("replica {replica}: the flight ({:?}) lands: {landing:?}", flying.trigger));
    }
}

pub(crate) fn point_of(action: &Action) -> Point {
    match action {
        Action::Look => Point::Look,
        Action::Claim { .. } => Point::Claim,
        Action::Reserve => Point::Reserve,
        Action::Call => Point::Call,
        Action::Spool(_) => Point::Spool,
        Action::Commit(..) => Point::Commit,
        Action::Adopt { .. } => Point::Adopt,
        Action::KeepOrphan(_) | Action::Settle(_) | Action::MarkBroken(_) | Action::Schedule(_) => {
            Point::Write
        }
        Action::Sleep(..) | Action::Admit | Action::Judge | Action::Land(_) => Point::Idle,
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
