//! How the sandbox behaves: the members of the control document, each with its unit, bound and default.

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::account::Account;
use crate::profile::Location;
use crate::scope;

/// Ten years in seconds: no lifetime is longer.
const TEN_YEARS: u64 = 315_360_000;

/// A family remembers no more refreshes than this.
const MAX_LIMIT: u64 = 64;

/// Longer than any honest URL.
const MAX_URL: usize = 2048;

/// Two minutes: the longest that an answer is held back or a call left hanging.
pub(crate) const LONGEST_PAUSE_MS: u64 = 120_000;

/// The behaviour towards one app, or towards all that have none of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "one for each member of the control document")]
pub(crate) struct Settings {
    /// Seconds that an access token lives; 0 is dead at birth.
    #[serde(deserialize_with = "at_most::<TEN_YEARS, _>")]
    pub(crate) access_token_ttl: u64,
    /// Seconds that each refresh token lives, counted from its own issue.
    #[serde(deserialize_with = "at_most::<TEN_YEARS, _>")]
    pub(crate) refresh_token_ttl: u64,
    /// Seconds that a code lives; RFC 6749 §4.1.2 recommends at most ten minutes.
    #[serde(deserialize_with = "at_most::<TEN_YEARS, _>")]
    pub(crate) code_ttl: u64,
    pub(crate) rotation: Rotation,
    /// Seconds that a rotated refresh token stays usable, with `rotation: leeway`.
    #[serde(deserialize_with = "at_most::<TEN_YEARS, _>")]
    pub(crate) leeway: u64,
    /// Whether a refresh token that comes back after its time ends everything that its consent yielded.
    pub(crate) revoke_family_on_reuse: bool,
    /// Whether a refresh ends the access tokens that were issued before it.
    pub(crate) kill_old_access_token_on_refresh: bool,
    pub(crate) pkce: Pkce,
    pub(crate) client_auth: ClientAuth,
    /// What stands between two scopes, in requests and in answers: a space or a comma.
    #[serde(deserialize_with = "separator")]
    pub(crate) scope_separator: String,
    /// The only scopes that are granted, however many are asked for; `null` grants what is asked.
    #[serde(deserialize_with = "scopes")]
    pub(crate) granted_scopes: Option<Vec<String>>,
    /// Whether the authorization response names its issuer (RFC 9207).
    pub(crate) send_iss: bool,
    /// How the sandbox's own token endpoint answers; a profile answers as its provider does.
    pub(crate) token_format: TokenFormat,
    pub(crate) expires_in: ExpiresIn,
    /// Whether token answers carry no refresh token: at a code exchange none is issued, at a refresh the old one stays.
    pub(crate) omit_refresh_token: bool,
    /// How many access tokens one refresh token makes in ten minutes; more are refused as throttled. `null` is no limit.
    #[serde(deserialize_with = "limit")]
    pub(crate) access_token_limit: Option<u64>,
    /// At Zoho: the data centre of who consents (`us`, `eu`, `in` …), whatever host the request came to; `null` is that
    /// of the host.
    pub(crate) location: Option<Location>,
    /// At Zoho: what the callback says in `accounts-server`, as an attacker would; `null` is the truth.
    #[serde(deserialize_with = "url")]
    pub(crate) accounts_server: Option<String>,
    /// Milliseconds that an answer is held back after the work is done, at every endpoint but the pages.
    #[serde(deserialize_with = "at_most::<LONGEST_PAUSE_MS, _>")]
    pub(crate) latency: u64,
    pub(crate) approve: Approve,
    /// Who consents: an id, an address or any new name; `null` is the first account.
    #[serde(deserialize_with = "account")]
    pub(crate) account: Option<String>,
    /// Seconds by which the sandbox's clock is ahead: ages codes and tokens without waiting.
    #[serde(deserialize_with = "offset")]
    pub(crate) clock_offset: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token_ttl: 3600,
            refresh_token_ttl: 30 * 24 * 3600,
            code_ttl: 60,
            rotation: Rotation::Strict,
            leeway: 60,
            revoke_family_on_reuse: true,
            kill_old_access_token_on_refresh: false,
            pkce: Pkce::Optional,
            client_auth: ClientAuth::Any,
            scope_separator: " ".to_owned(),
            granted_scopes: None,
            send_iss: true,
            token_format: TokenFormat::Json,
            expires_in: ExpiresIn::Normal,
            omit_refresh_token: false,
            access_token_limit: None,
            location: None,
            accounts_server: None,
            latency: 0,
            approve: Approve::Ask,
            account: None,
            clock_offset: 0,
        }
    }
}

