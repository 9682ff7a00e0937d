use std::time::Duration;

use async_trait::async_trait;
use model::{SubjectId, Timestamp};

use super::Postgres;
use crate::rows::{overview_query, subject_columns};
use crate::subjects::{Overview, Subject, Subjects};
use crate::value::{self, Value};
use crate::{Error, Result, rows};

const ENSURE: &str = "INSERT INTO subjects (id, metadata, created_at, updated_at) VALUES ($1, '{}', $2, $2) \
    ON CONFLICT (id) DO NOTHING";
const PUT: &str = concat!(
    "INSERT INTO subjects (",
    subject_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
     mail = excluded.mail, language = excluded.language, metadata = excluded.metadata, \
     updated_at = excluded.updated_at RETURNING ",
    subject_columns!()
);
const INTRODUCE: &str = "INSERT INTO subjects (id, name, mail, metadata, created_at, updated_at) \
    VALUES ($1, $2, $3, '{}', $4, $4) ON CONFLICT (id) DO UPDATE SET name = excluded.name, mail = excluded.mail, \
    updated_at = excluded.updated_at";
const GET: &str = concat!("SELECT ", subject_columns!(), " FROM subjects WHERE id = $1");
const OVERVIEW: &str = overview_query!("id > $1 ORDER BY id LIMIT $4", "$2::bigint", "$3::bigint", "LEAST");

#[async_trait]
impl Subjects for Postgres {
    async fn ensure(&self, id: &SubjectId, at: Timestamp) -> Result<()> {
        self.execute(ENSURE, &[Value::word(id), at.into()]).await.map(drop)
    }

    async fn put(&self, subject: &Subject) -> Result<Subject> {
        let answer = self.find(PUT, &value::subject(subject)?, rows::subject).await?;
        answer.ok_or_else(Error::no_answer)
    }

    async fn introduce(&self, id: &SubjectId, name: &str, mail: &str, at: Timestamp) -> Result<()> {
        let values = [
            Value::word(id),
            Value::text("subjects.name", name)?,
            Value::text("subjects.mail", mail)?,
            at.into(),
        ];
        self.execute(INTRODUCE, &values).await.map(drop)
    }

    async fn get(&self, id: &SubjectId) -> Result<Option<Subject>> {
        self.find(GET, &[Value::word(id)], rows::subject).await
    }

    async fn overview(
        &self,
        cursor: Option<&SubjectId>,
        now: Timestamp,
        buffer: Duration,
        limit: u32,
    ) -> Result<Vec<Overview>> {
        let values = value::overview(cursor, now, buffer, limit);
        self.all(OVERVIEW, &values, rows::overview).await
    }
}
