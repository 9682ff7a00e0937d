use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{AttemptId, Timestamp};
use vault::TokenHash;

use super::connections::ADD_CREDENTIAL;
use super::{ANSWER_TIMEOUT, Postgres, execute, settle};
use crate::attempts::{Attempt, Attempts, Hop, Question};
use crate::credentials::Credential;
use crate::rows::{attempt_columns, question_columns};
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
    "UPDATE attempts SET consumed_at = $2, code_verifier = NULL \
     WHERE state = $1 AND consumed_at IS NULL AND expires_at > $2 RETURNING ",
    attempt_columns!()
);
const SWEEP: &str = "DELETE FROM attempts WHERE id IN \
    (SELECT id FROM attempts WHERE expires_at < $1 AND held IS NULL ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

const ASK: &str = "UPDATE attempts SET held = $2, question = $3, answer_by = $4 WHERE id = $1";
const QUESTION: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    ", ",
    question_columns!(),
    " FROM attempts WHERE question = $1 AND answer_by > $2"
);
const ANSWER: &str = concat!(
    "UPDATE attempts SET question = NULL WHERE question = $1 AND answer_by > $2 RETURNING ",
    attempt_columns!(),
    ", ",
    question_columns!()
);
const UNANSWERED: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    ", ",
    question_columns!(),
    " FROM attempts WHERE held IS NOT NULL AND answer_by <= $1 ORDER BY answer_by, id LIMIT $2"
);
const SETTLE: &str = "UPDATE attempts SET held = NULL, question = NULL, answer_by = NULL WHERE id = $1";

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

    async fn ask(
        &self,
        attempt: &AttemptId,
        credentials: &[Credential],
        question: &TokenHash,
        answer_by: Timestamp,
    ) -> Result<()> {
        let mut client = self.client().await?;
        let asked = ask(&mut client, attempt, credentials, question, answer_by);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, asked).await;
        settle(client, answer)
    }

    async fn question(&self, question: &TokenHash, now: Timestamp) -> Result<Option<Question>> {
        Self::find(self, QUESTION, &[Value::hash(question), now.into()], rows::question).await
    }

    async fn answer(&self, question: &TokenHash, now: Timestamp) -> Result<Option<Question>> {
        Self::find(self, ANSWER, &[Value::hash(question), now.into()], rows::question).await
    }

    async fn unanswered(&self, before: Timestamp, limit: u32) -> Result<Vec<Question>> {
        self.all(UNANSWERED, &[before.into(), i64::from(limit).into()], rows::question).await
    }

    async fn settle_question(&self, attempt: &AttemptId) -> Result<()> {
        self.execute(SETTLE, &[Value::word(attempt)]).await.map(drop)
    }

    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(SWEEP, &[before.into(), i64::from(limit).into()]).await
    }
}

async fn ask(
    client: &mut Object,
    attempt: &AttemptId,
    credentials: &[Credential],
    question: &TokenHash,
    answer_by: Timestamp,
) -> Result<()> {
    let Some(first) = credentials.first() else { return Ok(()) };
    let ask = [Value::word(attempt), Value::word(first.id), Value::hash(question), answer_by.into()];
    let transaction = client.transaction().await?;
    for credential in credentials {
        let values = value::credential(credential, credential.tokens.obtained_at)?;
        execute(&transaction, ADD_CREDENTIAL, &values).await?;
    }
    execute(&transaction, ASK, &ask).await?;
    Ok(transaction.commit().await?)
}
