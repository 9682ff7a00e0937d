//! What a person agreed to, and what the provider makes of it.

use crate::account::Account;

/// What a person agreed to.
#[derive(Debug, Clone)]
pub(crate) struct Consent {
    pub(crate) client_id: String,
    pub(crate) account: Account,
    pub(crate) scopes: Vec<String>,
    pub(crate) terms: Terms,
}

/// What the provider makes of a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The only place where its code and its tokens are known: a profile, or one of its data centres; empty for the
    /// sandbox itself.
    pub(crate) place: &'static str,
    pub(crate) prefixes: Prefixes,
    /// Whether it yields a refresh token at all.
    pub(crate) offline: bool,
}

/// How tokens begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefixes {
    pub(crate) access_token: &'static str,
    pub(crate) refresh_token: &'static str,
}

impl Terms {
    /// Those of the sandbox itself.
    pub(crate) const OWN: Self = Self { place: "", prefixes: Prefixes::OWN, offline: true };
}

impl Prefixes {
    /// Those of the sandbox itself.
    pub(crate) const OWN: Self = Self { access_token: "sbx_at_", refresh_token: "sbx_rt_" };
}

/// What a new access token is for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aim {
    /// Fewer scopes than were granted, if the client wants fewer.
    pub(crate) scopes: Option<Vec<String>>,
    /// The only resource that takes the token; empty where a provider knows but one.
    pub(crate) audience: String,
}
