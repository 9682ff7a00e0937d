use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{StripeAccountId, SubjectId, Timestamp};
use vault::TokenHash;

use super::{ANSWER_TIMEOUT, Postgres, execute, find, is_duplicate, settle};
use crate::rows::stripe::{self, stripe_account_columns, stripe_attempt_columns};
use crate::stripe::{AccountFacts, Claimed, Stripe, StripeAccount, StripeAttempt};
use crate::value::Value;
use crate::{Error, Result};

const RESERVE: &str = "INSERT INTO stripe_accounts (subject, nonce, created_at) VALUES ($1, $2, $3) \
    ON CONFLICT (subject) DO NOTHING";
const OF_SUBJECT: &str =
    concat!("SELECT ", stripe_account_columns!(), " FROM stripe_accounts WHERE subject = $1");
const OF_ACCOUNT: &str =
    concat!("SELECT ", stripe_account_columns!(), " FROM stripe_accounts WHERE account = $1");
const RENEW_NONCE: &str =
    "UPDATE stripe_accounts SET nonce = $3 WHERE subject = $1 AND nonce = $2 AND account IS NULL";
const MADE: &str = concat!(
    "UPDATE stripe_accounts SET account = $2 WHERE subject = $1 AND account IS NULL \
     AND NOT EXISTS (SELECT 1 FROM stripe_accounts WHERE account = $2) RETURNING ",
    stripe_account_columns!()
);
const BEGIN: &str = concat!(
    "INSERT INTO stripe_attempts (",
    stripe_attempt_columns!(),
    ", state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
);
const FIND: &str = concat!("SELECT ", stripe_attempt_columns!(), " FROM stripe_attempts WHERE state = $1");
const CONSUME: &str = concat!(
    "UPDATE stripe_attempts SET consumed_at = $2 WHERE state = $1 AND consumed_at IS NULL AND expires_at > $2 RETURNING ",
    stripe_attempt_columns!()
);
/// An attempt that began before the account was linked comes too late.
const LINK: &str = concat!(
    "UPDATE stripe_accounts SET linked_at = COALESCE(linked_at, $3), linked_by = COALESCE(linked_by, $4) \
     WHERE subject = $1 AND account = $2 AND deauthorized_at IS NULL AND (linked_at IS NULL OR linked_at < $5) \
     RETURNING ",
    stripe_account_columns!()
);
const COMPLETE: &str = "UPDATE portal_sessions SET completed_at = $2 WHERE id = $1 AND completed_at IS NULL \
    AND withdrawn_at IS NULL";
const ADOPT: &str = concat!(
    "INSERT INTO stripe_accounts (subject, nonce, account, facts, created_at, checked_at, linked_at, linked_by) \
     SELECT $1, '', $2, $3, $4::bigint, $6::bigint, $4, $5 WHERE NOT EXISTS \
     (SELECT 1 FROM stripe_accounts WHERE account = $2 AND subject <> $1) \
     ON CONFLICT (subject) DO UPDATE SET account = excluded.account, \
     facts = CASE WHEN stripe_accounts.account = excluded.account AND stripe_accounts.checked_at > excluded.checked_at \
     THEN stripe_accounts.facts ELSE excluded.facts END, \
     checked_at = CASE WHEN stripe_accounts.account = excluded.account AND stripe_accounts.checked_at > excluded.checked_at \
     THEN stripe_accounts.checked_at ELSE excluded.checked_at END, \
     linked_at = COALESCE(stripe_accounts.linked_at, excluded.linked_at), \
     linked_by = COALESCE(stripe_accounts.linked_by, excluded.linked_by), \
     deauthorized_at = CASE WHEN stripe_accounts.account = excluded.account AND stripe_accounts.checked_at > excluded.checked_at \
     THEN stripe_accounts.deauthorized_at END \
     WHERE stripe_accounts.linked_at IS NULL OR stripe_accounts.account = excluded.account RETURNING ",
    stripe_account_columns!()
);
const UNLINK: &str =
    concat!("DELETE FROM stripe_accounts WHERE subject = $1 RETURNING ", stripe_account_columns!());
