//! Invitations are mailed: at once, by the request that asks for it, and until it succeeds in the background, for a day.
//!
//! A mail belongs to whoever has taken it, until its due time; any replica takes what is due. What a crash leaves open is
//! sent again: a second letter does less harm than none.

use std::sync::Arc;
use std::time::Duration;

use model::{Actor, AuditEvent, MailStatus, Outcome, PortalPage, Secret, Timestamp};
use provider::mail::{Letter, MailAddress, MailError, Mailer};
use store::portal::{Mail, NewMail, PortalSession};
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::portal::link;
use crate::{Connect, Error, Result};

/// How long a mail is held by whoever has taken it; much longer than an attempt takes, so that clocks of replicas may differ.
pub(crate) const HELD: Duration = Duration::from_mins(5);

/// How long the caller waits for the mail server.
const CALLER_WAITS: Duration = Duration::from_secs(10);

/// How long it is tried.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(24);

/// The pauses after the first attempts; then the last one repeats.
const PAUSES: [Duration; 4] =
    [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15), Duration::from_hours(1)];

/// How many one round takes.
const ROUND: u32 = 12;

/// How many are sent at the same time.
const AT_ONCE: usize = 4;

/// How letters are sent.
pub struct Post {
    /// The mail server.
    pub mailer: Mailer,
    /// What letters say.
    pub letters: Arc<dyn Letters>,
    /// How many mails a subject may be sent in an hour.
    pub per_subject_and_hour: u32,
}

/// The words of letters, which the plane does not know.
pub trait Letters: Send + Sync {
    /// An invitation.
    fn invitation(&self, invitation: &InvitationLetter) -> Letter;
}

/// What an invitation says.
pub struct InvitationLetter {
    /// A language tag; `None` for the instance's own.
    pub language: Option<String>,
    /// Who is addressed.
    pub name: Option<String>,
    /// To which page.
    pub page: PortalPage,
    /// What can be connected there, by the names that people know.
    pub tools: Vec<String>,
    /// The link.
    pub link: Secret<String>,
    /// Until when it works.
    pub expires_at: Timestamp,
}

impl Connect {
    /// Sends a mail that was just written and is held by us. Answers the session as it stands when the caller has waited long
    /// enough.
    pub(crate) async fn mail_now(
        &self,
        session: PortalSession,
        mail: Option<NewMail>,
    ) -> Result<PortalSession> {
        let Some(mail) = mail else { return Ok(session) };
        let (plane, id, created_at) = (self.clone(), session.id, self.now());
        let mail = Mail { id: mail.id, link: mail.link, attempts: 1, created_at, last_error: None, session };
        let attempt = self.detach(async move { plane.try_mail(mail).await });
        // Whatever becomes of it, it is written down and tried again.
        let _ = tokio::time::timeout(CALLER_WAITS, attempt).await;
        self.portal_session(&id).await
    }

    /// Sends what is due, and waits for it. Answers whether more may be waiting.
    pub async fn send_mails(&self) -> Result<bool> {
        if self.parts.post.is_none() || self.refreshing.is_stopping() {
            return Ok(false);
        }
        let now = self.now();
        let taken = self.store().portal.take_mails(now, now + HELD, ROUND).await?;
        let full = taken.len() == ROUND as usize;
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut attempts = Vec::new();
        for mail in taken {
            let (plane, places) = (self.clone(), Arc::clone(&places));
            attempts.push(self.detach(async move {
                // Never closed; without a place it goes on all the same.
                let _place = places.acquire().await;
                plane.try_mail(mail).await;
            }));
        }
        for attempt in attempts {
            // A panic is in the log, and the mail comes again.
            let _ = attempt.await;
        }
        Ok(full)
    }

    /// One attempt, and the record of how it ended.
    async fn try_mail(&self, mail: Mail) {
        let (id, session) = (mail.id, mail.session.id);
        if let Err(error) = self.attempt_mail(mail).await {
            warn!(mail = %id, %session, outcome = "failure", %error, will_retry = true, "mail.failed");
        }
    }

