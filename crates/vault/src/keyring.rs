//! Keys by version.
//!
//! The operator's [`MasterKey`] seals no secret itself: it wraps data keys, which the store keeps, and they seal the
//! secrets. So a new master key needs only the few wrapped keys to be written again, and a wrong one is noticed at the
//! start, before it can seal anything.

use std::collections::BTreeMap;

use model::Secret;

use crate::aead::{self, SALT_LEN};
use crate::key::MasterKey;
use crate::random;
use crate::sealed::bound_to;

/// A data key as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The version that sealed values name; the highest one seals.
    pub version: u32,
    /// Which master key wraps it ([`MasterKey::id`]).
    pub master_key_id: String,
    /// Salt, ciphertext and tag.
    pub wrapped: Vec<u8>,
}

impl WrappedKey {
    /// Makes a new random data key and wraps it.
    pub fn generate(version: u32, master: &MasterKey) -> Self {
        Self::wrap(version, master, &Secret::new(random::octets::<32>()))
    }

    fn wrap(version: u32, master: &MasterKey, data_key: &Secret<[u8; 32]>) -> Self {
        let salt = random::octets::<SALT_LEN>();
        let mut wrapped = salt.to_vec();
        let bound_to = bound_to(version, "keyring", &master.id(), "data_key");
        aead::seal(master.octets(), &salt, &bound_to, data_key.expose(), &mut wrapped);
        Self { version, master_key_id: master.id(), wrapped }
    }

    /// The same data key wrapped by another master key.
    pub fn rewrapped(&self, old: &MasterKey, new: &MasterKey) -> Result<Self, KeyringError> {
        Ok(Self::wrap(self.version, new, &self.unwrap_with(old)?))
    }

    fn unwrap_with(&self, master: &MasterKey) -> Result<Secret<[u8; 32]>, KeyringError> {
        if self.master_key_id != master.id() {
            return Err(KeyringError::WrongMasterKey {
                given: master.id(),
                needed: self.master_key_id.clone(),
            });
        }
        let damaged = || KeyringError::Damaged { version: self.version };
        let (salt, ciphertext) = self.wrapped.split_first_chunk::<SALT_LEN>().ok_or_else(damaged)?;
        let bound_to = bound_to(self.version, "keyring", &self.master_key_id, "data_key");
        let octets = aead::open(master.octets(), salt, &bound_to, ciphertext).map_err(|_| damaged())?;
        octets.as_slice().try_into().map(Secret::new).map_err(|_| damaged())
    }
}

/// Why the keyring does not open. Each stops the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The store's data keys are wrapped by another master key.
    #[error(
        "the store was sealed with the key {needed}, and the key given is {given}; give the key that was used before"
    )]
    WrongMasterKey {
        /// The id of the key that was given.
        given: String,
        /// The id of the key that wraps the store's data keys.
        needed: String,
    },
    /// A wrapped key does not open although the master key is the right one.
    #[error("data key {version} in the store is damaged; restore the keyring table from a backup")]
    Damaged {
        /// Its version.
        version: u32,
    },
    /// There is no data key at all.
    #[error("the store holds no data key")]
    Empty,
}

/// The data keys in clear, by version; the highest one seals, all of them open.
pub struct Keyring {
    current: u32,
    keys: BTreeMap<u32, Secret<[u8; 32]>>,
}

impl Keyring {
    /// Unwraps what the store keeps.
    pub fn open_keys(master: &MasterKey, wrapped: &[WrappedKey]) -> Result<Self, KeyringError> {
        let keys: BTreeMap<_, _> = wrapped
            .iter()
            .map(|key| Ok((key.version, key.unwrap_with(master)?)))
            .collect::<Result<_, _>>()?;
        let current = *keys.last_key_value().ok_or(KeyringError::Empty)?.0;
        Ok(Self { current, keys })
    }

    /// The same keys, with those of `earlier` that are no longer kept: what was read before a key was retired still opens.
    #[must_use]
    pub fn with_keys_of(mut self, earlier: &Self) -> Self {
        for (version, key) in &earlier.keys {
            self.keys.entry(*version).or_insert_with(|| key.clone());
        }
        self
    }

