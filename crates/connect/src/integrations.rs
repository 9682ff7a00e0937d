//! Which of our apps speaks for whom: the subject's own, else the configuration file's, else the one that came through
//! the API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Actor, AuditEvent, ClientSecret, GroupId, IntegrationId, Outcome, ProviderId, Scopes, SubjectId,
    Timestamp,
};
use provider::catalog::{Endpoints, Entry, Region};
use provider::exchange::App;
use store::credentials::Credential;
use store::integrations::IntegrationRow;
use tracing::warn;

use crate::{Connect, Error, Result};

/// An integration of the configuration file.
#[derive(Debug, Clone)]
pub struct ConfiguredIntegration {
    /// The catalog entry.
    pub provider: ProviderId,
    /// RFC 6749 §2.2; `None` where the operator has not filled it in yet.
    pub client_id: Option<String>,
    /// RFC 6749 §2.3.1.
    pub client_secret: Option<ClientSecret>,
    /// Scopes to ask for instead of the entry's.
    pub scopes: Option<Scopes>,
    /// A redirect URI instead of our own.
    pub redirect_uri: Option<String>,
    /// What fills the placeholders of the entry's endpoints.
    pub parameters: BTreeMap<String, String>,
    /// How long an attempt may take here.
    pub attempt_ttl: Option<Duration>,
}

/// Where an integration's app credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The subject's own.
    Subject,
    /// The configuration file.
    Configuration,
    /// The API, for the whole instance.
    Api,
}

/// An integration, ready to be used for one subject.
pub(crate) struct Integration {
    pub(crate) id: IntegrationId,
    pub(crate) entry: Arc<Entry>,
    pub(crate) app: App,
    pub(crate) scopes: Scopes,
    redirect_uri: Option<String>,
    parameters: BTreeMap<String, String>,
}

impl Integration {
    /// The entry's addresses with every placeholder filled.
    pub(crate) fn endpoints(&self, region: Option<&Region>) -> Result<Endpoints> {
        self.entry.endpoints(&self.parameters, region).map_err(|error| Error::IntegrationNotConfigured {
            integration: self.id.clone(),
            missing: error.to_string(),
        })
    }

    /// The redirect URI: the operator's, else ours with the id of the group or, without one, of the integration, so
    /// that an answer of one server can't be taken for another's (RFC 9700 §4.4.2.2).
    pub(crate) fn redirect_uri(&self, public_url: &str) -> String {
        self.redirect_uri
            .clone()
            .unwrap_or_else(|| format!("{public_url}/api/oauth/callback/{}", self.callback_id()))
    }

    /// What stands at the end of the callback's path.
    pub(crate) fn callback_id(&self) -> String {
        callback_id(&self.id, &self.entry)
    }
}

pub(crate) fn callback_id(id: &IntegrationId, entry: &Entry) -> String {
    entry.group.as_ref().map_or_else(|| id.to_string(), GroupId::to_string)
}

/// An integration that came through the API and whose catalog entry the operator has taken away since: it can't be used, and
/// the others can.
pub(crate) fn lacks_entry(row: &IntegrationRow) {
    warn!(integration = %row.id, provider = %row.provider, "integration.lacks_entry");
}

/// An integration as the backend lists it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub id: IntegrationId,
    /// The catalog entry.
    pub entry: Arc<Entry>,
    /// Whether app credentials are there, so that it can be connected.
    pub configured: bool,
    /// What it asks for.
    pub scopes: Scopes,
    /// Where it was set up.
    pub source: Source,
    /// RFC 6749 §2.2; `None` where the operator has not filled it in yet.
    pub client_id: Option<String>,
}

impl Listed {
    fn new(
        id: IntegrationId,
        entry: Arc<Entry>,
        scopes: Option<Scopes>,
        source: Source,
        client_id: Option<String>,
        parameters: &BTreeMap<String, String>,
    ) -> Self {
        Self {
            id,
            configured: client_id.is_some() && entry.endpoints(parameters, None).is_ok(),
            scopes: scopes.unwrap_or_else(|| entry.default_scopes.clone()),
            source,
            client_id,
            entry,
        }
    }
}

