//! What is counted of revocations. Labels are integrations and words of our own.

use std::sync::atomic::AtomicI64;

use model::{IntegrationId, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::revocations::RevocationBacklog;

/// The counters of one process; cheap to clone.
#[derive(Clone, Default)]
pub struct RevocationMetrics {
    attempts: Family<Ended, Counter>,
    waiting: Gauge<i64, AtomicI64>,
    oldest: Gauge<i64, AtomicI64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    integration: String,
    outcome: &'static str,
}

impl RevocationMetrics {
    /// Has them published.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "revocations",
            "Attempts to give a grant back, by how they ended",
            self.attempts.clone(),
        );
        registry.register(
            "revocations_waiting",
            "Grants that are still to be given back",
            self.waiting.clone(),
        );
        registry.register(
            "revocation_oldest_seconds",
            "For how long the oldest of these has been waiting",
            self.oldest.clone(),
        );
    }

    pub(super) fn ended(&self, integration: &IntegrationId, outcome: &'static str) {
        let ended = Ended { integration: integration.to_string(), outcome };
        self.attempts.get_or_create(&ended).inc();
    }

    pub(super) fn backlog(&self, backlog: &RevocationBacklog, now: Timestamp) {
        let waiting = backlog.oldest.map_or(0, |since| now.since(since).as_secs());
        self.waiting.set(backlog.count);
        self.oldest.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}
