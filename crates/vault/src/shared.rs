//! What we and the product say to each other under a secret that both know: an HMAC-SHA256 over a message, or a JSON Web Token by
//! `HS256` (RFC 7515, RFC 7518 §3.2), which every language has a library for. Tokens of others are verified with their public keys
//! ([`crate::jws`]), where no shared secret is ever taken.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use model::Secret;
use serde_json::{Map, Value, json};

use crate::jws::{self, Compact, JwsError};

/// How long such a secret is at least, in octets (RFC 7518 §3.2).
pub const MIN_SECRET: usize = 32;

/// How many characters a token has at most: some two hundred teams with their names have room.
const MAX_LEN: usize = 24 * 1024;

fn key(secret: &Secret<String>) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

/// HMAC-SHA256 of a message, as 64 lower-case hex characters.
pub fn tag(secret: &Secret<String>, message: &[u8]) -> String {
    HEXLOWER.encode(hmac::sign(&key(secret), message).as_ref())
}

/// Signs claims.
pub fn sign(secret: &Secret<String>, claims: &Value) -> String {
    jws::compact(&json!({"alg": "HS256", "typ": "JWT"}), claims, |message| {
        hmac::sign(&key(secret), message).as_ref().to_vec()
    })
}

/// The claims of a token that the secret has signed; compares in constant time. What they must say is the caller's to judge.
pub fn verify(secret: &Secret<String>, token: &str) -> Result<Map<String, Value>, JwsError> {
    let Compact { header, payload, signed, signature } = Compact::parse(token, MAX_LEN)?;
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(JwsError::Algorithm);
    }
    hmac::verify(&key(secret), signed, &signature).map_err(|_| JwsError::Signature)?;
    serde_json::from_slice(&payload).map_err(|_| JwsError::Format)
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    fn secret() -> Secret<String> {
        Secret::from("0123456789abcdef0123456789abcdef")
    }

    /// RFC 4231 §4.3.
    #[test]
    fn the_tag_is_that_of_rfc_4231() {
        let tag = tag(&Secret::from("Jefe"), b"what do ya want for nothing?");
        assert_eq!(tag, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_token_is_good_under_its_secret_as_it_was_signed() {
        let token = sign(&secret(), &json!({"nonce": "n"}));
        assert_eq!(verify(&secret(), &token).unwrap()["nonce"], "n");
        let other = Secret::from("another-secret-of-thirty-two-oct");
        assert_eq!(verify(&other, &token), Err(JwsError::Signature));
        let (head, signature) = token.rsplit_once('.').unwrap();
        let claims = BASE64URL_NOPAD.encode(b"{\"nonce\":\"m\"}");
        let forged = format!("{}.{claims}.{signature}", head.split('.').next().unwrap());
        assert_eq!(verify(&secret(), &forged), Err(JwsError::Signature));
        for cut in ["", ".", "..", head, &token[..token.len() - 1]] {
            assert!(verify(&secret(), cut).is_err(), "{cut:?}");
        }
        assert_eq!(verify(&secret(), &"x".repeat(MAX_LEN + 1)), Err(JwsError::TooLong));
    }

    #[test]
    fn no_other_algorithm_and_no_extension_is_taken() {
        let signed = |header: Value| {
            jws::compact(&header, &json!({}), |message| {
                hmac::sign(&key(&secret()), message).as_ref().to_vec()
            })
        };
        for alg in ["none", "HS512", "RS256", "hs256", ""] {
            assert_eq!(verify(&secret(), &signed(json!({"alg": alg}))), Err(JwsError::Algorithm), "{alg}");
        }
        let critical = signed(json!({"alg": "HS256", "crit": ["b64"]}));
        assert_eq!(verify(&secret(), &critical), Err(JwsError::Critical));
    }
}
