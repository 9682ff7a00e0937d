//! Public keys of others, as JSON Web Key Sets (RFC 7517): of applications that authenticate by `private_key_jwt`,
//! and of OpenID providers. The algorithm is a matter of the key: what a token's header says only chooses among what
//! the key allows (RFC 8725 §3.1, §3.2).

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

/// How many octets of JSON a set has at most.
const MAX_SET_LEN: usize = 64 * 1024;
/// How many keys a set has at most: a token without `kid` is tried with each that fits.
const MAX_KEYS: usize = 20;
/// The private members of RFC 7518 §6 and RFC 8037 §2, and `priv` of the drafts for keys to come.
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// The signatures that are taken, in the words of metadata (RFC 8414 §2). `Ed25519` is RFC 9864's word for `EdDSA`.
pub const ALGORITHMS: &[&str] = &["EdDSA", "Ed25519", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256"];

/// A signature algorithm that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Ed25519,
    Es256,
    Es384,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
}

impl Algorithm {
    /// Reads what `alg` says; `none` and the algorithms with a shared secret are not among them.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "EdDSA" | "Ed25519" => Self::Ed25519,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            _ => return None,
        })
    }

    const fn of_rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ed25519 | Self::Es256 | Self::Es384 => None,
        }
    }
}

/// Why a set of keys is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not an object with an array `keys` of objects.
    #[error("a JSON Web Key Set is an object whose member \"keys\" is an array of objects")]
    Format,
    /// More than 64 KiB.
    #[error("a JSON Web Key Set has at most 64 KiB")]
    TooLong,
    /// More than 20 keys.
    #[error("a JSON Web Key Set has at most 20 keys")]
    TooMany,
    /// A private key, or a shared secret.
    #[error("key {number} of the set is private; replace it by a new one, and give its public half alone")]
    Private {
        /// Which, from 1.
        number: usize,
    },
    /// A key that says what it is, and isn't.
    #[error("key {number} of the set can't be used: {cause}")]
    Key {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// No key that signs by an algorithm that is taken.
    #[error("no key of the set is for signatures by {}", ALGORITHMS.join(", "))]
    NoneUsable,
}

/// Checks a set that somebody registers: every key that is for us must be good, and there must be one.
pub fn check_jwks(jwks: &Value) -> Result<(), JwksError> {
    let mut usable = false;
    for (number, jwk) in (1..).zip(members(jwks)?) {
        match Key::read(jwk) {
            Ok(key) => usable |= key.is_some(),
            Err(KeyError::Private) => return Err(JwksError::Private { number }),
            Err(KeyError::Invalid(cause)) => return Err(JwksError::Key { number, cause }),
        }
    }
    if usable { Ok(()) } else { Err(JwksError::NoneUsable) }
}

fn members(jwks: &Value) -> Result<Vec<&Map<String, Value>>, JwksError> {
    if jwks.to_string().len() > MAX_SET_LEN {
        return Err(JwksError::TooLong);
    }
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or(JwksError::Format)?;
    if keys.len() > MAX_KEYS {
        return Err(JwksError::TooMany);
    }
    keys.iter().map(|key| key.as_object().ok_or(JwksError::Format)).collect()
}

/// The keys of a set that are good for verifying signatures, ready to be used. Worth keeping where many tokens are
/// verified.
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Takes from a set what is good, and leaves the rest (RFC 7517 §5); the set of an OpenID provider may have keys
    /// that nobody here knows. A set without any good key takes no token.
    pub fn new(jwks: &Value) -> Result<Self, JwksError> {
        let keys = members(jwks)?.into_iter().filter_map(|jwk| Key::read(jwk).ok().flatten());
        Ok(Self(keys.collect()))
    }

    /// The keys that may have signed: of that `kid` if the token names one, and all that fit otherwise. A key without
    /// a name may be any.
    pub(crate) fn candidates(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<&Key> {
        let fitting = || self.0.iter().filter(|key| key.takes(algorithm));
        let named: Vec<_> = fitting().filter(|key| kid.is_none() || key.kid.as_deref() == kid).collect();
        if named.is_empty() { fitting().filter(|key| key.kid.is_none()).collect() } else { named }
    }
}

/// A public key that is good for verifying signatures.
pub(crate) struct Key {
    kid: Option<String>,
    public: Public,
}

enum Public {
    /// A key of one algorithm.
    One(Algorithm, ParsedPublicKey),
    /// An RSA key, and the algorithm that its `alg` pins, if it does.
    Rsa(RsaPublicKeyComponents<Vec<u8>>, Option<Algorithm>),
}

