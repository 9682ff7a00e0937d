//! What a person sees. Pages work without JavaScript, and allow nothing that they do not need.

pub mod account;
pub mod assets;
pub mod connected;
pub mod error;
pub mod invitation;
pub mod portal;

mod moment;
mod note;

use askama::Template;
use axum::http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::ProblemCode;

use crate::messages::Language;
use crate::problem::Problem;

/// Whether a problem at this route is shown to a person who asks for a page.
pub(crate) fn is_for_people(route: &str) -> bool {
    ["/connect/", "/onboard-client", "/portal", "/api/oauth/callback", "/assets/", "unknown"]
        .iter()
        .any(|prefix| route.starts_with(prefix))
}

/// Where the forms of a page lead in the end. Browsers apply `form-action` to every redirect on the way, and providers
/// send people on between hosts of their own before they show a page, so a form that leads there can't name hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forms {
    /// To us, if there are any.
    Ours,
    /// To a provider.
    Provider,
}

/// A page with its language and its policy.
fn render(status: StatusCode, language: Language, template: &impl Template, forms: Forms) -> Response {
    let Ok(html) = template.render() else {
        return Problem::new(ProblemCode::InternalError).into_response();
    };
    let policy = match forms {
        Forms::Ours => {
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self'"
        }
        Forms::Provider => {
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self' https: http:"
        }
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language, Accept"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// A page with forms that are checked for where they come from: under "no-referrer" browsers would hide from us that they are
/// ours.
fn with_form(mut response: Response) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
