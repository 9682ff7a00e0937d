//! Portal sessions: the links that lead to a page, the browsers that opened them, and the mails that carry them.

use async_trait::async_trait;
use model::{
    EmailAddress, IntegrationId, LinkToken, MailId, MailStatus, PortalPage, PortalSessionId, SubjectId,
    Timestamp,
};
use vault::{Sealed, TokenHash};

use crate::Result;

/// A subject's right to use a page.
#[derive(Debug, Clone)]
pub struct PortalSession {
    /// Its id; the address is sealed to it.
    pub id: PortalSessionId,
    /// Whose page it is.
    pub subject: SubjectId,
    /// Which page.
    pub page: PortalPage,
    /// What may be connected there; `None` for everything that is configured.
    pub integrations: Option<Vec<IntegrationId>>,
    /// Where the browser goes when it is done.
    pub return_to: Option<String>,
    /// The language of the mail, and of pages for a browser that states none.
    pub language: Option<String>,
    /// Where the link was mailed to. Such a link can be used again and again; any other works once.
    pub email: Option<Sealed<EmailAddress>>,
    /// What became of the latest mail.
    pub mail: Option<MailStatus>,
    /// The API key that asked, as the audit trail names the actor.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its link was made: later than the session where it was mailed again.
    pub link_since: Timestamp,
    /// Until when the link works.
    pub expires_at: Timestamp,
    /// When the link was first used.
    pub opened_at: Option<Timestamp>,
    /// When the person was done.
    pub completed_at: Option<Timestamp>,
    /// When the operator or the product took it back.
    pub withdrawn_at: Option<Timestamp>,
}

impl PortalSession {
    /// Whether it is neither done nor taken back.
    pub const fn is_open(&self) -> bool {
        self.completed_at.is_none() && self.withdrawn_at.is_none()
    }

    /// Whether it can have another link by mail.
    pub(crate) const fn is_renewable(&self) -> bool {
        self.is_open() && self.email.is_some()
    }

    /// Whether its link works at `now`.
    pub fn admits(&self, now: Timestamp) -> bool {
        self.is_open() && self.expires_at > now && (self.email.is_some() || self.opened_at.is_none())
    }
}

/// A mail that is to be sent.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// The id that it gets; the link is sealed to it.
    pub id: MailId,
    /// What its link carries.
    pub link: Sealed<LinkToken>,
    /// Until when the caller holds it, for the first attempt.
    pub held_until: Timestamp,
}

/// How many mails a subject may be sent.
#[derive(Debug, Clone, Copy)]
pub struct MailCap {
    /// So many …
    pub count: u32,
    /// … from this instant on.
    pub since: Timestamp,
}

/// Whether something that comes with a mail was written.
#[derive(Debug)]
pub enum Posted {
    /// It was.
    Done(Box<PortalSession>),
    /// The subject has been sent as many mails as the cap allows, of which the oldest that counts is of then.
    TooMany {
        /// When that one was asked for.
        oldest: Timestamp,
    },
    /// There is no such session, or it is over, or its link was never mailed.
    Over,
}

/// A mail that is due, with everything that sending it needs.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its id.
    pub id: MailId,
    /// What its link carries.
    pub link: Sealed<LinkToken>,
    /// How often it has been tried, the attempt of whoever holds it included.
    pub attempts: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// What the attempts before said; `unanswered` stays.
    pub last_error: Option<String>,
    /// Where it leads.
    pub session: PortalSession,
}

/// The rows of `portal_sessions`, `portal_browsers` and `mails`.
#[async_trait]
pub trait Portal: Send + Sync {
    /// Writes a session with its link, and the mail that carries it unless the cap forbids: then nothing is written.
    async fn create(
        &self,
        session: &PortalSession,
        link: &TokenHash,
        mail: Option<(&NewMail, MailCap)>,
    ) -> Result<Posted>;
    /// Gives a mailed session another link, which works until `expires_at`, and the mail that carries it. The link before it
    /// works no more, and a mail with it is not sent.
    async fn renew(
        &self,
        id: &PortalSessionId,
        link: &TokenHash,
        expires_at: Timestamp,
        mail: &NewMail,
        cap: MailCap,
        now: Timestamp,
    ) -> Result<Posted>;
    /// Reads one.
    async fn get(&self, id: &PortalSessionId) -> Result<Option<PortalSession>>;
    /// Reads the one that this link leads to, over or not.
    async fn of_link(&self, link: &TokenHash) -> Result<Option<PortalSession>>;
    /// At most `limit` of a subject, or of all, after `cursor`, in the order of their ids.
    async fn list(
        &self,
        subject: Option<&SubjectId>,
        cursor: Option<PortalSessionId>,
        limit: u32,
    ) -> Result<Vec<PortalSession>>;
    /// Uses a link: of any number of callers one gets what works once. With a browser, that one may use the page until then.
    async fn open(
        &self,
        link: &TokenHash,
        browser: Option<(&TokenHash, Timestamp)>,
        now: Timestamp,
    ) -> Result<Option<PortalSession>>;
    /// Reads the session that a browser has opened, unless it is over.
    async fn of_browser(&self, browser: &TokenHash, now: Timestamp) -> Result<Option<PortalSession>>;
    /// The person is done. `false` when it was over before.
    async fn complete(&self, id: &PortalSessionId, now: Timestamp) -> Result<bool>;
    /// Takes it back: the link works no more, nor do the browsers that opened it, what was begun at the onboarding page for
    /// the subject ends with a session of that page, and no mail is sent. `None` when it was over before.
    async fn withdraw(&self, id: &PortalSessionId, now: Timestamp) -> Result<Option<PortalSession>>;
    /// Takes at most `limit` mails that are due at `now`, the longest waiting first, counts the attempt, and lets nobody else
    /// take them before `held_until`.
    async fn take_mails(&self, now: Timestamp, held_until: Timestamp, limit: u32) -> Result<Vec<Mail>>;
    /// The attempt of that number ended it. `false` when somebody else has taken it meanwhile, or it is not to be sent any more.
    async fn mail_ended(
        &self,
        id: &MailId,
        attempt: i64,
        status: MailStatus,
        error: Option<&str>,
    ) -> Result<bool>;
    /// The attempt of that number failed, and the next one is due at `due_at`. That one was `unanswered` is not forgotten.
    async fn mail_failed(&self, id: &MailId, attempt: i64, due_at: Timestamp, error: &str) -> Result<bool>;
    /// Deletes the browsers that could stay until `now`, and at most `limit` sessions whose links ended before `before`, with their
    /// browsers and mails; tells how many sessions.
    async fn sweep(&self, before: Timestamp, now: Timestamp, limit: u32) -> Result<u64>;
}
