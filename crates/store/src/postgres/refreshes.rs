use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{CredentialId, IntegrationId, ReconnectReason, Timestamp};

use super::listener::telling;
use super::{ANSWER_TIMEOUT, Postgres, settle};
use crate::cache::Thing;
use crate::credentials::SealedTokens;
use crate::refreshes::{
    Backlog, Claim, Due, Ending, EndingGrant, Hold, Look, NewClaim, Refreshes, Settlement,
};
use crate::rows::{credential_columns, due_columns, ending_columns, hold_columns, look_columns, look_tables};
use crate::value::{self, Value};
use crate::{Result, rows};

/// The time: a clock's that is not the world's, else the server's at the moment when the row is looked at, which may be
/// long after the statement began, if it waited for another.
macro_rules! now {
    ($parameter:literal) => {
        concat!(
            "COALESCE(",
            $parameter,
            "::bigint, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT))"
        )
    };
}
pub(super) use now;

const LOOK: &str = concat!(
    "SELECT ",
    credential_columns!(),
    ", ",
    look_columns!(),
    ", ",
    now!("$2"),
    " FROM ",
    look_tables!(),
    " WHERE id = $1 ORDER BY call_fence"
);
// Of two at once the second waits for the first, reads the row again, and finds the lease.
const CLAIM: &str = concat!(
    "WITH claimed AS (UPDATE credentials SET \
     fence = $7::bigint + GREATEST(fence, tokens_fence, \
         (SELECT max(j.fence) FROM refresh_journal j WHERE j.credential = $1)), \
     lease_holder = $4, lease_until = $6::bigint + ",
    now!("$5"),
    " WHERE id = $1 AND generation = $2 AND fence = $3 AND broken_at IS NULL \
     AND (lease_until IS NULL OR lease_until <= ",
    now!("$5"),
    " OR $8::bigint = 1) AND NOT EXISTS (SELECT 1 FROM refresh_hold) \
     AND NOT EXISTS (SELECT 1 FROM drills d WHERE d.credential = $1) RETURNING fence) \
     INSERT INTO refresh_journal (credential, generation, fence, phase, silent, holder, started_at) \
     SELECT $1, $2, fence, 'sent', 0, $4, ",
    now!("$5"),
    " FROM claimed RETURNING fence"
);
const RENEW: &str = concat!(
    "UPDATE credentials SET lease_until = $5::bigint + ",
    now!("$4"),
    " WHERE id = $1 AND generation = $2 AND fence = $3 AND lease_until IS NOT NULL"
);

/// Puts tokens in place of those of a generation, brought by the claim of fence `$3`, cleans the journal, and ends a drill.
macro_rules! put_tokens {
    ($condition:literal) => {
        telling!(
            concat!(
                "UPDATE credentials SET access_token = $4, refresh_token = COALESCE($5, \
                 (SELECT d.refresh_token FROM drills d WHERE d.credential = $1), refresh_token), \
                 extra = COALESCE($6, extra), token_type = $7, scopes = $8, expires_at = $9, obtained_at = $10, \
                 refreshed_at = $10, updated_at = $10, due_at = $11, generation = generation + 1, tokens_fence = $3, \
                 lease_holder = NULL, lease_until = NULL, broken_at = NULL, broken_reason = NULL, \
                 last_error = NULL, failures = 0 WHERE id = $1 AND generation = $2",
                $condition
            ),
            "$12",
            "DELETE FROM refresh_journal WHERE credential = $1 AND (fence = $3 OR generation < $2) \
             AND EXISTS (SELECT 1 FROM done)",
            "DELETE FROM drills WHERE credential = $1 AND EXISTS (SELECT 1 FROM done)"
        )
    };
}
const COMMIT: &str = put_tokens!(" AND fence = $3");
const ADOPT: &str = put_tokens!("");
// In a statement of its own: one that waits for a drill that begins does not see the drill's row afterwards.
const LOCK: &str = "SELECT 1 FROM credentials WHERE id = $1 FOR UPDATE";

// Waits for whoever erases the credential, and then finds none.
const KEEP_ORPHAN: &str = concat!(
    "WITH alive AS (SELECT id FROM credentials WHERE id = $1 FOR UPDATE) \
     INSERT INTO refresh_journal (credential, generation, fence, phase, silent, started_at, answer) \
     SELECT id, $2, $3, 'orphan', 0, ",
    now!("$5"),
    ", $4 FROM alive ON CONFLICT (credential, fence) DO UPDATE SET generation = excluded.generation, \
     phase = 'orphan', silent = 0, answer = excluded.answer"
);

