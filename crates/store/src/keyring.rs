//! The wrapped data keys.

use async_trait::async_trait;
use vault::WrappedKey;

use crate::Result;

/// The rows of `keyring`.
#[async_trait]
pub trait KeyringRows: Send + Sync {
    /// All of them, by version.
    async fn all(&self) -> Result<Vec<WrappedKey>>;
    /// Adds one unless its version is taken; of several processes that start at once, one adds the first key.
    async fn add(&self, key: &WrappedKey) -> Result<()>;
}
