//! Rows and records of consents, both ways.

use model::{ClientId, GrantId, UserId};

use crate::Result;
use crate::columns::{Columns, Reader};
use crate::grants::Grant;
use crate::value::Value;

columns! {
    /// Read by [`grant`].
    grant_columns = "id, \"user\", team, client_id, scopes, resources, created_at, updated_at, used_at";
}

pub(crate) fn grant(row: &dyn Columns) -> Result<Grant> {
    let mut row = Reader::of("grants", grant_columns!(), row);
    Ok(Grant {
        id: row.id()?,
        user: row.id()?,
        team: match row.text()?.as_str() {
            "" => None,
            team => Some(team.parse().map_err(|_| row.corrupt("not a team"))?),
        },
        client_id: row.id()?,
        scopes: row.json()?,
        resources: row.json()?,
        created_at: row.time()?,
        updated_at: row.time()?,
        used_at: row.optional_time()?,
    })
}

/// The parameters for `grant_columns`.
pub(crate) fn grant_values(grant: &Grant) -> Result<[Value; 9]> {
    let [id, scopes, resources] = widen_values(grant)?;
    Ok([
        id,
        Value::word(grant.user),
        Value::word(grant.team.as_ref().map_or("", |team| team.as_str())),
        Value::word(&grant.client_id),
        scopes,
        resources,
        grant.created_at.into(),
        grant.updated_at.into(),
        grant.used_at.into(),
    ])
}

/// The parameters of a consent that is wider than before: id, scopes, resources.
pub(crate) fn widen_values(grant: &Grant) -> Result<[Value; 3]> {
    Ok([
        Value::word(grant.id),
        Value::json("grants.scopes", &grant.scopes)?,
        Value::json("grants.resources", &grant.resources)?,
    ])
}

/// The parameters of a list: after which, the limit, then of whom and for what, where these are named.
pub(crate) fn list_values(
    user: Option<&UserId>,
    client_id: Option<&ClientId>,
    after: Option<&GrantId>,
    limit: u32,
) -> Vec<Value> {
    // Every id comes after the empty text.
    let after = after.map_or_else(|| Value::word(""), Value::word);
    let page = [after, i64::from(limit).into()];
    page.into_iter().chain(user.map(Value::word)).chain(client_id.map(Value::word)).collect()
}
