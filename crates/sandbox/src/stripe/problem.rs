//! Errors in Stripe's shape: `{"error": {"type", "code", "message", "param", …}}`.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::form::shortened;

/// Why a request is refused.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    kind: &'static str,
    pub(super) code: Option<&'static str>,
    message: String,
    param: Option<String>,
    more: Vec<(&'static str, Value)>,
    /// Whether no work had begun: then an idempotency key does not keep the answer.
    pub(super) before_work: bool,
}

impl Problem {
    /// A request that is not as it should be, found before any work.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code: None,
            message: message.into(),
            param: None,
            more: Vec::new(),
            before_work: true,
        }
    }

    pub(super) fn missing(param: &str) -> Self {
        Self::invalid(format!("The parameter {param} is required.")).with_code("parameter_missing").at(param)
    }

    pub(super) fn empty(param: &str) -> Self {
        Self::invalid(format!("The parameter {param} must not be empty."))
            .with_code("parameter_invalid_empty")
            .at(param)
    }

    pub(super) fn unknown_parameter(param: &str) -> Self {
        let param = shortened(param);
        Self::invalid(format!("The parameter {param} is not known here."))
            .with_code("parameter_unknown")
            .at(&param)
    }

    /// Stripe tells a missing and a wrong key apart in words only.
    pub(super) fn unauthorized(message: &str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, ..Self::invalid(message) }
    }

    /// One answer for an account that does not exist, is somebody else's or took its consent back.
    pub(super) fn foreign_account(id: &str) -> Self {
        let message = format!(
            "This key has no access to account '{}', or no such account exists, or its access was revoked.",
            shortened(id)
        );
        Self { status: StatusCode::FORBIDDEN, ..Self::invalid(message) }
            .with_code("account_invalid")
            .in_work()
    }

    /// An object that the URL names and that does not exist, or is somebody else's.
    pub(super) fn no_such(what: &str, id: &str, param: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::no_such_reference(what, id, param) }
    }

    /// The same of an object that a parameter names.
    pub(super) fn no_such_reference(what: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {what}: '{}'", shortened(id));
        Self::invalid(message).with_code("resource_missing").at(param).in_work()
    }

    pub(super) fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!("No operation has this method and path: {method} {}", shortened(path));
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(message) }
    }

    pub(super) fn of_idempotency(message: String) -> Self {
        Self { kind: "idempotency_error", ..Self::invalid(message) }
    }

    pub(super) fn key_in_use() -> Self {
        let message = "Another request with this idempotency key is still under way. Try again later.";
        Self { status: StatusCode::CONFLICT, ..Self::invalid(message) }.with_code("idempotency_key_in_use")
    }

    pub(super) fn card_declined(decline_code: &'static str) -> Self {
        let problem = Self {
            status: StatusCode::PAYMENT_REQUIRED,
            kind: "card_error",
            ..Self::invalid("The card was declined.")
        };
        problem.with_code("card_declined").with("decline_code", json!(decline_code)).in_work()
    }

    pub(super) fn rate_limited() -> Self {
        let message = "Too many requests came too quickly.";
        Self { status: StatusCode::TOO_MANY_REQUESTS, ..Self::invalid(message) }.with_code("rate_limit")
    }

    pub(super) fn internal() -> Self {
        let problem = Self::invalid("Something went wrong on the provider's side.").in_work();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "api_error", ..problem }
    }

    pub(super) fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Names the parameter.
    pub(super) fn at(self, param: &str) -> Self {
        Self { param: Some(shortened(param)), ..self }
    }

    pub(super) fn with(mut self, member: &'static str, value: Value) -> Self {
        self.more.push((member, value));
        self
    }

    /// Found while the work was done, so an idempotency key keeps the answer.
    pub(super) fn in_work(self) -> Self {
        Self { before_work: false, ..self }
    }

    /// What the log calls it.
    pub(super) fn outcome(&self) -> &'static str {
        self.code.unwrap_or(self.kind)
    }

    /// The error without its envelope, as an intent's `last_payment_error` has it.
    pub(super) fn error(&self) -> Map<String, Value> {
        let mut error: Map<String, Value> =
            self.more.iter().map(|(member, value)| ((*member).to_owned(), value.clone())).collect();
        error.insert("type".to_owned(), json!(self.kind));
        error.insert("message".to_owned(), json!(self.message));
        if let Some(code) = self.code {
            error.insert("code".to_owned(), json!(code));
        }
        if let Some(param) = &self.param {
            error.insert("param".to_owned(), json!(param));
        }
        error
    }

    /// The body of the answer. `base` is where the log can be read.
    pub(super) fn body(&self, base: &str) -> Value {
        let mut error = self.error();
        error.insert("request_log_url".to_owned(), json!(format!("{base}/control/log")));
        json!({"error": error})
    }
}
