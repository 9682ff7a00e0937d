//! What a flight writes down while it is under way, for whoever waits for it.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;

use super::Outcome;
use super::driver::millis;

/// One step of a flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlightStep {
    /// How long after the flight began, in milliseconds.
    elapsed_ms: u64,
    #[serde(flatten)]
    what: What,
}

/// What happened in a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum What {
    /// Somebody else's flight of this credential was under way in this process, and is waited for.
    Joined {
        /// Why that one had begun: `background`, `read`, `forced`.
        trigger: &'static str,
    },
    /// It waits, before it may call.
    Waiting {
        /// For what: another replica's `lease`, the `answer` of an earlier call, the `store`.
        on: &'static str,
    },
    /// The provider is called.
    Calling {
        /// The call's number, from 1.
        attempt: u32,
    },
    /// The provider has answered, or has failed to.
    Answered {
        /// How long the call took, in milliseconds.
        took_ms: u64,
        /// The provider's error code, or a word for what happened; `null` when it brought tokens.
        error: Option<String>,
        /// What that means: `dead`, `not_sent`, `throttled`, `ambiguous`, `configuration` …
        class: Option<&'static str>,
    },
    /// It calls again after a pause.
    Retrying {
        /// The number of the call to come.
        attempt: u32,
        /// The pause, in milliseconds.
        pause_ms: u64,
    },
    /// The store has the new tokens.
    Durable {
        /// Whether the provider gave another refresh token.
        rotated: bool,
    },
}

impl FlightStep {
    pub(super) const fn joined(trigger: &'static str) -> Self {
        Self { elapsed_ms: 0, what: What::Joined { trigger } }
    }
}

/// What is known of a flight so far.
#[derive(Default)]
pub(crate) struct FlightLog {
    pub(super) steps: Vec<FlightStep>,
    pub(super) outcome: Option<Outcome>,
}

/// The flight's own hand on its log.
pub(crate) struct Pen {
    log: watch::Sender<FlightLog>,
    began: Instant,
}

impl Pen {
    pub(crate) fn new() -> (Self, watch::Receiver<FlightLog>) {
        let (log, reader) = watch::channel(FlightLog::default());
        (Self { log, began: Instant::now() }, reader)
    }

    pub(super) fn write(&self, what: What) {
        let elapsed_ms = millis(self.began.elapsed());
        self.log.send_modify(|log| log.steps.push(FlightStep { elapsed_ms, what }));
    }

    /// The answer to a call, which began then.
    pub(super) fn answered(&self, took: Duration, refused: Option<(String, &'static str)>) {
        let (error, class) = refused.unzip();
        self.write(What::Answered { took_ms: millis(took), error, class });
    }

    /// The last word.
    pub(super) fn end(&self, outcome: Outcome) {
        self.log.send_modify(|log| log.outcome = Some(outcome));
    }
}
