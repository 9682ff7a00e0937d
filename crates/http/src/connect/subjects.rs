//! `/api/subjects/{subject}`: what the product tells us of a subject.

use axum::extract::State;
use model::{ProblemCode, SubjectId, Timestamp};
use provider::mail::MailAddress;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::subjects::{Overview, Subject};
use utoipa::{IntoParams, ToSchema};

use super::connections::{first_page, page_limit};
use crate::App;
use crate::extract::{ApiKey, ConnectionsRead, ConnectionsWrite, Json, Path, Query};
use crate::messages::Language;
use crate::problem::Problem;

/// The longest name, in characters.
const MAX_NAME: usize = 200;

/// A subject.
#[derive(Serialize, ToSchema)]
#[schema(as = subjects::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[schema(value_type = String)]
    id: SubjectId,
    name: Option<String>,
    mail: Option<String>,
    language: Option<String>,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Subject> for Body {
    fn from(subject: Subject) -> Self {
        Self {
            id: subject.id,
            name: subject.name,
            mail: subject.mail,
            language: subject.language,
            metadata: subject.metadata,
            created_at: subject.created_at,
            updated_at: subject.updated_at,
        }
    }
}

/// What to remember of a subject; what is left out is forgotten.
#[derive(Deserialize, ToSchema)]
#[schema(as = subjects::Put)]
#[serde(deny_unknown_fields)]
pub struct Put {
    name: Option<String>,
    mail: Option<String>,
    /// `en` or `et`.
    language: Option<String>,
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// Which subjects.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<SubjectId>,
    /// How many, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// What a subject has, in numbers. Each connection counts once.
#[derive(Serialize, ToSchema)]
pub struct OverviewBody {
    #[schema(value_type = String)]
    subject: SubjectId,
    /// The access token is good, and not due.
    active: i64,
    /// Due to be refreshed.
    expiring: i64,
    /// The access token has ended; a read refreshes it.
    expired: i64,
    /// Only the person can repair it.
    broken: i64,
    disconnected: i64,
}

impl From<Overview> for OverviewBody {
    fn from(overview: Overview) -> Self {
        let Overview { subject, active, expiring, expired, broken, disconnected } = overview;
        Self { subject, active, expiring, expired, broken, disconnected }
    }
}

/// A page of subjects.
#[derive(Serialize, ToSchema)]
#[schema(as = subjects::Page)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    subjects: Vec<OverviewBody>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<SubjectId>,
}

/// List subjects
///
/// By id, with how many connections each has in which state.
#[utoipa::path(
    get, path = "/api/subjects", tag = "subjects", params(ListParameters),
    responses((status = 200, body = Page)), security(("api_key" = ["connections:read"]))
)]
pub async fn list(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Page>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let found = app.connect.subjects(parameters.cursor.as_ref(), limit + 1).await?;
    let (found, more) = first_page(found, limit);
    let next_cursor = found.last().filter(|_| more).map(|last| last.subject.clone());
    Ok(Json(Page { subjects: found.into_iter().map(OverviewBody::from).collect(), next_cursor }))
}

/// Make or change a subject
#[utoipa::path(
    put, path = "/api/subjects/{subject}", tag = "subjects", request_body = Put, params(("subject" = String, Path)),
    responses((status = 200, body = Body), (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["connections:write"]))
)]
pub async fn put(
    State(app): State<App>,
    _: ApiKey<ConnectionsWrite>,
    Path(id): Path<SubjectId>,
    Json(body): Json<Put>,
) -> Result<Json<Body>, Problem> {
    if let Some(name) = &body.name {
        check_name(name)?;
    }
    if let Some(Err(error)) = body.mail.as_deref().map(str::parse::<MailAddress>) {
        return Err(Problem::field("mail", "invalid_email", error.rule));
    }
    if body.language.as_ref().is_some_and(|tag| Language::from_tag(tag).is_none()) {
        return Err(Problem::field("language", "invalid_format", "expected en or et"));
    }
    if Value::Object(body.metadata.clone()).to_string().len() > 16 * 1024 {
        return Err(Problem::field("metadata", "too_long", "expected at most 16384 octets of JSON"));
    }
    let now = app.clock.now();
    let subject = Subject {
        id,
        name: body.name,
        mail: body.mail,
        language: body.language,
        metadata: body.metadata,
        created_at: now,
        updated_at: now,
    };
    Ok(Json(app.store.subjects.put(&subject).await?.into()))
}

/// What a subject is called.
pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    if name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let rule = format!("expected at most {MAX_NAME} characters and no control characters");
    Err(Problem::field("name", "too_long", rule))
}

/// Inspect a subject
#[utoipa::path(
    get, path = "/api/subjects/{subject}", tag = "subjects", params(("subject" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`subject_not_found`")),
    security(("api_key" = ["connections:read"]))
)]
pub async fn get(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Path(id): Path<SubjectId>,
) -> Result<Json<Body>, Problem> {
    let found = app.store.subjects.get(&id).await?;
    let found = found.ok_or_else(|| Problem::new(ProblemCode::SubjectNotFound).argument("subject", &id))?;
    Ok(Json(found.into()))
}
