//! A new master key in place of the old one: a matter of this machine alone, never of the network.
//!
//! The audit trail has `master_key.changing` before and `master_key.changed` after. The master key seals no secret; it wraps the data keys. So changing it writes a few rows, all of them in one
//! transaction: interrupted anywhere, either the old key opens the store or the new one does. Processes that are running
//! go on with the data keys in their memory, and say so in the log; they can add no key before they are restarted.

use anyhow::{Context, bail};
use model::{Actor, AuditEvent, Outcome, Timestamp};
use store::Store;
use vault::{KeyringError, MasterKey, WrappedKey};

/// How often it is tried again when a data key is added at the same moment.
const ATTEMPTS: usize = 5;

/// What changing the master key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MasterKeyChange {
    /// So many data keys are wrapped by the new one now.
    Changed {
        /// How many.
        data_keys: usize,
    },
    /// The new one wraps them already: an earlier call did it.
    AlreadyChanged,
}

/// Wraps the store's data keys with `new`, all or none.
pub async fn change_master_key(
    store: &Store,
    old: &MasterKey,
    new: &MasterKey,
    now: Timestamp,
) -> anyhow::Result<MasterKeyChange> {
    for _ in 0..ATTEMPTS {
        let before: Vec<WrappedKey> = store.keyring.all().await?.into_iter().map(|row| row.key).collect();
        if before.is_empty() {
            return Err(KeyringError::Empty).context("key");
        }
        if before.iter().all(|key| key.master_key_id == new.id()) {
            return Ok(MasterKeyChange::AlreadyChanged);
        }
        let after = before.iter().map(|key| key.rewrapped(old, new)).collect::<Result<Vec<_>, _>>();
        let after = after.context("key")?;
        let event = |name| {
            let event = AuditEvent::new(now, name, Outcome::Success, Actor::Operator);
            event.fact("from", old.id()).fact("to", new.id())
        };
        // Before it, for whoever is killed right after it leaves no other trace.
        let intent = store.audit.append(&event("master_key.changing")).await;
        intent.context("the audit trail can't be written; nothing was changed")?;
        if store.keyring.rewrap(&before, &after).await? {
            store.audit.append(&event("master_key.changed")).await.context(
                "the master key IS changed: set `key` to the new one now; only the audit trail could not be told of it",
            )?;
            return Ok(MasterKeyChange::Changed { data_keys: after.len() });
        }
    }
    bail!("data keys are being added at the same time; nothing was changed, try again")
}
