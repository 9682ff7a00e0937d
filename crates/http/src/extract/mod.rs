//! What a handler may take for granted: it stands in its arguments.

mod address;
mod api_key;
mod json;
mod lines;
mod own_form;
mod parameters;
mod visitor;

pub use address::Peer;
pub use api_key::{
    Admin, ApiKey, ApplicationsWrite, AuditRead, ConnectionsRead, ConnectionsToken, ConnectionsWrite,
    Operator, PortalWrite, RequiredScope,
};
pub use json::Json;
pub use lines::Lines;
pub use own_form::OwnForm;
pub use parameters::{Path, Query, SpokenLanguage};
pub use visitor::Visitor;

pub(crate) use address::{address_of, whole_address_of};
pub(crate) use parameters::duration;
pub(crate) use visitor::COOKIE as PORTAL_COOKIE;
