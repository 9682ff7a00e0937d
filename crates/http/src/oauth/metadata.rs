//! What clients read without asking anybody.

use ::grant::signing::KEPT_FOR;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use model::ProblemCode;
use serde_json::Value;

use super::Refused;
use crate::App;
use crate::extract::Path;
use crate::problem::Problem;

/// RFC 8414 §3, and OpenID Connect Discovery §4.
pub async fn metadata(State(app): State<App>) -> Response {
    kept(&app.grant.metadata())
}

/// RFC 9728 §3: of the product itself.
pub async fn protected_resource(State(app): State<App>) -> Result<Response, Problem> {
    of_resource(&app, "")
}

/// The same of a resource that we stand before, by its path.
pub async fn protected_resource_at(
    State(app): State<App>,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    of_resource(&app, &format!("/{path}"))
}

fn of_resource(app: &App, path: &str) -> Result<Response, Problem> {
    let document = app.grant.protected_resource(path);
    document.map(|document| kept(&document)).ok_or_else(|| Problem::new(ProblemCode::RouteNotFound))
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
