//! The refresh core of Claviger in a world of faults: deterministic, in virtual time, without threads or I/O.
//!
//! - `provider`: what providers do with a refresh token
//! - `faults`: what goes wrong, by dice or by script
//! - `trial`: one credential, its replicas and its store, from one seed
//! - `weather`, `triggers`: what befalls it, and what begins a refresh
//! - `replica`: one process, which does what the product's own state machine says; `call`, `deed`, `sweep`
//! - `verdict`: what was lost, and whether that could have been avoided
//! - `directed`: the rows of the failure table, one by one
//! - [`report`]: many trials, and their table

mod call;
mod deed;
mod directed;
mod faults;
mod provider;
mod random;
mod replica;
pub mod report;
mod sweep;
mod trial;
mod triggers;
mod verdict;
mod weather;
mod words;

pub use self::provider::Class;
pub use directed::{UNEXPECTED, table};
pub use faults::Sabotage;
pub use trial::Mode;
pub use verdict::Cause;
