//! Proof Key for Code Exchange (RFC 7636). Only S256: a plain challenge proves nothing to somebody who read the URL.

use aws_lc_rs::{constant_time, digest};
use data_encoding::BASE64URL_NOPAD;

use crate::answer::OAuthError;
use crate::parameters::Parameters;
use crate::settings::Pkce;

/// RFC 7636 §4.3: the challenge of an authorization request. Fails with a description for `invalid_request`.
pub(crate) fn challenge(parameters: &Parameters, pkce: Pkce) -> Result<Option<String>, &'static str> {
    if pkce == Pkce::Unsupported {
        return Ok(None);
    }
    match (parameters.get("code_challenge"), parameters.get("code_challenge_method")) {
        (None, None) if pkce == Pkce::Required => Err("A code_challenge is required."),
        (None, None) => Ok(None),
        (None, Some(_)) => Err("There is a code_challenge_method without a code_challenge."),
        (Some(challenge), Some("S256")) if is_s256(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => Err("The code_challenge is not a SHA-256 in base64url."),
        // An absent method would mean plain.
        (Some(_), _) => Err("The code_challenge_method must be S256."),
    }
}

/// RFC 7636 §4.6; and RFC 9700 §4.8.2: a verifier without a challenge is an attack and not a surplus.
pub(crate) fn verify(challenge: Option<&str>, verifier: Option<&str>, pkce: Pkce) -> Result<(), OAuthError> {
    match (challenge, verifier) {
        _ if pkce == Pkce::Unsupported => Ok(()),
        (None, None) => Ok(()),
        (None, Some(_)) => Err(OAuthError::invalid_grant(
            "There is a code_verifier, but the authorization had no challenge.",
        )),
        (Some(_), None) => Err(OAuthError::invalid_grant("The code_verifier is missing.")),
        (Some(_), Some(verifier)) if !is_verifier(verifier) => {
            Err(OAuthError::invalid_grant("The code_verifier is not 43 to 128 unreserved characters."))
        }
        (Some(challenge), Some(verifier)) => {
            let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
            let computed = BASE64URL_NOPAD.encode(digest.as_ref());
            constant_time::verify_slices_are_equal(computed.as_bytes(), challenge.as_bytes()).map_err(|_| {
                OAuthError::invalid_grant("The code_verifier does not match the code_challenge.")
            })
        }
    }
}

fn is_s256(challenge: &str) -> bool {
    BASE64URL_NOPAD.decode(challenge.as_bytes()).is_ok_and(|octets| octets.len() == 32)
}

/// RFC 7636 §4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_pair_of_rfc_7636_appendix_b_matches_and_no_other_does() {
        assert!(verify(Some(CHALLENGE), Some(VERIFIER), Pkce::Required).is_ok());
        let other = VERIFIER.replace('d', "e");
        for bad in [Some(other.as_str()), Some(CHALLENGE), Some("short"), None] {
            assert!(verify(Some(CHALLENGE), bad, Pkce::Optional).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_verifier_without_a_challenge_is_refused() {
        assert!(verify(None, Some(VERIFIER), Pkce::Optional).is_err());
        assert!(verify(None, None, Pkce::Optional).is_ok());
    }

    #[test]
    fn only_s256_is_a_challenge() {
        let of = |query: &str, pkce| challenge(&Parameters::parse(query.as_bytes()).unwrap(), pkce);
        let s256 = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
        assert_eq!(of(&s256, Pkce::Optional), Ok(Some(CHALLENGE.to_owned())));
        assert_eq!(of(&s256, Pkce::Unsupported), Ok(None));
        assert_eq!(of("", Pkce::Optional), Ok(None));
        let plain = format!("code_challenge={CHALLENGE}&code_challenge_method=plain");
        let silent = format!("code_challenge={CHALLENGE}");
        for bad in [
            plain.as_str(),
            silent.as_str(),
            "code_challenge=x&code_challenge_method=S256",
            "code_challenge_method=S256",
        ] {
            assert!(of(bad, Pkce::Optional).is_err(), "{bad}");
        }
        assert!(of("", Pkce::Required).is_err());
    }
}
