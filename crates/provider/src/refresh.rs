//! A refresh token for an access token (RFC 6749 §6).

use model::RefreshToken;

use crate::answer::AnswerError;
use crate::client::HttpClient;
use crate::exchange::{App, TokenAnswer};
use crate::format::entry::Entry;
use crate::token_request::TokenRequest;

/// A refresh token to use.
#[derive(Debug)]
pub struct Refresh<'a> {
    /// How the provider speaks.
    pub entry: &'a Entry,
    /// The endpoint for refreshes, as the credential pinned it.
    pub token_url: &'a str,
    /// The app to which the token was issued.
    pub app: &'a App,
    /// The token.
    pub refresh_token: &'a RefreshToken,
}

/// Uses a refresh token, once. Whether to try again depends on how the provider rotates, and is the caller's decision.
pub async fn refresh(http: &HttpClient, request: Refresh<'_>) -> Result<TokenAnswer, AnswerError> {
    let mut form = TokenRequest::new("refresh_token", request.entry, request.app);
    form.push_secret("refresh_token", request.refresh_token.expose());
    form.send(http, request.token_url).await
}
