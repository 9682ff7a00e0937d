//! What an entry says. Every field is a fact of the provider's documentation; none is a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use model::pkce::Pkce;
use model::{GroupId, ProviderId, Scopes};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use super::account::*;
pub use super::recipe::*;
use super::template::{AccessHeader, Template};
pub use super::tokens::*;

/// The common nouns of [`Entry::chips`]; what has a name of its own is written with it.
pub const CHIP_NOUNS: [&str; 22] = [
    "accounts",
    "boards",
    "calendar",
    "comments",
    "commits",
    "contacts",
    "deals",
    "documents",
    "files",
    "invoices",
    "issues",
    "mail",
    "meetings",
    "messages",
    "notes",
    "orders",
    "projects",
    "pull_requests",
    "recordings",
    "reviews",
    "tasks",
    "tickets",
];

/// How one third party speaks OAuth.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in integrations, URLs and logs.
    pub id: ProviderId,
    /// What a person calls it; 1 to 64 characters.
    pub display_name: String,
    /// One to three letters or digits for a mark. Never a trademark's picture.
    pub logo: String,
    /// What kind of tool it is: `crm`, `developer_tools` …; 1 to 32 characters of `a-z 0-9 _`.
    pub category: String,
    /// What a person finds in it, in one to three words each: a name, which begins with a capital letter, or one of
    /// [`CHIP_NOUNS`], for which every language has its word; at most 8.
    #[serde(default)]
    pub chips: Vec<String>,
    /// Where its documentation of OAuth stands; https.
    pub documentation: String,
    /// Members of one group share one consent and one app.
    pub group: Option<GroupId>,
    /// How an account is connected.
    pub flow: Flow,
    /// What the operator has to say to fill placeholders of this entry, and what each means.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// Data centres, where the provider has several.
    pub regions: Option<Regions>,
    /// The issuer identifier (RFC 8414 §2).
    pub issuer: Option<Template>,
    /// Whether the provider promises `iss` in its callback (`authorization_response_iss_parameter_supported`,
    /// RFC 9207 §3). Where it does not, `iss` is checked only when it comes.
    #[serde(default)]
    pub callback_carries_issuer: bool,
    /// Where its endpoints are.
    #[serde(default)]
    pub endpoints: EndpointTemplates,
    /// How we prove which client we are at its token endpoint.
    pub client_authentication: ClientAuthentication,
    /// Whether authorization requests carry a code challenge; S256 unless the entry says otherwise.
    #[serde(default = "s256")]
    pub pkce: Pkce,
    /// What stands between scopes in an authorization request (RFC 6749 §3.3: a space).
    #[serde(default = "space")]
    pub scope_separator: String,
    /// Scopes that are asked for unless the integration names others.
    #[serde(default)]
    pub default_scopes: Scopes,
    /// Scopes that are granted with the others and that token answers never name.
    #[serde(default)]
    pub unlisted_scopes: Scopes,
    /// Other names that token answers have for scopes, each with the name by which the scope is asked for.
    #[serde(default)]
    pub scope_aliases: BTreeMap<String, String>,
    /// More parameters of the authorization request.
    #[serde(default)]
    pub authorize_parameters: BTreeMap<String, String>,
    /// The authorization request's parameter that carries the expected account, where there is one.
    pub login_hint_parameter: Option<String>,
    /// More parameters of both the code exchange and the refresh.
    #[serde(default)]
    pub token_parameters: BTreeMap<String, String>,
    /// How the body of both is written.
    #[serde(default)]
    pub token_body: TokenBody,
    /// Parameters of the callback beyond RFC 6749 §4.1.2.
    #[serde(default)]
    pub callback_parameters: Vec<String>,
    /// How to read its token answers.
    #[serde(default)]
    pub token_answer: TokenRecipe,
    /// Further token pairs that one consent yields, by name.
    #[serde(default)]
    pub parts: BTreeMap<String, TokenPart>,
    /// Addresses for each of which the refresh token yields an access token of its own.
    pub resources: Option<Resources>,
    /// What its errors mean; the first rule that matches wins, then RFC 6749 §5.2.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// How its tokens age and are renewed.
    #[serde(default)]
    pub refresh: RefreshBehaviour,
    /// How a grant is given back.
    pub revocation: Option<Revocation>,
    /// How a token is looked up.
    pub introspection: Option<Introspection>,
    /// How to find out whether an access token works.
    pub validation: Option<Validation>,
    /// How to find out whose account it is.
    pub identity: Option<Identity>,
    /// How an access token is presented to its API.
    #[serde(default)]
    pub access_header: AccessHeader,
    /// More headers of every call of ours to its API.
    #[serde(default)]
    pub api_headers: BTreeMap<String, String>,
    /// Where its API listens: origins, to which alone a token may be sent on a product's behalf.
    #[serde(default)]
    pub api_origins: Vec<Template>,
    /// What it allows in which time.
    #[serde(default)]
    pub rate_limits: Vec<RateLimit>,
    /// What in this entry is not taken from the vendor's documentation.
    #[serde(default)]
    pub unverified: Vec<String>,
}

/// How an account is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// RFC 6749 §4.1.
    Oauth2Code,
    /// RFC 6749 §4.4.
    Oauth2ClientCredentials,
    /// Stripe's account links: onboarding without a code.
    StripeAccount,
    /// A key that the person pastes.
    ApiKey,
}

/// How a client proves itself at the token endpoint. `private_key_jwt` (RFC 7523 §2.2) is refused by name for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_basic`: RFC 6749 §2.3.1, the header.
    Basic,
    /// `client_secret_post`: RFC 6749 §2.3.1, the body.
    Post,
    /// A public client: only the `client_id`, in the body (RFC 6749 §3.2.1).
    None,
}

