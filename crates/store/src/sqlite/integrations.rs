use async_trait::async_trait;
use model::{IntegrationId, SubjectId};

use super::{Sqlite, all, execute, find};
use crate::integrations::{IntegrationRow, Integrations};
use crate::rows::integration_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const PUT: &str = concat!(
    "INSERT INTO integrations (",
    integration_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (subject, id) DO UPDATE SET \
     provider = excluded.provider, client_id = excluded.client_id, client_secret = excluded.client_secret, \
     scopes = excluded.scopes, redirect_uri = excluded.redirect_uri, updated_at = excluded.updated_at"
);
const GET: &str =
    concat!("SELECT ", integration_columns!(), " FROM integrations WHERE subject = ?1 AND id = ?2");
const LIST: &str =
    concat!("SELECT ", integration_columns!(), " FROM integrations WHERE subject = ?1 ORDER BY id");
const REMOVE: &str = "DELETE FROM integrations WHERE subject = ?1 AND id = ?2";

#[async_trait]
impl Integrations for Sqlite {
    async fn put(&self, row: &IntegrationRow) -> Result<()> {
        let values = value::integration(row)?;
        self.writer.write(&[], move |database| execute(database, PUT, &values).map(drop)).await
    }

    async fn get(&self, id: &IntegrationId, subject: Option<&SubjectId>) -> Result<Option<IntegrationRow>> {
        let values = [value::owner(subject), Value::word(id)];
        self.readers.read(|database| find(database, GET, &values, rows::integration))
    }

    async fn list(&self, subject: Option<&SubjectId>) -> Result<Vec<IntegrationRow>> {
        let values = [value::owner(subject)];
        self.scan(move |database| all(database, LIST, &values, rows::integration)).await
    }

    async fn remove(&self, id: &IntegrationId, subject: Option<&SubjectId>) -> Result<bool> {
        let values = [value::owner(subject), Value::word(id)];
        self.writer.write(&[], move |database| Ok(execute(database, REMOVE, &values)? > 0)).await
    }
}
