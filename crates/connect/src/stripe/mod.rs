//! Stripe Connect: a subject gets an account at Stripe, and nobody can put another in its place.
//!
//! 1. The person comes with a link of a portal session ([`onboard`]). The subject's account is made, unless there is one, and
//!    written down as expected; an attempt of thirty minutes with a state of 256 bits leads to Stripe's own page.
//! 2. Stripe sends the browser back ([`callback`]). The account must be the one that the attempt is about, and Stripe itself
//!    says, to our key, that it is ours and complete. Only then it is the subject's.
//! 3. From then on Stripe's events keep what we know of it true ([`webhook`]); another account needs an operator
//!    ([`accounts`]).
//!
//! No cookie binds the browser, since people do change browsers on the way through Stripe. Whoever steals a state could link the
//! account that the attempt itself made for the subject, or be sent to Stripe's pages for it, as whoever steals an invitation
//! could; so a state lives for half an hour, and one follows the other only while the invitation works, or for a day after
//! it was first used.

pub mod accounts;
pub mod callback;
pub mod onboard;
pub mod webhook;

use std::time::Duration;

use model::Secret;
use provider::stripe::{Account, AccountType, StripeClient, StripeError};
use store::stripe::AccountFacts;
use tracing::warn;

use crate::{Connect, Error, Result};

/// How long the caller should wait before another try, when Stripe did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What the operator decided about Stripe.
pub struct StripeSettings {
    /// The way there, with our key.
    pub client: StripeClient,
    /// Which kind of account subjects get.
    pub account_type: AccountType,
    /// Their country, two letters; `None` for the platform's.
    pub country: Option<String>,
    /// Where the browser goes when an account is linked; `None` for a page of ours.
    pub success_url: Option<String>,
    /// What events may be signed with.
    pub webhook_secrets: Vec<Secret<String>>,
    /// How old a signature may be.
    pub webhook_tolerance: Duration,
}

/// Where a browser goes.
#[derive(Debug)]
pub enum Onward {
    /// To Stripe's page.
    Stripe(Secret<String>),
    /// To the page that says that it is done; `None` for ours.
    Done(Option<String>),
}

impl Connect {
    pub(crate) fn stripe(&self) -> Result<&StripeSettings> {
        self.parts.stripe.as_ref().ok_or(Error::StripeNotConfigured)
    }
}

/// Says in the log why Stripe did not do it.
fn failed(asked_for: &'static str, error: StripeError) -> Error {
    warn!(asked_for, %error, outcome = "failure", "stripe.failed");
    error.into()
}

impl From<StripeError> for Error {
    fn from(error: StripeError) -> Self {
        match error {
            StripeError::Unavailable { .. } => Self::StripeUnavailable { retry_after: RETRY_AFTER },
            StripeError::Configuration { code } | StripeError::Refused { code } => {
                Self::StripeConfiguration { error: code }
            }
            StripeError::NoSuchAccount => Self::StripeAccountUnknown,
        }
    }
}

fn facts(account: Account) -> AccountFacts {
    AccountFacts {
        details_submitted: account.details_submitted,
        charges_enabled: account.charges_enabled,
        payouts_enabled: account.payouts_enabled,
        currently_due: account.currently_due,
    }
}

/// Whether there is anything left for the person to do: Stripe may still be checking what was sent in.
fn is_complete(facts: &AccountFacts) -> bool {
    facts.details_submitted && (facts.charges_enabled || facts.currently_due.is_empty())
}
