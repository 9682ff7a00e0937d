//! What an application may do, and how.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{RedirectUri, Scopes};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads its word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|own| own.word() == word)
            }
        }
    )*};
}

words! {
    /// How an application gets tokens.
    GrantType {
        /// RFC 6749 §4.1.
        AuthorizationCode => "authorization_code",
        /// RFC 6749 §6.
        RefreshToken => "refresh_token",
        /// RFC 6749 §4.4.
        ClientCredentials => "client_credentials",
    }
    /// How an application proves who it is.
    ClientAuthentication {
        /// By its secret, in the header or in the body (RFC 6749 §2.3.1).
        Secret => "client_secret",
        /// By a signature (RFC 7523 §2.2).
        PrivateKeyJwt => "private_key_jwt",
        /// Not at all: a public client (RFC 6749 §2.1).
        None => "none",
    }
    /// What its access tokens look like.
    AccessTokenFormat {
        /// A random text that only we can read anything from.
        Opaque => "opaque",
        /// RFC 9068.
        Jwt => "jwt",
    }
}

/// What the operator, or the application itself, decided about an application. What a newer version may have added is passed
/// over, since while replicas are upgraded one by one both versions read the same rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSettings {
    /// What people call it.
    pub name: String,
    /// Where its answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it gets tokens.
    pub grant_types: Vec<GrantType>,
    /// How it proves who it is.
    pub authentication: ClientAuthentication,
    /// Its public keys (RFC 7517 §5), where it signs.
    pub jwks: Option<Value>,
    /// What it may ask for; beside these, whoever signs in may be asked for `openid profile email offline_access`.
    pub scopes: Scopes,
    /// What its access tokens look like.
    pub access_token_format: AccessTokenFormat,
    /// How long access tokens live, in seconds; `None` for the server's default, as below.
    pub access_token_ttl: Option<u32>,
    /// How long a refresh token lives that is not used, in seconds.
    pub refresh_token_idle: Option<u32>,
    /// How long a family lives at most, in seconds.
    pub refresh_token_ttl: Option<u32>,
    /// How long a spent refresh token brings the same answer again, in seconds; 0 for not at all.
    pub refresh_leeway: Option<u32>,
    /// What access tokens begin with.
    pub access_token_prefix: String,
    /// What refresh tokens begin with.
    pub refresh_token_prefix: String,
    /// Whether every authorization request must have a code challenge (RFC 7636).
    pub require_pkce: bool,
    /// Whether the token request may leave out the redirect URI that the authorization request named (RFC 6749 §4.1.3 wants
    /// it; many clients leave it out). Only for an application that proves who it is.
    pub redirect_uri_optional: bool,
    /// What the consent page says about it besides.
    pub consent_text: Option<String>,
    /// Where people find out about it.
    pub homepage: Option<String>,
    /// The origins whose scripts may call the token endpoint and the like.
    pub cors_origins: Vec<String>,
    /// The resources that it answers for itself (RFC 8707): it may introspect tokens that are good there (RFC 7662). The issuer
    /// stands for tokens that name no resource.
    pub serves: Vec<String>,
    /// The login back ends that its users may come from; `None` for all.
    pub login: Option<Vec<String>>,
}

impl ApplicationSettings {
    /// Whether it can't prove who it is.
    pub fn is_public(&self) -> bool {
        self.authentication == ClientAuthentication::None
    }

    /// Whether it may use this grant type.
    pub fn allows(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }
}
