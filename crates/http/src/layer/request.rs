use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::{ProblemCode, RequestId};
use tracing::{Instrument, Level, Span, debug, enabled, error, error_span, info};

use super::security_headers;
use crate::App;
use crate::connect::token;
use crate::messages::Language;
use crate::pages;
use crate::problem::Problem;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the layer knows of a request, for handlers that need it.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext {
    /// The request's id, as the answer and the log name it.
    pub id: RequestId,
}

/// An answer that somebody else gave, and that is passed on as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Untouched;

/// Goes around every request.
pub async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id: RequestId = vault::random::id();
    let method = request.method().clone();
    // The pattern, never the path: a path can carry a one-time link.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let language = Language::negotiate(request.headers(), app.default_language);
    let wants_page = pages::accepts(request.headers(), "text/html");
    request.extensions_mut().insert(RequestContext { id });

    let pattern = route.as_ref().map_or("unknown", MatchedPath::as_str);
    let wants_page = wants_page && pages::is_for_people(pattern);
    let asked_with = wants_page.then(|| request.headers().clone());
    // At every level, so that the id of an answer finds what was logged. A token that is handed out logs nothing, and
    // would pay a sixth of its instructions for a span that nobody reads.
    let make_span = || error_span!("request", request_id = %id, method = %method, route = pattern);
    let is_hot = method == Method::GET && pattern == token::ROUTE;
    let mut span = if is_hot { Span::none() } else { make_span() };
    let mut response = next.run(request).instrument(span.clone()).await;

    let problem = problem_of(&mut response);
    let cause = problem.as_ref().and_then(|problem| problem.led_to_by().map(str::to_owned));
    if let Some(problem) = problem {
        // RFC 9110 §15.5.6: a 405 says what is allowed.
        let allow = response.headers_mut().remove(ALLOW);
        response = match &asked_with {
            Some(headers) => pages::error::page(&app, language, &problem, id, headers),
            None => problem.document(language, id),
        };
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
    }
    let status = response.status();
    let took = started.elapsed();
    if span.is_none() && (!status.is_success() || enabled!(Level::DEBUG)) {
        span = make_span();
    }
    let _entered = span.enter();
    let duration_ms = took.as_secs_f64() * 1000.0;
    match status.as_u16() {
        500.. => {
            error!(status = status.as_u16(), duration_ms, outcome = "failure", cause, "request.answered");
        }
        400..500 => info!(status = status.as_u16(), duration_ms, outcome = "denied", "request.answered"),
        _ if method == Method::GET => {
            debug!(status = status.as_u16(), duration_ms, outcome = "success", "request.answered");
        }
        _ => info!(status = status.as_u16(), duration_ms, outcome = "success", "request.answered"),
    }
    app.metrics.request(word(&method), pattern, status.as_u16(), took);

    let headers = response.headers_mut();
    security_headers(headers, app.public_url.starts_with("https://"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(X_REQUEST_ID, id);
    }
    response
}

/// The problem that a handler returned, or the one that stands for a bare status of the framework.
fn problem_of(response: &mut Response) -> Option<Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    if response.extensions().get::<Untouched>().is_some() {
        return None;
    }
    let bare = response.headers().get(CONTENT_TYPE).is_none_or(|t| t.as_bytes().starts_with(b"text/plain"));
    let code = match response.status() {
        StatusCode::NOT_FOUND => ProblemCode::RouteNotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::PayloadTooLarge,
        StatusCode::INTERNAL_SERVER_ERROR => ProblemCode::InternalError,
        _ => return None,
    };
    bare.then(|| Problem::new(code))
}

/// Methods as labels; what a caller made up counts as one.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A handler that panicked: the panic is in the log, the caller gets its id.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem::new(ProblemCode::InternalError)
        .cause(format!("panic: {}", text.unwrap_or("unknown")))
        .into_response()
}
