//! `POST /oauth/par`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::fresh;
use super::{Call, Refused};
use crate::App;

/// RFC 9126 §2.
pub async fn push(State(app): State<App>, call: Call) -> Result<Response, Refused> {
    let mut response = fresh(&app.grant.push(&call.request()).await?);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
