//! The browser comes back (RFC 6749 §4.1.2). In this order, each failure with its own code and audit event:
//!
//! 1. An `error` of the provider spends the attempt.
//! 2. The state must be known, unused and unexpired; the path must be the integration's own; `iss`, where it comes,
//!    must be the issuer that the attempt pinned (RFC 9207 §2.4). An attempt of a page that has expired goes to the settings page.
//! 3. The browser must be the one that the hop bound.
//! 4. The attempt is consumed, before the code is exchanged: of any number of callbacks with one state one goes on.
//! 5. The code is exchanged (RFC 6749 §4.1.3) where the attempt was pinned to.
//! 6. The tokens are sealed and stored; only then is the new token used, to ask whose account it is.
//! 7. Where it is another account than before, the person is asked (`question`). Else the browser goes to `returnTo`, or to the configured front end.

mod ending;
mod exchange;
pub mod question;

use std::sync::Arc;
use std::time::Instant;

use model::{Binding, GroupId, IntegrationId, Origin, ProblemCode, Secret, SubjectId, Timestamp};
use provider::catalog::Entry;
use store::attempts::Attempt;
use vault::TokenHash;

use self::ending::Ending;
use crate::integrations::callback_id;
use crate::{Connect, Error, hop};

/// The longest code that is passed on; the longest that providers document are below 2 KiB.
const MAX_CODE: usize = 4096;
/// The longest description of an error that is shown.
const MAX_DESCRIPTION: usize = 300;

/// What the browser brought.
pub struct Arrival {
    /// The id at the end of the path, where there is one.
    pub path_id: Option<String>,
    /// The query, in order.
    pub query: Vec<(String, String)>,
    /// The cookies, by name without prefix.
    pub cookies: Vec<(String, Secret<String>)>,
}

/// Where the browser goes from here.
#[derive(Debug)]
pub struct Destination {
    /// How it ended: `None` for a connection, else why there is none.
    pub failure: Option<ProblemCode>,
    /// The address, already saying how it ended; `None` when the operator configured no front end, for a page of ours.
    pub location: Option<String>,
    /// Whose connection it is.
    pub subject: SubjectId,
    /// At which integration.
    pub integration: IntegrationId,
    /// The group, where one consent was asked for several integrations.
    pub group: Option<GroupId>,
    /// The cookie that is not needed any more.
    pub spent_cookie: Option<String>,
}

/// A callback that ends on a page of ours.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Refused by a rule of the callback.
    #[error("{code}")]
    Refused {
        /// Why.
        code: ProblemCode,
        /// The provider's own description, cleaned of control characters; to be escaped before it is shown.
        description: Option<String>,
        /// The cookie that is not needed any more.
        spent_cookie: Option<String>,
    },
    /// We could not do it.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The parameters of an authorization response (RFC 6749 §4.1.2 and §4.1.2.1).
#[derive(Default)]
struct Parameters<'a> {
    state: Option<&'a str>,
    code: Option<&'a str>,
    iss: Option<&'a str>,
    error: Option<&'a str>,
    error_description: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    /// RFC 6749 §3.1: parameters must not be repeated.
    fn read(query: &'a [(String, String)]) -> std::result::Result<Self, &'static str> {
        let mut parameters = Self::default();
        for (name, value) in query {
            let (slot, name) = match name.as_str() {
                "state" => (&mut parameters.state, "state"),
                "code" => (&mut parameters.code, "code"),
                "iss" => (&mut parameters.iss, "iss"),
                "error" => (&mut parameters.error, "error"),
                "error_description" => (&mut parameters.error_description, "error_description"),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(name);
            }
        }
        Ok(parameters)
    }
}

/// Why a callback was refused, as the log and the audit trail say it.
struct Reason {
    code: ProblemCode,
    word: &'static str,
}

