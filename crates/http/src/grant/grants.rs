//! `/api/grants`: what people let applications do.

use axum::extract::State;
use axum::http::StatusCode;
use model::{ClientId, GrantId, Scopes, TeamId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::grants::Grant;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::connect::connections::{first_page, page_limit};
use crate::extract::{ApiKey, ApplicationsWrite, Json, Path, Query};
use crate::problem::Problem;

/// A user's standing consent for one application, acting for one team.
#[derive(Serialize, ToSchema)]
#[schema(as = grants::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[schema(value_type = String)]
    id: GrantId,
    #[schema(value_type = String)]
    user: UserId,
    /// `null` for the user alone.
    #[schema(value_type = Option<String>)]
    team: Option<TeamId>,
    /// Its client id.
    #[schema(value_type = String)]
    application: ClientId,
    /// What was agreed to, by and by.
    #[schema(value_type = Vec<String>)]
    scopes: Scopes,
    /// For which resources (RFC 8707); empty for none in particular.
    resources: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When something was last agreed to.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When a code or a token was last issued on it, to the hour.
    #[schema(value_type = Option<String>, format = DateTime)]
    used_at: Option<Timestamp>,
}

impl From<Grant> for Body {
    fn from(grant: Grant) -> Self {
        Self {
            id: grant.id,
            user: grant.user,
            team: grant.team,
            application: grant.client_id,
            scopes: grant.scopes,
            resources: grant.resources,
            created_at: grant.created_at,
            updated_at: grant.updated_at,
            used_at: grant.used_at,
        }
    }
}

/// Which grants.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    /// Of this user.
    #[param(value_type = Option<String>)]
    user: Option<UserId>,
    /// For the application of this client id.
    #[param(value_type = Option<String>)]
    application: Option<ClientId>,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<GrantId>,
    /// How many, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of grants.
#[derive(Serialize, ToSchema)]
#[schema(as = grants::Page)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    grants: Vec<Body>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<GrantId>,
}

/// List grants
#[utoipa::path(
    get, path = "/api/grants", tag = "grants", params(ListParameters),
    responses((status = 200, body = Page)), security(("api_key" = ["applications:write"]))
)]
pub async fn list(
    State(app): State<App>,
    _: ApiKey<ApplicationsWrite>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Page>, Problem> {
    let ListParameters { user, application, cursor, limit } = parameters;
    let limit = page_limit(limit)?;
    let found = app.grant.consents(user.as_ref(), application.as_ref(), cursor.as_ref(), limit + 1).await?;
    let (found, more) = first_page(found, limit);
    let next_cursor = found.last().filter(|_| more).map(|last| last.id);
    Ok(Json(Page { grants: found.into_iter().map(Body::from).collect(), next_cursor }))
}

/// Withdraw a grant
///
/// Every token that stands on it ends with it, and the application has to ask the person again.
#[utoipa::path(
    delete, path = "/api/grants/{id}", tag = "grants", params(("id" = String, Path)),
    responses((status = 204), (status = 404, description = "`grant_not_found`")),
    security(("api_key" = ["applications:write"]))
)]
pub async fn withdraw(
    State(app): State<App>,
    key: ApiKey<ApplicationsWrite>,
    Path(id): Path<GrantId>,
) -> Result<StatusCode, Problem> {
    app.grant.withdraw(&id, key.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
