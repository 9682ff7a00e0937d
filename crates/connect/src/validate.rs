//! Asks a provider whether a connection's token works. Nothing is marked here: a token that the provider refuses is
//! reported as rejected, as the product would do it, and what the refresh finds out counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{IntegrationId, ProblemCode, Timestamp};
use provider::catalog::Entry;
use provider::validate::Validity;
use store::connections::{ConnectionKey, Cursor, Filter};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{info, warn};
use vault::TokenHash;

use crate::access_token::{Token, Wish};
use crate::parts::Which;
use crate::{Connect, Error, Result};

/// How long one call may take, unless the operator gives calls less; also how long a refresh is waited for.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// How long each connection of a page may take.
const ROW_LIMIT: Duration = Duration::from_secs(10);

/// How long a page may take; what was not asked by then is unknown.
const PAGE_LIMIT: Duration = Duration::from_mins(1);

/// How many connections of a page are asked about at the same time.
const AT_ONCE: usize = 8;

/// Of these, at most so many at one integration: one that hangs does not hold up the others.
const AT_ONE_INTEGRATION: usize = 4;

/// Whether a connection's token works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidationOutcome {
    /// The provider takes it.
    Valid,
    /// The provider does not take it, nor a fresh one where there is one.
    Invalid,
    /// The provider did not say.
    Unknown,
    /// The provider can't be asked, or nobody knows how.
    Unsupported,
    /// Only the person can repair it.
    ReconnectRequired,
}

impl ValidationOutcome {
    /// The outcome's word in answers and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
            Self::Unsupported => "unsupported",
            Self::ReconnectRequired => "reconnect_required",
        }
    }
}

/// What a provider said of a connection's token.
#[derive(Debug, Clone, Copy)]
pub struct Validation {
    /// In a word.
    pub outcome: ValidationOutcome,
    /// The status of the provider's last answer, if there was one.
    pub status: Option<u16>,
    /// When.
    pub checked_at: Timestamp,
}

/// A page of connections that were asked about.
#[derive(Debug)]
pub struct ValidatedPage {
    /// Those that are connected, in the order of their ids.
    pub rows: Vec<(ConnectionKey, Validation)>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<Cursor>,
}

type Found = (ValidationOutcome, Option<u16>);

impl Connect {
    /// Asks about one connection.
    pub async fn validate(&self, key: &ConnectionKey) -> Result<Validation> {
        let began = Instant::now();
        let (outcome, status) = match self.ask_about(key).await {
            Ok(found) => found,
            Err(Error::ReconnectRequired { .. }) => (ValidationOutcome::ReconnectRequired, None),
            Err(error) if says_nothing(&error) => (ValidationOutcome::Unknown, None),
            Err(error) => return Err(error),
        };
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(subject = %key.subject, integration = %key.integration, outcome = outcome.word(), status, duration_ms,
            "connection.validated");
        Ok(Validation { outcome, status, checked_at: self.now() })
    }

