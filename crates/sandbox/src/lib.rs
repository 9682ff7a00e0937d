//! A third party of our own making: an OAuth provider as strict and as unreliable as real ones, for the demo, for our
//! tests and for users' own. It shares no code with the rest of Claviger, so that a shared mistake can't hide.
//!
//! What the world sees, one module an endpoint:
//! - `authorize`: the consent page and the code (RFC 6749 §4.1.1, RFC 7636, RFC 9207)
//! - `token`: the code and the refresh token become tokens (RFC 6749 §4.1.3, §6)
//! - `revoke`, `introspect`: RFC 7009, RFC 7662
//! - `resource`: userinfo and a small API, which need the token (RFC 6750)
//! - `metadata`: RFC 8414
//! - `control_api`: behaviour, log, totals, reset; `page`: what a person reads
//!
//! What stands behind:
//! - `settings`, `failure`, `control`: how it is told to behave
//! - `app`, `client_auth`: who asks
//! - `account`, `grants`, `family`, `pkce`: who agreed to what, and every token's life
//! - `call`: what happens to each call in order: failure, work, log, latency; `line`: the connection below it
//! - `log`, `clock`, `parameters`, `scope`, `answer`, `same_origin`, `language`
//!
//! Everything is held in memory and bounded. Only hashes of codes and tokens are kept.

mod account;
mod answer;
mod app;
mod authorize;
mod call;
mod client_auth;
mod clock;
mod control;
mod control_api;
mod failure;
mod family;
mod grants;
mod introspect;
mod language;
mod line;
mod log;
mod metadata;
mod page;
mod parameters;
mod pkce;
mod resource;
mod revoke;
mod same_origin;
mod sandbox;
mod scope;
mod settings;
mod token;

pub use clock::{Clock, SystemClock};
pub use sandbox::{InvalidBaseUrl, Sandbox, serve};
