use async_trait::async_trait;
use model::{ClientId, Timestamp};
use rusqlite::Connection as Database;
use vault::TokenHash;

use super::{Sqlite, all, execute, find};
use crate::Result;
use crate::applications::{Application, Applications};
use crate::rows::applications::{
    application, application_columns, application_values, client_id, evict_values,
};
use crate::value::Value;

const CREATE: &str = concat!(
    "INSERT INTO applications (",
    application_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (client_id) DO NOTHING"
);
const GET: &str = concat!("SELECT ", application_columns!(), " FROM applications WHERE client_id = ?1");
const LIST: &str = concat!(
    "SELECT ",
    application_columns!(),
    " FROM applications WHERE client_id > ?1 ORDER BY client_id LIMIT ?2"
);
const REPLACE: &str = "UPDATE applications SET settings = ?2, secrets = ?3, registrar = ?4, registration_token = ?5, \
    revision = ?6, created_at = ?7, updated_at = ?8, auth_method = ?9, fresh_until = ?10 \
    WHERE client_id = ?1 AND revision + 1 = ?6";
const REMOVE: &str = "DELETE FROM applications WHERE client_id = ?1";
/// Codes, families and their tokens go with the grants.
const FORGET_GRANTS: &str = "DELETE FROM grants WHERE client_id = ?1";
const FORGET_AUTHORIZATIONS: &str = "DELETE FROM authorizations WHERE client_id = ?1";
const FORGET_PUSHED: &str = "DELETE FROM pushed_requests WHERE client_id = ?1";
const FORGET_TOKENS: &str = "DELETE FROM access_tokens WHERE client_id = ?1";
const SPEND: &str = "INSERT INTO assertions (client_id, assertion, expires_at) VALUES (?1, ?2, ?3) \
    ON CONFLICT (client_id, assertion) DO NOTHING";
const SWEEP_ASSERTIONS: &str = "DELETE FROM assertions WHERE (client_id, assertion) IN \
    (SELECT client_id, assertion FROM assertions WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
/// Those that came without the operator, have no grant, and ask nobody for one, which are to go.
macro_rules! forget_unused {
    ($which:literal, $order:literal) => {
        concat!(
            "DELETE FROM applications WHERE client_id IN (SELECT client_id FROM applications a WHERE ",
            $which,
            " AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = a.client_id) \
             AND NOT EXISTS (SELECT 1 FROM authorizations o WHERE o.client_id = a.client_id) \
             AND NOT EXISTS (SELECT 1 FROM pushed_requests p WHERE p.client_id = a.client_id) ",
            $order,
            ") RETURNING client_id"
        )
    };
}
/// The newest stay; the one that has just come is the newest of them all.
const EVICT: &str = forget_unused!(
    "registrar <> 'operator' AND registrar = ?1 AND client_id <> ?2",
    "ORDER BY created_at DESC, client_id DESC LIMIT ?4 OFFSET ?3"
);
const SWEEP_UNUSED: &str = forget_unused!(
    "registrar <> 'operator' AND registrar = 'itself' AND created_at < ?1",
    "ORDER BY created_at, client_id LIMIT ?2"
);
const SWEEP_DOCUMENTS: &str =
    forget_unused!("registrar = 'document' AND fresh_until < ?1", "ORDER BY fresh_until, client_id LIMIT ?2");

#[async_trait]
impl Applications for Sqlite {
    async fn create(&self, application: &Application) -> Result<bool> {
        let values = application_values(application)?;
        self.writer.write(&[], move |database| Ok(execute(database, CREATE, &values)? > 0)).await
    }

    async fn create_unasked(&self, application: &Application, most: u32) -> Result<bool> {
        let values = application_values(application)?;
        let evict = evict_values(application, most);
        self.writer
            .write(&[], move |database| {
                let is_created = execute(database, CREATE, &values)? > 0;
                if is_created {
                    forget_unused(database, EVICT, &evict)?;
                }
                Ok(is_created)
            })
            .await
    }

    async fn get(&self, client_id: &ClientId) -> Result<Option<Application>> {
        self.readers.read(|database| find(database, GET, &[Value::word(client_id)], application))
    }

    async fn list(&self, after: Option<&ClientId>, limit: u32) -> Result<Vec<Application>> {
        // Every id comes after the empty text.
        let values = [Value::word(after.map_or("", ClientId::as_str)), i64::from(limit).into()];
        self.scan(move |database| all(database, LIST, &values, application)).await
    }

    async fn replace(&self, application: &Application) -> Result<bool> {
        let values = application_values(application)?;
        self.writer.write(&[], move |database| Ok(execute(database, REPLACE, &values)? > 0)).await
    }

    async fn remove(&self, client_id: &ClientId) -> Result<bool> {
        let client_id = Value::word(client_id);
        self.writer
            .write(&[], move |database| {
                let removed = execute(database, REMOVE, [&client_id])? > 0;
                if removed {
                    for statement in [FORGET_GRANTS, FORGET_AUTHORIZATIONS, FORGET_PUSHED, FORGET_TOKENS] {
                        execute(database, statement, [&client_id])?;
                    }
                }
                Ok(removed)
            })
            .await
    }

    async fn spend_assertion(
        &self,
        client_id: &ClientId,
        assertion: &TokenHash,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let values = [Value::word(client_id), Value::hash(assertion), expires_at.into()];
        self.writer.write(&[], move |database| Ok(execute(database, SPEND, &values)? > 0)).await
    }

    async fn sweep_assertions(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let values = [now.into(), i64::from(limit).into()];
        self.writer.write(&[], move |database| Ok(execute(database, SWEEP_ASSERTIONS, &values)? as u64)).await
    }

    async fn sweep_unused(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        self.writer.write(&[], move |database| forget_unused(database, SWEEP_UNUSED, &values)).await
    }

    async fn sweep_documents(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let values = [now.into(), i64::from(limit).into()];
        self.writer.write(&[], move |database| forget_unused(database, SWEEP_DOCUMENTS, &values)).await
    }
}

/// Tells how many went.
fn forget_unused(database: &Database, statement: &'static str, values: &[Value]) -> Result<u64> {
    let gone = all(database, statement, values, client_id)?;
    for client_id in &gone {
        // Only tokens that it got for itself can be left of one that nobody ever let do anything.
        execute(database, FORGET_TOKENS, &[Value::word(client_id)])?;
    }
    Ok(gone.len() as u64)
}
