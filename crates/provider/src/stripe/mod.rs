//! Stripe Connect: accounts and account links, by the platform's own key. Not OAuth, hence no entry of the catalog.
//!
//! - [`webhook`]: events that Stripe sends, and whether it was Stripe
//!
//! Every POST carries an idempotency key. Stripe keeps the first answer to a key for a day, be it a refusal or a 500, so who wants
//! another answer after one needs another key ([`StripeError::is_kept`]).

pub mod webhook;

use std::time::Duration;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use model::{Secret, StripeAccountId};
use serde_json::Value;
use url::form_urlencoded;

use crate::client::{Call, ClientError, HttpClient, Response};

/// The version of the interface that this was written for; without it Stripe would take that of our account.
const VERSION: HeaderValue = HeaderValue::from_static("2024-06-20");
const STRIPE_VERSION: HeaderName = HeaderName::from_static("stripe-version");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How much of what Stripe waits for is kept.
const MAX_DUE: usize = 50;
/// The longest name of something that Stripe waits for.
const MAX_DUE_NAME: usize = 200;
/// The longest address of an onboarding page.
const MAX_URL: usize = 4096;
/// The longest error code that is kept.
const MAX_CODE: usize = 100;

/// Which kind of account a subject gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountType {
    /// The subject has a Stripe dashboard and a relation to Stripe of its own.
    Standard,
    /// Stripe hosts onboarding and a small dashboard; the platform is liable.
    Express,
}

impl AccountType {
    const fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Express => "express",
        }
    }
}

/// An account that is to be made.
pub struct NewAccount<'a> {
    /// Which kind.
    pub account_type: AccountType,
    /// Two letters, ISO 3166-1; `None` for the platform's own.
    pub country: Option<&'a str>,
    /// Filled in for the person beforehand.
    pub email: Option<&'a str>,
    /// Our name for whose it is, kept as metadata for the operator's eyes.
    pub subject: &'a str,
}

impl NewAccount<'_> {
    /// What is sent. Two that are the same here may share an idempotency key.
    pub fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("type", self.account_type.word());
        if let Some(country) = self.country {
            form.append_pair("country", country);
        }
        if let Some(email) = self.email {
            form.append_pair("email", email);
        }
        form.append_pair("metadata[claviger_subject]", self.subject);
        if self.account_type == AccountType::Express {
            for capability in ["card_payments", "transfers"] {
                form.append_pair(&format!("capabilities[{capability}][requested]"), "true");
            }
        }
        form.finish()
    }
}

/// What Stripe says of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub id: StripeAccountId,
    /// Whether the person has sent in everything that was asked for.
    pub details_submitted: bool,
    /// Whether it can take payments.
    pub charges_enabled: bool,
    /// Whether it is paid out.
    pub payouts_enabled: bool,
    /// What Stripe waits for from the person, by Stripe's names.
    pub currently_due: Vec<String>,
}

/// Why Stripe did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    /// It did not answer, or said that it can't just now.
    #[error("Stripe did not answer: {reason}")]
    Unavailable {
        /// Why, as a stable word.
        reason: &'static str,
        /// Whether it was an answer that Stripe will repeat to the same idempotency key.
        is_kept: bool,
    },
    /// It refuses our key, or our platform may not do this.
    #[error("Stripe refuses our key or our platform: {}", code.as_deref().unwrap_or("no reason given"))]
    Configuration {
        /// Stripe's `error.code`, or its `error.type`.
        code: Option<String>,
    },
    /// No account of that name is ours.
    #[error("Stripe knows no account of that name that is ours")]
    NoSuchAccount,
    /// It refuses what was sent.
    #[error("Stripe refuses the request: {}", code.as_deref().unwrap_or("no reason given"))]
    Refused {
        /// Stripe's `error.code`, or its `error.type`.
        code: Option<String>,
    },
}

impl StripeError {
    /// Whether Stripe will repeat this answer to the same idempotency key.
    pub const fn is_kept(&self) -> bool {
        match self {
            Self::Unavailable { is_kept, .. } => *is_kept,
            Self::Refused { .. } | Self::NoSuchAccount => true,
            // A key that is refused has begun nothing.
            Self::Configuration { .. } => false,
        }
    }
}

/// Calls Stripe; cheap to clone.
#[derive(Clone)]
pub struct StripeClient {
    http: HttpClient,
    api_base: String,
    authorization: HeaderValue,
    timeout: Duration,
}

/// A secret key that no header can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is empty, or has characters that no header can carry")]
pub struct UnusableKey;

impl StripeClient {
    /// A client of the interface at `api_base`, which has no slash at its end.
    pub fn new(
        http: HttpClient,
        api_base: &str,
        secret_key: &Secret<String>,
        timeout: Duration,
    ) -> Result<Self, UnusableKey> {
        let key = secret_key.expose();
        let usable = !key.is_empty() && key.bytes().all(|octet| octet.is_ascii_graphic());
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {key}")).ok().filter(|_| usable).ok_or(UnusableKey)?;
        authorization.set_sensitive(true);
        Ok(Self { http, api_base: api_base.to_owned(), authorization, timeout })
    }

