//! What is counted of refreshes. Labels are integrations and words of our own.

use std::collections::HashSet;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{IntegrationId, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use store::refreshes::Backlog;

use super::circuit::Cause;

/// Upper bounds in seconds: a commit in memory-fast storage to a database that was away.
const BOUNDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0];

/// The counters of one process; cheap to clone.
#[derive(Clone)]
pub struct RefreshMetrics {
    refreshes: Family<Ended, Counter>,
    circuits: Family<CircuitState, Gauge>,
    /// The circuits that `circuits` shows: between two of its updates nothing is ever missing.
    shown: Arc<Mutex<HashSet<CircuitState>>>,
    pub(super) in_flight: Gauge,
    pub(super) waiters: Gauge,
    oldest_due: Gauge<i64, AtomicI64>,
    journal_rows: Gauge,
    answer_to_durable: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    integration: String,
    outcome: &'static str,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CircuitState {
    integration: String,
    cause: &'static str,
}

impl Default for RefreshMetrics {
    fn default() -> Self {
        Self {
            refreshes: Family::default(),
            circuits: Family::default(),
            shown: Arc::default(),
            in_flight: Gauge::default(),
            waiters: Gauge::default(),
            oldest_due: Gauge::default(),
            journal_rows: Gauge::default(),
            answer_to_durable: Histogram::new(BOUNDS),
        }
    }
}

impl RefreshMetrics {
    /// Has them published.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "refreshes",
            "Refreshes by how they ended and what the last answer meant",
            self.refreshes.clone(),
        );
        registry.register(
            "refreshes_in_flight",
            "Refreshes under way in this process",
            self.in_flight.clone(),
        );
        registry.register("refresh_waiters", "Callers who wait for a refresh", self.waiters.clone());
        registry.register(
            "refresh_oldest_due_seconds",
            "For how long the longest waiting credential has been due",
            self.oldest_due.clone(),
        );
        registry.register(
            "refresh_journal_rows",
            "Calls whose end is not known, and orphaned answers",
            self.journal_rows.clone(),
        );
        registry.register(
            "refresh_circuit_open",
            "1 while an integration's circuit is open",
            self.circuits.clone(),
        );
        registry.register(
            "refresh_answer_to_durable_seconds",
            "From the provider's answer to the durable commit",
            self.answer_to_durable.clone(),
        );
    }

    pub(super) fn ended(&self, integration: &IntegrationId, outcome: &'static str, class: &'static str) {
        let ended = Ended { integration: integration.to_string(), outcome, class };
        self.refreshes.get_or_create(&ended).inc();
    }

    pub(super) fn durable(&self, took: Duration) {
        self.answer_to_durable.observe(took.as_secs_f64());
    }

    pub(super) fn backlog(&self, backlog: &Backlog, now: Timestamp) {
        let waiting = backlog.oldest_due.map_or(0, |due| now.since(due).as_secs());
        self.oldest_due.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.journal_rows.set(backlog.journal_rows);
    }

    pub(super) fn circuits(&self, open: &[(IntegrationId, Cause)]) {
        let open: HashSet<_> = open
            .iter()
            .map(|(integration, cause)| CircuitState {
                integration: integration.to_string(),
                cause: cause.word(),
            })
            .collect();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for state in shown.difference(&open) {
            self.circuits.remove(state);
        }
        for state in &open {
            self.circuits.get_or_create(state).set(1);
        }
        *shown = open;
    }
}
