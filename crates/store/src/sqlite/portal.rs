use async_trait::async_trait;
use model::{MailId, MailStatus, PortalSessionId, SubjectId, Timestamp};
use rusqlite::Connection as Database;
use vault::TokenHash;

use super::{Sqlite, all, execute, find};
use crate::portal::{Mail, MailCap, NewMail, Portal, PortalSession, Posted};
use crate::rows::portal::{self, mail_columns, portal_session_columns};
use crate::value::{self, Value};
use crate::{Error, Result};

const CREATE: &str = concat!(
    "INSERT INTO portal_sessions (",
    portal_session_columns!(),
    ", link) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
);
const SENT: &str = "SELECT count(*), min(created_at) FROM mails WHERE subject = ?1 AND created_at >= ?2";
const ADD_MAIL: &str = "INSERT INTO mails (id, session, subject, link_token, attempts, due_at, created_at) \
    SELECT ?1, id, subject, ?3, 1, ?4, ?5 FROM portal_sessions WHERE id = ?2";
const RENEW: &str = concat!(
    "UPDATE portal_sessions SET link = ?2, expires_at = ?3, link_since = ?4, mail = 'pending' WHERE id = ?1 AND email IS NOT NULL \
     AND completed_at IS NULL AND withdrawn_at IS NULL RETURNING ",
    portal_session_columns!()
);
const FORGET_MAILS: &str = "UPDATE mails SET link_token = NULL WHERE session = ?1 AND link_token IS NOT NULL";
const GET: &str = concat!("SELECT ", portal_session_columns!(), " FROM portal_sessions WHERE id = ?1");
const OF_LINK: &str = concat!("SELECT ", portal_session_columns!(), " FROM portal_sessions WHERE link = ?1");
const LIST: &str =
    concat!("SELECT ", portal_session_columns!(), " FROM portal_sessions WHERE id > ?1 ORDER BY id LIMIT ?2");
const LIST_OF: &str = concat!(
    "SELECT ",
    portal_session_columns!(),
    " FROM portal_sessions WHERE subject = ?3 AND id > ?1 ORDER BY id LIMIT ?2"
);
const OPEN: &str = concat!(
    "UPDATE portal_sessions SET opened_at = COALESCE(opened_at, ?2) WHERE link = ?1 AND expires_at > ?2 \
     AND completed_at IS NULL AND withdrawn_at IS NULL AND (email IS NOT NULL OR opened_at IS NULL) RETURNING ",
    portal_session_columns!()
);
const ADD_BROWSER: &str = "INSERT INTO portal_browsers (browser, session, expires_at) VALUES (?1, ?2, ?3)";
const OF_BROWSER: &str = concat!(
    "SELECT ",
    portal_session_columns!(),
    " FROM portal_sessions WHERE id = (SELECT session FROM portal_browsers WHERE browser = ?1 AND expires_at > ?2) \
     AND completed_at IS NULL AND withdrawn_at IS NULL"
);
const COMPLETE: &str = "UPDATE portal_sessions SET completed_at = ?2 WHERE id = ?1 AND completed_at IS NULL \
    AND withdrawn_at IS NULL";
const WITHDRAW: &str = concat!(
    "UPDATE portal_sessions SET withdrawn_at = ?2, \
     mail = CASE WHEN mail = 'pending' THEN 'abandoned' ELSE mail END WHERE id = ?1 AND completed_at IS NULL AND withdrawn_at IS NULL \
     RETURNING ",
    portal_session_columns!()
);
/// What was begun at the onboarding page ends.
const END_ATTEMPTS: &str = "UPDATE attempts SET expires_at = ?2 WHERE subject = ?1 AND origin IN ('onboarding', 'settings') \
    AND expires_at > ?2 AND consumed_at IS NULL";
const END_QUESTIONS: &str = "UPDATE attempts SET answer_by = ?2 WHERE subject = ?1 AND origin IN ('onboarding', 'settings') \
    AND held IS NOT NULL AND answer_by > ?2";
const FORGET_BROWSERS: &str = "DELETE FROM portal_browsers WHERE session = ?1";
const TAKE: &str = "UPDATE mails SET attempts = attempts + 1, due_at = ?2 WHERE id IN \
    (SELECT id FROM mails WHERE link_token IS NOT NULL AND due_at <= ?1 ORDER BY due_at, id LIMIT ?3) RETURNING id";
