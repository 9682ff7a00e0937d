use async_trait::async_trait;
use model::{AuditEvent, WriterId};
use rusqlite::Connection as Database;

use super::{Sqlite, all, execute, find};
use crate::audit::{self, Audit, AuditEntry, Head};
use crate::rows::audit_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const APPEND: &str =
    concat!("INSERT INTO audit (", audit_columns!(), ", at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
const HEAD: &str =
    "SELECT writer, sequence, hash FROM audit WHERE writer = ?1 ORDER BY sequence DESC LIMIT 1";
// Steps from writer to writer through the index: the trail is long, its chains are few.
const HEADS: &str = "WITH RECURSIVE chains (writer) AS (SELECT min(writer) FROM audit UNION ALL \
    SELECT (SELECT min(a.writer) FROM audit a WHERE a.writer > chains.writer) FROM chains WHERE chains.writer IS NOT NULL) \
    SELECT a.writer, a.sequence, a.hash FROM chains JOIN audit a ON a.writer = chains.writer \
    AND a.sequence = (SELECT max(b.sequence) FROM audit b WHERE b.writer = chains.writer) ORDER BY a.writer";
const NEWEST: &str =
    concat!("SELECT ", audit_columns!(), " FROM audit ORDER BY at DESC, writer DESC, sequence DESC LIMIT ?1");
const CHAIN: &str = concat!(
    "SELECT ",
    audit_columns!(),
    " FROM audit WHERE writer = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3"
);

#[async_trait]
impl Audit for Sqlite {
    async fn append(&self, event: &AuditEvent) -> Result<()> {
        let (event, writer, clock) = (event.clone(), self.chain, self.clock.clone());
        let append = move |database: &Database| {
            let head = match find(database, HEAD, &[Value::word(writer)], rows::head)? {
                Some(head) => head,
                None => add(database, writer, None, &audit::started(clock.now(), &heads(database)?))?,
            };
            add(database, writer, Some(&head), &event).map(drop)
        };
        self.writer.write(&[], append).await
    }

    async fn newest(&self, limit: u32) -> Result<Vec<AuditEntry>> {
        let values = [i64::from(limit).into()];
        self.scan(move |database| all(database, NEWEST, &values, rows::audit_entry)).await
    }

    async fn chain(&self, writer: &WriterId, after: i64, limit: u32) -> Result<Vec<AuditEntry>> {
        let values = [Value::word(writer), after.into(), i64::from(limit).into()];
        self.scan(move |database| all(database, CHAIN, &values, rows::audit_entry)).await
    }

    async fn heads(&self) -> Result<Vec<Head>> {
        self.scan(heads).await
    }
}

fn heads(database: &Database) -> Result<Vec<Head>> {
    all(database, HEADS, &[], rows::head)
}

fn add(database: &Database, writer: WriterId, head: Option<&Head>, event: &AuditEvent) -> Result<Head> {
    let entry = AuditEntry::after(writer, head, event)?;
    execute(database, APPEND, &value::audit_entry(&entry, event.at))?;
    Ok(entry.head())
}
