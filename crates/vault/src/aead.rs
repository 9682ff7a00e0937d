//! AES-256-GCM under a key that is derived for one value.
//!
//! A random 96-bit nonce under one key runs out of safety after about 2³² values; at ten million connections that are
//! refreshed every hour that is a matter of weeks. So every value has a random 256-bit salt, from which HKDF-SHA256
//! derives a key and a nonce of its own (the idea of XAES-256-GCM).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

pub(crate) const SALT_LEN: usize = 32;
pub(crate) const TAG_LEN: usize = 16;

const INFO: &[u8] = b"claviger sealed value v1";

/// The authentication tag did not match: wrong key, wrong place or damaged octets. They can't be told apart.
pub(crate) struct Refused;

/// 32 octets of key and 12 of nonce.
struct KeyAndNonce;

impl KeyType for KeyAndNonce {
    fn len(&self) -> usize {
        44
    }
}

fn derive(key: &[u8; 32], salt: &[u8; SALT_LEN]) -> (LessSafeKey, Nonce) {
    let mut octets = Zeroizing::new([0; 44]);
    Salt::new(HKDF_SHA256, salt)
        .extract(key)
        .expand(&[INFO], KeyAndNonce)
        .and_then(|okm| okm.fill(octets.as_mut()))
        .expect("44 octets are within the 8160 that HKDF-SHA256 can expand to");
    let (key, nonce) = octets.split_at(32);
    let key = UnboundKey::new(&AES_256_GCM, key).expect("the key has the 32 octets of AES-256");
    let nonce = Nonce::try_assume_unique_for_key(nonce).expect("the nonce has the 12 octets of GCM");
    (LessSafeKey::new(key), nonce)
}

/// Appends ciphertext and tag to `out`.
pub(crate) fn seal(
    key: &[u8; 32],
    salt: &[u8; SALT_LEN],
    bound_to: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) {
    let (key, nonce) = derive(key, salt);
    let mut buffer = Zeroizing::new(plaintext.to_vec());
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(bound_to), &mut buffer)
        .expect("GCM seals up to 64 GiB, and no secret here is over a few MiB");
    out.extend_from_slice(&buffer);
    out.extend_from_slice(tag.as_ref());
}

/// Opens ciphertext and tag.
pub(crate) fn open(
    key: &[u8; 32],
    salt: &[u8; SALT_LEN],
    bound_to: &[u8],
    ciphertext_and_tag: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let (key, nonce) = derive(key, salt);
    let mut buffer = Zeroizing::new(ciphertext_and_tag.to_vec());
    let plaintext_len =
        key.open_in_place(nonce, Aad::from(bound_to), &mut buffer).map_err(|_| Refused)?.len();
    buffer.truncate(plaintext_len);
    Ok(buffer)
}

/// A one-way name for a key.
pub(crate) fn fingerprint(key: &[u8; 32]) -> [u8; 32] {
    derive_secret(key, "claviger key id v1")
}

/// A secret of its own for a purpose (HMAC-SHA256 as a pseudo-random function).
pub(crate) fn derive_secret(key: &[u8; 32], purpose: &str) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), purpose.as_bytes());
    tag.as_ref().try_into().expect("HMAC-SHA256 has 32 octets")
}

/// 32 octets of key out of a text that holds as many random bits, for a purpose.
///
/// The text goes into HKDF-SHA256 (RFC 5869) as its input. As the key of an HMAC it would be hashed first where it
/// has more than 64 octets (RFC 2104 §2), and then all would follow from the SHA-256 of the text, which is what rows
/// hold of a token.
pub(crate) fn derive_from_text(text: &str, purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, &[])
        .extract(text.as_bytes())
        .expand(&[purpose.as_bytes()], HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut()))
        .expect("32 octets are within the 8160 that HKDF-SHA256 can expand to");
    key
}
