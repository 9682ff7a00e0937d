use async_trait::async_trait;
use model::Timestamp;
use vault::WrappedKey;

use super::{Sqlite, all, execute};
use crate::keyring::{KeyRow, KeyringRows, is_exactly};
use crate::rows::{key_row_columns, keyring_columns};
use crate::{Result, rows, value};

const ALL: &str = concat!("SELECT ", key_row_columns!(), " FROM keyring ORDER BY version");
const ADD: &str = concat!(
    "INSERT INTO keyring (",
    keyring_columns!(),
    ", created_at) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM keyring WHERE master_key_id <> ?2) \
     ON CONFLICT (version) DO NOTHING"
);
const REWRAP: &str = "UPDATE keyring SET master_key_id = ?2, wrapped = ?3 WHERE version = ?1";
const MARK_SPREAD: &str = "UPDATE keyring SET spread_at = ?2 WHERE version = ?1 AND spread_at IS NULL";
const RETIRE: &str =
    "DELETE FROM keyring WHERE version = ?1 AND version < (SELECT max(version) FROM keyring)";

#[async_trait]
impl KeyringRows for Sqlite {
    async fn all(&self) -> Result<Vec<KeyRow>> {
        self.scan(|database| all(database, ALL, &[], rows::key_row)).await
    }

    async fn add(&self, key: &WrappedKey, at: Timestamp) -> Result<bool> {
        let (key, at) = (value::wrapped_key(key), [at.into()]);
        let add = move |database: &_| Ok(execute(database, ADD, key.iter().chain(&at))? > 0);
        self.writer.write(&[], add).await
    }

    async fn rewrap(&self, old: &[WrappedKey], new: &[WrappedKey]) -> Result<bool> {
        let (old, new) = (old.to_vec(), new.to_vec());
        let rewrap = move |database: &_| {
            if !is_exactly(&all(database, ALL, &[], rows::key_row)?, &old) {
                return Ok(false);
            }
            for key in &new {
                execute(database, REWRAP, &value::wrapped_key(key))?;
            }
            Ok(true)
        };
        self.writer.write(&[], rewrap).await
    }

    async fn mark_spread(&self, version: u32, at: Timestamp) -> Result<()> {
        let values = [i64::from(version).into(), at.into()];
        self.writer.write(&[], move |database| execute(database, MARK_SPREAD, &values).map(drop)).await
    }

    async fn retire(&self, version: u32) -> Result<bool> {
        let values = [i64::from(version).into()];
        self.writer.write(&[], move |database| Ok(execute(database, RETIRE, &values)? > 0)).await
    }
}
