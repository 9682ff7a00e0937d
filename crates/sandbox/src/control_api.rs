//! `/control`: how the sandbox is told to behave, and what it saw. JSON in, JSON out; nothing of it is logged.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::answer;
use crate::control::{Control, Refusal};
use crate::log::Log;
use crate::parameters::Parameters;
use crate::same_origin;
use crate::sandbox::Sandbox;

/// Why the control refuses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    BadRequest(String),
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request"),
            Self::Refused(Refusal::UnknownApp(_)) => (StatusCode::NOT_FOUND, "unknown_app"),
            Self::Refused(Refusal::Member { .. }) => (StatusCode::BAD_REQUEST, "invalid_setting"),
        };
        answer::json_response(status, &json!({"error": code, "error_description": self.to_string()}))
    }
}

/// `GET /control[?app=CLIENT_ID]`: what is in force.
pub(crate) async fn show(
    State(sandbox): State<Sandbox>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::GET, &headers)?;
    let app = app(query.as_deref())?;
    Ok(document(&sandbox.state().control.show(app.as_deref())?))
}

/// `PUT /control[?app=CLIENT_ID]`: changes what the object names, and answers with what is in force then.
pub(crate) async fn change(
    State(sandbox): State<Sandbox>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::PUT, &headers)?;
    let app = app(query.as_deref())?;
    let change = read_body(body)?;
    let mut state = sandbox.state();
    state.control.change(app.as_deref(), change)?;
    Ok(document(&state.control.show(app.as_deref())?))
}

/// `GET /control/log`: the last 10,000 calls, oldest first. A long run reads `/control/totals` instead.
pub(crate) async fn log(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::GET, &headers)?;
    // Copied, so that no call waits while they are written.
    let rows = sandbox.state().log.rows().clone();
    Ok(document(&json!(rows)))
}

/// `GET /control/totals`: exact sums since the last reset, however many rows the log has forgotten.
pub(crate) async fn totals(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::GET, &headers)?;
    let totals = sandbox.state().log.totals();
    Ok(document(&json!(totals)))
}

/// `POST /control/reset`: settings, failures, apps, log and totals are as at the start, Stripe's too. What was issued
/// stays issued.
pub(crate) async fn reset(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::POST, &headers)?;
    let mut state = sandbox.state();
    state.control = Control::default();
    state.stripe.reset_control();
    state.log = Log::default();
    Ok(document(&state.control.show(None)?))
}

/// The members of the object in the body.
pub(crate) fn read_body(body: Result<Bytes, BytesRejection>) -> Result<Map<String, Value>, ControlError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ControlError::TooLarge,
        _ => ControlError::BadRequest("the body could not be read".to_owned()),
    })?;
    serde_json::from_slice(&body)
        .map_err(|error| ControlError::BadRequest(format!("the body is not a JSON object: {error}")))
}

/// Refuses pages of other origins.
pub(crate) fn guard(sandbox: &Sandbox, method: &Method, headers: &HeaderMap) -> Result<(), ControlError> {
    same_origin::check(method, headers, sandbox.authority()).map_err(ControlError::Forbidden)
}

fn app(query: Option<&str>) -> Result<Option<String>, ControlError> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes())
        .map_err(|unreadable| ControlError::BadRequest(unreadable.to_string()))?;
    match parameters.sorted().as_slice() {
        [] => Ok(None),
        [("app", client_id)] if !parameters.any_repeated() => Ok(Some((*client_id).to_owned())),
        _ => Err(ControlError::BadRequest("the only query parameter is `app`, once".to_owned())),
    }
}

fn document(value: &Value) -> Response {
    answer::json_response(StatusCode::OK, value)
}
