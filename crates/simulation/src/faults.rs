//! What goes wrong, and where: by dice in the random trials, by a script in the directed ones.

use crate::random::{PERCENT, Random};

/// A step of a flight, as far as faults tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Look,
    Claim,
    Reserve,
    Call,
    Spool,
    Commit,
    Adopt,
    /// Every other write.
    Write,
    /// Pauses and questions: nothing leaves the process.
    Idle,
}

/// When a step is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before anything left the process.
    Before,
    /// Somewhere on the way; the milliseconds from the step's beginning.
    Meanwhile(i64),
    /// It took effect, and its process did not hear of it.
    After,
}

/// What becomes of a call beside its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Network {
    #[default]
    Works,
    /// No connection came to be.
    NotSent,
    /// It was sent and never arrived; `true`: the connection is reset, `false`: silence until the time is up.
    LostBefore(bool),
    /// It was processed, and the answer never arrived.
    LostAfter(bool),
}

/// What the provider says instead of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// 500, and nothing happened.
    Error,
    /// 502 by a gateway, or half an answer: it was processed.
    ErrorAfterwards,
    /// 503 with `Retry-After` in milliseconds.
    Busy(i64),
    /// 401 `invalid_client`.
    InvalidClient,
}

/// All that befalls one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fate {
    pub(crate) crash: Option<When>,
    /// For how long the process stays away after a crash; 0: by dice.
    pub(crate) away_ms: i64,
    pub(crate) disk_gone: bool,
    /// The process stands still for so long.
    pub(crate) stall: Option<(When, i64)>,
    /// The store does it, and its word is lost.
    pub(crate) unacknowledged: bool,
    /// The store takes its time: before the effect, and after.
    pub(crate) delay: (i64, i64),
    /// The spool can't be written.
    pub(crate) unwritable: bool,
    /// The store forgets it again after so long.
    pub(crate) forgotten_after: Option<i64>,
    /// The store goes away right after, for so long.
    pub(crate) outage_after: Option<i64>,
    pub(crate) network: Network,
    pub(crate) says: Option<Says>,
    /// The credential is disconnected while this goes on, and connected anew when `true`.
    pub(crate) disconnect: Option<bool>,
}

/// How often things go wrong, in millionths of the steps that they can strike.
#[derive(Debug, Clone)]
pub(crate) struct Rates {
    /// Crashes during a call.
    pub(crate) crash_call: u32,
    /// Crashes during any other step.
    pub(crate) crash_step: u32,
    /// Of the crashes: the disk is gone as well.
    pub(crate) disk_gone: u32,
    pub(crate) stall_call: u32,
    pub(crate) stall_step: u32,
    /// The shortest and the longest stall.
    pub(crate) stall_ms: (i64, i64),
    pub(crate) lost_before: u32,
    pub(crate) lost_after: u32,
    pub(crate) slow: u32,
    pub(crate) not_sent: u32,
    pub(crate) error: u32,
    pub(crate) error_afterwards: u32,
    pub(crate) busy: u32,
    pub(crate) unacknowledged: u32,
    pub(crate) slow_store: u32,
    pub(crate) unwritable: u32,
    /// Outages of the store, by flight.
    pub(crate) outage: u32,
    /// Fail-overs that forget, by flight.
    pub(crate) fail_over: u32,
    /// Outages of the provider, by flight.
    pub(crate) provider_down: u32,
    pub(crate) disconnect: u32,
    /// Grants that are called dead and not believed to be.
    pub(crate) doubted: u32,
}

impl Rates {
    /// Far more than the world has, so that every row of the failure table is met.
    pub(crate) const fn exaggerated() -> Self {
        Self {
            crash_call: PERCENT,
            crash_step: PERCENT / 4,
            disk_gone: 3 * PERCENT,
            stall_call: PERCENT,
            stall_step: PERCENT / 4,
            stall_ms: (15_000, 40_000),
            lost_before: PERCENT,
            lost_after: PERCENT,
            slow: 2 * PERCENT,
            not_sent: PERCENT,
            error: PERCENT / 2,
            error_afterwards: PERCENT / 5,
            busy: PERCENT / 2,
            unacknowledged: PERCENT / 2,
            slow_store: PERCENT / 4,
            unwritable: PERCENT / 10,
            outage: PERCENT / 2,
            fail_over: PERCENT / 5,
            provider_down: PERCENT / 4,
            disconnect: PERCENT / 5,
            doubted: 5 * PERCENT,
        }
    }

