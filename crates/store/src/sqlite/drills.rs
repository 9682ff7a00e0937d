use std::sync::Arc;

use async_trait::async_trait;
use model::{ReconnectReason, Timestamp};

use super::{Sqlite, all, execute, find};
use crate::cache::Thing;
use crate::drills::{AbandonedDrill, Drills, NewDrill};
use crate::refreshes::Claim;
use crate::rows::{abandoned_columns, drill_columns};
use crate::value::{self, Value};
use crate::{Result, rows};

const SET_ASIDE: &str = concat!(
    "INSERT INTO drills (",
    drill_columns!(),
    ") SELECT id, generation, ?4 + max(fence, tokens_fence, \
         COALESCE((SELECT max(j.fence) FROM refresh_journal j WHERE j.credential = ?1), 0)), \
     ?7, last_error, failures, due_at, updated_at, ?5, ?6 FROM credentials \
     WHERE id = ?1 AND generation = ?2 AND fence = ?3 AND refresh_token IS NOT NULL AND broken_at IS NULL \
     AND (lease_until IS NULL OR lease_until <= ?5) AND NOT EXISTS (SELECT 1 FROM refresh_hold) \
     AND NOT EXISTS (SELECT 1 FROM refresh_journal j WHERE j.credential = ?1 AND j.generation >= ?2) \
     ON CONFLICT DO NOTHING RETURNING fence"
);
const BEGIN: &str = "UPDATE credentials SET fence = ?2, refresh_token = ?3, lease_holder = ?4, lease_until = ?5 \
    WHERE id = ?1";
const MARK_BROKEN: &str = "UPDATE credentials SET broken_at = ?4, broken_reason = ?5, updated_at = ?4, \
    last_error = COALESCE(?6, last_error), due_at = NULL WHERE id = ?1 AND generation = ?2 AND fence = ?3 \
    AND EXISTS (SELECT 1 FROM drills d WHERE d.credential = ?1 AND d.fence = ?3)";
const RESTORE: &str = "UPDATE credentials SET refresh_token = d.refresh_token, last_error = d.last_error, \
    failures = d.failures, due_at = d.due_at, updated_at = d.updated_at, broken_at = NULL, broken_reason = NULL, \
    fence = credentials.fence + 1, lease_holder = NULL, lease_until = NULL FROM drills d \
    WHERE d.credential = ?1 AND d.fence = ?3 AND id = ?1 AND credentials.generation = d.generation";
const FORGET: &str = "DELETE FROM drills WHERE credential = ?1 AND fence = ?3";
const IS_OVER: &str =
    "SELECT fence FROM credentials WHERE id = ?1 AND (lease_until IS NULL OR lease_until <= ?2)";
const ABANDONED: &str = concat!(
    "SELECT ",
    abandoned_columns!(),
    " FROM drills d JOIN credentials k ON k.id = d.credential \
     WHERE k.lease_until IS NULL OR k.lease_until <= ?1 ORDER BY d.began_at, d.credential LIMIT ?2"
);

#[async_trait]
impl Drills for Sqlite {
    async fn begin(&self, new: &NewDrill) -> Result<Option<Claim>> {
        let clock = Arc::clone(&self.clock);
        let (credential, generation, lease) = (new.credential, new.generation, new.lease);
        let (id, holder) = (Value::word(credential), Value::word(new.holder));
        let (seen, step, stand_in) = (new.fence.into(), new.step.into(), Value::sealed(&new.stand_in));
        let by = Value::text("drills.began_by", &new.by)?;
        let aside = Value::sealed(&new.aside);
        let begin = move |database: &_| {
            let now = clock.now();
            let values = [id, generation.into(), seen, step, now.into(), by, aside];
            let Some(fence) = find(database, SET_ASIDE, &values, rows::fence)? else { return Ok(None) };
            let [id, ..] = values;
            execute(database, BEGIN, &[id, fence.into(), stand_in, holder, (now + lease).into()])?;
            Ok(Some(fence))
        };
        let fence = self.writer.write(&[], begin).await?;
        Ok(fence.map(|fence| Claim { credential, generation, fence }))
    }

    async fn mark_broken(
        &self,
        claim: &Claim,
        reason: ReconnectReason,
        error: Option<&str>,
        at: Timestamp,
    ) -> Result<bool> {
        let thing = Thing::credential(&claim.credential);
        let error = value::optional_text("credentials.last_error", error)?;
        let rest = [at.into(), Value::word(reason.word()), error];
        let values: Vec<_> = value::claim(claim).into_iter().chain(rest).collect();
        self.writer.write(&[thing], move |database| Ok(execute(database, MARK_BROKEN, &values)? > 0)).await
    }

    async fn end(&self, claim: &Claim) -> Result<bool> {
        self.end_drill(claim, false).await
    }

    async fn end_abandoned(&self, claim: &Claim) -> Result<bool> {
        self.end_drill(claim, true).await
    }

    async fn abandoned(&self, limit: u32) -> Result<Vec<AbandonedDrill>> {
        let values = [self.clock.now().into(), i64::from(limit).into()];
        self.readers.read(|database| all(database, ABANDONED, &values, rows::abandoned_drill))
    }
}

impl Sqlite {
    async fn end_drill(&self, claim: &Claim, only_abandoned: bool) -> Result<bool> {
        let thing = Thing::credential(&claim.credential);
        let (clock, values) = (Arc::clone(&self.clock), value::claim(claim));
        let end = move |database: &_| {
            let lease = [values[0].clone(), clock.now().into()];
            if only_abandoned && find(database, IS_OVER, &lease, rows::fence)?.is_none() {
                return Ok(false);
            }
            execute(database, RESTORE, &values)?;
            Ok(execute(database, FORGET, &values)? > 0)
        };
        self.writer.write(&[thing], end).await
    }
}
