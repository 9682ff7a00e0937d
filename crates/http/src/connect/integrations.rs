//! `/api/integrations`: what is configured and available; app credentials of the instance and of single subjects.

use ::connect::integrations::{Listed, NewIntegration, Source};
use axum::extract::State;
use axum::http::StatusCode;
use model::{ClientSecret, IntegrationId, ProviderId, Scopes, SubjectId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::extract::{Admin, ApiKey, ConnectionsRead, Json, Path};
use crate::problem::Problem;

/// All integrations.
#[derive(Serialize, ToSchema)]
#[schema(as = integrations::Answer)]
pub struct Answer {
    integrations: Vec<Body>,
}

/// An integration. Never its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = integrations::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// Its name.
    #[schema(value_type = String)]
    id: IntegrationId,
    /// The catalog entry.
    #[schema(value_type = String)]
    provider: ProviderId,
    /// What a person calls it.
    display_name: String,
    category: String,
    /// The group that one consent connects.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Whether it can be connected: app credentials are there.
    available: bool,
    /// What it asks for.
    #[schema(value_type = Vec<String>)]
    scopes: Scopes,
    /// `configuration`, `api` or `subject`.
    source: &'static str,
    /// The app (RFC 6749 §2.2); `null` where it is not set up yet.
    client_id: Option<String>,
}

impl From<Listed> for Body {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            provider: listed.entry.id.clone(),
            display_name: listed.entry.display_name.clone(),
            category: listed.entry.category.clone(),
            group: listed.entry.group.as_ref().map(ToString::to_string),
            available: listed.configured,
            scopes: listed.scopes,
            source: match listed.source {
                Source::Subject => "subject",
                Source::Configuration => "configuration",
                Source::Api => "api",
            },
            client_id: listed.client_id,
        }
    }
}

/// App credentials at a provider.
#[derive(Deserialize, ToSchema)]
#[schema(as = integrations::Put)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Put {
    /// The catalog entry; without it the one of the same name.
    #[schema(value_type = Option<String>)]
    provider: Option<ProviderId>,
    client_id: String,
    client_secret: Option<String>,
    /// Scopes to ask for instead of the entry's.
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Option<Scopes>,
    /// A redirect URI instead of our own.
    redirect_uri: Option<String>,
}

/// List integrations
#[utoipa::path(
    get, path = "/api/integrations", tag = "integrations",
    responses((status = 200, body = Answer)), security(("api_key" = ["connections:read"]))
)]
pub async fn list(State(app): State<App>, _: ApiKey<ConnectionsRead>) -> Result<Json<Answer>, Problem> {
    let integrations = app.connect.integrations().await?.into_iter().map(Body::from).collect();
    Ok(Json(Answer { integrations }))
}

/// Inspect an integration
#[utoipa::path(
    get, path = "/api/integrations/{integration}", tag = "integrations", params(("integration" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`integration_not_found`")),
    security(("api_key" = ["connections:read"]))
)]
pub async fn get(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Path(integration): Path<IntegrationId>,
) -> Result<Json<Body>, Problem> {
    Ok(Json(app.connect.inspect_integration(&integration, None).await?.into()))
}

/// Inspect a subject's own app credentials
#[utoipa::path(
    get, path = "/api/subjects/{subject}/integrations/{integration}", tag = "integrations",
    params(("subject" = String, Path), ("integration" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`integration_not_found`")),
    security(("api_key" = ["connections:read"]))
)]
pub async fn get_own(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
) -> Result<Json<Body>, Problem> {
    Ok(Json(app.connect.inspect_integration(&integration, Some(&subject)).await?.into()))
}

/// Set up an integration
#[utoipa::path(
    put, path = "/api/integrations/{integration}", tag = "integrations", request_body = Put,
    params(("integration" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`provider_not_found`"), (status = 409, description = "`integration_in_configuration`")),
    security(("api_key" = ["admin"]))
)]
pub async fn put(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(integration): Path<IntegrationId>,
    Json(body): Json<Put>,
) -> Result<Json<Body>, Problem> {
    let new = body.check(integration, None)?;
    Ok(Json(app.connect.put_integration(new, key.actor()).await?.into()))
}

