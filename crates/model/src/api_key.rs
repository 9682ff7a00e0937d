//! What the product's backend may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! api_key_scopes {
    ($($(#[$doc:meta])* $variant:ident => $word:literal,)*) => {
        /// One right of an API key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ApiKeyScope {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl ApiKeyScope {
            /// All of them, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The scope's word in keys, answers and docs.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

api_key_scopes! {
    /// Everything, the keys themselves included.
    Admin => "admin",
    /// List and inspect connections.
    ConnectionsRead => "connections:read",
    /// Receive access tokens.
    ConnectionsToken => "connections:token",
    /// Start attempts; import, change and disconnect connections.
    ConnectionsWrite => "connections:write",
    /// Make portal sessions.
    PortalWrite => "portal:write",
    /// Register and change applications.
    ApplicationsWrite => "applications:write",
    /// Read the audit trail.
    AuditRead => "audit:read",
}

impl fmt::Display for ApiKeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// No scope has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no API key scope has that name")]
pub struct UnknownScope;

impl FromStr for ApiKeyScope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        Self::ALL.iter().copied().find(|scope| scope.word() == word).ok_or(UnknownScope)
    }
}

/// The rights of one API key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyScopes(Vec<ApiKeyScope>);

impl ApiKeyScopes {
    /// Whether the key may do it: it has the scope, or `admin`.
    pub fn allow(&self, scope: ApiKeyScope) -> bool {
        self.0.contains(&scope) || self.0.contains(&ApiKeyScope::Admin)
    }

    /// The scopes as they were given.
    pub fn iter(&self) -> impl Iterator<Item = ApiKeyScope> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<ApiKeyScope> for ApiKeyScopes {
    fn from_iter<I: IntoIterator<Item = ApiKeyScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_may_do_everything_and_the_others_only_their_own() {
        for scope in ApiKeyScope::ALL {
            assert!(ApiKeyScopes::from_iter([ApiKeyScope::Admin]).allow(*scope));
            assert_eq!(scope.word().parse(), Ok(*scope));
        }
        let reader = ApiKeyScopes::from_iter([ApiKeyScope::ConnectionsRead]);
        assert!(reader.allow(ApiKeyScope::ConnectionsRead));
        assert!(!reader.allow(ApiKeyScope::ConnectionsToken));
        assert!(!reader.allow(ApiKeyScope::Admin));
    }
}