impl Connect {
    /// Ends an attempt.
    pub async fn callback(&self, arrival: &Arrival) -> std::result::Result<Destination, Refusal> {
        let Ok(parameters) = Parameters::read(&arrival.query) else {
            return self.refuse(None, Reason { code: ProblemCode::InvalidState, word: "repeated" }).await;
        };
        let state = parameters
            .state
            .filter(|state| state.len() == 64 && state.bytes().all(|b| b.is_ascii_hexdigit()));
        let hash = state.map(TokenHash::of);
        let found = match &hash {
            Some(hash) => self.store().attempts.find(hash).await?,
            None => None,
        };

        // 1. error
        if let Some(error) = parameters.error {
            return self.provider_error(error, &parameters, hash.as_ref(), found).await;
        }

        // 2. state, path, issuer
        let (Some(state), Some(hash), Some(attempt)) = (state, hash, found) else {
            return self.refuse(None, Reason { code: ProblemCode::InvalidState, word: "invalid" }).await;
        };
        let entry = self.entry(&attempt.provider)?;
        if is_stale(&attempt, self.now()) {
            return self.stale(attempt, state).await;
        }
        self.check_standing(&attempt, &entry, arrival.path_id.as_deref(), parameters.iss).await?;
        let code = self.check_code(&attempt, parameters.code).await?;

        // 3. browser
        self.check_browser(&attempt, state, &arrival.cookies).await?;

        // Nothing is spent that could not be kept.
        self.may_seal()?;

        // 4. once
        let Some(consumed) = self.store().attempts.consume(&hash, self.now()).await? else {
            let reason = Reason { code: ProblemCode::InvalidState, word: "used" };
            return self.refuse(Some(&attempt), reason).await;
        };
        // The store has erased the verifier: from here on this is its only copy.
        let attempt = Attempt { code_verifier: attempt.code_verifier, ..consumed };
        let spent_cookie = (attempt.binding == Binding::Cookie).then(|| hop::cookie_name(state));

        // 5. to 7., also when the browser goes away meanwhile
        let plane = self.clone();
        let query = arrival.query.clone();
        let ended = self.detach(async move { plane.finish(attempt, entry, code, &query).await }).await;
        let (attempt, ending) = ended.map_err(|_| Refusal::Failed(Error::Interrupted))??;
        let (failure, location) = match ending {
            Ending::Connected => (None, self.destination(&attempt, None)),
            Ending::Failed(code) => (Some(code), self.destination(&attempt, Some(code))),
            Ending::Question(link) => (None, Some(self.question_url(&link))),
        };
        Ok(Destination {
            failure,
            location,
            group: self.group_of(&attempt),
            subject: attempt.subject,
            integration: attempt.integration,
            spent_cookie,
        })
    }

    /// Steps 5 and 6, and the record of how they ended.
    async fn finish(
        &self,
        attempt: Attempt,
        entry: Arc<Entry>,
        code: Secret<String>,
        query: &[(String, String)],
    ) -> std::result::Result<(Attempt, Ending), Refusal> {
        let started = Instant::now();
        let outcome = match entry.region_from_callback(query) {
            Ok(region) => self.exchange(&attempt, &code, region).await,
            Err(unknown) => Err(Error::InvalidParameter { name: "location", rule: unknown.to_string() }),
        };
        let ending = self.conclude(&attempt, outcome, started.elapsed()).await?;
        Ok((attempt, ending))
    }

    /// Step 1: an error of the provider (RFC 6749 §4.1.2.1) spends the attempt.
    async fn provider_error(
        &self,
        error: &str,
        parameters: &Parameters<'_>,
        hash: Option<&TokenHash>,
        found: Option<Attempt>,
    ) -> std::result::Result<Destination, Refusal> {
        let description = parameters.error_description.map(clean);
        let admin = [Some(error), parameters.error_description];
        let code = match error {
            _ if admin.iter().flatten().any(|text| asks_for_administrator(text)) => {
                ProblemCode::AdminConsentRequired
            }
            "access_denied" => ProblemCode::AccessDenied,
            _ => ProblemCode::ProviderRefused,
        };
        let consumed = match hash {
            Some(hash) => self.store().attempts.consume(hash, self.now()).await?,
            None => None,
        };
        let Some(attempt) = consumed else {
            if let (Some(state), Some(attempt)) = (parameters.state, &found)
                && is_stale(attempt, self.now())
            {
                return self.stale(attempt.clone(), state).await;
            }
            // Unknown, used or expired: nothing to spend, and nobody to send back.
            let word = match &found {
                Some(attempt) if attempt.consumed_at.is_none() => "expired",
                Some(_) => "used",
                None => "invalid",
            };
            self.record_refusal(found.as_ref(), &Reason { code: ProblemCode::InvalidState, word }).await?;
            return Err(Refusal::Refused { code, description, spent_cookie: None });
        };
        let spent_cookie = parameters.state.map(hop::cookie_name);
        self.record_refusal(Some(&attempt), &Reason { code, word: code.word() }).await?;
        if attempt.origin == Origin::Api {
            return Err(Refusal::Refused { code, description, spent_cookie });
        }
        Ok(Destination {
            failure: Some(code),
            location: self.destination(&attempt, Some(code)),
            group: self.group_of(&attempt),
            subject: attempt.subject,
            integration: attempt.integration,
            spent_cookie,
        })
    }

