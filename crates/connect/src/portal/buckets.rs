//! Buckets: what a person sees as one tool and connects with one consent. A group is one, with its members as its parts;
//! an integration without a group is one by itself.
//!
//! A session that is narrowed to some integrations sees, and asks for, only these. What has no app is not shown, unless it
//! is connected (then its state is) or the operator announces it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Actor, Binding, GroupId, IntegrationId, Label, Origin};
use provider::catalog::{Catalog, Entry};
use store::connections::{Connection, ConnectionKey, Filter};
use store::portal::PortalSession;
use tracing::error;

use super::visit::offers;
use crate::authorize::{Authorization, Request};
use crate::integrations::lacks_entry;
use crate::{Connect, Error, Result};

/// What comes first on the page, in this order; the rest follows by name.
const FIRST: [&str; 4] = ["github", "atlassian", "microsoft", "google_workspace"];

/// The most connections of one subject that a page shows.
const MAX_CONNECTIONS: u32 = 200;

/// Something that the operator announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Its name in the configuration: an integration's, a group's or a catalog entry's.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// The letters of its mark.
    pub mark: String,
    /// Its parts, as [`Entry::chips`] has them.
    pub chips: Vec<String>,
}

/// What one consent connects.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name in addresses: the group's, or the integration's.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// The letters of its mark.
    pub mark: String,
    /// What it connects, at least one.
    pub members: Vec<Tool>,
    /// The group that is asked for; `None` for an integration by itself.
    group: Option<GroupId>,
}

/// A member of a bucket.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The integration.
    pub id: IntegrationId,
    /// What a person calls it.
    pub name: String,
    /// Its parts, as [`Entry::chips`] has them.
    pub chips: Vec<String>,
    /// Whether there is an app to connect it with.
    pub connectable: bool,
}

/// What a page shows of one subject.
#[derive(Debug)]
pub struct Shelf {
    /// What can be connected, or is.
    pub buckets: Vec<Bucket>,
    /// What is to come.
    pub announced: Vec<Announced>,
    /// The subject's connections at these buckets, but for disconnected ones.
    pub connections: Vec<Connection>,
}

impl Bucket {
    /// Whether it can be connected.
    pub fn is_connectable(&self) -> bool {
        self.members.iter().any(|member| member.connectable)
    }

    /// Its parts: what its only integration consists of, or its members.
    pub fn chips(&self) -> Vec<String> {
        let chips = |member: &Tool| match (&self.group, member.chips.is_empty()) {
            (Some(_), true) => vec![member.name.clone()],
            _ => member.chips.clone(),
        };
        self.members.iter().flat_map(chips).collect()
    }
}

/// An integration, before it is known with which others it shares a consent.
struct Candidate {
    entry: Option<Arc<Entry>>,
    /// The app that it would be connected with (RFC 6749 §2.2).
    client_id: Option<String>,
}

/// What `name` announces; `None` where nothing is named so.
pub fn announced(name: &str, entry: Option<&Entry>, catalog: &Catalog) -> Option<Announced> {
    let group = name.parse().ok().and_then(|id: GroupId| catalog.group(&id));
    let id = name.to_owned();
    if let Some(group) = group {
        let mut members: Vec<_> = catalog.members(&group.id).collect();
        members.sort_by_key(|entry| group.place(&entry.id));
        let chips = members.into_iter().flat_map(|entry| match &*entry.chips {
            [] => vec![entry.display_name.clone()],
            chips => chips.to_vec(),
        });
        return Some(Announced {
            id,
            name: group.display_name.clone(),
            mark: group.mark(),
            chips: chips.collect(),
        });
    }
    let entry = entry.or_else(|| Some(&**catalog.get(&name.parse().ok()?)?))?;
    let (name, mark, chips) = (entry.display_name.clone(), entry.logo.clone(), entry.chips.clone());
    Some(Announced { id, name, mark, chips })
}

