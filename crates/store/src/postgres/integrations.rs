use async_trait::async_trait;
use model::{IntegrationId, SubjectId};

use super::Postgres;
use crate::integrations::{IntegrationRow, Integrations};
use crate::rows::integration_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const PUT: &str = concat!(
    "INSERT INTO integrations (",
    integration_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (subject, id) DO UPDATE SET \
     provider = excluded.provider, client_id = excluded.client_id, client_secret = excluded.client_secret, \
     scopes = excluded.scopes, redirect_uri = excluded.redirect_uri, updated_at = excluded.updated_at"
);
const GET: &str =
    concat!("SELECT ", integration_columns!(), " FROM integrations WHERE subject = $1 AND id = $2");
// By octets, as SQLite orders, whatever the database's collation.
const LIST: &str = concat!(
    "SELECT ",
    integration_columns!(),
    " FROM integrations WHERE subject = $1 ORDER BY id COLLATE \"C\""
);
const REMOVE: &str = "DELETE FROM integrations WHERE subject = $1 AND id = $2";

#[async_trait]
impl Integrations for Postgres {
    async fn put(&self, row: &IntegrationRow) -> Result<()> {
        self.execute(PUT, &value::integration(row)?).await.map(drop)
    }

    async fn get(&self, id: &IntegrationId, subject: Option<&SubjectId>) -> Result<Option<IntegrationRow>> {
        self.find(GET, &[value::owner(subject), Value::word(id)], rows::integration).await
    }

    async fn list(&self, subject: Option<&SubjectId>) -> Result<Vec<IntegrationRow>> {
        self.all(LIST, &[value::owner(subject)], rows::integration).await
    }

    async fn remove(&self, id: &IntegrationId, subject: Option<&SubjectId>) -> Result<bool> {
        Ok(self.execute(REMOVE, &[value::owner(subject), Value::word(id)]).await? > 0)
    }
}
