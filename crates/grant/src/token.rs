//! The token endpoint (RFC 6749 §3.2): an application proves who it is, and asks in one of the ways of [`crate::grant_types`].

use model::{GrantType, OauthErrorCode};

use crate::client_auth::ClientRequest;
use crate::{Grant, Refusal, Result};

pub use crate::issue::TokenAnswer;

impl Grant {
    /// The same at an address that is for refresh tokens alone; `grant_type` may be left out there.
    pub async fn refresh(&self, request: &ClientRequest<'_>) -> Result<TokenAnswer> {
        match request.form.get("grant_type")? {
            None | Some("refresh_token") => self.grant_tokens(request, GrantType::RefreshToken).await,
            Some(_) => {
                let description = "this address is for refresh_token alone";
                Err(Refusal::new(OauthErrorCode::UnsupportedGrantType, description).into())
            }
        }
    }

    /// Answers a token request.
    pub async fn token(&self, request: &ClientRequest<'_>) -> Result<TokenAnswer> {
        let word = request.form.need("grant_type")?;
        let Some(grant_type) = GrantType::from_word(word) else {
            let description = "the grant type is none that this server knows";
            return Err(Refusal::new(OauthErrorCode::UnsupportedGrantType, description).into());
        };
        self.grant_tokens(request, grant_type).await
    }

    async fn grant_tokens(&self, request: &ClientRequest<'_>, grant_type: GrantType) -> Result<TokenAnswer> {
        request.form.check_repeated()?;
        let client = self.authenticate(request).await?.client;
        if !client.settings.allows(grant_type) {
            let description = "the application is not registered for this grant type";
            return Err(Refusal::new(OauthErrorCode::UnauthorizedClient, description).into());
        }
        match grant_type {
            GrantType::AuthorizationCode => self.by_code(&client, request.form).await,
            GrantType::RefreshToken => self.by_refresh_token(&client, request.form).await,
            GrantType::ClientCredentials => self.by_client_credentials(&client, request.form).await,
        }
    }
}
