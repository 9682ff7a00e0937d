//! `/control/stripe`: how the simulator is told to behave, and what it holds. JSON in, JSON out; nothing of it is logged.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::account::Change;
use super::event::Cause;
use super::webhook::{self, Signature};
use super::{Stripe, accounts};
use crate::answer;
use crate::control_api::{ControlError, guard, read_body};
use crate::sandbox::Sandbox;

/// How many accounts or events are shown, the newest.
const SHOWN: usize = 1000;

/// What `send` takes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Sending {
    signature: Signature,
}

/// `GET /control/stripe`: what is in force.
pub(super) async fn show(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::GET, &headers)?;
    Ok(document(&sandbox.state().stripe.control.show()))
}

/// `PUT /control/stripe`: changes what the object names, and answers with what is in force then.
pub(super) async fn change(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::PUT, &headers)?;
    let change = read_body(body)?;
    let control = &mut sandbox.state().stripe.control;
    control.change(change)?;
    Ok(document(&control.show()))
}

/// `GET /control/stripe/accounts`: the accounts of all platforms, newest first.
pub(super) async fn accounts(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::GET, &headers)?;
    let state = sandbox.state();
    let rows = state.stripe.accounts.newest_first().take(SHOWN).map(|(_, account)| {
        json!({"platform": account.platform, "authorized": account.authorized, "account": account.json()})
    });
    Ok(document(&json!({"accounts": rows.collect::<Vec<Value>>()})))
}

/// `PUT /control/stripe/accounts/{account}`: changes what the object names, as Stripe's verification does.
pub(super) async fn change_account(
    State(sandbox): State<Sandbox>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::PUT, &headers)?;
    let change: Change = read(read_body(body)?)?;
    let changed = {
        let clock_ms = sandbox.clock_ms();
        let stripe = &mut sandbox.state().stripe;
        let cause = cause(stripe, clock_ms);
        stripe.change_account(&cause, &account, |account| account.apply(change))
    };
    webhook::wake(&sandbox);
    Ok(changed.map_or_else(|| nothing("account"), |account| document(&account)))
}

/// `POST /control/stripe/accounts/{account}/deauthorize`: the account's owner takes the platform's access back.
pub(super) async fn deauthorize(
    State(sandbox): State<Sandbox>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::POST, &headers)?;
    let event = {
        let clock_ms = sandbox.clock_ms();
        let stripe = &mut sandbox.state().stripe;
        let cause = cause(stripe, clock_ms);
        accounts::deauthorize(stripe, &cause, &account)
    };
    webhook::wake(&sandbox);
    Ok(event.map_or_else(|| nothing("account"), |event| document(&json!({"event": event}))))
}

/// `GET /control/stripe/events`: the events of all platforms, newest first, whether they were sent or not.
pub(super) async fn events(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::GET, &headers)?;
    let state = sandbox.state();
    let rows = state.stripe.events.newest_first().take(SHOWN);
    let rows = rows.map(|(_, event)| json!({"platform": event.platform, "event": event.json()}));
    Ok(document(&json!({"events": rows.collect::<Vec<Value>>()})))
}

/// `POST /control/stripe/events/{event}/send`: sends an event once more, signed as asked, and waits for the answer.
pub(super) async fn send(
    State(sandbox): State<Sandbox>,
    Path(event): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ControlError> {
    guard(&sandbox, &Method::POST, &headers)?;
    let sending = match body {
        Ok(body) if body.is_empty() => Sending::default(),
        body => read(read_body(body)?)?,
    };
    let parcel = {
        let clock_ms = sandbox.clock_ms();
        let stripe = &sandbox.state().stripe;
        stripe.parcel(&event, sending.signature, stripe.now(clock_ms))
    };
    let Some(parcel) = parcel else { return Ok(nothing("event, or no webhook")) };
    let status = webhook::send(&sandbox, parcel).await;
    Ok(document(&json!({"event": event, "status": status.map(|status| status.as_u16())})))
}

/// The control is nobody's request.
fn cause(stripe: &Stripe, clock_ms: i64) -> Cause {
    Cause { now: stripe.now(clock_ms), ..Cause::default() }
}

fn read<T: DeserializeOwned>(members: serde_json::Map<String, Value>) -> Result<T, ControlError> {
    serde_json::from_value(Value::Object(members))
        .map_err(|error| ControlError::BadRequest(error.to_string()))
}

fn document(value: &Value) -> Response {
    answer::json_response(StatusCode::OK, value)
}

fn nothing(what: &str) -> Response {
    let description = format!("there is no such {what}");
    let body = json!({"error": "not_found", "error_description": description});
    answer::json_response(StatusCode::NOT_FOUND, &body).into_response()
}
