use async_trait::async_trait;
use model::{AuditEvent, Timestamp, WriterId};

use super::Postgres;
use crate::audit::{self, About, Audit, AuditEntry, Head, Position};
use crate::rows::{audit_columns, head_columns, with_chains};
use crate::value::{self, Value};
use crate::{Result, rows};

const APPEND: &str =
    concat!("INSERT INTO audit (", audit_columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
const HEAD: &str =
    concat!("SELECT ", head_columns!(), " FROM audit WHERE writer = $1 ORDER BY sequence DESC LIMIT 1");
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
            " FROM audit WHERE (at, writer, sequence) < ($1, $2, $3)",
            $about,
            " ORDER BY at DESC, writer DESC, sequence DESC LIMIT $4"
        )
    };
}
const NEWEST: &str = newest!("");
const NEWEST_OF_SUBJECT: &str = newest!(" AND subject = $5");
const NEWEST_OF_CONNECTION: &str = newest!(" AND subject = $5 AND integration = $6");
macro_rules! after {
    ($about:literal) => {
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit WHERE (at, writer, sequence) > ($1, $2, $3) AND at <= $4",
            $about,
            " ORDER BY at, writer, sequence LIMIT $5"
        )
    };
}
const AFTER: &str = after!("");
const AFTER_OF_SUBJECT: &str = after!(" AND subject = $6");
const AFTER_OF_CONNECTION: &str = after!(" AND subject = $6 AND integration = $7");
const CHAIN: &str = concat!(
    "SELECT ",
    audit_columns!(),
    " FROM audit WHERE writer = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
);

#[async_trait]
impl Audit for Postgres {
    async fn append(&self, event: &AuditEvent) -> Result<()> {
        // Nobody else writes to this chain, so its end is known here; the primary key would refuse a second entry of
        // the same place. Taken out while we write: after an error, or a caller that goes away, only the table knows.
        let mut kept = self.head.lock().await;
        let head = match kept.take() {
            Some(head) => head,
            None => self.own_head().await?,
        };
        *kept = Some(self.add(Some(&head), event).await?);
        Ok(())
    }

    async fn newest(&self, about: &About, before: Option<&Position>, limit: u32) -> Result<Vec<AuditEntry>> {
        let sql = match about {
            About::Anything => NEWEST,
            About::Subject(_) => NEWEST_OF_SUBJECT,
            About::Connection(..) => NEWEST_OF_CONNECTION,
        };
        self.all(sql, &value::trail(about, before, limit), rows::audit_entry).await
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
        self.all(sql, &values, rows::audit_entry).await
    }

    async fn chain(&self, writer: &WriterId, after: i64, limit: u32) -> Result<Vec<AuditEntry>> {
        let values = [Value::word(writer), after.into(), i64::from(limit).into()];
        self.all(CHAIN, &values, rows::audit_entry).await
    }

    async fn heads(&self) -> Result<Vec<Head>> {
        self.all(HEADS, &[], rows::head).await
    }
}

impl Postgres {
    /// The end of our chain as the table has it; begins the chain if need be.
    async fn own_head(&self) -> Result<Head> {
        if let Some(head) = self.find(HEAD, &[Value::word(self.chain)], rows::head).await? {
            return Ok(head);
        }
        let starts = self.all(STARTS, &[], rows::audit_entry).await?;
        self.add(None, &audit::started(self.clock.now(), self.heads().await?, &starts)).await
    }

    async fn add(&self, head: Option<&Head>, event: &AuditEvent) -> Result<Head> {
        let entry = AuditEntry::after(self.chain, head, event)?;
        self.execute(APPEND, &value::audit_entry(&entry)?).await?;
        Ok(entry.head())
    }
}
