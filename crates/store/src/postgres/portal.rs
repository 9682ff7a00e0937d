use async_trait::async_trait;
use deadpool_postgres::{Object, Transaction};
use model::{MailId, MailStatus, PortalSessionId, SubjectId, Timestamp};
use vault::TokenHash;

use super::{ANSWER_TIMEOUT, Postgres, execute, find, settle};
use crate::portal::{Mail, MailCap, NewMail, Portal, PortalSession, Posted};
use crate::rows::portal::{self, mail_columns, portal_session_columns};
use crate::value::{self, Value};
use crate::{Error, Result};

const CREATE: &str = concat!(
    "INSERT INTO portal_sessions (",
    portal_session_columns!(),
    ", link) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
);
/// Two that mail one subject wait for each other, so that both see what the other has sent.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(hashtextextended('mails ' || $1, 0))";
const SENT: &str = "SELECT count(*), min(created_at) FROM mails WHERE subject = $1 AND created_at >= $2";
const ADD_MAIL: &str = "INSERT INTO mails (id, session, subject, link_token, attempts, due_at, created_at) \
    SELECT $1, id, subject, $3, 1, $4, $5 FROM portal_sessions WHERE id = $2";
const RENEW: &str = concat!(
    "UPDATE portal_sessions SET link = $2, expires_at = $3, link_since = $4, mail = 'pending' WHERE id = $1 AND email IS NOT NULL \
     AND completed_at IS NULL AND withdrawn_at IS NULL RETURNING ",
    portal_session_columns!()
);
const FORGET_MAILS: &str = "UPDATE mails SET link_token = NULL WHERE session = $1 AND link_token IS NOT NULL";
const GET: &str = concat!("SELECT ", portal_session_columns!(), " FROM portal_sessions WHERE id = $1");
const OF_LINK: &str = concat!("SELECT ", portal_session_columns!(), " FROM portal_sessions WHERE link = $1");
const LIST: &str =
    concat!("SELECT ", portal_session_columns!(), " FROM portal_sessions WHERE id > $1 ORDER BY id LIMIT $2");
const LIST_OF: &str = concat!(
    "SELECT ",
    portal_session_columns!(),
    " FROM portal_sessions WHERE subject = $3 AND id > $1 ORDER BY id LIMIT $2"
);
const OPEN: &str = concat!(
    "UPDATE portal_sessions SET opened_at = COALESCE(opened_at, $2) WHERE link = $1 AND expires_at > $2 \
     AND completed_at IS NULL AND withdrawn_at IS NULL AND (email IS NOT NULL OR opened_at IS NULL) RETURNING ",
    portal_session_columns!()
);
const ADD_BROWSER: &str = "INSERT INTO portal_browsers (browser, session, expires_at) VALUES ($1, $2, $3)";
const OF_BROWSER: &str = concat!(
    "SELECT ",
    portal_session_columns!(),
    " FROM portal_sessions WHERE id = (SELECT session FROM portal_browsers WHERE browser = $1 AND expires_at > $2) \
     AND completed_at IS NULL AND withdrawn_at IS NULL"
);
const COMPLETE: &str = "UPDATE portal_sessions SET completed_at = $2 WHERE id = $1 AND completed_at IS NULL \
    AND withdrawn_at IS NULL";
const WITHDRAW: &str = concat!(
    "UPDATE portal_sessions SET withdrawn_at = $2, \
     mail = CASE WHEN mail = 'pending' THEN 'abandoned' ELSE mail END WHERE id = $1 AND completed_at IS NULL AND withdrawn_at IS NULL \
     RETURNING ",
    portal_session_columns!()
);
/// What was begun at the onboarding page ends.
const END_ATTEMPTS: &str = "UPDATE attempts SET expires_at = $2 WHERE subject = $1 AND origin IN ('onboarding', 'settings') \
    AND expires_at > $2 AND consumed_at IS NULL";
const END_QUESTIONS: &str = "UPDATE attempts SET answer_by = $2 WHERE subject = $1 AND origin IN ('onboarding', 'settings') \
    AND held IS NOT NULL AND answer_by > $2";
