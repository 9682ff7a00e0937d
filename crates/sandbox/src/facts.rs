//! What is told of tokens: those that were just made, and those that somebody shows.

use std::sync::Arc;

use crate::consent::Consent;

/// Tokens on their way to the client.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) consent: Arc<Consent>,
    /// Those of the access token.
    pub(crate) scopes: Vec<String>,
    /// Whether the refresh token took the place of another.
    pub(crate) rotated: bool,
}

/// What is known of a living token.
pub(crate) struct Facts {
    pub(crate) consent: Arc<Consent>,
    pub(crate) scopes: Vec<String>,
    /// See [`Aim`].
    pub(crate) audience: String,
    pub(crate) kind: Kind,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
}

impl Facts {
    /// Whether they are of an access token.
    pub(crate) fn is_of_access_token(&self) -> bool {
        self.kind == Kind::AccessToken
    }
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AccessToken,
    RefreshToken,
}

/// What became of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Unknown,
    Living,
    Expired,
    Revoked,
}
