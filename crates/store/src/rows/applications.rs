//! Rows and records of applications, both ways.

use crate::Result;
use crate::applications::{Application, Registrar};
use crate::columns::{Columns, Reader};
use crate::value::Value;

columns! {
    /// Read by [`application`].
    application_columns = "client_id, settings, secrets, registrar, registration_token, revision, created_at, updated_at";
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
    })
}

/// Reads `client_id`.
pub(crate) fn client_id(row: &dyn Columns) -> Result<model::ClientId> {
    Reader::of("applications", "client_id", row).id()
}

/// The parameters for `application_columns`.
pub(crate) fn application_values(application: &Application) -> Result<[Value; 8]> {
    Ok([
        Value::word(&application.client_id),
        Value::json("applications.settings", &application.settings)?,
        Value::json("applications.secrets", &application.secrets)?,
        Value::word(application.registrar.word()),
        application.registration_token.as_ref().map(Value::hash).into(),
        application.revision.into(),
        application.created_at.into(),
        application.updated_at.into(),
    ])
}