/// An integration to set up through the API.
#[derive(Debug)]
pub struct NewIntegration {
    /// Its name.
    pub id: IntegrationId,
    /// The subject whose own it is; `None` for the whole instance.
    pub subject: Option<SubjectId>,
    /// The catalog entry; `None` for the one of the same name.
    pub provider: Option<ProviderId>,
    /// RFC 6749 §2.2.
    pub client_id: String,
    /// RFC 6749 §2.3.1.
    pub client_secret: Option<ClientSecret>,
    /// Scopes to ask for instead of the entry's.
    pub scopes: Option<Scopes>,
    /// A redirect URI instead of our own.
    pub redirect_uri: Option<String>,
}

impl Connect {
    /// Every integration of the instance, by name, but for those whose catalog entry is gone.
    pub async fn integrations(&self) -> Result<Vec<Listed>> {
        let mut listed = BTreeMap::new();
        for row in self.store().integrations.list(None).await? {
            if self.entry(&row.provider).is_err() {
                lacks_entry(&row);
                continue;
            }
            listed.insert(row.id.clone(), self.listed_row(row)?);
        }
        for (id, configured) in &self.parts.settings.integrations {
            listed.insert(id.clone(), self.listed_configuration(id, configured)?);
        }
        Ok(listed.into_values().collect())
    }

    /// One integration of the instance, or a subject's own app credentials there.
    pub async fn inspect_integration(
        &self,
        id: &IntegrationId,
        subject: Option<&SubjectId>,
    ) -> Result<Listed> {
        let configured = self.parts.settings.integrations.get(id);
        if let (None, Some(configured)) = (subject, configured) {
            return self.listed_configuration(id, configured);
        }
        let row = self.store().integrations.get(id, subject).await?;
        self.listed_row(row.ok_or_else(|| Error::IntegrationNotFound { integration: id.clone() })?)
    }

    /// Puts a new client secret in place of the old one, of an integration that came through the API.
    pub async fn rotate_client_secret(
        &self,
        id: &IntegrationId,
        subject: Option<&SubjectId>,
        client_secret: &ClientSecret,
        by: Actor,
    ) -> Result<Listed> {
        if subject.is_none() && self.parts.settings.integrations.contains_key(id) {
            return Err(Error::IntegrationInConfiguration { integration: id.clone() });
        }
        let row = self.store().integrations.get(id, subject).await?;
        let row = row.ok_or_else(|| Error::IntegrationNotFound { integration: id.clone() })?;
        let sealed_to = IntegrationRow::seal_row(id, subject);
        let client_secret = Some(self.parts.keys.seal(&sealed_to, client_secret)?);
        let now = self.now();
        let row = IntegrationRow { client_secret, updated_at: now, ..row };
        self.store().integrations.put(&row).await?;
        self.audit(event(now, "integration.secret_rotated", by, id, subject)).await?;
        self.listed_row(row)
    }