const FORGET_ATTEMPTS: &str = "DELETE FROM stripe_attempts WHERE subject = $1";
const LEARN: &str = concat!(
    "UPDATE stripe_accounts SET facts = $2, checked_at = $3, deauthorized_at = NULL WHERE account = $1 \
     AND (checked_at IS NULL OR checked_at <= $3) RETURNING ",
    stripe_account_columns!()
);
const DEAUTHORIZE: &str = concat!(
    "UPDATE stripe_accounts SET deauthorized_at = $2, checked_at = $2 WHERE account = $1 AND deauthorized_at IS NULL \
     AND (checked_at IS NULL OR checked_at <= $2) RETURNING ",
    stripe_account_columns!()
);
const STILL_LOST: &str = "UPDATE stripe_accounts SET checked_at = $2 WHERE account = $1 AND deauthorized_at IS NOT NULL \
    AND (checked_at IS NULL OR checked_at <= $2)";
const KNOWS: &str = "SELECT 1 FROM stripe_events WHERE id = $1";
const REMEMBER: &str =
    "INSERT INTO stripe_events (id, received_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
const SWEEP_ATTEMPTS: &str = "DELETE FROM stripe_attempts WHERE id IN \
    (SELECT id FROM stripe_attempts WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)";
const SWEEP_EVENTS: &str = "DELETE FROM stripe_events WHERE id IN \
    (SELECT id FROM stripe_events WHERE received_at < $1 ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

/// How often an account is claimed whose owner goes while we look.
const CLAIM_TRIES: u32 = 5;

impl Postgres {
    /// Makes an account a subject's, or says why it could not be.
    async fn claim(&self, sql: &'static str, values: &[Value]) -> Result<Claimed> {
        let mut tries = 0;
        loop {
            match self.find(sql, values, stripe::account).await {
                Ok(Some(done)) => return Ok(Claimed::Done(done)),
                // A claim that the statement could not see yet was faster; it can be seen now.
                Err(error) if !is_duplicate(&error) => return Err(error),
                Ok(None) | Err(_) => {}
            }
            let owner = self.find(OF_ACCOUNT, &values[1..2], stripe::account).await?;
            let own = self.find(OF_SUBJECT, &values[..1], stripe::account).await?;
            let refused = stripe::refused(owner, own);
            tries += 1;
            // What stood in the way may be gone by now.
            if refused.is_ok() || tries == CLAIM_TRIES {
                return refused;
            }
        }
    }
}

#[async_trait]
impl Stripe for Postgres {
    async fn account(&self, subject: &SubjectId) -> Result<Option<StripeAccount>> {
        self.find(OF_SUBJECT, &[Value::word(subject)], stripe::account).await
    }

    async fn of_account(&self, account: &StripeAccountId) -> Result<Option<StripeAccount>> {
        self.find(OF_ACCOUNT, &[Value::word(account)], stripe::account).await
    }

    async fn reserve(&self, subject: &SubjectId, nonce: &str, at: Timestamp) -> Result<StripeAccount> {
        self.execute(RESERVE, &[Value::word(subject), Value::word(nonce), at.into()]).await?;
        self.account(subject).await?.ok_or_else(Error::no_answer)
    }

    async fn renew_nonce(&self, subject: &SubjectId, old: &str, new: &str) -> Result<bool> {
        let values = [Value::word(subject), Value::word(old), Value::word(new)];
        Ok(self.execute(RENEW_NONCE, &values).await? > 0)
    }

    async fn made(&self, subject: &SubjectId, account: &StripeAccountId) -> Result<Claimed> {
        self.claim(MADE, &[Value::word(subject), Value::word(account)]).await
    }

    async fn begin(&self, attempt: &StripeAttempt, state: &TokenHash) -> Result<()> {
        self.execute(BEGIN, &stripe::attempt_values(attempt, state)).await.map(drop)
    }

    async fn find(&self, state: &TokenHash) -> Result<Option<StripeAttempt>> {
        Postgres::find(self, FIND, &[Value::hash(state)], stripe::attempt).await
    }

