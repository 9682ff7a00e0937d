//! People's passwords, by argon2id (RFC 9106) with 19 MiB, two passes and one lane: the least that the Password
//! Storage Cheat Sheet of OWASP recommends. The row has a PHC string, which names these, so that they can be raised
//! later.
//!
//! Hashing takes some 20 ms of a core and the 19 MiB, and blocks: whoever calls bounds how many run at once.
//!
//! A password is normalized to NFC first (RFC 8265 §4.2.2), since one keyboard sends `õ` as one code point and
//! another as two.

use argon2::password_hash::Error;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use model::Secret;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::random;

/// The shortest password, in code points.
pub const MIN_CODE_POINTS: usize = 8;
/// The longest one.
pub const MAX_CODE_POINTS: usize = 128;

/// A hash that no password has: what a password is checked against where there is no user.
const NOBODY: &str = concat!(
    "$argon2id$v=19$m=19456,t=2,p=1",
    "$bm8gdXNlciwgbm8gaGFzaA",
    "$HZbseJ5NLLja1MRz7zawD4Jz9GL8EB/XglFOc4y2czg"
);

/// Why a text can't be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Fewer than [`MIN_CODE_POINTS`].
    #[error("a password has at least {MIN_CODE_POINTS} characters")]
    TooShort,
    /// More than [`MAX_CODE_POINTS`].
    #[error("a password has at most {MAX_CODE_POINTS} characters")]
    TooLong,
}

/// Why a password could be neither hashed nor checked. It says nothing of whether the password is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The row holds no PHC string of argon2.
    #[error("what the row holds is not an argon2 hash")]
    Damaged,
    /// There were no 19 MiB to be had.
    #[error("there is not enough memory to hash a password")]
    Memory,
}

/// What a new password has to be: 8 to 128 code points, whichever they are.
pub fn check(password: &Secret<String>) -> Result<(), InvalidPassword> {
    match normalized(password).chars().count() {
        ..MIN_CODE_POINTS => Err(InvalidPassword::TooShort),
        MIN_CODE_POINTS..=MAX_CODE_POINTS => Ok(()),
        _ => Err(InvalidPassword::TooLong),
    }
}

/// Hashes a password with a new salt, to a PHC string.
pub fn hash(password: &Secret<String>) -> Result<String, PasswordError> {
    let hash = Argon2::default()
        .hash_password_with_salt(normalized(password).as_bytes(), &random::octets::<16>())
        .map_err(|_| PasswordError::Memory)?;
    Ok(hash.to_string())
}

/// Whether that is the password. `stored` is `None` where there is no such user, or one without a password: that
/// costs the same and is never so.
pub fn verify(password: &Secret<String>, stored: Option<&str>) -> Result<bool, PasswordError> {
    // Without a salt or a hash it would be a wrong password, and not a damaged row.
    let hash = PasswordHash::new(stored.unwrap_or(NOBODY))
        .ok()
        .filter(|hash| hash.salt.is_some() && hash.hash.is_some())
        .ok_or(PasswordError::Damaged)?;
    match Argon2::default().verify_password(normalized(password).as_bytes(), &hash) {
        Ok(()) => Ok(stored.is_some()),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(Error::OutOfMemory) => Err(PasswordError::Memory),
        Err(_) => Err(PasswordError::Damaged),
    }
}

fn normalized(password: &Secret<String>) -> Zeroizing<String> {
    // NFC never makes UTF-8 more than three times as long (UAX #15, "Maximum Expansion Factor"), so this never moves.
    let mut text = Zeroizing::new(String::with_capacity(password.expose().len() * 3));
    text.extend(password.expose().nfc());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Secret<String> {
        Secret::from(text)
    }

    #[test]
    fn a_password_is_checked_against_its_own_hash() {
        let stored = hash(&password("correct horse")).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify(&password("correct horse"), Some(&stored)), Ok(true));
        assert_eq!(verify(&password("correct horsf"), Some(&stored)), Ok(false));
        assert_eq!(verify(&password(""), Some(&stored)), Ok(false));
        assert_ne!(hash(&password("correct horse")).unwrap(), stored, "the salt is new");
    }

    #[test]
    fn an_unknown_user_costs_the_same_and_is_never_right() {
        assert_eq!(verify(&password("correct horse"), None), Ok(false));
        assert_eq!(verify(&password("correct horse"), Some(NOBODY)), Ok(false));
        let costs = |phc: &str| phc.rsplit_once('$').unwrap().0.rsplit_once('$').unwrap().0.to_owned();
        let stored = hash(&password("correct horse")).unwrap();
        assert_eq!((costs(NOBODY), NOBODY.len()), (costs(&stored), stored.len()));
    }

    #[test]
    fn the_same_password_from_another_keyboard_is_the_same() {
        let stored = hash(&password("tõsi \u{f5}nnelik")).unwrap();
        assert_eq!(verify(&password("to\u{303}si o\u{303}nnelik"), Some(&stored)), Ok(true));
        assert_eq!(verify(&password("tosi onnelik"), Some(&stored)), Ok(false));
    }

    #[test]
    fn a_row_that_is_no_hash_is_told_from_a_wrong_password() {
        for damaged in ["", "secret", "$argon2id$v=19$m=19456", "$2b$10$abcdefghijklmnopqrstuv"] {
            assert_eq!(
                verify(&password("secret"), Some(damaged)),
                Err(PasswordError::Damaged),
                "{damaged:?}"
            );
        }
    }

    #[test]
    fn a_password_has_8_to_128_code_points() {
        assert_eq!(check(&password("1234567")), Err(InvalidPassword::TooShort));
        assert_eq!(check(&password("õäöüõäö")), Err(InvalidPassword::TooShort));
        assert_eq!(check(&password("o\u{303}o\u{303}o\u{303}o\u{303}")), Err(InvalidPassword::TooShort));
        assert_eq!(check(&password("12345678")), Ok(()));
        assert_eq!(check(&password(&"õ".repeat(128))), Ok(()));
        assert_eq!(check(&password(&"x".repeat(129))), Err(InvalidPassword::TooLong));
        assert_eq!(InvalidPassword::TooShort.to_string(), "a password has at least 8 characters");
    }

    /// Computed with Python's `argon2-cffi` 25.1, which binds the reference implementation.
    #[test]
    fn a_hash_made_elsewhere_is_understood() {
        let elsewhere = concat!(
            "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw",
            "$0AuQxA+RjPiJeA19Op7DwrFxnfh9xeTU2T6mFj2wThc"
        );
        assert_eq!(verify(&password("correct horse"), Some(elsewhere)), Ok(true));
    }
}
