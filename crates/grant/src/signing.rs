//! The keys that sign JSON Web Tokens. A new one is published a while before it signs, and an old one as long as anything that it
//! has signed is good, so that no resource server ever meets a key that it can't find:
//!
//! ```text
//! made ──── published, does not sign yet ──── signs ──── another signs ──── published still ──── gone
//! ```
//!
//! Any replica may make the next key; one statement decides which one it is. Another algorithm comes in the same way: its first key
//! takes the place of the newest one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
pub(crate) struct Ring(Mutex<Known>);

#[derive(Default)]
struct Known {
    rows: Rows,
    /// When these were read; `None` when they may be others by now.
    read_at: Option<Timestamp>,
    opened: BTreeMap<SigningKeyId, Arc<SigningKey>>,
    /// Counts what this process has changed: what was read before a change is not kept after it.
    changes: u64,
}

type Rows = Arc<Vec<SigningKeyRow>>;

impl Grant {
    /// The key set (RFC 7517 §5) that resource servers and clients read.
    pub async fn jwks(&self) -> Result<Value> {
        let now = self.now();
        let rows = self.signing_keys(now).await?;
        let keys: Vec<&Value> =
            rows.iter().filter(|row| is_published(row, now)).map(|row| &row.public_key).collect();
        Ok(json!({ "keys": keys }))
    }

    /// How ID tokens may be signed for now: by the operator's choice, and by keys that were made before it.
    pub(crate) fn signing_algorithms(&self) -> Vec<String> {
        let now = self.now();
        let mut algorithms = vec![self.parts.settings.signing.algorithm.word().to_owned()];
        for row in self.known().rows.iter() {
            if is_published(row, now) && !algorithms.contains(&row.algorithm) {
                algorithms.push(row.algorithm.clone());
            }
        }
        algorithms
    }

    /// Makes the next key where it is time, and forgets keys that nothing is good by.
    pub async fn rotate_signing_keys(&self) -> Result<()> {
        let now = self.now();
        let settings = &self.parts.settings.signing;
        let rows = self.read(now).await?;
        if let Some(newest) = rows.last() {
            let is_old = now.since(newest.created_at) >= settings.rotate_every;
            // Replicas that do not agree on one take turns, and no faster than keys come to sign.
            let is_of_another = newest.algorithm != settings.algorithm.word() && newest.signs_from <= now;
            if is_old || is_of_another {
                self.make_key(Some(newest), now).await?;
            }
        }
        if self.store().signing_keys.sweep(now).await? > 0 {
            self.forget();
        }
        Ok(())
    }

    /// The key that signs now.
    pub(crate) async fn signing_key(&self) -> Result<Arc<SigningKey>> {
        let now = self.now();
        let rows = self.signing_keys(now).await?;
        // The very first key has nobody before it who could sign meanwhile.
        let row = rows.iter().rev().find(|row| row.signs_from <= now).or(rows.first());
        let row = row.ok_or_else(|| Error::Keys("there is none".into()))?;
        if let Some(key) = self.known().opened.get(&row.id) {
            return Ok(Arc::clone(key));
        }
        let algorithm = SigningAlgorithm::from_word(&row.algorithm)
            .ok_or_else(|| Error::Keys(format!("nobody here signs by {:?}", row.algorithm).into()))?;
        let secret = self.parts.seal.open(row.id, &row.private_key).await?;
        let key = SigningKey::new(row.id, algorithm, &secret);
        let key = Arc::new(key.map_err(|error| Error::Keys(error.into()))?);
        self.known().opened.insert(row.id, Arc::clone(&key));
        Ok(key)
    }

    /// The keys, of which there is one at least, in the order in which they end.
    async fn signing_keys(&self, now: Timestamp) -> Result<Rows> {
        let rows = self.rows(now).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        self.make_key(None, now).await?;
        self.rows(now).await
    }

    /// The keys as they were a short while ago at most.
    async fn rows(&self, now: Timestamp) -> Result<Rows> {
        {
            let known = self.known();
            if known.read_at.is_some_and(|at| at <= now && now.since(at) < READ_AGAIN) {
                return Ok(Arc::clone(&known.rows));
            }
        }
        self.read(now).await
    }

    async fn read(&self, now: Timestamp) -> Result<Rows> {
        let changes = self.known().changes;
        let rows = Arc::new(self.store().signing_keys.list().await?);
        let mut known = self.known();
        if known.changes == changes {
            known.opened.retain(|id, _| rows.iter().any(|row| row.id == *id));
            known.rows = Arc::clone(&rows);
            known.read_at = Some(now);
        }
        Ok(rows)
    }

    fn forget(&self) {
        let mut known = self.known();
        known.read_at = None;
        known.changes += 1;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.signing.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make_key(&self, newest: Option<&SigningKeyRow>, now: Timestamp) -> Result<()> {
        let algorithm = self.parts.settings.signing.algorithm;
        let id: SigningKeyId = vault::random::id();
        let secret = tokio::task::spawn_blocking(move || algorithm.generate())
            .await
            .map_err(|error| Error::Keys(error.into()))?;
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
