//! The data keys of the store while the process runs.
//!
//! - [`Keys`]: seals and opens; learns by itself of a key that another process has added
//! - `pass`: goes through everything that is sealed, and seals it with the newest key
//! - [`rotate`]: a new key, a pass, and keys that nothing uses any more are retired
//! - [`check`]: proves that everything opens
//!
//! A key that another process has added is learnt of at an interval, and as soon as a value names it. A key is retired at
//! the earliest an hour after another took its place: by then nobody seals with it. What is in a process's memory by then
//! opens there as long as it runs, for a key that was once read stays in its memory. A process that can't learn of the newest
//! key, because another master key wraps it, seals nothing any more: its own would be retired under it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use model::Timestamp;
use store::keyring::{KeyRow, KeyringRows};
use tokio::time::Instant;
use tracing::{error, info, warn};
use vault::{AnySealed, Keyring, KeyringError, MasterKey, OpenError, Sealable, Sealed, WrappedKey};

use crate::{Connect, Error, Result};

pub mod check;
mod pass;
pub mod rotate;

/// How long after the keyring was read for a key that a value names it is read again for the next. Values that name keys
/// that never were may not keep the store busy.
const LEARN_AGAIN: Duration = Duration::from_secs(1);
/// For how long a version that the keyring does not have is not looked for again. Whoever seals with a key has added it
/// before, so that it comes later is hardly possible.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// How many such versions are remembered.
const MAX_UNKNOWN: usize = 64;

/// The data keys, which may change while the process runs.
pub struct Keys {
    /// A std lock: it is held for the length of an opening, and hardly ever for writing.
    live: RwLock<Arc<Keyring>>,
    master: MasterKey,
    rows: Arc<dyn KeyringRows>,
    /// When the keyring was last read because of a value.
    learnt: tokio::sync::Mutex<Option<Instant>>,
    /// Versions that the keyring did not have, and when.
    unknown: Mutex<BTreeMap<u32, Instant>>,
    /// The id of another master key that the log was told of.
    foreign: Mutex<Option<String>>,
    /// Whether there is a newer key than ours that our master key does not open.
    outdated: AtomicBool,
    /// Until when the keys before a version need not be looked at for retirement.
    rest: Mutex<Option<(u32, Timestamp)>>,
}

impl Keys {
    /// Keys that were read from `rows`.
    pub fn new(keyring: Keyring, master: MasterKey, rows: Arc<dyn KeyringRows>) -> Self {
        Self {
            live: RwLock::new(Arc::new(keyring)),
            master,
            rows,
            learnt: tokio::sync::Mutex::default(),
            unknown: Mutex::default(),
            foreign: Mutex::default(),
            outdated: AtomicBool::new(false),
            rest: Mutex::default(),
        }
    }

    /// Seals a secret for the row `row` of its table, with the newest key that is known here.
    pub fn seal<T: Sealable>(&self, row: &impl Display, secret: &T) -> Result<Sealed<T>> {
        self.may_seal()?;
        Ok(self.seal_answer(row, secret))
    }

    /// Seals what a provider has just issued. It can't be asked for again, and its key opens it for an hour at least.
    pub(crate) fn seal_answer<T: Sealable>(&self, row: &impl Display, secret: &T) -> Sealed<T> {
        self.with(|keyring| keyring.seal(row, secret))
    }

    /// Refuses while there is a newer key that this process can't open.
    pub(crate) fn may_seal(&self) -> Result<()> {
        if self.outdated.load(Ordering::Relaxed) { Err(Error::KeysOutdated) } else { Ok(()) }
    }

    /// Opens a secret of the row `row` of its table. One that names a key which is not known here is tried again when the
    /// keyring has been read anew.
    pub async fn open<T: Sealable>(&self, row: &(impl Display + Sync), sealed: &Sealed<T>) -> Result<T> {
        let open = || self.with(|keyring| keyring.open(row, sealed));
        let opened = match open() {
            Err(OpenError::UnknownKey { version }) if self.learn(version).await => open(),
            opened => opened,
        };
        opened.map_err(|source| match (source, self.may_seal()) {
            // Nothing is wrong with the value: others open it.
            (OpenError::UnknownKey { .. }, Err(outdated)) => outdated,
            (source, _) => Error::Vault { table: T::TABLE, source },
        })
    }

