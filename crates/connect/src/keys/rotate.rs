//! A new key, a pass through everything, and keys that nothing uses any more are retired.
//!
//! Stopped anywhere it loses nothing: what was sealed anew stays so, and whoever rotates next, or the timer, goes on.

use std::time::Duration;

use model::{Actor, AuditEvent, Outcome, Timestamp};
use store::keyring::KeyRow;
use tracing::warn;

pub use super::pass::{KeyStep, TablePass};
use crate::progress::Progress;
use crate::{Connect, Error, Result};

/// How long another key must have sealed before one is retired. By then every process that reaches the store has long
/// learnt of it.
pub const RETIRED_AFTER: Duration = Duration::from_hours(1);
/// Calls that were begun so long after the newest key was made may still have been sealed with the one before.
const LEARNT_WITHIN: Duration = Duration::from_mins(10);
/// How long the timer leaves keys alone that a pass could not retire: what names them goes away slowly, if at all.
const LOOKED_AT_AGAIN: Duration = Duration::from_hours(24);
/// An older call's answer comes no more from anywhere.
const ANSWERS_WITHIN: Duration = Duration::from_hours(7 * 24);

/// What a rotation did.
#[derive(Debug)]
pub struct Rotated {
    /// The version that seals.
    pub version: u32,
    /// Whether it is new; else an earlier rotation was finished.
    pub added: bool,
    /// What was found, table by table.
    pub tables: Vec<TablePass>,
    /// Versions that are gone for good.
    pub retired: Vec<u32>,
    /// Older versions that stay.
    pub kept: Vec<Kept>,
}

/// An older key that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its version.
    pub version: u32,
    /// Why.
    pub reason: KeptReason,
}

/// Why an older key stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptReason {
    /// Another took its place less than an hour before the pass: some process may still have sealed with it.
    TooRecent {
        /// From when on it may be retired.
        until: Timestamp,
    },
    /// So many values name it.
    InUse {
        /// How many.
        values: u64,
    },
    /// So many calls have no end yet whose answers may be sealed with it.
    CallsOpen {
        /// How many.
        calls: u64,
    },
}

impl KeptReason {
    /// Its word in answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooRecent { .. } => "too_recent",
            Self::InUse { .. } => "in_use",
            Self::CallsOpen { .. } => "calls_open",
        }
    }
}

impl Rotated {
    /// When the timer looks again, where it changed nothing and not only time is missing.
    fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        let is_idle = self.retired.is_empty() && self.tables.iter().all(|table| table.resealed == 0);
        let is_stuck = |kept: &Kept| !matches!(kept.reason, KeptReason::TooRecent { .. });
        let due = self.kept.iter().filter_map(|kept| match kept.reason {
            KeptReason::TooRecent { until } => Some(until),
            KeptReason::InUse { .. } | KeptReason::CallsOpen { .. } => None,
        });
        (is_idle && self.kept.iter().any(is_stuck))
            .then(|| due.chain([now + LOOKED_AT_AGAIN]).min().unwrap_or(now))
    }
}

impl Connect {
    /// Makes a new key, seals everything with it, and retires what nothing uses. Where an earlier rotation was not finished it
    /// goes on with that one's key.
    pub async fn rotate_keys(&self, by: Actor, progress: &Progress<KeyStep>) -> Result<Rotated> {
        let _alone = self.keys_at_work.lock().await;
        self.parts.keys.reload().await?;
        let rows = self.keys().await?;
        let newest = rows.last().ok_or(Error::Keyring(vault::KeyringError::Empty))?;
        let added = rows.len() == 1 || newest.spread_at.is_some();
        let version = if added {
            let version = newest.key.version.saturating_add(1);
            // Another process that rotates at the same moment may have added it: then that is the one.
            self.parts.keys.add(version, self.now()).await?;
            progress.tell(KeyStep::Added { version });
            let event = AuditEvent::new(self.now(), "key.rotated", Outcome::Success, by.clone());
            self.remember(event.target(version).fact("version", version)).await?;
            version
        } else {
            let version = newest.key.version;
            progress.tell(KeyStep::Continued { version });
            version
        };
        self.spread(version, added, &by, progress).await
    }