impl<'de> Deserialize<'de> for ClientAuthentication {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "basic" => Ok(Self::Basic),
            "post" => Ok(Self::Post),
            "none" => Ok(Self::None),
            "private_key_jwt" => Err(serde::de::Error::custom(
                "client_authentication `private_key_jwt` is not supported yet; use `basic`, `post` or `none`",
            )),
            _ => Err(serde::de::Error::custom("client_authentication is one of `basic`, `post`, `none`")),
        }
    }
}

/// Addresses with placeholders: of `parameters`, of a region, and `{client_id}` in `revoke` and `introspect`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointTemplates {
    /// RFC 6749 §3.1.
    pub authorize: Option<Template>,
    /// RFC 6749 §3.2.
    pub token: Option<Template>,
    /// Where refreshes go; the token endpoint unless named.
    pub refresh: Option<Template>,
    /// RFC 7009 §2, or what the provider has instead.
    pub revoke: Option<Template>,
    /// RFC 7662 §2, or what the provider has instead.
    pub introspect: Option<Template>,
    /// Tells whose token it is.
    pub userinfo: Option<Template>,
    /// Tells whether a token works.
    pub validate: Option<Template>,
}

/// What an operator says to fill a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// What it is, in words, with an example; 1 to 256 characters.
    pub meaning: String,
    /// What counts when the operator says nothing.
    pub default: Option<String>,
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Parameter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("its meaning as a text, or a table with `meaning` and `default`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Parameter { meaning: text.to_owned(), default: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Table {
                    meaning: String,
                    default: Option<String>,
                }
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Parameter { meaning: table.meaning, default: table.default })
            }
        }

        deserializer.deserialize_any(Written)
    }
}

/// Data centres of a provider. The table is fixed: what comes in the callback only picks a row, so that no text of
/// the browser ever becomes an address to which the code and our secret go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// The callback's parameter that names the row.
    pub callback_parameter: String,
    /// The row that counts until a callback names another.
    pub default: String,
    /// The rows by name; each fills the same placeholders.
    pub rows: BTreeMap<String, BTreeMap<String, String>>,
}

/// What one error of a provider means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The error code, exactly.
    pub error: String,
    /// Only when the description contains this, in whatever case.
    pub description_contains: Option<String>,
    /// Its meaning.
    pub means: Meaning,
}

/// What an error can mean; see the provider crate's `answer::Class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// The grant is dead.
    Dead,
    /// The person has to act at the provider.
    Interaction,
    /// Our app's registration or credentials are wrong.
    Configuration,
    /// Too much or too early.
    Throttled,
    /// It may or may not have taken effect.
    Ambiguous,
}

/// How tokens age and are renewed. What the provider does not document is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefreshBehaviour {
    /// How long an access token lives when the answer has no `expires_in`; `None`: until it is rejected.
    #[serde(rename = "access_token_lifetime_seconds", deserialize_with = "seconds")]
    pub access_token_lifetime: Option<Duration>,
    /// What a refresh does to the refresh token.
    pub rotation: Rotation,
    /// How long the previous refresh token works after a refresh; only with `rotation = "leeway"`.
    #[serde(rename = "reuse_leeway_seconds", deserialize_with = "seconds")]
    pub reuse_leeway: Option<Duration>,
    /// How long a refresh token lives from its issue.
    #[serde(rename = "refresh_token_lifetime_seconds", deserialize_with = "seconds")]
    pub refresh_token_lifetime: Option<Duration>,
    /// How long a grant lives without being used.
    #[serde(rename = "inactivity_seconds", deserialize_with = "seconds")]
    pub inactivity: Option<Duration>,
    /// How long a grant lives from the consent, however often it is refreshed.
    #[serde(rename = "fixed_end_seconds", deserialize_with = "seconds")]
    pub fixed_end: Option<Duration>,
}

/// What a refresh does to the refresh token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// Nothing, or the old one stays valid.
    None,
    /// The old one stays valid for the leeway.
    Leeway,
    /// The old one stays valid until the new tokens are used.
    UntilUse,
    /// The old one is dead at once. What is not documented is treated so.
    #[default]
    Strict,
}

/// What a provider allows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// What is counted, in words.
    pub what: String,
    /// How many.
    pub at_most: u32,
    /// In which time; `None`: at once.
    #[serde(default, rename = "window_seconds", deserialize_with = "seconds")]
    pub window: Option<Duration>,
}

/// Integrations that one consent connects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name, which entries state.
    pub id: GroupId,
    /// What a person calls it; 1 to 64 characters.
    pub display_name: String,
    /// One to three letters or digits for a mark; without it the first two of the name.
    pub logo: Option<String>,
    /// The entries that a person sees first, in this order; the others follow by name.
    #[serde(default)]
    pub order: Vec<ProviderId>,
}

impl Group {
    /// Where an entry stands among the members, as a person sees them.
    pub fn place(&self, entry: &ProviderId) -> usize {
        self.order.iter().position(|first| first == entry).unwrap_or(self.order.len())
    }

    /// The letters of its mark.
    pub fn mark(&self) -> String {
        let first = || self.display_name.chars().filter(|c| c.is_alphanumeric()).take(2);
        self.logo.clone().unwrap_or_else(|| first().flat_map(char::to_uppercase).collect())
    }
}

const fn s256() -> Pkce {
    Pkce::S256
}

fn space() -> String {
    " ".to_owned()
}

/// Whole seconds, at least one; a century is plenty.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    const CENTURY: u64 = 100 * 366 * 24 * 60 * 60;
    let seconds = u64::deserialize(deserializer)?;
    if (1..=CENTURY).contains(&seconds) {
        Ok(Some(Duration::from_secs(seconds)))
    } else {
        Err(serde::de::Error::custom("a number of seconds from 1 to 3162240000 is needed"))
    }
}