    /// Whether any sealed value opens.
    async fn check(&self, row: &str, sealed: &AnySealed) -> std::result::Result<(), OpenError> {
        let check = || self.with(|keyring| keyring.check(row, sealed));
        match check() {
            Err(OpenError::UnknownKey { version }) if self.learn(version).await => check(),
            checked => checked,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&Keyring) -> T) -> T {
        work(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the timer has found a short while ago that no key before that version can be retired.
    fn rests(&self, version: u32, now: Timestamp) -> bool {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.is_some_and(|(newest, until)| newest == version && until > now)
    }

    fn rest(&self, version: u32, until: Timestamp) {
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, until));
    }

    /// The keys as they are now.
    fn now(&self) -> Arc<Keyring> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keyring anew for the sake of a version; tells whether it is known now. Only newer ones than ours can have
    /// come to be.
    async fn learn(&self, version: u32) -> bool {
        if version <= self.now().current_version() || self.is_unknown(version) {
            return false;
        }
        let came = Instant::now();
        let mut learnt = self.learnt.lock().await;
        if learnt.is_none_or(|at| at < came) && !self.now().has(version) && !self.is_unknown(version) {
            if let Some(at) = *learnt {
                tokio::time::sleep_until(at + LEARN_AGAIN).await;
            }
            *learnt = Some(Instant::now());
            match self.reload().await {
                Ok(()) => self.note_unknown(version),
                Err(error) => {
                    warn!(version, outcome = "failure", %error, "keys.reload_failed");
                    if matches!(error, Error::MasterKeyChanged) {
                        self.note_unknown(version);
                    }
                }
            }
        }
        self.now().has(version)
    }

    /// Whether the keyring did not have that version a short while ago.
    fn is_unknown(&self, version: u32) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.get(&version).is_some_and(|at| at.elapsed() < UNKNOWN_FOR) && !self.now().has(version)
    }

    /// Remembers a version that the keyring does not have.
    fn note_unknown(&self, version: u32) {
        if self.now().has(version) {
            return;
        }
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.retain(|_, at| at.elapsed() < UNKNOWN_FOR);
        if unknown.len() >= MAX_UNKNOWN {
            unknown.pop_first();
        }
        unknown.insert(version, Instant::now());
    }

    /// Reads the keyring anew. When another master key wraps it by now, the keys that are known stay in use, to open; they
    /// seal as long as there is none that is newer.
    pub async fn reload(&self) -> Result<()> {
        let wrapped: Vec<WrappedKey> = self.rows.all().await?.into_iter().map(|row| row.key).collect();
        let keyring = match Keyring::open_keys(&self.master, &wrapped) {
            Err(KeyringError::WrongMasterKey { needed, .. }) => {
                let ours = self.now().current_version();
                let newest = wrapped.iter().map(|key| key.version).max().unwrap_or_default();
                self.outdated.store(newest > ours, Ordering::Relaxed);
                if newest > ours {
                    error!(
                        version = ours,
                        newest,
                        needed,
                        outcome = "failure",
                        mend = "give the new key and restart this process; until then it seals nothing: no refresh, no new connection",
                        "keys.outdated"
                    );
                }
                let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
                if foreign.as_deref() != Some(&needed) {
                    warn!(
                        ours = self.master.id(),
                        needed,
                        outcome = "failure",
                        mend = "give the new key and restart this process; until then it goes on with the data keys that it has",
                        "keys.master_key_changed"
                    );
                    *foreign = Some(needed);
                }
                return Err(Error::MasterKeyChanged);
            }
            other => other.map_err(Error::Keyring)?,
        };
        let before = self.now();
        if keyring.current_version() != before.current_version() {
            info!(version = keyring.current_version(), outcome = "success", "keys.learnt");
        }
        let keyring = Arc::new(keyring.with_keys_of(&before));
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = keyring;
        self.outdated.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Adds a key of that version, which the keyring may have been given by somebody else at the same time.
    async fn add(&self, version: u32, at: Timestamp) -> Result<bool> {
        let added = self.rows.add(&WrappedKey::generate(version, &self.master), at).await?;
        self.reload().await?;
        Ok(added)
    }
}

impl Connect {
    /// The data keys as the store has them, by version.
    pub async fn keys(&self) -> Result<Vec<KeyRow>> {
        Ok(self.store().keyring.all().await?)
    }

    /// Refuses while this process may not seal, because there is a newer data key that its master key does not open.
    pub fn may_seal(&self) -> Result<()> {
        self.parts.keys.may_seal()
    }

    /// Learns of keys that other processes have added.
    pub async fn reload_keys(&self) -> Result<()> {
        match self.parts.keys.reload().await {
            // The log has been told, once.
            Err(Error::MasterKeyChanged) => Ok(()),
            reloaded => reloaded,
        }
    }
}
