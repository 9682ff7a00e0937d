//! The connect plane: Claviger is the OAuth client. From a person's click to a token in the product's hands.
//!
//! - [`authorize`]: begins an attempt, and says where to send the browser
//! - [`hop`]: our own step on the way to the provider, which binds the browser
//! - [`callback`]: the browser comes back; state, binding, one-time use, exchange, connection
//! - [`access_token`]: a token that works, by the table of the specification
//! - [`refresh`]: one refresh of one credential at a time, everywhere, and nothing ever lost
//! - [`connections`]: list, inspect, metadata, import
//! - [`history`]: what has happened to a connection
//! - [`drill`]: a refresh fails for real, and everything is as before
//! - [`disconnect`]: erase the tokens, keep the row
//! - [`parts`]: further tokens of one consent
//! - [`revocation`]: grants are given back to their providers, now or later
//! - [`validate`]: asks a provider whether a token works
//! - [`portal`]: links to pages, and who comes with them; [`mail`]: invitations are sent
//! - [`stripe`]: subjects get accounts at Stripe
//! - [`keys`]: the data keys while the process runs; they are rotated, and everything is checked
//! - [`progress`]: long work tells how it goes
//! - [`status`]: what a subject has connected
//! - [`integrations`]: which of our apps speaks for whom
//!
//! The plane knows no HTTP of its own side and no SQL; it is called by the `http` crate and by the command line alike.

pub mod access_token;
pub mod authorize;
pub mod callback;
pub mod connections;
pub mod disconnect;
pub mod drill;
pub mod error;
pub mod history;
pub mod hop;
pub mod integrations;
pub mod keys;
pub mod mail;
pub mod parts;
pub mod portal;
pub mod progress;
pub mod refresh;
pub mod return_to;
pub mod revocation;
pub mod status;
pub mod stripe;
pub mod validate;

mod groups;
mod plane;

pub use error::Error;
pub use plane::{Connect, Parts, Settings};

/// What every deed of the plane answers.
pub type Result<T> = std::result::Result<T, Error>;
