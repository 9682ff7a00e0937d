use async_trait::async_trait;
use model::{AuditEvent, Clock, Timestamp, WriterId};
use rusqlite::Connection as Database;

use super::{Sqlite, all, execute, find};
use crate::audit::{self, About, Audit, AuditEntry, Head, Position};
use crate::rows::{audit_columns, head_columns, with_chains};
use crate::value::{self, Value};
use crate::{Result, rows};

const APPEND: &str =
    concat!("INSERT INTO audit (", audit_columns!(), ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
const HEAD: &str =
    concat!("SELECT ", head_columns!(), " FROM audit WHERE writer = ?1 ORDER BY sequence DESC LIMIT 1");
const HEADS: &str = concat!(
    with_chains!(),
    "SELECT a.writer, a.sequence, a.hash FROM chains JOIN audit a ON a.writer = chains.writer \
     AND a.sequence = (SELECT max(b.sequence) FROM audit b WHERE b.writer = chains.writer) ORDER BY a.writer"
);
const STARTS: &str = concat!(
    with_chains!(),
    "SELECT ",
    audit_columns!(),
    " FROM audit WHERE writer IN (SELECT writer FROM chains) AND sequence = 1"
);
macro_rules! newest {
    ($about:literal) => {
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit WHERE (at, writer, sequence) < (?1, ?2, ?3)",
            $about,
            " ORDER BY at DESC, writer DESC, sequence DESC LIMIT ?4"
        )
    };
}
const NEWEST: &str = newest!("");
const NEWEST_OF_SUBJECT: &str = newest!(" AND subject = ?5");
const NEWEST_OF_CONNECTION: &str = newest!(" AND subject = ?5 AND integration = ?6");
macro_rules! after {
    ($about:literal) => {
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit WHERE (at, writer, sequence) > (?1, ?2, ?3) AND at <= ?4",
            $about,
            " ORDER BY at, writer, sequence LIMIT ?5"
        )
    };
}
const AFTER: &str = after!("");
const AFTER_OF_SUBJECT: &str = after!(" AND subject = ?6");
const AFTER_OF_CONNECTION: &str = after!(" AND subject = ?6 AND integration = ?7");
const CHAIN: &str = concat!(
    "SELECT ",
    audit_columns!(),
    " FROM audit WHERE writer = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3"
);

#[async_trait]
impl Audit for Sqlite {
    async fn append(&self, event: &AuditEvent) -> Result<()> {
        let (event, writer, clock) = (event.clone(), self.chain, self.clock.clone());
        // Nobody else writes to this chain, so its end is known here; only a process that has just begun, or does not
        // know whether its last commit came through, asks the table.
        let append = move |database: &Database, kept: &mut Option<Head>| {
            let head = match kept {
                Some(head) => head.clone(),
                None => own_head(database, writer, clock.as_ref())?,
            };
            *kept = Some(add(database, writer, Some(&head), &event)?);
            Ok(())
        };
        self.writer.append(append).await
    }

    async fn newest(&self, about: &About, before: Option<&Position>, limit: u32) -> Result<Vec<AuditEntry>> {
        let sql = match about {
            About::Anything => NEWEST,
            About::Subject(_) => NEWEST_OF_SUBJECT,
            About::Connection(..) => NEWEST_OF_CONNECTION,
        };
        let values = value::trail(about, before, limit);
        self.scan(move |database| all(database, sql, &values, rows::audit_entry)).await
    }

    async fn after(
        &self,
        about: &About,
        position: &Position,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<AuditEntry>> {
        let sql = match about {
            About::Anything => AFTER,
            About::Subject(_) => AFTER_OF_SUBJECT,
            About::Connection(..) => AFTER_OF_CONNECTION,
        };
        let values = value::trail_after(about, position, until, limit);
        self.scan(move |database| all(database, sql, &values, rows::audit_entry)).await
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

/// The end of our chain as the table has it; begins the chain if need be.
fn own_head(database: &Database, writer: WriterId, clock: &dyn Clock) -> Result<Head> {
    if let Some(head) = find(database, HEAD, &[Value::word(writer)], rows::head)? {
        return Ok(head);
    }
    let starts = all(database, STARTS, &[], rows::audit_entry)?;
    add(database, writer, None, &audit::started(clock.now(), heads(database)?, &starts))
}

fn add(database: &Database, writer: WriterId, head: Option<&Head>, event: &AuditEvent) -> Result<Head> {
    let entry = AuditEntry::after(writer, head, event)?;
    execute(database, APPEND, &value::audit_entry(&entry)?)?;
    Ok(entry.head())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::file;

    #[test]
    fn each_way_to_read_the_trail_is_an_index_in_its_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        file::bring_up_to_date(&path, crate::Migrate::AtStart).unwrap();
        let database = file::connect(&path).unwrap();
        for (sql, index) in [
            (NEWEST_OF_SUBJECT, "audit_by_subject (subject=?"),
            (AFTER_OF_SUBJECT, "audit_by_subject (subject=?"),
            (NEWEST_OF_CONNECTION, "audit_by_connection (subject=? AND integration=?"),
            (AFTER_OF_CONNECTION, "audit_by_"),
        ] {
            let mut plan = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps: Vec<String> =
                plan.raw_query().mapped(|row| row.get("detail")).collect::<rusqlite::Result<_>>().unwrap();
            let plan = steps.join("; ");
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }
}
