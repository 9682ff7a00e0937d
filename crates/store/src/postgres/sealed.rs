use async_trait::async_trait;
use model::Timestamp;

use super::Postgres;
use crate::rows::sealed::{number, row, sealed_statements};
use crate::sealed::{Replacement, RowKey, SealedRow, SealedRows, Table};
use crate::{Error, Result};

sealed_statements!("$1" "$2" "$3" "$4" "$5" "$6" "$7", "IS NOT DISTINCT FROM");

#[async_trait]
impl SealedRows for Postgres {
    async fn page(&self, table: Table, after: Option<&RowKey>, limit: u32) -> Result<Vec<SealedRow>> {
        let mut values = after.map_or_else(|| table.first_key(), |key| key.0.clone());
        values.push(i64::from(limit).into());
        self.all(page(table), &values, |found| row(table, found)).await
    }

    async fn count(&self, table: Table) -> Result<i64> {
        self.find(count(table), &[], number).await?.ok_or_else(Error::no_answer)
    }

    async fn replace(&self, rows: Vec<Replacement>) -> Result<u64> {
        let mut written = 0;
        // Each in a transaction of its own: one that held many rows could lock itself and a disconnect out.
        for row in rows {
            written += self.execute(replace(row.table), &row.values).await?;
        }
        Ok(written)
    }

    async fn open_calls(&self, from: Timestamp, until: Timestamp) -> Result<i64> {
        self.find(OPEN_CALLS, &[from.into(), until.into()], number).await?.ok_or_else(Error::no_answer)
    }
}
