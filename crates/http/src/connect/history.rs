//! `/api/connections/{subject}/{integration}/history`: what has happened to a connection. Never a token.

use axum::extract::State;
use model::{AuditEvent, IntegrationId, Label, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::connections::ConnectionKey;
use utoipa::{IntoParams, ToSchema};

use super::connections::page_limit;
use crate::App;
use crate::extract::{ApiKey, ConnectionsRead, Json, Path, Query};
use crate::problem::Problem;

/// Which of several accounts, and how much of its history.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Tells several accounts of one subject at one integration apart.
    #[serde(default)]
    #[param(value_type = String, default = "default")]
    label: Label,
    /// How many events, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// The history of a connection.
#[derive(Serialize, ToSchema)]
pub struct History {
    /// Newest first.
    events: Vec<Happened>,
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub struct Happened {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What, as `noun.deed`: `connection.created`, `connection.refreshed`, `connection.refresh_failed`, `connection.broken`,
    /// `connection.disconnected`, `attempt.failed` …
    event: String,
    /// `success`, `failure` or `denied`.
    outcome: &'static str,
    /// Why, as a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Who: an API key's id, `browser of …`, `operator`, or `system` for Claviger itself.
    actor: String,
    /// What belongs to this kind of event alone.
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
}

impl From<AuditEvent> for Happened {
    fn from(event: AuditEvent) -> Self {
        Self {
            at: event.at,
            event: event.event,
            outcome: event.outcome.word(),
            reason: event.reason,
            actor: event.actor.to_string(),
            facts: event.facts,
        }
    }
}

/// History of a connection
///
/// Its newest events, as the audit trail has them.
#[utoipa::path(
    get, path = "/api/connections/{subject}/{integration}/history", tag = "connections",
    params(("subject" = String, Path), ("integration" = String, Path), Parameters),
    responses((status = 200, body = History), (status = 404, description = "`connection_not_found`")),
    security(("api_key" = ["connections:read"]))
)]
pub async fn history(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<History>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let key = ConnectionKey { subject, integration, label: parameters.label };
    let events = app.connect.history(&key, limit).await?;
    Ok(Json(History { events: events.into_iter().map(Happened::from).collect() }))
}
