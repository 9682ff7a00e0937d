//! The revocation endpoint (RFC 7009).

use model::{Actor, AuditEvent, Outcome};
use vault::TokenHash;
use vault::token_family::FamilyToken;

use crate::application::Client;
use crate::client_auth::ClientRequest;
use crate::{Grant, Result};

/// The longest token that is looked at.
const MAX: usize = 8192;

impl Grant {
    /// Revokes a token of the application that asks. One that is unknown is as good as revoked (RFC 7009 §2.2); so is one of
    /// another application, which learns nothing about it. `token_type_hint` is not needed: both kinds are found by one look each.
    pub async fn revoke(&self, request: &ClientRequest<'_>) -> Result<()> {
        request.form.check_repeated()?;
        let client = self.authenticate(request).await?.client;
        let token = request.form.need("token")?;
        if token.len() > MAX {
            return Ok(());
        }
        if !self.revoke_family(&client, token).await? {
            self.revoke_access(&client, token).await?;
        }
        Ok(())
    }

    /// A refresh token takes its family along (RFC 7009 §2.1), a spent one too: its owner wants to be out.
    async fn revoke_family(&self, client: &Client, token: &str) -> Result<bool> {
        let Some(token) = FamilyToken::parse(token) else { return Ok(false) };
        let Some(family) = self.store().families.of_handle(&token.handle_hash()).await? else {
            return Ok(false);
        };
        if family.client_id != client.id {
            return Ok(true);
        }
        if self.store().families.revoke(&family.id).await? {
            let event = AuditEvent::new(self.now(), "family.revoked", Outcome::Success, actor(client));
            self.remember(event.target(family.id).fact("user", family.user.to_string())).await?;
        }
        Ok(true)
    }

    async fn revoke_access(&self, client: &Client, token: &str) -> Result<()> {
        let Some(record) = self.access_token(token).await? else { return Ok(()) };
        if record.client_id == client.id
            && self.store().families.revoke_access_token(&TokenHash::of(token)).await?
        {
            let event = AuditEvent::new(self.now(), "access_token.revoked", Outcome::Success, actor(client));
            self.remember(event).await?;
        }
        Ok(())
    }
}

fn actor(client: &Client) -> Actor {
    Actor::Application(client.id.clone())
}
