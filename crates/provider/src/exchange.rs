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
    /// Further token pairs of the same consent, by name. Where only one of them came, its tokens are the ones above.
    pub parts: Vec<PartAnswer>,
}

/// A further token pair of a consent. Its members mean what those of [`TokenAnswer`] mean.
#[derive(Debug, Clone)]
pub struct PartAnswer {
    /// The part's name in the entry.
    pub name: String,
    /// Its access token.
    pub access_token: AccessToken,
    /// Its refresh token: never the one of another pair.
    pub refresh_token: Option<RefreshToken>,
    /// Its token type.
    pub token_type: String,
    /// How long its access token lives.
    pub expires_in: Option<Duration>,
    /// Its granted scopes, with the part's name before them as in the scopes that were asked for.
    pub scopes: Option<Scopes>,
}

impl TokenAnswer {
    /// All granted scopes, those of the parts included. A pair whose scopes the provider does not say has those that were
    /// asked for (RFC 6749 §5.1); a part that did not come has none. Those that the entry's answers never name are granted
    /// with the others.
    pub fn granted(&self, entry: &Entry, requested: &Scopes) -> Scopes {
        let of = |scopes: Option<&Scopes>, part: Option<&str>| match scopes {
            Some(scopes) => scopes.clone(),
            None => {
                requested.iter().filter(|scope| entry.part_of(scope).0 == part).map(str::to_owned).collect()
            }
        };
        let main = of(self.scopes.as_ref(), None);
        let parts = self.parts.iter().map(|part| of(part.scopes.as_ref(), Some(&part.name)));
        let unlisted = requested.iter().filter(|scope| entry.unlisted_scopes.contains(scope));
        let mut all: Vec<String> = main.into();
        all.extend(parts.flat_map(Vec::<String>::from));
        all.extend(unlisted.map(str::to_owned));
        // Asked for by the other name, it is granted by that name too.
        let is_granted = |scope: &&str| entry.scope_aliases.get(*scope).is_some_and(|own| all.contains(own));
        let by_other_names: Vec<&str> = requested.iter().filter(is_granted).collect();
        all.extend(by_other_names.into_iter().map(str::to_owned));
        all.into()
    }

    /// The answer to the refresh of a part's token, whose scopes a provider may write at the top and then without the
    /// part's name.
    #[must_use]
    pub fn of_part(mut self, entry: &Entry, part: &str) -> Self {
        let named = |scope: &str| match entry.part_of(scope).0 {
            Some(own) if own == part => scope.to_owned(),
            _ => format!("{part}/{scope}"),
        };
        self.scopes = self.scopes.map(|scopes| scopes.iter().map(named).collect());
        self
    }
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
