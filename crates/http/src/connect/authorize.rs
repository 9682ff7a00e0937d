//! `GET /api/oauth/authorize/{subject}`: begins an attempt and says where to send the browser.

use ::connect::authorize::Request;
use axum::extract::State;
use model::{Binding, GroupId, IntegrationId, Label, Origin, Scopes, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::extract::{ApiKey, ConnectionsWrite, Json, Path, Query};
use crate::problem::Problem;

/// What to connect.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
    /// The integration; without it the configured `connect.default_provider` is meant.
    #[param(value_type = Option<String>, example = "sandbox")]
    provider: Option<IntegrationId>,
    /// Every integration of this group, with one consent; in place of `provider`.
    #[param(value_type = Option<String>, example = "microsoft")]
    group: Option<GroupId>,
    /// Tells several accounts of one subject at one integration apart.
    #[serde(default)]
    #[param(value_type = String, default = "default")]
    label: Label,
    /// Scopes to ask for instead of the integration's, not together with `group`; separated by spaces or commas.
    scopes: Option<String>,
    /// Where the browser goes afterwards; must be on the list of `connect.return_to`.
    return_to: Option<String>,
    /// Who the provider should expect to sign in.
    login_hint: Option<String>,
    /// `cookie` (the default) binds the browser by our own hop; `none` answers with the provider's URL itself.
    #[param(value_type = Option<String>)]
    binding: Option<Binding>,
}

/// Where to send the browser.
#[derive(Serialize, ToSchema)]
#[schema(as = authorize::Answer)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The address to open in the person's browser, once.
    auth_url: String,
    /// When the attempt ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Begin an attempt
///
/// JSON, not a redirect: a single-page app decides when to go.
#[utoipa::path(
    get, path = "/api/oauth/authorize/{subject}", tag = "connect",
    params(("subject" = String, Path, description = "Who will own the connection"), Parameters),
    responses((status = 200, body = Answer), (status = 400, description = "`integration_not_configured`, `group_not_configured`, `return_to_not_allowed`, `invalid_parameter`"),
              (status = 404, description = "`integration_not_found`, `group_not_found`, `subject_not_found`")),
    security(("api_key" = ["connections:write"]))
)]
pub async fn authorize(
    State(app): State<App>,
    key: ApiKey<ConnectionsWrite>,
    Path(subject): Path<SubjectId>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Answer>, Problem> {
    let authorization = app
        .connect
        .authorize(Request {
            subject,
            integration: parameters.provider,
            group: parameters.group,
            only: None,
            label: parameters.label,
            scopes: parameters.scopes.map(|scopes| Scopes::parse(&scopes, ",")),
            return_to: parameters.return_to,
            login_hint: parameters.login_hint,
            binding: parameters.binding.unwrap_or(Binding::Cookie),
            origin: Origin::Api,
            by: key.actor(),
        })
        .await?;
    app.metrics.attempt("started");
    Ok(Json(Answer {
        auth_url: authorization.auth_url.expose().clone(),
        expires_at: authorization.expires_at,
    }))
}
