//! Secrets at rest, and how the keys that Claviger hands out are remembered. No network, no SQL.
//!
//! - [`key`]: the key-encryption key that the operator gives
//! - [`keyring`]: the data keys by version, wrapped by it
//! - [`sealed`]: one secret, bound to its record
//! - [`AnySealed`]: the same whatever the secret is, for work that goes through all of them
//! - [`token_hash`]: how a token that we issued is remembered
//! - [`chain`]: what ties audit entries to each other
//! - [`random`]: the operating system's randomness
//!
//! The format of a sealed value is documented in `docs/sealing.md`.

pub mod chain;
pub mod key;
pub mod keyring;
pub mod random;
pub mod sealed;
pub mod token_hash;

mod aead;
mod any_sealed;
mod pkce;

pub use any_sealed::AnySealed;
pub use key::{KeyError, MasterKey};
pub use keyring::{Keyring, KeyringError, WrappedKey};
pub use pkce::code_challenge;
pub use sealed::{OpenError, Sealable, Sealed};
pub use token_hash::TokenHash;
