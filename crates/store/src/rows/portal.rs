//! Rows and records of the portal, both ways.

use model::{MailStatus, PortalPage, Timestamp};
use vault::TokenHash;

use crate::Result;
use crate::columns::{Columns, Reader};
use crate::portal::{Mail, NewMail, PortalSession};
use crate::value::{Value, optional_text};

columns! {
    /// Read by [`session`].
    portal_session_columns = "id, subject, page, integrations, return_to, language, email, mail, created_by, \
        created_at, link_since, expires_at, opened_at, completed_at, withdrawn_at";
    /// Read by [`mail`] before `portal_session_columns` of `s`; `m` is the mail.
    mail_columns = "m.id, m.link_token, m.attempts, m.created_at, m.last_error, s.id, s.subject, s.page, s.integrations, \
        s.return_to, s.language, s.email, s.mail, s.created_by, s.created_at, s.link_since, s.expires_at, s.opened_at, \
        s.completed_at, s.withdrawn_at";
}

pub(crate) fn session(row: &dyn Columns) -> Result<PortalSession> {
    read(&mut Reader::of("portal_sessions", portal_session_columns!(), row))
}

fn read(row: &mut Reader<'_>) -> Result<PortalSession> {
    Ok(PortalSession {
        id: row.id()?,
        subject: row.id()?,
        page: row.word(PortalPage::from_word)?,
        integrations: row.optional_json()?,
        return_to: row.optional_text()?,
        language: row.optional_text()?,
        email: row.optional_sealed()?,
        mail: row.optional_word(MailStatus::from_word)?,
        created_by: row.text()?,
        created_at: row.time()?,
        link_since: row.time()?,
        expires_at: row.time()?,
        opened_at: row.optional_time()?,
        completed_at: row.optional_time()?,
        withdrawn_at: row.optional_time()?,
    })
}

pub(crate) fn mail(row: &dyn Columns) -> Result<Mail> {
    let mut row = Reader::of("mails", mail_columns!(), row);
    Ok(Mail {
        id: row.id()?,
        link: row.optional_sealed()?.ok_or_else(|| row.corrupt("it is empty"))?,
        attempts: row.integer()?,
        created_at: row.time()?,
        last_error: row.optional_text()?,
        session: read(&mut row)?,
    })
}

/// Reads `count(*), min(created_at)` of the mails that count.
pub(crate) fn sent(row: &dyn Columns) -> Result<(i64, Option<Timestamp>)> {
    let mut row = Reader::of("mails", "count, created_at", row);
    Ok((row.integer()?, row.optional_time()?))
}

/// The parameters for `portal_session_columns`, then the link.
pub(crate) fn session_values(session: &PortalSession, link: &TokenHash) -> Result<Vec<Value>> {
    let integrations =
        session.integrations.as_ref().map(|list| Value::json("portal_sessions.integrations", list));
    Ok(vec![
        Value::word(session.id),
        Value::word(&session.subject),
        Value::word(session.page.word()),
        integrations.transpose()?.into(),
        optional_text("portal_sessions.return_to", session.return_to.as_deref())?,
        optional_text("portal_sessions.language", session.language.as_deref())?,
        session.email.as_ref().map(Value::sealed).into(),
        session.mail.map(|status| Value::word(status.word())).into(),
        Value::text("portal_sessions.created_by", &session.created_by)?,
        session.created_at.into(),
        session.link_since.into(),
        session.expires_at.into(),
        session.opened_at.into(),
        session.completed_at.into(),
        session.withdrawn_at.into(),
        Value::hash(link),
    ])
}

/// The parameters of a new mail: id, session, link, when it is due, when it was asked for.
pub(crate) fn new_mail(mail: &NewMail, session: Value, at: Timestamp) -> [Value; 5] {
    [Value::word(mail.id), session, Value::sealed(&mail.link), mail.held_until.into(), at.into()]
}
