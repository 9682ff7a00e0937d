//! Secrets at rest, and how the keys that Claviger hands out are remembered. No network, no SQL.
//!
//! - [`key`]: the key-encryption key that the operator gives
//! - [`keyring`]: the data keys by version, wrapped by it
//! - [`sealed`]: one secret, bound to its record
//! - [`AnySealed`]: the same whatever the secret is, for work that goes through all of them
//! - [`token_hash`]: how a token that we issued is remembered
//! - [`token_family`]: the refresh tokens that we issue, and what is to be done with one that is presented
//! - [`kept_answer`]: the answer to a spent one, which only that token opens
//! - [`signing`]: the keys that sign our JSON Web Tokens
//! - [`shared`]: what the product and we sign with a secret that both know
//! - [`jws`], [`jwk`]: signed tokens of others (RFC 7515), and their public keys (RFC 7517)
//! - [`password`]: people's passwords
//! - [`csrf`]: tokens for forms
//! - [`elsewhere`]: what a browser takes along that signs in elsewhere
//! - [`chain`]: what ties audit entries to each other
//! - [`limit_key`]: what is counted against a limit, by a name that tells nothing
//! - [`random`]: the operating system's randomness
//!
//! The format of a sealed value is documented in `docs/sealing.md`.

pub mod chain;
pub mod csrf;
pub mod elsewhere;
pub mod jwk;
pub mod jws;
pub mod kept_answer;
pub mod key;
pub mod keyring;
pub mod limit_key;
pub mod password;
pub mod random;
pub mod sealed;
pub mod shared;
pub mod signing;
pub mod token_family;
pub mod token_hash;

mod aead;
mod any_sealed;
mod pkce;

pub use any_sealed::AnySealed;
pub use jwk::{JwksError, KeySet, check_jwks};
pub use kept_answer::KeptAnswer;
pub use key::{KeyError, MasterKey};
pub use keyring::{Keyring, KeyringError, WrappedKey};
pub use limit_key::{LimitKey, LimitKeys};
pub use pkce::code_challenge;
pub use sealed::{OpenError, Sealable, Sealed};
pub use signing::{SigningAlgorithm, SigningKey};
pub use token_family::FamilyToken;
pub use token_hash::TokenHash;
