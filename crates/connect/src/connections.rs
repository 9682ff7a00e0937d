//! List, inspect, metadata, import: what the product does with its connections beside using them.

use model::{
    AccessToken, Account, Actor, AuditEvent, CredentialId, Outcome, RefreshToken, Scopes, Timestamp,
    TokenExtra,
};
use provider::catalog::{Entry, Region};
use serde_json::{Map, Value};
use store::connections::{Connection, ConnectionKey, Cursor, Filter, MetadataWrite, NewConnection};
use store::credentials::{Credential, SealedTokens};

use crate::{Connect, Error, Result};

/// The most metadata that a connection collects, in octets of JSON.
const MAX_METADATA: usize = 64 * 1024;

/// Tokens that the product already has. A refresh token alone is enough: the first read refreshes.
#[derive(Debug)]
pub struct Import {
    /// RFC 6749 §1.4.
    pub access_token: Option<AccessToken>,
    /// RFC 6749 §1.5.
    pub refresh_token: Option<RefreshToken>,
    /// RFC 6749 §7.1.
    pub token_type: String,
    /// When the access token ends; `None` when the product does not know.
    pub expires_at: Option<Timestamp>,
    /// What was granted; `None` for what the integration asks for.
    pub scopes: Option<Scopes>,
    /// Members of the provider's own.
    pub extra: Option<TokenExtra>,
    /// The account at the provider.
    pub account: Option<Account>,
    /// The data centre whose tokens these are, where the provider has several.
    pub region: Option<String>,
    /// The product's own data.
    pub metadata: Map<String, Value>,
}

impl Connect {
    /// Connections in the order of their ids.
    pub async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: u32) -> Result<Vec<Connection>> {
        Ok(self.store().connections.list(filter, cursor, limit).await?)
    }

    /// One connection, disconnected ones too.
    pub async fn inspect(&self, key: &ConnectionKey) -> Result<Connection> {
        self.store().connections.get(key).await?.ok_or_else(|| Self::not_found(key))
    }

    /// What the integration asks for by now and the connection was not asked for: its configuration has changed since.
    pub async fn scopes_drift(&self, connection: &Connection) -> Result<Scopes> {
        if connection.credential.is_none() {
            return Ok(Scopes::default());
        }
        let asked = self.scopes_of(&connection.key.integration, &connection.key.subject).await?;
        Ok(asked.map(|scopes| scopes.missing_in(&connection.requested_scopes)).unwrap_or_default())
    }

    /// Merges a patch into the product's own data (RFC 7396). Many small patches end where one large one does.
    pub async fn merge_metadata(
        &self,
        key: &ConnectionKey,
        patch: &Map<String, Value>,
        generation: Option<i64>,
    ) -> Result<Connection> {
        let before = self.inspect(key).await?.metadata;
        check_growth(&before, patch)?;
        match self.store().connections.merge_metadata(key, patch, generation, self.now()).await? {
            MetadataWrite::Merged(connection) => Ok(*connection),
            MetadataWrite::Conflict { generation } => Err(Error::GenerationConflict { generation }),
            MetadataWrite::NotFound => Err(Self::not_found(key)),
        }
    }

    /// Takes over tokens that the product already has.
    pub async fn import(&self, key: &ConnectionKey, import: Import, by: Actor) -> Result<Connection> {
        let integration = self.integration(&key.integration, &key.subject).await?;
        let region = region(&integration.entry, import.region.as_deref())?;
        let endpoints = integration.endpoints(region.as_ref())?;
        let before = self.store().connections.get(key).await?.map(|connection| connection.metadata);
        check_growth(&before.unwrap_or_default(), &import.metadata)?;
        self.admit(&key.subject).await?;
        let id: CredentialId = vault::random::id();
        let keys = &self.parts.keys;
        let now = self.now();
        let scopes = import.scopes.unwrap_or_else(|| integration.scopes.clone());
        let tokens = SealedTokens {
            access_token: import.access_token.as_ref().map(|token| keys.seal(&id, token)).transpose()?,
            refresh_token: import.refresh_token.as_ref().map(|token| keys.seal(&id, token)).transpose()?,
            extra: import.extra.as_ref().map(|extra| keys.seal(&id, extra)).transpose()?,
            token_type: import.token_type,
            scopes: scopes.clone(),
            expires_at: import.expires_at,
            obtained_at: now,
        };
        let connected = self
            .store()
            .connections
            .connect(&NewConnection {
                id: vault::random::id(),
                key: key.clone(),
                metadata: import.metadata,
                requested_scopes: scopes.clone(),
                by: by.to_string(),
                at: now,
                credential: Credential {
                    id,
                    subject: key.subject.clone(),
                    integration: key.integration.clone(),
                    provider: integration.entry.id.clone(),
                    client_id: integration.app.client_id.clone(),
                    token_url: endpoints.refresh,
                    generation: 1,
                    account: import.account,
                    due_at: self.first_due(&integration.entry, &tokens),
                    tokens,
                    refreshed_at: None,
                    broken: None,
                    last_error: None,
                    failures: 0,
                    used_at: Some(now),
                    // When the person consented nobody says.
                    grant_started_at: None,
                    grant_ends_at: None,
                    part: None,
                },
                parts: Vec::new(),
            })
            .await?;
        self.audit(
            AuditEvent::new(now, "connection.imported", Outcome::Success, by)
                .subject(&key.subject)
                .target(connected.id)
                .fact("integration", key.integration.as_str())
                .fact("label", key.label.as_str())
                .fact("created", connected.created),
        )
        .await?;
        self.inspect(key).await
    }
}

/// A patch may shrink metadata that is over the limit, and not bring it there.
fn check_growth(before: &Map<String, Value>, patch: &Map<String, Value>) -> Result<()> {
    let mut after = before.clone();
    after.extend(patch.clone());
    after.retain(|_, value| !value.is_null());
    if size(&after) > MAX_METADATA.max(size(before)) {
        let rule = format!("keep it within {MAX_METADATA} octets of JSON");
        return Err(Error::InvalidParameter { name: "metadata", rule });
    }
    Ok(())
}

fn size(metadata: &Map<String, Value>) -> usize {
    serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len())
}

/// The region that an import names. Without one, tokens of another data centre would be refreshed at the wrong place
/// and look dead there.
fn region(entry: &Entry, name: Option<&str>) -> Result<Option<Region>> {
    let invalid = |rule: String| Error::InvalidParameter { name: "region", rule };
    match (&entry.regions, name) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(invalid("leave it out: the provider has no data centres to choose from".to_owned()))
        }
        (Some(regions), name) => {
            let known = || regions.rows.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let region = name.and_then(|name| entry.region(name));
            region
                .map(Some)
                .ok_or_else(|| invalid(format!("name the data centre of these tokens: {}", known())))
        }
    }
}
