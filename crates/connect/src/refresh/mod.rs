//! One refresh of one credential at a time, everywhere, and nothing ever lost (RFC 6749 §6).
//!
//! - [`flight`]: the algorithm, a state machine without I/O; [`steps`] is its vocabulary, [`rules`] has its times
//! - `driver`: does what the flight says, with the store, the provider and the spool
//! - [`spool`]: answers on their way to PostgreSQL
//! - `circuit`: a provider that is down is left alone
//! - [`schedule`]: what is due is refreshed before anybody asks; what was abandoned is recovered
//! - [`metrics`]: what is counted; [`log`]: what whoever waits is told of a flight
//!
//! The single-flight key is the credential, never the connection: members of a group share one refresh token. The work
//! is a detached task; callers only wait for it, and a caller that goes away does not cancel it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{CredentialId, IntegrationId, Timestamp, WriterId};
use store::credentials::SealedTokens;
use store::refreshes::Claim;
use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};
use vault::TokenHash;

use crate::progress::Progress;
use crate::{Connect, Error};

mod circuit;
pub(crate) mod driver;
pub mod flight;
pub mod log;
pub mod metrics;
pub mod rules;
pub mod schedule;
pub mod spool;
pub mod steps;

use circuit::Circuits;
pub use flight::Landing;
use flight::RETRY_AFTER;
use log::{FlightLog, FlightStep, Pen};
use metrics::RefreshMetrics;
use spool::Spool;

/// Calls to providers that rotate strictly, under way in this process: a crash can lose at most so many answers.
const STRICT_AT_ONCE: usize = 8;

/// Flights that the background lets be under way at the same time, most of them waiting for their turn.
const MAX_QUEUED: usize = 256;

/// How many flights of one integration may wait for each place that it has, so that a slow provider does not take the
/// queue from the others.
const QUEUED_FOR_EACH_PLACE: usize = 4;

/// Of these, at most so many to one integration: a slow one does not keep the others out.
const STRICT_OF_ONE: usize = 6;

/// Why a refresh is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// It is due.
    Background,
    /// A token that is still good was handed out near its end.
    Near,
    /// A caller waits for it.
    Read,
    /// A caller waits for it, to whom the provider's API has refused the present access token.
    Rejected,
    /// Somebody asked for it.
    Forced,
    /// An earlier one was abandoned.
    Recovery,
    /// A failure is played ([`crate::drill`]).
    Drill,
}

impl Trigger {
    /// Whether somebody waits for its end.
    pub(crate) const fn is_waited_for(self) -> bool {
        matches!(self, Self::Read | Self::Rejected | Self::Forced | Self::Drill)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Background | Self::Near | Self::Recovery => "background",
            Self::Read | Self::Rejected => "read",
            Self::Forced => "forced",
            Self::Drill => "drill",
        }
    }
}

/// What the operator decided about refreshing.
#[derive(Debug, Clone)]
pub struct RefreshSettings {
    /// The pause before the second call of a flight; it doubles.
    pub first_retry: Duration,
    /// How long a call to a provider that rotates may take.
    pub call_limit: Duration,
    /// How long the holder of an abandoned call may take to come back with what its spool holds.
    pub holder_returns: Duration,
    /// How long a credential may be unused before it is left to refresh on demand.
    pub idle_after: Duration,
    /// Calls to one integration at the same time, in this process.
    pub at_once: usize,
    /// Refreshes that the background begins a second at one integration, in this process.
    pub per_second: u32,
}

/// How a flight ended, for everybody who waited.
pub(crate) type Outcome = Result<Landing, Arc<Error>>;

/// What all flights of this process share.
pub(crate) struct Refreshing {
    board: Mutex<Board>,
    circuits: Circuits,
    spool: Option<Spool>,
    strict: Arc<Semaphore>,
    budgets: Mutex<HashMap<IntegrationId, Arc<Semaphore>>>,
    pace: Mutex<HashMap<IntegrationId, tokio::time::Instant>>,
    /// Flights from the queue, by app.
    queued: Arc<Mutex<HashMap<(IntegrationId, String), usize>>>,
    /// Credentials whose tokens were handed out and whose row does not say so yet.
    used: Mutex<HashSet<CredentialId>>,
    holder: WriterId,
    /// Set when the process begins to stop: what is due is left to others.
    stopping: AtomicBool,
    pub(crate) metrics: RefreshMetrics,
}

