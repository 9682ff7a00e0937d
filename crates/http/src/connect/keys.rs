//! `/api/keys`: the data keys that seal what is stored. Never a key itself.

use std::collections::BTreeMap;

use ::connect::keys::check::{TableCheck, Unreadable};
use ::connect::keys::rotate::{Kept, KeptReason, TablePass};
use axum::extract::State;
use axum::response::Response;
use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use vault::OpenError;

use crate::App;
use crate::extract::{Admin, ApiKey, Json, Lines};
use crate::problem::Problem;

/// All data keys.
#[derive(Serialize, ToSchema)]
#[schema(as = keys::Answer)]
pub struct Answer {
    keys: Vec<Body>,
}

/// A data key. Not the key itself.
#[derive(Serialize, ToSchema)]
#[schema(as = keys::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    version: u32,
    /// Whether everything is sealed with it from now on; the others only open.
    current: bool,
    /// When it was made; `null` for one that is older than the memory of that.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// When everything that was there before had been sealed with it; `null` while a rotation is not finished, and for the
    /// first key.
    #[schema(value_type = Option<String>, format = DateTime)]
    spread_at: Option<Timestamp>,
}

/// List data keys
#[utoipa::path(
    get, path = "/api/keys", tag = "keys",
    responses((status = 200, body = Answer)), security(("api_key" = ["admin"]))
)]
pub async fn list(State(app): State<App>, _: ApiKey<Admin>) -> Result<Json<Answer>, Problem> {
    let rows = app.connect.keys().await?;
    let newest = rows.last().map(|row| row.key.version);
    let keys = rows.into_iter().map(|row| Body {
        version: row.key.version,
        current: Some(row.key.version) == newest,
        created_at: row.created_at,
        spread_at: row.spread_at,
    });
    Ok(Json(Answer { keys: keys.collect() }))
}

/// What a rotation did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    /// The version that seals.
    version: u32,
    /// Whether it is new; else an earlier rotation was finished.
    added: bool,
    tables: Vec<RotatedTable>,
    /// Versions that are gone for good.
    retired: Vec<u32>,
    /// Older versions that stay.
    kept: Vec<KeptBody>,
}

/// What a rotation found in a table.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotatedTable {
    /// The table, or `spool` for answers that are on their way to the store.
    table: &'static str,
    /// How many rows hold sealed values.
    rows: u64,
    /// How many of them were sealed anew.
    resealed: u64,
    /// How many values still name an older key, by its version.
    #[schema(value_type = Object)]
    older: BTreeMap<u32, u64>,
    /// How many values do not open.
    unreadable: u64,
}

impl From<TablePass> for RotatedTable {
    fn from(pass: TablePass) -> Self {
        let TablePass { table, rows, resealed, older, unreadable, .. } = pass;
        Self { table, rows, resealed, older, unreadable }
    }
}

/// An older key that stays.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptBody {
    version: u32,
    /// `too_recent` (another took its place less than an hour ago), `in_use`, or `calls_open` (calls of providers have no
    /// end yet whose answers may be sealed with it).
    reason: &'static str,
    /// From when on it may be retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// How many values or calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl From<Kept> for KeptBody {
    fn from(kept: Kept) -> Self {
        let (until, count) = match kept.reason {
            KeptReason::TooRecent { until } => (Some(until), None),
            KeptReason::InUse { values } => (None, Some(values)),
            KeptReason::CallsOpen { calls } => (None, Some(calls)),
        };
        Self { version: kept.version, reason: kept.reason.word(), until, count }
    }
}

/// Rotate the data key
///
/// Makes a new key, with which everything is sealed from now on, seals what is there with it, and retires keys that nothing
/// uses. One that was interrupted is gone on with, by the next call or by the timer. With `Accept: application/jsonl` every
/// step is a line of JSON as it happens, and the last line has `result` or `problem`.
#[utoipa::path(
    post, path = "/api/keys/rotate", tag = "keys",
    responses((status = 200, body = Rotated), (status = 409, description = "`master_key_changed`")),
    security(("api_key" = ["admin"]))
)]
pub async fn rotate(State(app): State<App>, key: ApiKey<Admin>, lines: Lines) -> Response {
    let work = |progress| async move {
        let done = app.connect.rotate_keys(key.actor(), &progress).await?;
        Ok(Rotated {
            version: done.version,
            added: done.added,
            tables: done.tables.into_iter().map(RotatedTable::from).collect(),
            retired: done.retired,
            kept: done.kept.into_iter().map(KeptBody::from).collect(),
        })
    };
    lines.answer(work).await
}

/// What was found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    tables: Vec<CheckedTable>,
    /// How many values do not open.
    unreadable: u64,
    /// The first hundred of them.
    values: Vec<UnreadableBody>,
}

/// What was found in a table.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckedTable {
    /// The table, or `spool` for answers that are on their way to the store.
    table: &'static str,
    /// How many rows hold sealed values.
    rows: u64,
    /// How many values open, by the version of their key.
    #[schema(value_type = Object)]
    versions: BTreeMap<u32, u64>,
    /// How many do not.
    unreadable: u64,
}

impl From<TableCheck> for CheckedTable {
    fn from(check: TableCheck) -> Self {
        let TableCheck { table, rows, versions, unreadable } = check;
        Self { table, rows, versions, unreadable }
    }
}

/// A value that does not open.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadableBody {
    table: &'static str,
    row: String,
    field: &'static str,
    /// The version of the key that it names; `null` when it names none.
    version: Option<u32>,
    /// `format` (it was never sealed, or cut), `unknown_key`, or `refused` (changed, or moved here from another row).
    why: &'static str,
}

impl From<Unreadable> for UnreadableBody {
    fn from(value: Unreadable) -> Self {
        let why = match value.why {
            OpenError::Format => "format",
            OpenError::UnknownKey { .. } => "unknown_key",
            OpenError::Refused => "refused",
        };
        Self { table: value.table, row: value.row, field: value.field, version: value.version, why }
    }
}

/// Check that everything opens
///
/// Opens every sealed value, and changes nothing. With `Accept: application/jsonl` every step is a line of JSON as it happens,
/// and the last line has `result` or `problem`.
#[utoipa::path(
    post, path = "/api/keys/check", tag = "keys",
    responses((status = 200, body = Checked)), security(("api_key" = ["admin"]))
)]
pub async fn check(State(app): State<App>, _: ApiKey<Admin>, lines: Lines) -> Response {
    let work = |progress| async move {
        let found = app.connect.check_keys(&progress).await?;
        Ok(Checked {
            tables: found.tables.into_iter().map(CheckedTable::from).collect(),
            unreadable: found.unreadable,
            values: found.named.into_iter().map(UnreadableBody::from).collect(),
        })
    };
    lines.answer_while_heard(work).await
}