/// A change of app credentials.
#[derive(Deserialize, ToSchema)]
#[schema(as = integrations::Patch)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Patch {
    /// Takes the old secret's place.
    client_secret: String,
}

/// Rotate the client secret
#[utoipa::path(
    patch, path = "/api/integrations/{integration}", tag = "integrations", request_body = Patch,
    params(("integration" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`integration_not_found`"), (status = 409, description = "`integration_in_configuration`")),
    security(("api_key" = ["admin"]))
)]
pub async fn patch(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(integration): Path<IntegrationId>,
    Json(body): Json<Patch>,
) -> Result<Json<Body>, Problem> {
    let secret = client_secret(body.client_secret)?;
    Ok(Json(app.connect.rotate_client_secret(&integration, None, &secret, key.actor()).await?.into()))
}

/// Rotate the client secret of a subject's own app
#[utoipa::path(
    patch, path = "/api/subjects/{subject}/integrations/{integration}", tag = "integrations", request_body = Patch,
    params(("subject" = String, Path), ("integration" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`integration_not_found`")),
    security(("api_key" = ["admin"]))
)]
pub async fn patch_own(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Json(body): Json<Patch>,
) -> Result<Json<Body>, Problem> {
    let secret = client_secret(body.client_secret)?;
    Ok(Json(
        app.connect.rotate_client_secret(&integration, Some(&subject), &secret, key.actor()).await?.into(),
    ))
}

/// Remove an integration
#[utoipa::path(
    delete, path = "/api/integrations/{integration}", tag = "integrations", params(("integration" = String, Path)),
    responses((status = 204), (status = 404, description = "`integration_not_found`"), (status = 409, description = "`integration_in_configuration`")),
    security(("api_key" = ["admin"]))
)]
pub async fn remove(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(integration): Path<IntegrationId>,
) -> Result<StatusCode, Problem> {
    app.connect.remove_integration(&integration, None, key.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a subject its own app credentials
///
/// They win over the instance's.
#[utoipa::path(
    put, path = "/api/subjects/{subject}/integrations/{integration}", tag = "integrations", request_body = Put,
    params(("subject" = String, Path), ("integration" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`provider_not_found`, `subject_not_found`")),
    security(("api_key" = ["admin"]))
)]
pub async fn put_own(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Json(body): Json<Put>,
) -> Result<Json<Body>, Problem> {
    let new = body.check(integration, Some(subject))?;
    Ok(Json(app.connect.put_integration(new, key.actor()).await?.into()))
}

/// Take a subject's own app credentials away
#[utoipa::path(
    delete, path = "/api/subjects/{subject}/integrations/{integration}", tag = "integrations",
    params(("subject" = String, Path), ("integration" = String, Path)),
    responses((status = 204), (status = 404, description = "`integration_not_found`")),
    security(("api_key" = ["admin"]))
)]
pub async fn remove_own(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
) -> Result<StatusCode, Problem> {
    app.connect.remove_integration(&integration, Some(&subject), key.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn visible(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control)
}

fn client_secret(secret: String) -> Result<ClientSecret, Problem> {
    if visible(&secret, 4096) {
        return Ok(ClientSecret::from(secret));
    }
    Err(Problem::field("clientSecret", "invalid_format", "expected 1 to 4096 characters"))
}

impl Put {
    fn check(self, id: IntegrationId, subject: Option<SubjectId>) -> Result<NewIntegration, Problem> {
        if !visible(&self.client_id, 1024) {
            return Err(Problem::field("clientId", "invalid_format", "expected 1 to 1024 characters"));
        }
        let client_secret = self.client_secret.map(client_secret).transpose()?;
        if self.scopes.as_ref().is_some_and(|scopes| scopes.is_empty() || !scopes.is_well_formed()) {
            return Err(Problem::field("scopes", "invalid_format", "expected scope tokens of RFC 6749 §3.3"));
        }
        if let Some(uri) = &self.redirect_uri
            && let Err(rule) = ::connect::return_to::check_redirect_uri(uri)
        {
            return Err(Problem::field("redirectUri", "invalid_format", rule));
        }
        Ok(NewIntegration {
            id,
            subject,
            provider: self.provider,
            client_id: self.client_id,
            client_secret,
            scopes: self.scopes,
            redirect_uri: self.redirect_uri,
        })
    }
}
