//! The introspection endpoint (RFC 7662).

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::answer::{self, OAuthError};
use crate::call::{self, Call, ClientRequest, Endpoint};
use crate::facts::Kind;
use crate::sandbox::Sandbox;

/// `POST /oauth/introspect`.
pub(crate) async fn post(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request = ClientRequest::read(&headers, body);
    let caller = ClientRequest::caller(&request, None);
    call::run(&sandbox, Endpoint::Introspect, caller, |call| {
        introspect(call, request.as_ref().map_err(|error| *error)?)
    })
    .await
}

fn introspect(call: &mut Call<'_>, request: &ClientRequest) -> Result<Response, OAuthError> {
    call.authenticate(request)?;
    let token = request.require("token", "The token is missing.")?;
    let facts = call
        .grants
        .inspect(token, call.place, call.settings, call.now)
        // §2.2: a client learns nothing of others' tokens, not even that they live.
        .filter(|facts| facts.consent.client_id == request.credentials.client_id);
    let Some(facts) = facts else {
        return Ok(answer::json_response(StatusCode::OK, &json!({"active": false})));
    };
    call.row.account = Some(facts.consent.account.email.clone());
    let mut body = json!({
        "active": true,
        "client_id": facts.consent.client_id,
        "exp": facts.expires_at / 1000,
        "iat": facts.issued_at / 1000,
        "iss": call.base,
        // §2.2: a space, whatever separator the settings have.
        "scope": facts.scopes.join(" "),
        "sub": facts.consent.account.id,
        "username": facts.consent.account.email,
    });
    if facts.kind == Kind::AccessToken {
        body["token_type"] = Value::from("Bearer");
    }
    Ok(answer::json_response(StatusCode::OK, &body))
}