/// Ends a call; beside it goes what becomes of the journal.
macro_rules! settle {
    ($($journal:literal),*) => {
        concat!(
            "WITH ours AS (UPDATE credentials SET lease_holder = CASE $4::bigint WHEN 1 THEN lease_holder END, \
             lease_until = CASE $4::bigint WHEN 1 THEN lease_until END, due_at = COALESCE($5, due_at), \
             last_error = COALESCE($6, last_error), failures = failures + CASE WHEN $6 IS NULL THEN 0 ELSE 1 END \
             WHERE id = $1 AND generation = $2 AND fence = $3 RETURNING 1), ",
            $($journal,)*
            " SELECT 1 FROM ours"
        )
    };
}
const NOT_PROCESSED: &str = settle!(
    "gone AS (DELETE FROM refresh_journal WHERE credential = $1 AND fence = $3 AND phase <> 'orphan')"
);
// The two parts about the journal see it as it was before, and each touches rows that the other does not.
const AMBIGUOUS: &str = settle!(
    "ended AS (UPDATE refresh_journal SET phase = 'ambiguous', started_at = LEAST(started_at, (SELECT min(j.started_at) \
     FROM refresh_journal j WHERE j.credential = $1 AND j.generation = $2 AND j.fence < $3 \
     AND j.phase = 'ambiguous')), silent = CASE WHEN $7::bigint = 1 OR EXISTS \
     (SELECT 1 FROM refresh_journal j WHERE j.credential = $1 AND j.generation = $2 AND j.fence <= $3 \
     AND j.phase = 'ambiguous' AND j.silent = 1) THEN 1 ELSE 0 END \
     WHERE credential = $1 AND fence = $3 AND phase <> 'orphan' RETURNING 1), ",
    "replaced AS (DELETE FROM refresh_journal WHERE credential = $1 AND generation = $2 AND fence < $3 \
     AND phase = 'ambiguous' AND EXISTS (SELECT 1 FROM ours) AND EXISTS (SELECT 1 FROM ended))"
);
const MARK_BROKEN: &str = telling!(
    "UPDATE credentials SET broken_at = $4, broken_reason = $5, updated_at = $4, \
     last_error = COALESCE($6, last_error), due_at = NULL, lease_holder = NULL, lease_until = NULL \
     WHERE id = $1 AND generation = $2 AND fence = $3",
    "$7",
    "DELETE FROM refresh_journal WHERE credential = $1 AND fence = $3 AND EXISTS (SELECT 1 FROM done)"
);

const SCHEDULE: &str = concat!(
    "UPDATE credentials SET due_at = $3, lease_holder = CASE WHEN lease_until > ",
    now!("$4"),
    " THEN lease_holder END, lease_until = CASE WHEN lease_until > ",
    now!("$4"),
    " THEN lease_until END WHERE id = $1 AND generation = $2"
);
// In the order of the ids, so that two replicas do not wait for each other crosswise.
const HASTEN: &str = "WITH late AS (SELECT id FROM credentials WHERE due_at > $3 AND broken_at IS NULL \
    AND integration = $1 AND client_id = $2 AND failures > 0 ORDER BY id FOR UPDATE) \
    UPDATE credentials SET due_at = $3 FROM late WHERE credentials.id = late.id";
const TAKE_DUE: &str = concat!(
    "WITH due AS (SELECT id, due_at AS since FROM credentials WHERE due_at <= $1 AND broken_at IS NULL \
     AND (lease_until IS NULL OR lease_until <= ",
    now!("$2"),
    ") AND integration || ' ' || client_id NOT IN (SELECT jsonb_array_elements_text($3::text::jsonb)) \
     ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED), \
     taken AS (UPDATE credentials SET due_at = $5 FROM due WHERE credentials.id = due.id \
     RETURNING credentials.id, generation, subject, integration, client_id, since) \
     SELECT ",
    due_columns!(),
    ", since FROM taken ORDER BY since, id"
);
const ABANDONED: &str = concat!(
    "SELECT ",
    due_columns!(),
    ", lease_until FROM credentials WHERE lease_until <= (SELECT ",
    now!("$1"),
    ") ORDER BY lease_until, id LIMIT $2"
);
// In the order of the ids, as above.
const NOTE_USE: &str = "WITH used AS (SELECT pair->>0 AS id, pair->>1 AS notice \
    FROM jsonb_array_elements($1::text::jsonb) pair), \
    locked AS (SELECT id FROM credentials WHERE id IN (SELECT id FROM used) AND (used_at IS NULL OR used_at < $2) \
    ORDER BY id FOR UPDATE), \
    done AS (UPDATE credentials SET used_at = $2 FROM locked WHERE credentials.id = locked.id \
    RETURNING credentials.id) \
    SELECT pg_notify('claviger_changes', notice) FROM used JOIN done ON done.id = used.id";
