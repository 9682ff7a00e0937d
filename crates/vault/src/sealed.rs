//! One secret, bound to its record.
//!
//! ```text
//! octet  0        format, 1
//! octets 1–4      version of the data key, big-endian
//! octets 5–36     salt
//! octets 37–      ciphertext, as long as the plaintext
//! last 16         tag of AES-256-GCM
//! ```
//!
//! The tag also covers format, key version, table, row and field, so a value that was copied to another record, or
//! relabelled to another key, does not open.

use std::fmt;
use std::marker::PhantomData;

use model::{
    AccessToken, ClientSecret, CodeVerifier, EmailAddress, LinkToken, RefreshToken, SigningKeySecret,
    TokenExtra,
};
use zeroize::Zeroizing;

use crate::aead::{self, SALT_LEN, TAG_LEN};
use crate::keyring::Keyring;

const FORMAT: u8 = 1;
const HEADER_LEN: usize = 1 + 4 + SALT_LEN;

/// A secret that can be sealed; the type fixes table and field.
pub trait Sealable: Sized {
    /// The table that holds it.
    const TABLE: &'static str;
    /// The column that holds it.
    const FIELD: &'static str;

    /// The text to seal.
    fn expose(&self) -> &str;
    /// Rebuilds the secret from the text that was sealed.
    fn from_text(text: &str) -> Self;
}

macro_rules! sealable {
    ($($name:ident in $table:literal . $field:literal;)*) => {$(
        impl Sealable for $name {
            const TABLE: &'static str = $table;
            const FIELD: &'static str = $field;

            fn expose(&self) -> &str {
                self.expose()
            }

            fn from_text(text: &str) -> Self {
                Self::from(text)
            }
        }
    )*};
}

sealable! {
    AccessToken in "credentials"."access_token";
    RefreshToken in "credentials"."refresh_token";
    TokenExtra in "credentials"."extra";
    ClientSecret in "integrations"."client_secret";
    CodeVerifier in "attempts"."code_verifier";
    EmailAddress in "portal_sessions"."email";
    LinkToken in "mails"."link_token";
    SigningKeySecret in "signing_keys"."private_key";
}

/// Table and field of a kind of secret: with the row, what a sealed value is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) table: &'static str,
    pub(crate) field: &'static str,
}

impl Place {
    pub(crate) const fn of<T: Sealable>() -> Self {
        Self { table: T::TABLE, field: T::FIELD }
    }
}

/// Why a sealed value did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short, or of a format that this version does not know.
    #[error("the value is not in a sealing format that this version knows")]
    Format,
    /// The keyring has no key of that version.
    #[error("the value was sealed with data key {version}, which the keyring does not hold")]
    UnknownKey {
        /// The version that the value names.
        version: u32,
    },
    /// Changed, moved to another record, or sealed with another key.
    #[error("the value was changed, belongs to another record, or was sealed with another key")]
    Refused,
}

/// A sealed `T`: what the store keeps of a secret.
pub struct Sealed<T> {
    octets: Box<[u8]>,
    secret: PhantomData<fn() -> T>,
}

impl<T: Sealable> Sealed<T> {
    /// Rebuilds what a row holds; octets that were never sealed fail to open.
    pub fn from_row(octets: Vec<u8>) -> Self {
        Self { octets: octets.into_boxed_slice(), secret: PhantomData }
    }

