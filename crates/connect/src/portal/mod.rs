//! Portal sessions: a subject's short-lived right to use a page, and the link that leads there.
//!
//! 1. The product makes one. A link that it opens itself works once and lives for minutes; one that is mailed lives for days,
//!    and can be used again until the person is done.
//! 2. The person comes ([`visit`]) and sees what can be connected ([`buckets`]): the link becomes a cookie, or, at Stripe's page, an onboarding ([`crate::stripe`]).
//! 3. It ends when the person is done, when it is withdrawn, or with time.
//!
//! A link carries 256 random bits, and only their hash is kept; a mail that is not sent yet has them sealed.

pub mod buckets;
pub mod visit;

use std::time::Duration;

use model::{
    Actor, AuditEvent, EmailAddress, IntegrationId, LinkToken, MailStatus, Outcome, PortalPage,
    PortalSessionId, Secret, SubjectId, Timestamp,
};
use provider::mail::MailAddress;
use store::portal::{MailCap, NewMail, PortalSession, Posted};
use vault::TokenHash;

use crate::mail::HELD;
use crate::{Connect, Error, Result};

/// How long a link lives that the product opens itself.
const OPENED_LIVES: Duration = Duration::from_mins(5);
/// How long a mailed link lives.
const MAILED_LIVES: Duration = Duration::from_hours(7 * 24);
/// The shortest life that may be asked for.
const SHORTEST: Duration = Duration::from_mins(1);
/// The longest life of a link that the product opens itself.
const LONGEST_OPENED: Duration = Duration::from_hours(1);
/// The longest life of a mailed link.
const LONGEST_MAILED: Duration = Duration::from_hours(30 * 24);
/// How many integrations a session can be narrowed to.
const MAX_INTEGRATIONS: usize = 50;
/// How many sessions are read at a time.
const PAGE: u32 = 200;
/// The span of the cap on mails.
const CAP_SPAN: Duration = Duration::from_hours(1);

/// What the product asks for.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Whose page it is.
    pub subject: SubjectId,
    /// Which page.
    pub page: PortalPage,
    /// What may be connected there; `None` for everything that is configured.
    pub integrations: Option<Vec<IntegrationId>>,
    /// Where the browser goes when the person is done.
    pub return_to: Option<String>,
    /// Where the link is mailed to.
    pub email: Option<MailAddress>,
    /// The language of the mail.
    pub language: Option<String>,
    /// How long the link works.
    pub expires_in: Option<Duration>,
    /// Who asks.
    pub by: Actor,
}

/// A client that is to get an account at Stripe.
#[derive(Debug)]
pub struct Introduction {
    /// The subject that it is or will be.
    pub subject: SubjectId,
    /// What it is called.
    pub name: String,
    /// Where the invitation goes.
    pub email: MailAddress,
    /// Who asks.
    pub by: Actor,
}

/// A session with its link.
#[derive(Debug)]
pub struct Invited {
    /// The session, as it stands after the first attempt to mail it.
    pub session: PortalSession,
    /// The link.
    pub url: Secret<String>,
}

impl Connect {
    /// Makes a portal session; where it is to be mailed, waits a little for the mail server.
    pub async fn invite(&self, invitation: Invitation) -> Result<Invited> {
        self.make(invitation, None).await
    }

    /// The same; `known_as` is the subject's name and address, where the product tells them with it.
    async fn make(&self, invitation: Invitation, known_as: Option<(&str, &MailAddress)>) -> Result<Invited> {
        let settings = &self.parts.settings;
        let return_to = invitation.return_to.as_deref().map(|url| self.check_return_to(url)).transpose()?;
        let lives = self.check_invitation(&invitation).await?;
        let now = self.now();
        let id: PortalSessionId = vault::random::id();
        let token = LinkToken::from(vault::random::token().expose().as_str());
        let mail = invitation.email.as_ref().map(|_| self.new_mail(&token, now)).transpose()?;
        // Whoever is introduced comes to be by that.
        if known_as.is_none() {
            self.admit(&invitation.subject).await?;
        }
        let email = invitation
            .email
            .as_ref()
            .map(|address| self.parts.keys.seal(&id, &EmailAddress::from(address.as_str())))
            .transpose()?;
        let session = PortalSession {
            id,
            subject: invitation.subject,
            page: invitation.page,
            integrations: invitation.integrations,
            return_to,
            language: invitation.language,
            mail: email.is_some().then_some(MailStatus::Pending),
            email,
            created_by: invitation.by.to_string(),
            created_at: now,
            link_since: now,
            expires_at: now + lives,
            opened_at: None,
            completed_at: None,
            withdrawn_at: None,
        };
        let url = link(&settings.public_url, session.page, &token);
        let hash = TokenHash::of(token.expose());
        let with_mail = mail.as_ref().map(|(mail, cap)| (mail, *cap));
        let posted = self.store().portal.create(&session, &hash, with_mail).await?;
        let session = self.posted(posted, &session.id)?;
        // Only now: what is refused changes nothing.
        if let Some((name, email)) = known_as {
            self.store().subjects.introduce(&session.subject, name, email.as_str(), now).await?;
        }
        self.tell(&session, "portal_session.created", invitation.by).await?;
        let session = self.mail_now(session, mail.map(|(mail, _)| mail)).await?;
        Ok(Invited { session, url })
    }

