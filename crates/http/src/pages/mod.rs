//! What a person sees. Pages work without JavaScript, and allow nothing that they do not need.

pub mod account;
pub mod assets;
pub mod connected;
pub mod error;
pub mod invitation;
pub mod oauth;
pub mod portal;

mod moment;
mod note;
mod policy;

use askama::Template;
use axum::http::header::{
    ACCEPT, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::ProblemCode;

use self::policy::Forms;
use crate::messages::Language;
use crate::problem::Problem;

/// Whether a problem at this route is shown to a person who asks for a page.
pub(crate) fn is_for_people(route: &str) -> bool {
    // Endpoints for programs are called alike: `/oauth/access_token`.
    let is_page = ["/oauth/authorize", "/oauth/login/callback", "/oauth/access"]
        .iter()
        .any(|page| route.strip_prefix(page).is_some_and(|below| below.is_empty() || below.starts_with('/')));
    is_page
        || ["/connect/", "/onboard-client", "/portal", "/api/oauth/callback", "/assets/", "unknown"]
            .iter()
            .any(|prefix| route.starts_with(prefix))
}

/// Whether a request names this media type among those that it accepts (RFC 9110 §12.5.1), and not with the weight 0.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers.get_all(ACCEPT).iter().any(|value| {
        String::from_utf8_lossy(value.as_bytes()).split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_it = parts.next().is_some_and(|own| own.eq_ignore_ascii_case(media_type));
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            is_it && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
        })
    })
}

/// Something that a page says at the place that it is about: a title with its explanation.
pub(crate) struct Notice {
    pub(crate) title: String,
    pub(crate) detail: String,
}

/// A page with its language and its policy.
fn render(status: StatusCode, language: Language, template: &impl Template, forms: Forms<'_>) -> Response {
    let Ok(html) = template.render() else {
        return Problem::new(ProblemCode::InternalError).into_response();
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language, Accept"));
    headers.insert(CONTENT_SECURITY_POLICY, forms.policy());
    response
}

/// A page with forms that are checked for where they come from: under "no-referrer" browsers would hide from us that they are
/// ours.
fn with_form(mut response: Response) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_pages_and_a_program_gets_documents() {
        for page in [
            "/oauth/authorize",
            "/oauth/authorize/{id}",
            "/oauth/login/callback/{way}",
            "/oauth/access",
            "/portal/settings",
            "unknown",
        ] {
            assert!(is_for_people(page), "{page}");
        }
        for endpoint in
            ["/oauth/access_token", "/oauth/token", "/oauth/par", "/oauth/userinfo", "/api/status"]
        {
            assert!(!is_for_people(endpoint), "{endpoint}");
        }
    }

    #[test]
    fn a_media_type_is_accepted_in_any_case_and_not_with_the_weight_0() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml", true),
            ("application/json, Text/HTML;q=0.5", true),
            ("text/html;level=1;Q=1.0", true),
            ("text/html;q=0, application/json", false),
            ("text/html; q=0.000", false),
            ("text/html;q=nonsense", false),
            ("text/htmlx", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(accepts(&headers, "text/html"), expected, "{accept:?}");
        }
    }
}
