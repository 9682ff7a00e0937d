//! URLs in, responses out; no rules of its own.
//!
//! - [`router`]: every URL on one page
//! - [`connect`]: one file an endpoint of the connect plane
//! - [`oauth`]: one file an endpoint of our own authorization server; [`grant`]: what operators register there
//! - [`operations`]: health, metrics, the `OpenAPI` document
//! - [`pages`]: what a person sees
//! - [`extract`], [`layer`]: what a handler may take for granted, and what happens around every request
//! - [`problem`]: errors become responses here and nowhere else
//! - [`letters`]: what a person gets by mail
//! - [`messages`]: the words that people read, in English and Estonian
//! - [`cookies`]: the one place that sets a cookie

pub mod brand;
pub mod connect;
pub mod cookies;
pub mod extract;
pub mod grant;
pub mod layer;
pub mod letters;
pub mod messages;
pub mod metrics;
pub mod oauth;
pub mod operations;
pub mod pages;
pub mod problem;
pub mod protect;
pub mod router;
pub mod serve;

mod app;

pub use app::{App, Demo, Parts};
