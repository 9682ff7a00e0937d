//! What an answer of a token endpoint means.
//!
//! 1. The body is read before the status: providers send errors with 200, and dead grants with 403.
//! 2. The entry's own rules come first, then the codes of RFC 6749 §5.2 and OpenID Connect, then the status.
//! 3. What is neither tokens nor an error that somebody explained is [`Class::Malformed`]: as with an answer that never
//!    came, the provider may have processed the request.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{DATE, HeaderMap, RETRY_AFTER};
use jiff::fmt::rfc2822;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::client::{ClientError, Response};
use crate::exchange::TokenAnswer;
use crate::format::entry::{Encoding, Entry, Meaning};
use crate::member::{find, says_success, text_of};
use crate::token_members;

/// The longest error code and the longest description that are kept, in characters.
const MAX_TEXT: usize = 200;
/// A provider that wants to be left alone for longer is asked again after this.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// What to do about an answer that brought no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The code or the grant is dead; only the person can repair it.
    Dead,
    /// The person has to sign in or to consent at the provider.
    Interaction,
    /// Our app's registration or credentials are wrong. Never the connection's fault.
    Configuration,
    /// Too much or too early; not processed.
    Throttled,
    /// Certainly not processed: the request did not go out.
    NotSent,
    /// It may have been processed.
    Ambiguous,
    /// Something else than a token answer or an error that somebody explained. It may have been processed.
    Malformed,
}

impl Class {
    /// The class's word in logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Interaction => "interaction",
            Self::Configuration => "configuration",
            Self::Throttled => "throttled",
            Self::NotSent => "not_sent",
            Self::Ambiguous => "ambiguous",
            Self::Malformed => "malformed",
        }
    }
}

impl From<Meaning> for Class {
    fn from(meaning: Meaning) -> Self {
        match meaning {
            Meaning::Dead => Self::Dead,
            Meaning::Interaction => Self::Interaction,
            Meaning::Configuration => Self::Configuration,
            Meaning::Throttled => Self::Throttled,
            Meaning::Ambiguous => Self::Ambiguous,
        }
    }
}

/// A token endpoint did not answer with tokens. Never carries the body.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct AnswerError {
    /// What to do about it.
    pub class: Class,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// The provider's error code, at most 200 characters without control characters.
    pub error: Option<String>,
    /// The provider's description, bounded and cleaned likewise.
    pub description: Option<String>,
    /// How long the provider wants to be left alone (RFC 9110 §10.2.3): one second to one hour.
    pub retry_after: Option<Duration>,
    /// What is wrong with an answer that is [`Class::Malformed`].
    pub fault: Option<&'static str>,
    /// Why there was no answer.
    #[source]
    pub transport: Option<Arc<ClientError>>,
}

impl AnswerError {
    /// Whether nothing was sent because the gate was closed.
    pub fn is_withheld(&self) -> bool {
        self.transport.as_deref().is_some_and(|error| matches!(error, ClientError::Withheld { .. }))
    }

    /// Whether the request was sent and no complete answer came: whatever the provider did, nobody heard of it.
    pub fn is_silent(&self) -> bool {
        self.class == Class::Ambiguous && self.status.is_none()
    }

    fn sentence(&self) -> String {
        let mut sentence = match self.status {
            Some(status) => format!("the token endpoint answered {status} ({})", self.class.word()),
            None => format!("no answer of the token endpoint ({})", self.class.word()),
        };
        let said = [self.fault, self.error.as_deref(), self.description.as_deref()];
        for text in said.into_iter().flatten() {
            sentence.push_str(": ");
            sentence.push_str(text);
        }
        sentence
    }
}

impl From<ClientError> for AnswerError {
    fn from(error: ClientError) -> Self {
        let class = match &error {
            ClientError::NotCallable { .. } | ClientError::Forbidden { .. } => Class::Configuration,
            ClientError::TooLarge { .. } => Class::Malformed,
            error if error.is_certainly_not_sent() => Class::NotSent,
            _ => Class::Ambiguous,
        };
        Self {
            class,
            status: None,
            error: None,
            description: None,
            retry_after: None,
            fault: None,
            transport: Some(Arc::new(error)),
        }
    }
}

