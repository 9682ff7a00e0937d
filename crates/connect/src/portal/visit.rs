//! A person comes with a link.
//!
//! 1. A mailed link first shows who invites to what: mail scanners open every link, and a link must not act by being looked
//!    at. Its button goes on. A link that the product opens itself goes on at once, once.
//! 2. The link becomes a cookie, and the address is cleaned by a redirect.
//! 3. The page acts for the session's subject, until the person is done.

use std::time::Duration;

use model::{Actor, IntegrationId, MailStatus, PortalPage, Secret};
use store::portal::PortalSession;
use vault::TokenHash;

use super::buckets::Bucket;
use crate::{Connect, Error, Result};

/// How long a browser that opened a link may use the page.
const BROWSER_STAYS: Duration = Duration::from_hours(1);

/// What a browser gets that opened a link.
pub struct Entered {
    /// The session.
    pub session: PortalSession,
    /// The value of its cookie.
    pub cookie: Secret<String>,
    /// How long the cookie is needed.
    pub max_age: Duration,
}

/// What a link is for, when somebody looks at it.
pub struct Offer {
    /// The session.
    pub session: PortalSession,
    /// The subject's name, where the product told it.
    pub name: Option<String>,
    /// The language of the person, where the product told it.
    pub language: Option<String>,
    /// What can be connected, by the names that people know.
    pub tools: Vec<String>,
}

impl Connect {
    /// Looks at a link, and changes nothing.
    pub async fn look_at(&self, token: &str, page: PortalPage) -> Result<Offer> {
        let session = self.standing_link(token, page).await?;
        let subject = self.store().subjects.get(&session.subject).await?;
        let tools = self.tools(&session).await?;
        let (name, own_language) = subject.map_or((None, None), |subject| (subject.name, subject.language));
        let language = session.language.clone().or(own_language);
        Ok(Offer { session, name, language, tools })
    }

    /// The language that the product told of the person of a session.
    pub async fn language_of(&self, session: &PortalSession) -> Result<Option<String>> {
        if session.language.is_some() {
            return Ok(session.language.clone());
        }
        Ok(self.store().subjects.get(&session.subject).await?.and_then(|subject| subject.language))
    }

    /// The same of a link, whether it works or not: what does not work is told in that language, too.
    pub async fn language_of_link(&self, token: &str) -> Result<Option<String>> {
        match self.store().portal.of_link(&TokenHash::of(token)).await? {
            Some(session) => self.language_of(&session).await,
            None => Ok(None),
        }
    }

    /// The session of a link to `page`, or to another about tools where that is, if it works; else why it does not.
    pub(crate) async fn standing_link(&self, token: &str, page: PortalPage) -> Result<PortalSession> {
        let session = self.store().portal.of_link(&TokenHash::of(token)).await?;
        let is_here = |session: &PortalSession| session.page.is_about_tools() == page.is_about_tools();
        let session = session.filter(is_here).ok_or(Error::InvalidLink)?;
        if session.completed_at.is_some() {
            return Err(Error::AlreadyDone);
        }
        if session.admits(self.now()) {
            return Ok(session);
        }
        if session.is_open() && session.email.is_some() {
            return Err(Error::InvitationExpired);
        }
        Err(Error::InvalidLink)
    }

    /// Uses a link to a page about tools.
    pub async fn enter(&self, token: &str) -> Result<Entered> {
        self.standing_link(token, PortalPage::Onboarding).await?;
        let now = self.now();
        let cookie = vault::random::token();
        let hashes = [token, cookie.expose()].map(TokenHash::of);
        let until = now + BROWSER_STAYS;
        let opened = self.store().portal.open(&hashes[0], Some((&hashes[1], until)), now).await?;
        let session = opened.ok_or(Error::InvalidLink)?;
        let by = Actor::Browser(Some(session.subject.clone()));
        self.tell(&session, "portal_session.opened", by).await?;
        Ok(Entered { session, cookie, max_age: BROWSER_STAYS })
    }

    /// Mails the person of an expired invitation a new link, to the address that the product gave, and says what became of the
    /// mail; `None` when the link still works. An expired link works for this once: it is replaced, too.
    pub async fn invite_anew(&self, token: &str, page: PortalPage) -> Result<Option<MailStatus>> {
        match self.standing_link(token, page).await {
            Err(Error::InvitationExpired) => {}
            Ok(_) => return Ok(None),
            Err(error) => return Err(error),
        }
        let session = self.store().portal.of_link(&TokenHash::of(token)).await?.ok_or(Error::InvalidLink)?;
        let by = Actor::Browser(Some(session.subject.clone()));
        Ok(self.invite_again(&session.id, by).await?.session.mail)
    }

    /// The session of a browser, by its cookie.
    pub async fn visitor(&self, cookie: &str) -> Result<PortalSession> {
        let found = self.store().portal.of_browser(&TokenHash::of(cookie), self.now()).await?;
        found.ok_or(Error::PortalSessionNeeded)
    }

    /// The person is done. Answers where to go from here, where the product said so.
    pub async fn finish_visit(&self, session: &PortalSession) -> Result<Option<String>> {
        if self.store().portal.complete(&session.id, self.now()).await? {
            let by = Actor::Browser(Some(session.subject.clone()));
            self.tell(session, "portal_session.completed", by).await?;
        }
        Ok(self.way_back(session))
    }

    /// Where the product wants the person back.
    pub fn way_back(&self, session: &PortalSession) -> Option<String> {
        // Checked when the session was made, and again now: the operator may have shortened the list.
        let allowed = |url: &str| self.parts.settings.return_to.check(url).map(String::from);
        session.return_to.as_deref().and_then(allowed)
    }

    /// What can be connected on a session's page, by the names that people know.
    pub(crate) async fn tools(&self, session: &PortalSession) -> Result<Vec<String>> {
        if !session.page.is_about_tools() {
            return Ok(Vec::new());
        }
        let buckets = self.shelf(session).await?.buckets.into_iter();
        Ok(buckets.filter(Bucket::is_connectable).map(|bucket| bucket.name).collect())
    }
}

/// Whether a session's page has this integration.
pub fn offers(session: &PortalSession, integration: &IntegrationId) -> bool {
    session.integrations.as_ref().is_none_or(|wanted| wanted.contains(integration))
}
