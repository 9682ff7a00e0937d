use async_trait::async_trait;
use model::{RevocationId, Timestamp};

use super::{Sqlite, all, execute, find};
use crate::revocations::{Revocation, RevocationBacklog, Revocations};
use crate::rows::revocation_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const ADD: &str = concat!(
    "INSERT INTO revocations (",
    revocation_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
);
/// The order of an answer of `RETURNING` is not said; [`Revocations::take_due`] sorts.
const TAKE_DUE: &str = concat!(
    "UPDATE revocations SET attempts = attempts + 1, due_at = ?2 WHERE id IN \
     (SELECT id FROM revocations WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?3) RETURNING ",
    revocation_columns!()
);
const DONE: &str = "DELETE FROM revocations WHERE id = ?1";
const FAILED: &str = "UPDATE revocations SET due_at = ?3, last_error = ?4 WHERE id = ?1 AND attempts = ?2";
const BACKLOG: &str = "SELECT count(*), min(created_at) FROM revocations";

#[async_trait]
impl Revocations for Sqlite {
    async fn add(&self, revocation: &Revocation) -> Result<()> {
        let values = value::revocation(revocation)?;
        self.writer.write(&[], move |database| execute(database, ADD, &values).map(drop)).await
    }

    async fn take_due(&self, now: Timestamp, held_until: Timestamp, limit: u32) -> Result<Vec<Revocation>> {
        let values = [now.into(), held_until.into(), i64::from(limit).into()];
        let mut taken = self
            .writer
            .write(&[], move |database| all(database, TAKE_DUE, &values, rows::revocation))
            .await?;
        taken.sort_by_key(|revocation| (revocation.created_at, revocation.id));
        Ok(taken)
    }

    async fn done(&self, id: &RevocationId) -> Result<bool> {
        let values = [Value::word(id)];
        self.writer.write(&[], move |database| Ok(execute(database, DONE, &values)? > 0)).await
    }

    async fn failed(
        &self,
        id: &RevocationId,
        attempt: i64,
        due_at: Timestamp,
        last_error: &str,
    ) -> Result<bool> {
        let error = Value::text("revocations.last_error", last_error)?;
        let values = [Value::word(id), attempt.into(), due_at.into(), error];
        self.writer.write(&[], move |database| Ok(execute(database, FAILED, &values)? > 0)).await
    }

    async fn backlog(&self) -> Result<RevocationBacklog> {
        let backlog = self.readers.read(|database| find(database, BACKLOG, [], rows::revocation_backlog))?;
        backlog.ok_or_else(crate::Error::no_answer)
    }
}
