use async_trait::async_trait;
use model::{AuthorizationId, ClientId, Timestamp, UserId};
use serde_json::Value as Json;
use vault::TokenHash;

use super::{Sqlite, execute, find};
use crate::Result;
use crate::authorizations::{Authorization, Authorizations, PushedRequest};
use crate::rows::authorizations::{self, authorization_columns, pushed_request_columns};
use crate::value::Value;

const PUSH: &str =
    concat!("INSERT INTO pushed_requests (", pushed_request_columns!(), ", uri) VALUES (?1, ?2, ?3, ?4)");
const TAKE_PUSHED: &str = concat!(
    "DELETE FROM pushed_requests WHERE uri = ?1 AND client_id = ?2 AND expires_at > ?3 RETURNING ",
    pushed_request_columns!()
);
const CREATE: &str = concat!(
    "INSERT INTO authorizations (",
    authorization_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
);
const GET: &str = concat!("SELECT ", authorization_columns!(), " FROM authorizations WHERE id = ?1");
const SET_USER: &str = "UPDATE authorizations SET \"user\" = ?3, auth_time = ?4, login = NULL WHERE id = ?1 \
    AND decided_at IS NULL AND expires_at > ?2";
const SET_LOGIN: &str =
    "UPDATE authorizations SET login = ?3 WHERE id = ?1 AND decided_at IS NULL AND expires_at > ?2";
const LOGIN: &str = "SELECT id, login FROM authorizations WHERE id = ?1 AND login IS NOT NULL \
    AND decided_at IS NULL AND expires_at > ?2";
const FORGET_LOGIN: &str = "UPDATE authorizations SET login = NULL WHERE id = ?1";
const DECIDE: &str =
    "UPDATE authorizations SET decided_at = ?2 WHERE id = ?1 AND decided_at IS NULL AND expires_at > ?2";
const SWEEPS: [&str; 2] = [
    "DELETE FROM authorizations WHERE id IN \
     (SELECT id FROM authorizations WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    "DELETE FROM pushed_requests WHERE uri IN \
     (SELECT uri FROM pushed_requests WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
];

#[async_trait]
impl Authorizations for Sqlite {
    async fn push(&self, uri: &TokenHash, request: &PushedRequest) -> Result<()> {
        let values = authorizations::pushed_request_values(uri, request)?;
        self.writer.write(&[], move |database| execute(database, PUSH, &values).map(drop)).await
    }

    async fn take_pushed(
        &self,
        uri: &TokenHash,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<PushedRequest>> {
        let values = [Value::hash(uri), Value::word(client_id), now.into()];
        self.writer
            .write(&[], move |database| find(database, TAKE_PUSHED, &values, authorizations::pushed_request))
            .await
    }

    async fn create(&self, authorization: &Authorization) -> Result<()> {
        let values = authorizations::authorization_values(authorization)?;
        self.writer.write(&[], move |database| execute(database, CREATE, &values).map(drop)).await
    }

    async fn get(&self, id: &AuthorizationId) -> Result<Option<Authorization>> {
        self.readers.read(|database| find(database, GET, &[Value::word(id)], authorizations::authorization))
    }

    async fn set_user(
        &self,
        id: &AuthorizationId,
        user: Option<(UserId, Timestamp)>,
        now: Timestamp,
    ) -> Result<bool> {
        let [user, auth_time] = authorizations::user_values(user);
        let values = [Value::word(id), now.into(), user, auth_time];
        self.writer.write(&[], move |database| Ok(execute(database, SET_USER, &values)? > 0)).await
    }

    async fn set_login(&self, id: &AuthorizationId, login: &Json, now: Timestamp) -> Result<bool> {
        let values = [Value::word(id), now.into(), authorizations::login_value(login)?];
        self.writer.write(&[], move |database| Ok(execute(database, SET_LOGIN, &values)? > 0)).await
    }

    async fn take_login(&self, id: &AuthorizationId, now: Timestamp) -> Result<Option<Json>> {
        let values = [Value::word(id), now.into()];
        self.writer
            .write(&[], move |database| {
                let taken = find(database, LOGIN, &values, authorizations::login)?.flatten();
                if taken.is_some() {
                    execute(database, FORGET_LOGIN, &values[..1])?;
                }
                Ok(taken)
            })
            .await
    }

    async fn decide(&self, id: &AuthorizationId, now: Timestamp) -> Result<bool> {
        let values = [Value::word(id), now.into()];
        self.writer.write(&[], move |database| Ok(execute(database, DECIDE, &values)? > 0)).await
    }

    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        self.writer
            .write(&[], move |database| {
                let mut swept = 0;
                for sweep in SWEEPS {
                    swept += execute(database, sweep, &values)?;
                }
                Ok(swept as u64)
            })
            .await
    }
}
