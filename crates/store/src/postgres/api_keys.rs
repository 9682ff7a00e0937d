use std::sync::Arc;

use async_trait::async_trait;
use model::{ApiKeyId, Timestamp};
use vault::TokenHash;

use super::Postgres;
use super::listener::telling;
use crate::api_keys::{ApiKey, ApiKeys};
use crate::cache::Thing;
use crate::rows::api_key_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const CREATE: &str =
    concat!("INSERT INTO api_keys (", api_key_columns!(), ", hash) VALUES ($1, $2, $3, $4, $5, $6)");
const FIND: &str =
    concat!("SELECT ", api_key_columns!(), " FROM api_keys WHERE hash = $1 AND revoked_at IS NULL");
const LIST: &str = concat!("SELECT ", api_key_columns!(), " FROM api_keys ORDER BY created_at, id");
const REVOKE: &str =
    telling!("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", "$3");

#[async_trait]
impl ApiKeys for Postgres {
    async fn create(&self, key: &ApiKey, hash: &TokenHash) -> Result<()> {
        self.execute(CREATE, &value::api_key(key, hash)?).await.map(drop)
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<Arc<ApiKey>>> {
        let load = async {
            let key = Self::find(self, FIND, &[Value::hash(hash)], rows::api_key).await?;
            Ok(key.map(|key| {
                let thing = Thing::api_key(&key.id);
                (key, [thing, thing])
            }))
        };
        self.keys.read(hash, load).await
    }

    async fn list(&self) -> Result<Vec<ApiKey>> {
        self.all(LIST, &[], rows::api_key).await
    }

    async fn revoke(&self, id: &ApiKeyId, at: Timestamp) -> Result<bool> {
        self.change(REVOKE, vec![Value::word(id), at.into()], Thing::api_key(id)).await
    }
}