const MAIL: &str = concat!(
    "SELECT ",
    mail_columns!(),
    " FROM mails m JOIN portal_sessions s ON s.id = m.session WHERE m.id = ?1"
);
const END_MAIL: &str = "UPDATE mails SET link_token = NULL, last_error = ?3 WHERE id = ?1 AND attempts = ?2 \
    AND link_token IS NOT NULL";
const TELL: &str =
    "UPDATE portal_sessions SET mail = ?2 WHERE id = (SELECT session FROM mails WHERE id = ?1)";
const FAIL_MAIL: &str = "UPDATE mails SET due_at = ?3, \
    last_error = CASE WHEN last_error = 'unanswered' THEN last_error ELSE ?4 END WHERE id = ?1 AND attempts = ?2 \
    AND link_token IS NOT NULL";
const SWEEP_BROWSERS: &str = "DELETE FROM portal_browsers WHERE expires_at < ?1";
const SWEEP: &str = "DELETE FROM portal_sessions WHERE id IN \
    (SELECT id FROM portal_sessions WHERE expires_at < ?1 ORDER BY expires_at, id LIMIT ?2)";

/// Whether the cap allows one more mail; else of when the oldest is that counts.
fn too_many(database: &Database, subject: &Value, cap: MailCap) -> Result<Option<Timestamp>> {
    let sent = find(database, SENT, &[subject.clone(), cap.since.into()], portal::sent)?;
    let (count, oldest) = sent.ok_or_else(Error::no_answer)?;
    Ok(oldest.filter(|_| count >= i64::from(cap.count)))
}

#[async_trait]
impl Portal for Sqlite {
    async fn create(
        &self,
        session: &PortalSession,
        link: &TokenHash,
        mail: Option<(&NewMail, MailCap)>,
    ) -> Result<Posted> {
        let values = portal::session_values(session, link)?;
        let id = Value::word(session.id);
        let mail = mail.map(|(mail, cap)| (portal::new_mail(mail, id.clone(), session.created_at), cap));
        self.writer
            .write(&[], move |database| {
                if let Some((_, cap)) = &mail
                    && let Some(oldest) = too_many(database, &values[1], *cap)?
                {
                    return Ok(Posted::TooMany { oldest });
                }
                execute(database, CREATE, &values)?;
                if let Some((mail, _)) = &mail {
                    execute(database, ADD_MAIL, mail)?;
                }
                let made = find(database, GET, &[id], portal::session)?;
                Ok(Posted::Done(Box::new(made.ok_or_else(Error::no_answer)?)))
            })
            .await
    }

    async fn renew(
        &self,
        id: &PortalSessionId,
        link: &TokenHash,
        expires_at: Timestamp,
        mail: &NewMail,
        cap: MailCap,
        now: Timestamp,
    ) -> Result<Posted> {
        let values = [Value::word(id), Value::hash(link), expires_at.into(), now.into()];
        let mail = portal::new_mail(mail, Value::word(id), now);
        self.writer
            .write(&[], move |database| {
                let before = find(database, GET, &values[..1], portal::session)?;
                let Some(before) = before.filter(PortalSession::is_renewable) else {
                    return Ok(Posted::Over);
                };
                if let Some(oldest) = too_many(database, &Value::word(&before.subject), cap)? {
                    return Ok(Posted::TooMany { oldest });
                }
                let Some(renewed) = find(database, RENEW, &values, portal::session)? else {
                    return Ok(Posted::Over);
                };
                execute(database, FORGET_MAILS, &values[..1])?;
                execute(database, ADD_MAIL, &mail)?;
                Ok(Posted::Done(Box::new(renewed)))
            })
            .await
    }

    async fn get(&self, id: &PortalSessionId) -> Result<Option<PortalSession>> {
        self.readers.read(|database| find(database, GET, &[Value::word(id)], portal::session))
    }

    async fn of_link(&self, link: &TokenHash) -> Result<Option<PortalSession>> {
        self.readers.read(|database| find(database, OF_LINK, &[Value::hash(link)], portal::session))
    }

