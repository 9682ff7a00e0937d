//! `GET /api/oauth/status/{subject}`: what a subject has connected.

use axum::extract::State;
use model::{IntegrationId, Scopes, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::connections::AccountBody;
use crate::App;
use crate::extract::{ApiKey, ConnectionsRead, Json, Path, Query};
use crate::problem::Problem;

/// Which integration; all of them without.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
    /// The integration.
    #[param(value_type = Option<String>)]
    provider: Option<IntegrationId>,
}

/// A row for every configured integration, connected or not.
#[derive(Serialize, ToSchema)]
#[schema(as = status::Answer)]
pub struct Answer {
    tokens: Vec<Row>,
}

/// One integration of one subject.
#[derive(Serialize, ToSchema)]
#[schema(as = status::Row)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The integration.
    #[schema(value_type = String)]
    provider: IntegrationId,
    /// The connection's label; `null` where there is no connection.
    label: Option<String>,
    /// Whether a token could be handed out, at once or after a refresh.
    has_token: bool,
    /// When the access token ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    token_expiry: Option<Timestamp>,
    /// When it was last written.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// `active`, `expiring`, `expired`, `broken`, `disconnected` or `not_connected`.
    status: &'static str,
    /// What was granted.
    #[schema(value_type = Vec<String>)]
    scopes: Scopes,
    /// The account at the provider.
    account: Option<AccountBody>,
}

/// Status of a subject
#[utoipa::path(
    get, path = "/api/oauth/status/{subject}", tag = "connect",
    params(("subject" = String, Path), Parameters),
    responses((status = 200, body = Answer), (status = 404, description = "`integration_not_found`, `subject_not_found`")),
    security(("api_key" = ["connections:read"]))
)]
pub async fn status(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Path(subject): Path<SubjectId>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Answer>, Problem> {
    let rows = app.connect.status(&subject, parameters.provider.as_ref()).await?;
    let tokens = rows.into_iter().map(|row| Row {
        provider: row.integration,
        label: row.label,
        has_token: row.has_token,
        token_expiry: row.expires_at,
        updated_at: row.updated_at,
        status: row.status,
        scopes: row.scopes,
        account: row.account.map(AccountBody::from),
    });
    Ok(Json(Answer { tokens: tokens.collect() }))
}
