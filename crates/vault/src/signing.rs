//! The keys that sign our JSON Web Tokens: access tokens (RFC 9068) and ID tokens (OpenID Connect Core §2).

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, Signature,
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use model::{SigningKeyId, SigningKeySecret};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::jws;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RFC 8037 §3.1, with Ed25519.
    EdDsa,
    /// RFC 7518 §3.4: ECDSA with P-256 and SHA-256.
    Es256,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: &[Self] = &[Self::EdDsa, Self::Es256];

    /// Its word, as `alg` has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// Reads its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|own| own.word() == word)
    }

    /// The left half of a text's hash, by the hash function of the algorithm (OpenID Connect Core §3.1.3.6): SHA-256 for ES256,
    /// SHA-512 for Ed25519.
    pub fn half_hash(self, text: &str) -> String {
        let function = match self {
            Self::EdDsa => &digest::SHA512,
            Self::Es256 => &digest::SHA256,
        };
        let hash = digest::digest(function, text.as_bytes());
        BASE64URL_NOPAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
    }

    /// Makes a new private key.
    pub fn generate(self) -> SigningKeySecret {
        let pkcs8 = match self {
            Self::EdDsa => Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()),
            Self::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).and_then(|pair| pair.to_pkcs8v1())
            }
        };
        let pkcs8 = pkcs8.expect("the operating system gives randomness, or the process must not go on");
        SigningKeySecret::from(BASE64.encode(pkcs8.as_ref()))
    }
}

/// What is kept as a private key is none of that algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key is not a private key of its algorithm in PKCS #8")]
pub struct InvalidSigningKey;

/// A key that signs.
pub struct SigningKey {
    id: SigningKeyId,
    pair: Pair,
}

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
}

impl SigningKey {
    /// Reads a private key, that will be known as `id`.
    pub fn new(
        id: SigningKeyId,
        algorithm: SigningAlgorithm,
        secret: &SigningKeySecret,
    ) -> Result<Self, InvalidSigningKey> {
        let pkcs8 = BASE64.decode(secret.expose().as_bytes()).map_err(|_| InvalidSigningKey)?;
        let pkcs8 = Zeroizing::new(pkcs8);
        let pair = match algorithm {
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(&pkcs8).map(Pair::EdDsa),
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).map(Pair::Es256)
            }
        };
        Ok(Self { id, pair: pair.map_err(|_| InvalidSigningKey)? })
    }

    /// How it signs.
    pub const fn algorithm(&self) -> SigningAlgorithm {
        match self.pair {
            Pair::EdDsa(_) => SigningAlgorithm::EdDsa,
            Pair::Es256(_) => SigningAlgorithm::Es256,
        }
    }

    /// The public key (RFC 7517 §4; RFC 8037 §2, RFC 7518 §6.2.1).
    pub fn public_jwk(&self) -> Value {
        let text = |octets: &[u8]| BASE64URL_NOPAD.encode(octets);
        let mut jwk = match &self.pair {
            Pair::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
            Pair::Es256(pair) => {
                // SEC 1 §2.3.3: an octet that says "uncompressed", then the two coordinates.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
        };
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm().word());
        jwk["kid"] = json!(self.id.to_string());
        jwk
    }

    /// Signs claims, as a token of the type `typ` (RFC 8725 §3.11: `at+jwt`, `JWT` …).
    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({"typ": typ, "alg": self.algorithm().word(), "kid": self.id.to_string()});
        jws::compact(&header, claims, |message| self.signature(message))
    }

    pub(crate) fn signature(&self, message: &[u8]) -> Signature {
        match &self.pair {
            Pair::EdDsa(pair) => pair.sign(message),
            Pair::Es256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .expect("the operating system gives randomness, or the process must not go on"),
        }
    }
}
