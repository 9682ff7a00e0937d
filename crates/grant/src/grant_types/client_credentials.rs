//! RFC 6749 §4.4: an application acts for itself.

use model::OauthErrorCode;

use crate::application::Client;
use crate::form::Form;
use crate::issue::{Subject, TokenAnswer};
use crate::scope::STANDARD;
use crate::{Grant, Refusal, Result};

impl Grant {
    pub(crate) async fn by_client_credentials(&self, client: &Client, form: &Form) -> Result<TokenAnswer> {
        if client.settings.is_public() {
            // RFC 6749 §4.4: confidential clients only.
            let description = "the application can't prove who it is";
            return Err(Refusal::new(OauthErrorCode::UnauthorizedClient, description).into());
        }
        let scopes = self.asked_scopes(client, form.get("scope")?)?;
        if scopes.iter().any(|scope| STANDARD.contains(&scope)) {
            let description =
                "openid, profile, email and offline_access are about a person, and there is none";
            return Err(Refusal::new(OauthErrorCode::InvalidScope, description).into());
        }
        let audience = self.known_resources(form.resources())?;
        let issued = self.make_access_token(client, &Subject::Application, &scopes, audience).await?;
        self.store().families.add_access_token(&issued.hash(), &issued.record).await?;
        // RFC 6749 §4.4.3: no refresh token.
        Ok(issued.answer(None, None))
    }
}
