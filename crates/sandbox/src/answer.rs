//! Answers and errors of the protocol: RFC 6749 §5, RFC 6750 §3, and the ways in which providers depart from them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::settings::TokenFormat;

/// An error of RFC 6749 §5.2, RFC 6750 §3.1 or RFC 7009 §2.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    /// Our own words only, so that no log or page repeats what a client sent.
    pub(crate) description: &'static str,
    challenge: Challenge,
}

/// What `WWW-Authenticate` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Challenge {
    None,
    /// RFC 6749 §5.2: the scheme by which a client can authenticate.
    Basic,
    /// RFC 6750 §3.1: the request had no token at all, so no error is named.
    Bearer,
    /// The token was no good.
    BearerError,
    /// The token lacks this scope.
    BearerScope(&'static str),
}

impl OAuthError {
    /// An error of a provider's own.
    pub(crate) const fn new(status: StatusCode, code: &'static str, description: &'static str) -> Self {
        Self { status, code, description, challenge: Challenge::None }
    }

    /// A request that is malformed.
    pub(crate) const fn invalid_request(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// A body beyond the limit.
    pub(crate) const fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "The body is larger than 64 KiB.")
    }

    /// A client that did not prove who it is.
    pub(crate) const fn invalid_client(description: &'static str) -> Self {
        Self {
            challenge: Challenge::Basic,
            ..Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
        }
    }

    /// A code or a refresh token that is no longer good, or never was.
    pub(crate) const fn invalid_grant(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    /// A code that is exchanged with another redirect URI than it was asked for with.
    pub(crate) const fn redirect_uri_mismatch() -> Self {
        Self::invalid_grant("The redirect_uri is not that of the authorization request.")
    }

    /// A client that nobody registered.
    pub(crate) const fn unknown_client() -> Self {
        Self::invalid_client("No app is registered with this client_id.")
    }

    /// A client that knows another secret.
    pub(crate) const fn wrong_secret() -> Self {
        Self::invalid_client("The client secret is wrong.")
    }

    /// A refresh token that has made as many access tokens as it may for now.
    pub(crate) const fn throttled() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "The refresh token has made too many access tokens in ten minutes.",
        )
    }

    /// A scope that is malformed or was not granted.
    pub(crate) const fn invalid_scope(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    /// A grant type that does not exist here.
    pub(crate) const fn unsupported_grant_type() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "Only authorization_code and refresh_token are known here.",
        )
    }

    /// A request for a resource without an access token.
    pub(crate) const fn token_missing() -> Self {
        Self {
            challenge: Challenge::Bearer,
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "token_missing",
                "Send the access token in the Authorization header.",
            )
        }
    }

    /// An access token that is unknown, expired or revoked.
    pub(crate) const fn invalid_token() -> Self {
        Self {
            challenge: Challenge::BearerError,
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "The access token is unknown, expired or revoked.",
            )
        }
    }

    /// An access token that was granted too little.
    pub(crate) const fn insufficient_scope(scope: &'static str) -> Self {
        Self {
            challenge: Challenge::BearerScope(scope),
            ..Self::new(
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "The access token was not granted the scope that this needs.",
            )
        }
    }

    /// The error as the token endpoint writes it.
    pub(crate) fn token_response(self, format: TokenFormat) -> Response {
        let status = if format == TokenFormat::ErrorWith200 { StatusCode::OK } else { self.status };
        let mut members = self.members();
        let response = match format {
            TokenFormat::Json | TokenFormat::ErrorWith200 => json_response(status, &Value::Object(members)),
            TokenFormat::Form => form_response(status, &members),
            TokenFormat::Nested => {
                members.insert("ok".to_owned(), Value::Bool(false));
                json_response(status, &Value::Object(members))
            }
        };
        self.with_challenge(response)
    }

    fn members(self) -> Map<String, Value> {
        Map::from_iter([
            ("error".to_owned(), Value::from(self.code)),
            ("error_description".to_owned(), Value::from(self.description)),
        ])
    }

    fn with_challenge(self, mut response: Response) -> Response {
        let bearer = "Bearer realm=\"sandbox\"";
        let error = format!("{bearer}, error=\"{}\", error_description=\"{}\"", self.code, self.description);
        let challenge = match self.challenge {
            Challenge::None => return response,
            Challenge::Basic => "Basic realm=\"sandbox\", charset=\"UTF-8\"".to_owned(),
            Challenge::Bearer => bearer.to_owned(),
            Challenge::BearerError => error,
            Challenge::BearerScope(scope) => format!("{error}, scope=\"{scope}\""),
        };
        let challenge = HeaderValue::try_from(challenge).expect("codes and descriptions are printable ASCII");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        self.with_challenge(json_response(self.status, &Value::Object(self.members())))
    }
}

/// RFC 6749 §5.1: a token answer in the chosen format.
pub(crate) fn token_response(format: TokenFormat, members: Map<String, Value>) -> Response {
    match format {
        TokenFormat::Json | TokenFormat::ErrorWith200 => {
            json_response(StatusCode::OK, &Value::Object(members))
        }
        TokenFormat::Form => form_response(StatusCode::OK, &members),
        TokenFormat::Nested => json_response(StatusCode::OK, &json!({"ok": true, "authed_user": members})),
    }
}

/// A JSON answer that nobody may keep.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    uncached(status, "application/json", body.to_string())
}

/// The same, form-encoded.
pub(crate) fn form_response(status: StatusCode, members: &Map<String, Value>) -> Response {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in members {
        match value {
            Value::String(text) => form.append_pair(name, text),
            other => form.append_pair(name, &other.to_string()),
        };
    }
    uncached(status, "application/x-www-form-urlencoded", form.finish())
}

/// RFC 6749 §5.1: tokens carry both headers, and nothing else here is worth keeping either.
fn uncached(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ];
    (status, headers, body.into()).into_response()
}
