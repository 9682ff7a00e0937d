use async_trait::async_trait;
use model::{StripeAccountId, SubjectId, Timestamp};
use rusqlite::Connection as Database;
use vault::TokenHash;

use super::{Sqlite, execute, find};
use crate::rows::stripe::{self, stripe_account_columns, stripe_attempt_columns};
use crate::stripe::{AccountFacts, Claimed, Stripe, StripeAccount, StripeAttempt};
use crate::value::Value;
use crate::{Error, Result};

const RESERVE: &str = "INSERT INTO stripe_accounts (subject, nonce, created_at) VALUES (?1, ?2, ?3) \
    ON CONFLICT (subject) DO NOTHING";
const OF_SUBJECT: &str =
    concat!("SELECT ", stripe_account_columns!(), " FROM stripe_accounts WHERE subject = ?1");
const OF_ACCOUNT: &str =
    concat!("SELECT ", stripe_account_columns!(), " FROM stripe_accounts WHERE account = ?1");
const RENEW_NONCE: &str =
    "UPDATE stripe_accounts SET nonce = ?3 WHERE subject = ?1 AND nonce = ?2 AND account IS NULL";
const MADE: &str = concat!(
    "UPDATE stripe_accounts SET account = ?2 WHERE subject = ?1 AND account IS NULL \
     AND NOT EXISTS (SELECT 1 FROM stripe_accounts WHERE account = ?2) RETURNING ",
    stripe_account_columns!()
);
const BEGIN: &str = concat!(
    "INSERT INTO stripe_attempts (",
    stripe_attempt_columns!(),
    ", state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
);
const FIND: &str = concat!("SELECT ", stripe_attempt_columns!(), " FROM stripe_attempts WHERE state = ?1");
const CONSUME: &str = concat!(
    "UPDATE stripe_attempts SET consumed_at = ?2 WHERE state = ?1 AND consumed_at IS NULL AND expires_at > ?2 RETURNING ",
    stripe_attempt_columns!()
);
/// Only while the attempt is neither used nor expired, its session is open, the account is still the one that it is about, and
/// was not linked after it began.
const LINK: &str = concat!(
    "UPDATE stripe_accounts SET linked_at = COALESCE(linked_at, ?2), \
     linked_by = COALESCE(linked_by, ?3) WHERE deauthorized_at IS NULL AND EXISTS \
     (SELECT 1 FROM stripe_attempts a JOIN portal_sessions s ON s.id = a.session WHERE a.state = ?1 \
     AND a.consumed_at IS NULL AND a.expires_at > ?2 AND s.completed_at IS NULL AND s.withdrawn_at IS NULL \
     AND a.subject = stripe_accounts.subject AND a.account = stripe_accounts.account \
     AND (stripe_accounts.linked_at IS NULL OR stripe_accounts.linked_at < a.created_at)) RETURNING ",
    stripe_account_columns!()
);
const COMPLETE: &str = "UPDATE portal_sessions SET completed_at = ?2 WHERE id = ?1 AND completed_at IS NULL \
    AND withdrawn_at IS NULL";
