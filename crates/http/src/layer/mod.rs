//! What happens around every request: its id, its log line, its count, the security headers, and the documents of the
//! problems that handlers return.

mod headers;
mod request;
mod to_the_end;

pub use headers::security_headers;
pub(crate) use request::Untouched;
pub(crate) use request::panicked;
pub use request::{RequestContext, around};
pub use to_the_end::to_the_end;
