//! What a subject has connected: a row for every configured integration, connected or not.

use std::collections::BTreeSet;

use model::{Account, ConnectionState, IntegrationId, Scopes, SubjectId, Timestamp};
use store::connections::{Connection, Filter};
use store::subjects::Overview;

use crate::{Connect, Result};

/// The most connections of one subject that a status shows.
const MAX_ROWS: u32 = 1000;

/// One row of a status.
#[derive(Debug, Clone)]
pub struct Row {
    /// The integration.
    pub integration: IntegrationId,
    /// The connection's label, where there is a connection.
    pub label: Option<String>,
    /// Whether a token could be handed out, at once or after a refresh.
    pub has_token: bool,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last written.
    pub updated_at: Option<Timestamp>,
    /// `active`, `expiring`, `expired`, `broken`, `disconnected` or `not_connected`.
    pub status: &'static str,
    /// What was granted.
    pub scopes: Scopes,
    /// The account at the provider.
    pub account: Option<Account>,
}

impl Connect {
    /// The status of a subject at one integration, or at all of them.
    pub async fn status(&self, subject: &SubjectId, only: Option<&IntegrationId>) -> Result<Vec<Row>> {
        if self.parts.settings.subjects_must_exist {
            self.admit(subject).await?;
        }
        let filter = Filter { subject: Some(subject.clone()), integration: only.cloned(), state: None };
        let connections = self.store().connections.list(&filter, None, MAX_ROWS).await?;
        let mut rows: Vec<Row> = connections.iter().map(|connection| self.row(connection)).collect();
        let seen: BTreeSet<&IntegrationId> =
            connections.iter().map(|connection| &connection.key.integration).collect();
        let known = self.integrations().await?.into_iter().map(|listed| listed.id);
        let known: Vec<IntegrationId> = known.filter(|id| only.is_none_or(|only| only == id)).collect();
        if let Some(only) = only
            && known.is_empty()
            && seen.is_empty()
        {
            // 404 for a name that nobody knows, 400 for one without credentials.
            self.integration(only, subject).await.map(drop)?;
        }
        rows.extend(known.into_iter().filter(|id| !seen.contains(id)).map(|integration| Row {
            integration,
            label: None,
            has_token: false,
            expires_at: None,
            updated_at: None,
            status: "not_connected",
            scopes: Scopes::default(),
            account: None,
        }));
        rows.sort_by(|one, other| (&one.integration, &one.label).cmp(&(&other.integration, &other.label)));
        Ok(rows)
    }

    /// At most `limit` subjects after `cursor`, by id, with what they have.
    pub async fn subjects(&self, cursor: Option<&SubjectId>, limit: u32) -> Result<Vec<Overview>> {
        let buffer = self.parts.settings.refresh_before;
        Ok(self.store().subjects.overview(cursor, self.now(), buffer, limit).await?)
    }

    fn row(&self, connection: &Connection) -> Row {
        let disconnected = matches!(connection.state, ConnectionState::Disconnected { .. });
        Row {
            integration: connection.key.integration.clone(),
            label: Some(connection.key.label.to_string()),
            has_token: !disconnected && (connection.has_access_token || connection.has_refresh_token),
            expires_at: connection.expires_at,
            updated_at: Some(connection.updated_at),
            status: self.word(connection),
            scopes: connection.granted_scopes.clone(),
            account: connection.account.clone(),
        }
    }

    /// The state's word, with what the time adds to it: `expiring` when a refresh is due, `expired` when the access
    /// token has ended.
    pub fn word(&self, connection: &Connection) -> &'static str {
        let now = self.now();
        let obtained_at = connection.refreshed_at.unwrap_or(connection.connected_at);
        match (&connection.state, connection.expires_at) {
            (ConnectionState::Active, Some(end)) if end <= now => "expired",
            (ConnectionState::Active, Some(end)) if end.since(now) <= self.buffer(end.since(obtained_at)) => {
                "expiring"
            }
            (state, _) => state.word(),
        }
    }
}
