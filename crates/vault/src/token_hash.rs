//! How a token that we issued is remembered: by its SHA-256.
//!
//! Such tokens carry at least 128 random bits, so a fast hash is enough, and rotating the vault's keys does not touch
//! them. What can be guessed (addresses, fingerprints, passwords) must never be stored this way.

use std::fmt;
use std::hash::{Hash, Hasher};

use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq;

/// The SHA-256 of a token that we issued.
#[derive(Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    pub fn of(token: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 octets"))
    }

    /// Rebuilds the hash that a row holds; `None` when it has another length.
    pub fn from_row(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self)
    }

    /// 64 lower-case hex characters.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Reads 64 hex characters in either case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let octets = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Self::from_row(&octets)
    }

    /// The octets for a row.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    /// Eight hex digits: enough to tell two apart in a log, too few to find one by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_sha_256_of_fips_180() {
        let hash = TokenHash::of("abc");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(HEXLOWER.encode(hash.as_bytes()), expected);
        assert_eq!(TokenHash::from_hex(expected), Some(hash));
        assert_eq!(TokenHash::from_hex(&expected[1..]), None);
        assert_eq!(TokenHash::from_row(&hash.as_bytes()[1..]), None);
    }
}
