//! Stripe sends the browser back. In this order, each failure with its own code and audit event:
//!
//! 1. The state must be known, unused and unexpired, and the invitation must stand.
//! 2. The account must be the one that the attempt is about. If not, nothing is written.
//! 3. Stripe says to our key what the account is: it exists, it is ours, it is complete.
//! 4. What is incomplete goes back to Stripe with a fresh page.
//! 5. In one transaction the attempt is used up, the account becomes the subject's, and the invitation is done. Of any number
//!    of callbacks, with one state or with several of one subject, one gets there.

use model::{Actor, AuditEvent, Outcome, StripeAccountId};
use store::portal::PortalSession;
use store::stripe::StripeAttempt;
use vault::TokenHash;

use super::{Onward, facts, failed, is_complete};
use crate::{Connect, Error, Result};

/// What the browser brought. It has no `Debug`: a state opens a door.
#[derive(Default)]
pub struct Arrival {
    /// `state`, where it came once.
    pub state: Option<String>,
    /// `account`, where it came once.
    pub account: Option<String>,
}

impl Connect {
    /// Ends an attempt.
    pub async fn stripe_callback(&self, arrival: &Arrival) -> Result<Onward> {
        let ended = self.end_attempt(arrival).await;
        self.record_refusal_of(&ended, arrival.state.as_deref(), arrival.account.as_deref()).await?;
        ended
    }

    async fn end_attempt(&self, arrival: &Arrival) -> Result<Onward> {
        // 1. state
        let (hash, attempt, session) = self.standing_attempt(arrival.state.as_deref()).await?;

        // 2. account
        if arrival.account.as_deref() != Some(attempt.account.as_str()) {
            return Err(Error::AccountMismatch);
        }

        // 3. what Stripe says
        let asked_at = self.now();
        let answer = self.stripe()?.client.account(&attempt.account).await;
        let facts = facts(answer.map_err(|error| failed("account", error))?);
        self.store().stripe.learn(&attempt.account, &facts, asked_at).await?;

        // 4. incomplete
        if !is_complete(&facts) {
            return self.replace_attempt(&hash, &attempt, &session).await;
        }

        // 5. link
        let by = Actor::Browser(Some(attempt.subject.clone()));
        let linked = self.store().stripe.link(&hash, &by.to_string(), self.now()).await?;
        if linked.is_none() {
            // Something has changed meanwhile: it says what.
            self.standing_attempt(arrival.state.as_deref()).await?;
            return Err(Error::InvalidState { reason: "replaced" });
        }
        let event = AuditEvent::new(self.now(), "stripe.linked", Outcome::Success, by.clone());
        self.remember(event.subject(&attempt.subject).target(&attempt.account)).await?;
        self.tell(&session, "portal_session.completed", by).await?;
        Ok(self.done())
    }

    /// Writes down what was refused, with what was presented.
    pub(super) async fn record_refusal_of(
        &self,
        ended: &Result<Onward>,
        state: Option<&str>,
        presented: Option<&str>,
    ) -> Result<()> {
        let Some(reason) = ended.as_ref().err().and_then(refusal) else { return Ok(()) };
        let attempt = match state {
            Some(state) => self.store().stripe.find(&TokenHash::of(state)).await?,
            None => None,
        };
        let now = self.now();
        let by = Actor::Browser(attempt.as_ref().map(|attempt| attempt.subject.clone()));
        let mut event = AuditEvent::new(now, "stripe.refused", Outcome::Denied, by).reason(reason);
        if let Some(attempt) = &attempt {
            let age_ms = u64::try_from(now.since(attempt.created_at).as_millis()).unwrap_or(u64::MAX);
            event = event.subject(&attempt.subject).target(&attempt.account);
            event = event.fact("attempt", attempt.id.to_string()).fact("age_ms", age_ms);
        }
        if let Some(Ok(presented)) = presented.map(str::parse::<StripeAccountId>) {
            event = event.fact("presented", presented.to_string());
        }
        self.remember(event).await
    }

    /// The attempt behind a state, when it may still be used, with its invitation.
    pub(super) async fn standing_attempt(
        &self,
        state: Option<&str>,
    ) -> Result<(TokenHash, StripeAttempt, PortalSession)> {
        self.stripe()?;
        let well_formed = |state: &&str| state.len() == 64 && state.bytes().all(|b| b.is_ascii_hexdigit());
        let invalid = || Error::InvalidState { reason: "invalid" };
        let hash = TokenHash::of(state.filter(well_formed).ok_or_else(invalid)?);
        let attempt = self.store().stripe.find(&hash).await?.ok_or_else(invalid)?;
        if attempt.consumed_at.is_some() {
            return Err(Error::InvalidState { reason: "used" });
        }
        if attempt.expires_at <= self.now() {
            return Err(Error::ExpiredState);
        }
        let session = self.store().portal.get(&attempt.session).await?;
        let session = session.filter(PortalSession::is_open);
        let session = session.ok_or(Error::InvalidState { reason: "over" })?;
        Ok((hash, attempt, session))
    }
}

/// Why a callback was refused, as the log and the audit trail say it; `None` where it may come again.
const fn refusal(error: &Error) -> Option<&'static str> {
    match error {
        Error::InvalidState { reason } => Some(reason),
        Error::ExpiredState => Some("expired"),
        Error::AccountMismatch => Some("account_mismatch"),
        Error::StripeAccountUnknown => Some("unknown_account"),
        _ => None,
    }
}
