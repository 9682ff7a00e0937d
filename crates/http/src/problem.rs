//! Errors become responses here and nowhere else: RFC 9457 problem documents, in the caller's language.
//!
//! A handler returns a [`Problem`]; the outermost layer ([`crate::layer`]) knows the language and the request's id and
//! writes the document.

use std::fmt::Display;
use std::time::Duration;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{ProblemCode, RequestId};
use serde::Serialize;
use serde_json::{Map, Value};
use store::connections::ConnectionKey;

use crate::messages::Language;

/// How soon a caller may come again while the operator holds refreshing: a person has to act.
const HELD_RETRY_AFTER: Duration = Duration::from_mins(1);

/// A request that is not done, and why.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The code in the registry.
    pub code: ProblemCode,
    details: Box<Details>,
}

/// Boxed, so that the way of a request that succeeds stays small.
#[derive(Debug, Clone, Default)]
struct Details {
    arguments: Vec<(&'static str, String)>,
    fields: Vec<FieldProblem>,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
    cause: Option<String>,
}

/// A member of the request's body that is not right.
#[derive(Debug, Clone, Serialize)]
pub struct FieldProblem {
    /// The member, as a path.
    pub field: String,
    /// `unknown_field`, `required`, `invalid_type` or `invalid_format`.
    pub code: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    /// A problem with nothing but its code.
    pub fn new(code: ProblemCode) -> Self {
        Self { code, details: Box::default() }
    }

    /// A parameter of the path or the query that is not right.
    pub fn parameter(name: &str, rule: impl Display) -> Self {
        Self::new(ProblemCode::InvalidParameter).argument("name", name).argument("rule", rule)
    }

    /// A member of the body that is not right.
    pub fn field(field: &str, code: &'static str, message: impl Display) -> Self {
        let mut problem = Self::new(ProblemCode::ValidationFailed).argument("field", field);
        problem.details.fields.push(FieldProblem {
            field: field.to_owned(),
            code,
            message: message.to_string(),
        });
        problem
    }

    /// Fills a placeholder of the message.
    #[must_use]
    pub fn argument(mut self, name: &'static str, value: impl Display) -> Self {
        self.details.arguments.push((name, value.to_string()));
        self
    }

    /// Adds an extension member (RFC 9457 §3.2).
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.members.insert(name.to_owned(), value.into());
        self
    }

