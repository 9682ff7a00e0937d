//! Counters in an unlogged table.
//!
//! A row holds the newest hits of one key, newest first. Who changes the rows of some keys has locked their numbers before, in
//! ascending order, so that nobody waits in a circle and every statement sees what the last one left. Everything of one call
//! goes to the server in one go.

use async_trait::async_trait;
use deadpool_postgres::{Object, Timeouts};
use model::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use vault::LimitKey;

use super::{Postgres, settle};
use crate::Result;
use crate::limits::{Limits, Quota, Seen, Verdict, distinct, verdict};

/// A transaction's locks on numbers. They are released when it ends.
const LOCK: &str = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number";

/// All or none. A row expires at a full minute, so that most hits do not touch the index, and no sooner than another
/// replica's clock says so.
const HIT: &str = "WITH asked AS (SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) \
         WITH ORDINALITY AS asked (key, most, span, place)), \
     seen AS (SELECT asked.*, kept.* FROM asked CROSS JOIN LATERAL (SELECT \
         COALESCE(array_agg(hit ORDER BY hit DESC), '{}') AS hits, \
         count(*) FILTER (WHERE hit > $4 - span) AS counting, \
         COALESCE(min(hit) FILTER (WHERE hit > $4 - span), 0) AS oldest \
         FROM (SELECT hit FROM limits, unnest(limits.hits) AS hit \
             WHERE limits.key = asked.key AND hit < $4 + span ORDER BY hit DESC LIMIT most) AS newest) AS kept), \
     counted AS (INSERT INTO limits (key, hits, expires_at) SELECT key, \
         ARRAY(SELECT hit FROM unnest(hits || $4::bigint) AS hit ORDER BY hit DESC LIMIT most), \
         ((GREATEST(hits[1], $4) + span) / 60000 + 1) * 60000 \
         FROM seen WHERE NOT EXISTS (SELECT FROM seen WHERE counting >= most) \
         ON CONFLICT (key) DO UPDATE SET hits = excluded.hits, expires_at = excluded.expires_at) \
     SELECT counting, oldest FROM seen ORDER BY place";

const GIVE_BACK: &str = "UPDATE limits SET \
     hits = hits[:array_position(hits, $2) - 1] || hits[array_position(hits, $2) + 1:] \
     WHERE key = ANY ($1::bytea[]) AND array_position(hits, $2::bigint) IS NOT NULL";

const SWEEP: &str = "DELETE FROM limits WHERE key = ANY (ARRAY(SELECT key FROM limits WHERE expires_at <= $1 \
     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

#[async_trait]
impl Limits for Postgres {
    async fn hit_all(&self, asked: &[(LimitKey, Quota)], now: Timestamp) -> Result<Verdict> {
        let quotas = || distinct(asked).map(|(_, quota)| quota);
        let keys: Vec<&[u8]> = distinct(asked).map(|(key, _)| key.as_bytes().as_slice()).collect();
        let most: Vec<i64> = quotas().map(|quota| quota.hits().into()).collect();
        let spans: Vec<i64> = quotas().map(Quota::window_ms).collect();
        let rows = self.under_lock(&keys, HIT, &[&keys, &most, &spans, &now.as_unix_ms()]).await?;
        let seen = rows.iter().map(seen).collect::<Result<Vec<_>>>()?;
        Ok(verdict(quotas().zip(seen), now))
    }

    async fn give_back(&self, keys: &[LimitKey], at: Timestamp) -> Result<()> {
        let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes().as_slice()).collect();
        self.under_lock(&keys, GIVE_BACK, &[&keys, &at.as_unix_ms()]).await.map(drop)
    }

    async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64> {
        self.execute(SWEEP, &[now.into(), i64::from(limit).into()]).await
    }
}

fn seen(row: &Row) -> Result<Seen> {
    let counting: i64 = row.try_get(0)?;
    Ok(Seen { counting: u32::try_from(counting).unwrap_or(u32::MAX), oldest: row.try_get(1)? })
}

impl Postgres {
    /// Runs a statement while nobody else changes the rows of these keys.
    async fn under_lock(
        &self,
        keys: &[&[u8]],
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let mut numbers: Vec<i64> = keys.iter().map(|key| number(key)).collect();
        numbers.sort_unstable();
        let patience = Some(self.limits_patience);
        let client =
            self.pool.timeout_get(&Timeouts { wait: patience, create: patience, recycle: patience }).await?;
        let transaction = transaction(&client, &numbers, sql, parameters);
        let answer = tokio::time::timeout(self.limits_patience, transaction).await;
        settle(client, answer)
    }
}

/// The lock of a key. Keys that share one wait for each other without need.
fn number(key: &[u8]) -> i64 {
    i64::from_be_bytes(*key.first_chunk().expect("a key has 32 octets"))
}

async fn transaction(
    client: &Object,
    numbers: &[i64],
    sql: &'static str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>> {
    let lock = client.prepare_cached(LOCK).await?;
    let statement = client.prepare_cached(sql).await?;
    let numbers: &[&(dyn ToSql + Sync)] = &[&numbers];
    // All four are sent before the first is answered: each sends when it is polled first, in this order. So a caller that goes
    // away leaves no transaction open. The statement looks when the lock has been taken, and sees what was written before.
    let (begun, locked, answered, committed) = tokio::join!(
        biased;
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
        client.execute(&lock, numbers),
        client.query(&statement, parameters),
        client.batch_execute("COMMIT"),
    );
    begun?;
    locked?;
    let rows = answered?;
    committed?;
    Ok(rows)
}
