//! Ways to sign in that lead elsewhere and back to us:
//!
//! 1. [`depart`](Grant::depart): the state is born: the name of the authorization, and 32 random octets (those of a mailed link follow
//!    from the browser's cookie). It goes with the browser alone; the row keeps its hash and which way it is.
//! 2. Somebody else asks the person.
//! 3. [`arrive`](Grant::arrive): the browser must be the one that began, and the state the one that it left with, on the way that it
//!    left by. Then the state is used up, by one statement, before anything that came with it is looked at: of any number of arrivals
//!    one goes on. A mailed link that is good no more uses nothing up: a newer one has the same state.
//! 4. The back end's own part says who it is, or that it is nobody.

use std::time::Duration;

use model::{AuthorizationId, ProblemCode, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::warn;
use vault::TokenHash;

use super::told::Told;
use super::{Elsewhere, UNTOLD, gotrue, handoff, known_time, takes};
use crate::authorize::{AuthorizationRequest, Browser, Open, Redirect, check_csrf};
use crate::form::Form;
use crate::{Error, Grant, Result};

/// How far clocks may differ.
pub(super) const SKEW: Duration = Duration::from_mins(1);

/// What the row keeps while the browser is elsewhere.
#[derive(Serialize, Deserialize)]
struct Away {
    way: String,
    /// The SHA-256 of the state.
    state: String,
}

/// Where somebody is who has come back.
pub enum Arrived {
    /// At the page of their request, signed in: the browser gets this cookie.
    SignedIn {
        /// The request.
        id: AuthorizationId,
        /// The cookie's secret.
        secret: Secret<String>,
    },
    /// There, and as before.
    NotSignedIn {
        /// The request.
        id: AuthorizationId,
        /// Whether it may be different in a while.
        not_now: bool,
    },
}

/// What a back end makes of somebody who has come back.
pub(super) enum Verdict {
    /// It is somebody; and when they proved it, where that is told.
    Is(Told, Option<Timestamp>),
    /// It is nobody, for that reason.
    Nobody(&'static str),
}

impl Grant {
    /// Sends somebody elsewhere to sign in.
    pub async fn depart(
        &self,
        id: &AuthorizationId,
        browser: Browser<'_>,
        csrf: &str,
        way: &str,
    ) -> Result<Redirect> {
        self.limit_arrivals(browser.address)?;
        let open = self.open(id, browser).await?;
        check_csrf(id, browser, csrf)?;
        let elsewhere = self.parts.settings.login.elsewhere(way).filter(|_| takes(Some(&open.client), way));
        let elsewhere = elsewhere.ok_or_else(|| Error::problem(ProblemCode::SignInWayUnavailable))?;
        let state = new_state(id);
        let secret = browser.secret.ok_or_else(foreign_browser)?;
        let address = match elsewhere {
            Elsewhere::Oidc(provider) => self.provider_address(provider, &open, secret, &state).await?,
            // A link is mailed, and no browser is sent anywhere.
            Elsewhere::Link(_) => return Err(Error::problem(ProblemCode::SignInWayUnavailable)),
            Elsewhere::Handoff(product) => self.challenge(product, &open, &state)?,
        };
        self.leave_with(id, way, &state).await?;
        Ok(Redirect::to(address))
    }

    /// Keeps what knows a state again.
    pub(super) async fn leave_with(
        &self,
        id: &AuthorizationId,
        way: &str,
        state: &Secret<String>,
    ) -> Result<()> {
        let away = Away { way: way.to_owned(), state: TokenHash::of(state.expose()).to_hex() };
        if self.store().authorizations.set_login(id, &json!(away), self.now()).await? {
            Ok(())
        } else {
            Err(Error::problem(ProblemCode::AuthorizationOver))
        }
    }

    /// Takes somebody in who comes back from elsewhere.
    pub async fn arrive(&self, way: &str, query: &[u8], browser: Browser<'_>) -> Result<Arrived> {
        self.limit_arrivals(browser.address)?;
        let elsewhere = self.parts.settings.login.elsewhere(way).ok_or_else(over)?;
        let form = Form::parse(query).map_err(|_| over())?;
        form.check_repeated().map_err(|_| over())?;
        // Whoever signs a verdict says there where it belongs to.
        let verdict = match elsewhere {
            Elsewhere::Oidc(_) | Elsewhere::Link(_) => None,
            Elsewhere::Handoff(product) => Some(handoff::verdict(product, &form).ok_or_else(over)?),
        };
        let state = match &verdict {
            None => form.get("state").ok().flatten().map(Secret::from),
            Some(verdict) => handoff::state(verdict),
        };
        let state = state.ok_or_else(over)?;
        let open = self.left_with(way, &state, browser).await?;
        let id = open.row.id;
        let code = gotrue::code(&form);
        let is_link = matches!(elsewhere, Elsewhere::Link(_));
        if is_link && code.is_none() {
            return self.nobody(id, way, "no_code").await;
        }
        let _turn = is_link.then(|| self.turn_elsewhere()).transpose()?;
        self.use_up_state(&id, way, &state).await?;
        let secret = browser.secret.ok_or_else(foreign_browser)?;
        let verdict = match elsewhere {
            Elsewhere::Oidc(provider) => self.read_answer(provider, &form, secret, &state).await,
            Elsewhere::Link(own) => self.follow_link(own, code.unwrap_or_default(), secret, &state).await,
            Elsewhere::Handoff(_) => Ok(self.judge(verdict.unwrap_or_default())),
        };
        let (told, auth_time) = match verdict {
            Ok(Verdict::Is(told, auth_time)) => (told, auth_time),
            Ok(Verdict::Nobody(reason)) => return self.nobody(id, way, reason).await,
            Err(Error::NotNow { .. }) => return Ok(Arrived::NotSignedIn { id, not_now: true }),
            Err(error) => return Err(error),
        };
        let now = self.now();
        // Somebody whose clock is that wrong, or who counts milliseconds, says nothing of when it was.
        if auth_time.is_some_and(|told| told > now + SKEW) {
            return self.nobody(id, way, "auth_time").await;
        }
        let auth_time = auth_time.and_then(|told| known_time(told.min(now)));
        if let Err(reason) = is_recent(&open, auth_time) {
            return self.nobody(id, way, reason).await;
        }
        // A browser that was signed in there all the time may come back at once: that is no proof of now.
        let auth_time = auth_time.unwrap_or(UNTOLD);
        let Some(user) = self.learn(way, told).await? else {
            return self.nobody(id, way, "locked_out").await;
        };
        let Some(secret) = self.believe(&user, auth_time, browser).await? else {
            return self.nobody(id, way, "locked_out").await;
        };
        if !self.store().authorizations.set_user(&id, Some((user.id, auth_time)), now).await? {
            return Err(Error::problem(ProblemCode::AuthorizationOver));
        }
        Ok(Arrived::SignedIn { id, secret })
    }

    /// Step 3: the request that this browser left with this state. What is only guessed uses nothing up.
    async fn left_with(&self, way: &str, state: &Secret<String>, browser: Browser<'_>) -> Result<Open> {
        let id = state.expose().split_once('.').and_then(|(id, _)| id.parse::<AuthorizationId>().ok());
        let open = self.open(&id.ok_or_else(over)?, browser).await?;
        if is_away(open.row.login.as_ref(), way, state) { Ok(open) } else { Err(over()) }
    }

    /// Step 3: of any number of arrivals, one.
    async fn use_up_state(&self, id: &AuthorizationId, way: &str, state: &Secret<String>) -> Result<()> {
        let taken = self.store().authorizations.take_login(id, self.now()).await?;
        if is_away(taken.as_ref(), way, state) { Ok(()) } else { Err(over()) }
    }

    async fn nobody(&self, id: AuthorizationId, way: &str, reason: &'static str) -> Result<Arrived> {
        warn!(backend = way, reason, "login.nobody");
        self.sign_in_failed(way, Some(reason)).await?;
        Ok(Arrived::NotSignedIn { id, not_now: false })
    }

    /// Where people come back to from this way.
    pub(super) fn way_back(&self, way: &str) -> String {
        format!("{}/oauth/login/callback/{way}", self.issuer())
    }
}

/// Whether that is what a row keeps while the browser is away with this state.
fn is_away(login: Option<&serde_json::Value>, way: &str, state: &Secret<String>) -> bool {
    let away = login.and_then(|login| Away::deserialize(login).ok());
    away.is_some_and(|away| away.way == way && away.state == TokenHash::of(state.expose()).to_hex())
}

/// How old a proof may be, as a back end elsewhere is asked for it. One that has to be new is known by its time too, and this makes the
/// back end tell it (OpenID Connect Core §2).
pub(super) fn asked_age(request: &AuthorizationRequest) -> Option<Duration> {
    request.max_age.or_else(|| request.wants_new_proof().then_some(Duration::ZERO))
}

/// OpenID Connect Core §3.1.2.1: the application may want a proof that is not older than some time, or a new one.
fn is_recent(open: &Open, auth_time: Option<Timestamp>) -> std::result::Result<(), &'static str> {
    let Some(auth_time) = auth_time else {
        return if asked_age(&open.request).is_some() { Err("auth_time") } else { Ok(()) };
    };
    let began = open.row.created_at - SKEW;
    let max_age = open.request.max_age.unwrap_or(Duration::MAX);
    let is_new = !open.request.wants_new_proof() || auth_time >= began;
    if is_new && auth_time + max_age >= began { Ok(()) } else { Err("proof_too_old") }
}

/// The name of the authorization, and 32 random octets.
fn new_state(id: &AuthorizationId) -> Secret<String> {
    Secret::new(format!("{id}.{}", vault::random::token().expose()))
}

fn over() -> Error {
    Error::problem(ProblemCode::SignInAnswerOver)
}

fn foreign_browser() -> Error {
    Error::problem(ProblemCode::AuthorizationForeignBrowser)
}
