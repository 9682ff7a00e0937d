//! Supabase Auth (`GoTrue`), by its public API: `POST /token?grant_type=password`, with the project's key in `apikey`; or by a
//! link that it mails (`POST /otp`), which leads back to us with a code (`POST /token?grant_type=pkce`). The state and the code's verifier
//! follow from the browser's cookie, so a link is good in the browser that asked for it, and stays good when it asks again.
//!
//! Nobody learns who has an account by asking for a link: whatever Supabase says, the answer, the time until it and what becomes of the
//! request are the same.
//!
//! We want to know who somebody is and nothing else, so the session that an answer begins is ended at once, and its tokens are never
//! kept. Teams are read in `app_metadata` alone: `user_metadata` is what people write themselves.
//!
//! Somebody with a second factor is not let in: the session of a password alone has the assurance level `aal1`, and the product would
//! refuse it too.

use std::sync::Arc;

use model::{AuthorizationId, ProblemCode, Secret};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::{Instrument, info, warn};
use url::form_urlencoded;

use super::call::{Answer, not_now, plain, post_json, with};
use super::claims::{self, TeamClaims};
use super::elsewhere::Verdict;
use super::local::login_of;
use super::told::{Told, Unusable};
use super::{login_elsewhere, takes};
use crate::authorize::{Browser, check_csrf};
use crate::form::Form;
use crate::users::check_email;
use crate::{Error, Grant, Result};

/// The name of this back end.
pub const NAME: &str = "gotrue";

/// The version whose errors have a `code` (supabase/auth, `internal/api/apiversions.go`).
const API_VERSION: &str = "2024-01-01";

/// How many mails may be asked for at the same time.
pub(crate) const MAILS_AT_ONCE: usize = 64;

/// What means that the person is not to be let in.
const DENIED: [&str; 3] = ["invalid_credentials", "email_not_confirmed", "user_banned"];

/// What means that no mail was sent, and that nobody needs to know.
const UNSENT: [&str; 4] =
    ["otp_disabled", "over_email_send_rate_limit", "email_address_invalid", "validation_failed"];

/// What means that a code is good no more, or was never good here.
const SPENT: [&str; 4] =
    ["flow_state_not_found", "flow_state_expired", "flow_state_already_used", "bad_code_verifier"];

/// A project of Supabase, or a `GoTrue` of one's own.
#[derive(Debug, Clone)]
pub struct GotrueLogin {
    /// Where its API is, without a slash at the end: `https://….supabase.co/auth/v1`.
    pub url: String,
    /// The project's public key.
    pub api_key: Secret<String>,
    /// Where in `app_metadata` the teams stand; `None` where it has none.
    pub teams: Option<TeamClaims>,
    /// Whether people may have a link mailed.
    pub magic_link: bool,
}

/// A session: who it is, and what ends it.
#[derive(Deserialize)]
struct Session {
    access_token: String,
    user: Account,
}

#[derive(Deserialize)]
struct Account {
    id: String,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_confirmed_at: Value,
    #[serde(default)]
    app_metadata: Map<String, Value>,
    #[serde(default)]
    user_metadata: Map<String, Value>,
    #[serde(default)]
    factors: Vec<Factor>,
}

#[derive(Deserialize)]
struct Factor {
    status: String,
}

/// An error in the formats that its versions have had.
#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    code: Value,
    error_code: Option<String>,
    error: Option<String>,
}

impl Refused {
    fn code(&self) -> &str {
        let named = self.code.as_str().or(self.error_code.as_deref());
        match named.or(self.error.as_deref()).unwrap_or_default() {
            // What it was before errors had codes.
            "invalid_grant" => DENIED[0],
            code => code,
        }
    }
}

impl Grant {
    /// Asks who has this address and this password; `None` when it says that something is wrong.
    pub(super) async fn check_at_gotrue(
        &self,
        own: &GotrueLogin,
        email: &str,
        password: &Secret<String>,
    ) -> Result<Option<Told>> {
        let body = json!({"email": email, "password": password.expose()});
        let answer = self.ask_gotrue(own, "/token?grant_type=password", &body, None).await?;
        match answer.status {
            200 => self.learn_session(own, &answer).await,
            400 => match answer.read::<Refused>()?.code() {
                code if DENIED.contains(&code) => Ok(None),
                code => Err(answer.unusable(plain(code))),
            },
            _ => Err(answer.unusable("neither a session nor a refusal")),
        }
    }

