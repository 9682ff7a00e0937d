//! Tokens for forms (against cross-site request forgery): HMAC-SHA256 of what the form is about, under a key that
//! follows from a cookie. A foreign site can make a browser send the cookie, but can't read it, so it can't make the
//! token. Nothing is stored.

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use model::Secret;

use crate::aead;

/// The token of the form `id` of the kind `purpose`, in the browser that has the cookie `browser`.
pub fn token(browser: &Secret<String>, purpose: &str, id: &str) -> String {
    BASE64URL_NOPAD.encode(hmac::sign(&key(browser), &message(purpose, id)).as_ref())
}

/// Whether that is the form's token; compares in constant time.
pub fn is_token(presented: &str, browser: &Secret<String>, purpose: &str, id: &str) -> bool {
    BASE64URL_NOPAD
        .decode(presented.as_bytes())
        .is_ok_and(|tag| hmac::verify(&key(browser), &message(purpose, id), &tag).is_ok())
}

fn key(browser: &Secret<String>) -> hmac::Key {
    let key = aead::derive_from_text(browser.expose(), "claviger csrf v1");
    hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())
}

/// A NUL between, which no purpose has, so that no two forms share a message.
fn message(purpose: &str, id: &str) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_one_form_in_one_browser() {
        let (browser, other) = (crate::random::token(), crate::random::token());
        let good = token(&browser, "consent", "aut_1");
        assert!(is_token(&good, &browser, "consent", "aut_1"));
        assert_eq!(good.len(), 43);
        assert!(!is_token(&good, &other, "consent", "aut_1"), "another browser");
        assert!(!is_token(&good, &browser, "login", "aut_1"), "another kind of form");
        assert!(!is_token(&good, &browser, "consent", "aut_2"), "another form");
        assert!(!is_token(&token(&browser, "consen", "taut_1"), &browser, "consent", "aut_1"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let browser = crate::random::token();
        let good = token(&browser, "consent", "aut_1");
        let swapped = format!("{}{}", &good[1..], &good[..1]);
        for bad in ["", "=", "ä", &good[..42], &format!("{good}="), &format!("{good}A"), &swapped] {
            assert!(!is_token(bad, &browser, "consent", "aut_1"), "{bad:?}");
        }
    }
}