    async fn attempt_mail(&self, mail: Mail) -> Result<()> {
        let Some(post) = &self.parts.post else { return Ok(()) };
        let now = self.now();
        // It may have waited for a place since it was taken.
        let session = self.portal_session(&mail.session.id).await?;
        if !session.is_open() || session.expires_at <= now {
            return self.mail_over(&mail, MailStatus::Abandoned, Some("over")).await;
        }
        if session.link_since != mail.session.link_since {
            // A newer mail has taken its place.
            return Ok(());
        }
        let (to, letter) = self.compose(post, &mail).await?;
        match post.mailer.send(&mail.id.to_string(), &to, &letter).await {
            Ok(()) => self.mail_over(&mail, MailStatus::Sent, None).await,
            Err(MailError::Refused(failure)) => {
                warn!(mail = %mail.id, session = %mail.session.id, outcome = "failure", %failure, "mail.refused");
                self.mail_over(&mail, MailStatus::Refused, Some("refused")).await
            }
            // One more letter does less harm than none, a third does not.
            Err(MailError::Unanswered(failure)) if mail.last_error.as_deref() == Some("unanswered") => {
                warn!(mail = %mail.id, session = %mail.session.id, outcome = "failure", %failure, "mail.abandoned");
                self.mail_over(&mail, MailStatus::Abandoned, Some("unanswered")).await
            }
            Err(error) => self.mail_later(&mail, &error, now).await,
        }
    }

    async fn compose(&self, post: &Post, mail: &Mail) -> Result<(MailAddress, Letter)> {
        let session = &mail.session;
        let sealed = session.email.as_ref().ok_or(Error::NothingToMail)?;
        let address = self.parts.keys.open(&session.id, sealed).await?;
        let token = self.parts.keys.open(&mail.id, &mail.link).await?;
        let subject = self.store().subjects.get(&session.subject).await?;
        let (name, own_language) = subject.map_or((None, None), |subject| (subject.name, subject.language));
        let letter = post.letters.invitation(&InvitationLetter {
            language: session.language.clone().or(own_language),
            name,
            page: session.page,
            tools: self.tools(session).await?,
            link: link(&self.parts.settings.public_url, session.page, &token),
            expires_at: session.expires_at,
        });
        // It was checked before it was sealed.
        let to = address.expose().parse().map_err(|_| Error::NothingToMail)?;
        Ok((to, letter))
    }

    async fn mail_later(&self, mail: &Mail, error: &MailError, now: Timestamp) -> Result<()> {
        if mail.created_at + GIVEN_UP_AFTER <= now {
            warn!(mail = %mail.id, session = %mail.session.id, outcome = "failure", %error, "mail.abandoned");
            return self.mail_over(mail, MailStatus::Abandoned, Some(error.word())).await;
        }
        let attempt = usize::try_from(mail.attempts).unwrap_or(usize::MAX);
        let pause = PAUSES[attempt.saturating_sub(1).min(PAUSES.len() - 1)];
        warn!(
            mail = %mail.id, session = %mail.session.id, attempts = mail.attempts, outcome = "failure", %error,
            next_retry_s = pause.as_secs(), "mail.retrying"
        );
        self.store().portal.mail_failed(&mail.id, mail.attempts, now + pause, error.word()).await?;
        Ok(())
    }

    async fn mail_over(&self, mail: &Mail, status: MailStatus, error: Option<&str>) -> Result<()> {
        if !self.store().portal.mail_ended(&mail.id, mail.attempts, status, error).await? {
            return Ok(());
        }
        let session = &mail.session;
        let sent = status == MailStatus::Sent;
        if sent {
            info!(mail = %mail.id, session = %session.id, subject = %session.subject, attempts = mail.attempts,
                outcome = "success", "mail.sent");
        }
        let outcome = if sent { Outcome::Success } else { Outcome::Failure };
        let event = AuditEvent::new(self.now(), "invitation.mailed", outcome, Actor::System);
        self.audit(event.subject(&session.subject).target(session.id).reason(status.word())).await
    }
}
