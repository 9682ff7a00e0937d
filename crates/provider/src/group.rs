//! Groups: integrations that one consent connects, such as all of a company's tools. Their members share one app, one
//! callback and one token set; the format refuses members that differ in what that needs.

use std::sync::Arc;

use model::{GroupId, ProviderId};

use crate::catalog::{Catalog, Entry};

impl Catalog {
    /// The entries of a group, by name; none for an unknown group.
    pub fn members(&self, group: &GroupId) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries().filter(move |entry| entry.group.as_ref() == Some(group))
    }

    /// The entries that one consent to `provider` can connect: its group's, or itself alone.
    pub fn companions(&self, provider: &ProviderId) -> Vec<&Arc<Entry>> {
        match self.get(provider) {
            None => Vec::new(),
            Some(entry) => match &entry.group {
                None => vec![entry],
                Some(group) => self.members(group).collect(),
            },
        }
    }
}