    /// The same, with processes that sleep for longer than the core is patient.
    pub(crate) const fn sleepy() -> Self {
        let (stall_call, stall_step) = (4 * PERCENT, 2 * PERCENT);
        Self { stall_call, stall_step, stall_ms: (30_000, 1_200_000), ..Self::exaggerated() }
    }

    /// What befalls a step. `spool`: there is a spool, and a store on another machine.
    pub(crate) fn draw(&self, point: Point, spool: bool, random: &mut Random) -> Fate {
        let mut fate = Fate::default();
        let (crash, stall) = match point {
            Point::Call => (self.crash_call, self.stall_call),
            Point::Idle => (self.crash_step / 4, self.stall_step / 4),
            _ => (self.crash_step, self.stall_step),
        };
        let span = if point == Point::Call { 400 } else { 15 };
        if random.strikes(crash) {
            fate.crash = Some(when(span, random));
            fate.disk_gone = spool && random.strikes(self.disk_gone);
        }
        if random.strikes(stall) {
            fate.stall = Some((when(span, random), random.between(self.stall_ms.0, self.stall_ms.1)));
        }
        match point {
            Point::Call => self.draw_call(&mut fate, random),
            Point::Reserve | Point::Spool => fate.unwritable = random.strikes(self.unwritable),
            Point::Idle => {}
            Point::Look | Point::Claim | Point::Commit | Point::Adopt | Point::Write => {
                fate.unacknowledged = spool && random.strikes(self.unacknowledged);
                if random.strikes(self.slow_store) {
                    let delay = random.between(500, 15_000);
                    fate.delay = if random.strikes(50 * PERCENT) { (delay, 0) } else { (0, delay) };
                }
            }
        }
        fate
    }

    fn draw_call(&self, fate: &mut Fate, random: &mut Random) {
        if random.strikes(self.lost_before) {
            fate.network = Network::LostBefore(random.strikes(50 * PERCENT));
        } else if random.strikes(self.lost_after) {
            fate.network = Network::LostAfter(random.strikes(50 * PERCENT));
        } else if random.strikes(self.not_sent) {
            fate.network = Network::NotSent;
        }
        if random.strikes(self.slow) {
            let delay = random.between(2_000, 55_000);
            fate.delay = if random.strikes(50 * PERCENT) { (delay, 0) } else { (0, delay) };
        }
        if random.strikes(self.error) {
            fate.says = Some(Says::Error);
        } else if random.strikes(self.error_afterwards) {
            fate.says = Some(Says::ErrorAfterwards);
        } else if random.strikes(self.busy) {
            fate.says = Some(Says::Busy(random.between(1, 60) * 1_000));
        }
    }
}

fn when(span: i64, random: &mut Random) -> When {
    match random.below(3) {
        0 => When::Before,
        1 => When::Meanwhile(random.between(0, span)),
        _ => When::After,
    }
}

/// A script: what befalls a step, given how many of its kind there were in the whole trial, this one included, and the
/// milliseconds since the trial began.
pub(crate) type Script = fn(Point, u32, i64) -> Fate;

/// Where the faults of a trial come from.
#[derive(Debug, Clone)]
pub(crate) enum Faults {
    Dice(Rates),
    Script(Script),
}

/// A step that the simulation's driver does wrong on purpose: it proves that losses would be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// The answer is not written to the spool.
    SkipSpool,
    /// The request is sent without asking whether the lease lasts, and the lease is never renewed.
    SkipLeaseGate,
    /// An answer whose commit failed is dropped, instead of reading how the credential stands.
    SkipReread,
    /// The first `invalid_grant` is final.
    FirstRefusalIsFinal,
    /// An answer that the store has acknowledged is compared with the store a minute later, not at every round.
    LateSweep,
}
