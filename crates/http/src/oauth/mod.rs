//! The endpoints of our own authorization server that programs and browsers call: one file an endpoint. How pages are
//! drawn stands in [`crate::pages::oauth`].

pub mod access;
pub mod authorize;
pub mod introspect;
pub mod metadata;
pub mod push;
pub mod register;
pub mod revoke;
pub mod token;
pub mod userinfo;

mod answer;
mod bearer;
mod body;
mod browser;
mod cors;

pub use answer::Refused;
pub(crate) use answer::SOON;
pub(crate) use bearer::{bearer, no_token};
pub use body::Call;
pub use cors::{open, open_to_all};
