//! `POST /oauth/register`, and `/oauth/register/{client_id}`: applications register themselves, where the operator allows it. Where
//! not, the addresses are unknown.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{ClientId, OauthErrorCode, ProblemCode, Secret};
use serde_json::{Map, Value};

use super::Refused;
use super::answer::fresh;
use super::bearer::{bearer, no_token};
use crate::App;
use crate::extract::{Path, address_of};
use crate::problem::Problem;

/// The longest body, in octets.
const MAX: usize = 16 * 1024;

/// Applications may register themselves here.
pub struct Open;

impl FromRequestParts<App> for Open {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, Problem> {
        if app.grant.takes_registrations() { Ok(Self) } else { Err(Problem::new(ProblemCode::RouteNotFound)) }
    }
}

/// Applications may look after their registrations here, also where no more may come.
pub struct Kept;

impl FromRequestParts<App> for Kept {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, Problem> {
        if app.grant.keeps_registrations() { Ok(Self) } else { Err(Problem::new(ProblemCode::RouteNotFound)) }
    }
}

/// What an application says about itself: a JSON object.
pub struct Said {
    members: Map<String, Value>,
    address: String,
}

impl FromRequest<App> for Said {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let refuse = |status, description| {
            Err(Refused::with(status, OauthErrorCode::InvalidClientMetadata, description))
        };
        let headers = request.headers();
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return refuse(StatusCode::BAD_REQUEST, "the body must be application/json");
        }
        let address = address_of(request.extensions(), headers, app);
        let body = match Bytes::from_request(request, app).await {
            Ok(body) => body,
            Err(rejection) => return refuse(rejection.status(), "the body can't be read, or is too long"),
        };
        if body.len() > MAX {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is over 16 KiB");
        }
        match serde_json::from_slice(&body) {
            Ok(members) => Ok(Self { members, address }),
            Err(_) => refuse(StatusCode::BAD_REQUEST, "the body is no JSON object"),
        }
    }
}

/// Whoever looks after a registration: its token (RFC 7592 §3), and where it comes from.
pub struct Own {
    token: Secret<String>,
    address: String,
}

impl FromRequestParts<App> for Own {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let token = bearer(&parts.headers).ok_or_else(no_token)?;
        Ok(Self { token: Secret::from(token), address: address_of(&parts.extensions, &parts.headers, app) })
    }
}

/// RFC 7591 §3.
pub async fn register(State(app): State<App>, _: Open, said: Said) -> Result<Response, Refused> {
    let mut response = fresh(&app.grant.register_itself(&said.members, &said.address).await?);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// RFC 7592 §2.1.
pub async fn read(
    State(app): State<App>,
    _: Kept,
    Path(id): Path<ClientId>,
    own: Own,
) -> Result<Response, Refused> {
    Ok(fresh(&app.grant.own_registration(&id, &own.token, &own.address).await?))
}

/// RFC 7592 §2.2.
pub async fn replace(
    State(app): State<App>,
    _: Kept,
    Path(id): Path<ClientId>,
    own: Own,
    said: Said,
) -> Result<Response, Refused> {
    let changed = app.grant.change_own_registration(&id, &own.token, &said.members, &said.address).await?;
    Ok(fresh(&changed))
}

/// RFC 7592 §2.3.
pub async fn remove(
    State(app): State<App>,
    _: Kept,
    Path(id): Path<ClientId>,
    own: Own,
) -> Result<StatusCode, Refused> {
    app.grant.remove_own_registration(&id, &own.token, &own.address).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The answer to a preflight request; scripts of any origin may register (RFC 9700 §2.6).
pub async fn preflight(_: Kept) -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE")),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Content-Type, MCP-Protocol-Version"),
        ),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
