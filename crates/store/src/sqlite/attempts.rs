use async_trait::async_trait;
use model::{AttemptId, Timestamp};
use vault::TokenHash;

use super::connections::ADD_CREDENTIAL;
use super::{Sqlite, all, execute, find};
use crate::attempts::{Attempt, Attempts, Hop, Question};
use crate::credentials::Credential;
use crate::rows::{attempt_columns, question_columns};
use crate::value::{self, Value};
use crate::{Result, rows};

const CREATE: &str = concat!(
    "INSERT INTO attempts (",
    attempt_columns!(),
    ", ticket, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
     ?20, ?21, ?22, ?23)"
);
const START: &str = concat!(
    "UPDATE attempts SET state = ?2, binding_hash = ?3 WHERE ticket = ?1 AND state IS NULL AND expires_at > ?4 \
     RETURNING ",
    attempt_columns!()
);
const STARTED: &str = "SELECT id, state FROM attempts WHERE ticket = ?1";
const FIND: &str = concat!("SELECT ", attempt_columns!(), " FROM attempts WHERE state = ?1");
const CONSUME: &str = concat!(
    "UPDATE attempts SET consumed_at = ?2, code_verifier = NULL \
     WHERE state = ?1 AND consumed_at IS NULL AND expires_at > ?2 RETURNING ",
    attempt_columns!()
);
const SWEEP: &str = "DELETE FROM attempts WHERE id IN \
    (SELECT id FROM attempts WHERE expires_at < ?1 AND held IS NULL ORDER BY expires_at LIMIT ?2)";

impl Sqlite {
    async fn insert(
        &self,
        attempt: &Attempt,
        ticket: Option<&TokenHash>,
        state: Option<&TokenHash>,
    ) -> Result<()> {
        let values = value::attempt(attempt, ticket, state)?;
        self.writer.write(&[], move |database| execute(database, CREATE, &values).map(drop)).await
    }
}

const ASK: &str = "UPDATE attempts SET held = ?2, question = ?3, answer_by = ?4 WHERE id = ?1";
const QUESTION: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    ", ",
    question_columns!(),
    " FROM attempts WHERE question = ?1 AND answer_by > ?2"
);
const ANSWER: &str = concat!(
    "UPDATE attempts SET question = NULL WHERE question = ?1 AND answer_by > ?2 RETURNING ",
    attempt_columns!(),
    ", ",
    question_columns!()
);
const UNANSWERED: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    ", ",
    question_columns!(),
    " FROM attempts WHERE held IS NOT NULL AND answer_by <= ?1 ORDER BY answer_by, id LIMIT ?2"
);
const SETTLE: &str = "UPDATE attempts SET held = NULL, question = NULL, answer_by = NULL WHERE id = ?1";

#[async_trait]
impl Attempts for Sqlite {
    async fn create(&self, attempt: &Attempt, ticket: &TokenHash) -> Result<()> {
        self.insert(attempt, Some(ticket), None).await
    }

    async fn create_started(&self, attempt: &Attempt, state: &TokenHash) -> Result<()> {
        self.insert(attempt, None, Some(state)).await
    }

    async fn start(
        &self,
        ticket: &TokenHash,
        state: &TokenHash,
        binding: &TokenHash,
        now: Timestamp,
    ) -> Result<Hop> {
        let values = [Value::hash(ticket), Value::hash(state), Value::hash(binding), now.into()];
        self.writer
            .write(&[], move |database| {
                if let Some(attempt) = find(database, START, &values, rows::attempt)? {
                    return Ok(Hop::Started(Box::new(attempt)));
                }
                Ok(match find(database, STARTED, &values[..1], rows::is_started)? {
                    Some(true) => Hop::Used,
                    Some(false) => Hop::Expired,
                    None => Hop::Unknown,
                })
            })
            .await
    }

    async fn find(&self, state: &TokenHash) -> Result<Option<Attempt>> {
        self.readers.read(|database| find(database, FIND, &[Value::hash(state)], rows::attempt))
    }

    async fn consume(&self, state: &TokenHash, now: Timestamp) -> Result<Option<Attempt>> {
        let values = [Value::hash(state), now.into()];
        self.writer.write(&[], move |database| find(database, CONSUME, &values, rows::attempt)).await
    }

    async fn ask(
        &self,
        attempt: &AttemptId,
        credentials: &[Credential],
        question: &TokenHash,
        answer_by: Timestamp,
    ) -> Result<()> {
        let Some(first) = credentials.first() else { return Ok(()) };
        let ask = [Value::word(attempt), Value::word(first.id), Value::hash(question), answer_by.into()];
        let credentials: Vec<_> = credentials
            .iter()
            .map(|credential| value::credential(credential, credential.tokens.obtained_at))
            .collect::<Result<_>>()?;
        self.writer
            .write(&[], move |database| {
                for credential in &credentials {
                    execute(database, ADD_CREDENTIAL, credential)?;
                }
                execute(database, ASK, &ask).map(drop)
            })
            .await
    }

    async fn question(&self, question: &TokenHash, now: Timestamp) -> Result<Option<Question>> {
        let values = [Value::hash(question), now.into()];
        self.readers.read(|database| find(database, QUESTION, &values, rows::question))
    }

    async fn answer(&self, question: &TokenHash, now: Timestamp) -> Result<Option<Question>> {
        let values = [Value::hash(question), now.into()];
        self.writer.write(&[], move |database| find(database, ANSWER, &values, rows::question)).await
    }

    async fn unanswered(&self, before: Timestamp, limit: u32) -> Result<Vec<Question>> {
        let values = [before.into(), i64::from(limit).into()];
        self.scan(move |database| all(database, UNANSWERED, &values, rows::question)).await
    }

    async fn settle_question(&self, attempt: &AttemptId) -> Result<()> {
        let values = [Value::word(attempt)];
        self.writer.write(&[], move |database| execute(database, SETTLE, &values).map(drop)).await
    }

    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        self.writer.write(&[], move |database| Ok(execute(database, SWEEP, &values)? as u64)).await
    }
}
