use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{CredentialId, IntegrationId, ReconnectReason, Timestamp};

use super::{Sqlite, all, execute, find};
use crate::cache::Thing;
use crate::credentials::SealedTokens;
use crate::refreshes::{
    Backlog, Claim, Due, Ending, EndingGrant, Hold, Look, NewClaim, Refreshes, Settlement,
};
use crate::rows::{credential_columns, due_columns, ending_columns, hold_columns, look_columns, look_tables};
use crate::value::{self, Value};
use crate::{Result, rows};

const LOOK: &str = concat!(
    "SELECT ",
    credential_columns!(),
    ", ",
    look_columns!(),
    ", ?2 FROM ",
    look_tables!(),
    " WHERE id = ?1 ORDER BY call_fence"
);
const CLAIM: &str = "UPDATE credentials SET \
    fence = ?7 + max(fence, tokens_fence, \
        COALESCE((SELECT max(j.fence) FROM refresh_journal j WHERE j.credential = ?1), 0)), \
    lease_holder = ?4, lease_until = ?6 \
    WHERE id = ?1 AND generation = ?2 AND fence = ?3 AND broken_at IS NULL \
    AND (lease_until IS NULL OR lease_until <= ?5 OR ?8 = 1) AND NOT EXISTS (SELECT 1 FROM refresh_hold) \
    AND NOT EXISTS (SELECT 1 FROM drills d WHERE d.credential = ?1) RETURNING fence";
const SEND: &str = "INSERT INTO refresh_journal (credential, generation, fence, phase, silent, holder, started_at) \
    VALUES (?1, ?2, ?3, 'sent', 0, ?4, ?5)";
const RENEW: &str = "UPDATE credentials SET lease_until = ?4 \
    WHERE id = ?1 AND generation = ?2 AND fence = ?3 AND lease_until IS NOT NULL";

/// Puts tokens in place of those of a generation, brought by the claim of fence `?3`.
macro_rules! put_tokens {
    ($condition:literal) => {
        concat!(
            "UPDATE credentials SET access_token = ?4, refresh_token = COALESCE(?5, \
             (SELECT d.refresh_token FROM drills d WHERE d.credential = ?1), refresh_token), \
             extra = COALESCE(?6, extra), token_type = ?7, scopes = ?8, expires_at = ?9, obtained_at = ?10, \
             refreshed_at = ?10, updated_at = ?10, due_at = ?11, generation = generation + 1, tokens_fence = ?3, \
             lease_holder = NULL, lease_until = NULL, broken_at = NULL, broken_reason = NULL, last_error = NULL, \
             failures = 0 WHERE id = ?1 AND generation = ?2",
            $condition
        )
    };
}
const COMMIT: &str = put_tokens!(" AND fence = ?3");
const ADOPT: &str = put_tokens!("");
const CLEAN: &str = "DELETE FROM refresh_journal WHERE credential = ?1 AND (fence = ?3 OR generation < ?2)";
/// New tokens end a drill.
const END_DRILL: &str = "DELETE FROM drills WHERE credential = ?1";

const KEEP_ORPHAN: &str = "INSERT INTO refresh_journal \
    (credential, generation, fence, phase, silent, started_at, answer) \
    SELECT id, ?2, ?3, 'orphan', 0, ?5, ?4 FROM credentials WHERE id = ?1 \
    ON CONFLICT (credential, fence) DO UPDATE SET generation = excluded.generation, phase = 'orphan', silent = 0, \
    answer = excluded.answer";
const SETTLE: &str = "UPDATE credentials SET lease_holder = CASE ?4 WHEN 1 THEN lease_holder END, \
    lease_until = CASE ?4 WHEN 1 THEN lease_until END, due_at = COALESCE(?5, due_at), \
    last_error = COALESCE(?6, last_error), failures = failures + (?6 IS NOT NULL) \
    WHERE id = ?1 AND generation = ?2 AND fence = ?3";
const NOT_PROCESSED: &str =
    "DELETE FROM refresh_journal WHERE credential = ?1 AND fence = ?2 AND phase <> 'orphan'";