    /// What the timer does: goes on with a rotation that was not finished, and retires what may be retired by now.
    pub async fn finish_rotation(&self) -> Result<()> {
        let Ok(_alone) = self.keys_at_work.try_lock() else { return Ok(()) };
        self.reload_keys().await?;
        let rows = self.keys().await?;
        let Some((newest, older)) = rows.split_last() else { return Ok(()) };
        let may_retire = successors(&rows).any(|(_, next)| self.retires_at(next) <= self.now());
        let rests = self.parts.keys.rests(newest.key.version, self.now());
        if !older.is_empty() && (newest.spread_at.is_none() || (may_retire && !rests)) {
            let done = self.spread(newest.key.version, false, &Actor::System, &Progress::unheard()).await?;
            if let Some(until) = done.next_look(self.now()) {
                self.parts.keys.rest(done.version, until);
            }
        }
        Ok(())
    }

    /// Seals everything with the newest key, and retires.
    async fn spread(
        &self,
        version: u32,
        added: bool,
        by: &Actor,
        progress: &Progress<KeyStep>,
    ) -> Result<Rotated> {
        // Before the pass: what was sealed with an older key while it ran, it may have missed.
        let began = self.now();
        let tables = self.pass(progress).await?;
        if tables.iter().all(|table| table.missed == 0) {
            self.store().keyring.mark_spread(version, self.now()).await?;
        }
        let (mut retired, mut kept) = (Vec::new(), Vec::new());
        let rows = self.keys().await?;
        for (row, next) in successors(&rows) {
            let version = row.key.version;
            if let Some(reason) = self.still_needed(version, next, &tables, began).await? {
                if let KeptReason::InUse { values } = reason {
                    warn!(version, values, outcome = "failure", "key.kept");
                }
                kept.push(Kept { version, reason });
            } else if self.store().keyring.retire(version).await? {
                progress.tell(KeyStep::Retired { version });
                let event = AuditEvent::new(self.now(), "key.retired", Outcome::Success, by.clone());
                self.remember(event.target(version).fact("version", version)).await?;
                retired.push(version);
            }
        }
        Ok(Rotated { version, added, tables, retired, kept })
    }

    /// Why a key must stay, if it must; `began` is when the pass did.
    async fn still_needed(
        &self,
        version: u32,
        next: &KeyRow,
        tables: &[TablePass],
        began: Timestamp,
    ) -> Result<Option<KeptReason>> {
        let until = self.retires_at(next);
        if until > began {
            return Ok(Some(KeptReason::TooRecent { until }));
        }
        let values = tables.iter().filter_map(|table| table.older.get(&version)).sum();
        if values > 0 {
            return Ok(Some(KeptReason::InUse { values }));
        }
        // A replica that was cut off may have such an answer in its spool, on another machine.
        let replaced = next.created_at.unwrap_or(began);
        let calls = self.store().sealed.open_calls(began - ANSWERS_WITHIN, replaced + LEARNT_WITHIN).await?;
        let calls = u64::try_from(calls).unwrap_or_default();
        Ok((calls > 0).then_some(KeptReason::CallsOpen { calls }))
    }

    /// When the key before `next` may be retired at the earliest.
    fn retires_at(&self, next: &KeyRow) -> Timestamp {
        next.created_at.unwrap_or_else(|| self.now()) + RETIRED_AFTER
    }
}

/// Each key but the newest, with the one that took its place.
fn successors(rows: &[KeyRow]) -> impl Iterator<Item = (&KeyRow, &KeyRow)> {
    rows.iter().zip(rows.iter().skip(1))
}