    /// Every entry of the catalog, by name.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.parts.catalog.entries()
    }

    /// One entry of the catalog.
    pub fn provider(&self, id: &ProviderId) -> Result<Arc<Entry>> {
        self.entry(id)
    }

    fn listed_row(&self, row: IntegrationRow) -> Result<Listed> {
        let entry = self.entry(&row.provider)?;
        let configured = self.parts.settings.integrations.get(&row.id).filter(|_| row.subject.is_some());
        let parameters = configured.map(|configured| configured.parameters.clone()).unwrap_or_default();
        let source = if row.subject.is_some() { Source::Subject } else { Source::Api };
        Ok(Listed::new(row.id, entry, row.scopes, source, Some(row.client_id), &parameters))
    }

    fn listed_configuration(&self, id: &IntegrationId, configured: &ConfiguredIntegration) -> Result<Listed> {
        let entry = self.entry(&configured.provider)?;
        let (scopes, client_id) = (configured.scopes.clone(), configured.client_id.clone());
        let source = Source::Configuration;
        Ok(Listed::new(id.clone(), entry, scopes, source, client_id, &configured.parameters))
    }

    /// Sets up an integration, or changes one that came through the API. The configuration file stays the master of
    /// what it names; a subject's own app credentials are free of it.
    pub async fn put_integration(&self, new: NewIntegration, by: Actor) -> Result<Listed> {
        let configured = self.parts.settings.integrations.get(&new.id);
        if new.subject.is_none() && configured.is_some() {
            return Err(Error::IntegrationInConfiguration { integration: new.id });
        }
        let provider = match (new.provider, configured) {
            (Some(provider), _) => provider,
            (None, Some(configured)) => configured.provider.clone(),
            (None, None) => match self.store().integrations.get(&new.id, None).await? {
                Some(row) => row.provider,
                None => provider_of_the_same_name(&new.id)?,
            },
        };
        self.entry(&provider)?;
        if let Some(subject) = &new.subject {
            self.admit(subject).await?;
        }
        let now = self.now();
        let row = IntegrationRow::seal_row(&new.id, new.subject.as_ref());
        let row = IntegrationRow {
            client_secret: new
                .client_secret
                .as_ref()
                .map(|secret| self.parts.keys.seal(&row, secret))
                .transpose()?,
            id: new.id,
            subject: new.subject,
            provider,
            client_id: new.client_id,
            scopes: new.scopes,
            redirect_uri: new.redirect_uri,
            updated_at: now,
        };
        self.store().integrations.put(&row).await?;
        self.audit(event(now, "integration.configured", by, &row.id, row.subject.as_ref())).await?;
        self.listed_row(row)
    }

    /// Removes an integration that came through the API. Its connections stay, and can't be refreshed without it.
    pub async fn remove_integration(
        &self,
        id: &IntegrationId,
        subject: Option<&SubjectId>,
        by: Actor,
    ) -> Result<()> {
        if subject.is_none() && self.parts.settings.integrations.contains_key(id) {
            return Err(Error::IntegrationInConfiguration { integration: id.clone() });
        }
        if !self.store().integrations.remove(id, subject).await? {
            return Err(Error::IntegrationNotFound { integration: id.clone() });
        }
        self.audit(event(self.now(), "integration.removed", by, id, subject)).await
    }

    /// What an integration asks for on behalf of this subject; `None` where nothing can be asked for.
    pub(crate) async fn scopes_of(&self, id: &IntegrationId, subject: &SubjectId) -> Result<Option<Scopes>> {
        let of = |provider: &ProviderId, own: Option<Scopes>| {
            let entry = self.entry(provider).ok()?;
            Some(own.unwrap_or_else(|| entry.default_scopes.clone()))
        };
        if let Some(row) = self.store().integrations.get(id, Some(subject)).await? {
            return Ok(of(&row.provider, row.scopes));
        }
        if let Some(configured) = self.parts.settings.integrations.get(id) {
            let has_app = configured.client_id.is_some();
            return Ok(if has_app { of(&configured.provider, configured.scopes.clone()) } else { None });
        }
        let row = self.store().integrations.get(id, None).await?;
        Ok(row.and_then(|row| of(&row.provider, row.scopes)))
    }

    /// The integration with the app credentials that count for this subject. 404 when nobody knows the name, 400 when
    /// there are no credentials for it.
    pub(crate) async fn integration(&self, id: &IntegrationId, subject: &SubjectId) -> Result<Integration> {
        let configured = self.parts.settings.integrations.get(id);
        if let Some(row) = self.store().integrations.get(id, Some(subject)).await? {
            let parameters = configured.map(|c| c.parameters.clone()).unwrap_or_default();
            return self.with_row(row, parameters).await;
        }
        if let Some(configured) = configured {
            return self.with_configuration(id, configured);
        }
        if let Some(row) = self.store().integrations.get(id, None).await? {
            return self.with_row(row, BTreeMap::new()).await;
        }
        let in_catalog = provider_of_the_same_name(id).is_ok_and(|provider| self.entry(&provider).is_ok());
        Err(if in_catalog {
            Error::IntegrationNotConfigured { integration: id.clone(), missing: "client_id".to_owned() }
        } else {
            Error::IntegrationNotFound { integration: id.clone() }
        })
    }

    /// The app of that client id, whoever it counts for now: tokens are given back by the app that they were issued to.
    /// `None` when it is gone.
    pub(crate) async fn app_of(
        &self,
        id: &IntegrationId,
        subject: &SubjectId,
        client_id: &str,
    ) -> Result<Option<App>> {
        for owner in [Some(subject), None] {
            let row = self.store().integrations.get(id, owner).await?;
            if let Some(row) = row.filter(|row| row.client_id == client_id) {
                return self.app(&row).await.map(Some);
            }
            let configured = self.parts.settings.integrations.get(id).filter(|_| owner.is_some());
            if let Some(configured) = configured.filter(|one| one.client_id.as_deref() == Some(client_id)) {
                let client_secret = configured.client_secret.clone();
                return Ok(Some(App { client_id: client_id.to_owned(), client_secret }));
            }
        }
        Ok(None)
    }

    /// Where a credential's provider listens, as it is set up now; in the data centre of its pinned token URL, where there
    /// are several. `None` when that can't be told.
    pub(crate) fn endpoints_of(&self, entry: &Entry, credential: &Credential) -> Option<Endpoints> {
        let configured = self.parts.settings.integrations.get(&credential.integration);
        let parameters = configured.map(|configured| configured.parameters.clone()).unwrap_or_default();
        let Some(regions) = &entry.regions else { return entry.endpoints(&parameters, None).ok() };
        regions
            .rows
            .keys()
            .filter_map(|name| entry.region(name))
            .filter_map(|region| entry.endpoints(&parameters, Some(&region)).ok())
            .find(|endpoints| endpoints.refresh == credential.token_url)
    }

    async fn app(&self, row: &IntegrationRow) -> Result<App> {
        let sealed_to = IntegrationRow::seal_row(&row.id, row.subject.as_ref());
        let client_secret = match &row.client_secret {
            Some(sealed) => Some(self.parts.keys.open(&sealed_to, sealed).await?),
            None => None,
        };
        Ok(App { client_id: row.client_id.clone(), client_secret })
    }

    async fn with_row(
        &self,
        row: IntegrationRow,
        parameters: BTreeMap<String, String>,
    ) -> Result<Integration> {
        let entry = self.entry(&row.provider)?;
        let app = self.app(&row).await?;
        Ok(Integration {
            scopes: row.scopes.unwrap_or_else(|| entry.default_scopes.clone()),
            id: row.id,
            entry,
            app,
            redirect_uri: row.redirect_uri,
            parameters,
        })
    }

    fn with_configuration(
        &self,
        id: &IntegrationId,
        configured: &ConfiguredIntegration,
    ) -> Result<Integration> {
        let entry = self.entry(&configured.provider)?;
        let client_id = configured.client_id.clone().ok_or_else(|| Error::IntegrationNotConfigured {
            integration: id.clone(),
            missing: "client_id".to_owned(),
        })?;
        Ok(Integration {
            id: id.clone(),
            scopes: configured.scopes.clone().unwrap_or_else(|| entry.default_scopes.clone()),
            entry,
            app: App { client_id, client_secret: configured.client_secret.clone() },
            redirect_uri: configured.redirect_uri.clone(),
            parameters: configured.parameters.clone(),
        })
    }

    pub(crate) fn entry(&self, provider: &ProviderId) -> Result<Arc<Entry>> {
        let entry = self.parts.catalog.get(provider);
        entry.cloned().ok_or_else(|| Error::ProviderNotFound { provider: provider.to_string() })
    }
}

fn provider_of_the_same_name(id: &IntegrationId) -> Result<ProviderId> {
    id.as_str().parse().map_err(|_| Error::IntegrationNotFound { integration: id.clone() })
}

fn event(
    at: Timestamp,
    name: &str,
    by: Actor,
    id: &IntegrationId,
    subject: Option<&SubjectId>,
) -> AuditEvent {
    let event = AuditEvent::new(at, name, Outcome::Success, by).target(id);
    match subject {
        Some(subject) => event.subject(subject),
        None => event,
    }
}
