//! Groups: one consent, one credential, several connections.
//!
//! - A group is asked for as a whole, or one member at a time; then the request names the scopes of the members that are
//!   connected already as well, since providers answer with what was asked last.
//! - The callback lets every member that was asked for stand on the one credential.
//! - Members that stood on an older consent of the same account move over where the new consent allows them no less.

use std::collections::BTreeMap;

use model::{
    Account, Actor, AuditEvent, CredentialId, GroupId, IntegrationId, Label, Outcome, Scopes, SubjectId,
};
use store::attempts::{Attempt, Member};
use store::connections::{Connection, ConnectionKey, Filter, StateFilter};
use tracing::{info, warn};

use crate::integrations::Integration;
use crate::{Connect, Error, Result};

/// The most connections of one subject, and of one account, that are looked at.
const MAX_CONNECTIONS: u32 = 200;

impl Connect {
    /// The members of a group that this subject can connect, by name; they share one app.
    pub(crate) async fn members(&self, group: &GroupId, subject: &SubjectId) -> Result<Vec<Integration>> {
        if self.parts.catalog.group(group).is_none() {
            return Err(Error::GroupNotFound { group: group.clone() });
        }
        let mut members = BTreeMap::new();
        for id in self.names_in(group).await? {
            match self.integration(&id, subject).await {
                Ok(member) if member.entry.group.as_ref() == Some(group) => {
                    members.insert(id, member);
                }
                Ok(_) | Err(Error::IntegrationNotConfigured { .. } | Error::IntegrationNotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let members: Vec<Integration> = members.into_values().collect();
        let Some(first) = members.first() else {
            return Err(Error::GroupNotConfigured { group: group.clone() });
        };
        match members.iter().find(|member| member.app.client_id != first.app.client_id) {
            Some(other) => Err(Error::IntegrationNotConfigured {
                integration: other.id.clone(),
                missing: format!("the client_id of {}, with which it shares one consent", first.id),
            }),
            None => Ok(members),
        }
    }

    /// Integrations that may belong to the group: those of the instance, and those named like its entries, for which the
    /// subject may have an app of its own.
    async fn names_in(&self, group: &GroupId) -> Result<Vec<IntegrationId>> {
        let listed = self.integrations().await?.into_iter();
        let of_group =
            listed.filter(|listed| listed.entry.group.as_ref() == Some(group)).map(|listed| listed.id);
        let same_name = self.parts.catalog.members(group).filter_map(|entry| entry.id.as_str().parse().ok());
        Ok(of_group.chain(same_name).collect())
    }

    /// The group that an attempt connects, where it connects several members.
    pub(crate) fn group_of(&self, attempt: &Attempt) -> Option<GroupId> {
        let entry = self.entry(&attempt.provider).ok()?;
        entry.group.clone().filter(|_| attempt.members.len() > 1)
    }

    /// The name of a group, as a person calls it.
    pub fn group_name(&self, group: &GroupId) -> Option<&str> {
        self.parts.catalog.group(group).map(|group| group.display_name.as_str())
    }

    /// What the subject's other members of the group were allowed so far, and would lose if it were not asked for again.
    pub(crate) async fn held_beside(
        &self,
        members: &[Integration],
        subject: &SubjectId,
        label: &Label,
    ) -> Result<Scopes> {
        let Some((first, group)) =
            members.first().and_then(|first| Some((first, first.entry.group.as_ref()?)))
        else {
            return Ok(Scopes::default());
        };
        let state = Some(StateFilter::Active);
        let filter = Filter { subject: Some(subject.clone()), integration: None, state };
        let mut held = Scopes::default();
        for connection in self.store().connections.list(&filter, None, MAX_CONNECTIONS).await? {
            let integration = &connection.key.integration;
            if connection.key.label != *label || members.iter().any(|member| member.id == *integration) {
                continue;
            }
            match self.integration(integration, subject).await {
                Ok(other)
                    if other.entry.group.as_ref() == Some(group)
                        && other.app.client_id == first.app.client_id =>
                {
                    held = held.with(&kept_scopes(&connection));
                }
                // Of another group or app, or its app is gone: it can't be part of this consent.
                Ok(_) | Err(Error::IntegrationNotConfigured { .. } | Error::IntegrationNotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    /// Gathers; what fails stays where it stood, and the connection that was made is none the worse.
    pub(crate) async fn gather_or_say(
        &self,
        attempt: &Attempt,
        credential: &CredentialId,
        granted: &Scopes,
        account: &Account,
    ) {
        if let Err(error) = self.gather(attempt, credential, granted, account).await {
            warn!(subject = %attempt.subject, attempt = %attempt.id, outcome = "failure", %error, "connection.move_failed");
        }
    }

    /// Lets the subject's other members of the group move to the credential that `attempt` has yielded, where it is the
    /// same account and allows them no less. Then one refresh token serves them all, as at the provider.
    async fn gather(
        &self,
        attempt: &Attempt,
        credential: &CredentialId,
        granted: &Scopes,
        account: &Account,
    ) -> Result<()> {
        let Some(group) = self.entry(&attempt.provider)?.group.clone() else { return Ok(()) };
        let members = attempt.members();
        let same =
            self.store().connections.of_account(&attempt.client_id, &account.id, MAX_CONNECTIONS).await?;
        for other in same {
            let Some(old) = other.credential else { continue };
            let ConnectionKey { subject, integration, label } = &other.key;
            let connected_now = members.iter().any(|member| member.integration == *integration);
            if old == *credential || connected_now || *subject != attempt.subject || *label != attempt.label {
                continue;
            }
            let in_group = self
                .integration(integration, subject)
                .await
                .is_ok_and(|integration| integration.entry.group.as_ref() == Some(&group));
            if !in_group || !kept_scopes(&other).missing_in(granted).is_empty() {
                continue;
            }
            let now = self.now();
            if self.store().connections.move_to(&other.key, &old, credential, now).await? {
                info!(
                    subject = %subject, integration = %integration, group = %group, outcome = "success",
                    "connection.moved"
                );
                let by = Actor::Browser(Some(subject.clone()));
                let event = AuditEvent::new(now, "connection.moved", Outcome::Success, by).subject(subject);
                let event = event.target(other.id).fact("integration", integration.as_str());
                self.audit(event.fact("label", label.as_str())).await?;
            }
        }
        Ok(())
    }
}

/// What a connection uses of its credential: what was asked for it and granted.
fn kept_scopes(connection: &Connection) -> Scopes {
    connection.requested_scopes.shared_with(&connection.granted_scopes)
}

/// What each member asks for, in the order of the members.
pub(crate) fn asked(members: &[Integration], own: Option<&Scopes>) -> Vec<Member> {
    let member = |member: &Integration| Member {
        integration: member.id.clone(),
        scopes: own.unwrap_or(&member.scopes).clone(),
    };
    members.iter().map(member).collect()
}
