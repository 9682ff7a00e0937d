//! Why the grant plane did not do it.

use std::borrow::Cow;
use std::time::Duration;

use model::{OauthErrorCode, ProblemCode};

/// What an application, or whoever speaks for it, did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The registered code.
    pub code: OauthErrorCode,
    /// A sentence for the application's developer, in the characters that RFC 6749 §5.2 allows. Never what was sent.
    pub description: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: OauthErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into() }
    }
}

/// Why the grant plane did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is refused, with a code of OAuth.
    #[error("{}: {}", .0.code, .0.description)]
    Refused(Refusal),
    /// The request is refused, with a code of the registry: for pages and for our own API.
    #[error("{code}")]
    Problem {
        /// The code.
        code: ProblemCode,
        /// The member or parameter that it is about, and the rule.
        about: Option<(&'static str, String)>,
    },
    /// Too often.
    #[error("too many requests; again in {} s", .retry_after.as_secs())]
    TooOften {
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// We can't just now: a login back end, or the work of hashing passwords, is out of reach or full.
    #[error("not just now: {what}")]
    NotNow {
        /// What is out of reach.
        what: &'static str,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A key does not open, or can't be used to seal.
    #[error("the signing keys can't be used: {0}")]
    Keys(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A refusal with a code of OAuth.
    pub(crate) fn refused(code: OauthErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(Refusal::new(code, description))
    }

    /// A refusal with a code of the registry.
    pub(crate) const fn problem(code: ProblemCode) -> Self {
        Self::Problem { code, about: None }
    }

    /// A member or a parameter that is not right.
    pub(crate) fn field(name: &'static str, rule: impl Into<String>) -> Self {
        Self::Problem { code: ProblemCode::ValidationFailed, about: Some((name, rule.into())) }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
