use async_trait::async_trait;
use model::{ReconnectReason, Timestamp};

use super::Postgres;
use super::listener::telling;
use super::refreshes::now;
use crate::cache::Thing;
use crate::drills::{AbandonedDrill, Drills, NewDrill};
use crate::refreshes::Claim;
use crate::rows::{abandoned_columns, drill_columns};
use crate::value::{self, Value};
use crate::{Result, rows};

// Of two at once the second waits for the first, reads the row again, and finds the lease.
const BEGIN: &str = concat!(
    "WITH free AS (SELECT *, $4::bigint + GREATEST(fence, tokens_fence, \
         (SELECT max(j.fence) FROM refresh_journal j WHERE j.credential = $1)) AS raised FROM credentials \
     WHERE id = $1 AND generation = $2 AND fence = $3 AND refresh_token IS NOT NULL AND broken_at IS NULL \
     AND (lease_until IS NULL OR lease_until <= ",
    now!("$5"),
    ") AND NOT EXISTS (SELECT 1 FROM refresh_hold) \
     AND NOT EXISTS (SELECT 1 FROM refresh_journal j WHERE j.credential = $1 AND j.generation >= $2) FOR UPDATE), \
     aside AS (INSERT INTO drills (",
    drill_columns!(),
    ") SELECT id, generation, raised, $10, last_error, failures, due_at, updated_at, ",
    now!("$5"),
    ", $6 FROM free ON CONFLICT DO NOTHING RETURNING credential, fence) \
     UPDATE credentials SET fence = aside.fence, refresh_token = $7, lease_holder = $8, lease_until = $9::bigint + ",
    now!("$5"),
    " FROM aside WHERE id = aside.credential RETURNING aside.fence"
);
const MARK_BROKEN: &str = telling!(
    "UPDATE credentials SET broken_at = $4, broken_reason = $5, updated_at = $4, \
     last_error = COALESCE($6, last_error), due_at = NULL WHERE id = $1 AND generation = $2 AND fence = $3 \
     AND EXISTS (SELECT 1 FROM drills d WHERE d.credential = $1 AND d.fence = $3)",
    "$7"
);
// The credential is locked first, as by everybody else.
const END: &str = concat!(
    "WITH held AS (SELECT id FROM credentials WHERE id = $1 AND ($3::bigint = 0 OR lease_until IS NULL \
     OR lease_until <= ",
    now!("$4"),
    ") FOR UPDATE), ended AS (DELETE FROM drills d USING held WHERE d.credential = held.id AND d.fence = $2 \
     RETURNING d.*), \
     restored AS (UPDATE credentials SET refresh_token = ended.refresh_token, last_error = ended.last_error, \
     failures = ended.failures, due_at = ended.due_at, updated_at = ended.updated_at, broken_at = NULL, \
     broken_reason = NULL, fence = credentials.fence + 1, lease_holder = NULL, lease_until = NULL FROM ended \
     WHERE id = ended.credential AND credentials.generation = ended.generation) \
     SELECT pg_notify('claviger_changes', $5) FROM ended"
);
const ABANDONED: &str = concat!(
    "SELECT ",
    abandoned_columns!(),
    " FROM drills d JOIN credentials k ON k.id = d.credential WHERE k.lease_until IS NULL OR k.lease_until <= \
     (SELECT ",
    now!("$1"),
    ") ORDER BY d.began_at, d.credential LIMIT $2"
);

#[async_trait]
impl Drills for Postgres {
    async fn begin(&self, new: &NewDrill) -> Result<Option<Claim>> {
        let (credential, generation) = (new.credential, new.generation);
        let values = [
            Value::word(credential),
            generation.into(),
            new.fence.into(),
            new.step.into(),
            self.now(),
            Value::text("drills.began_by", &new.by)?,
            Value::sealed(&new.stand_in),
            Value::word(new.holder),
            new.lease.into(),
            Value::sealed(&new.aside),
        ];
        let fence = self.find(BEGIN, &values, rows::fence).await?;
        Ok(fence.map(|fence| Claim { credential, generation, fence }))
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

    async fn end(&self, claim: &Claim) -> Result<bool> {
        self.end_drill(claim, false).await
    }

    async fn end_abandoned(&self, claim: &Claim) -> Result<bool> {
        self.end_drill(claim, true).await
    }

    async fn abandoned(&self, limit: u32) -> Result<Vec<AbandonedDrill>> {
        self.all(ABANDONED, &[self.now(), i64::from(limit).into()], rows::abandoned_drill).await
    }
}

impl Postgres {
    async fn end_drill(&self, claim: &Claim, only_abandoned: bool) -> Result<bool> {
        let [id, _, fence] = value::claim(claim);
        let values = vec![id, fence, i64::from(only_abandoned).into(), self.now()];
        self.change(END, values, Thing::credential(&claim.credential)).await
    }
}
