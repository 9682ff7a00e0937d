//! Codes and tokens: how they are made, and what is kept of them.

use aws_lc_rs::{digest, rand};
use data_encoding::BASE64URL_NOPAD;

/// The length of what [`random`] puts behind a prefix.
pub(crate) const RANDOM_CHARACTERS: usize = 43;

/// The SHA-256 of a code or a token: what is kept opens nothing, and looking it up tells its octets to no clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) fn of(text: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 octets"))
    }
}

/// 256 random bits behind a prefix.
pub(crate) fn random(prefix: &str) -> String {
    let mut octets = [0; 32];
    rand::fill(&mut octets).expect("the operating system gives randomness, or the process must not go on");
    format!("{prefix}{}", BASE64URL_NOPAD.encode(&octets))
}
