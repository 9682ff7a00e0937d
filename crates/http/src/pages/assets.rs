//! `/assets/*`: compiled in, but for the operator's colours and logo. Addresses carry the version of all of them, so that
//! browsers keep them and never mix two versions.

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use model::ProblemCode;

use crate::App;
use crate::problem::Problem;

pub(crate) const STYLESHEET: &str = include_str!("../../assets/claviger.css");
pub(crate) const MODULE: &str = include_str!("../../assets/claviger.js");

/// A picture is looked at, and runs nothing when somebody opens it by itself.
const PICTURE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
);

/// The stylesheet of all pages.
pub async fn stylesheet(State(app): State<App>, query: RawQuery) -> Response {
    asset(&app, &query, "text/css; charset=utf-8", STYLESHEET.to_owned())
}

/// The one module of all pages.
pub async fn module(State(app): State<App>, query: RawQuery) -> Response {
    asset(&app, &query, "text/javascript; charset=utf-8", MODULE.to_owned())
}

/// The operator's colours.
pub async fn theme(State(app): State<App>, query: RawQuery) -> Result<Response, Problem> {
    let theme = app.brand.theme().ok_or_else(|| Problem::new(ProblemCode::RouteNotFound))?;
    Ok(asset(&app, &query, "text/css; charset=utf-8", theme.to_owned()))
}

/// The operator's logo.
pub async fn logo(State(app): State<App>, query: RawQuery) -> Result<Response, Problem> {
    let logo = app.brand.logo().ok_or_else(|| Problem::new(ProblemCode::RouteNotFound))?;
    let mut response = asset(&app, &query, logo.media_type, logo.octets.clone());
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, PICTURE);
    Ok(response)
}

fn asset(
    app: &App,
    RawQuery(query): &RawQuery,
    media_type: &'static str,
    content: impl IntoResponse,
) -> Response {
    let current = format!("v={}", app.brand.version());
    // Under another version than ours, a replica of another release is being asked.
    let keeping = if query.as_deref() == Some(&current) {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=300"
    };
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CACHE_CONTROL, HeaderValue::from_static(keeping)),
    ]);
    let mut response = content.into_response();
    response.headers_mut().extend(headers);
    response
}
