//! Randomness from the operating system.

use data_encoding::HEXLOWER;
use model::Secret;

/// `N` random octets.
pub fn octets<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets)
        .expect("the operating system gives randomness, or the process must not go on");
    octets
}

/// A new identifier of 128 random bits.
pub fn id<Id: From<[u8; 16]>>() -> Id {
    octets::<16>().into()
}

/// A new token of 256 random bits as 64 hex characters.
pub fn token() -> Secret<String> {
    Secret::new(HEXLOWER.encode(&octets::<32>()))
}

/// A number from 0 to 1, for spreading what would otherwise happen together.
pub fn share() -> f64 {
    f64::from(u32::from_le_bytes(octets())) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_64_hex_characters_and_never_the_same() {
        let (one, other) = (token(), token());
        assert_eq!(one.expose().len(), 64);
        assert!(one.expose().bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()));
        assert_ne!(one.expose(), other.expose());
    }
}