impl Settings {
    /// The instant at which this app's codes and tokens stand.
    pub(crate) fn now_ms(&self, clock_ms: i64) -> i64 {
        clock_ms.saturating_add(self.clock_offset.saturating_mul(1000))
    }

    /// Who consents when the person does not choose.
    pub(crate) fn account(&self) -> Account {
        let named = self.account.as_deref().and_then(|name| Account::named(name).ok());
        named.unwrap_or_else(|| Account::residents().swap_remove(0))
    }
}

/// What a refresh does to the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rotation {
    /// It stays, and the answer repeats it.
    None,
    /// A new one each time; the old one works for `leeway` seconds more.
    Leeway,
    /// A new one each time; the old one works until the new one, or an access token that came with it, is used.
    UntilUse,
    /// A new one each time; the old one is dead at once.
    Strict,
}

/// Whether a code challenge is asked for (RFC 7636). Only S256 exists here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pkce {
    Required,
    Optional,
    /// The parameters are ignored, as by a server that never heard of them.
    Unsupported,
}

/// How a client proves who it is (RFC 6749 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuth {
    Basic,
    Post,
    /// Basic or post.
    Any,
    /// No secret: the client names itself, and PKCE is its proof.
    None,
}

/// How the token endpoint writes its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenFormat {
    /// RFC 6749 §5.1.
    Json,
    /// `application/x-www-form-urlencoded`, as GitHub does unless asked otherwise.
    Form,
    /// `{"ok": true, "authed_user": {…}}`, after Slack.
    Nested,
    /// JSON, and errors come with status 200, as at GitHub.
    #[serde(rename = "error_with_200")]
    ErrorWith200,
}

/// How `expires_in` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExpiresIn {
    /// A number of seconds.
    Normal,
    /// Not at all.
    Missing,
    /// Always 0, although the token lives.
    Zero,
    /// A number of seconds in quotes.
    String,
}

/// What the authorization endpoint does with a good request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Approve {
    /// Shows the consent page.
    Ask,
    /// Redirects at once with a code.
    Auto,
    /// Redirects at once with `access_denied`.
    Deny,
}

/// A whole number from 0 to `MAX`.
pub(crate) fn at_most<'de, const MAX: u64, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(input)?;
    if number > MAX {
        return Err(de::Error::custom(format_args!("{number} is more than {MAX}")));
    }
    Ok(number)
}

fn limit<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let limit = Option::<u64>::deserialize(input)?;
    if limit.is_some_and(|limit| limit > MAX_LIMIT) {
        return Err(de::Error::custom(format_args!("a limit is at most {MAX_LIMIT}, or null for none")));
    }
    Ok(limit)
}

fn url<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let url = Option::<String>::deserialize(input)?;
    if url.as_ref().is_some_and(|url| url.len() > MAX_URL) {
        return Err(de::Error::custom(format_args!("this is at most {MAX_URL} octets long")));
    }
    Ok(url)
}

/// Seconds of at most ten years, in either direction.
pub(crate) fn offset<'de, D: Deserializer<'de>>(input: D) -> Result<i64, D::Error> {
    let seconds = i64::deserialize(input)?;
    if seconds.unsigned_abs() > TEN_YEARS {
        return Err(de::Error::custom(format_args!("{seconds} is more than {TEN_YEARS} seconds away")));
    }
    Ok(seconds)
}

fn separator<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    let text = String::deserialize(input)?;
    if !matches!(text.as_str(), " " | ",") {
        return Err(de::Error::custom("a separator is a space or a comma"));
    }
    Ok(text)
}

fn scopes<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<String>>, D::Error> {
    let scopes = Option::<Vec<String>>::deserialize(input)?;
    if scopes.iter().flatten().any(|scope| !scope::is_token(scope) || scope.len() > 256) {
        return Err(de::Error::custom(
            "a scope is 1 to 256 printable ASCII characters without space, \" and \\",
        ));
    }
    if scopes.as_ref().is_some_and(|scopes| scopes.is_empty() || scopes.len() > 100) {
        return Err(de::Error::custom("name 1 to 100 scopes, or null to grant what is asked"));
    }
    Ok(scopes)
}

fn account<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(input)?;
    if let Some(name) = &name {
        Account::named(name).map_err(de::Error::custom)?;
    }
    Ok(name)
}
