//! `POST /api/connections/validate` and `…/{subject}/{integration}/validate`: does the provider take the token? Both need
//! `connections:write`, for a token that has expired or is refused is refreshed on the way.

use ::connect::validate::Validation;
use axum::extract::State;
use model::{ConnectionId, IntegrationId, Label, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use store::connections::Filter;
use utoipa::{IntoParams, ToSchema};

use super::connections::{KeyParameters, page_limit};
use crate::App;
use crate::extract::{ApiKey, ConnectionsWrite, Json, Path, Query};
use crate::problem::Problem;

/// What the provider said.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidationBody {
    /// `valid`; `invalid` (refused, and a fresh one too); `unknown` (the provider did not say); `unsupported` (it can't be
    /// asked); `reconnect_required`.
    outcome: &'static str,
    /// The status of the provider's last answer; `null` without one.
    status: Option<u16>,
    #[schema(value_type = String, format = DateTime)]
    checked_at: Timestamp,
}

impl From<Validation> for ValidationBody {
    fn from(validation: Validation) -> Self {
        Self {
            outcome: validation.outcome.word(),
            status: validation.status,
            checked_at: validation.checked_at,
        }
    }
}

/// One connection of a page.
#[derive(Serialize, ToSchema)]
#[schema(as = validate::Row)]
pub struct Row {
    #[schema(value_type = String)]
    subject: SubjectId,
    #[schema(value_type = String)]
    integration: IntegrationId,
    #[schema(value_type = String)]
    label: Label,
    #[serde(flatten)]
    validation: ValidationBody,
}

/// A page of connections that were validated. It may be shorter than asked for, and still not the last one.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidationPage {
    validations: Vec<Row>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<ConnectionId>,
}

/// Which connections.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageParameters {
    /// Of this subject.
    #[param(value_type = Option<String>)]
    subject: Option<SubjectId>,
    /// At this integration.
    #[param(value_type = Option<String>)]
    integration: Option<IntegrationId>,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<ConnectionId>,
    /// How many, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Ask the provider whether the token works
///
/// An expired token is refreshed first; one that the provider refuses is refreshed once, and the fresh one tried.
#[utoipa::path(
    post, path = "/api/connections/{subject}/{integration}/validate", tag = "connections",
    params(("subject" = String, Path), ("integration" = String, Path), KeyParameters),
    responses((status = 200, body = ValidationBody), (status = 404, description = "`connection_not_found`")),
    security(("api_key" = ["connections:write"]))
)]
pub async fn validate(
    State(app): State<App>,
    _: ApiKey<ConnectionsWrite>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<KeyParameters>,
) -> Result<Json<ValidationBody>, Problem> {
    Ok(Json(app.connect.validate(&parameters.key(subject, integration)).await?.into()))
}

/// Ask the providers of many connections
///
/// At most eight at a time (four at one integration) and ten seconds each: what takes longer is `unknown`. Disconnected
/// connections are left out.
#[utoipa::path(
    post, path = "/api/connections/validate", tag = "connections", params(PageParameters),
    responses((status = 200, body = ValidationPage)), security(("api_key" = ["connections:write"]))
)]
pub async fn validate_page(
    State(app): State<App>,
    _: ApiKey<ConnectionsWrite>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<ValidationPage>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let filter = Filter { subject: parameters.subject, integration: parameters.integration, state: None };
    let page = app.connect.validate_page(&filter, parameters.cursor, limit).await?;
    let rows = page.rows.into_iter().map(|(key, validation)| Row {
        subject: key.subject,
        integration: key.integration,
        label: key.label,
        validation: validation.into(),
    });
    Ok(Json(ValidationPage { validations: rows.collect(), next_cursor: page.next_cursor }))
}
