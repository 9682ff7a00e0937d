//! The way to Stripe.

use std::time::Duration;

use model::{Actor, AuditEvent, Outcome, PortalPage, Secret, StripeAccountId};
use provider::mail::MailAddress;
use provider::stripe::{NewAccount, StripeError};
use store::portal::PortalSession;
use store::stripe::{Claimed, StripeAccount, StripeAttempt};
use tracing::info;
use vault::TokenHash;

use super::{Onward, failed, is_complete};
use crate::{Connect, Error, Result};

/// How long a person may take at Stripe.
const ATTEMPT_LIVES: Duration = Duration::from_mins(30);

/// How long one attempt may follow the other after a link was first used, where the link itself works no longer.
const GOES_ON: Duration = Duration::from_hours(24);

impl Connect {
    /// Uses a link: makes the subject's account unless there is one, and begins an attempt.
    pub async fn onboard(&self, token: &str) -> Result<Onward> {
        self.stripe()?;
        let session = self.standing_link(token, PortalPage::Stripe).await?;
        let row = self.store().stripe.account(&session.subject).await?;
        if row.as_ref().is_some_and(is_done) {
            self.finish_visit(&session).await?;
            return Ok(self.done());
        }
        let account = self.expected_account(&session, row).await?;
        let url = self.begin_attempt(&session, &account).await?;
        // Last, so that a Stripe that is down does not use up a link that works once.
        let opened = self.store().portal.open(&TokenHash::of(token), None, self.now()).await?;
        let session = opened.ok_or(Error::InvalidLink)?;
        let by = Actor::Browser(Some(session.subject.clone()));
        self.tell(&session, "portal_session.opened", by).await?;
        Ok(Onward::Stripe(url))
    }

    /// Stripe's page was used up, or too old: there is another for the same account.
    pub async fn onboard_again(&self, state: Option<&str>) -> Result<Onward> {
        let gone = self.go_again(state).await;
        self.record_refusal_of(&gone, state, None).await?;
        gone
    }

    async fn go_again(&self, state: Option<&str>) -> Result<Onward> {
        let (hash, attempt, session) = self.standing_attempt(state).await?;
        self.replace_attempt(&hash, &attempt, &session).await
    }

    /// Another attempt in this one's place. Not for ever: whoever gets hold of a state must not go on with it for days.
    pub(super) async fn replace_attempt(
        &self,
        hash: &TokenHash,
        attempt: &StripeAttempt,
        session: &PortalSession,
    ) -> Result<Onward> {
        let now = self.now();
        if session.expires_at.max(session.opened_at.unwrap_or(session.created_at) + GOES_ON) <= now {
            return Err(Error::ExpiredState);
        }
        let url = self.begin_attempt(session, &attempt.account).await?;
        match self.store().stripe.consume(hash, now).await? {
            Some(_) => Ok(Onward::Stripe(url)),
            None => Err(Error::InvalidState { reason: "used" }),
        }
    }

    /// Where somebody goes whose invitation is done.
    pub async fn after_stripe(&self, token: &str) -> Result<Onward> {
        let session = self.store().portal.of_link(&TokenHash::of(token)).await?.ok_or(Error::InvalidLink)?;
        match self.store().stripe.account(&session.subject).await? {
            Some(row) if is_done(&row) => Ok(self.done()),
            _ => Err(Error::AlreadyDone),
        }
    }

    pub(super) fn done(&self) -> Onward {
        Onward::Done(self.parts.stripe.as_ref().and_then(|settings| settings.success_url.clone()))
    }

    /// The account that the subject has or will have; makes it where there is none. However many ask at once, Stripe makes one:
    /// the idempotency key comes from the row that all of them find.
    async fn expected_account(
        &self,
        session: &PortalSession,
        row: Option<StripeAccount>,
    ) -> Result<StripeAccountId> {
        let row = if let Some(row) = row {
            self.if_still_lost(row).await?
        } else {
            let nonce = vault::random::token();
            self.store().stripe.reserve(&session.subject, nonce.expose(), self.now()).await?
        };
        if row.deauthorized_at.is_some() {
            return Err(Error::AccountDeauthorized);
        }
        if let Some(account) = row.account {
            return Ok(account);
        }
        let made = self.make_account(&row).await?;
        match self.store().stripe.made(&session.subject, &made).await? {
            Claimed::Done(_) => {
                let by = Actor::Browser(Some(session.subject.clone()));
                let event = AuditEvent::new(self.now(), "stripe.account_made", Outcome::Success, by);
                self.remember(event.subject(&session.subject).target(&made)).await?;
                Ok(made)
            }
            Claimed::Has(other) => Ok(other),
            Claimed::TakenBy(_) => Err(Error::AccountTaken),
        }
    }

    /// The row as it is when Stripe was asked once more, where we have lost access: it may have come back.
    async fn if_still_lost(&self, row: StripeAccount) -> Result<StripeAccount> {
        match (&row.account, row.deauthorized_at) {
            (Some(account), Some(_)) => {
                self.check_account(account).await?;
                self.stripe_account(&row.subject).await
            }
            _ => Ok(row),
        }
    }

    async fn make_account(&self, row: &StripeAccount) -> Result<StripeAccountId> {
        let settings = self.stripe()?;
        let subject = self.store().subjects.get(&row.subject).await?;
        // What mail servers would not take, Stripe does not either.
        let email = subject.and_then(|subject| subject.mail?.parse::<MailAddress>().ok());
        let account = NewAccount {
            account_type: settings.account_type,
            country: settings.country.as_deref(),
            email: email.as_ref().map(MailAddress::as_str),
            subject: row.subject.as_str(),
        };
        // Stripe refuses a key that comes again with another form.
        let key = TokenHash::of(&format!("{} {}", row.nonce, account.form())).to_hex();
        let made = settings.client.create_account(&account, &key).await;
        if made.as_ref().is_err_and(StripeError::is_kept) {
            let nonce = vault::random::token();
            self.store().stripe.renew_nonce(&row.subject, &row.nonce, nonce.expose()).await?;
        }
        made.map_err(|error| failed("account", error))
    }

    /// Writes an attempt, and gets the address of Stripe's page for it.
    pub(super) async fn begin_attempt(
        &self,
        session: &PortalSession,
        account: &StripeAccountId,
    ) -> Result<Secret<String>> {
        let settings = self.stripe()?;
        let state = vault::random::token();
        let now = self.now();
        let attempt = StripeAttempt {
            id: vault::random::id(),
            session: session.id,
            subject: session.subject.clone(),
            account: account.clone(),
            created_at: now,
            expires_at: now + ATTEMPT_LIVES,
            consumed_at: None,
        };
        self.store().stripe.begin(&attempt, &TokenHash::of(state.expose())).await?;
        let (public_url, state) = (&self.parts.settings.public_url, state.expose());
        let refresh_url = format!("{public_url}/onboard-client/refresh?state={state}");
        let return_url = format!("{public_url}/connect/callback?state={state}&account={account}");
        let key = attempt.id.to_string();
        let made = settings.client.create_account_link(account, &refresh_url, &return_url, &key).await;
        let url = made.map_err(|error| failed("account_link", error))?;
        info!(subject = %session.subject, attempt = %attempt.id, %account, outcome = "success", "stripe.started");
        Ok(url)
    }
}

fn is_done(row: &StripeAccount) -> bool {
    row.linked.is_some() && row.deauthorized_at.is_none() && row.facts.as_ref().is_some_and(is_complete)
}
