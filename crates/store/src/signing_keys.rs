//! The keys that sign JSON Web Tokens, while they sign and while they are still believed.

use async_trait::async_trait;
use model::{SigningKeyId, SigningKeySecret, Timestamp};
use serde_json::Value;
use vault::Sealed;

use crate::Result;

/// A signing key.
#[derive(Debug, Clone)]
pub struct SigningKeyRow {
    /// Its `kid`; the private key is sealed to it.
    pub id: SigningKeyId,
    /// `RS256`, `ES256` or `EdDSA` (RFC 7518 §3.1, RFC 8037 §3.1).
    pub algorithm: String,
    /// The private key.
    pub private_key: Sealed<SigningKeySecret>,
    /// The public key as a JSON Web Key (RFC 7517).
    pub public_key: Value,
    /// When it was made. It is published from then on.
    pub created_at: Timestamp,
    /// From when on it signs: late enough that everybody has read the key set again.
    pub signs_from: Timestamp,
    /// From when on nothing that it has signed is good any more; `None` while it is the newest.
    pub published_until: Option<Timestamp>,
}

/// The rows of `signing_keys`.
#[async_trait]
pub trait SigningKeys: Send + Sync {
    /// All keys, in the order in which they end: oldest first, and the newest last, whatever the clocks said of those who made
    /// them.
    async fn list(&self) -> Result<Vec<SigningKeyRow>>;
    /// Adds a key as the newest if that is still `newest` (`None`: there is none), and gives that one an end.
    /// Of any number of callers one gets `true`.
    async fn add(
        &self,
        key: &SigningKeyRow,
        newest: Option<&SigningKeyId>,
        others_until: Timestamp,
    ) -> Result<bool>;
    /// Deletes the keys whose publication ended before `now`; tells how many.
    async fn sweep(&self, now: Timestamp) -> Result<u64>;
}
