//! The product's own sign-in page takes over. The browser goes there with a challenge, and comes back with a verdict; both are JSON Web
//! Tokens by `HS256` under a secret that the product and we share, so that any library for them does.
//!
//! ```text
//! 303 {url}?challenge=…        iss: our issuer, aud: {url}, iat, exp, nonce,
//!                              return_to: our address of the way back; and, where the application said so:
//!                              login_hint, ui_locales, prompt ("login", "select_account"), max_age (0 with "login")
//!
//! GET {return_to}?verdict=…    aud: our issuer, nonce: that of the challenge, exp: within five minutes,
//!                              and user: {id, email, name}, teams: [{id, name, role}], auth_time
//!                              or error: "access_denied"
//! ```
//!
//! The product checks signature, `aud` and `exp` of the challenge, and sends people to `return_to` alone. `user.id` and `teams[].id` have
//! to be there, the rest of them may be left out; without `teams` memberships stay as they are. A verdict is good once, in the browser
//! that left with its nonce.

use std::time::Duration;

use model::Secret;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::warn;
use url::Url;

use super::call::not_now;
use super::claims;
use super::elsewhere::{SKEW, Verdict, asked_age};
use super::told::{Told, ToldTeam, ToldUser};
use crate::authorize::Open;
use crate::authorize::request::Prompt;
use crate::form::Form;
use crate::issue::seconds;
use crate::{Grant, Result};

/// The name of this back end.
pub const NAME: &str = "handoff";

/// How far in the future a verdict may end.
const LONGEST_VERDICT: Duration = Duration::from_mins(5);

/// The product's own sign-in page.
#[derive(Debug, Clone)]
pub struct HandoffLogin {
    /// Where it is.
    pub url: String,
    /// What challenges and verdicts are signed with.
    pub secret: Secret<String>,
    /// What people call it.
    pub label: String,
}

#[derive(Deserialize)]
struct Known {
    user: ToldUser,
    teams: Option<Vec<ToldTeam>>,
}

impl Grant {
    /// The address of the product's page, with a challenge.
    pub(super) fn challenge(
        &self,
        own: &HandoffLogin,
        open: &Open,
        state: &Secret<String>,
    ) -> Result<String> {
        let request = &open.request;
        let mut claims = Map::new();
        let mut say = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
        say("iss", self.issuer().into());
        say("aud", own.url.as_str().into());
        say("iat", seconds(self.now()).into());
        say("exp", seconds(open.row.expires_at).into());
        say("nonce", state.expose().as_str().into());
        say("return_to", self.way_back(NAME).into());
        if let Some(hint) = &request.login_hint {
            say("login_hint", hint.as_str().into());
        }
        if !request.ui_locales.is_empty() {
            say("ui_locales", request.ui_locales.join(" ").into());
        }
        if request.prompt.contains(&Prompt::Login) {
            say("prompt", "login".into());
        } else if request.prompt.contains(&Prompt::SelectAccount) {
            say("prompt", "select_account".into());
        }
        if let Some(max_age) = asked_age(request) {
            say("max_age", max_age.as_secs().into());
        }
        let challenge = vault::shared::sign(&own.secret, &json!(claims));
        let mut address = Url::parse(&own.url).map_err(|_| not_now())?;
        address.query_pairs_mut().append_pair("challenge", &challenge);
        Ok(address.into())
    }

    /// Judges a verdict whose nonce was that of this browser.
    pub(super) fn judge(&self, verdict: Map<String, Value>) -> Verdict {
        let now = self.now();
        if !claims::audience(&verdict).contains(&self.issuer()) {
            return Verdict::Nobody("verdict_audience");
        }
        let ends = verdict.get("exp").and_then(claims::instant);
        if !ends.is_some_and(|ends| ends + SKEW > now && ends <= now + LONGEST_VERDICT + SKEW) {
            return Verdict::Nobody("verdict_expired");
        }
        if let Some(error) = claims::find(&verdict, "error") {
            let is_denied = error == "access_denied";
            return Verdict::Nobody(if is_denied { "access_denied" } else { "verdict_error" });
        }
        let auth_time = claims::find(&verdict, "auth_time").map(claims::instant);
        if auth_time == Some(None) {
            return Verdict::Nobody("verdict_malformed");
        }
        let Ok(known) = serde_json::from_value::<Known>(Value::Object(verdict)) else {
            return Verdict::Nobody("verdict_malformed");
        };
        match Told::new(known.user, known.teams) {
            Ok(told) => Verdict::Is(told, auth_time.flatten()),
            Err(why) => {
                warn!(backend = NAME, %why, "login.answer_unusable");
                Verdict::Nobody("verdict_malformed")
            }
        }
    }
}

/// The verdict that a browser has brought, if the product has signed it.
pub(super) fn verdict(own: &HandoffLogin, answer: &Form) -> Option<Map<String, Value>> {
    let verdict = answer.get("verdict").ok().flatten()?;
    let verified = vault::shared::verify(&own.secret, verdict);
    verified.inspect_err(|error| warn!(backend = NAME, %error, "login.verdict_refused")).ok()
}

/// The state that it belongs to.
pub(super) fn state(verdict: &Map<String, Value>) -> Option<Secret<String>> {
    verdict.get("nonce").and_then(Value::as_str).map(Secret::from)
}
