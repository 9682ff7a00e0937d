//! Stripe, played at its own paths: `{base}/v1/…`, so that its official libraries can be pointed at the sandbox.
//!
//! 1. `call`: a failure that is due, the `actor`, the parameters, the idempotency key; `route` finds the operation
//! 2. `accounts`, `link`, `intents`, `event` do the work; `form`, `listing`, `answer`, `problem` read and write
//! 3. `page`: where an account link leads a person; `words`: what is read there
//! 4. what changes is told by an event, which `webhook` signs and sends
//! 5. `control_api`: `/control/stripe`, with `control` and `settings` behind it
//!
//! Played are connected accounts, account links, payment intents with cards that need no authentication, and events.
//! A parameter that Stripe knows and that is not played is refused like an unknown one, never ignored. Everything is held
//! in memory and bounded; the oldest goes first.

mod account;
mod accounts;
mod actor;
mod answer;
mod call;
mod control;
mod control_api;
mod endpoint;
mod event;
mod form;
mod idempotency;
mod intent;
mod intents;
mod link;
mod listing;
mod money;
mod page;
mod problem;
mod requirements;
mod route;
mod settings;
mod shelf;
mod webhook;
mod words;

use std::collections::VecDeque;

use axum::Router;
use axum::routing::{any, get, post, put};

use account::Account;
use control::Control;
use event::Event;
use idempotency::Idempotency;
use intent::Intent;
use link::Link;
use shelf::Shelf;

use crate::sandbox::Sandbox;

pub(crate) use endpoint::Endpoint;

/// How many events wait to be sent.
const MAX_QUEUE: usize = 1000;

/// Everything that the simulator holds.
#[derive(Debug, Default)]
pub(crate) struct Stripe {
    control: Control,
    accounts: Shelf<Account>,
    links: Shelf<Link>,
    intents: Shelf<Intent>,
    events: Shelf<Event>,
    idempotency: Idempotency,
    /// Events that wait to be sent, by id.
    queue: VecDeque<String>,
    delivering: bool,
}

impl Stripe {
    /// Settings, failures, platforms and the webhook are as at the start; accounts and what happened stay.
    pub(crate) fn reset_control(&mut self) {
        self.control = Control::default();
        self.queue.clear();
    }

    /// The simulator's clock, in seconds.
    fn now(&self, clock_ms: i64) -> i64 {
        clock_ms.div_euclid(1000).saturating_add(self.control.settings.clock_offset)
    }
}

/// Its URLs.
pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/v1/{*path}", any(call::serve))
        .route("/setup/e/{account}/{token}", get(page::open).post(page::decide))
        .route("/control/stripe", get(control_api::show).put(control_api::change))
        .route("/control/stripe/accounts", get(control_api::accounts))
        .route("/control/stripe/accounts/{account}", put(control_api::change_account))
        .route("/control/stripe/accounts/{account}/deauthorize", post(control_api::deauthorize))
        .route("/control/stripe/events", get(control_api::events))
        .route("/control/stripe/events/{event}/send", post(control_api::send))
}
