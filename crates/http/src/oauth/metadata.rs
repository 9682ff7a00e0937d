//! What clients read without asking anybody.

use ::grant::signing::KEPT_FOR;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Refused;
use crate::App;

/// RFC 8414 §3, and OpenID Connect Discovery §4.
pub async fn metadata(State(app): State<App>) -> Response {
    kept(&app.grant.metadata())
}

/// RFC 7517 §5.
pub async fn jwks(State(app): State<App>) -> Result<Response, Refused> {
    Ok(kept(&app.grant.jwks().await?))
}

fn kept(document: &Value) -> Response {
    let cache = HeaderValue::try_from(format!("public, max-age={}", KEPT_FOR.as_secs()));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, cache.unwrap_or(HeaderValue::from_static("no-store"))),
    ];
    (headers, document.to_string()).into_response()
}
