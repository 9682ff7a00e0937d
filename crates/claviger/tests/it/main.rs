//! The whole server, over real HTTP, on both databases, with the sandbox and with providers that nobody here wrote.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

mod harness;

mod another_account;
mod api;
mod callback;
mod catalog;
mod cli;
mod clients;
mod disconnect;
mod drill;
mod foreign;
mod grant;
mod groups;
mod journey;
mod keys;
mod look;
mod mail;
mod matrix;
mod operate;
mod pages;
mod played;
mod portal;
mod processes;
mod quirks;
mod refresh;
mod replicas;
mod requirement_000;
mod requirement_001;
mod requirement_004;
mod secrets;
mod stripe;
mod token;
mod trail;
mod validate;
