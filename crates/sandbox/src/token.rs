//! The token endpoint (RFC 6749 §3.2): a code or a refresh token becomes an access token.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value};

use crate::answer::{self, OAuthError};
use crate::call::{self, Call, ClientRequest, Endpoint};
use crate::consent::Aim;
use crate::facts::Issued;
use crate::grants::{Redemption, RefreshRequest};
use crate::sandbox::Sandbox;
use crate::scope;
use crate::settings::{ExpiresIn, Settings};

/// `POST /oauth/token`.
pub(crate) async fn post(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request = ClientRequest::read(&headers, body);
    let caller = ClientRequest::caller(&request, request.as_ref().ok().and_then(known_grant_type));
    call::run(&sandbox, Endpoint::Token, caller, |call| {
        grant(call, request.as_ref().map_err(|error| *error)?)
    })
    .await
}

/// The word for the log, which repeats nothing else of what a client sent.
fn known_grant_type(request: &ClientRequest) -> Option<&'static str> {
    let named = request.parameters.get("grant_type");
    ["authorization_code", "refresh_token"].into_iter().find(|known| named == Some(known))
}

fn grant(call: &mut Call<'_>, request: &ClientRequest) -> Result<Response, OAuthError> {
    let grant_type = request.require("grant_type", "The grant_type is missing.")?;
    call.authenticate(request)?;
    let issued = match grant_type {
        "authorization_code" => redeem(call, request)?,
        "refresh_token" => refresh(call, request)?,
        _ => return Err(OAuthError::unsupported_grant_type()),
    };
    call.row.account = Some(issued.consent.account.email.clone());
    call.row.scopes = Some(issued.scopes.clone());
    Ok(answer::token_response(call.settings.token_format, members(issued, call.settings)))
}

fn redeem(call: &mut Call<'_>, request: &ClientRequest) -> Result<Issued, OAuthError> {
    let redemption = Redemption {
        place: call.place,
        client_id: &request.credentials.client_id,
        code: request.require("code", "The code is missing.")?,
        redirect_uri: request.require("redirect_uri", "The redirect_uri is missing.")?,
        code_verifier: request.parameters.get("code_verifier"),
        aim: Aim::default(),
    };
    Ok(call.grants.redeem(redemption, call.settings, call.now)?.0)
}

fn refresh(call: &mut Call<'_>, request: &ClientRequest) -> Result<Issued, OAuthError> {
    let scopes = match request.parameters.get("scope") {
        None => None,
        Some(text) => Some(
            scope::parse(text, &call.settings.scope_separator)
                .ok_or(OAuthError::invalid_scope("The scope is malformed."))?,
        ),
    };
    let refresh = RefreshRequest {
        place: call.place,
        client_id: &request.credentials.client_id,
        refresh_token: request.require("refresh_token", "The refresh_token is missing.")?,
        aim: Aim { scopes, ..Aim::default() },
    };
    call.grants.refresh(refresh, call.settings, call.now, &mut call.row.refresh)
}

/// RFC 6749 §5.1, as far as the settings let it be.
fn members(issued: Issued, settings: &Settings) -> Map<String, Value> {
    let mut members = Map::from_iter([
        ("access_token".to_owned(), Value::from(issued.access_token)),
        ("token_type".to_owned(), Value::from("Bearer")),
        ("scope".to_owned(), Value::from(issued.scopes.join(&settings.scope_separator))),
    ]);
    let optional =
        [("expires_in", expires_in(settings)), ("refresh_token", issued.refresh_token.map(Value::from))];
    for (name, value) in optional {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    }
    members
}

/// `expires_in` as the settings have it.
pub(crate) fn expires_in(settings: &Settings) -> Option<Value> {
    match settings.expires_in {
        ExpiresIn::Normal => Some(Value::from(settings.access_token_ttl)),
        ExpiresIn::Missing => None,
        ExpiresIn::Zero => Some(Value::from(0)),
        ExpiresIn::String => Some(Value::from(settings.access_token_ttl.to_string())),
    }
}
