//! How an attempt ends: on record, and in front of the person.

use std::time::Duration;

use model::{Actor, AuditEvent, Label, Origin, Outcome, ProblemCode, Secret};
use provider::answer::{AnswerError, Class};
use store::attempts::Attempt;
use tracing::{info, warn};
use url::Url;

use super::exchange::Exchanged;
use super::{Reason, Refusal};
use crate::{Connect, Error, Result};

/// How an attempt has ended.
pub(super) enum Ending {
    /// With connections.
    Connected,
    /// Without.
    Failed(ProblemCode),
    /// Not yet: the person is asked at this link.
    Question(Secret<String>),
}

/// The parameters that tell the product how it ended.
const OUTCOME: [&str; 3] = ["oauth", "provider", "code"];

impl Connect {
    /// Writes down how it ended; the person learns it from where the browser goes.
    pub(super) async fn conclude(
        &self,
        attempt: &Attempt,
        outcome: Result<Exchanged>,
        took: Duration,
    ) -> std::result::Result<Ending, Refusal> {
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let error = match outcome {
            Ok(Exchanged::AnotherAccount(link)) => {
                info!(
                    subject = %attempt.subject, integration = %attempt.integration, attempt = %attempt.id,
                    outcome = "success", duration_ms, "attempt.undecided"
                );
                return Ok(Ending::Question(link));
            }
            Ok(Exchanged::Connected { missing }) => {
                info!(
                    subject = %attempt.subject, integration = %attempt.integration, attempt = %attempt.id,
                    origin = attempt.origin.word(), scopes_missing = %missing, outcome = "success", duration_ms,
                    "attempt.completed"
                );
                return Ok(Ending::Connected);
            }
            Err(error) => error,
        };
        let answer = match &error {
            Error::ExchangeFailed(answer) => Some(&**answer),
            _ => None,
        };
        let code = answer.map_or_else(|| error.code(), exchange_code_word);
        warn!(
            subject = %attempt.subject, integration = %attempt.integration, attempt = %attempt.id,
            outcome = "failure", duration_ms, code = %code,
            error = answer.and_then(|a| a.error.as_deref()), description = answer.and_then(|a| a.description.as_deref()),
            cause = %source_chain(&error), "attempt.failed"
        );
        let event = AuditEvent::new(
            self.now(),
            "attempt.failed",
            Outcome::Failure,
            Actor::Browser(Some(attempt.subject.clone())),
        );
        self.audit(
            event
                .subject(&attempt.subject)
                .target(&attempt.integration)
                .reason(code.word())
                .fact("attempt", attempt.id.to_string()),
        )
        .await?;
        Ok(Ending::Failed(code))
    }

    /// Step 7: where the browser goes, with how it ended in the query.
    pub(super) fn destination(&self, attempt: &Attempt, failure: Option<ProblemCode>) -> Option<String> {
        let front_end = || {
            let front_end = self.parts.settings.frontend_url.as_ref()?;
            Some(format!("{front_end}/admin/clients/{}", attempt.subject))
        };
        let target = match &attempt.return_to {
            // Checked when the attempt began, and again now: the operator may have shortened the list.
            Some(return_to) => self.parts.settings.return_to.check(return_to)?,
            None => Url::parse(&front_end()?).ok()?,
        };
        let mut url = target;
        // What the address said before of how it ended would be read instead of what we say.
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !OUTCOME.contains(&&**name))
            .map(|(n, v)| (n.into(), v.into()))
            .collect();
        url.set_query(None);
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(kept);
            query.append_pair("oauth", if failure.is_none() { "success" } else { "error" });
            query.append_pair("provider", attempt.integration.as_str());
            if let Some(code) = failure {
                query.append_pair("code", code.word());
            }
            if attempt.origin != Origin::Api && attempt.label != Label::default() {
                query.append_pair("label", attempt.label.as_str());
            }
        }
        // Our pages tell a failure at its row; named here, the browser leads there and reads it out.
        if attempt.origin != Origin::Api && failure.is_some() {
            url.set_fragment(Some("problem"));
        }
        Some(url.into())
    }

    /// Refuses, and writes it down.
    pub(super) async fn refuse<T>(
        &self,
        attempt: Option<&Attempt>,
        reason: Reason,
    ) -> std::result::Result<T, Refusal> {
        self.record_refusal(attempt, &reason).await?;
        Err(Refusal::Refused { code: reason.code, description: None, spent_cookie: None })
    }

    pub(super) async fn record_refusal(&self, attempt: Option<&Attempt>, reason: &Reason) -> Result<()> {
        let now = self.now();
        let subject = attempt.map(|attempt| &attempt.subject);
        let actor = Actor::Browser(subject.cloned());
        let mut event = AuditEvent::new(now, "attempt.refused", Outcome::Denied, actor).reason(reason.word);
        if let Some(attempt) = attempt {
            let age_ms = u64::try_from(now.since(attempt.issued_at).as_millis()).unwrap_or(u64::MAX);
            event = event.subject(&attempt.subject).target(&attempt.integration);
            event = event.fact("attempt", attempt.id.to_string()).fact("age_ms", age_ms);
            warn!(
                subject = %attempt.subject, integration = %attempt.integration, attempt = %attempt.id,
                reason = reason.word, age_ms, outcome = "denied", "attempt.refused"
            );
        } else {
            warn!(reason = reason.word, outcome = "denied", "attempt.refused");
        }
        self.audit(event).await
    }
}

/// What a failed exchange means to the person.
const fn exchange_code_word(error: &AnswerError) -> ProblemCode {
    match error.class {
        Class::Configuration => ProblemCode::ProviderConfiguration,
        Class::Throttled | Class::NotSent | Class::Ambiguous => ProblemCode::ProviderUnavailable,
        Class::Dead | Class::Interaction | Class::Malformed => ProblemCode::ExchangeFailed,
    }
}

fn source_chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