const ENDING: &str = concat!(
    "SELECT ",
    ending_columns!(),
    " FROM credentials WHERE grant_ends_at < $1 AND (warned_days IS NULL OR warned_days > $2) \
     ORDER BY grant_ends_at, id LIMIT $3"
);
const MARK_WARNED: &str =
    "UPDATE credentials SET warned_days = $3 WHERE id = $1 AND warned_days IS NOT DISTINCT FROM $2";
const BACKLOG: &str = concat!(
    "SELECT (SELECT min(due_at) FROM credentials WHERE due_at <= (SELECT ",
    now!("$1"),
    ") AND broken_at IS NULL), (SELECT count(*) FROM refresh_journal)"
);
const HOLD: &str = concat!(
    "INSERT INTO refresh_hold (id, ",
    hold_columns!(),
    ") VALUES (1, $1, $2, $3) ON CONFLICT (id) DO NOTHING"
);
const RESUME: &str = "DELETE FROM refresh_hold";
const HELD: &str = concat!("SELECT ", hold_columns!(), " FROM refresh_hold");

#[async_trait]
impl Refreshes for Postgres {
    async fn look(&self, id: &CredentialId) -> Result<Option<Look>> {
        self.all(LOOK, &[Value::word(id), self.now()], rows::look).await.map(rows::gathered)
    }

    async fn claim(&self, claim: &NewClaim) -> Result<Option<Claim>> {
        let NewClaim { credential, generation, fence, again, holder, lease, step } = *claim;
        let (id, holder) = (Value::word(credential), Value::word(holder));
        let again = i64::from(again).into();
        let values =
            [id, generation.into(), fence.into(), holder, self.now(), lease.into(), step.into(), again];
        let fence = self.find(CLAIM, &values, rows::fence).await?;
        Ok(fence.map(|fence| Claim { credential, generation, fence }))
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<bool> {
        let [id, generation, fence] = value::claim(claim);
        let values = [id, generation, fence, self.now(), lease.into()];
        Ok(self.execute(RENEW, &values).await? > 0)
    }

    async fn commit(&self, claim: &Claim, tokens: &SealedTokens, due: Option<Timestamp>) -> Result<bool> {
        self.change(COMMIT, put_values(claim, tokens, due)?, Thing::credential(&claim.credential)).await
    }

    async fn adopt(
        &self,
        id: &CredentialId,
        generation: i64,
        fence: i64,
        tokens: &SealedTokens,
        due: Option<Timestamp>,
    ) -> Result<bool> {
        let claim = Claim { credential: *id, generation, fence };
        let thing = Thing::credential(id);
        let mut values = put_values(&claim, tokens, due)?;
        values.push(Value::Text(thing.to_notice()));
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, adopt(&mut client, &values)).await;
        // After an error too: the transaction may have come through all the same.
        self.epochs.changed(thing);
        settle(client, answer)
    }

    async fn keep_orphan(&self, claim: &Claim, tokens: &SealedTokens) -> Result<bool> {
        let [id, generation, fence] = value::claim(claim);
        let answer = Value::json("refresh_journal.answer", tokens)?;
        Ok(self.execute(KEEP_ORPHAN, &[id, generation, fence, answer, self.now()]).await? > 0)
    }

    async fn settle(&self, claim: &Claim, settlement: &Settlement) -> Result<bool> {
        let mut values = value::claim(claim).to_vec();
        values.extend([
            i64::from(settlement.keep_lease).into(),
            settlement.due_at.into(),
            value::optional_text("credentials.last_error", settlement.error.as_deref())?,
        ]);
        let sql = match settlement.ending {
            Ending::NotProcessed => NOT_PROCESSED,
            Ending::Ambiguous { silent } => {
                values.push(i64::from(silent).into());
                AMBIGUOUS
            }
        };
        Ok(!self.query(sql, &values).await?.is_empty())
    }

