//! One trial: one credential, its replicas, a store and a provider, from one seed, in virtual time.
//!
//! 1. Events wait in a heap, by time and by the order in which they were made. Nothing else decides what comes next.
//! 2. Four refreshes long everything goes wrong that can.
//! 3. Then nothing does any more, until the credential is refreshed once again or is broken: whatever can be recovered
//!    has been.
//! 4. [`crate::verdict`] says whether anything was lost, and why.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use connect::refresh::rules::Rules;
use connect::refresh::rules::STALL;
use model::Clock;
use model::CredentialId;
use model::Timestamp;
use store::credentials::Credential;
use store::credentials::SealedTokens;
use store::testing::Simulated;
use store::testing::Snapshot;
use vault::Sealed;

use crate::faults::Fate;
use crate::faults::Faults;
use crate::faults::Sabotage;
use crate::provider::Class;
use crate::provider::Provider;
use crate::provider::Verdict;
use crate::random::PERCENT;
use crate::random::Random;
use crate::replica::Replica;
use crate::verdict::Death;

/// How long a call to a rotating provider may take, as the product's default has it.
pub(crate) const CALL_LIMIT_MS: i64 = 60_000;

/// How long any other call may take.
pub(crate) const FREE_CALL_LIMIT_MS: i64 = 30_000;

/// How often each replica looks for abandoned flights and into its spool.
pub(crate) const SWEEP_EVERY_MS: i64 = 5_000;

/// How long an answer stays in the spool after its commit, as in the product.
pub(crate) const SPOOL_RETENTION_MS: i64 = 60_000;

/// The refreshes during which things go wrong.
const REFRESHES: u32 = 3;

/// Trials begin here, so that no time is negative.
pub(crate) const BEGIN_MS: i64 = 100_000_000;

/// More events than any trial has that comes to an end.
const MOST_EVENTS: u32 = 200_000;

/// Where the replicas keep what must not be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replicas with a spool each on a store of its own machine (PostgreSQL).
    Spool,
    /// Two processes on one machine; the commit is the spool (SQLite).
    Commit,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Spool, Self::Commit];

    /// The word on the command line and in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spool => "spool",
            Self::Commit => "commit",
        }
    }
}

/// What all trials of a run have in common.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) class: Class,
    pub(crate) mode: Mode,
    pub(crate) faults: Faults,
    pub(crate) sabotage: Option<Sabotage>,
    /// Every event is told on standard output.
    pub(crate) story: bool,
}

/// What can happen. Those of a replica carry the step that they belong to; when it is over they mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A step begins that its replica slept before.
    Begin(usize, u64),
    /// The store, or the replica's disk, does it.
    Effect(usize, u64),
    /// The replica hears of it.
    Done(usize, u64),
    /// Connected: the gate is asked, and the request is sent.
    Send(usize, u64),
    /// The provider gets the request.
    Process(usize),
    /// Its answer is there.
    Arrive(usize),
    /// The call has taken too long.
    TimeUp(usize, u64),
    Renew(usize, u64),
    RenewEffect(usize, u64),
    Renewed(usize, u64),
    Crash(usize, u32),
    Stall(usize, u32, i64),
    Restart(usize, u32),
    Sweep(usize, u32),
    Due,
    Recover,
    Read,
    /// Somebody uses an access token that was handed out.
    Use(usize),
    StoreDown(i64),
    StoreUp,
    Remember,
    FailOver,
    ProviderDown(i64),
    Disconnect(bool),
    Consent,
    /// The operator lets refreshing go on.
    Resume,
}

