//! Calls to login back ends. Whatever is no clear answer means "not just now", never "wrong password", and the operator's log
//! says what it was. What was asked and what was answered is a secret, and stays out of it.

use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use model::Secret;
use provider::client::Call;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::SemaphorePermit;
use tracing::warn;

use crate::{Error, Grant, Result};

/// The longest answer, in octets.
const MAX_ANSWER: usize = 256 * 1024;

/// How long a call takes at most that has no setting of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many people's passwords and codes may be looked at elsewhere at the same time: whoever comes then is told at once to try later.
pub(crate) const CHECKS_AT_ONCE: usize = 64;

/// What a back end answered. It has no `Debug`: it may carry tokens.
pub(super) struct Answer {
    backend: String,
    pub(super) status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// Reads the body.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        // The error of serde would quote what was sent.
        serde_json::from_slice(&self.body).map_err(|_| self.unusable("the body is not what it should be"))
    }

    /// The error code (RFC 6749 §5.2), where there is one, as it may stand in a log.
    pub(super) fn error_code(&self) -> String {
        let body = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        plain(body["error"].as_str().unwrap_or_default())
    }

    /// It is no answer that can be used.
    pub(super) fn unusable(&self, why: impl std::fmt::Display) -> Error {
        warn!(backend = self.backend, status = self.status, %why, "login.answer_unusable");
        not_now()
    }
}

pub(super) const fn not_now() -> Error {
    Error::NotNow { what: "a login back end" }
}

/// A code of somebody else as it may stand in a log.
pub(super) fn plain(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect()
}

/// A header whose value the operator has given; none where it can't be one.
pub(super) fn secret_header(value: &Secret<String>) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A POST of JSON.
pub(super) fn post_json(url: &str, body: Vec<u8>) -> Call<'static> {
    json(Call::post(url, body)).header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

/// That wants JSON.
pub(super) fn json(call: Call<'static>) -> Call<'static> {
    call.header(ACCEPT, HeaderValue::from_static("application/json"))
}

/// With this header.
pub(super) fn with(call: Call<'static>, name: &'static str, value: &Secret<String>) -> Result<Call<'static>> {
    let value = secret_header(value).ok_or_else(not_now)?;
    Ok(call.header(HeaderName::from_static(name), value))
}

impl Grant {
    /// How long a person may be kept waiting.
    pub(super) fn patience(&self) -> Duration {
        PATIENCE.min(self.parts.http.total_timeout())
    }

    /// Held while a password or a code is looked at elsewhere.
    pub(super) fn turn_elsewhere(&self) -> Result<SemaphorePermit<'_>> {
        self.checks.try_acquire().map_err(|_| {
            warn!("login.too_many_at_once");
            not_now()
        })
    }

    /// Asks a back end.
    pub(super) async fn ask(&self, backend: &str, call: Call<'_>) -> Result<Answer> {
        let answer = self.parts.http.send(call).await.map_err(|error| {
            warn!(backend, %error, "login.unreachable");
            not_now()
        })?;
        let too_long = answer.body.len() > MAX_ANSWER;
        let body = if too_long { Vec::new() } else { answer.body.to_vec() };
        let answer = Answer { backend: backend.to_owned(), status: answer.status, body };
        if too_long { Err(answer.unusable("it is over 256 KiB")) } else { Ok(answer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_the_code_of_an_error_and_nothing_else_that_was_said() {
        for (body, expected) in [
            (r#"{"error": "invalid_client", "error_description": "anna@example.com"}"#, "invalid_client"),
            (r#"{"error": "a\nb=\"c\""}"#, "abc"),
            (r#"{"error": {"code": "x"}}"#, ""),
            ("[1]", ""),
            ("<html>", ""),
        ] {
            let answer = Answer { backend: String::new(), status: 400, body: body.as_bytes().to_vec() };
            assert_eq!(answer.error_code(), expected, "{body}");
        }
        assert_eq!(plain(&"x".repeat(61)).len(), 60);
    }
}
