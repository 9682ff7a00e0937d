//! Reconnecting to another account asks first: who connects `anna@` again while signed in as `bert@` should know before
//! what worked with the one works with the other.
//!
//! The new consent's credential is kept, and no connection stands on it, until the person has answered at a one-time link
//! or the time for it is over.

use std::time::Duration;

use model::{Account, Actor, AuditEvent, IntegrationId, Outcome, ProblemCode, Secret};
use store::attempts::Question;
use store::connections::ConnectionKey;
use store::credentials::Credential;
use tracing::{info, warn};
use vault::TokenHash;

use super::Destination;
use crate::{Connect, Error, Result};

/// How many questions one round of the sweeper settles.
const SETTLE_AT_ONCE: u32 = 100;
/// How long after its time a question is settled: an answer of the last moment may still be put into effect.
const SETTLE_AFTER: Duration = Duration::from_mins(5);

/// What the person is asked.
#[derive(Debug)]
pub struct Asked {
    /// The name of the integration, or of the group that the consent was for.
    pub integration: String,
    /// The account whose place it would take.
    pub before: Account,
    /// The account that has just consented.
    pub after: Account,
}

/// What the person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The new account takes the place of the old one.
    Replace,
    /// Everything stays as it was.
    Keep,
}

impl Connect {
    /// Where the person is asked.
    pub(super) fn question_url(&self, link: &Secret<String>) -> String {
        format!("{}/connect/account/{}", self.parts.settings.public_url, link.expose())
    }

    /// What is asked behind a link.
    pub async fn asked(&self, link: &str) -> Result<Asked> {
        let found = self.store().attempts.question(&TokenHash::of(link), self.now()).await?;
        let question = found.ok_or(Error::InvalidTicket)?;
        let credential = self.store().credentials.get(&question.held).await?.ok_or(Error::InvalidTicket)?;
        let after = credential.account.ok_or(Error::InvalidTicket)?;
        let accounts = self.consents_before(&question).await?.into_iter().filter_map(|(old, _)| old.account);
        let before = accounts.into_iter().find(|account| account.id != after.id);
        let attempt = &question.attempt;
        let entry = self.entry(&attempt.provider)?;
        let group = self.group_of(attempt);
        let name = group.as_ref().and_then(|group| self.group_name(group)).unwrap_or(&entry.display_name);
        Ok(Asked { integration: name.to_owned(), before: before.ok_or(Error::InvalidTicket)?, after })
    }

    /// Does what the person has answered, once, and says where the browser goes.
    pub async fn answer(&self, link: &str, answer: Answer) -> Result<Destination> {
        let answered = self.store().attempts.answer(&TokenHash::of(link), self.now()).await?;
        let question = answered.ok_or(Error::InvalidTicket)?;
        let plane = self.clone();
        let done =
            self.detach(async move { plane.put_into_effect(&question, answer).await.map(|()| question) });
        let question = done.await.map_err(|_| Error::Interrupted)??;
        let failure = (answer == Answer::Keep).then_some(ProblemCode::AccountKept);
        let attempt = question.attempt;
        Ok(Destination {
            failure,
            location: self.destination(&attempt, failure),
            group: self.group_of(&attempt),
            subject: attempt.subject,
            integration: attempt.integration,
            spent_cookie: None,
        })
    }

    async fn put_into_effect(&self, question: &Question, answer: Answer) -> Result<()> {
        let attempt = &question.attempt;
        match answer {
            Answer::Replace => {
                let held = self.store().credentials.get(&question.held).await?;
                let credential = held.ok_or(Error::InvalidTicket)?;
                let before = self.consents_before(question).await?;
                if before.is_empty() {
                    // Disconnected meanwhile: that counts, and not an answer to what was asked before.
                    self.let_go(question).await?;
                    return Err(Error::InvalidTicket);
                }
                self.stand_on(attempt, &credential, &[]).await?;
                self.give_back_replaced(&credential, &before).await?;
                if let Some(account) = &credential.account {
                    self.gather_or_say(attempt, &credential.id, &credential.tokens.scopes, account).await;
                }
                self.store().attempts.settle_question(&attempt.id).await?;
            }
            Answer::Keep => self.let_go(question).await?,
        }
        let word = match answer {
            Answer::Replace => "replaced",
            Answer::Keep => "kept",
        };
        info!(
            subject = %attempt.subject, integration = %attempt.integration, attempt = %attempt.id,
            answer = word, outcome = "success", "attempt.decided"
        );
        let by = Actor::Browser(Some(attempt.subject.clone()));
        let event = AuditEvent::new(self.now(), "account.decided", Outcome::Success, by).reason(word);
        let event = event.subject(&attempt.subject).target(&attempt.integration);
        self.audit(event.fact("attempt", attempt.id.to_string())).await
    }

    /// What the question's connections stand on, each with its parts.
    async fn consents_before(&self, question: &Question) -> Result<Vec<(Credential, Vec<Credential>)>> {
        let mut consents: Vec<(Credential, Vec<Credential>)> = Vec::new();
        for member in question.attempt.members() {
            let connection = self.store().connections.get(&key(question, member.integration)).await?;
            let Some(id) = connection.and_then(|connection| connection.credential) else { continue };
            if consents.iter().any(|(known, _)| known.id == id) {
                continue;
            }
            if let Some(credential) = self.store().credentials.get(&id).await? {
                let parts = self.parts_to_give_back(&credential).await?;
                consents.push((credential, parts));
            }
        }
        Ok(consents)
    }

    /// Gives the consents of other accounts back that nobody stands on any more.
    async fn give_back_replaced(
        &self,
        new: &Credential,
        before: &[(Credential, Vec<Credential>)],
    ) -> Result<()> {
        let account = |credential: &Credential| credential.account.as_ref().map(|account| account.id.clone());
        for (old, parts) in before {
            let is_gone = self.store().credentials.get(&old.id).await?.is_none();
            if is_gone && account(old).is_some() && account(old) != account(new) {
                self.give_back_later(old, parts).await?;
            }
        }
        Ok(())
    }

    /// Settles what nobody has answered in time: the consent that was held is given back and erased.
    pub async fn sweep_questions(&self) -> Result<usize> {
        if self.store().refreshes.held().await?.is_some() {
            return Ok(0);
        }
        let questions = self.store().attempts.unanswered(self.now() - SETTLE_AFTER, SETTLE_AT_ONCE).await?;
        for question in &questions {
            if let Err(error) = self.let_go(question).await {
                warn!(attempt = %question.attempt.id, outcome = "failure", %error, "question.sweep_failed");
            }
        }
        Ok(questions.len())
    }

    /// Gives a consent back, on which no connection stands, and erases it.
    async fn let_go(&self, question: &Question) -> Result<()> {
        if let Some(held) = self.store().credentials.get(&question.held).await? {
            let parts = self.parts_to_give_back(&held).await?;
            // Only what was nobody's when it was erased is given back: a living connection's grant never is.
            if self.store().credentials.erase(&held.id).await? {
                self.give_back_later(&held, &parts).await?;
            }
        }
        Ok(self.store().attempts.settle_question(&question.attempt.id).await?)
    }
}

fn key(question: &Question, integration: IntegrationId) -> ConnectionKey {
    let attempt = &question.attempt;
    ConnectionKey { subject: attempt.subject.clone(), integration, label: attempt.label.clone() }
}