enum KeyError {
    Private,
    Invalid(&'static str),
}

impl Key {
    /// Reads a key; `None` when it is for something else, or of a kind that is not taken.
    fn read(jwk: &Map<String, Value>) -> Result<Option<Self>, KeyError> {
        if PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member)) {
            return Err(KeyError::Private);
        }
        let word = |member| match jwk.get(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(KeyError::Invalid("kty, crv, use, alg and kid are texts")),
        };
        let verifies = |operations: &Value| {
            operations.as_array().is_some_and(|operations| operations.iter().any(|one| one == "verify"))
        };
        if word("use")?.is_some_and(|word| word != "sig") || !jwk.get("key_ops").is_none_or(verifies) {
            return Ok(None);
        }
        let pinned = word("alg")?.map(Algorithm::from_word);
        let public = match (word("kty")?, word("crv")?) {
            (Some("OKP"), Some("Ed25519")) => Self::one(Algorithm::Ed25519, &coordinate(jwk, "x", 32)?)?,
            (Some("EC"), Some("P-256")) => Self::one(Algorithm::Es256, &point(jwk, 32)?)?,
            (Some("EC"), Some("P-384")) => Self::one(Algorithm::Es384, &point(jwk, 48)?)?,
            (Some("RSA"), _) => Public::Rsa(rsa(jwk)?, pinned.flatten()),
            (Some(_), _) => return Ok(None),
            (None, _) => return Err(KeyError::Invalid("kty is missing")),
        };
        let key = Self { kid: word("kid")?.map(str::to_owned), public };
        // An `alg` that is unknown, or not of this kind of key, is for something else.
        let fits = pinned.is_none_or(|pinned| pinned.is_some_and(|algorithm| key.takes(algorithm)));
        Ok(fits.then_some(key))
    }

    fn one(algorithm: Algorithm, octets: &[u8]) -> Result<Public, KeyError> {
        let parsed = match algorithm {
            Algorithm::Ed25519 => ParsedPublicKey::new(&signature::ED25519, octets),
            Algorithm::Es256 => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, octets),
            _ => ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, octets),
        };
        let key = parsed.map_err(|_| KeyError::Invalid("x and y are no point of the curve"))?;
        Ok(Public::One(algorithm, key))
    }

    fn takes(&self, algorithm: Algorithm) -> bool {
        match &self.public {
            Public::One(own, _) => *own == algorithm,
            Public::Rsa(_, pinned) => {
                algorithm.of_rsa().is_some() && pinned.is_none_or(|own| own == algorithm)
            }
        }
    }

    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            Public::One(own, key) => *own == algorithm && key.verify_sig(message, signature).is_ok(),
            Public::Rsa(key, _) => algorithm
                .of_rsa()
                .is_some_and(|parameters| key.verify(parameters, message, signature).is_ok()),
        }
    }
}

fn octets(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>, KeyError> {
    let text = jwk.get(member).and_then(Value::as_str);
    text.and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok())
        .ok_or(KeyError::Invalid("a member of the key is missing or not in base64url"))
}

/// RFC 7518 §6.2.1.2: as long as the curve says, leading zeros included.
fn coordinate(jwk: &Map<String, Value>, member: &str, len: usize) -> Result<Vec<u8>, KeyError> {
    let octets = octets(jwk, member)?;
    if octets.len() == len {
        Ok(octets)
    } else {
        Err(KeyError::Invalid("x or y has not the length that the curve wants"))
    }
}

/// The uncompressed point of SEC 1 §2.3.3.
fn point(jwk: &Map<String, Value>, len: usize) -> Result<Vec<u8>, KeyError> {
    Ok([vec![4], coordinate(jwk, "x", len)?, coordinate(jwk, "y", len)?].concat())
}

/// RFC 7518 §6.3.1: both without leading zeros. With an exponent of one anybody could sign; a long one takes long.
fn rsa(jwk: &Map<String, Value>) -> Result<RsaPublicKeyComponents<Vec<u8>>, KeyError> {
    let (n, e) = (octets(jwk, "n")?, octets(jwk, "e")?);
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if n.first() == Some(&0) || !(2048..=8192).contains(&bits) {
        return Err(KeyError::Invalid("an RSA modulus has 2048 to 8192 bits"));
    }
    let odd = |octets: &[u8]| octets.last().is_some_and(|last| last % 2 == 1);
    if !odd(&n) || !odd(&e) || e.len() > 4 || e[0] == 0 || e == [1] {
        return Err(KeyError::Invalid("the RSA exponent or modulus is none"));
    }
    Ok(RsaPublicKeyComponents { n, e })
}
