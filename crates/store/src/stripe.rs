//! Subjects' accounts at Stripe, and the onboardings that lead to them.

use async_trait::async_trait;
use model::{PortalSessionId, StripeAccountId, StripeAttemptId, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use vault::TokenHash;

use crate::Result;

/// What Stripe says of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountFacts {
    /// Whether the person has sent in everything that was asked for.
    pub details_submitted: bool,
    /// Whether it can take payments.
    pub charges_enabled: bool,
    /// Whether it is paid out.
    pub payouts_enabled: bool,
    /// What Stripe waits for from the person, by Stripe's names.
    pub currently_due: Vec<String>,
}

/// A subject's account at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeAccount {
    /// Whose it is.
    pub subject: SubjectId,
    /// What the idempotency key of its making comes from.
    pub nonce: String,
    /// Its name at Stripe; `None` while it is being made.
    pub account: Option<StripeAccountId>,
    /// What Stripe said of it.
    pub facts: Option<AccountFacts>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When Stripe was last asked.
    pub checked_at: Option<Timestamp>,
    /// Since when it is the subject's own, and who made it so; `None` while the person has not come back from Stripe.
    pub linked: Option<(Timestamp, String)>,
    /// When the account took away our access.
    pub deauthorized_at: Option<Timestamp>,
}

/// One onboarding in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeAttempt {
    /// Its id, for logs and idempotency keys.
    pub id: StripeAttemptId,
    /// The portal session that led to it.
    pub session: PortalSessionId,
    /// Whose account it is about.
    pub subject: SubjectId,
    /// The account that the callback must name.
    pub account: StripeAccountId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub consumed_at: Option<Timestamp>,
}

/// What became of an account that is to be a subject's.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is.
    Done(StripeAccount),
    /// It is this other subject's.
    TakenBy(SubjectId),
    /// The subject has this one already.
    Has(StripeAccountId),
}

/// The rows of `stripe_accounts`, `stripe_attempts` and `stripe_events`.
#[async_trait]
pub trait Stripe: Send + Sync {
    /// Reads a subject's account.
    async fn account(&self, subject: &SubjectId) -> Result<Option<StripeAccount>>;
    /// Reads whose an account is.
    async fn of_account(&self, account: &StripeAccountId) -> Result<Option<StripeAccount>>;
    /// Writes that an account is to be made, unless the subject has a row; answers the row as it now is. So of any number of
    /// callers all make the same account.
    async fn reserve(&self, subject: &SubjectId, nonce: &str, at: Timestamp) -> Result<StripeAccount>;
    /// Takes another nonce, while there is no account.
    async fn renew_nonce(&self, subject: &SubjectId, old: &str, new: &str) -> Result<bool>;
    /// Remembers which account was made for a subject.
    async fn made(&self, subject: &SubjectId, account: &StripeAccountId) -> Result<Claimed>;
    /// Writes an attempt.
    async fn begin(&self, attempt: &StripeAttempt, state: &TokenHash) -> Result<()>;
    /// Reads the attempt that has this state, used and expired ones too.
    async fn find(&self, state: &TokenHash) -> Result<Option<StripeAttempt>>;
    /// Uses up the attempt. Of any number of callers one gets it; an attempt that was used or has expired yields `None`.
    async fn consume(&self, state: &TokenHash, now: Timestamp) -> Result<Option<StripeAttempt>>;
    /// Uses up the attempt and makes its account the subject's own, and the portal session is done. `None`, and nothing is
    /// written, when the attempt was used or has expired, its portal session is over, or the subject has another account by now,
    /// none that we may use, or one that was linked after the attempt began: of several attempts at once one gets there.
    async fn link(&self, state: &TokenHash, by: &str, now: Timestamp) -> Result<Option<StripeAccount>>;
    /// Makes an account that exists a subject's own, by an operator's word. What Stripe said later than `asked_at` stays.
    async fn adopt(
        &self,
        subject: &SubjectId,
        account: &StripeAccountId,
        facts: &AccountFacts,
        asked_at: Timestamp,
        by: &str,
        now: Timestamp,
    ) -> Result<Claimed>;
    /// Forgets a subject's account and the onboardings that lead to it.
    async fn unlink(&self, subject: &SubjectId) -> Result<Option<StripeAccount>>;
    /// Writes what Stripe said when it was asked at `checked_at`, unless it has said something later. An account that it speaks of
    /// has not taken away our access.
    async fn learn(
        &self,
        account: &StripeAccountId,
        facts: &AccountFacts,
        checked_at: Timestamp,
    ) -> Result<Option<StripeAccount>>;
    /// The account took away our access: Stripe said so when it was asked at `at`, and nothing else later. `None` when nobody has
    /// it, or it had done so before.
    async fn deauthorize(&self, account: &StripeAccountId, at: Timestamp) -> Result<Option<StripeAccount>>;
    /// Whether an event was put into effect.
    async fn knows_event(&self, id: &str) -> Result<bool>;
    /// Remembers that an event was put into effect.
    async fn remember_event(&self, id: &str, at: Timestamp) -> Result<()>;
    /// Deletes at most `limit` attempts that expired, and as many events that came, before `before`; tells how many.
    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64>;
}
