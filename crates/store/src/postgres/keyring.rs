use async_trait::async_trait;
use deadpool_postgres::Object;
use model::Timestamp;
use vault::WrappedKey;

use super::{ANSWER_TIMEOUT, Postgres, execute, query, settle};
use crate::keyring::{KeyRow, KeyringRows, is_exactly};
use crate::rows::{key_row_columns, keyring_columns};
use crate::value::{self, Value};
use crate::{Result, rows};

const ALL: &str = concat!("SELECT ", key_row_columns!(), " FROM keyring ORDER BY version");
/// Whoever adds or wraps anew holds every key that is there, and looks only then: nobody else adds one meanwhile.
const LOCK: &str = "SELECT version FROM keyring ORDER BY version FOR UPDATE";
const ADD: &str = concat!(
    "INSERT INTO keyring (",
    keyring_columns!(),
    ", created_at) SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM keyring WHERE master_key_id <> $2) \
     ON CONFLICT (version) DO NOTHING"
);
const REWRAP: &str = "UPDATE keyring SET master_key_id = $2, wrapped = $3 WHERE version = $1";
const MARK_SPREAD: &str = "UPDATE keyring SET spread_at = $2 WHERE version = $1 AND spread_at IS NULL";
const RETIRE: &str =
    "DELETE FROM keyring WHERE version = $1 AND version < (SELECT max(version) FROM keyring)";

#[async_trait]
impl KeyringRows for Postgres {
    async fn all(&self) -> Result<Vec<KeyRow>> {
        Self::all(self, ALL, &[], rows::key_row).await
    }

    async fn add(&self, key: &WrappedKey, at: Timestamp) -> Result<bool> {
        let mut client = self.client().await?;
        let mut values = value::wrapped_key(key).to_vec();
        values.push(at.into());
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, add(&mut client, &values)).await;
        settle(client, answer)
    }

    async fn rewrap(&self, old: &[WrappedKey], new: &[WrappedKey]) -> Result<bool> {
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, rewrap(&mut client, old, new)).await;
        settle(client, answer)
    }

    async fn mark_spread(&self, version: u32, at: Timestamp) -> Result<()> {
        self.execute(MARK_SPREAD, &[i64::from(version).into(), at.into()]).await.map(drop)
    }

    async fn retire(&self, version: u32) -> Result<bool> {
        Ok(self.execute(RETIRE, &[i64::from(version).into()]).await? > 0)
    }
}

async fn add(client: &mut Object, values: &[Value]) -> Result<bool> {
    let transaction = client.transaction().await?;
    query(&transaction, LOCK, &[]).await?;
    let added = execute(&transaction, ADD, values).await? > 0;
    transaction.commit().await?;
    Ok(added)
}

async fn rewrap(client: &mut Object, old: &[WrappedKey], new: &[WrappedKey]) -> Result<bool> {
    let transaction = client.transaction().await?;
    query(&transaction, LOCK, &[]).await?;
    let found = query(&transaction, ALL, &[]).await?;
    let found = found.iter().map(|row| rows::key_row(row)).collect::<Result<Vec<_>>>()?;
    if !is_exactly(&found, old) {
        return Ok(false);
    }
    for key in new {
        execute(&transaction, REWRAP, &value::wrapped_key(key)).await?;
    }
    transaction.commit().await?;
    Ok(true)
}
