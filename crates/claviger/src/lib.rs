//! Claviger: both ends of OAuth for a product, in one binary.
//!
//! - [`config`]: what the operator decided
//! - [`wiring`]: planes, store and vault are put together here and nowhere else
//! - [`server`]: listeners, and an end in good order
//! - [`jobs`]: what timers do
//! - [`keys`]: a new master key in place of the old one
//! - [`restored`]: notices that the store has gone back in time
//! - [`cli`]: the commands

pub mod cli;
pub mod config;
mod documents;
pub mod jobs;
pub mod keys;
pub mod logging;
pub mod restored;
pub mod server;
pub mod wiring;