const FORGET_BROWSERS: &str = "DELETE FROM portal_browsers WHERE session = $1";
const TAKE: &str = concat!(
    "WITH due AS (SELECT id AS taken FROM mails WHERE link_token IS NOT NULL AND due_at <= $1 \
     ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED), \
     m AS (UPDATE mails SET attempts = attempts + 1, due_at = $2 FROM due WHERE id = taken RETURNING mails.*) SELECT ",
    mail_columns!(),
    " FROM m JOIN portal_sessions s ON s.id = m.session"
);
/// Whatever changes both takes the session before its mails, so that no two wait for each other.
const HOLD_SESSION: &str = "SELECT 1 FROM portal_sessions WHERE id = (SELECT session FROM mails WHERE id = $1) \
    FOR NO KEY UPDATE";
const END_MAIL: &str = "UPDATE mails SET link_token = NULL, last_error = $3 WHERE id = $1 AND attempts = $2 \
    AND link_token IS NOT NULL";
const TELL: &str =
    "UPDATE portal_sessions SET mail = $2 WHERE id = (SELECT session FROM mails WHERE id = $1)";
const FAIL_MAIL: &str = "UPDATE mails SET due_at = $3, \
    last_error = CASE WHEN last_error = 'unanswered' THEN last_error ELSE $4 END WHERE id = $1 AND attempts = $2 \
    AND link_token IS NOT NULL";
const SWEEP_BROWSERS: &str = "DELETE FROM portal_browsers WHERE browser IN \
    (SELECT browser FROM portal_browsers WHERE expires_at < $1 FOR UPDATE SKIP LOCKED)";
const SWEEP: &str = "DELETE FROM portal_sessions WHERE id IN \
    (SELECT id FROM portal_sessions WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl Portal for Postgres {
    async fn create(
        &self,
        session: &PortalSession,
        link: &TokenHash,
        mail: Option<(&NewMail, MailCap)>,
    ) -> Result<Posted> {
        let mut client = self.client().await?;
        let created = create(&mut client, session, link, mail);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, created).await;
        settle(client, answer)
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
        let mut client = self.client().await?;
        let renewed = renew(&mut client, &values, &mail, cap);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, renewed).await;
        settle(client, answer)
    }

    async fn get(&self, id: &PortalSessionId) -> Result<Option<PortalSession>> {
        self.find(GET, &[Value::word(id)], portal::session).await
    }

    async fn of_link(&self, link: &TokenHash) -> Result<Option<PortalSession>> {
        self.find(OF_LINK, &[Value::hash(link)], portal::session).await
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
        self.all(if subject.is_some() { LIST_OF } else { LIST }, &values, portal::session).await
    }

    async fn open(
        &self,
        link: &TokenHash,
        browser: Option<(&TokenHash, Timestamp)>,
        now: Timestamp,
    ) -> Result<Option<PortalSession>> {
        let mut client = self.client().await?;
        let opened = open(&mut client, link, browser, now);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, opened).await;
        settle(client, answer)
    }

    async fn of_browser(&self, browser: &TokenHash, now: Timestamp) -> Result<Option<PortalSession>> {
        self.find(OF_BROWSER, &[Value::hash(browser), now.into()], portal::session).await
    }

    async fn complete(&self, id: &PortalSessionId, now: Timestamp) -> Result<bool> {
        Ok(self.execute(COMPLETE, &[Value::word(id), now.into()]).await? > 0)
    }

    async fn withdraw(&self, id: &PortalSessionId, now: Timestamp) -> Result<Option<PortalSession>> {
        let mut client = self.client().await?;
        let withdrawn = withdraw(&mut client, id, now);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, withdrawn).await;
        settle(client, answer)
    }

    async fn take_mails(&self, now: Timestamp, held_until: Timestamp, limit: u32) -> Result<Vec<Mail>> {
        let values = [now.into(), held_until.into(), i64::from(limit).into()];
        let mut taken = self.all(TAKE, &values, portal::mail).await?;
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
        let mut client = self.client().await?;
        let ended = end_mail(&mut client, &values, &tell);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, ended).await;
        settle(client, answer)
    }

    async fn mail_failed(&self, id: &MailId, attempt: i64, due_at: Timestamp, error: &str) -> Result<bool> {
        let values =
            [Value::word(id), attempt.into(), due_at.into(), Value::text("mails.last_error", error)?];
        Ok(self.execute(FAIL_MAIL, &values).await? > 0)
    }

    async fn sweep(&self, before: Timestamp, now: Timestamp, limit: u32) -> Result<u64> {
        self.execute(SWEEP_BROWSERS, &[now.into()]).await?;
        self.execute(SWEEP, &[before.into(), i64::from(limit).into()]).await
    }
}