    async fn consume(&self, state: &TokenHash, now: Timestamp) -> Result<Option<StripeAttempt>> {
        Postgres::find(self, CONSUME, &[Value::hash(state), now.into()], stripe::attempt).await
    }

    async fn link(&self, state: &TokenHash, by: &str, now: Timestamp) -> Result<Option<StripeAccount>> {
        let by = Value::text("stripe_accounts.linked_by", by)?;
        let values = [Value::hash(state), now.into(), by];
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, link(&mut client, &values)).await;
        settle(client, answer)
    }

    async fn adopt(
        &self,
        subject: &SubjectId,
        account: &StripeAccountId,
        facts: &AccountFacts,
        asked_at: Timestamp,
        by: &str,
        now: Timestamp,
    ) -> Result<Claimed> {
        let key = [Value::word(subject), Value::word(account)];
        let values =
            key.into_iter().chain(stripe::link_values(facts, asked_at, by, now)?).collect::<Vec<_>>();
        self.claim(ADOPT, &values).await
    }

    async fn unlink(&self, subject: &SubjectId) -> Result<Option<StripeAccount>> {
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, unlink(&mut client, subject)).await;
        settle(client, answer)
    }

    async fn learn(
        &self,
        account: &StripeAccountId,
        facts: &AccountFacts,
        checked_at: Timestamp,
    ) -> Result<Option<StripeAccount>> {
        let values = [Value::word(account), stripe::facts_value(facts)?, checked_at.into()];
        Postgres::find(self, LEARN, &values, stripe::account).await
    }

    async fn deauthorize(&self, account: &StripeAccountId, at: Timestamp) -> Result<Option<StripeAccount>> {
        let values = [Value::word(account), at.into()];
        let lost = Postgres::find(self, DEAUTHORIZE, &values, stripe::account).await?;
        if lost.is_none() {
            self.execute(STILL_LOST, &values).await?;
        }
        Ok(lost)
    }

    async fn knows_event(&self, id: &str) -> Result<bool> {
        let values = [Value::text("stripe_events.id", id)?];
        Ok(Postgres::find(self, KNOWS, &values, |_| Ok(())).await?.is_some())
    }

    async fn remember_event(&self, id: &str, at: Timestamp) -> Result<()> {
        self.execute(REMEMBER, &[Value::text("stripe_events.id", id)?, at.into()]).await.map(drop)
    }

    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        Ok(self.execute(SWEEP_ATTEMPTS, &values).await? + self.execute(SWEEP_EVENTS, &values).await?)
    }
}

/// Takes the attempts before the account, as [`link`] does, so that the two do not wait for each other.
async fn unlink(client: &mut Object, subject: &SubjectId) -> Result<Option<StripeAccount>> {
    let values = [Value::word(subject)];
    let transaction = client.transaction().await?;
    execute(&transaction, FORGET_ATTEMPTS, &values).await?;
    let unlinked = find(&transaction, UNLINK, &values, stripe::account).await?;
    transaction.commit().await?;
    Ok(unlinked)
}

async fn link(client: &mut Object, values: &[Value; 3]) -> Result<Option<StripeAccount>> {
    let transaction = client.transaction().await?;
    // Of many callbacks the first takes the attempt, and the others wait for it here and then find it used.
    let Some(attempt) = find(&transaction, CONSUME, &values[..2], stripe::attempt).await? else {
        return Ok(None);
    };
    let key = [Value::word(&attempt.subject), Value::word(&attempt.account)];
    let [_, now, by] = values.clone();
    let rest = [now, by, attempt.created_at.into()];
    let linked = find(&transaction, LINK, &[&key[..], &rest[..]].concat(), stripe::account).await?;
    let session = [Value::word(attempt.session), values[1].clone()];
    // Without its commit the transaction takes everything back.
    if linked.is_none() || execute(&transaction, COMPLETE, &session).await? == 0 {
        return Ok(None);
    }
    transaction.commit().await?;
    Ok(linked)
}
