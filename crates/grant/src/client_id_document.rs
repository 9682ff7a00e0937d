//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document): an application whose `client_id` is the https address
//! of a document that says what it is. Whoever controls the address is the application.
//!
//! 1. The address is one that only one text names (`address`); anything else is an unknown application, and nothing is read.
//! 2. What was read lately is a row, which all replicas share, and is believed as long as its headers said, within bounds.
//! 3. Else one caller reads it, counted by where they come from; others who want it at that moment wait for the same answer.
//! 4. Only a good document becomes a row, which goes when it is believed no longer and nobody has agreed to anything. What was wrong
//!    is never kept, so it is right again as soon as it is mended.
//!
//! Refreshing, revoking and looking at a consent use the row as it is: somebody else's server that is away signs nobody out. Only
//! an application that signs is read again there too, for its keys may have been withdrawn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{ClientAuthentication, ClientId, ProblemCode};
use serde_json::{Map, Value};
use store::applications::{Application, Registrar};
use tracing::info;
use url::Url;

use crate::application::Client;
use crate::client_metadata::Source;
use crate::{Error, Grant, Result};

/// How long a document is believed: as its `Cache-Control` says, within these, and where it says nothing.
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(24);
const USUAL: Duration = Duration::from_hours(1);

/// Reads documents: the outside world, which the wiring plugs in.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Reads what lies at an address: without going on to another, without an address of a private network, and no more than
    /// such a document may have.
    async fn read(&self, address: &str) -> std::result::Result<Document, Unread>;
}

/// What lay there.
pub struct Document {
    /// The status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Nothing came; why, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unread(pub String);

/// What is wrong with a document, for whoever makes the application.
type Rule = &'static str;

/// One reading, which may have several who wait for it; they are told what was wrong.
type Flight = Arc<tokio::sync::Mutex<Option<Rule>>>;

/// The documents that are being read.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<ClientId, Flight>>);

impl Flights {
    fn of(&self, id: &ClientId) -> Flight {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose callers have all gone away.
        flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        Arc::clone(flights.entry(id.clone()).or_default())
    }

