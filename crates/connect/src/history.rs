//! What has happened to a connection, newest first, as the audit trail tells it.

use std::collections::HashSet;

use model::{AuditEvent, CredentialId};
use store::audit::{About, AuditEntry};
use store::connections::{ConnectionKey, Filter};

use crate::{Connect, Error, Result};

/// How many entries are read at once.
const PAGE: u32 = 200;
/// How many pages are read for one answer: what belongs to the connection may stand far apart.
const MAX_PAGES: usize = 20;
/// How many connections of the same subject and integration are told apart.
const MAX_LABELS: u32 = 200;

impl Connect {
    /// The newest events of a connection, disconnected ones too, at most `limit`. Refreshes are a consent's: those of the
    /// consent that the connection stands on now, whoever else stands on it, and those of earlier ones of its subject and
    /// integration.
    pub async fn history(&self, key: &ConnectionKey, limit: u32) -> Result<Vec<AuditEvent>> {
        let own = self.inspect(key).await?.credential;
        let elsewhere = self.consents_of_other_labels(key, own).await?;
        let about = About::Connection(key.subject.clone(), key.integration.clone());
        let mut found = self
            .events(&about, limit, |event| {
                let label = event.facts.get("label").and_then(|label| label.as_str());
                label.is_none_or(|label| label == key.label.as_str())
                    && credential(event).is_none_or(|credential| !elsewhere.contains(&credential))
            })
            .await?;
        if let Some(own) = own
            && let Some(consent) = self.store().credentials.get(&own).await?
            && consent.integration != key.integration
        {
            // The consent of a group is refreshed under the name of the member that it was made for.
            let about = About::Connection(consent.subject, consent.integration);
            found.extend(self.events(&about, limit, |event| credential(event) == Some(own)).await?);
            found.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.position()));
            found.truncate(limit as usize);
        }
        Ok(found.into_iter().map(|(_, event)| event).collect())
    }

    /// What the subject's other connections to the same integration stand on, where it is not the same consent.
    async fn consents_of_other_labels(
        &self,
        key: &ConnectionKey,
        own: Option<CredentialId>,
    ) -> Result<HashSet<CredentialId>> {
        let filter = Filter {
            subject: Some(key.subject.clone()),
            integration: Some(key.integration.clone()),
            state: None,
        };
        let all = self.store().connections.list(&filter, None, MAX_LABELS).await?;
        Ok(all.into_iter().filter_map(|other| other.credential).filter(|id| Some(*id) != own).collect())
    }

    /// The newest events that belong, at most `limit`.
    async fn events(
        &self,
        about: &About,
        limit: u32,
        belongs: impl Fn(&AuditEvent) -> bool,
    ) -> Result<Vec<(AuditEntry, AuditEvent)>> {
        let mut found = Vec::new();
        let mut before = None;
        for _ in 0..MAX_PAGES {
            let page = self.store().audit.newest(about, before.as_ref(), PAGE).await?;
            before = page.last().map(AuditEntry::position);
            let is_last = page.len() < PAGE as usize;
            for entry in page {
                let event = entry.parsed().map_err(Error::from)?;
                if belongs(&event) {
                    found.push((entry, event));
                }
                if found.len() >= limit as usize {
                    return Ok(found);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }
}

/// The consent that an event is about, where it names one.
fn credential(event: &AuditEvent) -> Option<CredentialId> {
    event.facts.get("credential")?.as_str()?.parse().ok()
}
