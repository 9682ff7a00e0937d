//! `/api/audit`: what was remembered of every security-relevant act. Never a secret.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use model::{SubjectId, Timestamp, WriterId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::audit::{About, AuditEntry, Broken, Position, verify_trail_telling};
use utoipa::{IntoParams, ToSchema};

use super::connections::page_limit;
use crate::App;
use crate::extract::{ApiKey, AuditRead, Json, Lines, Query};
use crate::problem::Problem;

/// How many entries are read at once while looking for an event.
const SCAN: u32 = 500;
/// How many times; what is not found by then is on the next page.
const SCANS: usize = 20;
/// How young an entry may not be to be among those after a cursor. One that is dated earlier and comes to be later would be
/// missed: of a writer whose clock is late, or that has waited for the store; both together stay below this while things
/// are well.
const SETTLED_AFTER: Duration = Duration::from_secs(5);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// How many breaks are named.
const MAX_NAMED: usize = 100;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
    /// `nextCursor` of the page before: the entries that are older.
    cursor: Option<String>,
    /// `follow` of an earlier answer: the entries that are newer, oldest first. Entries of the last five seconds are held
    /// back, for others may still come before them. One that comes later than that, because its writer's clock is late or the
    /// store kept it waiting, is not told; without `after` it is there.
    after: Option<String>,
    /// Whose affair it is.
    #[param(value_type = Option<String>)]
    subject: Option<SubjectId>,
    /// What happened: an event such as `connection.refreshed`, or a noun such as `connection`.
    event: Option<String>,
    /// How many, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = audit::Page)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Newest first; oldest first with `after`.
    entries: Vec<Entry>,
    /// Where the next page begins; absent on the last one. A page may have fewer entries than asked for, or none, where
    /// much had to be passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// For `after`, to be told of what is newer. The first time, entries of the last five seconds come again; `hash` tells which.
    #[serde(skip_serializing_if = "Option::is_none")]
    follow: Option<String>,
}

/// An entry of the audit trail.
#[derive(Serialize, ToSchema)]
pub struct Entry {
    /// The chain: every process that writes has one of its own.
    #[schema(value_type = String)]
    writer: WriterId,
    /// Its place in the chain.
    sequence: i64,
    /// SHA-256 over the hash before and the event, in hex.
    hash: String,
    /// What happened: `at`, `event`, `outcome`, `actor`, and where they belong to it `subject`, `target`, `reason`, `facts`.
    #[schema(value_type = Object)]
    event: Value,
}

impl From<&AuditEntry> for Entry {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            writer: entry.writer,
            sequence: entry.sequence,
            hash: entry.hash_hex(),
            // What is no JSON was changed; it is shown as it is, and `verify` names it.
            event: serde_json::from_str(&entry.event).unwrap_or_else(|_| Value::from(entry.event.as_str())),
        }
    }
}

/// What is looked for.
struct Wanted {
    subject: Option<SubjectId>,
    event: Option<String>,
}

impl Wanted {
    fn about(&self) -> About {
        self.subject.clone().map_or(About::Anything, About::Subject)
    }

    fn has(&self, entry: &AuditEntry) -> bool {
        if self.subject.is_none() && self.event.is_none() {
            return true;
        }
        let Ok(event) = entry.parsed() else { return false };
        let noun = event.event.split('.').next();
        let is_named = |name: &String| event.event == *name || noun == Some(name.as_str());
        self.event.as_ref().is_none_or(is_named)
            && self.subject.as_ref().is_none_or(|subject| event.subject.as_ref() == Some(subject))
    }
}

