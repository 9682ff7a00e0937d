use std::sync::Arc;

use async_trait::async_trait;
use model::{ApiKeyId, Timestamp};
use rusqlite::params;
use vault::TokenHash;

use super::{Sqlite, all, execute};
use crate::api_keys::{ApiKey, ApiKeys};
use crate::cache::Thing;
use crate::rows::api_key_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const CREATE: &str =
    concat!("INSERT INTO api_keys (", api_key_columns!(), ", hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
const FIND: &str =
    concat!("SELECT ", api_key_columns!(), " FROM api_keys WHERE hash = ?1 AND revoked_at IS NULL");
const LIST: &str = concat!("SELECT ", api_key_columns!(), " FROM api_keys ORDER BY created_at, id");
const REVOKE: &str = "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";

#[async_trait]
impl ApiKeys for Sqlite {
    async fn create(&self, key: &ApiKey, hash: &TokenHash) -> Result<()> {
        let values = value::api_key(key, hash)?;
        self.writer.write(&[], move |database| execute(database, CREATE, &values).map(drop)).await
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<Arc<ApiKey>>> {
        self.keys.read(hash, async { self.load_key(hash) }).await
    }

    async fn list(&self) -> Result<Vec<ApiKey>> {
        self.scan(|database| all(database, LIST, &[], rows::api_key)).await
    }

    async fn revoke(&self, id: &ApiKeyId, at: Timestamp) -> Result<bool> {
        let values = [Value::word(id), at.into()];
        let revoke = move |database: &_| Ok(execute(database, REVOKE, &values)? > 0);
        self.writer.write(&[Thing::api_key(id)], revoke).await
    }
}

impl Sqlite {
    fn load_key(&self, hash: &TokenHash) -> Result<Option<(ApiKey, [Thing; 2])>> {
        let key = self.readers.read(|database| {
            let mut statement = database.prepare_cached(FIND)?;
            // The hot path: the parameter is borrowed.
            let mut found = statement.query(params![hash.as_bytes()])?;
            found.next()?.map(|row| rows::api_key(row)).transpose()
        })?;
        Ok(key.map(|key| {
            let thing = Thing::api_key(&key.id);
            (key, [thing, thing])
        }))
    }
}
