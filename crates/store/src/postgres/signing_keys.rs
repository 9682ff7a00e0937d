use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{SigningKeyId, Timestamp};

use super::{ANSWER_TIMEOUT, Postgres, execute, settle};
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
const END: &str = "UPDATE signing_keys SET published_until = $2 WHERE id = $1 AND published_until IS NULL";
const ADD: &str = concat!(
    "INSERT INTO signing_keys (",
    signing_key_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
);
const SWEEP: &str = "DELETE FROM signing_keys WHERE published_until < $1";

#[async_trait]
impl SigningKeys for Postgres {
    async fn list(&self) -> Result<Vec<SigningKeyRow>> {
        self.all(LIST, &[], signing_key).await
    }

    async fn add(
        &self,
        key: &SigningKeyRow,
        newest: Option<&SigningKeyId>,
        others_until: Timestamp,
    ) -> Result<bool> {
        let values = newest_values(key)?;
        let Some(newest) = newest else { return Ok(self.execute(ADD, &values).await? > 0) };
        let end = [Value::word(newest), others_until.into()];
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, succeed(&mut client, &end, &values)).await;
        settle(client, answer)
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64> {
        self.execute(SWEEP, &[now.into()]).await
    }
}

/// Puts a key in the place of the newest.
async fn succeed(client: &mut Object, end: &[Value; 2], key: &[Value; 7]) -> Result<bool> {
    let transaction = client.transaction().await?;
    // Without its commit the transaction takes the end back.
    if execute(&transaction, END, end).await? == 0 || execute(&transaction, ADD, key).await? == 0 {
        return Ok(false);
    }
    transaction.commit().await?;
    Ok(true)
}