const AMBIGUOUS: &str = "UPDATE refresh_journal SET phase = 'ambiguous', \
    started_at = min(started_at, COALESCE((SELECT min(j.started_at) FROM refresh_journal j WHERE j.credential = ?1 \
        AND j.generation = ?2 AND j.fence < ?3 AND j.phase = 'ambiguous'), started_at)), \
    silent = max(?4, EXISTS (SELECT 1 FROM refresh_journal j WHERE j.credential = ?1 AND j.generation = ?2 \
        AND j.fence <= ?3 AND j.phase = 'ambiguous' AND j.silent = 1)) \
    WHERE credential = ?1 AND fence = ?3 AND phase <> 'orphan'";
/// Takes the place of earlier such calls.
const REPLACE: &str = "DELETE FROM refresh_journal \
    WHERE credential = ?1 AND generation = ?2 AND fence < ?3 AND phase = 'ambiguous'";
const MARK_BROKEN: &str = "UPDATE credentials SET broken_at = ?4, broken_reason = ?5, updated_at = ?4, \
    last_error = COALESCE(?6, last_error), due_at = NULL, lease_holder = NULL, lease_until = NULL \
    WHERE id = ?1 AND generation = ?2 AND fence = ?3";
const FORGET: &str = "DELETE FROM refresh_journal WHERE credential = ?1 AND fence = ?2";

const SCHEDULE: &str = "UPDATE credentials SET due_at = ?3, \
    lease_holder = CASE WHEN lease_until > ?4 THEN lease_holder END, \
    lease_until = CASE WHEN lease_until > ?4 THEN lease_until END WHERE id = ?1 AND generation = ?2";
const HASTEN: &str = "UPDATE credentials SET due_at = ?3 WHERE due_at > ?3 AND broken_at IS NULL \
    AND integration = ?1 AND client_id = ?2 AND failures > 0";
const DUE: &str = concat!(
    "SELECT ",
    due_columns!(),
    ", due_at FROM credentials WHERE due_at <= ?1 AND broken_at IS NULL \
     AND (lease_until IS NULL OR lease_until <= ?2) \
     AND integration || ' ' || client_id NOT IN (SELECT value FROM json_each(?3)) ORDER BY due_at, id LIMIT ?4"
);
const POSTPONE: &str = "UPDATE credentials SET due_at = ?2 WHERE id = ?1";
const ABANDONED: &str = concat!(
    "SELECT ",
    due_columns!(),
    ", lease_until FROM credentials WHERE lease_until <= ?1 ORDER BY lease_until, id LIMIT ?2"
);
const NOTE_USE: &str =
    "UPDATE credentials SET used_at = ?2 WHERE id = ?1 AND (used_at IS NULL OR used_at < ?2)";
const ENDING: &str = concat!(
    "SELECT ",
    ending_columns!(),
    " FROM credentials WHERE grant_ends_at < ?1 AND (warned_days IS NULL OR warned_days > ?2) \
     ORDER BY grant_ends_at, id LIMIT ?3"
);
const MARK_WARNED: &str = "UPDATE credentials SET warned_days = ?3 WHERE id = ?1 AND warned_days IS ?2";
const BACKLOG: &str = "SELECT (SELECT min(due_at) FROM credentials WHERE due_at <= ?1 AND broken_at IS NULL), \
    (SELECT count(*) FROM refresh_journal)";
const HOLD: &str = concat!(
    "INSERT INTO refresh_hold (id, ",
    hold_columns!(),
    ") VALUES (1, ?1, ?2, ?3) ON CONFLICT (id) DO NOTHING"
);
const RESUME: &str = "DELETE FROM refresh_hold";
const HELD: &str = concat!("SELECT ", hold_columns!(), " FROM refresh_hold");

#[async_trait]
impl Refreshes for Sqlite {
    async fn look(&self, id: &CredentialId) -> Result<Option<Look>> {
        let values = [Value::word(id), self.clock.now().into()];
        self.readers.read(|database| all(database, LOOK, &values, rows::look)).map(rows::gathered)
    }

