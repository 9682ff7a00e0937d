//! `/api/api-keys`: the keys of the backend. A key is shown once and kept as its hash.

use axum::extract::State;
use axum::http::StatusCode;
use model::{ApiKeyId, ApiKeyScope, ApiKeyScopes, AuditEvent, Outcome, ProblemCode, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use store::api_keys::ApiKey as Row;
use utoipa::ToSchema;
use vault::TokenHash;

use crate::App;
use crate::extract::{Admin, ApiKey, Json, Path};
use crate::problem::Problem;

/// All keys.
#[derive(Serialize, ToSchema)]
#[schema(as = api_keys::Answer)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    api_keys: Vec<Body>,
}

/// A key. Not the key itself.
#[derive(Serialize, ToSchema)]
#[schema(as = api_keys::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[schema(value_type = String)]
    id: ApiKeyId,
    name: String,
    scopes: Vec<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

/// A new key, with the key itself: this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    #[serde(flatten)]
    row: Body,
    /// Send it as `Authorization: Bearer cvk_…`. It is not shown again.
    key: String,
}

impl From<&Row> for Body {
    fn from(row: &Row) -> Self {
        Self {
            id: row.id,
            name: row.name.clone(),
            scopes: row.scopes.iter().map(ApiKeyScope::word).collect(),
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// What the new key is for.
#[derive(Deserialize, ToSchema)]
#[schema(as = api_keys::Create)]
#[serde(deny_unknown_fields)]
pub struct Create {
    name: String,
    /// At least one of `admin`, `connections:read`, `connections:token`, `connections:write`, `portal:write`,
    /// `applications:write`, `audit:read`.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<ApiKeyScope>,
}

/// List API keys
#[utoipa::path(
    get, path = "/api/api-keys", tag = "api keys",
    responses((status = 200, body = Answer)), security(("api_key" = ["admin"]))
)]
pub async fn list(State(app): State<App>, _: ApiKey<Admin>) -> Result<Json<Answer>, Problem> {
    let rows = app.store.api_keys.list().await?;
    Ok(Json(Answer { api_keys: rows.iter().map(Body::from).collect() }))
}

/// Make an API key
#[utoipa::path(
    post, path = "/api/api-keys", tag = "api keys", request_body = Create,
    responses((status = 201, body = Created), (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["admin"]))
)]
pub async fn create(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Json(body): Json<Create>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    if body.name.is_empty() || body.name.chars().count() > 100 || body.name.chars().any(char::is_control) {
        return Err(Problem::field("name", "invalid_format", "expected 1 to 100 characters"));
    }
    if body.scopes.is_empty() {
        return Err(Problem::field("scopes", "required", "expected at least one scope"));
    }
    let now = app.clock.now();
    let secret = new_key();
    let row = Row {
        id: vault::random::id(),
        name: body.name,
        scopes: ApiKeyScopes::from_iter(body.scopes),
        created_at: now,
        revoked_at: None,
    };
    app.store.api_keys.create(&row, &TokenHash::of(secret.expose())).await?;
    app.store
        .audit
        .append(&AuditEvent::new(now, "api_key.created", Outcome::Success, key.actor()).target(row.id))
        .await?;
    Ok((StatusCode::CREATED, Json(Created { row: Body::from(&row), key: secret.expose().clone() })))
}

/// Revoke an API key
#[utoipa::path(
    delete, path = "/api/api-keys/{id}", tag = "api keys", params(("id" = String, Path)),
    responses((status = 204), (status = 404, description = "`api_key_not_found`")), security(("api_key" = ["admin"]))
)]
pub async fn revoke(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(id): Path<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    let now = app.clock.now();
    if !app.store.api_keys.revoke(&id, now).await? {
        return Err(Problem::new(ProblemCode::ApiKeyNotFound).argument("id", id));
    }
    app.store
        .audit
        .append(&AuditEvent::new(now, "api_key.revoked", Outcome::Success, key.actor()).target(id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new key: a prefix that secret scanners can find, and 256 random bits.
pub fn new_key() -> Secret<String> {
    Secret::new(format!("cvk_{}", vault::random::token().expose()))
}
