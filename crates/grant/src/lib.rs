//! The grant plane: Claviger is the authorization server. From a person's consent to tokens in an application's hands, and back.
//!
//! - [`authorize`]: the authorization endpoint: a request is checked, a person signs in, chooses and agrees
//! - [`login`]: who that person is
//! - [`token`]: the token endpoint; [`grant_types`] has a file for each way to get tokens
//! - [`push`]: requests that come before the browser does
//! - [`revoke`], [`introspect`], [`userinfo`]: what becomes of tokens, and what they say
//! - [`metadata`]: what clients find out by themselves; [`signing`]: the keys behind it
//! - [`register`], [`client_id_document`]: applications that come without the operator
//! - [`client_auth`]: an application proves who it is
//! - [`application`], [`listed`], [`users`], [`consents`]: what operators, and people themselves, do with them
//! - [`protect`]: resources that we stand before
//! - [`limits`]: how often anybody may try; [`sweep`]: what is over goes
//!
//! The plane knows no HTTP and no SQL: forms and headers come in as texts, and every answer is a value. What an application did
//! wrong is a [`Refusal`], with the code that its RFC registers; what we can't do just now is an [`Error`] of its own, so that
//! a store that does not answer is never told as the application's fault.
//!
//! Whatever lies in the store is live: a token that is revoked has no row any more, nor has a consent that was withdrawn.

pub mod application;
pub mod authorize;
pub mod client_auth;
pub mod client_id_document;
pub mod consents;
pub mod error;
pub mod form;
pub mod grant_types;
pub mod introspect;
pub mod limits;
pub mod listed;
pub mod login;
pub mod metadata;
pub mod metrics;
pub mod protect;
pub mod push;
pub mod register;
pub mod revoke;
pub mod scope;
pub mod signing;
pub mod sweep;
pub mod token;
pub mod userinfo;
pub mod users;

mod access;
mod client_metadata;
mod issue;
mod plane;

pub use error::{Error, Refusal};
pub use plane::{Endpoint, Grant, McpSettings, Parts, ScopeText, Settings};

/// What every deed of the plane answers.
pub type Result<T> = std::result::Result<T, Error>;
