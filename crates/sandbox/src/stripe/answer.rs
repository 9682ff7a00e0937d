//! Answers of the API, with the headers that all of them have.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::event::API_VERSION;
use super::problem::Problem;
use crate::failure::Kind;

/// An answer, before its headers.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
    /// The request whose answer is given again.
    pub(super) replay_of: Option<String>,
}

impl Answer {
    /// A refusal. `base` is where the log can be read.
    pub(super) fn of(problem: &Problem, base: &str) -> Self {
        Self { status: problem.status, body: problem.body(base).to_string(), replay_of: None }
    }
}

/// The failures that have Stripe's own shape.
pub(super) fn failing(kind: Kind, base: &str) -> Option<Answer> {
    let problem = match kind {
        Kind::InternalServerError => Problem::internal(),
        Kind::TooManyRequests => Problem::rate_limited(),
        Kind::Conflict => Problem::key_in_use(),
        _ => return None,
    };
    Some(Answer::of(&problem, base))
}

/// Writes it, with the headers that every answer has.
pub(super) fn write(answer: Answer, request_id: &str, headers: &HeaderMap) -> Response {
    let Answer { status, body, replay_of } = answer;
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    let version = text(headers, "stripe-version").unwrap_or(API_VERSION);
    let key = text(headers, "idempotency-key");
    let replayed = replay_of.is_some().then_some("true");
    let written = [
        ("request-id", Some(request_id)),
        ("stripe-version", Some(version)),
        ("idempotency-key", key),
        ("idempotent-replayed", replayed),
        ("original-request", replay_of.as_deref()),
    ];
    for (name, value) in written {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    response
}

/// A header as text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