    async fn mark_broken(
        &self,
        claim: &Claim,
        reason: ReconnectReason,
        error: Option<&str>,
        at: Timestamp,
    ) -> Result<bool> {
        let error = value::optional_text("credentials.last_error", error)?;
        let rest = [at.into(), Value::word(reason.word()), error];
        let values = value::claim(claim).into_iter().chain(rest).collect();
        self.change(MARK_BROKEN, values, Thing::credential(&claim.credential)).await
    }

    async fn schedule(&self, id: &CredentialId, generation: i64, due: Option<Timestamp>) -> Result<bool> {
        let values = [Value::word(id), generation.into(), due.into(), self.now()];
        Ok(self.execute(SCHEDULE, &values).await? > 0)
    }

    async fn hasten(&self, integration: &IntegrationId, client_id: &str, now: Timestamp) -> Result<u64> {
        let client_id = Value::text("credentials.client_id", client_id)?;
        self.execute(HASTEN, &[Value::word(integration), client_id, now.into()]).await
    }

    async fn take_due(
        &self,
        now: Timestamp,
        postponed: Timestamp,
        except: &[(IntegrationId, String)],
        limit: u32,
    ) -> Result<Vec<Due>> {
        let (except, limit) = (value::pairs(except)?, i64::from(limit).into());
        self.all(TAKE_DUE, &[now.into(), self.now(), except, limit, postponed.into()], rows::due).await
    }

    async fn abandoned(&self, limit: u32) -> Result<Vec<Due>> {
        self.all(ABANDONED, &[self.now(), i64::from(limit).into()], rows::due).await
    }

    async fn note_use(&self, ids: &[CredentialId], at: Timestamp) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let things: Vec<_> = ids.iter().map(Thing::credential).collect();
        let used: Vec<_> =
            ids.iter().zip(&things).map(|(id, thing)| [id.to_string(), thing.to_notice()]).collect();
        let done = self.query(NOTE_USE, &[Value::json("credentials.id", &used)?, at.into()]).await;
        // After an error too: the statement may have come through all the same.
        for thing in things {
            self.epochs.changed(thing);
        }
        done.map(drop)
    }

    async fn ending(&self, before: Timestamp, days: i64, limit: u32) -> Result<Vec<EndingGrant>> {
        let values = [before.into(), days.into(), i64::from(limit).into()];
        self.all(ENDING, &values, rows::ending_grant).await
    }

    async fn mark_warned(&self, grant: &EndingGrant, days: i64) -> Result<bool> {
        let values = [Value::word(grant.credential), grant.warned_days.into(), days.into()];
        Ok(self.execute(MARK_WARNED, &values).await? > 0)
    }

    async fn backlog(&self) -> Result<Backlog> {
        let backlog = self.find(BACKLOG, &[self.now()], rows::backlog).await?;
        backlog.ok_or_else(crate::Error::no_answer)
    }

    async fn hold(&self, hold: &Hold) -> Result<bool> {
        Ok(self.execute(HOLD, &value::hold(hold)?).await? > 0)
    }

    async fn resume(&self) -> Result<bool> {
        Ok(self.execute(RESUME, &[]).await? > 0)
    }

    async fn held(&self) -> Result<Option<Hold>> {
        self.find(HELD, &[], rows::hold).await
    }
}

impl Postgres {
    /// The parameter of [`now`]: nothing where the server's clock is to be asked.
    pub(super) fn now(&self) -> Value {
        if self.clock.is_wall_clock() { Value::Null } else { self.clock.now().into() }
    }
}

/// The parameters of [`put_tokens`], but the notice.
fn put_values(claim: &Claim, tokens: &SealedTokens, due: Option<Timestamp>) -> Result<Vec<Value>> {
    Ok(value::claim(claim).into_iter().chain(value::tokens(tokens)?).chain([due.into()]).collect())
}

async fn adopt(client: &mut Object, values: &[Value]) -> Result<bool> {
    let transaction = client.transaction().await?;
    super::query(&transaction, LOCK, &values[..1]).await?;
    let done = super::query(&transaction, ADOPT, values).await?;
    transaction.commit().await?;
    Ok(!done.is_empty())
}
