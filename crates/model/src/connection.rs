//! A subject's account at one integration, and the states it can be in.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Where a connection stands. `expiring` and `expired` are derived from the time and so are not states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionState {
    /// The credential works as far as we know.
    Active,
    /// Only the person can repair it, by connecting again.
    Broken {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: ReconnectReason,
    },
    /// The tokens are erased; the row stays for the audit trail.
    Disconnected {
        /// Since when.
        at: Timestamp,
        /// Who did it, as the audit trail names the actor.
        by: String,
    },
}

impl ConnectionState {
    /// The state's word in rows, answers and logs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Broken { .. } => "broken",
            Self::Disconnected { .. } => "disconnected",
        }
    }
}

/// Why a connection needs the person again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReconnectReason {
    /// The provider no longer accepts the refresh token (`invalid_grant`, RFC 6749 §5.2).
    GrantRevoked,
    /// The provider wants the person to sign in or to consent again.
    InteractionRequired,
    /// The access token has expired and there is no refresh token.
    NoRefreshToken,
    /// The grant's fixed end is reached.
    GrantEnded,
    /// The provider ends grants that are not used.
    Inactivity,
    /// The provider rotated the refresh token (RFC 6749 §6), and its answer never reached us.
    AnswerLost,
}

impl ReconnectReason {
    /// The reason's word in rows, answers and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::GrantRevoked => "grant_revoked",
            Self::InteractionRequired => "interaction_required",
            Self::NoRefreshToken => "no_refresh_token",
            Self::GrantEnded => "grant_ended",
            Self::Inactivity => "inactivity",
            Self::AnswerLost => "answer_lost",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::GrantRevoked,
            Self::InteractionRequired,
            Self::NoRefreshToken,
            Self::GrantEnded,
            Self::Inactivity,
            Self::AnswerLost,
        ]
        .into_iter()
        .find(|r| r.word() == word)
    }
}