    fn land(&self, id: &ClientId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// The address that a client id is, if a document may lie there: https (http on loopback is for tests, and read only where
/// `grant.mcp.allow_private` names the host), with a path, and written as it is compared: no dots, no user, no fragment.
fn address(id: &str) -> Option<Url> {
    let url = Url::parse(id).ok()?;
    let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    let is_good = (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
        && url.as_str() == id
        && url.path() != "/"
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_good.then_some(url)
}

/// The host of an application that has a document.
pub fn host(id: &ClientId) -> Option<String> {
    address(id.as_str()).and_then(|url| url.host_str().map(str::to_owned))
}

impl Grant {
    /// The application that comes with an authorization request. Its document must be good now.
    pub(crate) async fn client_that_asks(&self, id: &str, from: &str) -> Result<Option<Client>> {
        match self.document_id(id) {
            Some((id, url)) => self.by_document(id, &url, from).await.map(Some),
            None => self.client(id).await,
        }
    }

    /// The application that comes to the token endpoint and the like.
    pub(crate) async fn client_that_proves(&self, id: &str, from: &str) -> Result<Option<Client>> {
        let Some((id, url)) = self.document_id(id) else { return self.client(id).await };
        let row = self.document_row(&id).await?;
        let is_known = row.is_some();
        if let Some(row) = row
            && (row.settings.authentication == ClientAuthentication::None || self.is_fresh(&row))
        {
            return Ok(Some(self.client_of(row)));
        }
        match self.by_document(id, &url, from).await {
            Ok(client) => Ok(Some(client)),
            // Its tokens are still good; it may come again when its document can be read.
            Err(Error::Problem { .. }) if is_known => {
                Err(Error::NotNow { what: "the application's document" })
            }
            Err(Error::Problem { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn document_id(&self, id: &str) -> Option<(ClientId, Url)> {
        let url = address(id).filter(|_| self.parts.settings.mcp.documents)?;
        Some((id.parse().ok()?, url))
    }

    async fn document_row(&self, id: &ClientId) -> Result<Option<Application>> {
        let row = self.store().applications.get(id).await?;
        Ok(row.filter(|row| row.registrar == Registrar::Document))
    }

    fn is_fresh(&self, row: &Application) -> bool {
        row.fresh_until.is_some_and(|until| until > self.now())
    }

    async fn by_document(&self, id: ClientId, url: &Url, from: &str) -> Result<Client> {
        if let Some(row) = self.document_row(&id).await?.filter(|row| self.is_fresh(row)) {
            return Ok(self.client_of(row));
        }
        let flight = self.flights.of(&id);
        let mut failed = flight.lock().await;
        if let Some(rule) = *failed {
            return Err(unusable(rule));
        }
        // Whoever was before us may have read it.
        if let Some(row) = self.document_row(&id).await?.filter(|row| self.is_fresh(row)) {
            return Ok(self.client_of(row));
        }
        self.limit_documents(from)?;
        // A stranger says where we read, and their server how long that takes.
        let Ok(_room) = self.reading.try_acquire() else {
            return Err(Error::NotNow { what: "the application's document" });
        };
        let read = self.read_document(&id, url).await;
        self.flights.land(&id);
        match read {
            Ok(row) => self.keep_document(row).await.map(|row| self.client_of(row)),
            Err(rule) => {
                *failed = Some(rule);
                Err(unusable(rule))
            }
        }
    }

    async fn read_document(&self, id: &ClientId, url: &Url) -> std::result::Result<Application, Rule> {
        let document = self.parts.documents.read(id.as_str()).await.map_err(|error| {
            info!(target = %id, outcome = "failure", cause = %error, "client_document.unread");
            "it can't be read"
        })?;
        if document.status != 200 {
            return Err("it is not answered with 200, and redirects are not followed");
        }
        if !document.content_type.as_deref().is_some_and(is_json) {
            return Err("its Content-Type is not application/json");
        }
        let mut said: Map<String, Value> =
            serde_json::from_slice(&document.body).map_err(|_| "it is no JSON object")?;
        if said.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
            return Err("its client_id is not its own address");
        }
        let has = |name: &str| said.get(name).is_some_and(|value| !value.is_null());
        if has("client_secret") || has("client_secret_expires_at") {
            return Err("it has a client_secret, which everybody can read");
        }
        if !has("client_name") {
            let host = url.host_str().unwrap_or_default();
            said.insert("client_name".to_owned(), host.into());
        }
        let read = self.parts.settings.read_metadata(&said, Source::Document).map_err(|refusal| {
            info!(target = %id, outcome = "denied", cause = %refusal.description, "client_document.refused");
            match refusal.code {
                model::OauthErrorCode::InvalidRedirectUri => "it has no redirect URI that is allowed here",
                _ => "what it says about the application is not allowed here",
            }
        })?;
        if read.settings.authentication == ClientAuthentication::Secret {
            return Err("its token_endpoint_auth_method needs a secret");
        }
        let now = self.now();
        Ok(Application {
            client_id: id.clone(),
            settings: read.settings,
            secrets: Vec::new(),
            registrar: Registrar::Document,
            registration_token: None,
            auth_method: None,
            fresh_until: Some(now + believed_for(document.cache_control.as_deref())),
            revision: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// Writes a row, or puts it in the place of what was read before.
    async fn keep_document(&self, mut row: Application) -> Result<Application> {
        let applications = &self.store().applications;
        let read_at = row.updated_at;
        loop {
            let before = applications.get(&row.client_id).await?;
            let is_kept = if let Some(before) = before {
                row.revision = before.revision + 1;
                row.created_at = before.created_at;
                // It has changed only where it says something else by now.
                row.updated_at = if row.settings == before.settings { before.updated_at } else { read_at };
                applications.replace(&row).await?
            } else {
                (row.revision, row.created_at, row.updated_at) = (1, read_at, read_at);
                applications.create_unasked(&row, self.parts.settings.mcp.max_unused).await?
            };
            if is_kept {
                return Ok(row);
            }
        }
    }
}

fn unusable(rule: Rule) -> Error {
    Error::Problem { code: ProblemCode::ClientDocumentUnusable, about: Some(("document", rule.to_owned())) }
}

/// `application/json`, or a type of its own that ends in `+json`.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// RFC 9111 §5.2.2, within our bounds.
fn believed_for(cache_control: Option<&str>) -> Duration {
    let mut life = USUAL;
    for directive in cache_control.unwrap_or_default().split(',') {
        let directive = directive.trim().to_ascii_lowercase();
        if matches!(&*directive, "no-store" | "no-cache") {
            return SHORTEST;
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            // What is no number is as if it had ended (RFC 9111 §4.2.1).
            let seconds = seconds.trim_matches('"').parse::<u64>().unwrap_or(0);
            life = Duration::from_secs(seconds.min(LONGEST.as_secs()));
        }
    }
    life.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_text_names_a_document() {
        for good in [
            "https://app.example.com/client.json",
            "https://app.example.com:8443/a/b?x=1",
            "http://127.0.0.1:5/client",
            "http://localhost/c",
        ] {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in [
            "https://app.example.com",
            "https://app.example.com/",
            "https://app.example.com?x=/y",
            "http://app.example.com/client.json",
            "HTTPS://app.example.com/client.json",
            "https://APP.example.com/client.json",
            "https://app.example.com:443/client.json",
            "https://app.example.com/a/../client.json",
            "https://app.example.com/./client.json",
            "https://app.example.com/a/%2e%2e/client.json",
            "https://user@app.example.com/client.json",
            "https://:x@app.example.com/client.json",
            "https://app.example.com/client.json#fragment",
            "https:app.example.com/client.json",
            "file:///etc/passwd",
            "app_1",
            "",
        ] {
            assert!(address(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_document_is_believed_as_long_as_it_says_within_bounds() {
        for (said, seconds) in [
            (None, 3600),
            (Some(""), 3600),
            (Some("public"), 3600),
            (Some("max-age=600"), 600),
            (Some("public, Max-Age=\"600\""), 600),
            (Some("max-age=0"), 60),
            (Some("max-age=x"), 60),
            (Some("max-age=-1"), 60),
            (Some("max-age=600, no-store"), 60),
            (Some("no-cache"), 60),
            (Some("max-age=18446744073709551615"), 86_400),
        ] {
            assert_eq!(believed_for(said).as_secs(), seconds, "{said:?}");
        }
    }

    #[test]
    fn a_document_is_json() {
        for (content_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/oauth-client-metadata+json", true),
            ("text/html", false),
            ("text/json", false),
            ("", false),
        ] {
            assert_eq!(is_json(content_type), expected, "{content_type}");
        }
    }
}
