//! The format of catalog files, shared by the library and by `build.rs`, which checks the files that are compiled in.
//!
//! 1. [`mod@file`] reads the TOML and says in which line a mistake stands.
//! 2. [`entry`] says what an entry consists of, [`recipe`] how answers are read and calls are made, [`template`] and
//!    [`address`] how addresses and paths are written.
//!    [`account`] says whose account it is, [`tokens`] which tokens there are besides the one pair.
//! 3. [`check`] and [`check_tokens`] apply the rules that types can't.

pub mod account;
pub mod address;
pub mod check;
pub mod check_tokens;
pub mod entry;
pub mod file;
pub mod recipe;
pub mod template;
pub mod tokens;