/// What became of a pair of tokens on its way to us.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any of them may hold")]
pub(crate) struct Path {
    /// The call that brought it; `None`: the consent.
    pub(crate) call: Option<usize>,
    /// It was in a replica's memory.
    pub(crate) arrived: bool,
    /// The core was told that it survives a crash.
    pub(crate) kept: bool,
    pub(crate) committed: bool,
    /// The replica crashed that had it in memory, before it could be kept.
    pub(crate) crashed: bool,
    pub(crate) disk_gone: bool,
    /// It was put in the place of a pair that still worked, and did not work itself.
    pub(crate) swapped: bool,
    /// The store had it, and does not any more.
    pub(crate) forgotten: bool,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) replica: usize,
    pub(crate) step: u64,
    pub(crate) fence: i64,
    pub(crate) generation: i64,
    pub(crate) credential: CredentialId,
    pub(crate) token: usize,
    pub(crate) fate: Fate,
    pub(crate) began: i64,
    pub(crate) claimed_at: i64,
    /// How long the replica had been away or asleep when it sent.
    pub(crate) idle_before: i64,
    pub(crate) answer: Option<Verdict>,
    /// The answer is there, or never will be.
    pub(crate) over: bool,
    /// The store does not know its claim any more.
    pub(crate) forgotten: bool,
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) calls: u32,
    pub(crate) double_calls: u32,
    pub(crate) commits: u32,
    pub(crate) adopted: u32,
    pub(crate) orphans: u32,
    pub(crate) withheld: u32,
    pub(crate) hasty_marks: u32,
}

pub(crate) struct VirtualClock(AtomicI64);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) rules: Rules,
    pub(crate) lifetime_ms: i64,
    pub(crate) random: Random,
    pub(crate) now: i64,
    clock: Arc<VirtualClock>,
    queue: BinaryHeap<Reverse<(i64, u64, Event)>>,
    made: u64,
    pub(crate) store: Simulated,
    pub(crate) store_up_since: i64,
    pub(crate) remembered: Option<(i64, Snapshot)>,
    pub(crate) provider: Provider,
    pub(crate) provider_down_until: i64,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) calls: Vec<Call>,
    pub(crate) paths: Vec<Path>,
    pub(crate) credential: CredentialId,
    pub(crate) consents: u8,
    pub(crate) steps: [u32; 9],
    pub(crate) tally: Tally,
    pub(crate) death: Option<Death>,
    /// Until when things go wrong.
    pub(crate) faulty: bool,
    pub(crate) settling_since: i64,
    pub(crate) commits_when_settling: u32,
    pub(crate) due_armed: Option<i64>,
    pub(crate) recover_armed: bool,
    /// Until when a lease may be alive that nobody will give back.
    pub(crate) leased_until: i64,
    pub(crate) store_down_until: i64,
    /// The trial came to no end.
    pub(crate) endless: bool,
}

impl World {
    pub(crate) fn new(setup: Setup, template: &Credential, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let lifetime_ms = if random.strikes(50 * PERCENT) { 600_000 } else { 3_600_000 };
        let count = if setup.mode == Mode::Commit || random.strikes(50 * PERCENT) { 2 } else { 3 };
        let replicas = (0..count).map(|_| Replica::new(random.between(-500, 500))).collect();
        let clock = Arc::new(VirtualClock(AtomicI64::new(BEGIN_MS)));
        let repeats = random.strikes(50 * PERCENT);
        let rules = Rules {
            replay: setup.class.replay(),
            call_limit: milliseconds(CALL_LIMIT_MS),
            first_retry: Duration::from_secs(1),
            refresh_before: Duration::from_mins(5),
            idle_after: Duration::from_hours(24 * 30),
            inactivity: None,
            // As the product's defaults: a minute where nothing survives a crash.
            holder_returns: if setup.mode == Mode::Spool { Duration::from_mins(5) } else { STALL },
            spool: setup.mode == Mode::Spool,
        };
        let mut world = Self {
            rules,
            lifetime_ms,
            now: BEGIN_MS,
            store: Simulated::new(clock.clone()),
            clock,
            queue: BinaryHeap::with_capacity(32),
            made: 0,
            store_up_since: 0,
            remembered: None,
            provider: Provider::new(setup.class, repeats),
            provider_down_until: 0,
            replicas,
            calls: Vec::with_capacity(8),
            paths: Vec::with_capacity(8),
            credential: template.id,
            consents: 0,
            steps: [0; 9],
            tally: Tally::default(),
            death: None,
            faulty: true,
            settling_since: 0,
            commits_when_settling: 0,
            due_armed: None,
            recover_armed: false,
            leased_until: 0,
            store_down_until: 0,
            endless: false,
            setup,
            random,
        };
        world.consent(template, 0);
        world
    }