    /// Invites a new client to Stripe, and remembers its name and address. What went to another address is withdrawn.
    pub async fn introduce(&self, new: Introduction) -> Result<Invited> {
        let before = self.open_invitations(&new.subject).await?;
        let by = new.by.clone();
        let invitation = Invitation {
            subject: new.subject,
            page: PortalPage::Stripe,
            integrations: None,
            return_to: None,
            email: Some(new.email.clone()),
            language: None,
            expires_in: None,
            by: new.by,
        };
        let invited = self.make(invitation, Some((&new.name, &new.email))).await?;
        for session in &before {
            let Some(sealed) = &session.email else { continue };
            let address = self.parts.keys.open(&session.id, sealed).await?;
            // One that ended meanwhile is over all the same.
            if address.expose() != new.email.as_str()
                && let Some(withdrawn) = self.store().portal.withdraw(&session.id, self.now()).await?
            {
                self.tell(&withdrawn, "portal_session.withdrawn", by.clone()).await?;
            }
        }
        Ok(invited)
    }

    /// A subject's invitations to Stripe that were mailed and are open.
    async fn open_invitations(&self, subject: &SubjectId) -> Result<Vec<PortalSession>> {
        let (mut open, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store().portal.list(Some(subject), cursor, PAGE).await?;
            let full = page.len() == PAGE as usize;
            cursor = page.last().map(|session| session.id);
            let mailed = |session: &PortalSession| session.is_open() && session.email.is_some();
            open.extend(
                page.into_iter().filter(|session| session.page == PortalPage::Stripe && mailed(session)),
            );
            if !full {
                return Ok(open);
            }
        }
    }

    /// Mails a new link; the one before it works no more.
    pub async fn invite_again(&self, id: &PortalSessionId, by: Actor) -> Result<Invited> {
        let before = self.portal_session(id).await?;
        if before.email.is_none() {
            return Err(Error::NothingToMail);
        }
        let now = self.now();
        let lives = before.expires_at.since(before.link_since).clamp(SHORTEST, LONGEST_MAILED);
        let token = LinkToken::from(vault::random::token().expose().as_str());
        let (mail, cap) = self.new_mail(&token, now)?;
        let hash = TokenHash::of(token.expose());
        let posted = self.store().portal.renew(id, &hash, now + lives, &mail, cap, now).await?;
        let session = self.posted(posted, id)?;
        self.tell(&session, "portal_session.renewed", by).await?;
        let url = link(&self.parts.settings.public_url, session.page, &token);
        let session = self.mail_now(session, Some(mail)).await?;
        Ok(Invited { session, url })
    }

    /// Reads one.
    pub async fn portal_session(&self, id: &PortalSessionId) -> Result<PortalSession> {
        self.store().portal.get(id).await?.ok_or(Error::PortalSessionNotFound { id: *id })
    }

    /// At most `limit` of a subject, or of all, after `cursor`.
    pub async fn portal_sessions(
        &self,
        subject: Option<&SubjectId>,
        cursor: Option<PortalSessionId>,
        limit: u32,
    ) -> Result<Vec<PortalSession>> {
        Ok(self.store().portal.list(subject, cursor, limit).await?)
    }

    /// Takes a session back: its link and every browser that opened it are turned away from now on.
    pub async fn withdraw(&self, id: &PortalSessionId, by: Actor) -> Result<PortalSession> {
        let Some(withdrawn) = self.store().portal.withdraw(id, self.now()).await? else {
            self.portal_session(id).await?;
            return Err(Error::PortalSessionOver { id: *id });
        };
        self.tell(&withdrawn, "portal_session.withdrawn", by).await?;
        Ok(withdrawn)
    }

