//! Rows and records of applications, both ways.

use crate::Result;
use crate::applications::{Application, EVICTED, Registrar};
use crate::columns::{Columns, Reader};
use crate::value::Value;

columns! {
    /// Read by [`application`].
    application_columns = "client_id, settings, secrets, registrar, registration_token, revision, created_at, updated_at, \
        auth_method, fresh_until";
}

pub(crate) fn application(row: &dyn Columns) -> Result<Application> {
    let mut row = Reader::of("applications", application_columns!(), row);
    Ok(Application {
        client_id: row.id()?,
        settings: row.json()?,
        secrets: row.json()?,
        registrar: row.word(Registrar::from_word)?,
        registration_token: row.optional_hash()?,
        revision: row.integer()?,
        created_at: row.time()?,
        updated_at: row.time()?,
        auth_method: row.optional_text()?,
        fresh_until: row.optional_time()?,
    })
}

/// Reads `client_id`.
pub(crate) fn client_id(row: &dyn Columns) -> Result<model::ClientId> {
    Reader::of("applications", "client_id", row).id()
}

/// The parameters for `application_columns`.
pub(crate) fn application_values(application: &Application) -> Result<[Value; 10]> {
    Ok([
        Value::word(&application.client_id),
        Value::json("applications.settings", &application.settings)?,
        Value::json("applications.secrets", &application.secrets)?,
        Value::word(application.registrar.word()),
        application.registration_token.as_ref().map(Value::hash).into(),
        application.revision.into(),
        application.created_at.into(),
        application.updated_at.into(),
        application.auth_method.as_ref().map(Value::word).into(),
        application.fresh_until.into(),
    ])
}

/// The parameters of what makes room for one that has just come: its registrar, itself, how many others stay, how many go at most.
pub(crate) fn evict_values(application: &Application, most: u32) -> [Value; 4] {
    [
        Value::word(application.registrar.word()),
        Value::word(&application.client_id),
        i64::from(most.saturating_sub(1)).into(),
        i64::from(EVICTED).into(),
    ]
}
