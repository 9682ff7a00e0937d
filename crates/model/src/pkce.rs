//! Proof Key for Code Exchange (RFC 7636).

use serde::{Deserialize, Serialize};

use crate::CodeVerifier;

/// Whether an authorization carries a code challenge. `plain` does not exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// RFC 7636 §4.2: the challenge is the SHA-256 of the verifier.
    S256,
    /// The provider knows no PKCE.
    None,
}

impl CodeVerifier {
    /// RFC 7636 §4.1: 32 random octets, base64url-encoded to 43 characters.
    pub fn from_random(octets: &[u8; 32]) -> Self {
        Self::from(data_encoding::BASE64URL_NOPAD.encode(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The octets and the verifier of RFC 7636 appendix B.
    #[test]
    fn the_verifier_of_rfc_7636_appendix_b() {
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = CodeVerifier::from_random(&octets);
        assert_eq!(verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }
}
