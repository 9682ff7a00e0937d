//! The hot path of the product: a token that works, by one table.
//!
//! | the stored token | answer |
//! | --- | --- |
//! | good beyond the buffer | it, at once; nothing is written |
//! | inside the buffer, still live | it, at once; a refresh is started in the background |
//! | expired, below `minValidity`, or reported as rejected | the caller waits for the one refresh under way |
//! | expired, and the provider does not answer | [`Error::ProviderUnavailable`] |
//! | the grant is dead | [`Error::ReconnectRequired`] |
//! | none | [`Error::ConnectionNotFound`] |

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{AccessToken, ReconnectReason, Timestamp, TokenExtra};
use store::connections::{ConnectionKey, Standing};
use vault::TokenHash;

use crate::parts::Which;
use crate::progress::Progress;
use crate::refresh::log::FlightStep;
use crate::refresh::{Landing, Outcome, Trigger};
use crate::{Connect, Error, Result};

/// The longest that a caller waits for a refresh, and the default.
pub const MAX_WAIT: Duration = Duration::from_secs(65);

/// How soon a caller may come again when the refresh takes longer than it wanted to wait.
const STILL_FLYING: Duration = Duration::from_secs(5);

/// How old the note of a credential's last use may be: what it decides is counted in days.
const USE_NOTED_EVERY: Duration = Duration::from_hours(24);

/// What the product asks for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Which of the connection's tokens.
    pub which: Which,
    /// How long the token must be good for, at least.
    pub min_validity: Duration,
    /// The token that the provider's API refused.
    pub rejected: Option<TokenHash>,
    /// How long to wait for a refresh; `None` for [`MAX_WAIT`].
    pub wait: Option<Duration>,
}

/// A token in the product's hands.
#[derive(Debug)]
pub struct Token {
    /// RFC 6749 §1.4.
    pub access_token: AccessToken,
    /// Members of the provider's own, as a JSON object.
    pub extra: Option<TokenExtra>,
    /// What else the row says of it.
    pub standing: Arc<Standing>,
}

impl Connect {
    /// A token that works.
    pub async fn access_token(&self, key: &ConnectionKey, wish: &Wish) -> Result<Token> {
        let standing = self.standing(key, &wish.which).await?;
        let now = self.now();
        match self.judge(&standing, wish, now).await? {
            Verdict::Good => self.hand_out(key, standing).await,
            Verdict::Due => {
                // Serve first: nobody waits for a refresh that is only near.
                if !self.refreshing.rests(&standing.credential, now) {
                    drop(self.fly(standing.credential, standing.generation, Trigger::Near));
                }
                self.hand_out(key, standing).await
            }
            Verdict::Needed { live } => self.wait_for_fresh(key, standing, wish, live).await,
        }
    }

    /// Refreshes now, even when nothing is due.
    pub async fn force_refresh(&self, key: &ConnectionKey, progress: &Progress<FlightStep>) -> Result<()> {
        let standing = self.standing(key, &Which::Own).await?;
        if !standing.has_refresh_token {
            return Err(Error::NoRefreshToken);
        }
        let outcome = self.wait_for_flight(&standing, Trigger::Forced, MAX_WAIT, progress).await;
        self.landed(key, &Which::Own, outcome).await
    }

    /// How long before its end a token of this lifetime is refreshed.
    pub(crate) fn buffer(&self, lifetime: Duration) -> Duration {
        self.parts.settings.refresh_before.min(lifetime / 5)
    }

    pub(crate) async fn standing(&self, key: &ConnectionKey, which: &Which) -> Result<Arc<Standing>> {
        let own = self.store().connections.standing(key).await?.ok_or_else(|| Self::not_found(key))?;
        let standing = self.standing_of_part(key, &own, which).await?.unwrap_or(own);
        match standing.broken {
            Some((since, reason)) => Err(Error::ReconnectRequired { key: key.clone(), reason, since }),
            None => Ok(standing),
        }
    }

    async fn judge(&self, standing: &Standing, wish: &Wish, now: Timestamp) -> Result<Verdict> {
        let rejected = match &wish.rejected {
            Some(rejected) => {
                self.is_token(standing, rejected).await?
                    && !self.refreshing.answered(&standing.credential, rejected)
            }
            None => false,
        };
        let expired = standing.expires_at.is_some_and(|end| end <= now);
        if standing.access_token.is_none() || expired || rejected {
            return Ok(Verdict::Needed { live: false });
        }
        let Some(end) = standing.expires_at else {
            return Ok(Verdict::Good);
        };
        let (lifetime, left) = (end.since(standing.obtained_at), end.since(now));
        let buffer = self.buffer(lifetime);
        // More than a fresh token could give can't be asked for: it would refresh at every read.
        let needed = wish.min_validity.min(lifetime.saturating_sub(buffer));
        Ok(match standing.has_refresh_token {
            _ if left > buffer && left >= needed => Verdict::Good,
            false if left >= wish.min_validity => Verdict::Good,
            true if left >= needed => Verdict::Due,
            _ => Verdict::Needed { live: true },
        })
    }

