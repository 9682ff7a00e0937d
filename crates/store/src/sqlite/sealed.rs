use async_trait::async_trait;
use model::Timestamp;

use super::{Sqlite, all, execute, find};
use crate::rows::sealed::{number, row, sealed_statements};
use crate::sealed::{Replacement, RowKey, SealedRow, SealedRows, Table};
use crate::{Error, Result};

sealed_statements!("?1" "?2" "?3" "?4" "?5" "?6" "?7", "IS");

#[async_trait]
impl SealedRows for Sqlite {
    async fn page(&self, table: Table, after: Option<&RowKey>, limit: u32) -> Result<Vec<SealedRow>> {
        let mut values = after.map_or_else(|| table.first_key(), |key| key.0.clone());
        values.push(i64::from(limit).into());
        self.scan(move |database| all(database, page(table), &values, |found| row(table, found))).await
    }

    async fn count(&self, table: Table) -> Result<i64> {
        let counted = self.scan(move |database| find(database, count(table), [], number)).await?;
        counted.ok_or_else(Error::no_answer)
    }

    async fn replace(&self, rows: Vec<Replacement>) -> Result<u64> {
        let write = move |database: &_| {
            rows.iter().try_fold(0, |written, row| {
                Ok(written + execute(database, replace(row.table), &row.values)? as u64)
            })
        };
        self.writer.write(&[], write).await
    }

    async fn open_calls(&self, from: Timestamp, until: Timestamp) -> Result<i64> {
        let values = [from.into(), until.into()];
        let counted = self.scan(move |database| find(database, OPEN_CALLS, &values, number)).await?;
        counted.ok_or_else(Error::no_answer)
    }
}
