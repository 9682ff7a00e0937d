//! `POST /oauth/introspect`.

use axum::extract::State;
use axum::response::Response;

use super::answer::fresh;
use super::{Call, Refused};
use crate::App;

/// RFC 7662 §2.
pub async fn introspect(State(app): State<App>, call: Call) -> Result<Response, Refused> {
    Ok(fresh(&app.grant.introspect(&call.request()).await?))
}