impl Connect {
    /// What the session's pages show.
    pub async fn shelf(&self, session: &PortalSession) -> Result<Shelf> {
        let filter = Filter { subject: Some(session.subject.clone()), ..Filter::default() };
        let mut connections = self.store().connections.list(&filter, None, MAX_CONNECTIONS).await?;
        connections.retain(|one| one.credential.is_some() && offers(session, &one.key.integration));
        let candidates = self.candidates(session, &connections).await?;
        let mut buckets = self.grouped(candidates, session);
        buckets.sort_by_cached_key(|bucket| {
            let place = FIRST.iter().position(|first| *first == bucket.id).unwrap_or(FIRST.len());
            (place, bucket.name.to_lowercase(), bucket.id.clone())
        });
        let shown = |name: &str| {
            let member = |bucket: &Bucket| bucket.members.iter().any(|member| member.id.as_str() == name);
            buckets.iter().any(|bucket| bucket.id == name || member(bucket))
        };
        let wanted = |name: &str| {
            let all = session.integrations.as_ref();
            all.is_none_or(|wanted| wanted.iter().any(|integration| integration.as_str() == name))
        };
        let announced = self.parts.settings.announced.iter();
        let announced = announced.filter(|one| wanted(&one.id) && !shown(&one.id)).cloned().collect();
        Ok(Shelf { buckets, announced, connections })
    }

    /// Begins to connect a bucket of the session, or those of its members that have an app, with one consent.
    pub async fn connect_bucket(
        &self,
        session: &PortalSession,
        bucket: &str,
        label: Label,
        origin: Origin,
    ) -> Result<Authorization> {
        let bucket = self.bucket(session, bucket).await?;
        let members = bucket.members.iter().filter(|member| member.connectable);
        let members: Vec<IntegrationId> = members.map(|member| member.id.clone()).collect();
        let Some(first) = members.first() else {
            let (integration, missing) = (bucket.members[0].id.clone(), "client_id".to_owned());
            return Err(Error::IntegrationNotConfigured { integration, missing });
        };
        self.authorize(Request {
            subject: session.subject.clone(),
            integration: bucket.group.is_none().then(|| first.clone()),
            only: bucket.group.is_some().then_some(members),
            group: bucket.group,
            label,
            scopes: None,
            return_to: Some(self.page_of(origin)),
            login_hint: None,
            binding: Binding::Cookie,
            origin,
            by: Actor::Browser(Some(session.subject.clone())),
        })
        .await
    }

    /// Disconnects what the session's subject has connected of a bucket under this label. Every member is tried; tells whether
    /// all of them are disconnected.
    pub async fn disconnect_bucket(
        &self,
        session: &PortalSession,
        bucket: &str,
        label: &Label,
    ) -> Result<bool> {
        let mut all = true;
        for member in self.bucket(session, bucket).await?.members {
            let (subject, label) = (session.subject.clone(), label.clone());
            let key = ConnectionKey { subject: subject.clone(), integration: member.id, label };
            match self.disconnect(&key, Actor::Browser(Some(subject))).await {
                // A second click finds it done.
                Ok(_) | Err(Error::ConnectionNotFound { .. }) => {}
                Err(error) => {
                    error!(subject = %key.subject, integration = %key.integration, label = %key.label,
                        outcome = "failure", cause = %error, "disconnect.failed");
                    all = false;
                }
            }
        }
        Ok(all)
    }

    /// Where an attempt of a page goes back to.
    pub(crate) fn page_of(&self, origin: Origin) -> String {
        let public_url = &self.parts.settings.public_url;
        match origin {
            Origin::Settings => format!("{public_url}/portal/settings?tab=integrations"),
            Origin::Onboarding | Origin::Api => format!("{public_url}/portal/onboarding"),
        }
    }

    /// What is not on the page can't be acted on through it.
    async fn bucket(&self, session: &PortalSession, id: &str) -> Result<Bucket> {
        let found = self.shelf(session).await?.buckets.into_iter().find(|bucket| bucket.id == id);
        found.ok_or_else(|| match id.parse() {
            Ok(integration) => Error::IntegrationNotFound { integration },
            Err(_) => Error::InvalidParameter { name: "path", rule: "names no tool".to_owned() },
        })
    }