#[derive(Default)]
struct Board {
    under_way: HashMap<CredentialId, (Trigger, watch::Receiver<FlightLog>)>,
    /// Credentials that reads near the end leave alone after a failure.
    resting: HashMap<CredentialId, Timestamp>,
    /// Rejected tokens that a refresh has answered with the same token.
    answered: HashMap<CredentialId, TokenHash>,
}

/// How many of those are remembered; then all are forgotten, which costs a call each.
const MAX_ANSWERED: usize = 10_000;

impl Refreshing {
    /// The answers that lie in the spool, with the claims that brought them.
    pub(crate) fn spooled(&self) -> Vec<(Claim, Arc<SealedTokens>)> {
        let kept = self.spool.as_ref().map(Spool::all).unwrap_or_default();
        kept.into_iter().map(|kept| (kept.claim, kept.tokens)).collect()
    }

    pub(crate) fn new(spool: Option<Spool>) -> Self {
        Self {
            board: Mutex::default(),
            circuits: Circuits::default(),
            spool,
            strict: Arc::new(Semaphore::new(STRICT_AT_ONCE)),
            budgets: Mutex::default(),
            pace: Mutex::default(),
            queued: Arc::default(),
            used: Mutex::default(),
            holder: vault::random::id(),
            stopping: AtomicBool::new(false),
            metrics: RefreshMetrics::default(),
        }
    }

    /// From here on nothing is begun that nobody waits for.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether a refresh that nobody waits for had better not be tried again yet.
    pub(crate) fn rests(&self, credential: &CredentialId, now: Timestamp) -> bool {
        self.board().resting.get(credential).is_some_and(|until| *until > now)
    }

    /// Whether a refresh has already answered this rejection with the same token.
    pub(crate) fn answered(&self, credential: &CredentialId, rejected: &TokenHash) -> bool {
        self.board().answered.get(credential) == Some(rejected)
    }

    pub(crate) fn remember_answered(&self, credential: CredentialId, rejected: TokenHash) {
        let mut board = self.board();
        if board.answered.len() >= MAX_ANSWERED {
            board.answered.clear();
        }
        board.answered.insert(credential, rejected);
    }

    /// After a failure reads near the end leave the credential alone for a while.
    fn rest_after(&self, credential: CredentialId, outcome: &Outcome, now: Timestamp) {
        let mut board = self.board();
        board.resting.retain(|_, until| *until > now);
        match outcome {
            Ok(Landing::Fresh | Landing::Gone | Landing::Dead) => board.resting.remove(&credential),
            Ok(Landing::Unavailable(pause)) => board.resting.insert(credential, now + *pause),
            Ok(Landing::Configuration(_) | Landing::Held | Landing::Failed) | Err(_) => {
                board.resting.insert(credential, now + RETRY_AFTER)
            }
        };
    }

    fn budget(&self, integration: &IntegrationId, at_once: usize) -> Arc<Semaphore> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.entry(integration.clone()).or_insert_with(|| Arc::new(Semaphore::new(at_once))).clone()
    }

    /// How many flights of the queue wait or fly.
    fn queued(&self) -> usize {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    fn is_under_way(&self, credential: &CredentialId) -> bool {
        self.board().under_way.contains_key(credential)
    }

    /// Takes a place among the queued flights of an app until it is dropped.
    fn queue(&self, integration: IntegrationId, client_id: String) -> Place {
        let app = (integration, client_id);
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        *queued.entry(app.clone()).or_default() += 1;
        Place { queued: self.queued.clone(), app }
    }

    /// Apps of which enough flights wait already.
    fn crowded(&self, at_once: usize) -> Vec<(IntegrationId, String)> {
        let queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = queued.iter().filter(|(_, flights)| **flights >= at_once * QUEUED_FOR_EACH_PLACE);
        crowded.map(|(app, _)| app.clone()).collect()
    }

    fn used(&self, credential: CredentialId) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(credential);
    }

    fn take_used(&self) -> Vec<CredentialId> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *used).into_iter().collect()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // The board is whole after every statement, so a panic elsewhere does not spoil it.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queued flight's place.
