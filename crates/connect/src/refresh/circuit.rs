//! A provider that is down is left alone. One circuit for each app at each integration, in this process.
//!
//! - Failures in a row open it: callers fail fast, and no refresh token is spent on a provider that can't answer. A
//!   probe finds out when it is back: a token request without a token, which spends nothing. Then one flight tries, and
//!   its tokens close the circuit.
//! - `invalid_client` and the like open it at once: our app is wrong, no connection is.
//! - A burst of dead grants is not believed: a provider's fault or a restored backup looks like that. Refreshing goes on,
//!   but nothing is marked while the burst lasts, unless the operator says that they are dead indeed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{IntegrationId, Timestamp};
use provider::catalog::Entry;
use provider::exchange::App;
use vault::TokenHash;

use super::flight::Refusal;

/// Calls that failed in a row.
const FAILURES: u32 = 5;

/// The first pause before a probe; it doubles with each that fails.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// The longest pause before a probe: how late a recovery is noticed at most.
const PROBE_AT_LEAST_EVERY: Duration = Duration::from_secs(8);

/// The longest pause while probes are answered and refreshes fail all the same.
const TRY_AT_LEAST_EVERY: Duration = Duration::from_mins(2);

/// A flight that tries has so long to tell something before another one may.
const TRIAL: Duration = Duration::from_secs(10);

/// In which time dead grants are counted.
const BURST_WINDOW: Duration = Duration::from_mins(10);

/// As many dead grants within the window are a burst, if they are also more than one in [`BURST_SHARE`] verdicts.
const BURST: usize = 10;

/// One in how many.
const BURST_SHARE: usize = 20;

/// For how long the operator's word that grants are dead indeed holds.
const BELIEVE_FOR: Duration = Duration::from_hours(1);

/// A circuit that no flight has asked for so long is forgotten, an open one too: the secret that it was about may have
/// been corrected, which makes another app.
const FORGET_AFTER: Duration = Duration::from_mins(10);

/// One of our apps at one server of one integration. A changed secret is another app: its circuit is closed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AppKey {
    pub(crate) integration: IntegrationId,
    pub(crate) client_id: String,
    secret: Option<TokenHash>,
    token_url: String,
}

impl AppKey {
    pub(crate) fn of(integration: &IntegrationId, app: &App, token_url: &str) -> Self {
        Self {
            integration: integration.clone(),
            client_id: app.client_id.clone(),
            secret: app.client_secret.as_ref().map(|secret| TokenHash::of(secret.expose())),
            token_url: token_url.to_owned(),
        }
    }

    fn pair(&self) -> (IntegrationId, String) {
        (self.integration.clone(), self.client_id.clone())
    }
}

/// Why a circuit is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It does not answer, or wants to be left alone.
    Down,
    /// It refuses our app, with this error.
    Configuration(Option<String>),
    /// Too many grants are dead at once: not open, but not believed.
    DeadBurst,
}

impl Cause {
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Down => "provider_down",
            Self::Configuration(_) => "configuration",
            Self::DeadBurst => "dead_burst",
        }
    }
}

/// What a call told of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It answers a probe; whether it refreshes is still to be seen.
    Answers,
    /// It gave tokens.
    Works,
    /// It does not, and wants to be left alone for so long.
    Fails(Option<Duration>),
    /// It refuses our app.
    RefusesUs(Option<String>),
    /// It says that a grant is dead.
    Dead,
}

/// What became of the circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It opened, or a burst began.
    Opened(Cause),
    /// One flight may try.
    HalfOpened,
    /// It closed, or a burst ended.
    Closed,
}

/// What a probe needs.
#[derive(Clone)]
pub(crate) struct Probe {
    pub(crate) key: AppKey,
    pub(crate) entry: Arc<Entry>,
    pub(crate) app: App,
    pub(crate) token_url: String,
}

/// All circuits of this process.
#[derive(Clone, Default)]
pub(crate) struct Circuits(Arc<Mutex<Board>>);

#[derive(Default)]
struct Board {
    circuits: HashMap<AppKey, Circuit>,
    /// Until when the operator's word holds that dead grants are dead.
    believe_until: Option<Timestamp>,
}

struct Circuit {
    probe: Probe,
    /// When a flight asked last.
    asked_at: Timestamp,
    failures: u32,
    open: Option<Open>,
    /// How long the last pause was; only tokens end it.
    pause: Duration,
    /// When, and whether the grant was dead.
    verdicts: VecDeque<(Timestamp, bool)>,
    burst: bool,
}

struct Open {
    cause: Cause,
    /// When it is asked next: by a probe, or by a flight when it is half open.
    next_try: Timestamp,
    half: bool,
}