/// Read the audit trail
#[utoipa::path(
    get, path = "/api/audit", tag = "audit", params(Parameters),
    responses((status = 200, body = Page)), security(("api_key" = ["audit:read"]))
)]
pub async fn list(
    State(app): State<App>,
    _: ApiKey<AuditRead>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Page>, Problem> {
    let limit = page_limit(parameters.limit)? as usize;
    let cursor = position("cursor", parameters.cursor.as_deref())?;
    let after = position("after", parameters.after.as_deref())?;
    if cursor.is_some() && after.is_some() {
        return Err(Problem::parameter("after", "use it without cursor"));
    }
    let wanted = Wanted { subject: parameters.subject, event: parameters.event };
    let settled = app.clock.now() - SETTLED_AFTER;
    match after {
        Some(after) => newer(&app, &wanted, after, settled, limit).await.map(Json),
        None => older(&app, &wanted, cursor, settled, limit).await.map(Json),
    }
}

async fn older(
    app: &App,
    wanted: &Wanted,
    mut cursor: Option<Position>,
    settled: Timestamp,
    limit: usize,
) -> Result<Page, Problem> {
    let about = wanted.about();
    let follow = cursor.is_none().then(|| {
        let first = Position { at: settled, writer: WriterId::from([0; 16]), sequence: 0 };
        first.to_string()
    });
    let mut entries = Vec::new();
    for _ in 0..SCANS {
        let page = app.store.audit.newest(&about, cursor.as_ref(), SCAN).await?;
        for entry in &page {
            if entries.len() == limit {
                let next_cursor = cursor.map(|cursor| cursor.to_string());
                return Ok(Page { entries, next_cursor, follow });
            }
            cursor = Some(entry.position());
            if wanted.has(entry) {
                entries.push(Entry::from(entry));
            }
        }
        if page.len() < SCAN as usize {
            return Ok(Page { entries, next_cursor: None, follow });
        }
    }
    Ok(Page { entries, next_cursor: cursor.map(|cursor| cursor.to_string()), follow })
}

async fn newer(
    app: &App,
    wanted: &Wanted,
    mut after: Position,
    settled: Timestamp,
    limit: usize,
) -> Result<Page, Problem> {
    let (about, mut entries) = (wanted.about(), Vec::new());
    'scans: for _ in 0..SCANS {
        let page = app.store.audit.after(&about, &after, settled, SCAN).await?;
        for entry in &page {
            if entries.len() == limit {
                break 'scans;
            }
            after = entry.position();
            if wanted.has(entry) {
                entries.push(Entry::from(entry));
            }
        }
        if page.len() < SCAN as usize {
            break;
        }
    }
    Ok(Page { entries, next_cursor: None, follow: Some(after.to_string()) })
}

fn position(name: &'static str, text: Option<&str>) -> Result<Option<Position>, Problem> {
    let position = text.map(str::parse::<Position>).transpose();
    position.map_err(|error| Problem::parameter(name, error.to_string()))
}

/// How far a verification has come.
#[derive(Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
enum Step {
    #[serde(rename_all = "camelCase")]
    Verified { entries: u64, chains: u64, of_chains: u64 },
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
pub struct Verification {
    /// How many entries were read.
    entries: u64,
    /// How many chains there are.
    chains: u64,
    /// How many breaks there are; a chain is read until its first.
    broken: usize,
    /// The first hundred of them.
    breaks: Vec<Break>,
}

/// Where the trail is broken.
#[derive(Serialize, ToSchema)]
pub struct Break {
    /// `changed`, `missing` (or out of order), or `cut_off` (the end of the chain is gone, which another chain has seen).
    what: &'static str,
    /// The chain.
    #[schema(value_type = String)]
    writer: WriterId,
    /// The entry.
    sequence: i64,
}

impl From<&Broken> for Break {
    fn from(broken: &Broken) -> Self {
        let (what, writer, sequence) = match *broken {
            Broken::Changed { writer, sequence } => ("changed", writer, sequence),
            Broken::Missing { writer, sequence } => ("missing", writer, sequence),
            Broken::CutOff { writer, sequence } => ("cut_off", writer, sequence),
        };
        Self { what, writer, sequence }
    }
}

/// Verify the audit trail
///
/// Finds an entry that was changed, removed or moved, and names it. With `Accept: application/jsonl` progress is told in lines
/// of JSON, and the last line has `result` or `problem`.
#[utoipa::path(
    post, path = "/api/audit/verify", tag = "audit",
    responses((status = 200, body = Verification)), security(("api_key" = ["audit:read"]))
)]
pub async fn verify(State(app): State<App>, _: ApiKey<AuditRead>, lines: Lines) -> Response {
    let work = |progress: ::connect::progress::Progress<Step>| async move {
        let mut told = Instant::now();
        let tell = |verified: store::audit::Verified| {
            let is_last = verified.chains == verified.of_chains;
            if is_last || told.elapsed() >= TELL_EVERY {
                let store::audit::Verified { entries, chains, of_chains } = verified;
                progress.tell(Step::Verified { entries, chains, of_chains });
                told = Instant::now();
            }
        };
        let (broken, verified) = verify_trail_telling(app.store.audit.as_ref(), tell).await?;
        Ok(Verification {
            entries: verified.entries,
            chains: verified.of_chains,
            broken: broken.len(),
            breaks: broken.iter().take(MAX_NAMED).map(Break::from).collect(),
        })
    };
    lines.answer_while_heard(work).await
}
