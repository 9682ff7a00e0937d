//! The connect plane's endpoints, one file each.

pub mod api_keys;
pub mod audit;
pub mod authorize;
pub mod callback;
pub mod connections;
pub mod drill;
pub mod history;
pub mod hop;
pub mod integrations;
pub mod keys;
pub mod portal_sessions;
pub mod providers;
pub mod refreshing;
pub mod status;
pub mod stripe;
pub mod subjects;
pub mod token;
pub mod validate;