    /// Everything that has an app or one of these connections.
    async fn candidates(
        &self,
        session: &PortalSession,
        connections: &[Connection],
    ) -> Result<BTreeMap<IntegrationId, Candidate>> {
        let settings = &self.parts.settings;
        let mut found: BTreeMap<IntegrationId, Candidate> = BTreeMap::new();
        for listed in self.integrations().await? {
            let client_id = listed.client_id.filter(|_| listed.configured);
            found.insert(listed.id, Candidate { entry: Some(listed.entry), client_id });
        }
        for row in self.store().integrations.list(Some(&session.subject)).await? {
            let Ok(entry) = self.entry(&row.provider) else {
                lacks_entry(&row);
                continue;
            };
            let parameters = settings.integrations.get(&row.id).map(|configured| &configured.parameters);
            let filled = entry.endpoints(parameters.unwrap_or(&BTreeMap::new()), None).is_ok();
            let client_id = filled.then_some(row.client_id);
            found.insert(row.id, Candidate { entry: Some(entry), client_id });
        }
        for connection in connections {
            let id = &connection.key.integration;
            if !found.contains_key(id) {
                let entry = id.as_str().parse().ok().and_then(|provider| self.entry(&provider).ok());
                found.insert(id.clone(), Candidate { entry, client_id: None });
            }
        }
        found.retain(|id, candidate| {
            let connected = || connections.iter().any(|connection| connection.key.integration == *id);
            candidate.client_id.is_some() || connected()
        });
        Ok(found)
    }

    /// Members of a group that share an app become one bucket; everything else is one by itself. What the session does not
    /// offer is counted for that, since a consent for the group is refused all the same, and then left out.
    fn grouped(
        &self,
        mut candidates: BTreeMap<IntegrationId, Candidate>,
        session: &PortalSession,
    ) -> Vec<Bucket> {
        let group_of = |candidate: &Candidate| candidate.entry.as_ref()?.group.clone();
        let mut apps: BTreeMap<GroupId, BTreeSet<String>> = BTreeMap::new();
        for candidate in candidates.values() {
            if let Some(group) = group_of(candidate) {
                apps.entry(group).or_default().extend(candidate.client_id.clone());
            }
        }
        candidates.retain(|id, _| offers(session, id));
        let mut candidates: Vec<_> = candidates.into_iter().collect();
        candidates.sort_by_key(|(_, candidate)| {
            let entry = candidate.entry.as_ref();
            let group = entry.and_then(|entry| self.parts.catalog.group(entry.group.as_ref()?));
            entry.zip(group).map(|(entry, group)| group.place(&entry.id))
        });
        let mut buckets: Vec<Bucket> = Vec::new();
        let mut alone = Vec::new();
        for (id, candidate) in candidates {
            let group =
                group_of(&candidate).filter(|group| apps.get(group).is_none_or(|apps| apps.len() < 2));
            let tool = tool(id, &candidate);
            let Some(group) = group.and_then(|group| self.parts.catalog.group(&group)) else {
                alone.push((tool, candidate.entry));
                continue;
            };
            match buckets.iter_mut().find(|bucket| bucket.group.as_ref() == Some(&group.id)) {
                Some(bucket) => bucket.members.push(tool),
                None => buckets.push(Bucket {
                    id: group.id.to_string(),
                    name: group.display_name.clone(),
                    mark: group.mark(),
                    members: vec![tool],
                    group: Some(group.id.clone()),
                }),
            }
        }
        for (tool, entry) in alone {
            let taken = buckets.iter().any(|bucket| bucket.id == tool.id.as_str());
            buckets.push(Bucket {
                // No id has a hyphen, so that this one is nobody else's.
                id: if taken { format!("{}-alone", tool.id) } else { tool.id.to_string() },
                name: tool.name.clone(),
                mark: entry.map_or_else(|| tool.id.as_str()[..1].to_uppercase(), |entry| entry.logo.clone()),
                members: vec![tool],
                group: None,
            });
        }
        buckets
    }
}

fn tool(id: IntegrationId, candidate: &Candidate) -> Tool {
    let entry = candidate.entry.as_ref();
    Tool {
        name: entry.map_or_else(|| id.to_string(), |entry| entry.display_name.clone()),
        chips: entry.map(|entry| entry.chips.clone()).unwrap_or_default(),
        connectable: candidate.client_id.is_some(),
        id,
    }
}