const ADOPT: &str = concat!(
    "INSERT INTO stripe_accounts (subject, nonce, account, facts, created_at, checked_at, linked_at, linked_by) \
     SELECT ?1, '', ?2, ?3, ?4, ?6, ?4, ?5 WHERE NOT EXISTS \
     (SELECT 1 FROM stripe_accounts WHERE account = ?2 AND subject <> ?1) \
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
    concat!("DELETE FROM stripe_accounts WHERE subject = ?1 RETURNING ", stripe_account_columns!());
const FORGET_ATTEMPTS: &str = "DELETE FROM stripe_attempts WHERE subject = ?1";
const LEARN: &str = concat!(
    "UPDATE stripe_accounts SET facts = ?2, checked_at = ?3, deauthorized_at = NULL WHERE account = ?1 \
     AND (checked_at IS NULL OR checked_at <= ?3) RETURNING ",
    stripe_account_columns!()
);
const DEAUTHORIZE: &str = concat!(
    "UPDATE stripe_accounts SET deauthorized_at = ?2, checked_at = ?2 WHERE account = ?1 AND deauthorized_at IS NULL \
     AND (checked_at IS NULL OR checked_at <= ?2) RETURNING ",
    stripe_account_columns!()
);
const STILL_LOST: &str = "UPDATE stripe_accounts SET checked_at = ?2 WHERE account = ?1 AND deauthorized_at IS NOT NULL \
    AND (checked_at IS NULL OR checked_at <= ?2)";
const KNOWS: &str = "SELECT 1 FROM stripe_events WHERE id = ?1";
const REMEMBER: &str =
    "INSERT INTO stripe_events (id, received_at) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING";
const SWEEP_ATTEMPTS: &str = "DELETE FROM stripe_attempts WHERE id IN \
    (SELECT id FROM stripe_attempts WHERE expires_at < ?1 ORDER BY expires_at, id LIMIT ?2)";
const SWEEP_EVENTS: &str = "DELETE FROM stripe_events WHERE id IN \
    (SELECT id FROM stripe_events WHERE received_at < ?1 ORDER BY received_at LIMIT ?2)";

/// Why an account could not become a subject's.
fn refused(database: &Database, subject: &Value, account: &Value) -> Result<Claimed> {
    let owner = find(database, OF_ACCOUNT, std::slice::from_ref(account), stripe::account)?;
    let own = find(database, OF_SUBJECT, std::slice::from_ref(subject), stripe::account)?;
    stripe::refused(owner, own)
}

#[async_trait]
impl Stripe for Sqlite {
    async fn account(&self, subject: &SubjectId) -> Result<Option<StripeAccount>> {
        self.readers.read(|database| find(database, OF_SUBJECT, &[Value::word(subject)], stripe::account))
    }

    async fn of_account(&self, account: &StripeAccountId) -> Result<Option<StripeAccount>> {
        self.readers.read(|database| find(database, OF_ACCOUNT, &[Value::word(account)], stripe::account))
    }

    async fn reserve(&self, subject: &SubjectId, nonce: &str, at: Timestamp) -> Result<StripeAccount> {
        let values = [Value::word(subject), Value::word(nonce), at.into()];
        self.writer
            .write(&[], move |database| {
                execute(database, RESERVE, &values)?;
                let row = find(database, OF_SUBJECT, &values[..1], stripe::account)?;
                row.ok_or_else(Error::no_answer)
            })
            .await
    }

    async fn renew_nonce(&self, subject: &SubjectId, old: &str, new: &str) -> Result<bool> {
        let values = [Value::word(subject), Value::word(old), Value::word(new)];
        self.writer.write(&[], move |database| Ok(execute(database, RENEW_NONCE, &values)? > 0)).await
    }

    async fn made(&self, subject: &SubjectId, account: &StripeAccountId) -> Result<Claimed> {
        let values = [Value::word(subject), Value::word(account)];
        self.writer
            .write(&[], move |database| match find(database, MADE, &values, stripe::account)? {
                Some(made) => Ok(Claimed::Done(made)),
                None => refused(database, &values[0], &values[1]),
            })
            .await
    }

    async fn begin(&self, attempt: &StripeAttempt, state: &TokenHash) -> Result<()> {
        let values = stripe::attempt_values(attempt, state);
        self.writer.write(&[], move |database| execute(database, BEGIN, &values).map(drop)).await
    }

    async fn find(&self, state: &TokenHash) -> Result<Option<StripeAttempt>> {
        self.readers.read(|database| find(database, FIND, &[Value::hash(state)], stripe::attempt))
    }

    async fn consume(&self, state: &TokenHash, now: Timestamp) -> Result<Option<StripeAttempt>> {
        let values = [Value::hash(state), now.into()];
        self.writer.write(&[], move |database| find(database, CONSUME, &values, stripe::attempt)).await
    }

    async fn link(&self, state: &TokenHash, by: &str, now: Timestamp) -> Result<Option<StripeAccount>> {
        let by = Value::text("stripe_accounts.linked_by", by)?;
        let values = [Value::hash(state), now.into(), by];
        let link = move |database: &Database| {
            let linked = find(database, LINK, &values, stripe::account)?;
            if linked.is_some() {
                let attempt = find(database, CONSUME, &values[..2], stripe::attempt)?;
                let session = attempt.ok_or_else(Error::no_answer)?.session;
                execute(database, COMPLETE, &[Value::word(session), now.into()])?;
            }
            Ok(linked)
        };
        self.writer.write(&[], link).await
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
        self.writer
            .write(&[], move |database| match find(database, ADOPT, &values, stripe::account)? {
                Some(adopted) => Ok(Claimed::Done(adopted)),
                None => refused(database, &values[0], &values[1]),
            })
            .await
    }

    async fn unlink(&self, subject: &SubjectId) -> Result<Option<StripeAccount>> {
        let values = [Value::word(subject)];
        self.writer
            .write(&[], move |database| {
                execute(database, FORGET_ATTEMPTS, &values)?;
                find(database, UNLINK, &values, stripe::account)
            })
            .await
    }

    async fn learn(
        &self,
        account: &StripeAccountId,
        facts: &AccountFacts,
        checked_at: Timestamp,
    ) -> Result<Option<StripeAccount>> {
        let values = [Value::word(account), stripe::facts_value(facts)?, checked_at.into()];
        self.writer.write(&[], move |database| find(database, LEARN, &values, stripe::account)).await
    }

    async fn deauthorize(&self, account: &StripeAccountId, at: Timestamp) -> Result<Option<StripeAccount>> {
        let values = [Value::word(account), at.into()];
        self.writer
            .write(&[], move |database| {
                let lost = find(database, DEAUTHORIZE, &values, stripe::account)?;
                if lost.is_none() {
                    execute(database, STILL_LOST, &values)?;
                }
                Ok(lost)
            })
            .await
    }

    async fn knows_event(&self, id: &str) -> Result<bool> {
        let values = [Value::text("stripe_events.id", id)?];
        Ok(self.readers.read(|database| find(database, KNOWS, &values, |_| Ok(())))?.is_some())
    }

    async fn remember_event(&self, id: &str, at: Timestamp) -> Result<()> {
        let values = [Value::text("stripe_events.id", id)?, at.into()];
        self.writer.write(&[], move |database| execute(database, REMEMBER, &values).map(drop)).await
    }

    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        self.writer
            .write(&[], move |database| {
                let swept = execute(database, SWEEP_ATTEMPTS, &values)?;
                Ok((swept + execute(database, SWEEP_EVENTS, &values)?) as u64)
            })
            .await
    }
}
