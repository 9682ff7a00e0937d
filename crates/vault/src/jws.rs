//! JSON Web Signatures in the compact serialization (RFC 7515 §3.1), with claims (RFC 7519): made, and verified
//! against the keys of others. What the claims must say is the caller's to judge.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use crate::jwk::{Algorithm, KeySet};

/// How many characters a token has at most.
const MAX_LEN: usize = 16 * 1024;

/// A token whose signature is good.
#[derive(Clone, PartialEq)]
pub struct Verified {
    /// Its protected header.
    pub header: Map<String, Value>,
    /// Its claims, unjudged.
    pub claims: Map<String, Value>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// More than 16 KiB.
    #[error("the token is longer than 16 KiB")]
    TooLong,
    /// Not in the compact serialization, or without claims.
    #[error("the token is not header, claims and signature in base64url, the first two JSON objects")]
    Format,
    /// Its header has `crit` (RFC 7515 §4.1.11); no extension is understood here.
    #[error("the token's header has critical extensions")]
    Critical,
    /// `none`, a shared secret, or something unknown.
    #[error("the token is not signed by an algorithm that is taken")]
    Algorithm,
    /// None of the keys is of that name and for that algorithm. The set may have changed meanwhile.
    #[error("no key of the set fits the token")]
    NoKey,
    /// Changed, or signed by another key.
    #[error("the token's signature is not by a key of the set")]
    Signature,
}

/// The subject that a token names (RFC 7519 §4.1.2), before anything of it is believed: to find whose keys it is to be verified
/// with.
pub fn unverified_subject(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1).filter(|_| token.len() <= MAX_LEN)?;
    let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}

/// Verifies a token's signature (RFC 7515 §5.2).
pub fn verify(token: &str, keys: &KeySet) -> Result<Verified, JwsError> {
    let (header, payload) = verify_payload(token, keys)?;
    let claims = serde_json::from_slice(&payload).map_err(|_| JwsError::Format)?;
    Ok(Verified { header, claims })
}

/// A token in its compact form (RFC 7515 §7.1), taken apart and not verified.
pub(crate) struct Compact<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) payload: Vec<u8>,
    /// What is signed.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Takes a token of at most `longest` octets apart. No extension is understood (§4.1.11).
    pub(crate) fn parse(token: &'a str, longest: usize) -> Result<Self, JwsError> {
        if token.len() > longest {
            return Err(JwsError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Format)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Format)?;
        let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| JwsError::Format);
        let (header, payload, signature) = (decoded(header)?, decoded(payload)?, decoded(signature)?);
        let header: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| JwsError::Format)?;
        if header.contains_key("crit") {
            return Err(JwsError::Critical);
        }
        Ok(Self { header, payload, signed: signed.as_bytes(), signature })
    }
}

fn verify_payload(token: &str, keys: &KeySet) -> Result<(Map<String, Value>, Vec<u8>), JwsError> {
    let Compact { header, payload, signed, signature } = Compact::parse(token, MAX_LEN)?;
    let word = |member| header.get(member).map(|word| word.as_str().ok_or(JwsError::Format)).transpose();
    let algorithm = word("alg")?.and_then(Algorithm::from_word).ok_or(JwsError::Algorithm)?;
    let candidates = keys.candidates(algorithm, word("kid")?);
    if candidates.is_empty() {
        return Err(JwsError::NoKey);
    }
    if !candidates.iter().any(|key| key.verifies(algorithm, signed, &signature)) {
        return Err(JwsError::Signature);
    }
    Ok((header, payload))
}

/// Header and claims as they are signed, and the signature (RFC 7515 §5.1).
pub(crate) fn compact<S: AsRef<[u8]>>(
    header: &Value,
    claims: &Value,
    sign: impl FnOnce(&[u8]) -> S,
) -> String {
    let encoded = |json: &Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let mut token = format!("{}.{}", encoded(header), encoded(claims));
    let signature = BASE64URL_NOPAD.encode(sign(token.as_bytes()).as_ref());
    token.push('.');
    token.push_str(&signature);
    token
}

#[cfg(test)]
mod tests;