    /// `POST /v1/accounts`.
    pub async fn create_account(
        &self,
        account: &NewAccount<'_>,
        idempotency_key: &str,
    ) -> Result<StripeAccountId, StripeError> {
        let answer = self.post("/v1/accounts", account.form(), idempotency_key).await?;
        account_id(&answer)
    }

    /// `POST /v1/account_links`: the address of the onboarding page, which works once and for minutes.
    pub async fn create_account_link(
        &self,
        account: &StripeAccountId,
        refresh_url: &str,
        return_url: &str,
        idempotency_key: &str,
    ) -> Result<Secret<String>, StripeError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("account", account.as_str())
            .append_pair("refresh_url", refresh_url)
            .append_pair("return_url", return_url)
            .append_pair("type", "account_onboarding")
            .finish();
        let answer = self.post("/v1/account_links", form, idempotency_key).await?;
        let url = answer["url"].as_str().filter(|url| url.len() <= MAX_URL);
        let url = url.and_then(|url| url::Url::parse(url).ok());
        match url {
            Some(url) if matches!(url.scheme(), "https" | "http") => Ok(Secret::new(url.to_string())),
            _ => Err(garbage()),
        }
    }

    /// `GET /v1/account`: the platform itself.
    pub async fn own_account(&self) -> Result<StripeAccountId, StripeError> {
        account_id(&self.send(Call::get(&format!("{}/v1/account", self.api_base))).await?)
    }

    /// `GET /v1/accounts/{id}`.
    pub async fn account(&self, id: &StripeAccountId) -> Result<Account, StripeError> {
        let call = Call::get(&format!("{}/v1/accounts/{id}", self.api_base));
        let answer = self.send(call).await?;
        let flag = |name: &str| answer[name].as_bool().ok_or_else(garbage);
        let due = answer["requirements"]["currently_due"].as_array().map(Vec::as_slice).unwrap_or_default();
        let account = Account {
            id: account_id(&answer)?,
            details_submitted: flag("details_submitted")?,
            charges_enabled: flag("charges_enabled")?,
            payouts_enabled: flag("payouts_enabled")?,
            currently_due: due
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| name.len() <= MAX_DUE_NAME && !name.contains('\0'))
                .take(MAX_DUE)
                .map(str::to_owned)
                .collect(),
        };
        if account.id == *id { Ok(account) } else { Err(garbage()) }
    }

    async fn post(&self, path: &str, form: String, idempotency_key: &str) -> Result<Value, StripeError> {
        let key = HeaderValue::from_str(idempotency_key).map_err(|_| garbage())?;
        let call = Call::post(&format!("{}{path}", self.api_base), form)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header(IDEMPOTENCY_KEY, key);
        self.send(call).await
    }

    async fn send(&self, call: Call<'_>) -> Result<Value, StripeError> {
        let call = call
            .header(AUTHORIZATION, self.authorization.clone())
            .header(STRIPE_VERSION, VERSION)
            .timeout(self.timeout);
        let response = self.http.send(call).await.map_err(|error| unanswered(&error))?;
        judge(&response)
    }
}

/// What an answer means.
fn judge(response: &Response) -> Result<Value, StripeError> {
    let body = serde_json::from_slice::<Value>(&response.body).ok();
    let error = body.as_ref().map_or(&Value::Null, |body| &body["error"]);
    let kind = error["type"].as_str();
    let code = error["code"].as_str().or(kind);
    let code =
        code.filter(|code| code.len() <= MAX_CODE && code.bytes().all(|octet| octet.is_ascii_graphic()));
    let owned = || code.map(str::to_owned);
    match response.status {
        200..300 => body.filter(Value::is_object).ok_or_else(garbage),
        404 if code == Some("resource_missing") => Err(StripeError::NoSuchAccount),
        403 if code == Some("account_invalid") => Err(StripeError::NoSuchAccount),
        401 | 403 => Err(StripeError::Configuration { code: owned() }),
        // Another call with the same key is under way, or a lock is held.
        409 => Err(StripeError::Unavailable { reason: "conflict", is_kept: false }),
        429 => Err(StripeError::Unavailable { reason: "throttled", is_kept: false }),
        400..500 => Err(StripeError::Refused { code: owned() }),
        // Of Stripe's own making, hence kept; a gateway's is not.
        500 if kind.is_some() => Err(StripeError::Unavailable { reason: "http_500", is_kept: true }),
        _ => Err(StripeError::Unavailable { reason: "http_5xx", is_kept: false }),
    }
}

fn account_id(answer: &Value) -> Result<StripeAccountId, StripeError> {
    let is_account = answer["object"].as_str() == Some("account");
    let id = answer["id"].as_str().filter(|_| is_account);
    id.and_then(|id| id.parse().ok()).ok_or_else(garbage)
}

const fn unanswered(error: &ClientError) -> StripeError {
    let reason = if error.is_certainly_not_sent() { "not_sent" } else { "no_answer" };
    StripeError::Unavailable { reason, is_kept: false }
}

const fn garbage() -> StripeError {
    StripeError::Unavailable { reason: "garbage", is_kept: false }
}
