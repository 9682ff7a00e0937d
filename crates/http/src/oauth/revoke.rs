//! `POST /oauth/revoke`.

use axum::extract::State;
use axum::http::StatusCode;

use super::{Call, Refused};
use crate::App;

/// RFC 7009 §2. 200 with an empty body also for a token that nobody knows.
pub async fn revoke(State(app): State<App>, call: Call) -> Result<StatusCode, Refused> {
    app.grant.revoke(&call.request()).await?;
    Ok(StatusCode::OK)
}
