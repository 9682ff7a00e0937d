//! `[stripe]`: how subjects get paid.

use std::time::Duration;

use connect::return_to::{AllowList, is_loopback};
use connect::stripe::StripeSettings;
use model::Secret;
use provider::client::HttpClient;
use provider::stripe::{AccountType, StripeClient};
use serde::Deserialize;
use url::Url;

use super::duration::HumanDuration;
use super::secret::SecretSource;
use super::{Config, ConfigError};

/// The longest that a signature may be old: an event that is kept back so long can be sent again unseen.
const LONGEST_TOLERANCE: Duration = Duration::from_hours(1);

/// How many live secrets are looked at.
const MAX_SECRETS: usize = 10;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Stripe {
    pub secret_key: Option<SecretSource>,
    pub webhook_secrets: Vec<SecretSource>,
    pub webhook_tolerance: HumanDuration,
    pub api_base: String,
    pub timeout: HumanDuration,
    pub account_type: AccountType,
    pub country: Option<String>,
    pub success_url: Option<String>,
}

/// What the plane needs; none where no key is configured.
pub fn settings(
    config: &Config,
    http: &HttpClient,
    warnings: &mut Vec<String>,
) -> Result<Option<StripeSettings>, ConfigError> {
    let stripe = &config.stripe;
    let api_base = api_base(&stripe.api_base)?;
    let country = stripe.country.as_deref().map(country).transpose()?;
    let Some(secret_key) = &stripe.secret_key else {
        if stripe.webhook_secrets.is_empty() && stripe.success_url.is_none() && country.is_none() {
            return Ok(None);
        }
        let problem = "is not set, though other settings of [stripe] are";
        return Err(ConfigError::setting("stripe.secret_key", problem, "set it, or remove them"));
    };
    for (key, value) in
        [("stripe.timeout", stripe.timeout), ("stripe.webhook_tolerance", stripe.webhook_tolerance)]
    {
        if value.0.is_zero() {
            return Err(ConfigError::setting(
                key,
                "is zero, so that nothing would ever be in time",
                "write a longer one",
            ));
        }
    }
    if stripe.webhook_tolerance.0 > LONGEST_TOLERANCE {
        let mend = "write at most \"1h\"; Stripe's own libraries take five minutes";
        return Err(ConfigError::setting("stripe.webhook_tolerance", "is longer than an hour", mend));
    }
    let secret_key = resolve("stripe.secret_key", secret_key, warnings)?;
    let client =
        StripeClient::new(http.clone(), &api_base, &secret_key, stripe.timeout.0).map_err(|error| {
            ConfigError::setting("stripe.secret_key", error, "copy the key from Stripe's dashboard anew")
        })?;
    if stripe.webhook_secrets.is_empty() {
        warnings.push(
            "stripe.webhook_secrets is empty: what happens to an account after it is linked stays unknown"
                .to_owned(),
        );
    }
    Ok(Some(StripeSettings {
        client,
        account_type: stripe.account_type,
        country,
        success_url: stripe.success_url.as_deref().map(success_url).transpose()?,
        webhook_secrets: webhook_secrets(&stripe.webhook_secrets, warnings)?,
        webhook_tolerance: stripe.webhook_tolerance.0,
    }))
}

fn webhook_secrets(
    sources: &[SecretSource],
    warnings: &mut Vec<String>,
) -> Result<Vec<Secret<String>>, ConfigError> {
    let key = "stripe.webhook_secrets";
    if sources.len() > MAX_SECRETS {
        let problem = format!("lists {} secrets", sources.len());
        return Err(ConfigError::setting(key, problem, format!("list at most {MAX_SECRETS}")));
    }
    let secrets: Vec<_> =
        sources.iter().map(|source| resolve(key, source, warnings)).collect::<Result<_, _>>()?;
    if secrets.iter().any(|secret| secret.expose().trim().is_empty()) {
        return Err(ConfigError::setting(
            key,
            "lists an empty secret",
            "copy it from Stripe's dashboard: whsec_…",
        ));
    }
    Ok(secrets)
}

fn resolve(
    key: &str,
    source: &SecretSource,
    warnings: &mut Vec<String>,
) -> Result<Secret<String>, ConfigError> {
    let resolved = source
        .resolve()
        .map_err(|error| ConfigError::setting(key, error, "provide it, or remove the setting"))?;
    if resolved.literal {
        warnings.push(format!("{key} stands in the configuration itself; move it to env: or file:"));
    }
    Ok(resolved.secret)
}

/// https, or http on loopback: our key goes there. What is refused is not shown, since it may hold a password.
fn api_base(text: &str) -> Result<String, ConfigError> {
    let refused = |problem: &str| {
        ConfigError::setting(
            "stripe.api_base",
            problem,
            "leave it out, or write the address of your tests' emulator, such as http://127.0.0.1:12111",
        )
    };
    let url = Url::parse(text).map_err(|_| refused("is no address"))?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err(refused("is neither https nor http on loopback"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("holds a user or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("has a query or a fragment"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn country(text: &str) -> Result<String, ConfigError> {
    if text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    let problem = format!("{text:?} is no country");
    Err(ConfigError::setting(
        "stripe.country",
        problem,
        "write two capital letters (ISO 3166-1), such as \"EE\"",
    ))
}

fn success_url(text: &str) -> Result<String, ConfigError> {
    let mend = "write the https address of a page of the product, such as https://app.example.com/paid, without query";
    let wrong = |problem: String| ConfigError::setting("stripe.success_url", problem, mend);
    AllowList::parse([text]).map_err(|error| wrong(error.to_string()))?;
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(wrong(format!("{text:?} is http outside loopback")));
    }
    // As browsers read it.
    Ok(url.into())
}
