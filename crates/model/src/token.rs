//! The secrets that move through Claviger, each a type of its own, so that none can stand in another's place.

use crate::Secret;

macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(Secret<String>);

        impl $name {
            /// The text in clear.
            pub fn expose(&self) -> &str {
                self.0.expose()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Secret::new(text))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Secret::from(text))
            }
        }
    };
}

secret_text!(
    /// An access token that a provider issued to us (RFC 6749 §1.4).
    AccessToken
);
secret_text!(
    /// A refresh token (RFC 6749 §1.5): one that a provider issued to us, or one that we issued.
    RefreshToken
);
secret_text!(
    /// Our app's secret at a provider (RFC 6749 §2.3.1).
    ClientSecret
);
secret_text!(
    /// The PKCE secret that never leaves the server until the code is exchanged (RFC 7636 §4.1).
    CodeVerifier
);
secret_text!(
    /// Members of a token answer that are the provider's own (`api_domain`, `instance_url` …), as a JSON object.
    TokenExtra
);
secret_text!(
    /// The private key of a signing key (RFC 7518 §6), as PKCS #8 in base64.
    SigningKeySecret
);
secret_text!(
    /// What the link of a portal session carries.
    LinkToken
);
secret_text!(
    /// Where an invitation is mailed to.
    EmailAddress
);
