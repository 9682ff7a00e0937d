//! What became of the credential, and whose fault it is.
//!
//! A loss is unavoidable when no strategy could have helped: nobody had the answer, or nobody has it any more. Whatever
//! was lost although somebody had it is avoidable.

use connect::refresh::rules::STALL;

use crate::replica::{Replica, millis};
use crate::trial::{CALL_LIMIT_MS, World, refresh_number};

/// Why the refresh token that the provider accepts is not ours. The numbers are those of the failure table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// 4: the answer never reached a living replica.
    AnswerLost,
    /// 4: the provider processed an abandoned call after its replay, and with that ended the replay's pair.
    LateProcessing,
    /// 5: the replica crashed with the answer in its memory, before it was on the disk.
    InMemory,
    /// 6: the disk with the spool is gone.
    DiskGone,
    /// 9: who had the answer was asleep, or away, for longer than the core is patient.
    Asleep,
    /// 12: the store forgot what it had acknowledged.
    StoreForgot,
    /// None of these.
    Avoidable,
}

impl Cause {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::AnswerLost,
        Self::LateProcessing,
        Self::InMemory,
        Self::DiskGone,
        Self::Asleep,
        Self::StoreForgot,
        Self::Avoidable,
    ];

    /// The column's title.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AnswerLost => "answer lost (4)",
            Self::LateProcessing => "processed late (4)",
            Self::InMemory => "in memory (5)",
            Self::DiskGone => "disk gone (6)",
            Self::Asleep => "asleep (9)",
            Self::StoreForgot => "store forgot (12)",
            Self::Avoidable => "avoidable",
        }
    }
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The store has a refresh token that works.
    Alive,
    /// Disconnected.
    Gone,
    Lost(Cause),
    /// Marked as broken although its token works.
    WronglyBroken,
    /// Nobody ever refreshed it again.
    Stuck,
}

impl End {
    pub(crate) const fn cause(self) -> Option<Cause> {
        match self {
            Self::Alive | Self::Gone => None,
            Self::Lost(cause) => Some(cause),
            Self::WronglyBroken | Self::Stuck => Some(Cause::Avoidable),
        }
    }
}

/// Who had a pair of tokens at some moment.
#[derive(Debug, Clone, Copy, Default)]
struct Copies {
    in_store: bool,
    orphan: bool,
    /// The replica with the answer in its memory or in its spool.
    holder: Option<usize>,
    on_its_way: bool,
}

impl Copies {
    const fn any(self) -> bool {
        self.in_store || self.orphan || self.on_its_way || self.holder.is_some()
    }
}

/// The moment in which a spent token was presented and the provider ended the grant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    at: i64,
    /// The pair that was valid.
    newest: usize,
    copies: Copies,
    /// How long its holder had been away or asleep since it called.
    holder_idle: i64,
    store_up_since: i64,
}

impl Death {
    /// Takes the evidence; `in_store` is the pair that the store had.
    pub(crate) fn at(world: &World, _call: usize, in_store: Option<usize>) -> Self {
        let newest = world.provider.newest();
        let copies = copies(world, newest, in_store);
        let holder_idle = holder_idle(world, newest);
        Self { at: world.now, newest, copies, holder_idle, store_up_since: world.store_up_since }
    }
}

fn copies(world: &World, number: usize, in_store: Option<usize>) -> Copies {
    let orphan = world.store.look_now(&world.credential).ok().flatten().is_some_and(|look| {
        let mut answers = look.journal.iter().filter_map(|row| row.answer.as_ref());
        answers.any(|answer| refresh_number(answer) == Some(number))
    });
    let has = |replica: &Replica| {
        let holds = replica.flying.as_ref().is_some_and(|flying| flying.holding == Some(number));
        holds || replica.spool.iter().any(|kept| kept.number == number)
    };
    let call = world.paths.get(number).and_then(|path| path.call).and_then(|call| world.calls.get(call));
    Copies {
        in_store: in_store == Some(number),
        orphan,
        holder: world.replicas.iter().position(has),
        on_its_way: call.is_some_and(|call| !call.over),
    }
}

/// Whether somebody who could say so now has a token that works.
pub(crate) fn is_hasty(world: &World) -> bool {
    let newest = world.provider.newest();
    let copies = copies(world, newest, world.stored_number());
    let is_awake = |replica: usize| {
        let replica = &world.replicas[replica];
        replica.is_up && replica.asleep_until <= world.now
    };
    world.provider.accepts(newest, world.now)
        && (copies.orphan || copies.in_store || copies.holder.is_some_and(is_awake))
}

/// How long the replica that called for this pair has been away or asleep since.
fn holder_idle(world: &World, number: usize) -> i64 {
    let call = world.paths.get(number).and_then(|path| path.call).and_then(|call| world.calls.get(call));
    call.map_or(0, |call| world.replicas[call.replica].idle_ms - call.idle_before)
}

/// What became of the credential.
pub(crate) fn judge(world: &World) -> End {
    let Some(credential) = world.store.credential(&world.credential) else { return End::Gone };
    let stored = refresh_number(&credential.tokens);
    let lives = stored.is_some_and(|number| world.provider.accepts(number, world.now));
    match (lives, credential.broken.is_some()) {
        (true, false) if world.endless || !world.has_settled() => End::Stuck,
        (true, false) => End::Alive,
        (true, true) => End::WronglyBroken,
        (false, _) => End::Lost(cause(world, stored)),
    }
}

fn cause(world: &World, stored: Option<usize>) -> Cause {
    let death = world.death.filter(|_| world.provider.is_family_dead());
    let newest = death.map_or(world.provider.newest(), |death| death.newest);
    let Some(path) = world.paths.get(newest) else { return Cause::Avoidable };
    let call = path.call.and_then(|call| world.calls.get(call));
    let siblings = stored.is_some_and(|stored| {
        stored != newest && world.provider.parent_of(stored) == world.provider.parent_of(newest)
    });
    if stored.and_then(|stored| world.paths.get(stored)).is_some_and(|path| path.swapped) {
        return Cause::Avoidable;
    }
    if !path.arrived {
        return if siblings { Cause::LateProcessing } else { Cause::AnswerLost };
    }
    let (at, copies, idle, store_up_since) = match death {
        Some(death) => (death.at, death.copies, death.holder_idle, death.store_up_since),
        None => (world.now, copies(world, newest, stored), holder_idle(world, newest), world.store_up_since),
    };
    if copies.any() {
        let patience = CALL_LIMIT_MS + millis(world.rules.holder_returns);
        let was_patient = call.is_some_and(|call| at - call.claimed_at >= patience);
        let is_forgotten = path.forgotten || call.is_some_and(|call| call.forgotten);
        let had_time = at - store_up_since > 2 * crate::trial::SWEEP_EVERY_MS && idle == 0;
        return if is_forgotten && !had_time {
            Cause::StoreForgot
        } else if !copies.in_store && !copies.orphan && was_patient && idle > millis(STALL) / 2 {
            Cause::Asleep
        } else {
            Cause::Avoidable
        };
    }
    if path.forgotten {
        Cause::StoreForgot
    } else if path.disk_gone {
        Cause::DiskGone
    } else if path.crashed && !path.kept {
        Cause::InMemory
    } else {
        Cause::Avoidable
    }
}
