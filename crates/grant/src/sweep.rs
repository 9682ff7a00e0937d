//! What is over goes, in small batches, so that the store keeps its size under constant load.

use std::time::Duration;

use crate::{Grant, Result};

/// How long what has ended is kept: as long a code's replay is still known as one.
const KEPT: Duration = Duration::from_hours(1);

impl Grant {
    /// Deletes one batch of everything that is over; `true` when there may be more.
    pub async fn sweep(&self, batch: u32) -> Result<bool> {
        let now = self.now();
        let before = now - KEPT;
        let store = self.store();
        let swept = [
            store.authorizations.sweep(now, batch).await?,
            store.families.sweep_answers(now, batch).await?,
            store.families.sweep(before, batch).await?,
            store.users.sweep_sign_ins(now, batch).await?,
            store.applications.sweep_assertions(now, batch).await?,
            store.applications.sweep_unused(now - self.parts.settings.mcp.unused_for, batch).await?,
            store.applications.sweep_documents(now, batch).await?,
            store.limits.sweep(now, batch).await?,
            self.counters.forget(now, batch),
        ];
        Ok(swept.iter().any(|count| *count >= u64::from(batch)))
    }
}
