//! The wrapped data keys.

use async_trait::async_trait;
use model::Timestamp;
use vault::WrappedKey;

use crate::Result;

/// A data key, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The key.
    pub key: WrappedKey,
    /// When it was made; `None` for one that is older than the memory of that.
    pub created_at: Option<Timestamp>,
    /// When nothing was sealed with an older one any more; `None` while that is not known.
    pub spread_at: Option<Timestamp>,
}

/// The rows of `keyring`.
#[async_trait]
pub trait KeyringRows: Send + Sync {
    /// All of them, by version.
    async fn all(&self) -> Result<Vec<KeyRow>>;
    /// Adds one unless its version is taken, or another master key wraps the others. Of several processes that add the
    /// same version at once, one does.
    async fn add(&self, key: &WrappedKey, at: Timestamp) -> Result<bool>;
    /// Puts `new` in place of `old`, all or none; `false` when the keyring is not exactly `old`.
    async fn rewrap(&self, old: &[WrappedKey], new: &[WrappedKey]) -> Result<bool>;
    /// Writes down that nothing is sealed with an older one than this.
    async fn mark_spread(&self, version: u32, at: Timestamp) -> Result<()>;
    /// Removes one, unless it is the newest. What it sealed never opens again.
    async fn retire(&self, version: u32) -> Result<bool>;
}

/// Whether the keyring has these keys and no others.
pub(crate) fn is_exactly(found: &[KeyRow], keys: &[WrappedKey]) -> bool {
    found.len() == keys.len() && found.iter().zip(keys).all(|(found, key)| found.key == *key)
}
