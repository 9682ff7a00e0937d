//! How an entry says what its token endpoint takes, and which tokens there are besides the one pair.

use model::Scopes;
use serde::Deserialize;

use super::address;
use super::entry::Entry;
use super::template::MemberPath;

/// How the body of a token request is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenBody {
    /// RFC 6749 §4.1.3.
    #[default]
    Form,
    /// A JSON object of texts.
    Json,
}

/// A further token pair of the same consent, such as a person's beside a bot's. Its scopes are written with its name
/// and a slash before them: `user/search:read` is the scope `search:read` of the part `user`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenPart {
    /// The authorization request's parameter that carries its scopes.
    pub scope_parameter: String,
    /// Where its access token stands.
    pub access_token: MemberPath,
    /// Where its refresh token stands.
    pub refresh_token: Option<MemberPath>,
    /// Where its token type stands.
    pub token_type: Option<MemberPath>,
    /// Where its lifetime in seconds stands.
    pub expires_in: Option<MemberPath>,
    /// Where its granted scopes stand.
    pub scope: Option<MemberPath>,
}

/// Addresses for which the refresh token yields access tokens of their own: a host of each customer beside the common
/// API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// How their hosts end: `.sharepoint.com`.
    pub origin_suffix: Vec<String>,
    /// The scopes of a refresh for one of them, which stands for `{resource}`.
    pub scopes: Vec<String>,
}

/// What is no resource of the provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownResource {
    /// The provider has one access token for everything.
    #[error("{provider} has no resources with tokens of their own")]
    None {
        /// The entry.
        provider: String,
    },
    /// The resource is not written as one of the provider's.
    #[error(
        "this is no resource of {provider}; write an origin with a host that ends in {suffixes}, in lower case: \
         https, no port, no path"
    )]
    Foreign {
        /// The entry.
        provider: String,
        /// How hosts end.
        suffixes: String,
    },
}

impl Entry {
    /// The part to which a scope belongs, and the scope as the provider writes it.
    pub fn part_of<'a>(&self, scope: &'a str) -> (Option<&str>, &'a str) {
        let named =
            scope.split_once('/').and_then(|(name, rest)| Some((self.parts.get_key_value(name)?, rest)));
        named.map_or((None, scope), |((name, _), rest)| (Some(name), rest))
    }

    /// The scopes of a refresh that yields an access token for `resource`, such as `https://contoso.sharepoint.com`.
    pub fn resource_scopes(&self, resource: &str) -> Result<Scopes, UnknownResource> {
        let Some(resources) = &self.resources else {
            return Err(UnknownResource::None { provider: self.id.to_string() });
        };
        // An origin is written in lower case and without its default port; any other port stands after a colon, which
        // is no part of a name.
        let host = resource
            .strip_prefix("https://")
            .filter(|host| address::is_origin(resource) && address::is_name(host));
        let ours = |host: &str| {
            resources.origin_suffix.iter().any(|suffix| {
                host.strip_suffix(suffix.as_str())
                    .is_some_and(|labels| !labels.is_empty() && !labels.ends_with('.'))
            })
        };
        if !host.is_some_and(ours) {
            return Err(UnknownResource::Foreign {
                provider: self.id.to_string(),
                suffixes: resources.origin_suffix.join(" or "),
            });
        }
        Ok(resources.scopes.iter().map(|scope| scope.replace("{resource}", resource)).collect())
    }
}
