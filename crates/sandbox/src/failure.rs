//! Failures on demand: what a provider does on a bad day, for the next so many calls.

use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Endpoint;
use crate::line;
use crate::settings::at_most;

const A_MILLION: u64 = 1_000_000;
const A_DAY: u64 = 86_400;

/// The failures that are still to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fail {
    pub(crate) kind: Kind,
    /// How many calls still fail: 1 to a million, 1 when it is not said.
    #[serde(default = "once", deserialize_with = "at_most::<A_MILLION, _>")]
    pub(crate) times: u64,
    /// Seconds in the `Retry-After` header, where the kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "retry_after")]
    pub(crate) retry_after: Option<u64>,
    /// Which endpoints fail.
    #[serde(default = "the_token_endpoint")]
    pub(crate) endpoints: Vec<Endpoint>,
}

impl Fail {
    /// Whether a call to this endpoint fails next.
    pub(crate) fn concerns(&self, endpoint: Endpoint) -> bool {
        self.endpoints.contains(&endpoint)
    }

    /// What the log calls it.
    pub(crate) fn outcome(&self) -> String {
        format!("fail:{}", self.kind.name())
    }
}

fn once() -> u64 {
    1
}

fn the_token_endpoint() -> Vec<Endpoint> {
    vec![Endpoint::Token]
}

fn retry_after<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    at_most::<A_DAY, _>(input).map(Some)
}

/// How a call fails. None of these does any of the work that was asked for, but [`Kind::ResetAfter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "&'static str")]
pub(crate) enum Kind {
    /// 500 with a page instead of JSON.
    InternalServerError,
    /// 503, with `Retry-After` when one is given.
    ServiceUnavailable,
    /// 429, with `Retry-After` when one is given.
    TooManyRequests,
    /// 409 with a JSON error, as Box answers a refresh that meets another.
    Conflict,
    /// 400 `invalid_grant`, although nothing is wrong with the grant.
    InvalidGrant,
    /// 403 `invalid_grant`, as Atlassian writes it.
    ForbiddenInvalidGrant,
    /// 401 `invalid_client`.
    InvalidClient,
    /// The connection is reset without an octet of an answer.
    ResetBefore,
    /// The work is done, however it ends; then the connection is reset without an octet of an answer.
    ResetAfter,
    /// No answer until the client goes away or two minutes are over.
    Hang,
    /// 200 and `application/json`, but neither JSON nor UTF-8.
    Garbage,
    /// 200 with 10 MiB of JSON.
    Huge,
    /// 302 to another path.
    Redirect,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::InternalServerError,
        Self::ServiceUnavailable,
        Self::TooManyRequests,
        Self::Conflict,
        Self::InvalidGrant,
        Self::ForbiddenInvalidGrant,
        Self::InvalidClient,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::Hang,
        Self::Garbage,
        Self::Huge,
        Self::Redirect,
    ];

    /// The name in the control document and in the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InternalServerError => "500",
            Self::ServiceUnavailable => "503",
            Self::TooManyRequests => "429",
            Self::Conflict => "409",
            Self::InvalidGrant => "invalid_grant",
            Self::ForbiddenInvalidGrant => "403_invalid_grant",
            Self::InvalidClient => "invalid_client",
            Self::ResetBefore => "reset_before",
            Self::ResetAfter => "reset_after",
            Self::Hang => "hang",
            Self::Garbage => "garbage",
            Self::Huge => "huge",
            Self::Redirect => "redirect",
        }
    }

    /// Whether the client gets no answer, so that there is no status either.
    pub(crate) const fn is_silent(self) -> bool {
        matches!(self, Self::ResetBefore | Self::ResetAfter | Self::Hang)
    }
}

impl From<Kind> for &'static str {
    fn from(kind: Kind) -> Self {
        kind.name()
    }
}

impl TryFrom<Value> for Kind {
    type Error = String;

    /// A name, or a status as a number.
    fn try_from(value: Value) -> Result<Self, String> {
        let name = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            format!("unknown kind `{name}`, known are {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// 10 MiB of JSON, made once.
static HUGE: LazyLock<Bytes> = LazyLock::new(|| {
    let (head, tail) = ("{\"access_token\":\"", "\"}");
    let mut body = String::with_capacity(10 << 20);
    body.push_str(head);
    body.extend(std::iter::repeat_n('a', (10 << 20) - head.len() - tail.len()));
    body.push_str(tail);
    Bytes::from(body)
});

/// The failing answer. That of `hang` is for a client that waited to the end.
pub(crate) fn response(fail: &Fail, base: &str) -> Response {
    let error = |status: StatusCode, code: &str| {
        json(
            status,
            format!("{{\"error\":\"{code}\",\"error_description\":\"The sandbox was told to fail.\"}}"),
        )
    };
    let mut response = match fail.kind {
        Kind::InternalServerError => {
            page(StatusCode::INTERNAL_SERVER_ERROR, "<h1>500 Internal Server Error</h1>")
        }
        Kind::ServiceUnavailable => page(StatusCode::SERVICE_UNAVAILABLE, "<h1>503 Service Unavailable</h1>"),
        Kind::Hang => page(StatusCode::GATEWAY_TIMEOUT, "<h1>504 Gateway Timeout</h1>"),
        Kind::ResetBefore | Kind::ResetAfter => line::no_answer(),
        Kind::TooManyRequests => error(StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        Kind::Conflict => error(StatusCode::CONFLICT, "conflict"),
        Kind::InvalidGrant => error(StatusCode::BAD_REQUEST, "invalid_grant"),
        Kind::ForbiddenInvalidGrant => error(StatusCode::FORBIDDEN, "invalid_grant"),
        Kind::InvalidClient => error(StatusCode::UNAUTHORIZED, "invalid_client"),
        Kind::Garbage => json(StatusCode::OK, &b"\xff\xfe{\"access_token\":\x00<html>"[..]),
        Kind::Huge => json(StatusCode::OK, HUGE.clone()),
        Kind::Redirect => {
            let elsewhere = format!("{base}/oauth/elsewhere");
            (StatusCode::FOUND, [(header::LOCATION, elsewhere)]).into_response()
        }
    };
    if let (Kind::ServiceUnavailable | Kind::TooManyRequests, Some(seconds)) = (fail.kind, fail.retry_after) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

fn page(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_may_be_a_number_or_a_text() {
        for kind in [json!(503), json!("503")] {
            assert_eq!(Kind::try_from(kind), Ok(Kind::ServiceUnavailable));
        }
    }

    #[test]
    fn an_unknown_kind_is_told_which_ones_exist() {
        let refusal = Kind::try_from(json!("reset")).unwrap_err();
        assert!(refusal.contains("`reset`") && refusal.contains("403_invalid_grant"), "{refusal}");
    }

    #[test]
    fn a_huge_answer_is_ten_mebibytes() {
        assert_eq!(HUGE.len(), 10 * 1024 * 1024);
    }
}
