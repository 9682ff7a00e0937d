//! The key-encryption key that the operator gives. There is no fallback key: a missing, short or placeholder key stops
//! the start.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use model::Secret;
use zeroize::Zeroizing;

use crate::aead;

/// Why a text is no key. Every message says how to make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing, or only blanks.
    #[error("the key is empty; make one with: openssl rand -base64 32")]
    Empty,
    /// Neither hex nor base64.
    #[error(
        "the key is neither 64 hex digits nor 32 octets in base64; make one with: openssl rand -base64 32"
    )]
    NotEncoded,
    /// Fewer than 32 octets.
    #[error("the key has {octets} octets and needs 32; make one with: openssl rand -base64 32")]
    Short {
        /// How many it has.
        octets: usize,
    },
    /// More than 32 octets.
    #[error("the key has {octets} octets and needs exactly 32; make one with: openssl rand -base64 32")]
    Long {
        /// How many it has.
        octets: usize,
    },
    /// An example from some documentation, or a pattern.
    #[error("the key is a placeholder, not a random value; make one with: openssl rand -base64 32")]
    Placeholder,
}

/// The key-encryption key: 256 bits that wrap the data keys of the keyring.
pub struct MasterKey(Secret<[u8; 32]>);

impl MasterKey {
    /// Reads 64 hex digits, or 32 octets in base64 (either alphabet, padded or not).
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let octets = Zeroizing::new(decode(text).unwrap_or_default());
        let Ok(key) = <[u8; 32]>::try_from(octets.as_slice()) else {
            return Err(match octets.len() {
                _ if looks_like_placeholder(text) => KeyError::Placeholder,
                0 => KeyError::NotEncoded,
                octets @ 1..32 => KeyError::Short { octets },
                octets => KeyError::Long { octets },
            });
        };
        // Each of these holds for a random key less than once in 10^13: a pattern, a count, a text.
        let distinct = key.iter().collect::<std::collections::BTreeSet<_>>().len();
        let ascending = key.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1));
        let printable = key.iter().all(|octet| (0x20..0x7f).contains(octet));
        if distinct < 16 || ascending || printable {
            return Err(KeyError::Placeholder);
        }
        Ok(Self(Secret::new(key)))
    }

    /// A new random key in the form that [`MasterKey::parse`] reads.
    pub fn generate() -> Secret<String> {
        Secret::new(BASE64.encode(&*Zeroizing::new(crate::random::octets::<32>())))
    }

    /// A name for the key that says nothing of it, so that a wrong key is told from a damaged row.
    pub fn id(&self) -> String {
        HEXLOWER.encode(&aead::fingerprint(self.0.expose())[..8])
    }

    /// A 256-bit secret that follows from the key and a purpose, as 64 hex digits: the same at every start, and kept
    /// nowhere.
    pub fn derive(&self, purpose: &str) -> Secret<String> {
        Secret::new(HEXLOWER.encode(&*Zeroizing::new(aead::derive_secret(self.0.expose(), purpose))))
    }

    pub(crate) fn octets(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return HEXLOWER_PERMISSIVE.decode(text.to_ascii_lowercase().as_bytes()).ok();
    }
    [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
        .iter()
        .find_map(|form| form.decode(text.as_bytes()).ok())
}

fn looks_like_placeholder(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "change",
        "default",
        "example",
        "placeholder",
        "replace",
        "secret",
        "your-",
        "your_",
        "insert",
        "todo",
        "xxxx",
    ]
    .iter()
    .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_every_base64_spell_the_same_key() {
        let octets: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 37 % 251).unwrap());
        let ids: Vec<String> = [
            HEXLOWER.encode(&octets),
            HEXLOWER.encode(&octets).to_uppercase(),
            BASE64.encode(&octets),
            BASE64_NOPAD.encode(&octets),
            BASE64URL.encode(&octets),
            format!(" {}\n", BASE64URL_NOPAD.encode(&octets)),
        ]
        .iter()
        .map(|text| MasterKey::parse(text).unwrap().id())
        .collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
        assert!(MasterKey::parse(MasterKey::generate().expose()).is_ok());
    }

    #[test]
    fn a_random_key_that_happens_to_spell_a_word_is_a_key() {
        assert!(MasterKey::parse("p2kPrqnc2IwqTtKX3J9TMV6wtodoMqZ4hbMWxxxxp8o=").is_ok());
        let written = BASE64.encode(b"this is thirty-two letters long!");
        assert_eq!(
            MasterKey::parse(&written).map(|_| ()),
            Err(KeyError::Placeholder),
            "a text is no random key"
        );
    }

    #[test]
    fn what_is_not_a_random_key_is_refused_by_name() {
        let cases = [
            ("", KeyError::Empty),
            ("  \n", KeyError::Empty),
            ("not a key!", KeyError::NotEncoded),
            ("deadbeef", KeyError::Short { octets: 4 }),
            (&"ab".repeat(33), KeyError::Long { octets: 33 }),
            (&"00".repeat(32), KeyError::Placeholder),
            (&"0123456789abcdef".repeat(4), KeyError::Placeholder),
            ("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", KeyError::Placeholder),
            ("change-me", KeyError::Placeholder),
            ("default-key", KeyError::Placeholder),
            ("your_32_byte_key_here", KeyError::Placeholder),
        ];
        for (text, expected) in cases {
            assert_eq!(MasterKey::parse(text).map(|_| ()), Err(expected), "{text:?}");
        }
    }
}
