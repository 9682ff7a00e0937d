//! Who calls: client authentication (RFC 6749 §2.3).

use aws_lc_rs::constant_time;
use axum::http::{HeaderMap, header};
use data_encoding::BASE64;
use url::form_urlencoded;

use crate::answer::OAuthError;
use crate::app::App;
use crate::parameters::Parameters;
use crate::settings::ClientAuth;

/// Who the client says that it is, and by which proof.
pub(crate) struct Credentials {
    pub(crate) client_id: String,
    proof: Proof,
}

enum Proof {
    Basic(String),
    Post(String),
    None,
}

/// Reads the credentials. Those in two places are refused (RFC 6749 §2.3: one method a request).
pub(crate) fn presented(headers: &HeaderMap, parameters: &Parameters) -> Result<Credentials, OAuthError> {
    let in_body = (parameters.get("client_id"), parameters.get("client_secret"));
    let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
    match (authorization.next(), authorization.next(), in_body) {
        (Some(_), Some(_), _) => Err(OAuthError::invalid_request("There are two Authorization headers.")),
        (Some(_), None, (_, Some(_))) => {
            Err(OAuthError::invalid_request("The credentials are in the header and in the body; send one."))
        }
        (Some(value), None, (named, None)) => {
            let (client_id, secret) = decode_basic(value.as_bytes()).ok_or(OAuthError::invalid_client(
                "The Authorization header is not Basic as RFC 6749 has it.",
            ))?;
            if named.is_some_and(|named| named != client_id) {
                return Err(OAuthError::invalid_request("The header and the body name different clients."));
            }
            Ok(Credentials { client_id, proof: Proof::Basic(secret) })
        }
        (None, _, (Some(client_id), secret)) => {
            let proof = secret.map_or(Proof::None, |secret| Proof::Post(secret.to_owned()));
            Ok(Credentials { client_id: client_id.to_owned(), proof })
        }
        (None, _, (None, _)) => Err(OAuthError::invalid_client("The request names no client.")),
    }
}

impl Credentials {
    /// Whether the client is who it says, by a method that `clientAuth` allows.
    pub(crate) fn authenticate(&self, app: Option<&App>, allowed: ClientAuth) -> Result<(), OAuthError> {
        let app = app.ok_or(OAuthError::unknown_client())?;
        // A public client has nothing to authenticate with, whatever the others must do.
        let allowed = if app.client_secret.is_some() { allowed } else { ClientAuth::None };
        let secret = match (allowed, &self.proof) {
            (ClientAuth::None, Proof::None) => return Ok(()),
            (ClientAuth::Basic | ClientAuth::Any, Proof::Basic(secret))
            | (ClientAuth::Post | ClientAuth::Any, Proof::Post(secret)) => secret,
            (ClientAuth::None, _) => {
                return Err(OAuthError::invalid_client("This client sends no secret, only its client_id."));
            }
            (ClientAuth::Basic, _) => {
                return Err(OAuthError::invalid_client("This client authenticates by client_secret_basic."));
            }
            (ClientAuth::Post, _) => {
                return Err(OAuthError::invalid_client("This client authenticates by client_secret_post."));
            }
            (ClientAuth::Any, Proof::None) => {
                return Err(OAuthError::invalid_client("The request has no client secret."));
            }
        };
        let registered = app.client_secret.as_deref().unwrap_or_default();
        constant_time::verify_slices_are_equal(registered.as_bytes(), secret.as_bytes())
            .map_err(|_| OAuthError::wrong_secret())
    }
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined and base64-encoded.
fn decode_basic(value: &[u8]) -> Option<(String, String)> {
    let value = str::from_utf8(value).ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decode(id)?, form_decode(secret)?))
}

fn form_decode(text: &str) -> Option<String> {
    // A lone value without "=" and "&" is read as a name.
    if text.contains(['=', '&']) {
        return None;
    }
    let decoded = form_urlencoded::parse(text.as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned());
    (!decoded.contains('\u{fffd}')).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(pair: &str) -> Option<(String, String)> {
        decode_basic(format!("Basic {}", BASE64.encode(pair.as_bytes())).as_bytes())
    }

    #[test]
    fn id_and_secret_are_form_decoded() {
        let cases = [
            ("claviger:sandbox-secret", Some(("claviger", "sandbox-secret"))),
            ("a%3Ab:c+d%2B%25", Some(("a:b", "c d+%"))),
            ("a:", Some(("a", ""))),
            ("a:b:c", Some(("a", "b:c"))),
            ("a:b=c", None),
            ("a:%ff", None),
            ("alone", None),
        ];
        for (pair, expected) in cases {
            let expected = expected.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
            assert_eq!(basic(pair), expected, "{pair}");
        }
    }

    #[test]
    fn another_scheme_is_not_basic() {
        assert_eq!(decode_basic(b"Bearer YTpi"), None);
        assert_eq!(decode_basic(b"Basic ???"), None);
        assert!(decode_basic(b"bASIC YTpi").is_some());
    }
}
