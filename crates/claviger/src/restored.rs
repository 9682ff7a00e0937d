//! Notices that the store has gone back in time: a backup that was restored, or a fail-over that forgot commits.
//!
//! Such a store holds refresh tokens that were spent since, and presenting them can end whole families of tokens. So a
//! file beside the store, which a restored database does not bring back with it, remembers how far the audit trail had
//! come. A start that finds the trail shorter holds all refreshing until the operator has looked.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use connect::Connect;
use model::{Actor, AuditEvent, Clock, Outcome, SystemClock, WriterId};
use store::Store;
use store::audit::Head;
use tracing::warn;

/// How many entries of our own chain are read at once when the mark is moved on.
const PAGE: u32 = 1000;

/// What is told to the operator, and kept as the reason.
const REASON: &str =
    "the store is older than this machine remembers: a restored backup, or a fail-over that lost commits";

/// How far this process's audit chain has come, as a file remembers it.
pub struct TrailMark {
    path: PathBuf,
    writer: WriterId,
    last: Mutex<Option<Head>>,
}

impl TrailMark {
    /// The mark of this process in the data directory.
    pub fn new(data_dir: &Path, writer: WriterId) -> Self {
        Self { path: data_dir.join("trail.mark"), writer, last: Mutex::default() }
    }

    /// Compares the store with what an earlier process remembered; holds refreshing if entries are missing.
    pub async fn check(&self, store: &Store, connect: &Connect) -> anyhow::Result<()> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| self.path.display().to_string()),
        };
        let Ok(seen) = serde_json::from_slice::<Head>(&text) else {
            warn!(path = %self.path.display(), "trail_mark.unreadable");
            return Ok(());
        };
        if self.is_missing(store, &seen).await? {
            self.hold(store, connect).await?;
        }
        Ok(())
    }

    async fn is_missing(&self, store: &Store, seen: &Head) -> anyhow::Result<bool> {
        let found = store.audit.chain(&seen.writer, seen.sequence - 1, 1).await?;
        Ok(found.first().is_none_or(|entry| entry.sequence != seen.sequence || entry.hash != seen.hash))
    }

    /// Holds, says so in a chain of our own, and remembers that one from now on: the operator is asked once.
    async fn hold(&self, store: &Store, connect: &Connect) -> anyhow::Result<()> {
        let is_new = connect.hold_refreshing(REASON, &Actor::System).await?;
        if !is_new {
            let noticed =
                AuditEvent::new(SystemClock.now(), "refreshing.held", Outcome::Success, Actor::System);
            store.audit.append(&noticed.reason(REASON)).await?;
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.advance(store, connect).await
    }

    /// Moves the mark on to the end of our chain; holds if what we have seen there is missing.
    pub async fn advance(&self, store: &Store, connect: &Connect) -> anyhow::Result<()> {
        loop {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(seen) = &last
                && self.is_missing(store, seen).await?
            {
                return Box::pin(self.hold(store, connect)).await;
            }
            let entries = store.audit.chain(&self.writer, last.map_or(0, |seen| seen.sequence), PAGE).await?;
            let Some(end) = entries.last() else { return Ok(()) };
            let head = Head { writer: self.writer, sequence: end.sequence, hash: end.hash };
            self.write(&serde_json::to_vec(&head)?).with_context(|| self.path.display().to_string())?;
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
        }
    }

    /// Written beside its place and then named, so that nobody reads half a mark.
    fn write(&self, text: &[u8]) -> io::Result<()> {
        let draft = self.path.with_extension(self.writer.to_string());
        let mut file = File::create(&draft)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)
    }
}
