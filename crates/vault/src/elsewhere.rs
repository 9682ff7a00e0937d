//! What a browser takes along that signs in elsewhere: a PKCE verifier and a nonce that follow from its cookie and the state of this
//! one sign-in. So neither is at rest anywhere, and what comes back is good in that browser alone.

use aws_lc_rs::hmac;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use model::{CodeVerifier, Secret};

use crate::aead;

/// The verifier (RFC 7636 §4.1), which only the token endpoint gets to see.
pub fn code_verifier(browser: &Secret<String>, state: &Secret<String>) -> CodeVerifier {
    CodeVerifier::from_random(&octets(browser, "verifier", state))
}

/// The nonce (OpenID Connect Core §3.1.2.1), which the browser carries and the ID token repeats.
pub fn nonce(browser: &Secret<String>, state: &Secret<String>) -> String {
    BASE64URL_NOPAD.encode(&octets(browser, "nonce", state))
}

/// A state that is the same whenever one browser leaves with one request again.
pub fn state(browser: &Secret<String>, request: &str) -> Secret<String> {
    Secret::new(HEXLOWER.encode(&octets(browser, "state", &Secret::from(request))))
}

fn octets(browser: &Secret<String>, purpose: &str, state: &Secret<String>) -> [u8; 32] {
    let key = aead::derive_from_text(browser.expose(), "claviger sign-in elsewhere v1");
    let message = [purpose.as_bytes(), b"\0", state.expose().as_bytes()].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), &message);
    tag.as_ref().try_into().expect("HMAC-SHA256 has 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_belong_to_one_browser_and_one_state() {
        let [browser, other, state, later] = [(); 4].map(|()| crate::random::token());
        let verifier = code_verifier(&browser, &state);
        assert_eq!(verifier.expose().len(), 43);
        assert_eq!(verifier.expose(), code_verifier(&browser, &state).expose());
        assert_ne!(verifier.expose(), code_verifier(&other, &state).expose());
        assert_ne!(verifier.expose(), code_verifier(&browser, &later).expose());
        assert_ne!(verifier.expose(), &nonce(&browser, &state), "the nonce is seen by others");
        assert_ne!(nonce(&browser, &state), nonce(&browser, &later));
    }

    #[test]
    fn a_state_belongs_to_one_browser_and_one_request() {
        let [browser, other] = [(); 2].map(|()| crate::random::token());
        let first = state(&browser, "aut_1");
        assert_eq!(first.expose().len(), 64);
        assert_eq!(first.expose(), state(&browser, "aut_1").expose());
        assert_ne!(first.expose(), state(&other, "aut_1").expose());
        assert_ne!(first.expose(), state(&browser, "aut_2").expose());
    }
}