/// Reads an answer by the entry's recipe. `sent` are the secrets of the request; an error does not repeat them even
/// where the provider does.
pub fn read(entry: &Entry, response: &Response, sent: &[&str]) -> Result<TokenAnswer, AnswerError> {
    let recipe = &entry.token_answer;
    let refused = |error: Option<String>, description: Option<String>, fault| AnswerError {
        class: classify(entry, response.status, error.as_deref(), description.as_deref()),
        status: Some(response.status),
        error: error.map(|text| clean(&text, sent)),
        description: description.map(|text| clean(&text, sent)),
        retry_after: retry_after(&response.headers),
        fault,
        transport: None,
    };
    let Some(body) = decode(recipe.encoding, &response.body) else {
        return Err(refused(None, None, Some("the body is not in the entry's encoding")));
    };
    let error = find(&recipe.error, &body)
        .filter(|error| says_something(error))
        // An entry that reads it elsewhere does not hide the registered code (RFC 6749 §5.2).
        .or_else(|| body.get("error").filter(|error| error.as_str().is_some_and(|code| !code.is_empty())));
    let succeeded = (200..300).contains(&response.status)
        && error.is_none()
        && says_success(recipe.success.as_ref(), &body);
    if !succeeded {
        let description = find(&recipe.error_description, &body).and_then(text_of);
        return Err(refused(error.and_then(text_of), description, None));
    }
    token_members::read(entry, &body)
        .map_err(|fault| AnswerError { class: Class::Malformed, ..refused(None, None, Some(fault)) })
}

/// Whether an error member tells of an error: some providers send `null`, `false` or nothing in it.
fn says_something(error: &Value) -> bool {
    !matches!(error, Value::Null | Value::Bool(false)) && error.as_str() != Some("")
}

/// The body as a JSON object. A form becomes one of texts; where one is expected, an object is taken as well, since
/// providers that answer with a form may still send errors as JSON.
fn decode(encoding: Encoding, body: &[u8]) -> Option<Value> {
    let json = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    if json.is_some() || encoding == Encoding::Json {
        return json;
    }
    let text = std::str::from_utf8(body).ok()?;
    let mut members = Map::new();
    for (name, value) in form_urlencoded::parse(text.trim().as_bytes()) {
        members.entry(name.into_owned()).or_insert_with(|| Value::String(value.into_owned()));
    }
    Some(Value::Object(members))
}

/// The table of `classify`'s steps: the entry's rules, the registered codes, the status.
fn classify(entry: &Entry, status: u16, error: Option<&str>, description: Option<&str>) -> Class {
    let described = description.unwrap_or_default().to_lowercase();
    let matching = entry.errors.iter().find(|rule| {
        let part = rule.description_contains.as_deref().unwrap_or_default().to_lowercase();
        error == Some(rule.error.as_str()) && described.contains(&part)
    });
    if let Some(rule) = matching {
        return rule.means.into();
    }
    match (error, status) {
        (Some("invalid_grant"), _) => Class::Dead,
        (Some("interaction_required" | "consent_required" | "login_required"), _) => Class::Interaction,
        (
            Some(
                "invalid_client"
                | "invalid_request"
                | "invalid_scope"
                | "redirect_uri_mismatch"
                | "unauthorized_client"
                | "unsupported_grant_type",
            ),
            _,
        ) => Class::Configuration,
        (Some("slow_down" | "temporarily_unavailable"), _) | (_, 429 | 503) => Class::Throttled,
        (Some("server_error"), _) | (_, 408 | 409 | 500..=599) => Class::Ambiguous,
        _ => Class::Malformed,
    }
}

