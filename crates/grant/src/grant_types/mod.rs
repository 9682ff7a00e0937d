//! The ways to get tokens, each a file that reads as its clause.

mod authorization_code;
mod client_credentials;
mod refresh_token;
