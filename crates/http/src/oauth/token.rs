//! `POST /oauth/token`, and `POST /oauth/refresh` for refresh tokens alone.

use axum::extract::State;
use axum::response::Response;

use super::answer::fresh;
use super::{Call, Refused};
use crate::App;

/// RFC 6749 §3.2.
pub async fn token(State(app): State<App>, call: Call) -> Result<Response, Refused> {
    Ok(fresh(&app.grant.token(&call.request()).await?))
}

/// The same for `grant_type=refresh_token`, which may be left out here.
pub async fn refresh(State(app): State<App>, call: Call) -> Result<Response, Refused> {
    Ok(fresh(&app.grant.refresh(&call.request()).await?))
}