    /// Before the first event: begins anew with tokens that live for so long.
    pub(crate) fn live_for(&mut self, lifetime_ms: i64, template: &Credential) {
        self.queue.clear();
        self.due_armed = None;
        self.store.remove(&self.credential);
        self.lifetime_ms = lifetime_ms;
        self.consents = 0;
        self.consent(template, 0);
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self, template: &Credential) {
        for _ in 0..MOST_EVENTS {
            if self.is_over() {
                return;
            }
            let Some(Reverse((at, _, event))) = self.queue.pop() else {
                // Nothing waits any more: only somebody who reads can bring it back to life.
                if self.faulty {
                    self.settle();
                    continue;
                }
                return;
            };
            self.now = self.now.max(at);
            self.clock.0.store(self.now, Ordering::Relaxed);
            self.happens(event, template);
            if self.faulty && self.has_seen_enough() {
                self.settle();
            }
        }
        self.endless = true;
    }

    fn has_seen_enough(&self) -> bool {
        self.tally.commits >= REFRESHES
            || self.now > BEGIN_MS + 5 * self.lifetime_ms
            || self.due_armed.is_none() && self.is_broken_or_gone()
    }

    fn is_broken_or_gone(&self) -> bool {
        self.store.credential(&self.credential).is_none_or(|credential| credential.broken.is_some())
    }

    /// From now on nothing goes wrong.
    fn settle(&mut self) {
        self.faulty = false;
        self.settling_since = self.now;
        self.commits_when_settling = self.tally.commits;
        self.provider_down_until = 0;
        if self.store_down_until > self.now {
            self.store_up();
        }
        self.tell(|| "from here on nothing goes wrong".to_owned());
        self.arm_due_now();
        self.push(1_000, Event::Read);
    }

    /// Whether it was refreshed once more after nothing went wrong any more.
    pub(crate) const fn has_settled(&self) -> bool {
        !self.faulty && self.tally.commits > self.commits_when_settling
    }

    fn is_over(&self) -> bool {
        if self.faulty || self.replicas.iter().any(|replica| replica.is_busy(&self.credential)) {
            return false;
        }
        let waited = self.now - self.settling_since;
        if self.tally.commits > self.commits_when_settling {
            // The last stragglers: whoever is down comes back, and looks into its spool.
            return self.replicas.iter().all(|replica| replica.is_up);
        }
        waited > 3 * self.lifetime_ms || (waited > 200_000 && self.is_broken_or_gone())
    }

    /// Puts an event off by so long.
    pub(crate) fn push(&mut self, after: i64, event: Event) {
        self.push_at(self.now + after.max(0), event);
    }

    pub(crate) fn push_at(&mut self, at: i64, event: Event) {
        self.made += 1;
        self.queue.push(Reverse((at.max(self.now), self.made, event)));
    }

    fn happens(&mut self, event: Event, template: &Credential) {
        match event {
            Event::Begin(..)
            | Event::Effect(..)
            | Event::Done(..)
            | Event::Send(..)
            | Event::TimeUp(..)
            | Event::Renew(..)
            | Event::RenewEffect(..)
            | Event::Renewed(..)
            | Event::Crash(..)
            | Event::Stall(..)
            | Event::Restart(..)
            | Event::Sweep(..) => self.happens_at_replica(event),
            Event::Process(call) => self.process(call),
            Event::Arrive(call) => self.arrive(call),
            Event::Due => self.take_due(),
            Event::Recover => self.recover(),
            Event::Read => self.read(),
            Event::Use(number) => self.provider.access_used(number),
            Event::StoreDown(ms) => self.store_down(ms),
            Event::StoreUp => {
                if self.store_down_until <= self.now {
                    self.store_up();
                }
            }
            Event::Remember => {
                self.remembered = Some((self.now, self.store.snapshot()));
            }
            Event::FailOver => self.fail_over(),
            Event::ProviderDown(ms) => {
                if self.faulty {
                    self.tell(|| format!("provider: down for {} s", ms / 1_000));
                    self.provider_down_until = self.now + ms;
                }
            }
            Event::Disconnect(anew) => self.disconnect(anew),
            Event::Consent => self.consent(template, self.consents),
            Event::Resume => {
                self.tell(|| "the operator lets refreshing go on".to_owned());
                // The store is up: it came back before this was planned.
                let _ = self.store.resume_now();
                self.arm_due_now();
            }
        }
    }

