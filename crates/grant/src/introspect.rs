//! The introspection endpoint (RFC 7662), for resource servers.

use serde_json::{Map, Value, json};
use store::families::{AccessToken, Family};
use vault::token_family::FamilyToken;

use crate::application::Client;
use crate::client_auth::ClientRequest;
use crate::issue::{seconds, tells_email};
use crate::{Grant, Result};

impl Grant {
    /// Says what a token is to the application that it was issued to, or that serves a resource where it is good. Anything else is
    /// exactly `{"active":false}` (RFC 7662 §2.2).
    pub async fn introspect(&self, request: &ClientRequest<'_>) -> Result<Value> {
        request.form.check_repeated()?;
        let client = self.authenticate_confidential(request).await?;
        self.limit_introspection(client.id.as_str())?;
        let token = request.form.need("token")?;
        let found = match self.access_token(token).await? {
            Some(record) if self.may_introspect(&client, &record) => Some(self.describe(&record).await?),
            Some(_) => None,
            None => self.live_family(&client, token).await?.map(|family| self.describe_family(&family)),
        };
        Ok(found.map_or_else(|| json!({"active": false}), Value::Object))
    }

    fn may_introspect(&self, client: &Client, token: &AccessToken) -> bool {
        token.client_id == client.id || client.settings.serves.iter().any(|own| self.is_for(token, own))
    }

    /// A refresh token is nobody's business but its application's.
    async fn live_family(&self, client: &Client, token: &str) -> Result<Option<Family>> {
        let Some(token) = FamilyToken::parse(token) else { return Ok(None) };
        let family = self.store().families.of_handle(&token.handle_hash()).await?;
        let now = self.now();
        Ok(family.filter(|family| {
            family.client_id == client.id
                && family.current == Some(token.hash())
                && family.idle_until > now
                && family.ends_at > now
        }))
    }

    async fn describe(&self, record: &AccessToken) -> Result<Map<String, Value>> {
        let mut members = Map::new();
        members.insert("active".to_owned(), true.into());
        members.insert("scope".to_owned(), record.scopes.to_string().into());
        members.insert("client_id".to_owned(), record.client_id.as_str().into());
        members.insert("token_type".to_owned(), "Bearer".into());
        members.insert("iss".to_owned(), self.issuer().into());
        members.insert("aud".to_owned(), self.audience(&record.audience));
        members.insert("iat".to_owned(), seconds(record.issued_at).into());
        members.insert("exp".to_owned(), seconds(record.expires_at).into());
        let sub = record.user.map_or_else(|| record.client_id.to_string(), |user| user.to_string());
        members.insert("sub".to_owned(), sub.into());
        if let Some(team) = &record.team {
            members.insert("team".to_owned(), team.as_str().into());
        }
        if let Some(user) = record.user
            && tells_email(&record.scopes)
            && let Some(user) = self.store().users.get(&user).await?
            && let Some(email) = user.email
        {
            members.insert("username".to_owned(), email.into());
        }
        Ok(members)
    }

    fn describe_family(&self, family: &Family) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("active".to_owned(), true.into());
        members.insert("scope".to_owned(), family.scopes.to_string().into());
        members.insert("client_id".to_owned(), family.client_id.as_str().into());
        members.insert("iss".to_owned(), self.issuer().into());
        members.insert("sub".to_owned(), family.user.to_string().into());
        members.insert("exp".to_owned(), seconds(family.idle_until.min(family.ends_at)).into());
        members
    }
}