    /// Step 2, for an attempt of a page that has expired: nothing is exchanged, and the person is told where tools are
    /// connected at any time, since the step that the attempt began at may be long over.
    async fn stale(&self, attempt: Attempt, state: &str) -> std::result::Result<Destination, Refusal> {
        let code = ProblemCode::ExpiredState;
        self.record_refusal(Some(&attempt), &Reason { code, word: "expired" }).await?;
        let attempt = Attempt { return_to: Some(self.page_of(Origin::Settings)), ..attempt };
        Ok(Destination {
            failure: Some(code),
            location: self.destination(&attempt, Some(code)),
            group: self.group_of(&attempt),
            spent_cookie: (attempt.binding == Binding::Cookie).then(|| hop::cookie_name(state)),
            subject: attempt.subject,
            integration: attempt.integration,
        })
    }

    /// Step 2, for an attempt that is known.
    async fn check_standing(
        &self,
        attempt: &Attempt,
        entry: &Entry,
        path_id: Option<&str>,
        iss: Option<&str>,
    ) -> std::result::Result<(), Refusal> {
        let wrong_path = path_id.is_some_and(|id| id != callback_id(&attempt.integration, entry));
        let wrong_issuer = match (iss, &attempt.issuer) {
            (Some(iss), Some(issuer)) => iss != issuer,
            (None, Some(_)) => entry.callback_carries_issuer,
            (_, None) => false,
        };
        let reason = if attempt.consumed_at.is_some() {
            Reason { code: ProblemCode::InvalidState, word: "used" }
        } else if attempt.expires_at <= self.now() {
            Reason { code: ProblemCode::ExpiredState, word: "expired" }
        } else if wrong_path {
            Reason { code: ProblemCode::WrongIntegration, word: "wrong_integration" }
        } else if wrong_issuer {
            Reason { code: ProblemCode::WrongIssuer, word: "wrong_issuer" }
        } else {
            return Ok(());
        };
        self.refuse(Some(attempt), reason).await
    }

    async fn check_code(
        &self,
        attempt: &Attempt,
        code: Option<&str>,
    ) -> std::result::Result<Secret<String>, Refusal> {
        match code.filter(|code| !code.is_empty() && code.len() <= MAX_CODE) {
            Some(code) => Ok(Secret::from(code)),
            None => Err(self
                .refuse(Some(attempt), Reason { code: ProblemCode::ProviderRefused, word: "no_code" })
                .await?),
        }
    }

    /// Step 3.
    async fn check_browser(
        &self,
        attempt: &Attempt,
        state: &str,
        cookies: &[(String, Secret<String>)],
    ) -> std::result::Result<(), Refusal> {
        if attempt.binding == Binding::None {
            return Ok(());
        }
        let name = hop::cookie_name(state);
        let cookie = cookies.iter().find(|(own, _)| *own == name);
        let presented = cookie.map(|(_, value)| TokenHash::of(value.expose()));
        if presented.is_some() && presented == attempt.binding_hash {
            return Ok(());
        }
        let reason = Reason { code: ProblemCode::ForeignBrowser, word: "foreign_browser" };
        self.refuse(Some(attempt), reason).await
    }
}

/// Whether an attempt of a page of ours was neither ended nor in time.
fn is_stale(attempt: &Attempt, now: Timestamp) -> bool {
    attempt.origin != Origin::Api && attempt.consumed_at.is_none() && attempt.expires_at <= now
}

/// Microsoft names it in the description (AADSTS90094), Google and others in `error`.
fn asks_for_administrator(text: &str) -> bool {
    ["admin_consent_required", "admin_policy_enforced", "AADSTS90094"].iter().any(|word| text.contains(word))
}

fn clean(description: &str) -> String {
    description.chars().filter(|c| !c.is_control()).take(MAX_DESCRIPTION).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_repeated_parameter_is_refused_by_name() {
        let query = pairs(&[("state", "a"), ("code", "b"), ("state", "c")]);
        assert_eq!(Parameters::read(&query).err(), Some("state"));
        let foreign = pairs(&[("state", "a"), ("x", "1"), ("x", "2")]);
        assert_eq!(Parameters::read(&foreign).unwrap().state, Some("a"));
    }

    #[test]
    fn a_description_loses_its_control_characters_and_its_length() {
        assert_eq!(clean("no\u{0}\n\u{1b}[31mway"), "no[31mway");
        assert_eq!(clean(&"x".repeat(1000)).len(), MAX_DESCRIPTION);
    }
}