impl Circuits {
    /// Whether a flight would be refused, asked before it waits for its turn.
    pub(crate) fn refuses(&self, probe: &Probe, now: Timestamp) -> Option<Refusal> {
        let board = self.lock();
        let open = board.circuits.get(&probe.key)?.open.as_ref()?;
        (!open.half || open.next_try > now).then(|| open.refusal(now))
    }

    /// Whether a flight may call.
    pub(crate) fn admit(&self, probe: &Probe, now: Timestamp) -> Result<(), Refusal> {
        let mut board = self.lock();
        let circuit = board.circuits.entry(probe.key.clone()).or_insert_with(|| Circuit::new(probe, now));
        circuit.asked_at = now;
        let Some(open) = &mut circuit.open else { return Ok(()) };
        if open.half && open.next_try <= now {
            // This one tries; the others wait for what it tells.
            open.next_try = now + TRIAL;
            return Ok(());
        }
        Err(open.refusal(now))
    }

    /// Remembers what a call told.
    pub(crate) fn tell(&self, key: &AppKey, told: &Told, now: Timestamp) -> Option<Change> {
        let mut board = self.lock();
        let believes = board.believes(now);
        board.circuits.get_mut(key)?.tell(told, believes, now)
    }

    /// Whether a dead grant may be marked as such now.
    pub(crate) fn believes(&self, key: &AppKey, now: Timestamp) -> bool {
        let board = self.lock();
        board.believes(now) || board.circuits.get(key).is_none_or(|circuit| !circuit.burst)
    }

    /// The operator says that dead grants are dead. Answers in whose bursts that counts.
    pub(crate) fn believe(&self, now: Timestamp) -> Vec<AppKey> {
        let mut board = self.lock();
        board.believe_until = Some(now + BELIEVE_FOR);
        let bursts = board.circuits.iter_mut().filter(|(_, circuit)| circuit.burst);
        let ended = bursts.map(|(key, circuit)| {
            circuit.burst = false;
            circuit.verdicts.clear();
            key.clone()
        });
        ended.collect()
    }

    /// The probes whose time has come; each is put off until it tells something. Forgets what nobody asks for.
    pub(crate) fn due_probes(&self, now: Timestamp) -> Vec<Probe> {
        let mut board = self.lock();
        board.circuits.retain(|_, circuit| circuit.asked_at + FORGET_AFTER > now);
        let due = board.circuits.values_mut().filter_map(|circuit| {
            let open = circuit.open.as_mut().filter(|open| !open.half && open.next_try <= now)?;
            open.next_try = now + PROBE_AT_LEAST_EVERY;
            Some(circuit.probe.clone())
        });
        due.collect()
    }

    /// Which apps nobody may call for now: those of which every circuit is open.
    pub(crate) fn closed_to_all(&self, now: Timestamp) -> Vec<(IntegrationId, String)> {
        let board = self.lock();
        let mut pairs: HashMap<_, bool> = HashMap::new();
        for (key, circuit) in &board.circuits {
            let is_open = circuit.open.as_ref().is_some_and(|open| !open.half || open.next_try > now);
            *pairs.entry(key.pair()).or_insert(true) &= is_open;
        }
        pairs.into_iter().filter(|(_, is_open)| *is_open).map(|(pair, _)| pair).collect()
    }

    /// For the metrics and the operator: which integrations have an open circuit or a burst, and why.
    pub(crate) fn open(&self) -> Vec<(IntegrationId, Cause)> {
        let board = self.lock();
        let causes = board.circuits.iter().filter_map(|(key, circuit)| {
            let burst = circuit.burst.then_some(Cause::DeadBurst);
            let cause = circuit.open.as_ref().map(|open| open.cause.clone()).or(burst)?;
            Some((key.integration.clone(), cause))
        });
        causes.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Whole after every statement, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn refusal(&self, now: Timestamp) -> Refusal {
        match &self.cause {
            Cause::Configuration(error) => Refusal::Configuration(error.clone()),
            Cause::Down | Cause::DeadBurst => {
                Refusal::Down(self.next_try.since(now).max(Duration::from_secs(1)))
            }
        }
    }
}

impl Board {
    fn believes(&self, now: Timestamp) -> bool {
        self.believe_until.is_some_and(|until| until > now)
    }
}

impl Circuit {
    fn new(probe: &Probe, now: Timestamp) -> Self {
        Self {
            probe: probe.clone(),
            asked_at: now,
            failures: 0,
            open: None,
            pause: Duration::ZERO,
            verdicts: VecDeque::new(),
            burst: false,
        }
    }

