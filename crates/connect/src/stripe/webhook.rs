//! Stripe tells what happened to an account.
//!
//! 1. The signature must be Stripe's, and fresh.
//! 2. An event that was put into effect is not put into effect again.
//! 3. Events may come late and out of order, so none is taken at its word: Stripe is asked how the account is now. If it does
//!    not answer, nor do we with 200, and it sends the event again.

use model::{Actor, AuditEvent, Outcome, StripeAccountId, Timestamp};
use provider::stripe::StripeError;
use provider::stripe::webhook::{Event, EventKind, verify};
use tracing::{debug, warn};

use super::{facts, failed};
use crate::{Connect, Error, Result};

impl Connect {
    /// Takes an event: the `Stripe-Signature` header and the body as it came.
    pub async fn stripe_event(&self, signature: &str, body: &[u8]) -> Result<()> {
        let settings = self.stripe()?;
        let now = self.now();
        let verified = verify(&settings.webhook_secrets, signature, body, now, settings.webhook_tolerance);
        let event = verified.map_err(|error| {
            warn!(reason = error.word(), outcome = "denied", "stripe.event_refused");
            Error::InvalidSignature { reason: error.word() }
        })?;
        if self.store().stripe.knows_event(&event.id).await? {
            debug!(event_id = event.id, outcome = "success", "stripe.event_repeated");
            return Ok(());
        }
        self.act_on(&event).await?;
        if event.kind == EventKind::Other {
            return Ok(());
        }
        Ok(self.store().stripe.remember_event(&event.id, now).await?)
    }

    async fn act_on(&self, event: &Event) -> Result<()> {
        match &event.kind {
            EventKind::AccountUpdated(account) | EventKind::Deauthorized(account) => {
                self.check_account(account).await
            }
            EventKind::Other => Ok(()),
        }
    }

    /// Asks Stripe how an account is, if it is one of ours.
    pub(super) async fn check_account(&self, account: &StripeAccountId) -> Result<()> {
        if self.store().stripe.of_account(account).await?.is_none() {
            return Ok(());
        }
        let asked_at = self.now();
        match self.stripe()?.client.account(account).await {
            Ok(answer) => {
                self.store().stripe.learn(account, &facts(answer), asked_at).await?;
                Ok(())
            }
            Err(StripeError::NoSuchAccount) => self.lose_access(account, asked_at).await,
            Err(error) => Err(failed("account", error)),
        }
    }

    async fn lose_access(&self, account: &StripeAccountId, asked_at: Timestamp) -> Result<()> {
        let Some(lost) = self.store().stripe.deauthorize(account, asked_at).await? else {
            return Ok(());
        };
        let event = AuditEvent::new(self.now(), "stripe.deauthorized", Outcome::Success, Actor::System);
        self.remember(event.subject(&lost.subject).target(account)).await
    }
}