    /// Deletes sessions whose links ended before `before`; tells how many.
    pub async fn sweep_portal(&self, before: Timestamp, limit: u32) -> Result<u64> {
        Ok(self.store().portal.sweep(before, self.now(), limit).await?)
    }

    /// How long the link lives, when everything about the invitation is right.
    async fn check_invitation(&self, invitation: &Invitation) -> Result<Duration> {
        let (usual, longest) = match invitation.email {
            Some(_) => (MAILED_LIVES, LONGEST_MAILED),
            None => (OPENED_LIVES, LONGEST_OPENED),
        };
        let lives = invitation.expires_in.unwrap_or(usual);
        if !(SHORTEST..=longest).contains(&lives) {
            let rule = format!(
                "expected 1m to {}",
                if invitation.email.is_some() { "30d" } else { "1h for a link that is not mailed" }
            );
            return Err(Error::InvalidParameter { name: "expiresIn", rule });
        }
        match invitation.page {
            PortalPage::Onboarding | PortalPage::Settings => {
                self.check_integrations(invitation.integrations.as_deref()).await?;
            }
            PortalPage::Stripe if self.parts.stripe.is_none() => return Err(Error::StripeNotConfigured),
            PortalPage::Stripe if invitation.integrations.is_some() => {
                let rule = "is for the pages onboarding and settings".to_owned();
                return Err(Error::InvalidParameter { name: "integrations", rule });
            }
            // Stripe sends the person to the address of the configuration.
            PortalPage::Stripe if invitation.return_to.is_some() => {
                let rule = "is for the pages onboarding and settings; after Stripe comes stripe.success_url"
                    .to_owned();
                return Err(Error::InvalidParameter { name: "returnTo", rule });
            }
            PortalPage::Stripe => {}
        }
        Ok(lives)
    }

    async fn check_integrations(&self, wanted: Option<&[IntegrationId]>) -> Result<()> {
        let Some(wanted) = wanted else { return Ok(()) };
        if wanted.is_empty() || wanted.len() > MAX_INTEGRATIONS {
            let rule = format!("expected 1 to {MAX_INTEGRATIONS} names, or nothing for all");
            return Err(Error::InvalidParameter { name: "integrations", rule });
        }
        let known = self.integrations().await?;
        match wanted.iter().find(|wanted| !known.iter().any(|listed| listed.id == **wanted)) {
            Some(unknown) => Err(Error::IntegrationNotFound { integration: unknown.clone() }),
            None => Ok(()),
        }
    }

    /// A mail that this process will try first, and what the cap allows.
    fn new_mail(&self, token: &LinkToken, now: Timestamp) -> Result<(NewMail, MailCap)> {
        let post = self.parts.post.as_ref().ok_or(Error::MailNotConfigured)?;
        let id = vault::random::id();
        let link = self.parts.keys.seal(&id, token)?;
        // One of exactly that long ago counts no more.
        let since = Timestamp::from_unix_ms(now.as_unix_ms() + 1) - CAP_SPAN;
        Ok((
            NewMail { id, link, held_until: now + HELD },
            MailCap { count: post.per_subject_and_hour, since },
        ))
    }

    fn posted(&self, posted: Posted, id: &PortalSessionId) -> Result<PortalSession> {
        match posted {
            Posted::Done(session) => Ok(*session),
            Posted::TooMany { oldest } => {
                Err(Error::TooManyMails { retry_after: (oldest + CAP_SPAN).since(self.now()) })
            }
            Posted::Over => Err(Error::PortalSessionOver { id: *id }),
        }
    }

    /// Remembers what was done with a session.
    pub(crate) async fn tell(&self, session: &PortalSession, event: &'static str, by: Actor) -> Result<()> {
        let event = AuditEvent::new(self.now(), event, Outcome::Success, by);
        self.remember(event.subject(&session.subject).target(session.id).fact("page", session.page.word()))
            .await
    }
}

/// The address that a link has.
pub(crate) fn link(public_url: &str, page: PortalPage, token: &LinkToken) -> Secret<String> {
    let token = token.expose();
    Secret::new(match page {
        PortalPage::Onboarding | PortalPage::Settings => format!("{public_url}/portal/start/{token}"),
        PortalPage::Stripe => format!("{public_url}/onboard-client?token={token}"),
    })
}
