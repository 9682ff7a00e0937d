use async_trait::async_trait;
use model::Timestamp;
use vault::TokenHash;

use super::Postgres;
use crate::attempts::{Attempt, Attempts, Hop};
use crate::rows::attempt_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const CREATE: &str = concat!(
    "INSERT INTO attempts (",
    attempt_columns!(),
    ", ticket, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20, $21, $22, $23)"
);
const START: &str = concat!(
    "UPDATE attempts SET state = $2, binding_hash = $3 WHERE ticket = $1 AND state IS NULL AND expires_at > $4 \
     RETURNING ",
    attempt_columns!()
);
const STARTED: &str = "SELECT id, state FROM attempts WHERE ticket = $1";
const FIND: &str = concat!("SELECT ", attempt_columns!(), " FROM attempts WHERE state = $1");
// Of two at once the second waits for the first, reads the row again, and finds it consumed.
const CONSUME: &str = concat!(
    "UPDATE attempts SET consumed_at = $2 WHERE state = $1 AND consumed_at IS NULL AND expires_at > $2 RETURNING ",
    attempt_columns!()
);
const SWEEP: &str = "DELETE FROM attempts WHERE id IN \
    (SELECT id FROM attempts WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl Attempts for Postgres {
    async fn create(&self, attempt: &Attempt, ticket: &TokenHash) -> Result<()> {
        self.execute(CREATE, &value::attempt(attempt, Some(ticket), None)?).await.map(drop)
    }

    async fn create_started(&self, attempt: &Attempt, state: &TokenHash) -> Result<()> {
        self.execute(CREATE, &value::attempt(attempt, None, Some(state))?).await.map(drop)
    }

    async fn start(
        &self,
        ticket: &TokenHash,
        state: &TokenHash,
        binding: &TokenHash,
        now: Timestamp,
    ) -> Result<Hop> {
        let values = [Value::hash(ticket), Value::hash(state), Value::hash(binding), now.into()];
        if let Some(attempt) = self.find(START, &values, rows::attempt).await? {
            return Ok(Hop::Started(Box::new(attempt)));
        }
        // A ticket that was used stays used, so asking afterwards is early enough.
        Ok(match self.find(STARTED, &values[..1], rows::is_started).await? {
            Some(true) => Hop::Used,
            Some(false) => Hop::Expired,
            None => Hop::Unknown,
        })
    }

    async fn find(&self, state: &TokenHash) -> Result<Option<Attempt>> {
        Self::find(self, FIND, &[Value::hash(state)], rows::attempt).await
    }

    async fn consume(&self, state: &TokenHash, now: Timestamp) -> Result<Option<Attempt>> {
        Self::find(self, CONSUME, &[Value::hash(state), now.into()], rows::attempt).await
    }

    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(SWEEP, &[before.into(), i64::from(limit).into()]).await
    }
}
