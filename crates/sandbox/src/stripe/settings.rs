//! The members of `/control/stripe`, each with its unit, bound and default.

use serde::{Deserialize, Deserializer, Serialize, de};
use url::Url;

use super::endpoint::Endpoint;
use crate::failure::{self, Kind};
use crate::same_origin;
use crate::settings::{LONGEST_PAUSE_MS, at_most, offset};

/// The platform that is there from the start.
pub(super) const DEFAULT_PLATFORM: &str = "acct_platformsandbox";
const DEFAULT_WEBHOOK_SECRET: &str = "whsec_sandbox";

const A_MILLION: u64 = 1_000_000;
const A_MINUTE_MS: u64 = 60_000;
const A_DAY: u64 = 86_400;
const MAX_URL: usize = 2048;

/// The plain members.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Settings {
    /// Milliseconds that an answer of the API is held back after the work is done.
    #[serde(deserialize_with = "at_most::<LONGEST_PAUSE_MS, _>")]
    pub(super) latency: u64,
    pub(super) onboarding: Onboarding,
    /// Whether events are sent as they happen, or only when the control says so.
    pub(super) deliver: Deliver,
    /// Seconds by which the simulator's clock is ahead: ages links, keys and signatures without waiting.
    #[serde(deserialize_with = "offset")]
    pub(super) clock_offset: i64,
}

/// What an account link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Onboarding {
    /// It shows a page to a person.
    Ask,
    /// The account is done at once.
    Complete,
    /// Everything is submitted, and verification is pending.
    Pending,
    /// The person leaves without finishing.
    Incomplete,
    /// The link no longer works.
    Expired,
}

/// When events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deliver {
    Auto,
    Manual,
}

/// The failures that are still to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Fail {
    #[serde(deserialize_with = "kind")]
    pub(super) kind: Kind,
    /// How many calls still fail.
    #[serde(default = "once", deserialize_with = "at_most::<A_MILLION, _>")]
    pub(super) times: u64,
    /// Seconds in the `Retry-After` header, of 429 and 503.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "retry_after")]
    pub(super) retry_after: Option<u64>,
    /// Which endpoints fail; all of the API when it is not said.
    #[serde(default = "Endpoint::of_the_api")]
    pub(super) endpoints: Vec<Endpoint>,
}

/// Where events go.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Webhook {
    #[serde(deserialize_with = "loopback")]
    pub(super) url: String,
    /// Never shown, so it may be left out to keep the one before.
    #[serde(default, skip_serializing)]
    pub(super) secret: Option<String>,
    /// Whose events are sent.
    #[serde(default = "default_platform")]
    pub(super) platform: String,
    /// Milliseconds before an answer other than 2xx is tried again; each further one takes twice as long.
    #[serde(default = "half_a_second", deserialize_with = "at_most::<A_MINUTE_MS, _>")]
    pub(super) retry_delay: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { latency: 0, onboarding: Onboarding::Ask, deliver: Deliver::Auto, clock_offset: 0 }
    }
}

impl Webhook {
    /// What its signatures are made with.
    pub(super) fn secret(&self) -> &str {
        self.secret.as_deref().unwrap_or(DEFAULT_WEBHOOK_SECRET)
    }
}

fn once() -> u64 {
    1
}

fn half_a_second() -> u64 {
    500
}

fn default_platform() -> String {
    DEFAULT_PLATFORM.to_owned()
}

fn retry_after<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    at_most::<A_DAY, _>(input).map(Some)
}

/// A failure that an API without OAuth can have.
fn kind<'de, D: Deserializer<'de>>(input: D) -> Result<Kind, D::Error> {
    let kind = Kind::deserialize(input)?;
    if matches!(kind, Kind::InvalidGrant | Kind::ForbiddenInvalidGrant | Kind::InvalidClient) {
        return Err(de::Error::custom(format_args!("{} is an answer of OAuth", kind.name())));
    }
    Ok(kind)
}

/// Events are sent to this machine alone, so plain HTTP is enough.
fn loopback<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    let text = String::deserialize(input)?;
    let url = Url::parse(&text).ok().filter(|url| url.scheme() == "http" && text.len() <= MAX_URL);
    match url.as_ref().and_then(Url::host_str) {
        Some(host) if same_origin::is_loopback(host) => Ok(text),
        _ => Err(de::Error::custom("`url` must be http to loopback, and at most 2048 characters long")),
    }
}

impl Fail {
    /// What the log calls it.
    pub(super) fn outcome(&self) -> String {
        format!("fail:{}", self.kind.name())
    }

    /// The same for an answer in which nothing is Stripe's own.
    pub(super) fn plain(&self) -> failure::Fail {
        failure::Fail { kind: self.kind, times: 1, retry_after: self.retry_after, endpoints: Vec::new() }
    }
}