/// Whether the cap allows one more mail; else of when the oldest is that counts.
async fn too_many(
    transaction: &Transaction<'_>,
    subject: &SubjectId,
    cap: MailCap,
) -> Result<Option<Timestamp>> {
    let values = [Value::word(subject), cap.since.into()];
    super::query(transaction, ONE_AT_A_TIME, &values[..1]).await?;
    let sent = find(transaction, SENT, &values, portal::sent).await?;
    let (count, oldest) = sent.ok_or_else(Error::no_answer)?;
    Ok(oldest.filter(|_| count >= i64::from(cap.count)))
}

async fn create(
    client: &mut Object,
    session: &PortalSession,
    link: &TokenHash,
    mail: Option<(&NewMail, MailCap)>,
) -> Result<Posted> {
    let transaction = client.transaction().await?;
    if let Some((_, cap)) = mail
        && let Some(oldest) = too_many(&transaction, &session.subject, cap).await?
    {
        return Ok(Posted::TooMany { oldest });
    }
    execute(&transaction, CREATE, &portal::session_values(session, link)?).await?;
    let id = Value::word(session.id);
    if let Some((mail, _)) = mail {
        let values = portal::new_mail(mail, id.clone(), session.created_at);
        execute(&transaction, ADD_MAIL, &values).await?;
    }
    let made = find(&transaction, GET, &[id], portal::session).await?;
    transaction.commit().await?;
    Ok(Posted::Done(Box::new(made.ok_or_else(Error::no_answer)?)))
}

async fn renew(client: &mut Object, values: &[Value; 4], mail: &[Value; 5], cap: MailCap) -> Result<Posted> {
    let transaction = client.transaction().await?;
    let before = find(&transaction, GET, &values[..1], portal::session).await?;
    let Some(before) = before.filter(PortalSession::is_renewable) else {
        return Ok(Posted::Over);
    };
    if let Some(oldest) = too_many(&transaction, &before.subject, cap).await? {
        return Ok(Posted::TooMany { oldest });
    }
    let Some(renewed) = find(&transaction, RENEW, values, portal::session).await? else {
        return Ok(Posted::Over);
    };
    execute(&transaction, FORGET_MAILS, &values[..1]).await?;
    execute(&transaction, ADD_MAIL, mail).await?;
    transaction.commit().await?;
    Ok(Posted::Done(Box::new(renewed)))
}

async fn open(
    client: &mut Object,
    link: &TokenHash,
    browser: Option<(&TokenHash, Timestamp)>,
    now: Timestamp,
) -> Result<Option<PortalSession>> {
    let transaction = client.transaction().await?;
    let opened = find(&transaction, OPEN, &[Value::hash(link), now.into()], portal::session).await?;
    if let (Some(session), Some((hash, until))) = (&opened, browser) {
        let values = [Value::hash(hash), Value::word(session.id), until.into()];
        execute(&transaction, ADD_BROWSER, &values).await?;
    }
    transaction.commit().await?;
    Ok(opened)
}

async fn withdraw(
    client: &mut Object,
    id: &PortalSessionId,
    now: Timestamp,
) -> Result<Option<PortalSession>> {
    let values = [Value::word(id), now.into()];
    let transaction = client.transaction().await?;
    let withdrawn = find(&transaction, WITHDRAW, &values, portal::session).await?;
    if let Some(session) = &withdrawn {
        if session.page.is_about_tools() {
            let begun = [Value::word(&session.subject), now.into()];
            execute(&transaction, END_ATTEMPTS, &begun).await?;
            execute(&transaction, END_QUESTIONS, &begun).await?;
        }
        execute(&transaction, FORGET_BROWSERS, &values[..1]).await?;
        execute(&transaction, FORGET_MAILS, &values[..1]).await?;
    }
    transaction.commit().await?;
    Ok(withdrawn)
}

async fn end_mail(client: &mut Object, values: &[Value; 3], tell: &[Value; 2]) -> Result<bool> {
    let transaction = client.transaction().await?;
    super::query(&transaction, HOLD_SESSION, &values[..1]).await?;
    let ended = execute(&transaction, END_MAIL, values).await? > 0;
    if ended {
        execute(&transaction, TELL, tell).await?;
    }
    transaction.commit().await?;
    Ok(ended)
}
