//! The revocation endpoint (RFC 7009).

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::answer::OAuthError;
use crate::call::{self, Call, ClientRequest, Endpoint};
use crate::sandbox::Sandbox;

/// `POST /oauth/revoke`.
pub(crate) async fn post(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request = ClientRequest::read(&headers, body);
    let caller = ClientRequest::caller(&request, None);
    call::run(&sandbox, Endpoint::Revoke, caller, |call| {
        revoke(call, request.as_ref().map_err(|error| *error)?)
    })
    .await
}

fn revoke(call: &mut Call<'_>, request: &ClientRequest) -> Result<Response, OAuthError> {
    call.authenticate(request)?;
    let token = request.require("token", "The token is missing.")?;
    // `token_type_hint` only speeds up a search (§2.1), and ours is quick without.
    call.grants.revoke(token, &request.credentials.client_id, call.place)?;
    // §2.2: also for a token that is unknown, since the client can do nothing about it.
    Ok(StatusCode::OK.into_response())
}
