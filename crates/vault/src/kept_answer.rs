//! The answer to a refresh token that is spent, kept for the moment in which it may be asked for again.
//!
//! ```text
//! octet  0        format, 1
//! octets 1–32     salt
//! octets 33–      ciphertext, as long as the answer
//! last 16         tag of AES-256-GCM
//! ```
//!
//! The key comes from the text of the spent token, of which the store has only the SHA-256. So neither the store nor
//! the keyring nor both together open it: only whoever presents that token.

use std::fmt;

use model::{FamilyId, Secret};
use zeroize::Zeroizing;

use crate::aead::{self, SALT_LEN};
use crate::sealed::bound_to;
use crate::token_family::FamilyToken;
use crate::{OpenError, random};

const FORMAT: u8 = 1;
const PURPOSE: &str = "claviger kept answer v1";

/// An answer, sealed for the holder of one token.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptAnswer(Box<[u8]>);

impl KeptAnswer {
    /// Seals the answer that `spent` has brought.
    pub fn seal(spent: &FamilyToken, family: FamilyId, answer: &Secret<String>) -> Self {
        let salt = random::octets::<SALT_LEN>();
        let mut octets = vec![FORMAT];
        octets.extend_from_slice(&salt);
        let key = aead::derive_from_text(spent.token().expose(), PURPOSE);
        aead::seal(&key, &salt, &place(spent, family), answer.expose().as_bytes(), &mut octets);
        Self(octets.into_boxed_slice())
    }

    /// Opens it for whoever presents that token again.
    pub fn open(&self, presented: &FamilyToken, family: FamilyId) -> Result<Secret<String>, OpenError> {
        let (format, rest) = self.0.split_first().ok_or(OpenError::Format)?;
        let (salt, ciphertext) = rest.split_first_chunk::<SALT_LEN>().ok_or(OpenError::Format)?;
        if *format != FORMAT {
            return Err(OpenError::Format);
        }
        let key = aead::derive_from_text(presented.token().expose(), PURPOSE);
        let answer =
            aead::open(&key, salt, &place(presented, family), ciphertext).map_err(|_| OpenError::Refused)?;
        std::str::from_utf8(&answer).map(Secret::from).map_err(|_| OpenError::Refused)
    }

    /// Rebuilds what a row holds; octets that were never sealed fail to open.
    pub fn from_row(octets: Vec<u8>) -> Self {
        Self(octets.into_boxed_slice())
    }

    /// The octets for a row.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeptAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// What an answer is bound to. The version is that of the data key, and there is none.
fn place(spent: &FamilyToken, family: FamilyId) -> Zeroizing<Vec<u8>> {
    bound_to(0, "refresh_answers", &format!("{family}/{}", spent.hash().to_hex()), "answer")
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use model::AccessToken;

    use super::*;
    use crate::{Keyring, Sealed};

    const ANSWER: &str = r#"{"access_token":"zat_1","refresh_token":"zrt_2"}"#;

    fn family() -> FamilyId {
        FamilyId::from([7; 16])
    }

    #[test]
    fn the_token_that_brought_it_brings_it_again() {
        let spent = FamilyToken::first("zrt_");
        let kept = KeptAnswer::seal(&spent, family(), &Secret::from(ANSWER));
        let again = KeptAnswer::from_row(kept.as_bytes().to_vec());
        let presented = FamilyToken::parse(spent.token().expose()).unwrap();
        assert_eq!(again.open(&presented, family()).unwrap().expose(), ANSWER);
        assert_eq!(format!("{again:?}"), "[sealed]");
        let twice = KeptAnswer::seal(&spent, family(), &Secret::from(ANSWER));
        assert_ne!(twice, kept);
    }

    #[test]
    fn another_token_or_family_does_not_open_it() {
        let spent = FamilyToken::first("zrt_");
        let kept = KeptAnswer::seal(&spent, family(), &Secret::from(ANSWER));
        let refused =
            |token: &FamilyToken, family| kept.open(token, family).unwrap_err() == OpenError::Refused;
        assert!(refused(&spent.next("zrt_"), family()), "the next token of the family");
        assert!(refused(&FamilyToken::first("zrt_"), family()), "a token of another family");
        assert!(refused(&spent, FamilyId::from([8; 16])), "the answer in another family's row");
        let secret = spent.token().expose().strip_prefix("zrt_").unwrap();
        assert!(refused(&FamilyToken::parse(secret).unwrap(), family()), "without its prefix");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let spent = FamilyToken::first("zrt_");
        let kept = KeptAnswer::seal(&spent, family(), &Secret::from(ANSWER));
        for bit in 0..kept.as_bytes().len() * 8 {
            let mut octets = kept.as_bytes().to_vec();
            octets[bit / 8] ^= 1 << (bit % 8);
            assert!(KeptAnswer::from_row(octets).open(&spent, family()).is_err(), "bit {bit}");
        }
        for len in 0..kept.as_bytes().len() {
            let cut = KeptAnswer::from_row(kept.as_bytes()[..len].to_vec());
            assert!(cut.open(&spent, family()).is_err(), "cut to {len} octets");
        }
    }

    /// A thief of the whole store has the hash of the token, and with the master key the keyring.
    #[test]
    fn neither_the_stored_hash_nor_the_keyring_opens_it() {
        let spent = FamilyToken::first("zrt_");
        let kept = KeptAnswer::seal(&spent, family(), &Secret::from(ANSWER));
        let (salt, ciphertext) = kept.as_bytes()[1..].split_first_chunk::<SALT_LEN>().unwrap();
        let hash = *spent.hash().as_bytes();
        let guesses = [
            hash,
            // What an HMAC with the token itself as its key would come to.
            aead::derive_secret(&hash, PURPOSE),
            *aead::derive_from_text(&spent.hash().to_hex(), PURPOSE),
            *aead::derive_from_text("", PURPOSE),
        ];
        for key in guesses {
            assert!(aead::open(&key, salt, &place(&spent, family()), ciphertext).is_err());
        }
        let keyring = Keyring::for_tests(&[(1, [0x11; 32])]);
        let row = format!("{}/{}", family(), spent.hash().to_hex());
        assert!(keyring.open(&row, &Sealed::<AccessToken>::from_row(kept.as_bytes().to_vec())).is_err());
        let (_, data_key) = keyring.current();
        assert!(aead::open(data_key, salt, &place(&spent, family()), ciphertext).is_err());
    }

    /// Computed with Python's `cryptography` 50 from the format's description alone; see `docs/sealing.md`.
    #[test]
    fn an_answer_sealed_elsewhere_opens_here() {
        let spent = FamilyToken::parse(&format!("zrt_{}{}", "0a".repeat(16), "0b".repeat(32))).unwrap();
        let kept = KeptAnswer::from_row(HEXLOWER.decode(KNOWN_ANSWER.as_bytes()).unwrap());
        assert_eq!(kept.open(&spent, family()).unwrap().expose(), "{\"access_token\":\"zat_1\"}");
    }

    const KNOWN_ANSWER: &str = "010707070707070707070707070707070707070707070707070707070707070707c0b22ea25c6676e10a74732d044ef83409b1e22dd4c0737d610b0afbc07f24a3d29fd581e165b354";
}