    /// Says when it makes sense to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.details.retry_after = Some(after);
        self
    }

    /// Says what led to it: for the log alone.
    #[must_use]
    pub(crate) fn cause(mut self, cause: String) -> Self {
        self.details.cause = Some(cause);
        self
    }

    /// What led to it.
    pub(crate) fn led_to_by(&self) -> Option<&str> {
        self.details.cause.as_deref()
    }

    /// The sentence that says what it is.
    pub fn title(&self, language: Language) -> String {
        language.text(self.code.word(), &self.borrowed())
    }

    /// The same as the heading of a page: in the words of people, and without a full stop.
    pub(crate) fn heading(&self, language: Language) -> String {
        let title = language.find(&format!("{}.page_title", self.code), &self.borrowed());
        let title = title.unwrap_or_else(|| self.title(language));
        title.strip_suffix('.').map_or(title.clone(), str::to_owned)
    }

    /// The sentence that says what to do.
    pub fn detail(&self, language: Language) -> String {
        language.text(&format!("{}.detail", self.code), &self.borrowed())
    }

    /// The same for a person who has come to a page: programs are told what to send, people what to do.
    pub(crate) fn advice(&self, language: Language, product: &str) -> String {
        let arguments = [&self.borrowed()[..], &[("product", product)]].concat();
        let advice = language.find(&format!("{}.page", self.code), &arguments);
        advice.unwrap_or_else(|| self.detail(language))
    }

    #[cfg(test)]
    pub(crate) fn fields(&self) -> &[FieldProblem] {
        &self.details.fields
    }

    fn borrowed(&self) -> Vec<(&str, &str)> {
        self.details.arguments.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// The document.
    pub(crate) fn document(&self, language: Language, request: RequestId) -> Response {
        let members = Value::Object(self.members(language, Some(request)));
        let mut response = (self.status(), members.to_string()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Language"));
        self.headers(response.headers_mut());
        response
    }

    /// The document's members.
    pub(crate) fn members(&self, language: Language, request: Option<RequestId>) -> Map<String, Value> {
        let detail = self.detail(language);
        let mut members = Map::new();
        members.insert("type".to_owned(), format!("urn:claviger:error:{}", self.code).into());
        members.insert("title".to_owned(), self.title(language).into());
        members.insert("status".to_owned(), self.code.status().into());
        members.insert("detail".to_owned(), detail.clone().into());
        members.insert("code".to_owned(), self.code.word().into());
        members.insert("message".to_owned(), detail.into());
        members.insert("action".to_owned(), self.code.action().word().into());
        if let Some(request) = request {
            members.insert("request_id".to_owned(), request.to_string().into());
        }
        if !self.details.fields.is_empty() {
            members
                .insert("errors".to_owned(), serde_json::to_value(&self.details.fields).unwrap_or_default());
        }
        if let Some(after) = self.details.retry_after {
            members.insert("retry_after".to_owned(), seconds(after).into());
        }
        members.extend(self.details.members.clone());
        members
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What goes with a document and with a page.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.details.retry_after {
            headers.insert(RETRY_AFTER, seconds(after).into());
        }
        if self.code == ProblemCode::InvalidApiKey {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

/// RFC 9110 §10.2.3 knows whole seconds; half a second is told as one.
pub(crate) fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl IntoResponse for Problem {
    /// An empty answer that carries the problem to the layer that writes it.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<::connect::Error> for Problem {
    fn from(error: ::connect::Error) -> Self {
        Self::of(&error)
    }
}

impl Problem {
    fn of(error: &::connect::Error) -> Self {
        use ::connect::Error;
        let problem = Self::new(error.code());
        match error {
            Error::Shared(error) => Self::of(error),
            Error::SubjectNotFound { subject } | Error::StripeAccountNotFound { subject } => {
                problem.argument("subject", subject)
            }
            Error::IntegrationNotFound { integration }
            | Error::IntegrationInConfiguration { integration }
            | Error::GrantAtRisk { integration } => {
                problem.argument("integration", integration).member("integration", integration.as_str())
            }
            Error::GroupNotFound { group } | Error::GroupNotConfigured { group } => {
                problem.argument("group", group).member("group", group.as_str())
            }
            Error::ProviderNotFound { provider } => problem.argument("provider", provider),
            Error::IntegrationNotConfigured { integration, missing } => problem
                .argument("integration", integration)
                .argument("missing", missing)
                .member("integration", integration.as_str()),
            Error::InvalidParameter { name, rule } => problem.argument("name", name).argument("rule", rule),
            Error::ConnectionNotFound { subject, integration } => {
                problem.argument("subject", subject).argument("integration", integration)
            }
            Error::ReconnectRequired { key, reason, since } => problem
                .member("reason", reason.word())
                .member("since", since.to_string())
                .member("reconnect", reconnect(key)),
            Error::ProviderUnavailable { retry_after }
            | Error::RefreshUnderWay { retry_after }
            | Error::StripeUnavailable { retry_after }
            | Error::TooManyMails { retry_after } => problem.retry_after(*retry_after),
            Error::RefreshingHeld | Error::KeysOutdated => problem.retry_after(HELD_RETRY_AFTER),
            Error::ProviderConfiguration { error } | Error::StripeConfiguration { error } => {
                problem.argument("error", error.as_deref().unwrap_or("unknown"))
            }
            Error::GenerationConflict { generation } => problem.member("generation", *generation),
            Error::TokenNotGranted { part } => problem.argument("part", part).member("part", part.as_str()),
            Error::PortalSessionNotFound { id } | Error::PortalSessionOver { id } => {
                problem.argument("id", id)
            }
            Error::InvalidSignature { reason } => problem.member("reason", *reason),
            Error::NothingToMail
            | Error::MailNotConfigured
            | Error::InvalidLink
            | Error::InvitationExpired
            | Error::AlreadyDone
            | Error::PortalSessionNeeded
            | Error::StripeNotConfigured
            | Error::InvalidState { .. }
            | Error::ExpiredState
            | Error::AccountMismatch
            | Error::StripeAccountUnknown
            | Error::AccountTaken
            | Error::AccountLinked
            | Error::AccountDeauthorized
            | Error::ReturnToNotAllowed
            | Error::InvalidTicket
            | Error::ExchangeFailed(_)
            | Error::NoRefreshToken
            | Error::MasterKeyChanged => problem,
            Error::Store(_) | Error::Vault { .. } | Error::Keyring(_) | Error::Interrupted => {
                let problem = problem.cause(causes(error));
                match problem.code {
                    ProblemCode::StoreUnavailable => problem.retry_after(Duration::from_secs(1)),
                    _ => problem,
                }
            }
        }
    }
}

impl From<::grant::Error> for Problem {
    fn from(error: ::grant::Error) -> Self {
        use ::grant::Error;
        match error {
            Error::Problem { code: ProblemCode::ValidationFailed, about: Some((field, rule)) } => {
                Self::field(field, "invalid_format", rule)
            }
            Error::Problem { code, about } => match about {
                Some((name, rule)) => Self::new(code).argument("name", name).argument("rule", rule),
                None => Self::new(code),
            },
            Error::TooOften { retry_after } => {
                Self::new(ProblemCode::TooManyRequests).retry_after(retry_after)
            }
            Error::NotNow { what } => Self::new(ProblemCode::TemporarilyUnavailable)
                .retry_after(Duration::from_secs(2))
                .cause(what.to_owned()),
            Error::Store(error) => error.into(),
            error @ (Error::Keys(_) | Error::Refused(_)) => {
                Self::new(ProblemCode::InternalError).cause(causes(&error))
            }
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        ::connect::Error::from(error).into()
    }
}

/// Where the backend begins again, to get a link for the person. Making that link here would begin an attempt at every
/// read of a broken connection.
pub(crate) fn reconnect(key: &ConnectionKey) -> String {
    let label = match key.label.as_str() {
        "default" => String::new(),
        label => format!("&label={label}"),
    };
    format!("/api/oauth/authorize/{}?provider={}{label}", key.subject, key.integration)
}

/// An error with everything that led to it, for the log; the caller gets the request's id to ask with.
fn causes(error: &dyn std::error::Error) -> String {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        causes = format!("{causes}: {cause}");
        source = cause.source();
    }
    causes
}