    async fn list(
        &self,
        subject: Option<&SubjectId>,
        cursor: Option<PortalSessionId>,
        limit: u32,
    ) -> Result<Vec<PortalSession>> {
        let mut values =
            vec![Value::word(cursor.map_or_else(String::new, |id| id.to_string())), i64::from(limit).into()];
        values.extend(subject.map(Value::word));
        let statement = if subject.is_some() { LIST_OF } else { LIST };
        self.scan(move |database| all(database, statement, &values, portal::session)).await
    }

    async fn open(
        &self,
        link: &TokenHash,
        browser: Option<(&TokenHash, Timestamp)>,
        now: Timestamp,
    ) -> Result<Option<PortalSession>> {
        let values = [Value::hash(link), now.into()];
        let browser = browser.map(|(hash, until)| (Value::hash(hash), Value::from(until)));
        self.writer
            .write(&[], move |database| {
                let opened = find(database, OPEN, &values, portal::session)?;
                if let (Some(session), Some((hash, until))) = (&opened, browser) {
                    execute(database, ADD_BROWSER, &[hash, Value::word(session.id), until])?;
                }
                Ok(opened)
            })
            .await
    }

    async fn of_browser(&self, browser: &TokenHash, now: Timestamp) -> Result<Option<PortalSession>> {
        let values = [Value::hash(browser), now.into()];
        self.readers.read(|database| find(database, OF_BROWSER, &values, portal::session))
    }

    async fn complete(&self, id: &PortalSessionId, now: Timestamp) -> Result<bool> {
        let values = [Value::word(id), now.into()];
        self.writer.write(&[], move |database| Ok(execute(database, COMPLETE, &values)? > 0)).await
    }

    async fn withdraw(&self, id: &PortalSessionId, now: Timestamp) -> Result<Option<PortalSession>> {
        let values = [Value::word(id), now.into()];
        self.writer
            .write(&[], move |database| {
                let withdrawn = find(database, WITHDRAW, &values, portal::session)?;
                if let Some(session) = &withdrawn {
                    if session.page.is_about_tools() {
                        let begun = [Value::word(&session.subject), now.into()];
                        execute(database, END_ATTEMPTS, &begun)?;
                        execute(database, END_QUESTIONS, &begun)?;
                    }
                    execute(database, FORGET_BROWSERS, &values[..1])?;
                    execute(database, FORGET_MAILS, &values[..1])?;
                }
                Ok(withdrawn)
            })
            .await
    }

    async fn take_mails(&self, now: Timestamp, held_until: Timestamp, limit: u32) -> Result<Vec<Mail>> {
        let values = [now.into(), held_until.into(), i64::from(limit).into()];
        let mut taken = self
            .writer
            .write(&[], move |database| {
                let ids = all(database, TAKE, &values, |row| {
                    row.text(0).map_err(|what| Error::Corrupt { table: "mails", what })
                })?;
                let mails = ids
                    .into_iter()
                    .flatten()
                    .map(|id| find(database, MAIL, &[Value::Text(id)], portal::mail));
                Ok(mails.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect::<Vec<_>>())
            })
            .await?;
        taken.sort_by_key(|mail| (mail.created_at, mail.id));
        Ok(taken)
    }

    async fn mail_ended(
        &self,
        id: &MailId,
        attempt: i64,
        status: MailStatus,
        error: Option<&str>,
    ) -> Result<bool> {
        let values = [Value::word(id), attempt.into(), value::optional_text("mails.last_error", error)?];
        let tell = [Value::word(id), Value::word(status.word())];
        self.writer
            .write(&[], move |database| {
                let ended = execute(database, END_MAIL, &values)? > 0;
                if ended {
                    execute(database, TELL, &tell)?;
                }
                Ok(ended)
            })
            .await
    }

    async fn mail_failed(&self, id: &MailId, attempt: i64, due_at: Timestamp, error: &str) -> Result<bool> {
        let values =
            [Value::word(id), attempt.into(), due_at.into(), Value::text("mails.last_error", error)?];
        self.writer.write(&[], move |database| Ok(execute(database, FAIL_MAIL, &values)? > 0)).await
    }

    async fn sweep(&self, before: Timestamp, now: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        self.writer
            .write(&[], move |database| {
                execute(database, SWEEP_BROWSERS, &[now.into()])?;
                Ok(execute(database, SWEEP, &values)? as u64)
            })
            .await
    }
}
