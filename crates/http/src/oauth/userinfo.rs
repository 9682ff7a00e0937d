//! `GET /oauth/userinfo`, also as `/oauth/test`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Refused;
use super::answer::fresh;
use super::bearer::{bearer, no_token};
use crate::App;

/// OpenID Connect Core §5.3.
pub async fn userinfo(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refused> {
    match bearer(&headers) {
        Some(token) => Ok(fresh(&app.grant.userinfo(token).await?)),
        None => Ok(no_token()),
    }
}
