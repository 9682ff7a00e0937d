//! A code for tokens (RFC 6749 §4.1.3).

use std::time::Duration;

use model::{AccessToken, ClientSecret, CodeVerifier, RefreshToken, Scopes, Secret, TokenExtra};

use crate::answer::AnswerError;
use crate::client::HttpClient;
use crate::format::entry::Entry;
use crate::token_request::TokenRequest;

/// Our app at a provider.
#[derive(Debug, Clone)]
pub struct App {
    /// RFC 6749 §2.2.
    pub client_id: String,
    /// RFC 6749 §2.3.1; `None` for a public client.
    pub client_secret: Option<ClientSecret>,
}

/// A code to exchange.
#[derive(Debug)]
pub struct CodeExchange<'a> {
    /// How the provider speaks.
    pub entry: &'a Entry,
    /// The token endpoint, as the attempt pinned it.
    pub token_url: &'a str,
    /// The app to which the code was issued.
    pub app: &'a App,
    /// RFC 6749 §4.1.2.
    pub code: &'a Secret<String>,
    /// The redirect URI of the authorization request, exactly.
    pub redirect_uri: &'a str,
    /// RFC 7636 §4.5, where the authorization request carried a challenge.
    pub code_verifier: Option<&'a CodeVerifier>,
}

/// The tokens that a provider issued (RFC 6749 §5.1).
#[derive(Debug, Clone)]
pub struct TokenAnswer {
    /// The access token: 1 to 65536 visible ASCII characters, so that it fits into a header.
    pub access_token: AccessToken,
    /// The refresh token. After a refresh `None` means that the old one stays (RFC 6749 §6).
    pub refresh_token: Option<RefreshToken>,
    /// RFC 6749 §7.1; `Bearer` where the provider does not say.
    pub token_type: String,
    /// How long the access token lives, at most ten years. `None` where the provider does not say: then the entry's
    /// `refresh.access_token_lifetime` counts.
    pub expires_in: Option<Duration>,
    /// The granted scopes. `None` where the provider does not say: then those that were asked for (RFC 6749 §5.1).
    pub scopes: Option<Scopes>,
    /// The members that the entry keeps.
    pub extra: Option<TokenExtra>,
}

/// Exchanges a code, once: codes work once, so nothing is tried again.
pub async fn exchange_code(http: &HttpClient, request: CodeExchange<'_>) -> Result<TokenAnswer, AnswerError> {
    let mut form = TokenRequest::new("authorization_code", request.entry, request.app);
    form.push_secret("code", request.code.expose());
    form.push("redirect_uri", request.redirect_uri);
    if let Some(verifier) = request.code_verifier {
        form.push_secret("code_verifier", verifier.expose());
    }
    form.send(http, request.token_url).await
}