    /// Has a link mailed to somebody who looks at the page of a request. Nobody waits for it.
    pub async fn mail_link(
        &self,
        id: &AuthorizationId,
        browser: Browser<'_>,
        csrf: &str,
        email: &str,
    ) -> Result<()> {
        let open = self.open(id, browser).await?;
        check_csrf(id, browser, csrf)?;
        let own = self.parts.settings.login.gotrue.as_ref().filter(|own| own.magic_link);
        let own = own.filter(|_| takes(Some(&open.client), NAME));
        let own = own.ok_or_else(|| Error::problem(ProblemCode::SignInWayUnavailable))?;
        self.limit_links(&login_of(email), browser.address).await?;
        let turn = Arc::clone(&self.mails).try_acquire_owned().map_err(|_| not_now())?;
        let secret =
            browser.secret.ok_or_else(|| Error::problem(ProblemCode::AuthorizationForeignBrowser))?;
        let state = format!("{id}.{}", vault::elsewhere::state(secret, &id.to_string()).expose());
        let state = Secret::new(state);
        self.leave_with(id, NAME, &state).await?;
        let Some(email) = login_elsewhere(email).filter(|email| check_email(email).is_ok()) else {
            return Ok(());
        };
        let verifier = vault::elsewhere::code_verifier(secret, &state);
        let way_back = format!("{}?state={}", self.way_back(NAME), state.expose());
        let way_back: String = form_urlencoded::byte_serialize(way_back.as_bytes()).collect();
        let body = json!({
            "email": email, "create_user": false, "data": {},
            "code_challenge": vault::code_challenge(&verifier), "code_challenge_method": "s256",
        });
        let (grant, own, path) = (self.clone(), own.clone(), format!("/otp?redirect_to={way_back}"));
        let mailed = async move {
            let _turn = turn;
            // The log has what went wrong.
            drop(grant.ask_for_mail(&own, &path, &body).await);
        };
        tokio::spawn(mailed.in_current_span());
        Ok(())
    }

    async fn ask_for_mail(&self, own: &GotrueLogin, path: &str, body: &Value) -> Result<()> {
        let answer = self.ask_gotrue(own, path, body, None).await?;
        match answer.status {
            200 => Ok(()),
            400 | 422 | 429 => match answer.read::<Refused>()?.code() {
                // Nobody has the address; or a link is on its way already.
                code if UNSENT.contains(&code) => Ok(()),
                code => Err(answer.unusable(plain(code))),
            },
            _ => Err(answer.unusable("neither a mail nor a refusal")),
        }
    }

    /// Reads what a code tells that a link has brought.
    pub(super) async fn follow_link(
        &self,
        own: &GotrueLogin,
        code: &str,
        browser: &Secret<String>,
        state: &Secret<String>,
    ) -> Result<Verdict> {
        let verifier = vault::elsewhere::code_verifier(browser, state);
        let body = json!({"auth_code": code, "code_verifier": verifier.expose()});
        let answer = self.ask_gotrue(own, "/token?grant_type=pkce", &body, None).await?;
        match answer.status {
            200 => {
                let told = self.learn_session(own, &answer).await?;
                Ok(told.map_or(Verdict::Nobody("second_factor"), |told| Verdict::Is(told, Some(self.now()))))
            }
            400 | 403 | 404 | 422 => match answer.read::<Refused>()?.code() {
                code if SPENT.contains(&code) || DENIED.contains(&code) => Ok(Verdict::Nobody("exchange")),
                code => Err(answer.unusable(plain(code))),
            },
            _ => Err(answer.unusable("neither a session nor a refusal")),
        }
    }

    /// Who a session is, which ends with this.
    async fn learn_session(&self, own: &GotrueLogin, answer: &Answer) -> Result<Option<Told>> {
        let session: Session = answer.read()?;
        self.end_session(own, session.access_token).await;
        if session.user.factors.iter().any(|factor| factor.status == "verified") {
            info!(backend = NAME, "login.second_factor_needed");
            return Ok(None);
        }
        told(own, &session.user).map(Some).map_err(|why| answer.unusable(why))
    }

    /// Whoever signs in here has no use for a session there. One that can't be ended runs out by itself.
    async fn end_session(&self, own: &GotrueLogin, access_token: String) {
        let bearer = Secret::new(format!("Bearer {access_token}"));
        let ended = self.ask_gotrue(own, "/logout?scope=local", &json!({}), Some(&bearer)).await;
        if !ended.is_ok_and(|answer| (200..300).contains(&answer.status)) {
            warn!(backend = NAME, "login.session_not_ended");
        }
    }

    async fn ask_gotrue(
        &self,
        own: &GotrueLogin,
        path: &str,
        body: &Value,
        bearer: Option<&Secret<String>>,
    ) -> Result<Answer> {
        let call =
            post_json(&format!("{}{path}", own.url), body.to_string().into_bytes()).timeout(self.patience());
        let call = with(call, "apikey", &own.api_key)?;
        let call = with(call, "x-supabase-api-version", &Secret::from(API_VERSION))?;
        let call = match bearer {
            Some(bearer) => with(call, "authorization", bearer)?,
            None => call,
        };
        self.ask(NAME, call).await
    }
}

/// The code that a link has brought; one that is good no more has an error instead.
pub(super) fn code(answer: &Form) -> Option<&str> {
    answer.get("code").ok().flatten().filter(|code| code.len() <= 256)
}

fn told(own: &GotrueLogin, user: &Account) -> std::result::Result<Told, Unusable> {
    let is_confirmed = user.email_confirmed_at.as_str().is_some_and(|at| !at.is_empty());
    let names = ["name", "full_name"].map(|member| user.user_metadata.get(member));
    Told {
        subject: user.id.clone(),
        // Where confirmation is off, anybody has an account with any address.
        email: claims::email(Some(&user.email).filter(|_| is_confirmed)),
        name: names.into_iter().find_map(claims::name),
        teams: own.teams.as_ref().map(|own| claims::teams(NAME, &user.app_metadata, own)),
    }
    .checked()
}