    async fn claim(&self, claim: &NewClaim) -> Result<Option<Claim>> {
        let NewClaim { credential, generation, fence, again, holder, lease, step } = *claim;
        let clock = Arc::clone(&self.clock);
        let claim = move |database: &_| {
            let now = clock.now();
            let (id, holder) = (Value::word(credential), Value::word(holder));
            let (generation, until) = (generation.into(), (now + lease).into());
            let again = i64::from(again).into();
            let values = [id, generation, fence.into(), holder, now.into(), until, step.into(), again];
            let Some(fence) = find(database, CLAIM, &values, rows::fence)? else { return Ok(None) };
            let [id, generation, _, holder, now, ..] = values;
            execute(database, SEND, &[id, generation, fence.into(), holder, now])?;
            Ok(Some(fence))
        };
        let fence = self.writer.write(&[], claim).await?;
        Ok(fence.map(|fence| Claim { credential, generation, fence }))
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<bool> {
        let (claim, clock) = (value::claim(claim), Arc::clone(&self.clock));
        let renew = move |database: &_| {
            let until = [(clock.now() + lease).into()];
            Ok(execute(database, RENEW, claim.iter().chain(&until))? > 0)
        };
        self.writer.write(&[], renew).await
    }

    async fn commit(&self, claim: &Claim, tokens: &SealedTokens, due: Option<Timestamp>) -> Result<bool> {
        self.put_tokens(COMMIT, claim, tokens, due).await
    }

    async fn adopt(
        &self,
        id: &CredentialId,
        generation: i64,
        fence: i64,
        tokens: &SealedTokens,
        due: Option<Timestamp>,
    ) -> Result<bool> {
        self.put_tokens(ADOPT, &Claim { credential: *id, generation, fence }, tokens, due).await
    }

    async fn keep_orphan(&self, claim: &Claim, tokens: &SealedTokens) -> Result<bool> {
        let [id, generation, fence] = value::claim(claim);
        let answer = Value::json("refresh_journal.answer", tokens)?;
        let values = [id, generation, fence, answer, self.clock.now().into()];
        self.writer.write(&[], move |database| Ok(execute(database, KEEP_ORPHAN, &values)? > 0)).await
    }

    async fn settle(&self, claim: &Claim, settlement: &Settlement) -> Result<bool> {
        let claim = value::claim(claim);
        let rest = [
            i64::from(settlement.keep_lease).into(),
            settlement.due_at.into(),
            value::optional_text("credentials.last_error", settlement.error.as_deref())?,
        ];
        let ending = settlement.ending;
        let settle = move |database: &_| {
            let is_ours = execute(database, SETTLE, claim.iter().chain(&rest))? > 0;
            match ending {
                Ending::NotProcessed => {
                    execute(database, NOT_PROCESSED, [&claim[0], &claim[2]])?;
                }
                Ending::Ambiguous { silent } => {
                    let silent = [i64::from(silent).into()];
                    let changed = execute(database, AMBIGUOUS, claim.iter().chain(&silent))?;
                    if is_ours && changed > 0 {
                        execute(database, REPLACE, &claim)?;
                    }
                }
            }
            Ok(is_ours)
        };
        self.writer.write(&[], settle).await
    }

    async fn mark_broken(
        &self,
        claim: &Claim,
        reason: ReconnectReason,
        error: Option<&str>,
        at: Timestamp,
    ) -> Result<bool> {
        let thing = Thing::credential(&claim.credential);
        let claim = value::claim(claim);
        let error = value::optional_text("credentials.last_error", error)?;
        let rest = [at.into(), Value::word(reason.word()), error];
        let mark = move |database: &_| {
            let is_ours = execute(database, MARK_BROKEN, claim.iter().chain(&rest))? > 0;
            if is_ours {
                execute(database, FORGET, [&claim[0], &claim[2]])?;
            }
            Ok(is_ours)
        };
        self.writer.write(&[thing], mark).await
    }

    async fn schedule(&self, id: &CredentialId, generation: i64, due: Option<Timestamp>) -> Result<bool> {
        let (clock, values) = (Arc::clone(&self.clock), [Value::word(id), generation.into(), due.into()]);
        let schedule = move |database: &_| {
            let now = [clock.now().into()];
            Ok(execute(database, SCHEDULE, values.iter().chain(&now))? > 0)
        };
        self.writer.write(&[], schedule).await
    }

    async fn hasten(&self, integration: &IntegrationId, client_id: &str, now: Timestamp) -> Result<u64> {
        let client_id = Value::text("credentials.client_id", client_id)?;
        let values = [Value::word(integration), client_id, now.into()];
        self.writer.write(&[], move |database| Ok(execute(database, HASTEN, &values)? as u64)).await
    }

    async fn take_due(
        &self,
        now: Timestamp,
        postponed: Timestamp,
        except: &[(IntegrationId, String)],
        limit: u32,
    ) -> Result<Vec<Due>> {
        let leases_at = self.clock.now().into();
        let values = [now.into(), leases_at, value::pairs(except)?, i64::from(limit).into()];
        let take = move |database: &_| {
            let taken = all(database, DUE, &values, |row| rows::due(row))?;
            for due in &taken {
                execute(database, POSTPONE, &[Value::word(due.credential), postponed.into()])?;
            }
            Ok(taken)
        };
        self.writer.write(&[], take).await
    }

    async fn abandoned(&self, limit: u32) -> Result<Vec<Due>> {
        let values = [self.clock.now().into(), i64::from(limit).into()];
        self.readers.read(|database| all(database, ABANDONED, &values, rows::due))
    }

    async fn note_use(&self, ids: &[CredentialId], at: Timestamp) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let things: Vec<_> = ids.iter().map(Thing::credential).collect();
        let ids: Vec<_> = ids.iter().map(Value::word).collect();
        let note = move |database: &_| {
            let at = at.into();
            ids.iter().try_for_each(|id| execute(database, NOTE_USE, [id, &at]).map(drop))
        };
        self.writer.write(&things, note).await
    }

