//! Proves that everything that is sealed opens.

use std::collections::BTreeMap;

use store::sealed::{RowKey, SealedRow, Table};
use vault::{AnySealed, OpenError};

use super::pass::{KeyStep, Teller};
use crate::progress::Progress;
use crate::{Connect, Result};

/// How many rows are read at once.
const PAGE: u32 = 200;
/// How many values that do not open are named.
pub const MAX_NAMED: usize = 100;

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Table by table; the last is the spool.
    pub tables: Vec<TableCheck>,
    /// How many values do not open.
    pub unreadable: u64,
    /// The first of them, at most [`MAX_NAMED`].
    pub named: Vec<Unreadable>,
}

/// What was found in a table.
#[derive(Debug, Clone)]
pub struct TableCheck {
    /// The table, or `spool`.
    pub table: &'static str,
    /// How many rows hold sealed values.
    pub rows: u64,
    /// How many values open, by the version of their key.
    pub versions: BTreeMap<u32, u64>,
    /// How many do not.
    pub unreadable: u64,
}

/// A value that does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The table, or `spool`.
    pub table: &'static str,
    /// The row.
    pub row: String,
    /// The field.
    pub field: &'static str,
    /// The version of the key that it names.
    pub version: Option<u32>,
    /// Why.
    pub why: OpenError,
}

/// Counts what one table has.
struct Count<'a> {
    connect: &'a Connect,
    checked: &'a mut Checked,
    found: TableCheck,
}

impl Count<'_> {
    async fn value(&mut self, row: impl Fn() -> String, sealed_to: &str, value: &AnySealed) {
        let version = value.version();
        let Err(why) = self.connect.parts.keys.check(sealed_to, value).await else {
            *self.found.versions.entry(version.unwrap_or_default()).or_default() += 1;
            return;
        };
        self.found.unreadable += 1;
        self.checked.unreadable += 1;
        if self.checked.named.len() < MAX_NAMED {
            let (table, field) = (self.found.table, value.field());
            self.checked.named.push(Unreadable { table, row: row(), field, version, why });
        }
    }

    fn end(mut self, rows: u64) {
        self.found.rows = rows;
        self.checked.tables.push(self.found);
    }
}

impl Connect {
    /// Opens everything that is sealed, and changes nothing.
    pub async fn check_keys(&self, progress: &Progress<KeyStep>) -> Result<Checked> {
        self.reload_keys().await?;
        let mut checked = Checked::default();
        for table in Table::ALL {
            let mut teller = Teller::new(progress, table.word(), self.rows_of(table).await);
            let mut count = self.count(&mut checked, table.word());
            let mut after = None::<RowKey>;
            loop {
                let page = self.store().sealed.page(table, after.as_ref(), PAGE).await?;
                for row in &page {
                    for value in row.values() {
                        count.value(|| row.name(), row.sealed_to(), value).await;
                    }
                }
                teller.done(page.len());
                if page.len() < PAGE as usize {
                    break;
                }
                after = page.last().map(SealedRow::key);
            }
            count.end(teller.end());
        }
        let answers = self.refreshing.spooled();
        let mut count = self.count(&mut checked, "spool");
        for (claim, tokens) in &answers {
            let sealed_to = claim.credential.to_string();
            let name = || format!("{}.{}.{}", claim.credential, claim.generation, claim.fence);
            for value in tokens.values().iter().flatten() {
                count.value(name, &sealed_to, value).await;
            }
        }
        count.end(answers.len() as u64);
        Ok(checked)
    }

    fn count<'a>(&'a self, checked: &'a mut Checked, table: &'static str) -> Count<'a> {
        let found = TableCheck { table, rows: 0, versions: BTreeMap::new(), unreadable: 0 };
        Count { connect: self, checked, found }
    }
}
