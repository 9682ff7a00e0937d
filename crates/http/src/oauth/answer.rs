//! Errors of OAuth become responses here (RFC 6749 §5.2, RFC 6750 §3).

use std::time::Duration;

use ::grant::{Error, Refusal};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::OauthErrorCode;
use serde::Serialize;
use serde_json::json;
use tracing::error;

/// When it makes sense to try again after a failure of our own.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// An answer that only whoever asked may keep (RFC 6749 §5.1).
pub(super) fn fresh(body: &impl Serialize) -> Response {
    let text = serde_json::to_string(body).unwrap_or_default();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    (StatusCode::OK, headers, text).into_response()
}

/// A request of a program that is refused.
pub struct Refused {
    refusal: Refusal,
    status: StatusCode,
    retry_after: Option<Duration>,
}

impl Refused {
    /// The request itself can't be read.
    pub(super) fn unreadable(status: StatusCode, description: &'static str) -> Self {
        Self::with(status, OauthErrorCode::InvalidRequest, description)
    }

    /// With another status than goes with the code.
    pub(crate) fn with(status: StatusCode, code: OauthErrorCode, description: &'static str) -> Self {
        Self { refusal: Refusal::new(code, description), status, retry_after: None }
    }

    /// With when it makes sense to try again.
    pub(crate) fn later(code: OauthErrorCode, description: &'static str, after: Duration) -> Self {
        Self { retry_after: Some(after), ..Self::from(Refusal::new(code, description)) }
    }

    /// Its code.
    pub(crate) const fn code(&self) -> OauthErrorCode {
        self.refusal.code
    }

    /// The challenge that goes with it.
    fn challenge(&self) -> Option<HeaderValue> {
        let code = self.refusal.code;
        match code {
            // RFC 6749 §5.2.
            OauthErrorCode::InvalidClient => Some(HeaderValue::from_static("Basic realm=\"claviger\"")),
            // RFC 6750 §3.
            OauthErrorCode::InvalidToken | OauthErrorCode::InsufficientScope => {
                let description = &self.refusal.description;
                let text = format!("Bearer error=\"{code}\", error_description=\"{description}\"");
                HeaderValue::try_from(text).ok()
            }
            _ => None,
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self { refusal, status, retry_after: None }
    }
}

impl From<Error> for Refused {
    /// What is no fault of the application is never told as one: a client that reads `invalid_grant` throws its tokens away.
    fn from(failure: Error) -> Self {
        match failure {
            Error::Refused(refusal) => refusal.into(),
            Error::TooOften { retry_after } => {
                Self::later(OauthErrorCode::TooManyRequests, "too many requests", retry_after)
            }
            Error::Problem { code, .. } => {
                error!(outcome = "failure", %code, "oauth.unexpected_problem");
                Refusal::new(OauthErrorCode::ServerError, "something went wrong on our side").into()
            }
            Error::NotNow { .. } | Error::Store(_) | Error::Keys(_) => {
                error!(outcome = "failure", cause = %failure, "oauth.unavailable");
                Self::later(OauthErrorCode::TemporarilyUnavailable, "not just now; nothing was changed", SOON)
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.retry_after {
            // Whole seconds: Zapier reads nothing else.
            let seconds = (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1);
            headers.insert(RETRY_AFTER, seconds.into());
        }
        let body = json!({"error": self.refusal.code.word(), "error_description": self.refusal.description});
        (self.status, headers, body.to_string()).into_response()
    }
}
