//! The endpoints that are told apart in the log and in failures.

use serde::{Deserialize, Serialize};

/// What is called, as the log and a failure's `endpoints` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Endpoint {
    #[serde(rename = "stripe.accounts")]
    Accounts,
    #[serde(rename = "stripe.account_links")]
    AccountLinks,
    #[serde(rename = "stripe.payment_intents")]
    PaymentIntents,
    #[serde(rename = "stripe.events")]
    Events,
    /// The page behind an account link.
    #[serde(rename = "stripe.onboarding")]
    Onboarding,
}

impl Endpoint {
    /// Those that a program calls.
    pub(super) fn of_the_api() -> Vec<Self> {
        vec![Self::Accounts, Self::AccountLinks, Self::PaymentIntents, Self::Events]
    }
}
