//! RFC 6749, The OAuth 2.0 Authorization Framework: what it asks of an authorization server.

mod clients;
mod code;
mod endpoints;
mod refresh;
mod security;
mod token;
