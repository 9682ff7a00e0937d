//! Rows and records of authorization requests at our own door, both ways.

use model::{Timestamp, UserId};
use serde_json::Value as Json;
use vault::TokenHash;

use crate::Result;
use crate::authorizations::{Authorization, PushedRequest};
use crate::columns::{Columns, Reader};
use crate::value::Value;

columns! {
    /// Read by [`authorization`].
    authorization_columns = "id, client_id, request, browser, \"user\", auth_time, login, created_at, expires_at, \
        decided_at";
    /// Read by [`pushed_request`].
    pushed_request_columns = "client_id, request, expires_at";
}

pub(crate) fn authorization(row: &dyn Columns) -> Result<Authorization> {
    let mut row = Reader::of("authorizations", authorization_columns!(), row);
    Ok(Authorization {
        id: row.id()?,
        client_id: row.id()?,
        request: row.json()?,
        browser: row.optional_hash()?.ok_or_else(|| row.corrupt("it is empty"))?,
        user: user(&mut row)?,
        login: row.optional_json()?,
        created_at: row.time()?,
        expires_at: row.time()?,
        decided_at: row.optional_time()?,
    })
}

fn user(row: &mut Reader<'_>) -> Result<Option<(UserId, Timestamp)>> {
    match (row.optional_id()?, row.optional_time()?) {
        (Some(user), Some(auth_time)) => Ok(Some((user, auth_time))),
        (None, None) => Ok(None),
        _ => Err(row.corrupt("signed in without user or time")),
    }
}

pub(crate) fn pushed_request(row: &dyn Columns) -> Result<PushedRequest> {
    let mut row = Reader::of("pushed_requests", pushed_request_columns!(), row);
    Ok(PushedRequest { client_id: row.id()?, request: row.json()?, expires_at: row.time()? })
}

/// Reads `id, login`.
pub(crate) fn login(row: &dyn Columns) -> Result<Option<Json>> {
    let mut row = Reader::of("authorizations", "id, login", row);
    row.skip(1);
    row.optional_json()
}

/// The parameters for `authorization_columns`.
pub(crate) fn authorization_values(authorization: &Authorization) -> Result<Vec<Value>> {
    let [user, auth_time] = user_values(authorization.user);
    Ok(vec![
        Value::word(authorization.id),
        Value::word(&authorization.client_id),
        Value::json("authorizations.request", &authorization.request)?,
        Value::hash(&authorization.browser),
        user,
        auth_time,
        authorization.login.as_ref().map(login_value).transpose()?.into(),
        authorization.created_at.into(),
        authorization.expires_at.into(),
        authorization.decided_at.into(),
    ])
}

/// The parameters for who signed in: user, time.
pub(crate) fn user_values(user: Option<(UserId, Timestamp)>) -> [Value; 2] {
    let (user, auth_time) = user.unzip();
    [user.map(Value::word).into(), auth_time.into()]
}

pub(crate) fn login_value(login: &Json) -> Result<Value> {
    Value::json("authorizations.login", login)
}

/// The parameters for `pushed_request_columns`, then what names it.
pub(crate) fn pushed_request_values(uri: &TokenHash, request: &PushedRequest) -> Result<[Value; 4]> {
    Ok([
        Value::word(&request.client_id),
        Value::json("pushed_requests.request", &request.request)?,
        request.expires_at.into(),
        Value::hash(uri),
    ])
}
