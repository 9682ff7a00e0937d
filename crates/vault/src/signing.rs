//! The keys that sign our JSON Web Tokens: access tokens (RFC 9068) and ID tokens (OpenID Connect Core §2).

use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::io::Positive;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
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
    /// RFC 7518 §3.3: RSASSA-PKCS1-v1_5 with 2,048 bits and SHA-256.
    Rs256,
}

const RANDOMNESS: &str = "the operating system gives randomness, or the process must not go on";

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: &[Self] = &[Self::EdDsa, Self::Es256, Self::Rs256];

    /// Its word, as `alg` has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|own| own.word() == word)
    }

    /// The left half of a text's hash, by the hash function of the algorithm (OpenID Connect Core §3.1.3.6): SHA-512 for
    /// Ed25519, SHA-256 for the others.
    pub fn half_hash(self, text: &str) -> String {
        let function = match self {
            Self::EdDsa => &digest::SHA512,
            Self::Es256 | Self::Rs256 => &digest::SHA256,
        };
        let hash = digest::digest(function, text.as_bytes());
        BASE64URL_NOPAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
    }

    /// Makes a new private key. One of RSA takes a good part of a second.
    pub fn generate(self) -> SigningKeySecret {
        let text = |pkcs8: &[u8]| SigningKeySecret::from(BASE64.encode(pkcs8));
        let made = match self {
            Self::EdDsa => Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|pkcs8| text(pkcs8.as_ref())),
            Self::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|pkcs8| text(pkcs8.as_ref())),
            Self::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| pair.as_der())
                .map(|pkcs8| text(pkcs8.as_ref())),
        };
        made.expect(RANDOMNESS)
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
    Rs256(RsaKeyPair),
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
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(&pkcs8).map(Pair::Rs256),
        };
        Ok(Self { id, pair: pair.map_err(|_| InvalidSigningKey)? })
    }

    /// How it signs.
    pub const fn algorithm(&self) -> SigningAlgorithm {
        match self.pair {
            Pair::EdDsa(_) => SigningAlgorithm::EdDsa,
            Pair::Es256(_) => SigningAlgorithm::Es256,
            Pair::Rs256(_) => SigningAlgorithm::Rs256,
        }
    }

    /// The public key (RFC 7517 §4; RFC 8037 §2, RFC 7518 §§6.2.1 and 6.3.1).
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
            Pair::Rs256(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let text = |number: Positive<'_>| text(number.big_endian_without_leading_zero());
                json!({"kty": "RSA", "n": text(n), "e": text(e)})
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

    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Es256(pair) => {
                pair.sign(&SystemRandom::new(), message).expect(RANDOMNESS).as_ref().to_vec()
            }
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect("the room is as long as the modulus, and a key that was read is whole");
                signature
            }
        }
    }
}
