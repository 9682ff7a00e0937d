use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{ClientId, Timestamp};
use vault::TokenHash;

use super::issued::OF_APPLICATION;
use super::{ANSWER_TIMEOUT, Postgres, execute, query, settle};
use crate::Result;
use crate::applications::{Application, Applications};
use crate::rows::applications::{application, application_columns, application_values, evict_values};
use crate::value::Value;

const CREATE: &str = concat!(
    "INSERT INTO applications (",
    application_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (client_id) DO NOTHING"
);
const GET: &str = concat!("SELECT ", application_columns!(), " FROM applications WHERE client_id = $1");
const LIST: &str = concat!(
    "SELECT ",
    application_columns!(),
    " FROM applications WHERE client_id > $1 ORDER BY client_id LIMIT $2"
);
const REPLACE: &str = "UPDATE applications SET settings = $2, secrets = $3, registrar = $4, registration_token = $5, \
    revision = $6, created_at = $7, updated_at = $8, auth_method = $9, fresh_until = $10 \
    WHERE client_id = $1 AND revision + 1 = $6";
const REMOVE: &str = "DELETE FROM applications WHERE client_id = $1";
/// By their ids, as whoever else deletes several.
const FORGET_AUTHORIZATIONS: &str = "DELETE FROM authorizations WHERE id IN \
    (SELECT id FROM authorizations WHERE client_id = $1 ORDER BY id FOR UPDATE)";
const FORGET_PUSHED: &str = "DELETE FROM pushed_requests WHERE client_id = $1";
const FORGET_TOKENS: &str = "DELETE FROM access_tokens WHERE client_id = $1";
const SPEND: &str = "INSERT INTO assertions (client_id, assertion, expires_at) VALUES ($1, $2, $3) \
    ON CONFLICT (client_id, assertion) DO NOTHING";
const SWEEP_ASSERTIONS: &str = "DELETE FROM assertions WHERE (client_id, assertion) IN \
    (SELECT client_id, assertion FROM assertions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 \
    FOR UPDATE SKIP LOCKED)";
/// Those that came without the operator, have no grant, and ask nobody for one, and are to go. Only tokens that an application got for
/// itself can be left of one that nobody ever let do anything.
macro_rules! forget_unused {
    ($which:literal, $order:literal) => {
        concat!(
            "WITH unused AS MATERIALIZED (SELECT client_id FROM applications a WHERE ",
            $which,
            " AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = a.client_id) \
             AND NOT EXISTS (SELECT 1 FROM authorizations o WHERE o.client_id = a.client_id) \
             AND NOT EXISTS (SELECT 1 FROM pushed_requests p WHERE p.client_id = a.client_id) ",
            $order,
            "), gone AS (DELETE FROM applications WHERE client_id IN \
             (SELECT client_id FROM applications WHERE client_id IN (SELECT client_id FROM unused) \
             FOR UPDATE SKIP LOCKED) RETURNING client_id), \
             tokens AS (DELETE FROM access_tokens WHERE client_id IN (SELECT client_id FROM gone)) \
             SELECT client_id FROM gone"
        )
    };
}
/// The newest stay; the one that has just come is the newest of them all.
const EVICT: &str = forget_unused!(
    "registrar <> 'operator' AND registrar = $1 AND client_id <> $2",
    "ORDER BY created_at DESC, client_id DESC LIMIT $4 OFFSET $3"
);
const SWEEP_UNUSED: &str = forget_unused!(
    "registrar <> 'operator' AND registrar = 'itself' AND created_at < $1",
    "ORDER BY created_at, client_id LIMIT $2"
);
const SWEEP_DOCUMENTS: &str =
    forget_unused!("registrar = 'document' AND fresh_until < $1", "ORDER BY fresh_until, client_id LIMIT $2");

#[async_trait]
impl Applications for Postgres {
    async fn create(&self, application: &Application) -> Result<bool> {
        Ok(self.execute(CREATE, &application_values(application)?).await? > 0)
    }

    async fn create_unasked(&self, application: &Application, most: u32) -> Result<bool> {
        let values = application_values(application)?;
        let evict = evict_values(application, most);
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, create_unasked(&mut client, &values, &evict)).await;
        settle(client, answer)
    }

    async fn get(&self, client_id: &ClientId) -> Result<Option<Application>> {
        self.find(GET, &[Value::word(client_id)], application).await
    }

    async fn list(&self, after: Option<&ClientId>, limit: u32) -> Result<Vec<Application>> {
        // Every id comes after the empty text.
        let values = [Value::word(after.map_or("", ClientId::as_str)), i64::from(limit).into()];
        self.all(LIST, &values, application).await
    }

    async fn replace(&self, application: &Application) -> Result<bool> {
        Ok(self.execute(REPLACE, &application_values(application)?).await? > 0)
    }

    async fn remove(&self, client_id: &ClientId) -> Result<bool> {
        let client_id = [Value::word(client_id)];
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, remove(&mut client, &client_id)).await;
        settle(client, answer)
    }

    async fn spend_assertion(
        &self,
        client_id: &ClientId,
        assertion: &TokenHash,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let values = [Value::word(client_id), Value::hash(assertion), expires_at.into()];
        Ok(self.execute(SPEND, &values).await? > 0)
    }

    async fn sweep_assertions(&self, now: Timestamp, limit: u32) -> Result<u64> {
        self.execute(SWEEP_ASSERTIONS, &[now.into(), i64::from(limit).into()]).await
    }

    async fn sweep_unused(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        Ok(self.query(SWEEP_UNUSED, &values).await?.len() as u64)
    }

    async fn sweep_documents(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let values = [now.into(), i64::from(limit).into()];
        Ok(self.query(SWEEP_DOCUMENTS, &values).await?.len() as u64)
    }
}

async fn create_unasked(client: &mut Object, values: &[Value; 10], evict: &[Value; 4]) -> Result<bool> {
    let transaction = client.transaction().await?;
    let is_created = execute(&transaction, CREATE, values).await? > 0;
    if is_created {
        query(&transaction, EVICT, evict).await?;
    }
    transaction.commit().await?;
    Ok(is_created)
}

async fn remove(client: &mut Object, client_id: &[Value; 1]) -> Result<bool> {
    let transaction = client.transaction().await?;
    let removed = execute(&transaction, REMOVE, client_id).await? > 0;
    if removed {
        OF_APPLICATION.withdraw(&transaction, client_id).await?;
        for statement in [FORGET_AUTHORIZATIONS, FORGET_PUSHED, FORGET_TOKENS] {
            execute(&transaction, statement, client_id).await?;
        }
    }
    transaction.commit().await?;
    Ok(removed)
}