    /// The version that seals.
    pub const fn current_version(&self) -> u32 {
        self.current
    }

    /// Whether it has the key of that version.
    pub fn has(&self, version: u32) -> bool {
        self.keys.contains_key(&version)
    }

    pub(crate) fn current(&self) -> (u32, &[u8; 32]) {
        (self.current, self.keys[&self.current].expose())
    }

    pub(crate) fn key(&self, version: u32) -> Option<&[u8; 32]> {
        self.keys.get(&version).map(Secret::expose)
    }

    #[cfg(test)]
    pub(crate) fn for_tests(keys: &[(u32, [u8; 32])]) -> Self {
        let keys: BTreeMap<_, _> = keys.iter().map(|(version, key)| (*version, Secret::new(*key))).collect();
        Self { current: *keys.last_key_value().unwrap().0, keys }
    }
}

#[cfg(test)]
mod tests {
    use model::AccessToken;

    use super::*;

    fn master() -> MasterKey {
        MasterKey::parse(MasterKey::generate().expose()).unwrap()
    }

    #[test]
    fn what_an_old_key_sealed_opens_after_a_new_one_was_added() {
        let master = master();
        let first = WrappedKey::generate(1, &master);
        let sealed = Keyring::open_keys(&master, std::slice::from_ref(&first))
            .unwrap()
            .seal(&"r", &AccessToken::from("t"));
        let both = Keyring::open_keys(&master, &[first, WrappedKey::generate(2, &master)]).unwrap();
        assert_eq!(both.open(&"r", &sealed).unwrap().expose(), "t");
        assert_eq!(both.seal(&"r", &AccessToken::from("t")).as_bytes()[4], 2);
    }

    #[test]
    fn a_data_key_stays_the_same_under_a_new_master_key() {
        let (old, new) = (master(), master());
        let before = WrappedKey::generate(3, &old);
        let sealed = Keyring::open_keys(&old, std::slice::from_ref(&before))
            .unwrap()
            .seal(&"r", &AccessToken::from("t"));
        let after = before.rewrapped(&old, &new).unwrap();
        assert_eq!((after.version, &after.master_key_id), (3, &new.id()));
        let keyring = Keyring::open_keys(&new, std::slice::from_ref(&after)).unwrap();
        assert_eq!(keyring.open(&"r", &sealed).unwrap().expose(), "t");
        let wrong = after.rewrapped(&old, &new);
        assert_eq!(wrong, Err(KeyringError::WrongMasterKey { given: old.id(), needed: new.id() }));
    }

    #[test]
    fn what_was_sealed_with_a_retired_key_opens_where_the_key_is_still_known() {
        let master = master();
        let (one, two) = (WrappedKey::generate(1, &master), WrappedKey::generate(2, &master));
        let both = Keyring::open_keys(&master, &[one.clone(), two.clone()]).unwrap();
        let sealed = Keyring::open_keys(&master, &[one]).unwrap().seal(&"r", &AccessToken::from("t"));
        let alone = Keyring::open_keys(&master, &[two]).unwrap();
        assert!(!alone.has(1));
        let alone = alone.with_keys_of(&both);
        assert_eq!((alone.current_version(), alone.open(&"r", &sealed).unwrap().expose()), (2, "t"));
    }

    #[test]
    fn a_wrong_master_key_is_named_and_a_damaged_key_too() {
        let (master, other) = (master(), master());
        let mut wrapped = WrappedKey::generate(1, &master);
        assert_eq!(
            Keyring::open_keys(&other, std::slice::from_ref(&wrapped)).map(|_| ()),
            Err(KeyringError::WrongMasterKey { given: other.id(), needed: master.id() })
        );
        wrapped.version = 2;
        let moved = Keyring::open_keys(&master, std::slice::from_ref(&wrapped)).map(|_| ());
        assert_eq!(moved, Err(KeyringError::Damaged { version: 2 }));
        wrapped.wrapped.truncate(10);
        assert_eq!(
            Keyring::open_keys(&master, &[wrapped]).map(|_| ()),
            Err(KeyringError::Damaged { version: 2 })
        );
        assert_eq!(Keyring::open_keys(&master, &[]).map(|_| ()), Err(KeyringError::Empty));
    }
}
