//! `/api/refreshing`: whether anything is refreshed at all, and the operator's word on it.

use axum::extract::State;
use model::{IntegrationId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::extract::{Admin, ApiKey, Json};
use crate::problem::Problem;

/// The longest reason, in characters.
const MAX_REASON: usize = 200;

/// Whether refreshing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshingState {
    /// It does.
    On,
    /// Nothing is refreshed, on no replica: tokens that are still good are handed out.
    Held,
}

/// How refreshing stands.
#[derive(Serialize, ToSchema)]
#[schema(as = refreshing::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    state: RefreshingState,
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    reason: Option<String>,
    /// Who held it.
    by: Option<String>,
    /// Integrations that this process leaves alone for now.
    open_circuits: Vec<OpenCircuit>,
}

/// An integration that is left alone.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenCircuit {
    #[schema(value_type = String)]
    integration: IntegrationId,
    /// `provider_down`, `configuration` or `dead_burst`.
    cause: &'static str,
}

/// What the operator wants.
#[derive(Deserialize, ToSchema)]
#[schema(as = refreshing::Put)]
#[serde(deny_unknown_fields)]
pub struct Put {
    state: RefreshingState,
    /// Why it is held, for whoever reads it later; 1 to 200 characters. Only with `held`.
    reason: Option<String>,
}

/// See whether refreshing goes on
#[utoipa::path(
    get, path = "/api/refreshing", tag = "refreshing",
    responses((status = 200, body = Body)), security(("api_key" = ["admin"]))
)]
pub async fn get(State(app): State<App>, _: ApiKey<Admin>) -> Result<Json<Body>, Problem> {
    body(&app).await
}

/// Hold refreshing, or let it go on
///
/// `on` also says that grants which a provider calls dead are dead: after a burst of them nothing is marked until a grant
/// turns out to live, or the operator says this. That part counts in the process that answers.
#[utoipa::path(
    put, path = "/api/refreshing", tag = "refreshing", request_body = Put,
    responses((status = 200, body = Body), (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["admin"]))
)]
pub async fn put(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Json(put): Json<Put>,
) -> Result<Json<Body>, Problem> {
    match (put.state, put.reason.as_deref()) {
        (RefreshingState::On, None) => {
            app.connect.resume_refreshing(&key.actor()).await?;
        }
        (RefreshingState::Held, Some(reason)) if is_sentence(reason) => {
            app.connect.hold_refreshing(reason, &key.actor()).await?;
        }
        (RefreshingState::On, Some(_)) => return Err(invalid("expected only with `held`")),
        (RefreshingState::Held, _) => {
            return Err(invalid("expected 1 to 200 characters without control characters"));
        }
    }
    body(&app).await
}

fn is_sentence(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_REASON && !text.chars().any(char::is_control)
}

fn invalid(rule: &'static str) -> Problem {
    Problem::field("reason", "invalid_format", rule)
}

async fn body(app: &App) -> Result<Json<Body>, Problem> {
    let hold = app.connect.refreshing_held().await?;
    let state = if hold.is_some() { RefreshingState::Held } else { RefreshingState::On };
    let open_circuits = app.connect.open_circuits();
    let open_circuits =
        open_circuits.into_iter().map(|(integration, cause)| OpenCircuit { integration, cause }).collect();
    let (since, reason, by) = match hold {
        Some(hold) => (Some(hold.since), Some(hold.reason), Some(hold.by)),
        None => (None, None, None),
    };
    Ok(Json(Body { state, since, reason, by, open_circuits }))
}
