//! Rows; the only place with SQL.
//!
//! One trait a noun. A deed happens wholly or not at all, and where two replicas could race, one statement decides.
//! SQLite and PostgreSQL implement the same traits, and one story (`tests/story.rs`) is told to both; nothing outside
//! this crate knows which one it talks to. What must not be read is [`vault::Sealed`], what we only compare is a
//! [`vault::TokenHash`]: a clear token does not fit into any function here.
//!
//! - [`subjects`], [`integrations`], [`attempts`], [`credentials`], [`connections`], [`api_keys`]
//! - [`refreshes`]: claims, leases and the journal of calls, between a credential and its next tokens
//! - [`drills`]: failures that are played, and what they set aside
//! - [`revocations`]: grants that are to be given back to their providers
//! - [`portal`]: links to pages, the browsers that opened them, the mails that carry them
//! - [`stripe`]: accounts at Stripe, and the onboardings that lead to them
//! - [`applications`], [`users`], [`authorizations`], [`grants`], [`families`], [`signing_keys`]: our own authorization server
//! - [`limits`]: how often something may happen; the one noun that Redis or Valkey can have too
//! - [`audit`]: append-only, chained
//! - [`keyring`]: the wrapped data keys; [`sealed`]: everything that they seal
//! - [`health`]: a look at the database itself, which changes nothing
//! - [`Store::open`]: where it all comes from

pub mod api_keys;
pub mod applications;
pub mod attempts;
pub mod audit;
pub mod authorizations;
pub mod connections;
pub mod credentials;
pub mod drills;
pub mod families;
pub mod grants;
pub mod health;
pub mod integrations;
pub mod keyring;
pub mod limits;
pub mod portal;
pub mod refreshes;
pub mod revocations;
pub mod sealed;
pub mod signing_keys;
pub mod stripe;
pub mod subjects;
pub mod users;

mod cache;
mod columns;
mod error;
mod open;
mod postgres;
mod rows;
mod sqlite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod valkey;
mod value;

pub use error::Error;
pub use open::{Migrate, Migrated, Options, Store};

/// What every deed of the store answers.
pub type Result<T> = std::result::Result<T, Error>;