/// RFC 9110 §10.2.3. A date is taken relative to the answer's own `Date`, so that our clock plays no part.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let now = rfc2822::parse(headers.get(DATE)?.to_str().ok()?).ok()?;
        let then = rfc2822::parse(text).ok()?;
        Duration::try_from(then.timestamp().duration_since(now.timestamp())).unwrap_or_default()
    };
    Some(wait.clamp(Duration::from_secs(1), MAX_RETRY_AFTER))
}

/// A provider's text as logs and answers may carry it.
pub(crate) fn clean(text: &str, sent: &[&str]) -> String {
    let hidden = sent
        .iter()
        .filter(|secret| secret.len() >= 4)
        .fold(text.to_owned(), |text, secret| text.replace(*secret, "[secret]"));
    hidden.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use bytes::Bytes;
    use hyper::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::Catalog;

    static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

    fn entry(id: &str) -> Entry {
        CATALOG.get(&id.parse().unwrap()).unwrap().as_ref().clone()
    }

    fn response(status: u16, headers: &[(HeaderName, &str)], body: impl Into<Bytes>) -> Response {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        Response { status, headers: headers.collect(), body: body.into() }
    }

    fn error_of(entry: &Entry, status: u16, body: &str) -> AnswerError {
        read(entry, &response(status, &[], body.to_owned()), &[]).map(|_| "tokens").unwrap_err()
    }

    #[test]
    fn the_body_speaks_before_the_status() {
        let error = |code: &str| format!(r#"{{"error":"{code}"}}"#);
        let throttle = r#"{"error":"Access Denied","error_description":"You have made Too Many Requests"}"#;
        let reauth = r#"{"error":"invalid_grant","error_description":"ReAuth related error (invalid_rapt)"}"#;
        let cases: &[(&str, u16, &str, Class)] = &[
            // The dead grant, with whatever status
            ("sandbox", 400, &error("invalid_grant"), Class::Dead),
            ("sandbox", 403, &error("invalid_grant"), Class::Dead),
            ("sandbox", 200, &error("invalid_grant"), Class::Dead),
            ("sandbox", 500, &error("invalid_grant"), Class::Dead),
            ("github", 200, &error("bad_refresh_token"), Class::Dead),
            ("zoho_crm", 200, &error("invalid_code"), Class::Dead),
            ("sandbox", 200, &error("invalid_code"), Class::Malformed),
            // Our own configuration
            ("sandbox", 401, &error("invalid_client"), Class::Configuration),
            ("sandbox", 400, &error("unauthorized_client"), Class::Configuration),
            ("github", 200, &error("redirect_uri_mismatch"), Class::Configuration),
            ("github", 200, &error("bad_client_secret"), Class::Configuration),
            ("github", 200, &error("incorrect_client_credentials"), Class::Configuration),
            ("sandbox", 503, &error("invalid_client"), Class::Configuration),
            // The person
            ("sandbox", 400, &error("interaction_required"), Class::Interaction),
            ("sandbox", 400, &error("consent_required"), Class::Interaction),
            ("google_workspace", 400, reauth, Class::Interaction),
            ("google_workspace", 400, &error("invalid_grant"), Class::Dead),
            // Too much
            ("sandbox", 429, "<html>", Class::Throttled),
            ("sandbox", 503, "", Class::Throttled),
            ("sandbox", 503, &error("server_error"), Class::Throttled),
            ("sandbox", 400, &error("temporarily_unavailable"), Class::Throttled),
            ("zoho_crm", 200, throttle, Class::Throttled),
            ("zoho_crm", 200, &error("Access Denied"), Class::Malformed),
            // May have been processed
            ("sandbox", 500, "<html>", Class::Ambiguous),
            ("sandbox", 502, "", Class::Ambiguous),
            ("sandbox", 504, &error("whatever"), Class::Ambiguous),
            ("sandbox", 409, "{}", Class::Ambiguous),
            ("sandbox", 400, &error("server_error"), Class::Ambiguous),
            // Nobody explained it
            ("sandbox", 200, "<html>", Class::Malformed),
            ("sandbox", 400, "<html>", Class::Malformed),
            ("sandbox", 400, &error("whatever"), Class::Malformed),
            ("sandbox", 401, "{}", Class::Malformed),
            ("sandbox", 302, "", Class::Malformed),
            ("sandbox", 200, r#"{"error":{"code":1},"access_token":"at"}"#, Class::Malformed),
        ];
        for (provider, status, body, class) in cases {
            let error = error_of(&entry(provider), *status, body);
            assert_eq!(error.class, *class, "{provider} {status} {body}");
            assert_eq!(error.status, Some(*status));
        }
    }

    #[test]
    fn an_empty_error_member_is_none() {
        for empty in ["null", "false", "\"\""] {
            let body = format!(r#"{{"error":{empty},"access_token":"at"}}"#);
            assert!(read(&entry("sandbox"), &response(200, &[], body), &[]).is_ok());
        }
    }

    #[test]
    fn what_the_provider_says_is_bounded_and_without_control_characters() {
        let body = format!(r#"{{"error":"a\u001b[2Jb\n","error_description":"{}"}}"#, "ü".repeat(500));
        let error = error_of(&entry("sandbox"), 400, &body);
        assert_eq!(error.error.as_deref(), Some("a[2Jb"));
        assert_eq!(error.description.unwrap().chars().count(), MAX_TEXT);
    }

    #[test]
    fn a_provider_that_wants_to_be_left_alone_is_understood_and_bounded() {
        let date = "Sat, 21 Nov 2026 10:00:00 GMT";
        let cases = [
            ("120", Some(120)),
            ("0", Some(1)),
            ("86400", Some(3600)),
            ("Sat, 21 Nov 2026 10:01:30 GMT", Some(90)),
            ("Sat, 21 Nov 2026 09:00:00 GMT", Some(1)),
            ("Sun, 22 Nov 2026 10:00:00 GMT", Some(3600)),
            ("-5", None),
            ("soon", None),
        ];
        for (written, seconds) in cases {
            let response = response(429, &[(RETRY_AFTER, written), (DATE, date)], "");
            let error = read(&entry("sandbox"), &response, &[]).map(|_| "tokens").unwrap_err();
            assert_eq!(error.retry_after, seconds.map(Duration::from_secs), "{written}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status in 100..=999_u16, body: Vec<u8>, retry in "[ -~]{0,40}", form: bool) {
            let mut entry = entry("zoho_crm");
            entry.token_answer.encoding = if form { Encoding::Form } else { Encoding::Json };
            let response = response(status, &[(RETRY_AFTER, &retry), (DATE, &retry)], body);
            prop_assert!(read(&entry, &response, &["secret"]).is_err());
        }

        #[test]
        fn no_member_makes_it_panic(
            status in prop::sample::select(vec![200_u16, 201, 400, 429, 500]),
            names in prop::collection::vec(
                prop::sample::select(vec![
                    "access_token", "refresh_token", "token_type", "expires_in", "scope", "error", "api_domain",
                ]),
                0..8,
            ),
            values in prop::collection::vec(
                prop_oneof![
                    any::<f64>().prop_map(|n| serde_json::json!(n)),
                    any::<i64>().prop_map(|n| serde_json::json!(n)),
                    any::<String>().prop_map(Value::String),
                    "[!-~]{1,20}".prop_map(Value::String),
                    Just(Value::Null),
                    Just(serde_json::json!({"a": [1, {"b": null}]})),
                ],
                8,
            ),
        ) {
            let body: Map<_, _> = names.iter().map(|name| (*name).to_owned()).zip(values).collect();
            let text = Value::Object(body).to_string();
            if let Ok(answer) = read(&entry("zoho_crm"), &response(status, &[], text), &[]) {
                prop_assert!(status < 300);
                prop_assert!(HeaderValue::from_str(answer.access_token.expose()).is_ok());
            }
        }
    }
}
