//! Integrations that came through the API: of the whole instance, or of one subject with its own app credentials.
//! Those of the configuration file are not rows.

use async_trait::async_trait;
use model::{ClientSecret, IntegrationId, ProviderId, Scopes, SubjectId, Timestamp};
use vault::Sealed;

use crate::Result;

/// A provider plus our app's credentials there.
#[derive(Debug, Clone)]
pub struct IntegrationRow {
    /// Its name.
    pub id: IntegrationId,
    /// The subject whose own it is; `None` for the whole instance.
    pub subject: Option<SubjectId>,
    /// The catalog entry.
    pub provider: ProviderId,
    /// RFC 6749 §2.2.
    pub client_id: String,
    /// RFC 6749 §2.3.1; `None` for a public client.
    pub client_secret: Option<Sealed<ClientSecret>>,
    /// Scopes to ask for instead of the entry's.
    pub scopes: Option<Scopes>,
    /// A redirect URI instead of our own.
    pub redirect_uri: Option<String>,
    /// When it was last written.
    pub updated_at: Timestamp,
}

impl IntegrationRow {
    /// What the row's secret is sealed to.
    pub fn seal_row(id: &IntegrationId, subject: Option<&SubjectId>) -> String {
        subject.map_or_else(|| format!("{id}"), |subject| format!("{id}/{subject}"))
    }
}

/// The rows of `integrations`; `(id, subject)` is their key.
#[async_trait]
pub trait Integrations: Send + Sync {
    /// Writes it, over an older one of the same name and subject.
    async fn put(&self, row: &IntegrationRow) -> Result<()>;
    /// Reads one, of exactly this owner.
    async fn get(&self, id: &IntegrationId, subject: Option<&SubjectId>) -> Result<Option<IntegrationRow>>;
    /// All of exactly this owner, by name.
    async fn list(&self, subject: Option<&SubjectId>) -> Result<Vec<IntegrationRow>>;
    /// Removes it; tells whether it was there.
    async fn remove(&self, id: &IntegrationId, subject: Option<&SubjectId>) -> Result<bool>;
}