    /// Somebody consents: a new credential.
    fn consent(&mut self, template: &Credential, consents: u8) {
        let mut id = [7; 16];
        id[15] = consents;
        self.credential = id.into();
        let number = if consents == 0 { self.provider.newest() } else { self.provider.consent() };
        self.consents += 1;
        self.death = None;
        self.paths.resize(number + 1, Path::default());
        self.paths[number] = Path { arrived: true, kept: true, committed: true, ..Path::default() };
        let tokens = self.pair(number, true, 0);
        let dice = self.dice();
        let due_at = self.rules.due_at(&tokens, false, dice);
        self.store.put(Credential { id: self.credential, tokens, due_at, ..template.clone() });
        self.tell(|| format!("somebody consents: pair {number}, a life of {} s", self.lifetime_ms / 1_000));
        self.arm_due(due_at);
        self.expect_reads();
    }

    fn dice(&mut self) -> f64 {
        f64::from(u32::try_from(self.random.next() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    /// A pair as it is sealed: its number stands for both tokens.
    pub(crate) fn pair(&self, number: usize, rotated: bool, skew: i64) -> SealedTokens {
        let octets = || number.to_be_bytes().to_vec();
        let obtained_at = Timestamp::from_unix_ms(self.now + skew);
        SealedTokens {
            access_token: Some(Sealed::from_row(octets())),
            refresh_token: rotated.then(|| Sealed::from_row(octets())),
            extra: None,
            token_type: "bearer".to_owned(),
            scopes: model::Scopes::default(),
            expires_at: Some(obtained_at + milliseconds(self.lifetime_ms)),
            obtained_at,
        }
    }

    /// The pair that the store has, down or not.
    pub(crate) fn stored_number(&self) -> Option<usize> {
        refresh_number(&self.store.credential(&self.credential)?.tokens)
    }

    /// Once new tokens are in place.
    pub(crate) fn committed(
        &mut self,
        id: CredentialId,
        before: Option<usize>,
        tokens: &SealedTokens,
        due: Option<Timestamp>,
    ) {
        let Some(number) = access_number(tokens) else { return };
        let worked = before.is_some_and(|before| self.provider.accepts(before, self.now));
        self.paths[number].swapped |= worked && !self.provider.accepts(number, self.now);
        self.paths[number].committed = true;
        self.paths[number].kept = true;
        if id == self.credential {
            self.tally.commits += 1;
            self.arm_due(due);
            self.expect_reads();
            let after = self.random.between(5, 60_000);
            self.push(after, Event::Use(number));
        }
    }

    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if self.setup.story {
            let ms = self.now - BEGIN_MS;
            println!("{:>9}.{:03}  {}", ms / 1_000, ms % 1_000, line());
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}

pub(crate) fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn number(octets: &[u8]) -> Option<usize> {
    octets.try_into().ok().map(usize::from_be_bytes)
}

/// Which pair these tokens are.
pub(crate) fn access_number(tokens: &SealedTokens) -> Option<usize> {
    number(tokens.access_token.as_ref()?.as_bytes())
}

/// Which pair's refresh token this is.
pub(crate) fn refresh_number(tokens: &SealedTokens) -> Option<usize> {
    number(tokens.refresh_token.as_ref()?.as_bytes())
}
