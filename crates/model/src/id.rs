//! Identifiers that can't be mixed up.
//!
//! What the product or the catalog names (subject, integration, provider, group, label) is checked text. What we make
//! ourselves is a prefix and 128 random bits as hex, so that a log line says what kind of thing it speaks of. The bits
//! are an argument: randomness comes from the operating system, in `vault::random`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not an identifier of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: {rule}")]
pub struct InvalidId {
    /// The kind of identifier, as the glossary names it.
    pub kind: &'static str,
    /// The rule that the text broke, as advice.
    pub rule: &'static str,
}

macro_rules! named_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $rule:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, exactly as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let allowed: fn(u8) -> bool = $allowed;
                if text.is_empty() || text.len() > $max || !text.bytes().all(allowed) {
                    return Err(InvalidId { kind: $kind, rule: $rule });
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

const fn is_product_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'@' | b'-')
}

const fn is_catalog_id_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// RFC 6749 appendix A.1 allows spaces too; nobody can read those.
const fn is_client_id_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e)
}

const fn is_stripe_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

named_id!(
    /// Whoever in the product owns connections: a user, a client, a team. An opaque id that the product chooses.
    SubjectId, "subject", 255, "use 1 to 255 characters of A-Z a-z 0-9 . _ : @ -", is_product_id_byte
);
named_id!(
    /// Tells several accounts of one subject at one integration apart.
    Label, "label", 64, "use 1 to 64 characters of A-Z a-z 0-9 . _ : @ -", is_product_id_byte
);
named_id!(
    /// A provider plus our app's credentials there.
    IntegrationId, "integration", 64, "use 1 to 64 characters of a-z 0-9 _", is_catalog_id_byte
);
named_id!(
    /// A catalog entry: how one third party speaks OAuth.
    ProviderId, "provider", 64, "use 1 to 64 characters of a-z 0-9 _", is_catalog_id_byte
);
named_id!(
    /// Integrations that one consent connects.
    GroupId, "group", 64, "use 1 to 64 characters of a-z 0-9 _", is_catalog_id_byte
);

named_id!(
    /// An account at Stripe, as Stripe names it.
    StripeAccountId, "Stripe account", 64, "use 1 to 64 characters of A-Z a-z 0-9 _", is_stripe_id_byte
);

named_id!(
    /// An application, as it names itself to us (RFC 6749 §2.2). A URL where its document is (Client ID Metadata Documents).
    ClientId, "client id", 512, "use 1 to 512 visible ASCII characters", is_client_id_byte
);
named_id!(
    /// The account of the product that a grant acts for, as the product names it.
    TeamId, "team", 255, "use 1 to 255 characters of A-Z a-z 0-9 . _ : @ -", is_product_id_byte
);

impl Default for Label {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u128);

        impl From<[u8; 16]> for $name {
            /// Makes an identifier of 128 random bits.
            fn from(random: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:032x}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { kind: $kind, rule: concat!("use ", $prefix, " and 32 hex digits") };
                let hex = text.strip_prefix($prefix).ok_or_else(|| invalid.clone())?;
                let canonical = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                if !canonical {
                    return Err(invalid);
                }
                u128::from_str_radix(hex, 16).map(Self).map_err(|_| invalid)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

random_id!(
    /// A subject's account at one integration.
    ConnectionId, "connection id", "con_"
);
random_id!(
    /// What one consent yielded.
    CredentialId, "credential id", "crd_"
);
random_id!(
    /// One authorization in flight.
    AttemptId, "attempt id", "att_"
);
random_id!(
    /// A key of the product's backend (not the key itself).
    ApiKeyId, "API key id", "key_"
);
random_id!(
    /// One grant that is to be given back to its provider.
    RevocationId, "revocation id", "rev_"
);
random_id!(
    /// A subject's right to use a page.
    PortalSessionId, "portal session id", "ps_"
);
random_id!(
    /// One mail.
    MailId, "mail id", "mail_"
);
random_id!(
    /// One onboarding at Stripe in flight.
    StripeAttemptId, "Stripe attempt id", "sat_"
);
random_id!(
    /// A person who signs in at our authorize page.
    UserId, "user id", "usr_"
);
random_id!(
    /// A user's standing consent for one application, acting for one team.
    GrantId, "grant id", "gnt_"
);
random_id!(
    /// The refresh tokens, and their access tokens, that one code began.
    FamilyId, "family id", "fam_"
);
random_id!(
    /// One authorization request that a person is looking at.
    AuthorizationId, "authorization id", "aut_"
);
random_id!(
    /// A key that signs JSON Web Tokens, as its `kid` says.
    SigningKeyId, "signing key id", "sig_"
);
random_id!(
    /// One request, as an error answer and the log name it.
    RequestId, "request id", "req_"
);
random_id!(
    /// One process that writes to the audit trail, with a chain of its own.
    WriterId, "writer id", "wrt_"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_what_the_glossary_says() {
        for good in ["a", "user-1", "team:7", "anna@example.com", "A.b_c", &"x".repeat(255)] {
            assert_eq!(good.parse::<SubjectId>().unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a/b", "a\0", "a\n", "ä", "<b>", "a%20", &"x".repeat(256)] {
            assert!(bad.parse::<SubjectId>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn an_integration_is_lower_case_and_underscores() {
        assert!("zoho_crm".parse::<IntegrationId>().is_ok());
        for bad in ["", "Zoho", "zoho-crm", "zoho crm", "zoho\u{7f}", &"x".repeat(65)] {
            assert!(bad.parse::<IntegrationId>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn a_random_id_reads_back_only_in_its_own_form() {
        let id = ConnectionId::from([0xab; 16]);
        assert_eq!(id.to_string(), "con_abababababababababababababababab");
        assert_eq!(id.to_string().parse::<ConnectionId>(), Ok(id));
        assert!(id.to_string().parse::<CredentialId>().is_err());
        for bad in [
            "con_",
            "con_ab",
            "con_ABABABABABABABABABABABABABABABAB",
            "con_+babababababababababababababababa",
        ] {
            assert!(bad.parse::<ConnectionId>().is_err(), "{bad:?} must be refused");
        }
    }
}
