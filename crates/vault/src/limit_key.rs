//! What is counted against a limit, by a name that tells nothing.
//!
//! Addresses and account names can be guessed, so a plain hash of them would say whose they are to whoever reads the
//! counters. These are HMAC-SHA256 under a key that follows from the master key: the same on every replica and at every start,
//! and new when the master key is, at which the counters begin anew.

use std::fmt;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;

use crate::aead;
use crate::key::MasterKey;

/// One counter's name: what is counted, and against which policy.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey([u8; 32]);

impl LimitKey {
    /// A name that somebody else has made. Its octets must be as good as random: stores spread their work by them.
    pub const fn from_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets for a row.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex characters.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl fmt::Debug for LimitKey {
    /// Eight hex digits: enough to tell two apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LimitKey({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

/// Names counters.
pub struct LimitKeys(hmac::Key);

impl LimitKeys {
    /// Those of whoever has this master key.
    pub fn of(master: &MasterKey) -> Self {
        let secret = zeroize::Zeroizing::new(aead::derive_secret(master.octets(), "claviger limit keys v1"));
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()))
    }

    /// The counter of `counted` (the octets of an address, the text of an account's name) under `policy`.
    pub fn key(&self, policy: &str, counted: &[u8]) -> LimitKey {
        let mut context = hmac::Context::with_key(&self.0);
        // The length says where one ends and the other begins.
        context.update(&(policy.len() as u64).to_be_bytes());
        context.update(policy.as_bytes());
        context.update(counted);
        LimitKey(context.sign().as_ref().try_into().expect("HMAC-SHA256 has 32 octets"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> LimitKeys {
        LimitKeys::of(&MasterKey::parse(MasterKey::generate().expose()).unwrap())
    }

    #[test]
    fn a_counter_belongs_to_one_policy_one_thing_and_one_master_key() {
        let keys = keys();
        let key = keys.key("login-account", b"anna@example.com");
        assert_eq!(key, keys.key("login-account", b"anna@example.com"));
        assert_ne!(key, keys.key("login-account", b"bert@example.com"));
        assert_ne!(key, keys.key("login-address", b"anna@example.com"));
        assert_ne!(key, keys.key("login-accounta", b"nna@example.com"), "what moves from one to the other");
        assert_ne!(key, self::keys().key("login-account", b"anna@example.com"));
    }

    #[test]
    fn the_same_master_key_makes_the_same_counters() {
        let text = MasterKey::generate();
        let key = || LimitKeys::of(&MasterKey::parse(text.expose()).unwrap()).key("p", b"x");
        assert_eq!(key(), key());
        assert_eq!(LimitKey::from_octets(*key().as_bytes()), key());
        assert_eq!(format!("{:?}", key()).len(), "LimitKey(01234567…)".len());
        assert_eq!(key().to_hex().len(), 64);
    }
}