    fn tell(&mut self, told: &Told, believes: bool, now: Timestamp) -> Option<Change> {
        match told {
            Told::Answers => {
                let open = self.open.as_mut()?;
                open.half = true;
                open.next_try = now;
                Some(Change::HalfOpened)
            }
            Told::Works => {
                self.failures = 0;
                self.pause = Duration::ZERO;
                let burst_ended = self.verdict(false, believes, now);
                self.open.take().map(|_| Change::Closed).or(burst_ended)
            }
            Told::Fails(retry_after) => {
                self.failures += 1;
                if self.open.is_none() && self.failures < FAILURES {
                    return None;
                }
                let is_trial = self.open.as_ref().is_some_and(|open| open.half);
                // Probes are cheap; refreshes that fail although probes are answered are not.
                let most = if is_trial { TRY_AT_LEAST_EVERY } else { PROBE_AT_LEAST_EVERY };
                self.pause = (self.pause * 2).clamp(PROBE_AFTER, most.max(self.pause));
                let wait = self.pause.max(retry_after.unwrap_or_default());
                self.open(Cause::Down, now + wait)
            }
            Told::RefusesUs(error) => {
                self.failures += 1;
                self.pause = (self.pause * 2).clamp(PROBE_AFTER, PROBE_AT_LEAST_EVERY);
                self.open(Cause::Configuration(error.clone()), now + self.pause)
            }
            Told::Dead => {
                self.failures = 0;
                let burst_began = self.verdict(true, believes, now);
                burst_began.or(self.open.take().map(|_| Change::Closed))
            }
        }
    }

    /// Opens, or stays open; a cause that was there already is no change.
    fn open(&mut self, cause: Cause, next_try: Timestamp) -> Option<Change> {
        let before = self.open.replace(Open { cause: cause.clone(), next_try, half: false });
        before.is_none_or(|before| before.cause != cause).then_some(Change::Opened(cause))
    }

    /// Counts a verdict; tells when a burst begins or ends.
    fn verdict(&mut self, dead: bool, believes: bool, now: Timestamp) -> Option<Change> {
        self.verdicts.push_back((now, dead));
        while self.verdicts.front().is_some_and(|(at, _)| *at + BURST_WINDOW < now) {
            self.verdicts.pop_front();
        }
        let deaths = self.verdicts.iter().filter(|(_, dead)| *dead).count();
        let before = self.burst;
        self.burst = deaths >= BURST && deaths * BURST_SHARE > self.verdicts.len() && !believes;
        match (before, self.burst) {
            (false, true) => Some(Change::Opened(Cause::DeadBurst)),
            (true, false) => Some(Change::Closed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use provider::catalog::Catalog;

    use super::*;

    const T0: Timestamp = Timestamp::from_unix_ms(1_795_000_000_000);

    fn probe(secret: &str) -> Probe {
        let entry = Catalog::built_in().get(&"sandbox".parse().unwrap()).unwrap().clone();
        let app = App { client_id: "our-app".to_owned(), client_secret: Some(secret.to_owned().into()) };
        let token_url = "https://provider.example/token".to_owned();
        let key = AppKey::of(&"sandbox".parse().unwrap(), &app, &token_url);
        Probe { key, entry, app, token_url }
    }

    fn circuit() -> Circuit {
        Circuit::new(&probe("secret"), T0)
    }

    fn told(circuit: &mut Circuit, told: &Told, times: usize) -> Vec<Option<Change>> {
        (0..times).map(|_| circuit.tell(told, false, T0)).collect()
    }

    #[test]
    fn failures_in_a_row_open_it_and_tokens_close_it() {
        let mut circuit = circuit();
        assert_eq!(told(&mut circuit, &Told::Fails(None), 4), [None, None, None, None]);
        assert_eq!(circuit.tell(&Told::Works, false, T0), None, "it was never open");
        told(&mut circuit, &Told::Fails(None), 4);
        assert_eq!(circuit.tell(&Told::Fails(None), false, T0), Some(Change::Opened(Cause::Down)));
        assert_eq!(circuit.tell(&Told::Fails(None), false, T0), None, "it is open already");
        assert_eq!(circuit.tell(&Told::Works, false, T0), Some(Change::Closed));
    }

    #[test]
    fn probes_come_seldom_and_never_too_seldom() {
        let mut circuit = circuit();
        told(&mut circuit, &Told::Fails(None), 5);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            pauses.push(circuit.open.as_ref().unwrap().next_try.since(T0).as_secs());
            circuit.tell(&Told::Fails(None), false, T0);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 8, 8]);
        circuit.tell(&Told::Fails(Some(Duration::from_mins(3))), false, T0);
        assert_eq!(
            circuit.open.unwrap().next_try.since(T0),
            Duration::from_mins(3),
            "Retry-After is honoured"
        );
    }

    #[test]
    fn one_flight_tries_when_a_probe_is_answered_and_less_and_less_often_when_it_fails() {
        let (circuits, probe) = (Circuits::default(), probe("secret"));
        let mut now = T0;
        circuits.admit(&probe, now).unwrap();
        for _ in 0..5 {
            circuits.tell(&probe.key, &Told::Fails(None), now);
        }
        let mut waits = Vec::new();
        for _ in 0..9 {
            let Err(Refusal::Down(wait)) = circuits.admit(&probe, now) else { panic!("it is open") };
            assert!(!circuits.closed_to_all(now).is_empty());
            waits.push(wait.as_secs());
            now = now + wait;
            assert_eq!(circuits.due_probes(now).len(), 1);
            assert_eq!(circuits.tell(&probe.key, &Told::Answers, now), Some(Change::HalfOpened));
            assert!(circuits.closed_to_all(now).is_empty());
            assert_eq!(circuits.admit(&probe, now), Ok(()), "one tries");
            assert!(circuits.admit(&probe, now).is_err(), "the others wait for what it tells");
            assert_eq!(circuits.tell(&probe.key, &Told::Fails(None), now), None, "still open");
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 120, 120]);
        circuits.tell(&probe.key, &Told::Answers, now);
        assert_eq!(circuits.tell(&probe.key, &Told::Works, now), Some(Change::Closed));
        assert_eq!(circuits.admit(&probe, now), Ok(()));
    }

