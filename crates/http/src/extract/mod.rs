//! What a handler may take for granted: it stands in its arguments.

mod api_key;
mod json;
mod parameters;

pub use api_key::{Admin, ApiKey, ConnectionsRead, ConnectionsToken, ConnectionsWrite, RequiredScope};
pub use json::Json;
pub use parameters::{Path, Query, SpokenLanguage};
