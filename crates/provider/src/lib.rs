//! The outside world: how third parties speak OAuth, and what they say. No database, and no decisions about
//! connections: those are the connect plane's.
//!
//! - [`catalog`]: what each provider documents, as data; [`mod@format`] is how its files are written
//! - [`endpoints`]: an entry's addresses with their placeholders filled, and its regions
//! - [`authorize`]: the authorization request (RFC 6749 §4.1.1)
//! - [`client`]: the one way out; it never reaches into our own network
//! - [`exchange`], [`refresh`]: a code or a refresh token for an access token (RFC 6749 §4.1.3 and §6)
//! - [`answer`]: what an answer of a token endpoint means
//! - [`api`]: calls with an access token; [`identity`]: whose account it is
//! - [`validate`]: whether an access token works
//! - [`stripe`]: Stripe Connect, which is no OAuth
//! - [`revoke`]: a grant that is given back (RFC 7009, or what the provider has instead)
//! - [`mail`]: letters to people, through the operator's mail server

pub mod answer;
pub mod api;
pub mod authorize;
pub mod catalog;
pub mod client;
pub mod endpoints;
pub mod exchange;
pub mod format;
pub mod identity;
pub mod mail;
pub mod refresh;
pub mod revoke;
pub mod stripe;
pub mod validate;

mod client_error;
mod elsewhere;
mod group;
mod member;
mod reach;
mod token_members;
mod token_request;