    #[test]
    fn one_refusal_of_our_app_is_enough_and_a_corrected_secret_is_another_app() {
        let (circuits, wrong, right) = (Circuits::default(), probe("wrong"), probe("right"));
        let error = Some("invalid_client".to_owned());
        circuits.admit(&wrong, T0).unwrap();
        let opened = circuits.tell(&wrong.key, &Told::RefusesUs(error.clone()), T0);
        assert_eq!(opened, Some(Change::Opened(Cause::Configuration(error.clone()))));
        assert_eq!(circuits.admit(&wrong, T0), Err(Refusal::Configuration(error)));
        assert_eq!(circuits.closed_to_all(T0).len(), 1);
        assert_eq!(circuits.admit(&right, T0), Ok(()));
        assert!(circuits.closed_to_all(T0).is_empty(), "one tenant's wrong secret is not everybody's");
        let later = T0 + FORGET_AFTER;
        assert!(
            circuits.due_probes(later).is_empty() && circuits.open().is_empty(),
            "nobody asks for it any more"
        );
    }

    #[test]
    fn a_burst_of_dead_grants_is_not_believed_and_a_few_among_many_are() {
        let (circuits, probe) = (Circuits::default(), probe("secret"));
        circuits.admit(&probe, T0).unwrap();
        let tell = |told: &Told, at| circuits.tell(&probe.key, told, at);
        assert!((0..9).all(|_| tell(&Told::Dead, T0).is_none() && circuits.believes(&probe.key, T0)));
        assert_eq!(tell(&Told::Dead, T0), Some(Change::Opened(Cause::DeadBurst)));
        assert!(!circuits.believes(&probe.key, T0));
        assert_eq!(circuits.admit(&probe, T0), Ok(()), "those that live are refreshed all the same");
        assert_eq!(circuits.open(), [("sandbox".parse().unwrap(), Cause::DeadBurst)]);
        let many = (0..400).filter_map(|_| tell(&Told::Works, T0)).count();
        assert_eq!(many, 1, "it ends once: 10 of 200 are no burst");
        assert!(circuits.believes(&probe.key, T0));
        assert!((0..5).all(|_| tell(&Told::Dead, T0).is_none()));
        let later = T0 + BURST_WINDOW + Duration::from_secs(1);
        assert!(
            (0..9).all(|_| tell(&Told::Dead, later).is_none()),
            "what is older than the window counts no more"
        );
    }

    #[test]
    fn the_operators_word_ends_a_burst_and_holds_for_an_hour() {
        let (circuits, probe) = (Circuits::default(), probe("secret"));
        circuits.admit(&probe, T0).unwrap();
        let die = |at| (0..50).filter_map(|_| circuits.tell(&probe.key, &Told::Dead, at)).count();
        assert_eq!(die(T0), 1);
        assert_eq!(circuits.believe(T0), std::slice::from_ref(&probe.key));
        assert!(circuits.believes(&probe.key, T0));
        assert_eq!(die(T0), 0);
        assert_eq!(die(T0 + BELIEVE_FOR), 1);
    }
}
