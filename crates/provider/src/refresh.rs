//! A refresh token for an access token (RFC 6749 §6).

use std::fmt;
use std::time::Duration;

use model::{RefreshToken, Scopes};

use crate::answer::{AnswerError, Class};
use crate::client::{Gate, HttpClient};
use crate::exchange::{App, TokenAnswer};
use crate::format::entry::Entry;
use crate::token_request::TokenRequest;

/// A refresh token to use.
pub struct Refresh<'a> {
    /// How the provider speaks.
    pub entry: &'a Entry,
    /// The endpoint for refreshes, as the credential pinned it.
    pub token_url: &'a str,
    /// The app to which the token was issued.
    pub app: &'a App,
    /// The token.
    pub refresh_token: &'a RefreshToken,
    /// The scopes of the access token, where it shall not have all that were granted (RFC 6749 §6), or is for one of the
    /// entry's resources.
    pub scopes: Option<&'a Scopes>,
    /// Replaces the client's total timeout for this call. A strict rotator gets long: giving up early throws the only
    /// copy of the new tokens away.
    pub timeout: Option<Duration>,
    /// Asked right before the request's first octet is written, when connecting and TLS are done. When it says `false`,
    /// nothing is sent and the error is [`ClientError::Withheld`](crate::client::ClientError::Withheld).
    pub gate: &'a Gate<'a>,
}

impl fmt::Debug for Refresh<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh")
            .field("entry", self.entry)
            .field("token_url", &self.token_url)
            .field("app", self.app)
            .field("refresh_token", self.refresh_token)
            .field("scopes", &self.scopes)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Uses a refresh token, once. Whether to try again depends on how the provider rotates, and is the caller's decision.
pub async fn refresh(http: &HttpClient, request: Refresh<'_>) -> Result<TokenAnswer, AnswerError> {
    let mut form = TokenRequest::new("refresh_token", request.entry, request.app)
        .timeout(request.timeout)
        .gate(request.gate);
    form.push_secret("refresh_token", request.refresh_token.expose());
    if let Some(scopes) = request.scopes {
        form.push("scope", &scopes.join(&request.entry.scope_separator));
    }
    form.send(http, request.token_url).await
}

/// Asks a token endpoint for nothing: a refresh request without a refresh token (RFC 6749 §5.2: `invalid_request`). It
/// spends no token, and tells whether the provider answers and knows our app. An error has the class that counts.
pub async fn probe(http: &HttpClient, entry: &Entry, token_url: &str, app: &App) -> Result<(), AnswerError> {
    let Err(error) = TokenRequest::new("refresh_token", entry, app).send(http, token_url).await else {
        return Ok(());
    };
    let is_about_the_request = matches!(
        error.error.as_deref(),
        Some("invalid_request" | "invalid_scope" | "unsupported_grant_type")
    );
    match error.class {
        // It understood us well enough to miss something.
        Class::Dead | Class::Interaction => Ok(()),
        Class::Configuration if is_about_the_request => Ok(()),
        Class::Malformed if error.status.is_some_and(|status| (400..500).contains(&status)) => Ok(()),
        // Providers that tell errors with status 200.
        Class::Malformed if error.error.is_some() => Ok(()),
        Class::Configuration | Class::Throttled | Class::NotSent | Class::Ambiguous | Class::Malformed => {
            Err(error)
        }
    }
}