    /// Asks about a page of connections; those that are disconnected are left out.
    pub async fn validate_page(
        &self,
        filter: &Filter,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<ValidatedPage> {
        // One more than asked for tells whether there is a next page.
        let mut found = self.list(filter, cursor, limit.saturating_add(1)).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next_cursor = if more { found.last().map(|connection| connection.id) } else { None };
        let all = Arc::new(Semaphore::new(AT_ONCE));
        let mut places: HashMap<IntegrationId, Arc<Semaphore>> = HashMap::new();
        // They end when the caller goes away.
        let mut asking = JoinSet::new();
        let connected = found.into_iter().filter(|connection| connection.credential.is_some());
        for (index, connection) in connected.enumerate() {
            let (plane, all, key) = (self.clone(), all.clone(), connection.key);
            let places = places.entry(key.integration.clone());
            let own = places.or_insert_with(|| Arc::new(Semaphore::new(AT_ONE_INTEGRATION))).clone();
            asking.spawn(async move {
                let asked = async {
                    // Never closed; without a place it goes on all the same.
                    let _places = (own.acquire().await, all.acquire().await);
                    plane.validate_in_time(&key).await
                };
                let unknown = || Validation {
                    outcome: ValidationOutcome::Unknown,
                    status: None,
                    checked_at: plane.now(),
                };
                let validation =
                    tokio::time::timeout(PAGE_LIMIT, asked).await.unwrap_or_else(|_| Some(unknown()));
                (index, key, validation)
            });
        }
        let mut rows = asking.join_all().await;
        rows.sort_by_key(|(index, ..)| *index);
        let rows = rows.into_iter().filter_map(|(_, key, validation)| Some((key, validation?))).collect();
        Ok(ValidatedPage { rows, next_cursor })
    }

    /// One row of a page: what goes wrong with it is its own affair. `None` when it was disconnected meanwhile.
    async fn validate_in_time(&self, key: &ConnectionKey) -> Option<Validation> {
        match tokio::time::timeout(ROW_LIMIT, self.validate(key)).await {
            Ok(Ok(validation)) => return Some(validation),
            Ok(Err(Error::ConnectionNotFound { .. })) => return None,
            Ok(Err(error)) => {
                warn!(subject = %key.subject, integration = %key.integration, outcome = "failure",
                %error, "connection.validation_failed");
            }
            Err(_) => {}
        }
        Some(Validation { outcome: ValidationOutcome::Unknown, status: None, checked_at: self.now() })
    }

    async fn ask_about(&self, key: &ConnectionKey) -> Result<Found> {
        let standing = self.standing(key, &Which::Own).await?;
        let credential = self.store().credentials.get(&standing.credential).await?;
        let credential = credential.ok_or_else(|| Self::not_found(key))?;
        // The connection's own API: another member of its group may have yielded the credential.
        let integration = self.integration(&key.integration, &key.subject).await;
        let entry = match integration {
            Ok(integration) => Some(integration.entry),
            Err(_) => self.entry(&credential.provider).ok(),
        };
        let entry = entry.filter(|entry| entry.validation.is_some());
        let Some(entry) = entry else { return Ok((ValidationOutcome::Unsupported, None)) };
        let address = self.endpoints_of(&entry, &credential).and_then(|found| found.validate);
        let Some(address) = address else { return Ok((ValidationOutcome::Unsupported, None)) };

        let wish = Wish { wait: Some(CALL_LIMIT), ..Wish::default() };
        let token = self.access_token(key, &wish).await?;
        let (outcome, status) = self.ask(&entry, &address, &token).await;
        if outcome != ValidationOutcome::Invalid || !token.standing.has_refresh_token {
            return Ok((outcome, status));
        }
        let rejected = TokenHash::of(token.access_token.expose());
        let fresh = match self.access_token(key, &Wish { rejected: Some(rejected), ..wish }).await {
            Ok(fresh) if TokenHash::of(fresh.access_token.expose()) == rejected => {
                return Ok((outcome, status));
            }
            Ok(fresh) => fresh,
            // The token is refused all the same, and there is no other for now.
            Err(error) if says_nothing(&error) => return Ok((outcome, status)),
            Err(error) => return Err(error),
        };
        Ok(self.ask(&entry, &address, &fresh).await)
    }

    async fn ask(&self, entry: &Entry, address: &str, token: &Token) -> Found {
        let http = &self.parts.http;
        let limit = http.total_timeout().min(CALL_LIMIT);
        match provider::validate::validate(http, entry, address, &token.access_token, limit).await {
            Validity::Works { status } => (ValidationOutcome::Valid, Some(status)),
            Validity::Refused { status } => (ValidationOutcome::Invalid, Some(status)),
            Validity::Unknown { status, .. } => (ValidationOutcome::Unknown, status),
        }
    }
}

/// Whether there was no token to ask about for a reason that tells nothing of the connection.
fn says_nothing(error: &Error) -> bool {
    matches!(
        error.code(),
        ProblemCode::ProviderUnavailable
            | ProblemCode::ProviderConfiguration
            | ProblemCode::RefreshingHeld
            | ProblemCode::KeysOutdated
    )
}