    async fn wait_for_fresh(
        &self,
        key: &ConnectionKey,
        standing: Arc<Standing>,
        wish: &Wish,
        live: bool,
    ) -> Result<Token> {
        if !standing.has_refresh_token && live {
            // It can't be renewed, but it works: the caller learns its end from `expires_at`.
            return self.hand_out(key, standing).await;
        }
        let wait = wish.wait.unwrap_or(MAX_WAIT).min(MAX_WAIT);
        let trigger = if wish.rejected.is_some() && !live { Trigger::Rejected } else { Trigger::Read };
        let outcome = self.wait_for_flight(&standing, trigger, wait, &Progress::unheard()).await;
        match self.landed(key, &wish.which, outcome).await {
            Ok(()) => {}
            Err(error @ (Error::ReconnectRequired { .. } | Error::ConnectionNotFound { .. })) => {
                return Err(error);
            }
            // What still works is not withheld because it could not be renewed.
            Err(_) if live => return self.hand_out(key, standing).await,
            Err(error) => return Err(error),
        }
        let fresh = self.standing(key, &wish.which).await?;
        if let Some(rejected) = &wish.rejected
            && self.is_token(&fresh, rejected).await?
        {
            // The provider gave the same one again; asking once more would not help.
            self.refreshing.remember_answered(fresh.credential, *rejected);
        }
        if fresh.access_token.is_none() || fresh.expires_at.is_some_and(|end| end <= self.now()) {
            return Err(Error::ProviderUnavailable { retry_after: STILL_FLYING });
        }
        self.hand_out(key, fresh).await
    }

    async fn is_token(&self, standing: &Standing, hash: &TokenHash) -> Result<bool> {
        let Some(sealed) = &standing.access_token else { return Ok(false) };
        let token: AccessToken = self.open(standing, sealed).await?;
        Ok(TokenHash::of(token.expose()) == *hash)
    }

    /// Waits for the one refresh under way, or begins it.
    async fn wait_for_flight(
        &self,
        standing: &Standing,
        trigger: Trigger,
        wait: Duration,
        progress: &Progress<FlightStep>,
    ) -> Option<Outcome> {
        let began = Instant::now();
        let waiter = self.fly(standing.credential, standing.generation, trigger);
        let joined = waiter.joined;
        let outcome = waiter.outcome_with(wait, progress).await;
        // Nobody waited for the flight that we joined, so it may have given up where we would not.
        if joined.is_some_and(|joined| !joined.is_waited_for())
            && matches!(outcome, Some(Ok(Landing::Unavailable(_))))
        {
            let left = wait.saturating_sub(began.elapsed());
            let waiter = self.fly(standing.credential, standing.generation, trigger);
            return waiter.outcome_with(left, progress).await;
        }
        outcome
    }

    pub(crate) async fn landed(
        &self,
        key: &ConnectionKey,
        which: &Which,
        outcome: Option<Outcome>,
    ) -> Result<()> {
        // Another replica may have brought it; its notice may still be on the way.
        self.store().connections.forget(key);
        match outcome {
            // The store says what there is now: new tokens, none, or why only the person can repair it.
            Some(Ok(Landing::Fresh | Landing::Gone | Landing::Dead)) => {
                self.standing(key, which).await.map(drop)
            }
            Some(Ok(Landing::Unavailable(retry_after))) => Err(Error::ProviderUnavailable { retry_after }),
            Some(Ok(Landing::Configuration(error))) => Err(Error::ProviderConfiguration { error }),
            Some(Ok(Landing::Held)) => Err(self.may_seal().err().unwrap_or(Error::RefreshingHeld)),
            Some(Ok(Landing::Failed)) | None => Err(Error::ProviderUnavailable { retry_after: STILL_FLYING }),
            Some(Err(error)) => Err(Error::Shared(error)),
        }
    }

    async fn hand_out(&self, key: &ConnectionKey, standing: Arc<Standing>) -> Result<Token> {
        let Some(sealed) = &standing.access_token else {
            let since = standing.obtained_at;
            let reason = ReconnectReason::NoRefreshToken;
            return Err(Error::ReconnectRequired { key: key.clone(), reason, since });
        };
        if standing.used_at.is_none_or(|used| self.now().since(used) > USE_NOTED_EVERY) {
            self.note_use(standing.credential);
        }
        let access_token = self.open(&standing, sealed).await?;
        let extra = match &standing.extra {
            Some(sealed) => Some(self.open(&standing, sealed).await?),
            None => None,
        };
        Ok(Token { access_token, extra, standing })
    }

    async fn open<T: vault::Sealable>(&self, standing: &Standing, sealed: &vault::Sealed<T>) -> Result<T> {
        self.parts.keys.open(&standing.credential, sealed).await
    }
}

/// What the table says of a stored token.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Good beyond the buffer.
    Good,
    /// Inside the buffer, still live.
    Due,
    /// The caller has to wait; `live` tells whether the old one could still be handed out.
    Needed { live: bool },
}
