//! Who calls: the secret key, and the connected account that is acted for.

use axum::http::{HeaderMap, header};
use data_encoding::BASE64;

use super::Stripe;
use super::answer::text;
use super::event::Event;
use super::problem::Problem;

/// Who calls: a platform, for itself or for a connected account.
#[derive(Debug, Default)]
pub(super) struct Actor {
    pub(super) platform: String,
    /// `Stripe-Account`.
    pub(super) account: Option<String>,
}

impl Actor {
    /// The secret key, as a bearer token or as the user of Basic, and the connected account that is acted for.
    pub(super) fn of(stripe: &Stripe, headers: &HeaderMap) -> Result<Self, Problem> {
        let authorization = text(headers, header::AUTHORIZATION.as_str()).unwrap_or_default();
        let (scheme, credentials) = authorization.split_once(' ').unwrap_or((authorization, ""));
        let secret = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(credentials.trim().to_owned()),
            "basic" => BASE64
                .decode(credentials.trim().as_bytes())
                .ok()
                .and_then(|pair| Some(String::from_utf8(pair).ok()?.split_once(':')?.0.to_owned())),
            _ => None,
        };
        let secret = secret.filter(|secret| !secret.is_empty());
        let secret = secret
            .ok_or_else(|| Problem::unauthorized("There is no API key in the Authorization header."))?;
        let platform = stripe.control.platform_of(&secret);
        let platform =
            platform.ok_or_else(|| Problem::unauthorized("This API key is not valid."))?.to_owned();
        let account = text(headers, "stripe-account").filter(|id| *id != platform).map(str::to_owned);
        if let Some(id) = account.as_deref().filter(|id| stripe.account(&platform, id).is_none()) {
            return Err(Problem::foreign_account(id));
        }
        Ok(Self { platform, account })
    }
    /// Whose objects are meant.
    pub(super) fn owner(&self) -> &str {
        self.account.as_deref().unwrap_or(&self.platform)
    }

    pub(super) fn sees(&self, event: &Event) -> bool {
        event.platform == self.platform && event.account == self.account
    }
}