struct Place {
    queued: Arc<Mutex<HashMap<(IntegrationId, String), usize>>>,
    app: (IntegrationId, String),
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flights) = queued.get_mut(&self.app) {
            *flights -= 1;
            if *flights == 0 {
                queued.remove(&self.app);
            }
        }
    }
}

/// Takes the flight off the board however it ends, a panic included, so that nobody waits for ever.
struct OnBoard {
    refreshing: Arc<Refreshing>,
    credential: CredentialId,
}

impl Drop for OnBoard {
    fn drop(&mut self) {
        self.refreshing.board().under_way.remove(&self.credential);
        self.refreshing.metrics.in_flight.dec();
    }
}

impl Connect {
    /// Joins the flight of this credential, or starts it. `generation` is the one that the caller saw: a flight does
    /// nothing when the tokens have been replaced since.
    pub(crate) fn fly(&self, credential: CredentialId, generation: i64, trigger: Trigger) -> Waiter {
        let metrics = self.refreshing.metrics.clone();
        let mut board = self.refreshing.board();
        if let Some((joined, log)) = board.under_way.get(&credential) {
            debug!(%credential, on = "flight", "refresh.waiting");
            return Waiter { log: log.clone(), metrics, joined: Some(*joined) };
        }
        let (pen, log) = Pen::new();
        board.under_way.insert(credential, (trigger, log.clone()));
        drop(board);
        metrics.in_flight.inc();
        let on_board = OnBoard { refreshing: self.refreshing.clone(), credential };
        let plane = self.clone();
        drop(self.detach(async move {
            let ended = plane.refresh(credential, generation, trigger, &pen).await.map_err(Arc::new);
            if let Err(error) = &ended {
                warn!(%credential, trigger = trigger.word(), outcome = "failure", %error, "refresh.failed");
            }
            plane.refreshing.rest_after(credential, &ended, plane.now());
            drop(on_board);
            pen.end(ended);
        }));
        Waiter { log, metrics, joined: None }
    }
}

/// A caller who waits for a refresh under way.
pub(crate) struct Waiter {
    log: watch::Receiver<FlightLog>,
    metrics: RefreshMetrics,
    /// Why somebody else had begun it, if so.
    pub(crate) joined: Option<Trigger>,
}

impl Waiter {
    /// Waits for its end, at most `wait`; the flight goes on in any case. `None` when it has not ended by then.
    pub(crate) async fn outcome(self, wait: Duration) -> Option<Outcome> {
        self.outcome_with(wait, &Progress::unheard()).await
    }

    /// The same, and tells its steps.
    pub(crate) async fn outcome_with(
        mut self,
        wait: Duration,
        progress: &Progress<FlightStep>,
    ) -> Option<Outcome> {
        let _counted = Counted::one(&self.metrics);
        if let Some(joined) = self.joined {
            progress.tell(FlightStep::joined(joined.word()));
        }
        tokio::time::timeout(wait, self.follow(progress)).await.ok()
    }

    async fn follow(&mut self, progress: &Progress<FlightStep>) -> Outcome {
        let mut told = 0;
        loop {
            {
                let log = self.log.borrow_and_update();
                for step in log.steps.iter().skip(told) {
                    progress.tell(step.clone());
                }
                told = log.steps.len();
                if let Some(outcome) = &log.outcome {
                    return outcome.clone();
                }
            }
            if self.log.changed().await.is_err() {
                // The task panicked; the panic is in the log.
                return Ok(Landing::Unavailable(RETRY_AFTER));
            }
        }
    }

    /// Waits for its end, however it ends.
    async fn ended(mut self) {
        // An error is an end too.
        let _ = self.log.wait_for(|log| log.outcome.is_some()).await;
    }
}

/// A caller in the gauge of waiters, for as long as it waits.
struct Counted(RefreshMetrics);

impl Counted {
    fn one(metrics: &RefreshMetrics) -> Self {
        metrics.waiters.inc();
        Self(metrics.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.waiters.dec();
    }
}
