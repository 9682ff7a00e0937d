//! What a drill tells while it is played.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::progress::Progress;
use crate::refresh::driver::millis;

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
    /// It waits.
    Waiting {
        /// For what: somebody else's `lease`, the `store`.
        on: &'static str,
    },
    /// The refresh token is set aside, and an invalid one stands in its place.
    SetAside,
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
        /// What that means.
        class: Option<&'static str>,
    },
    /// It calls again after a pause.
    Retrying {
        /// The number of the call to come.
        attempt: u32,
        /// The pause, in milliseconds.
        pause_ms: u64,
    },
    /// What the product's backend gets now.
    BackendGets(BackendGets),
    /// What the customer's page says now.
    PageSays {
        /// The words.
        page: String,
    },
    /// Token and state are what they were.
    Restored,
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
