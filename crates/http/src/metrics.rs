//! What is counted, in the text format of `OpenMetrics`. Labels are routes, methods and words of our own, never anything
//! that a caller sent.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The counters of one process.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    /// Access tokens handed out.
    pub tokens: Counter,
    attempts: Family<Attempt, Counter>,
    /// Attempts that expired and were swept.
    pub attempts_swept: Counter<u64, AtomicU64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    outcome: &'static str,
}

/// Upper bounds in seconds: from a read out of memory to a provider that takes its time.
const BOUNDS: [f64; 10] = [0.000_1, 0.000_5, 0.002_5, 0.01, 0.05, 0.25, 1.0, 5.0, 20.0, 60.0];

impl Metrics {
    /// Registers everything; `more` registers what the planes count.
    pub fn new(more: impl FnOnce(&mut Registry)) -> Self {
        let mut registry = Registry::with_prefix("claviger");
        more(&mut registry);
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let durations: Family<Route, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BOUNDS));
        registry.register(
            "http_request_duration_seconds",
            "From the head of a request to the head of its answer",
            durations.clone(),
        );
        let tokens = Counter::default();
        registry.register("access_tokens_handed_out", "Access tokens handed out", tokens.clone());
        let attempts = Family::default();
        registry.register("attempts", "Authorization attempts by how they ended", attempts.clone());
        let attempts_swept: Counter<u64, AtomicU64> = Counter::default();
        registry.register(
            "attempts_swept",
            "Expired attempts deleted after their retention",
            attempts_swept.clone(),
        );
        Self { registry, requests, durations, tokens, attempts, attempts_swept }
    }

    /// Counts one request. `route` is the pattern, never the path.
    pub fn request(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { method, route: route.to_owned(), status }).inc();
        self.durations.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// Counts one attempt: `started`, `completed`, or the code of what went wrong.
    pub fn attempt(&self, outcome: &'static str) {
        self.attempts.get_or_create(&Attempt { outcome }).inc();
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("writing to a string does not fail");
        out
    }
}
