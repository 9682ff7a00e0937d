//! Families of refresh tokens (RFC 6749 §1.5, RFC 9700 §4.14.2): what a token looks like, and what is to be done with
//! one that somebody presents. No store, no clock.
//!
//! ```text
//! prefix      the application's
//! 32 hex      handle, the same in all tokens of a family
//! 64 hex      secret, another one in every token
//! ```
//!
//! A row holds the hash of the handle and the hash of the one token that is good. So a token that is spent is known
//! as such for as long as its family lives, without a row of its own: the same handle, another hash.
//!
//! What the holder of a store does with a presented token:
//!
//! 1. It reads the family of the handle, and **then** whether an answer is kept for the token. The other way round a
//!    rotation may come between, and its answer is missed: two workers that race would look like a thief.
//! 2. It asks [`decide`].
//! 3. [`Decision::Rotate`] is one compare-and-set of the current hash, which writes the kept answer too. Whoever loses
//!    it goes back to 1 and finds the winner's answer.

use std::time::Duration;

use data_encoding::HEXLOWER;
use model::{RefreshToken, Timestamp};
use zeroize::Zeroizing;

use crate::{TokenHash, random};

const HANDLE_LEN: usize = 32;
const SECRET_LEN: usize = 64;

/// A refresh token of ours.
#[derive(Debug, Clone)]
pub struct FamilyToken(RefreshToken);

impl FamilyToken {
    /// The first token of a new family.
    pub fn first(prefix: &str) -> Self {
        Self::new(prefix, &Zeroizing::new(HEXLOWER.encode(&random::octets::<16>())))
    }

    /// The next token of the same family; the application may have another prefix by now.
    #[must_use]
    pub fn next(&self, prefix: &str) -> Self {
        Self::new(prefix, self.handle())
    }

    fn new(prefix: &str, handle: &str) -> Self {
        Self(RefreshToken::from(format!("{prefix}{handle}{}", random::token().expose())))
    }

    /// Takes apart what somebody presented; `None` when it can't be one of ours. Any prefix will do that an application can
    /// have: the hash covers it. One that none can have is a mistake, such as a blank or `Bearer`, and must not look like a token
    /// that was spent.
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, random) = text.split_at_checked(text.len().checked_sub(HANDLE_LEN + SECRET_LEN)?)?;
        let lower_hex = random.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (is_prefix(prefix) && lower_hex).then(|| Self(RefreshToken::from(text)))
    }

    /// The text that the application gets.
    pub const fn token(&self) -> &RefreshToken {
        &self.0
    }

    /// The hash of the handle: which family it is of.
    pub fn handle_hash(&self) -> TokenHash {
        TokenHash::of(self.handle())
    }

    /// The hash of the whole text: which token it is.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.expose())
    }

    fn handle(&self) -> &str {
        let text = self.0.expose();
        let end = text.len() - SECRET_LEN;
        &text[end - HANDLE_LEN..end]
    }
}

/// The longest prefix.
pub const MAX_PREFIX: usize = 16;

/// Whether tokens may begin with this.
pub fn is_prefix(text: &str) -> bool {
    text.len() <= MAX_PREFIX && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What is known of a family when a token of it is presented. One that was revoked has no row, and never comes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// The token that is good.
    pub current: TokenHash,
    /// From when on that is no longer good, unless it is used before.
    pub idle_until: Timestamp,
    /// From when on no token of the family is good, however much they are used.
    pub ends_at: Timestamp,
}

impl Family {
    /// Whether it has ended by itself.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        now >= self.idle_until || now >= self.ends_at
    }
}

/// What was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    /// Which token; of this family, as its handle says.
    pub hash: TokenHash,
    /// Whether the answer that it once brought is still kept, looked up after the family was read.
    pub kept_answer: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The token is good: spend it, and answer with the next one.
    Rotate,
    /// It was spent a moment ago: an answer was lost, or two of the application's workers race. Answer the same
    /// again.
    SameAnswer,
    /// It was spent, and somebody has it still: revoke the family (RFC 9700 §4.14.2).
    Reuse,
    /// The family has ended by itself. There is nothing to revoke, and nobody to accuse.
    Ended,
}

/// Decides about a presented token. With a `leeway` of zero no answer is given twice, not even one that was kept
/// under another setting.
pub fn decide(family: &Family, presented: Presented, now: Timestamp, leeway: Duration) -> Decision {
    if family.has_ended(now) {
        Decision::Ended
    } else if presented.hash == family.current {
        Decision::Rotate
    } else if presented.kept_answer && !leeway.is_zero() {
        Decision::SameAnswer
    } else {
        Decision::Reuse
    }
}

#[cfg(test)]
mod tests;
