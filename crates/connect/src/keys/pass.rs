//! Goes through everything that is sealed, and seals it with the newest key.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use store::sealed::{RowKey, SealedRow, Table};
use tokio::time::Instant;
use vault::{AnySealed, Keyring};

use crate::progress::Progress;
use crate::{Connect, Result};

/// How many rows are read and written at once: few enough to let others in between.
const PAGE: u32 = 200;
/// How often a page is read anew because some of its rows were written meanwhile.
const PAGE_TRIES: usize = 5;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// A step of long work on the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum KeyStep {
    /// There is a new key, and everything that is sealed from now on is sealed with it.
    Added {
        /// Its version.
        version: u32,
    },
    /// An earlier rotation was not finished; this one goes on with its key.
    Continued {
        /// The version.
        version: u32,
    },
    /// How far it has come in a table.
    Table {
        /// The table, or `spool`.
        table: &'static str,
        /// How many rows are done.
        done: u64,
        /// How many there were at the beginning; absent when they could not be counted.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// A key is gone for good.
    Retired {
        /// Its version.
        version: u32,
    },
}

/// Tells how far it has come in a table, a few times a second and at the end.
pub(super) struct Teller<'a> {
    progress: &'a Progress<KeyStep>,
    table: &'static str,
    total: Option<u64>,
    done: u64,
    told: Instant,
}

impl<'a> Teller<'a> {
    pub(super) fn new(progress: &'a Progress<KeyStep>, table: &'static str, total: Option<u64>) -> Self {
        Self { progress, table, total, done: 0, told: Instant::now() }
    }

    pub(super) fn done(&mut self, rows: usize) {
        self.done += rows as u64;
        if self.told.elapsed() >= TELL_EVERY {
            self.tell();
            self.told = Instant::now();
        }
    }

    pub(super) fn end(self) -> u64 {
        if self.done > 0 || self.total.is_some_and(|total| total > 0) {
            self.tell();
        }
        self.done
    }

    fn tell(&self) {
        let (table, done, total) = (self.table, self.done, self.total);
        self.progress.tell(KeyStep::Table { table, done, total });
    }
}

/// What a pass found in a table.
#[derive(Debug, Clone)]
pub struct TablePass {
    /// The table, or `spool`.
    pub table: &'static str,
    /// How many rows hold sealed values.
    pub rows: u64,
    /// How many of them were sealed anew.
    pub resealed: u64,
    /// How many values still name an older key, by its version.
    pub older: BTreeMap<u32, u64>,
    /// How many of these rows were written by others again and again at the same moment.
    pub missed: u64,
    /// How many values do not open.
    pub unreadable: u64,
}

/// One page, done.
#[derive(Default)]
struct Page {
    resealed: u64,
    older: BTreeMap<u32, u64>,
    missed: u64,
    unreadable: u64,
}

impl Connect {
    /// Goes through every table, in the order in which values move. Nothing is held meanwhile, and nothing is lost when it
    /// stops anywhere.
    pub(super) async fn pass(&self, progress: &Progress<KeyStep>) -> Result<Vec<TablePass>> {
        // What lies in the spool comes into the tables next.
        let mut passed = vec![self.look_into_the_spool()];
        for table in Table::ALL {
            passed.push(self.pass_through(table, progress).await?);
        }
        Ok(passed)
    }

    /// How many rows a table has; where that takes too long, nobody knows.
    pub(super) async fn rows_of(&self, table: Table) -> Option<u64> {
        self.store().sealed.count(table).await.ok().and_then(|count| count.try_into().ok())
    }

    async fn pass_through(&self, table: Table, progress: &Progress<KeyStep>) -> Result<TablePass> {
        let mut teller = Teller::new(progress, table.word(), self.rows_of(table).await);
        let mut total = Page::default();
        let mut after = None::<RowKey>;
        loop {
            let (rows, next) = self.pass_page(table, after.as_ref(), &mut total).await?;
            teller.done(rows);
            if rows < PAGE as usize {
                break;
            }
            after = next;
        }
        let Page { resealed, older, missed, unreadable } = total;
        Ok(TablePass { table: table.word(), rows: teller.end(), resealed, older, missed, unreadable })
    }

    /// Does one page; tells how many rows it has, and its last.
    async fn pass_page(
        &self,
        table: Table,
        after: Option<&RowKey>,
        total: &mut Page,
    ) -> Result<(usize, Option<RowKey>)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let rows = self.store().sealed.page(table, after, PAGE).await?;
            let keyring = self.parts.keys.now();
            let mut page = Page::default();
            let mut replacements = Vec::new();
            let mut at_stake = BTreeMap::<u32, u64>::new();
            for row in &rows {
                let anew = reseal(&keyring, row, &mut page);
                for value in
                    row.values().filter(|value| anew.iter().any(|anew| anew.field() == value.field()))
                {
                    *at_stake.entry(value.version().unwrap_or_default()).or_default() += 1;
                }
                replacements.extend(row.replaced_by(&anew)?);
            }
            let wanted = replacements.len() as u64;
            let written = if wanted > 0 { self.store().sealed.replace(replacements).await? } else { 0 };
            total.resealed += written;
            if written < wanted && tries < PAGE_TRIES {
                // Others wrote some of them first, perhaps with the older key.
                continue;
            }
            if written < wanted {
                merge(&mut page.older, at_stake);
                total.missed += wanted - written;
            }
            merge(&mut total.older, page.older);
            total.unreadable += page.unreadable;
            return Ok((rows.len(), rows.last().map(SealedRow::key)));
        }
    }

    /// Its files are their flights' alone, and are adopted soon: they are only counted.
    fn look_into_the_spool(&self) -> TablePass {
        let current = self.parts.keys.now().current_version();
        let mut found = Page::default();
        let answers = self.refreshing.spooled();
        for (_, tokens) in &answers {
            for value in tokens.values().iter().flatten() {
                match value.version() {
                    Some(version) if version == current => {}
                    Some(version) => *found.older.entry(version).or_default() += 1,
                    None => found.unreadable += 1,
                }
            }
        }
        let Page { resealed, older, missed, unreadable } = found;
        TablePass { table: "spool", rows: answers.len() as u64, resealed, older, missed, unreadable }
    }
}

/// The values of a row that were not sealed with the newest key, sealed anew; what does not open is counted.
fn reseal(keyring: &Keyring, row: &SealedRow, page: &mut Page) -> Vec<AnySealed> {
    let mut anew = Vec::new();
    for value in row.values() {
        match keyring.reseal(row.sealed_to(), value) {
            Ok(None) => {}
            Ok(Some(value)) => anew.push(value),
            Err(_) => {
                page.unreadable += 1;
                if let Some(version) = value.version() {
                    *page.older.entry(version).or_default() += 1;
                }
            }
        }
    }
    anew
}

fn merge(total: &mut BTreeMap<u32, u64>, more: BTreeMap<u32, u64>) {
    for (version, count) in more {
        *total.entry(version).or_default() += count;
    }
}
