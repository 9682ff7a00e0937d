//! What an access token opens: userinfo and a small API (RFC 6750).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::account::Account;
use crate::answer::{self, OAuthError};
use crate::call::{self, Caller, Endpoint};
use crate::facts::Facts;
use crate::sandbox::Sandbox;
use crate::scope;

/// `GET /oauth/userinfo`, with the claims of OpenID Connect Core §5.1.
pub(crate) async fn userinfo(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    open(&sandbox, Endpoint::Userinfo, &headers, None, |facts| {
        let Account { id, name, email } = &facts.consent.account;
        json!({"sub": id, "name": name, "email": email})
    })
    .await
}

/// `GET /api/me`: the account, and what the token may do.
pub(crate) async fn me(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    open(&sandbox, Endpoint::Api, &headers, None, |facts| {
        let Account { id, name, email } = &facts.consent.account;
        json!({"id": id, "name": name, "email": email, "scopes": facts.scopes})
    })
    .await
}

/// `GET /api/notes`: the account's notes, for a token that was granted `notes:read`.
pub(crate) async fn notes(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    open(&sandbox, Endpoint::Api, &headers, Some(scope::NOTES_READ), |facts| {
        let name = &facts.consent.account.name;
        json!({"notes": [
            {"id": 1, "title": "Shopping", "text": "Bread, milk, a spare key"},
            {"id": 2, "title": format!("To {name}"), "text": "If you can read this, the token works."},
        ]})
    })
    .await
}

async fn open(
    sandbox: &Sandbox,
    endpoint: Endpoint,
    headers: &HeaderMap,
    needed: Option<&'static str>,
    body: impl FnOnce(&Facts) -> Value,
) -> Response {
    let token = bearer(headers, &["bearer"]);
    let caller = Caller::Bearer(token.as_ref().ok().copied());
    call::run(sandbox, endpoint, caller, |call| {
        let facts =
            call.grants.use_access_token(token?, call.place, call.now).ok_or(OAuthError::invalid_token())?;
        call.row.account = Some(facts.consent.account.email.clone());
        match needed {
            Some(scope) if !facts.scopes.iter().any(|granted| granted == scope) => {
                Err(OAuthError::insufficient_scope(scope))
            }
            _ => Ok(answer::json_response(StatusCode::OK, &body(&facts))),
        }
    })
    .await
}

/// RFC 6750 §2.1, with one of these schemes. Tokens in the query or the body are not taken.
pub(crate) fn bearer<'a>(headers: &'a HeaderMap, schemes: &[&str]) -> Result<&'a str, OAuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(OAuthError::token_missing()),
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("There are two Authorization headers.")),
        (Some(value), None) => value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)))
            .map(|(_, token)| token.trim())
            .ok_or(OAuthError::token_missing()),
    }
}
