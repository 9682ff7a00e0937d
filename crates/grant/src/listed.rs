//! Applications as operators see them, wherever they are registered.

use model::{ApplicationSettings, ClientId, ProblemCode};
use store::applications::Application;

use crate::application::Configured;
use crate::{Error, Grant, Result};

/// An application as operators see it.
#[derive(Debug, Clone)]
pub enum Listed {
    /// It stands in the configuration file.
    Configured {
        /// Its name for itself.
        client_id: ClientId,
        /// What it may do.
        settings: ApplicationSettings,
    },
    /// It is a row.
    Row(Application),
}

impl Listed {
    /// Its name for itself.
    pub const fn client_id(&self) -> &ClientId {
        match self {
            Self::Configured { client_id, .. } => client_id,
            Self::Row(row) => &row.client_id,
        }
    }
}

impl Grant {
    /// All applications, page by page: those of the configuration file first, then the rows. A row whose client id stands in the
    /// configuration file as well is not seen by anybody.
    pub async fn applications(&self, after: Option<&ClientId>, limit: u32) -> Result<Vec<Listed>> {
        let configured = &self.parts.settings.applications;
        let after_row = after.filter(|id| !configured.contains_key(id.as_str()));
        let mut listed = Vec::new();
        if after_row.is_none() {
            let rest =
                configured.iter().filter(|(id, _)| after.is_none_or(|after| id.as_str() > after.as_str()));
            for (id, configured) in rest.take(limit as usize) {
                let Ok(id) = id.parse() else { continue };
                listed.push(configured.listed(id));
            }
        }
        // As many more as may be hidden, so that a page is full unless it is the last one.
        let hidden = u32::try_from(configured.len()).unwrap_or(u32::MAX);
        let rows = self.store().applications.list(after_row, limit.saturating_add(hidden)).await?;
        let rows = rows.into_iter().filter(|row| !configured.contains_key(row.client_id.as_str()));
        listed.extend(rows.map(Listed::Row));
        listed.truncate(limit as usize);
        Ok(listed)
    }

    /// One of them.
    pub async fn listed(&self, id: &ClientId) -> Result<Listed> {
        if let Some(configured) = self.parts.settings.applications.get(id.as_str()) {
            return Ok(configured.listed(id.clone()));
        }
        let row = self.store().applications.get(id).await?;
        row.map(Listed::Row).ok_or_else(|| Error::problem(ProblemCode::ApplicationNotFound))
    }
}

impl Configured {
    fn listed(&self, client_id: ClientId) -> Listed {
        Listed::Configured { client_id, settings: self.settings.clone() }
    }
}