    async fn ending(&self, before: Timestamp, days: i64, limit: u32) -> Result<Vec<EndingGrant>> {
        let values = [before.into(), days.into(), i64::from(limit).into()];
        self.readers.read(|database| all(database, ENDING, &values, rows::ending_grant))
    }

    async fn mark_warned(&self, grant: &EndingGrant, days: i64) -> Result<bool> {
        let values = [Value::word(grant.credential), grant.warned_days.into(), days.into()];
        self.writer.write(&[], move |database| Ok(execute(database, MARK_WARNED, &values)? > 0)).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        let now = [self.clock.now().into()];
        let backlog = self.readers.read(|database| find(database, BACKLOG, &now, rows::backlog))?;
        backlog.ok_or_else(crate::Error::no_answer)
    }

    async fn hold(&self, hold: &Hold) -> Result<bool> {
        let values = value::hold(hold)?;
        self.writer.write(&[], move |database| Ok(execute(database, HOLD, &values)? > 0)).await
    }

    async fn resume(&self) -> Result<bool> {
        self.writer.write(&[], |database| Ok(execute(database, RESUME, [])? > 0)).await
    }

    async fn held(&self) -> Result<Option<Hold>> {
        self.readers.read(|database| find(database, HELD, [], rows::hold))
    }
}

impl Sqlite {
    /// Runs [`COMMIT`] or [`ADOPT`], and cleans the journal where it wrote.
    async fn put_tokens(
        &self,
        sql: &'static str,
        claim: &Claim,
        tokens: &SealedTokens,
        due: Option<Timestamp>,
    ) -> Result<bool> {
        let thing = Thing::credential(&claim.credential);
        let (claim, tokens, due) = (value::claim(claim), value::tokens(tokens)?, [due.into()]);
        let put = move |database: &_| {
            let is_done = execute(database, sql, claim.iter().chain(&tokens).chain(&due))? > 0;
            if is_done {
                execute(database, CLEAN, &claim)?;
                execute(database, END_DRILL, &claim[..1])?;
            }
            Ok(is_done)
        };
        self.writer.write(&[thing], put).await
    }
}
