//! What a drill tells while it is played.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::progress::Progress;
use crate::refresh::driver::millis;
use crate::refresh::log::What as FlightWhat;

/// What the product's backend gets that asks for the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendGets {
    /// The status.
    pub status: u16,
    /// The problem's code; `None` for a token.
    pub code: Option<&'static str>,
    /// Why the person has to connect again.
    pub reason: Option<&'static str>,
}

/// One step of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillStep {
    /// How long after the beginning, in milliseconds.
    elapsed_ms: u64,
    #[serde(flatten)]
    what: What,
}

/// What happened in a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum What {
    /// The refresh token is set aside, and an invalid one stands in its place.
    SetAside,
    /// What the product's backend gets now.
    BackendGets(BackendGets),
    /// What the customer's page says now.
    PageSays {
        /// The words.
        page: String,
    },
    /// Token and state are what they were.
    Restored,
    /// What happens in every flight: it waits, it calls, it is answered, it calls again.
    #[serde(untagged)]
    Flight(FlightWhat),
}

/// Tells the steps with their times.
pub(crate) struct Teller {
    progress: Progress<DrillStep>,
    began: Instant,
    last: Mutex<Option<What>>,
}

impl Teller {
    pub(super) fn new(progress: Progress<DrillStep>) -> Self {
        Self { progress, began: Instant::now(), last: Mutex::default() }
    }

    pub(crate) fn tell(&self, what: What) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.clone());
        self.progress.tell(DrillStep { elapsed_ms: millis(self.began.elapsed()), what });
    }

    /// Tells it unless it was the last that was told.
    pub(crate) fn once(&self, what: What) {
        let is_known = self.last.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&what);
        if !is_known {
            self.tell(what);
        }
    }
}
