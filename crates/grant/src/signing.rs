//! The keys that sign JSON Web Tokens. A new one is published a while before it signs, and an old one as long as anything that it
//! has signed is good, so that no resource server ever meets a key that it can't find:
//!
//! ```text
//! made ──── published, does not sign yet ──── signs ──── another signs ──── published still ──── gone
//! ```
//!
//! Any replica may make the next key; one statement decides which one it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{Actor, AuditEvent, Outcome, SigningKeyId, SigningKeySecret, Timestamp};
use serde_json::{Value, json};
use store::signing_keys::SigningKeyRow;
use vault::Sealed;
use vault::signing::{SigningAlgorithm, SigningKey};

use crate::{Error, Grant, Result};

/// How long a key set may be kept by whoever has read it.
pub const KEPT_FOR: Duration = Duration::from_mins(5);

/// How long a key is published before it signs: longer than a key set is kept, and than replicas take to see it.
const PUBLISHED_BEFORE: Duration = Duration::from_mins(15);

/// How long the keys that were read last are believed to be all.
const READ_AGAIN: Duration = Duration::from_secs(30);

/// What the operator decided about signing.
#[derive(Debug, Clone)]
pub struct SigningSettings {
    /// How.
    pub algorithm: SigningAlgorithm,
    /// How long a key signs.
    pub rotate_every: Duration,
}

/// What seals the private keys: the vault's keys, which the connect plane looks after.
#[async_trait]
pub trait Seal: Send + Sync {
    /// Seals a private key to its id.
    fn seal(&self, id: SigningKeyId, key: &SigningKeySecret) -> Result<Sealed<SigningKeySecret>>;
    /// Opens it.
    async fn open(&self, id: SigningKeyId, sealed: &Sealed<SigningKeySecret>) -> Result<SigningKeySecret>;
}

/// The keys as they were read last.
#[derive(Default)]
pub(crate) struct Ring(Mutex<Option<Read>>);

#[derive(Clone)]
struct Read {
    at: Timestamp,
    rows: Arc<Vec<SigningKeyRow>>,
    opened: BTreeMap<SigningKeyId, Arc<SigningKey>>,
}

impl Grant {
    /// The key set (RFC 7517 §5) that resource servers and clients read.
    pub async fn jwks(&self) -> Result<Value> {
        let now = self.now();
        let rows = self.rows(now).await?;
        let keys: Vec<&Value> =
            rows.iter().filter(|row| is_published(row, now)).map(|row| &row.public_key).collect();
        Ok(json!({ "keys": keys }))
    }

    /// Signs claims with the key that signs now.
    pub(crate) async fn sign(&self, typ: &str, claims: &Value) -> Result<String> {
        Ok(self.signing_key().await?.sign(typ, claims))
    }

    /// Makes the next key where it is time, and forgets keys that nothing is good by.
    pub async fn rotate_signing_keys(&self) -> Result<()> {
        let now = self.now();
        let rows = self.store().signing_keys.list().await?;
        if let Some(newest) = self.newest(&rows)
            && now.since(newest.created_at) >= self.parts.settings.signing.rotate_every
        {
            self.make_key(Some(newest), now).await?;
        }
        if self.store().signing_keys.sweep(now).await? > 0 {
            self.forget();
        }
        Ok(())
    }

    async fn signing_key(&self) -> Result<Arc<SigningKey>> {
        let now = self.now();
        let mut rows = self.rows(now).await?;
        if self.newest(&rows).is_none() {
            self.make_key(None, now).await?;
            rows = self.rows(now).await?;
        }
        let own = |row: &&SigningKeyRow| row.algorithm == self.parts.settings.signing.algorithm.word();
        let signs = rows.iter().rev().filter(own).find(|row| row.signs_from <= now);
        // The very first key has nobody before it who could sign meanwhile.
        let row =
            signs.or_else(|| rows.iter().find(own)).ok_or_else(|| Error::Keys("there is none".into()))?;
        if let Some(key) = self.opened(row.id) {
            return Ok(key);
        }
        let secret = self.parts.seal.open(row.id, &row.private_key).await?;
        let key = SigningKey::new(row.id, self.parts.settings.signing.algorithm, &secret);
        let key = Arc::new(key.map_err(|error| Error::Keys(error.into()))?);
        let mut ring = self.signing.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = ring.as_mut() {
            read.opened.insert(row.id, Arc::clone(&key));
        }
        Ok(key)
    }

    fn opened(&self, id: SigningKeyId) -> Option<Arc<SigningKey>> {
        let ring = self.signing.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.as_ref().and_then(|read| read.opened.get(&id).cloned())
    }

    /// The newest key of the algorithm that signs.
    fn newest<'a>(&self, rows: &'a [SigningKeyRow]) -> Option<&'a SigningKeyRow> {
        rows.iter().rev().find(|row| row.algorithm == self.parts.settings.signing.algorithm.word())
    }

    /// The keys, oldest first, as they were a short while ago at most.
    async fn rows(&self, now: Timestamp) -> Result<Arc<Vec<SigningKeyRow>>> {
        {
            let ring = self.signing.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(read) = ring.as_ref().filter(|read| now.since(read.at) < READ_AGAIN && read.at <= now)
            {
                return Ok(Arc::clone(&read.rows));
            }
        }
        let rows = Arc::new(self.store().signing_keys.list().await?);
        let mut ring = self.signing.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut opened = ring.take().map(|read| read.opened).unwrap_or_default();
        opened.retain(|id, _| rows.iter().any(|row| row.id == *id));
        *ring = Some(Read { at: now, rows: Arc::clone(&rows), opened });
        Ok(rows)
    }

    fn forget(&self) {
        *self.signing.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn make_key(&self, newest: Option<&SigningKeyRow>, now: Timestamp) -> Result<()> {
        let algorithm = self.parts.settings.signing.algorithm;
        let id: SigningKeyId = vault::random::id();
        let secret = algorithm.generate();
        let key = SigningKey::new(id, algorithm, &secret).map_err(|error| Error::Keys(error.into()))?;
        let signs_from = if newest.is_some() { now + PUBLISHED_BEFORE } else { now };
        let row = SigningKeyRow {
            id,
            algorithm: algorithm.word().to_owned(),
            private_key: self.parts.seal.seal(id, &secret)?,
            public_key: key.public_jwk(),
            created_at: now,
            signs_from,
            published_until: None,
        };
        let others_until = signs_from + self.longest_token() + KEPT_FOR;
        let is_made = self.store().signing_keys.add(&row, newest.map(|row| &row.id), others_until).await?;
        self.forget();
        // Otherwise another process was faster.
        if is_made {
            let event = AuditEvent::new(now, "signing_key.made", Outcome::Success, Actor::System);
            self.remember(event.target(id)).await?;
        }
        Ok(())
    }

    /// How long what was signed may be good: access tokens and ID tokens of the longest kind.
    fn longest_token(&self) -> Duration {
        LONGEST_SIGNED.max(self.parts.settings.access_token_ttl)
    }
}

/// Longer tokens are opaque.
pub const LONGEST_SIGNED: Duration = Duration::from_hours(24);

fn is_published(row: &SigningKeyRow, now: Timestamp) -> bool {
    row.published_until.is_none_or(|until| until > now)
}
