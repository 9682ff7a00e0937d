//! Rows and records of Stripe accounts, both ways.

use model::Timestamp;

use crate::columns::{Columns, Reader};
use crate::stripe::{AccountFacts, Claimed, StripeAccount, StripeAttempt};
use crate::value::Value;
use crate::{Error, Result};

columns! {
    /// Read by [`account`].
    stripe_account_columns = "subject, nonce, account, facts, created_at, checked_at, linked_at, linked_by, \
        deauthorized_at";
    /// Read by [`attempt`].
    stripe_attempt_columns = "id, session, subject, account, created_at, expires_at, consumed_at";
}

pub(crate) fn account(row: &dyn Columns) -> Result<StripeAccount> {
    let mut row = Reader::of("stripe_accounts", stripe_account_columns!(), row);
    Ok(StripeAccount {
        subject: row.id()?,
        nonce: row.text()?,
        account: row.optional_id()?,
        facts: row.optional_json()?,
        created_at: row.time()?,
        checked_at: row.optional_time()?,
        linked: linked(&mut row)?,
        deauthorized_at: row.optional_time()?,
    })
}

fn linked(row: &mut Reader<'_>) -> Result<Option<(Timestamp, String)>> {
    match (row.optional_time()?, row.optional_text()?) {
        (Some(at), Some(by)) => Ok(Some((at, by))),
        (None, None) => Ok(None),
        _ => Err(row.corrupt("linked without time or name")),
    }
}

pub(crate) fn attempt(row: &dyn Columns) -> Result<StripeAttempt> {
    let mut row = Reader::of("stripe_attempts", stripe_attempt_columns!(), row);
    Ok(StripeAttempt {
        id: row.id()?,
        session: row.id()?,
        subject: row.id()?,
        account: row.id()?,
        created_at: row.time()?,
        expires_at: row.time()?,
        consumed_at: row.optional_time()?,
    })
}

/// The parameters for `stripe_attempt_columns`, then the state.
pub(crate) fn attempt_values(attempt: &StripeAttempt, state: &vault::TokenHash) -> [Value; 8] {
    [
        Value::word(attempt.id),
        Value::word(attempt.session),
        Value::word(&attempt.subject),
        Value::word(&attempt.account),
        attempt.created_at.into(),
        attempt.expires_at.into(),
        attempt.consumed_at.into(),
        Value::hash(state),
    ]
}

pub(crate) fn facts_value(facts: &AccountFacts) -> Result<Value> {
    Value::json("stripe_accounts.facts", facts)
}

/// The parameters of a link: facts, when, by whom, when Stripe was asked.
pub(crate) fn link_values(
    facts: &AccountFacts,
    asked_at: Timestamp,
    by: &str,
    now: Timestamp,
) -> Result<[Value; 4]> {
    let by = Value::text("stripe_accounts.linked_by", by)?;
    Ok([facts_value(facts)?, now.into(), by, asked_at.into()])
}

/// Why an account could not become a subject's: of whom it is, and what the subject has.
pub(crate) fn refused(owner: Option<StripeAccount>, own: Option<StripeAccount>) -> Result<Claimed> {
    match (owner, own) {
        (Some(owner), own) if own.as_ref().is_none_or(|own| own.subject != owner.subject) => {
            Ok(Claimed::TakenBy(owner.subject))
        }
        (_, Some(StripeAccount { account: Some(account), .. })) => Ok(Claimed::Has(account)),
        // Nobody stands in the way any more, or the subject's row is gone.
        (_, _) => Err(Error::Unavailable("the account was unlinked meanwhile".into())),
    }
}
