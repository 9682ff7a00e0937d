//! What is counted of tokens. Labels are words of our own.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The counters of one process; cheap to clone.
#[derive(Clone, Default)]
pub struct GrantMetrics {
    refreshes: Family<Ended, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

impl GrantMetrics {
    /// Has them published.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "grant_refreshes",
            "Refresh tokens that applications presented, by what came of it",
            self.refreshes.clone(),
        );
    }

    /// A refresh token was presented.
    pub(crate) fn refreshed(&self, outcome: &'static str) {
        self.refreshes.get_or_create(&Ended { outcome }).inc();
    }
}
