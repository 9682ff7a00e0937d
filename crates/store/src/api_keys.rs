//! Keys of the product's backend: the row, and the hash of the key.

use std::sync::Arc;

use async_trait::async_trait;
use model::{ApiKeyId, ApiKeyScopes, Timestamp};
use vault::TokenHash;

use crate::Result;

/// A key of the product's backend; not the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What the operator calls it.
    pub name: String,
    /// What it may do.
    pub scopes: ApiKeyScopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped working; `None` while it works.
    pub revoked_at: Option<Timestamp>,
}

/// The rows of `api_keys`.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Writes a new one.
    async fn create(&self, key: &ApiKey, hash: &TokenHash) -> Result<()>;
    /// The working key with this hash. A revocation is seen as soon as a change in
    /// [`Connections::standing`](crate::connections::Connections::standing).
    async fn find(&self, hash: &TokenHash) -> Result<Option<Arc<ApiKey>>>;
    /// All of them, revoked ones too, by creation.
    async fn list(&self) -> Result<Vec<ApiKey>>;
    /// Stops a key from working; `false` when none with that id works.
    async fn revoke(&self, id: &ApiKeyId, at: Timestamp) -> Result<bool>;
}
