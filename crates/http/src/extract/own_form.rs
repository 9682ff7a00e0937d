use axum::extract::FromRequestParts;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use model::ProblemCode;

use crate::App;
use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A form that a page of ours has sent: every browser of today says where a POST comes from.
pub struct OwnForm;

impl FromRequestParts<App> for OwnForm {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let headers = &parts.headers;
        let site_is_own =
            headers.get(SEC_FETCH_SITE).is_none_or(|site| site == HeaderValue::from_static("same-origin"));
        // On loopback we have several names.
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let on_loopback = app.public_url.starts_with("http://").then(|| format!("http://{host}"));
        let origin_is_own =
            headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()).is_some_and(|origin| {
                origin == app.public_url || on_loopback.is_some_and(|loopback| loopback == origin)
            });
        if site_is_own && origin_is_own { Ok(Self) } else { Err(Problem::new(ProblemCode::ForeignForm)) }
    }
}