    /// The octets for a row.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.octets
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self { octets: self.octets.clone(), secret: PhantomData }
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl Keyring {
    /// Seals a secret for the row `row` of its table, with the current data key.
    pub fn seal<T: Sealable>(&self, row: &impl fmt::Display, secret: &T) -> Sealed<T> {
        self.seal_with_salt(row, secret, &crate::random::octets())
    }

    fn seal_with_salt<T: Sealable>(
        &self,
        row: &impl fmt::Display,
        secret: &T,
        salt: &[u8; SALT_LEN],
    ) -> Sealed<T> {
        let plaintext = secret.expose().as_bytes();
        Sealed::from_row(self.seal_octets(Place::of::<T>(), &row.to_string(), plaintext, salt))
    }

    /// Opens a secret of the row `row` of its table.
    pub fn open<T: Sealable>(&self, row: &impl fmt::Display, sealed: &Sealed<T>) -> Result<T, OpenError> {
        let plaintext = self.open_octets(Place::of::<T>(), &row.to_string(), &sealed.octets)?;
        let text = std::str::from_utf8(&plaintext).map_err(|_| OpenError::Refused)?;
        Ok(T::from_text(text))
    }

    pub(crate) fn seal_octets(
        &self,
        place: Place,
        row: &str,
        plaintext: &[u8],
        salt: &[u8; SALT_LEN],
    ) -> Vec<u8> {
        let (version, key) = self.current();
        let mut octets = Vec::with_capacity(HEADER_LEN + plaintext.len() + TAG_LEN);
        octets.push(FORMAT);
        octets.extend_from_slice(&version.to_be_bytes());
        octets.extend_from_slice(salt);
        let bound_to = bound_to(version, place.table, row, place.field);
        aead::seal(key, salt, &bound_to, plaintext, &mut octets);
        octets
    }

    pub(crate) fn open_octets(
        &self,
        place: Place,
        row: &str,
        octets: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (version, salt, ciphertext) = parts(octets).ok_or(OpenError::Format)?;
        let key = self.key(version).ok_or(OpenError::UnknownKey { version })?;
        let bound_to = bound_to(version, place.table, row, place.field);
        aead::open(key, salt, &bound_to, ciphertext).map_err(|_| OpenError::Refused)
    }
}

/// Key version, salt, and ciphertext with tag; `None` for another format.
pub(crate) fn parts(octets: &[u8]) -> Option<(u32, &[u8; SALT_LEN], &[u8])> {
    let (header, ciphertext) = octets.split_at_checked(HEADER_LEN)?;
    let [FORMAT, v0, v1, v2, v3, salt @ ..] = header else { return None };
    Some((u32::from_be_bytes([*v0, *v1, *v2, *v3]), salt.try_into().ok()?, ciphertext))
}

/// What a value is bound to, each part with its length, so that no two places share a text.
pub(crate) fn bound_to(version: u32, table: &str, row: &str, field: &str) -> Zeroizing<Vec<u8>> {
    let mut octets = Vec::with_capacity(32 + table.len() + row.len() + field.len());
    octets.push(FORMAT);
    octets.extend_from_slice(&version.to_be_bytes());
    for part in [table, row, field] {
        octets.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        octets.extend_from_slice(part.as_bytes());
    }
    Zeroizing::new(octets)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;
    use crate::MasterKey;

    fn keyring() -> Keyring {
        Keyring::for_tests(&[(1, [0x11; 32]), (2, [0x22; 32])])
    }

    /// Computed with Python's `cryptography` 50 from the format's description alone; see `docs/sealing.md`.
    #[test]
    fn a_value_sealed_elsewhere_opens_here() {
        let sealed = keyring().seal_with_salt(&"crd_1", &AccessToken::from("gho_token"), &[7; 32]);
        assert_eq!(HEXLOWER.encode(sealed.as_bytes()), KNOWN_ANSWER);
    }

    const KNOWN_ANSWER: &str = "0100000002070707070707070707070707070707070707070707070707070707070707070777e23f203b55b137693044e16cea0336c25d1b254d3185b89e";

    #[test]
    fn every_flipped_bit_is_refused() {
        let keyring = keyring();
        let sealed = keyring.seal(&"crd_1", &AccessToken::from("gho_token"));
        for bit in 0..sealed.as_bytes().len() * 8 {
            let mut octets = sealed.as_bytes().to_vec();
            octets[bit / 8] ^= 1 << (bit % 8);
            let opened = keyring.open(&"crd_1", &Sealed::<AccessToken>::from_row(octets));
            assert!(opened.is_err(), "bit {bit} was flipped and the value still opened");
        }
        assert_eq!(keyring.open(&"crd_1", &sealed).unwrap().expose(), "gho_token");
    }

    #[test]
    fn every_cut_is_refused() {
        let keyring = keyring();
        let sealed = keyring.seal(&"crd_1", &AccessToken::from("gho_token"));
        for len in 0..sealed.as_bytes().len() {
            let cut = Sealed::<AccessToken>::from_row(sealed.as_bytes()[..len].to_vec());
            assert!(keyring.open(&"crd_1", &cut).is_err(), "cut to {len} octets");
        }
    }

    #[test]
    fn a_value_in_another_row_or_field_is_refused() {
        let keyring = keyring();
        let sealed = keyring.seal(&"crd_1", &AccessToken::from("gho_token"));
        assert_eq!(keyring.open(&"crd_2", &sealed).map(|_| ()), Err(OpenError::Refused));
        let field = Sealed::<RefreshToken>::from_row(sealed.as_bytes().to_vec());
        assert_eq!(keyring.open(&"crd_1", &field).map(|_| ()), Err(OpenError::Refused));
        let table = Sealed::<ClientSecret>::from_row(sealed.as_bytes().to_vec());
        assert_eq!(keyring.open(&"crd_1", &table).map(|_| ()), Err(OpenError::Refused));
    }

    #[test]
    fn a_value_relabelled_to_another_key_version_is_refused() {
        let keyring = keyring();
        let mut octets = keyring.seal(&"crd_1", &AccessToken::from("gho_token")).as_bytes().to_vec();
        octets[4] = 1;
        let relabelled = Sealed::<AccessToken>::from_row(octets.clone());
        assert_eq!(keyring.open(&"crd_1", &relabelled).map(|_| ()), Err(OpenError::Refused));
        octets[4] = 9;
        let unknown = Sealed::<AccessToken>::from_row(octets);
        assert_eq!(keyring.open(&"crd_1", &unknown).map(|_| ()), Err(OpenError::UnknownKey { version: 9 }));
    }

    #[test]
    fn two_sealings_of_one_secret_differ() {
        let keyring = keyring();
        let token = AccessToken::from("gho_token");
        assert_ne!(keyring.seal(&"crd_1", &token).as_bytes(), keyring.seal(&"crd_1", &token).as_bytes());
    }

    #[test]
    fn no_two_places_are_bound_to_the_same_text() {
        assert_ne!(bound_to(1, "ab", "c", "d"), bound_to(1, "a", "bc", "d"));
        assert_ne!(bound_to(1, "a", "b", "cd"), bound_to(1, "a", "bc", "d"));
    }

    #[test]
    fn what_sealed_prints_is_nothing() {
        let sealed = keyring().seal(&"crd_1", &AccessToken::from("gho_token"));
        assert_eq!(format!("{sealed:?}"), "[sealed]");
        let _ = MasterKey::generate();
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(text in ".{0,200}", row in "[a-z_0-9]{1,40}") {
            let keyring = keyring();
            let sealed = keyring.seal(&row, &AccessToken::from(text.as_str()));
            prop_assert!(!text.is_empty() || sealed.as_bytes().len() == HEADER_LEN + TAG_LEN);
            let opened = keyring.open(&row, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), text);
        }

        #[test]
        fn any_octets_are_refused_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(keyring().open(&"crd_1", &Sealed::<AccessToken>::from_row(octets)).is_err());
        }
    }
}
