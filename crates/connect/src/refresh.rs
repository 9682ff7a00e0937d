//! One refresh of one credential at a time (RFC 6749 §6).
//!
//! The single-flight key is the credential, never the connection: members of a group share one refresh token. The work
//! is a detached task; callers only wait for it, and a caller that goes away does not cancel it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::{Actor, AuditEvent, CredentialId, Outcome, ReconnectReason, RefreshToken, Timestamp};
use provider::answer::{AnswerError, Class};
use provider::refresh::{Refresh, refresh};
use store::credentials::Credential;
use tokio::sync::watch;
use tracing::{error, info, warn};
use vault::TokenHash;

use crate::{Connect, Error, Result};

/// How long a caller is told to wait when the provider gave no time of its own.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why a refresh is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A token that is still good comes near its end.
    Background,
    /// A caller waits for it.
    Read,
    /// Somebody asked for it.
    Forced,
}

impl Trigger {
    const fn word(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Read => "read",
            Self::Forced => "forced",
        }
    }
}

/// How a flight ended, for everybody who waited. What it yielded stands in the store.
#[derive(Debug, Clone)]
pub(crate) enum Landing {
    /// The tokens were replaced, by this flight or by somebody else.
    Fresh,
    /// Only the person can repair it; the store says why.
    Dead,
    /// The provider did not answer, or can't just now.
    Unavailable(Duration),
    /// The provider refuses our app.
    Configuration(Option<String>),
    /// We could not do it.
    Failed(Arc<Error>),
}

/// The refreshes under way in this process, and the credentials that rest after one that failed.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<Board>>);

#[derive(Default)]
struct Board {
    under_way: HashMap<CredentialId, watch::Receiver<Option<Landing>>>,
    resting: HashMap<CredentialId, Timestamp>,
    /// Rejected tokens that a refresh has answered with the same token.
    answered: HashMap<CredentialId, TokenHash>,
}

/// How many of those are remembered; then all are forgotten, which costs a call each.
const MAX_ANSWERED: usize = 10_000;

impl Flights {
    /// Whether a refresh that nobody waits for had better not be tried again yet.
    pub(crate) fn rests(&self, credential: &CredentialId, now: Timestamp) -> bool {
        self.lock().resting.get(credential).is_some_and(|until| *until > now)
    }

    /// Whether a refresh has already answered this rejection with the same token.
    pub(crate) fn answered(&self, credential: &CredentialId, rejected: &TokenHash) -> bool {
        self.lock().answered.get(credential) == Some(rejected)
    }

