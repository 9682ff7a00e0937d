//! What the product reads of a subject's account, and what only an operator may change.

use std::time::Duration;

use model::{Actor, AuditEvent, Outcome, StripeAccountId, SubjectId, Timestamp};
use store::stripe::{Claimed, StripeAccount};

use super::{facts, failed};
use crate::{Connect, Error, Result};

/// How long an event is remembered, at least: longer than a signature can be fresh.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);

impl Connect {
    /// A subject's account, linked or on its way.
    pub async fn stripe_account(&self, subject: &SubjectId) -> Result<StripeAccount> {
        let row = self.store().stripe.account(subject).await?;
        row.ok_or_else(|| Error::StripeAccountNotFound { subject: subject.clone() })
    }

    /// Links an account that exists at Stripe, by an operator's word.
    pub async fn adopt_stripe_account(
        &self,
        subject: &SubjectId,
        account: &StripeAccountId,
        by: Actor,
    ) -> Result<StripeAccount> {
        let client = &self.stripe()?.client;
        let asked_at = self.now();
        let facts = facts(client.account(account).await.map_err(|error| failed("account", error))?);
        // The platform can read itself, too; payments to it are not the subject's.
        if client.own_account().await.map_err(|error| failed("own_account", error))? == *account {
            return Err(Error::StripeAccountUnknown);
        }
        self.admit(subject).await?;
        let now = self.now();
        let event = |outcome, by| {
            let name = if outcome == Outcome::Success { "stripe.linked" } else { "stripe.refused" };
            AuditEvent::new(now, name, outcome, by).subject(subject).target(account)
        };
        let claimed =
            self.store().stripe.adopt(subject, account, &facts, asked_at, &by.to_string(), now).await?;
        let (reason, error) = match claimed {
            Claimed::Done(row) => {
                self.remember(event(Outcome::Success, by)).await?;
                return Ok(row);
            }
            Claimed::TakenBy(_) => ("account_taken", Error::AccountTaken),
            Claimed::Has(_) => ("account_linked", Error::AccountLinked),
        };
        self.remember(event(Outcome::Denied, by).reason(reason)).await?;
        Err(error)
    }

    /// Forgets a subject's account, so that another can be linked. At Stripe nothing changes.
    pub async fn unlink_stripe_account(&self, subject: &SubjectId, by: Actor) -> Result<()> {
        let unlinked = self.store().stripe.unlink(subject).await?;
        let unlinked = unlinked.ok_or_else(|| Error::StripeAccountNotFound { subject: subject.clone() })?;
        let mut event = AuditEvent::new(self.now(), "stripe.unlinked", Outcome::Success, by).subject(subject);
        if let Some(account) = &unlinked.account {
            event = event.target(account);
        }
        self.remember(event).await
    }

    /// Deletes at most `limit` attempts that expired, and events that came, before `before`, and longer ago than a week; tells
    /// how many.
    pub async fn sweep_stripe(&self, before: Timestamp, limit: u32) -> Result<u64> {
        Ok(self.store().stripe.sweep(before.min(self.now() - REMEMBERED), limit).await?)
    }
}
