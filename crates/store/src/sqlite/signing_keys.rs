use async_trait::async_trait;
use model::{SigningKeyId, Timestamp};

use super::{Sqlite, all, execute};
use crate::Result;
use crate::rows::signing_keys::{newest_values, signing_key, signing_key_columns};
use crate::signing_keys::{SigningKeyRow, SigningKeys};
use crate::value::Value;

/// The newest has no end.
const LIST: &str = concat!(
    "SELECT ",
    signing_key_columns!(),
    " FROM signing_keys ORDER BY COALESCE(published_until, 9223372036854775807), created_at, id"
);
const END: &str = "UPDATE signing_keys SET published_until = ?2 WHERE id = ?1 AND published_until IS NULL";
const ADD: &str = concat!(
    "INSERT INTO signing_keys (",
    signing_key_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"
);
const SWEEP: &str = "DELETE FROM signing_keys WHERE published_until < ?1";

#[async_trait]
impl SigningKeys for Sqlite {
    async fn list(&self) -> Result<Vec<SigningKeyRow>> {
        self.readers.read(|database| all(database, LIST, [], signing_key))
    }

    async fn add(
        &self,
        key: &SigningKeyRow,
        newest: Option<&SigningKeyId>,
        others_until: Timestamp,
    ) -> Result<bool> {
        let values = newest_values(key)?;
        let end = newest.map(|newest| [Value::word(newest), others_until.into()]);
        self.writer
            .write(&[], move |database| {
                if let Some(end) = &end
                    && execute(database, END, end)? == 0
                {
                    return Ok(false);
                }
                Ok(execute(database, ADD, &values)? > 0)
            })
            .await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64> {
        let now = now.into();
        self.writer.write(&[], move |database| Ok(execute(database, SWEEP, [&now])? as u64)).await
    }
}
