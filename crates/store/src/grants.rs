//! Consents: what a user lets an application do for a team.

use async_trait::async_trait;
use model::{ClientId, GrantId, Scopes, TeamId, Timestamp, UserId};

use crate::Result;

/// A user's standing consent for one application, acting for one team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Whose.
    pub user: UserId,
    /// For which team; `None` for the user alone.
    pub team: Option<TeamId>,
    /// For which application.
    pub client_id: ClientId,
    /// What was agreed to.
    pub scopes: Scopes,
    /// At which resources (RFC 8707).
    pub resources: Vec<String>,
    /// When it was first given.
    pub created_at: Timestamp,
    /// When something was last agreed to.
    pub updated_at: Timestamp,
    /// When a code or a token was last issued on it; of refreshes within an hour the first counts.
    pub used_at: Option<Timestamp>,
}

impl Grant {
    /// The same with the scopes and resources of another besides. Where both differ the later agreement takes the place of the
    /// earlier one: together they would let a scope of the one be used at a resource of the other, and nobody agreed to that.
    pub(crate) fn with(&self, other: &Self) -> Self {
        let has_resources =
            |all: &Self, some: &Self| some.resources.iter().all(|own| all.resources.contains(own));
        let has_scopes = |all: &Self, some: &Self| some.scopes.missing_in(&all.scopes).is_empty();
        let same_resources = has_resources(self, other) && has_resources(other, self);
        let same_scopes = has_scopes(self, other) && has_scopes(other, self);
        let nothing_new = has_resources(self, other) && has_scopes(self, other);
        if !(same_resources || same_scopes || nothing_new) {
            return Self { scopes: other.scopes.clone(), resources: other.resources.clone(), ..self.clone() };
        }
        let new = other.resources.iter().filter(|resource| !self.resources.contains(resource));
        let resources = self.resources.iter().chain(new).cloned().collect();
        Self { scopes: self.scopes.with(&other.scopes), resources, ..self.clone() }
    }
}

/// The rows of `grants`. One that is withdrawn is no more.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Writes what was agreed to: a new row, or the row for the same user, team and application, whose id and beginning stay. It
    /// gets other scopes at the same resources besides, or other resources for the same scopes; anything else takes the place
    /// of what was there. Answers the row as it is then.
    async fn agree(&self, grant: &Grant) -> Result<Grant>;
    /// Reads one.
    async fn get(&self, id: &GrantId) -> Result<Option<Grant>>;
    /// The grants of a user for an application, newest agreement first.
    async fn between(&self, user: &UserId, client_id: &ClientId) -> Result<Vec<Grant>>;
    /// Lists them by id, after one, at most `limit`, where they are a user's or an application's if these are named.
    async fn list(
        &self,
        user: Option<&UserId>,
        client_id: Option<&ClientId>,
        after: Option<&GrantId>,
        limit: u32,
    ) -> Result<Vec<Grant>>;
    /// Withdraws one, with its codes, families and tokens; answers it, once.
    async fn withdraw(&self, id: &GrantId) -> Result<Option<Grant>>;
}