    pub(crate) fn remember_answered(&self, credential: CredentialId, rejected: TokenHash) {
        let mut board = self.lock();
        if board.answered.len() >= MAX_ANSWERED {
            board.answered.clear();
        }
        board.answered.insert(credential, rejected);
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // The board is whole after every statement, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the flight off the board however it ends, a panic included, so that nobody waits for ever.
struct OnBoard {
    flights: Flights,
    credential: CredentialId,
}

impl Drop for OnBoard {
    fn drop(&mut self) {
        self.flights.lock().under_way.remove(&self.credential);
    }
}

impl Connect {
    /// Joins the flight of this credential, or starts it. `generation` is the one that the caller saw: a flight does
    /// nothing when the tokens have been replaced since.
    pub(crate) fn fly(&self, credential: CredentialId, generation: i64, trigger: Trigger) -> Flight {
        let mut board = self.flights.lock();
        if let Some(landing) = board.under_way.get(&credential) {
            return Flight(landing.clone());
        }
        let (sender, landing) = watch::channel(None);
        board.under_way.insert(credential, landing.clone());
        drop(board);
        let on_board = OnBoard { flights: self.flights.clone(), credential };
        let plane = self.clone();
        drop(self.detach(async move {
            let landed = plane.refresh_now(&credential, generation, trigger).await;
            let landing = landed.unwrap_or_else(|error| Landing::Failed(Arc::new(error)));
            plane.rest_after(credential, &landing);
            drop(on_board);
            // Nobody may be waiting.
            let _ = sender.send(Some(landing));
        }));
        Flight(landing)
    }

    /// After a failure the background leaves the credential alone for a while: a provider that is down is not asked
    /// again at every read.
    fn rest_after(&self, credential: CredentialId, landing: &Landing) {
        let now = self.now();
        let mut board = self.flights.lock();
        board.resting.retain(|_, until| *until > now);
        match landing {
            Landing::Unavailable(pause) => board.resting.insert(credential, now + *pause),
            Landing::Configuration(_) | Landing::Failed(_) => {
                board.resting.insert(credential, now + RETRY_AFTER)
            }
            Landing::Fresh | Landing::Dead => board.resting.remove(&credential),
        };
    }

    async fn refresh_now(&self, id: &CredentialId, generation: i64, trigger: Trigger) -> Result<Landing> {
        let Some(credential) = self.store().credentials.get(id).await? else {
            return Ok(Landing::Fresh);
        };
        if credential.generation != generation {
            return Ok(Landing::Fresh);
        }
        let Some(sealed) = &credential.tokens.refresh_token else {
            return self.dead(&credential, ReconnectReason::NoRefreshToken, None).await;
        };
        let token: RefreshToken = self
            .parts
            .keyring
            .open(id, sealed)
            .map_err(|source| Error::Vault { table: "credentials", source })?;
        let integration = self.integration(&credential.integration, &credential.subject).await?;
        if integration.app.client_id != credential.client_id {
            return Ok(Landing::Configuration(Some(
                "another client_id than the one that was consented to".to_owned(),
            )));
        }
        let started = Instant::now();
        let expires_in_ms = credential.tokens.expires_at.map(|at| at.as_unix_ms() - self.now().as_unix_ms());
        info!(
            subject = %credential.subject, integration = %credential.integration, credential = %id,
            trigger = trigger.word(), expires_in_ms, "refresh.started"
        );
        let answer = refresh(
            &self.parts.http,
            Refresh {
                entry: &integration.entry,
                token_url: &credential.token_url,
                app: &integration.app,
                refresh_token: &token,
            },
        )
        .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return self.refused(&credential, &error, started.elapsed()).await,
        };

        let rotated = answer.refresh_token.is_some();
        let scopes = answer.scopes.clone().unwrap_or_else(|| credential.tokens.scopes.clone());
        let tokens = self.seal_tokens(id, &integration.entry, &answer, scopes);
        let answered = Instant::now();
        if !self.store().credentials.replace_tokens(id, generation, &tokens).await? {
            // Disconnected or connected anew meanwhile: these tokens belong to a consent that is over.
            warn!(subject = %credential.subject, integration = %credential.integration, credential = %id,
                outcome = "superseded", "refresh.superseded");
            return Ok(Landing::Fresh);
        }
        info!(
            subject = %credential.subject, integration = %credential.integration, credential = %id,
            outcome = "success", duration_ms = millis(started.elapsed()), attempts = 1, rotated,
            answer_to_durable_ms = millis(answered.elapsed()), "refresh.succeeded"
        );
        self.audit(
            event(self, &credential, "connection.refreshed", Outcome::Success)
                .fact("trigger", trigger.word()),
        )
        .await?;
        Ok(Landing::Fresh)
    }

    /// What to do when the provider answered with something else than tokens.
    async fn refused(
        &self,
        credential: &Credential,
        answer: &AnswerError,
        took: Duration,
    ) -> Result<Landing> {
        let reason = match answer.class {
            Class::Dead => return self.dead(credential, ReconnectReason::GrantRevoked, Some(answer)).await,
            Class::Interaction => {
                return self.dead(credential, ReconnectReason::InteractionRequired, Some(answer)).await;
            }
            Class::Configuration => Landing::Configuration(answer.error.clone()),
            Class::Throttled | Class::NotSent | Class::Ambiguous | Class::Malformed => {
                Landing::Unavailable(answer.retry_after.unwrap_or(RETRY_AFTER))
            }
        };
        error!(
            subject = %credential.subject, integration = %credential.integration, credential = %credential.id,
            outcome = "failure", duration_ms = millis(took), attempts = 1, class = answer.class.word(),
            status = answer.status, error = answer.error.as_deref(), description = answer.description.as_deref(),
            "refresh.exhausted"
        );
        let note = answer.error.as_deref().unwrap_or(answer.class.word());
        self.store().credentials.note_error(&credential.id, credential.generation, note).await?;
        self.audit(
            event(self, credential, "connection.refresh_failed", Outcome::Failure)
                .reason(answer.class.word()),
        )
        .await?;
        Ok(reason)
    }

    /// Only the person can repair it, unless somebody else refreshed meanwhile.
    async fn dead(
        &self,
        credential: &Credential,
        reason: ReconnectReason,
        answer: Option<&AnswerError>,
    ) -> Result<Landing> {
        let now = self.now();
        if !self.store().credentials.mark_broken(&credential.id, credential.generation, reason, now).await? {
            return Ok(Landing::Fresh);
        }
        error!(
            subject = %credential.subject, integration = %credential.integration, credential = %credential.id,
            outcome = "failure", reason = reason.word(), attempts = u8::from(answer.is_some()),
            error = answer.and_then(|answer| answer.error.as_deref()),
            description = answer.and_then(|answer| answer.description.as_deref()), "refresh.dead"
        );
        self.audit(event(self, credential, "connection.broken", Outcome::Failure).reason(reason.word()))
            .await?;
        Ok(Landing::Dead)
    }
}

/// A refresh under way.
pub(crate) struct Flight(watch::Receiver<Option<Landing>>);

impl Flight {
    /// Waits for its end, at most `wait`; the flight goes on in any case. `None` when it has not ended by then.
    pub(crate) async fn landing(mut self, wait: Duration) -> Option<Landing> {
        let landed = tokio::time::timeout(wait, self.0.wait_for(Option::is_some)).await.ok()?;
        match landed {
            Ok(landing) => landing.clone(),
            // The task panicked; the panic is in the log.
            Err(_) => Some(Landing::Unavailable(RETRY_AFTER)),
        }
    }
}

fn event(plane: &Connect, credential: &Credential, name: &str, outcome: Outcome) -> AuditEvent {
    AuditEvent::new(plane.now(), name, outcome, Actor::System)
        .subject(&credential.subject)
        .target(&credential.integration)
        .fact("credential", credential.id.to_string())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
