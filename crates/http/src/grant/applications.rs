//! `/api/applications`: what may ask our users for access. A secret is shown once and kept as its hash.

use std::time::Duration;

use ::grant::application::{Registered, is_live};
use ::grant::listed::Listed;
use axum::extract::State;
use axum::http::StatusCode;
use model::{ClientId, RedirectUri, Scopes, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::applications::{Application, Registrar};
use utoipa::{IntoParams, ToSchema};

use super::settings::{Create, Patch};
use crate::App;
use crate::connect::connections::{first_page, page_limit};
use crate::extract::{ApiKey, ApplicationsWrite, Json, Path, Query, duration};
use crate::problem::Problem;

/// How long the secret before goes on beside a new one: a day, which a person can keep; and at most a month.
const USUAL_OVERLAP: Duration = Duration::from_hours(24);
const LONGEST_OVERLAP: Duration = Duration::from_hours(30 * 24);

/// An application.
#[derive(Serialize, ToSchema)]
#[schema(as = applications::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// Its name for itself (RFC 6749 §2.2).
    #[schema(value_type = String)]
    client_id: ClientId,
    /// Its secret: there where it was just made, this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// What people call it.
    name: String,
    /// Where it is registered: `configuration`, `api`, `registration` where it registered itself, or `document` where its client
    /// id is the address of a document.
    source: &'static str,
    /// Where answers may go.
    #[schema(value_type = Vec<String>)]
    redirect_uris: Vec<RedirectUri>,
    /// What it may ask for.
    #[schema(value_type = Vec<String>)]
    scopes: Scopes,
    /// `authorization_code`, `refresh_token`, `client_credentials`.
    grant_types: Vec<&'static str>,
    /// `client_secret`, `private_key_jwt` or `none`.
    authentication: &'static str,
    /// Its public keys, where it signs.
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    /// `opaque` or `jwt`.
    access_token_format: &'static str,
    /// In seconds; `null` for the server's default, as for the three that follow.
    access_token_ttl: Option<u32>,
    refresh_token_idle: Option<u32>,
    refresh_token_ttl: Option<u32>,
    refresh_leeway: Option<u32>,
    access_token_prefix: String,
    refresh_token_prefix: String,
    require_pkce: bool,
    redirect_uri_optional: bool,
    consent_text: Option<String>,
    homepage: Option<String>,
    cors_origins: Vec<String>,
    /// The resources that it answers for.
    serves: Vec<String>,
    /// The login back ends that its users may come from; `null` for all.
    login: Option<Vec<String>>,
    /// Its secrets that are good now, newest first; `null` for one of the configuration file, as the two that follow.
    secrets: Option<Vec<SecretBody>>,
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
}

/// A secret. Not the secret itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretBody {
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it is no longer good; `null` for the one that stays.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl Body {
    fn of(listed: Listed, now: Timestamp) -> Self {
        let (client_id, settings, row) = match listed {
            Listed::Configured { client_id, settings } => (client_id, settings, None),
            Listed::Row(row) => {
                let source = match row.registrar {
                    Registrar::Operator => "api",
                    Registrar::Itself => "registration",
                    Registrar::Document => "document",
                };
                let live = row.secrets.iter().filter(|secret| is_live(secret, now));
                let secrets = live.map(|secret| SecretBody {
                    created_at: secret.created_at,
                    expires_at: secret.expires_at,
                });
                let secrets: Vec<_> = secrets.collect();
                (row.client_id, row.settings, Some((source, secrets, row.created_at, row.updated_at)))
            }
        };
        let (source, secrets, created_at, updated_at) = match row {
            Some((source, secrets, created, updated)) => {
                (source, Some(secrets), Some(created), Some(updated))
            }
            None => ("configuration", None, None, None),
        };
        Self {
            client_id,
            client_secret: None,
            name: settings.name,
            source,
            redirect_uris: settings.redirect_uris,
            scopes: settings.scopes,
            grant_types: settings.grant_types.iter().map(|grant_type| grant_type.word()).collect(),
            authentication: settings.authentication.word(),
            jwks: settings.jwks,
            access_token_format: settings.access_token_format.word(),
            access_token_ttl: settings.access_token_ttl,
            refresh_token_idle: settings.refresh_token_idle,
            refresh_token_ttl: settings.refresh_token_ttl,
            refresh_leeway: settings.refresh_leeway,
            access_token_prefix: settings.access_token_prefix,
            refresh_token_prefix: settings.refresh_token_prefix,
            require_pkce: settings.require_pkce,
            redirect_uri_optional: settings.redirect_uri_optional,
            consent_text: settings.consent_text,
            homepage: settings.homepage,
            cors_origins: settings.cors_origins,
            serves: settings.serves,
            login: settings.login,
            secrets,
            created_at,
            updated_at,
        }
    }

    fn of_row(app: &App, row: Application) -> Self {
        Self::of(Listed::Row(row), app.clock.now())
    }

    fn of_new(app: &App, new: Registered) -> Self {
        let client_secret = new.secret.map(|secret| secret.expose().clone());
        Self { client_secret, ..Self::of_row(app, new.application) }
    }
}

/// Which applications.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<ClientId>,
    /// How many, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of applications.
#[derive(Serialize, ToSchema)]
#[schema(as = applications::Page)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    applications: Vec<Body>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<ClientId>,
}

/// Another secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotate {
    /// How long the secret before goes on: `24h` where nothing is said, `30d` at most, `0s` for not at all.
    overlap: Option<String>,
    /// A secret that the application has already; else one is made.
    client_secret: Option<String>,
}

/// List applications
///
/// Those of the configuration file first, then the others by client id.
#[utoipa::path(
    get, path = "/api/applications", tag = "applications", params(ListParameters),
    responses((status = 200, body = Page)), security(("api_key" = ["applications:write"]))
)]
pub async fn list(
    State(app): State<App>,
    _: ApiKey<ApplicationsWrite>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Page>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let found = app.grant.applications(parameters.cursor.as_ref(), limit + 1).await?;
    let (found, more) = first_page(found, limit);
    let next_cursor = found.last().filter(|_| more).map(|last| last.client_id().clone());
    let now = app.clock.now();
    let applications = found.into_iter().map(|listed| Body::of(listed, now)).collect();
    Ok(Json(Page { applications, next_cursor }))
}

/// Register an application
#[utoipa::path(
    post, path = "/api/applications", tag = "applications", request_body = Create,
    responses((status = 201, body = Body), (status = 409, description = "`client_id_taken`"),
              (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["applications:write"]))
)]
pub async fn create(
    State(app): State<App>,
    key: ApiKey<ApplicationsWrite>,
    Json(body): Json<Create>,
) -> Result<(StatusCode, Json<Body>), Problem> {
    let new = body.application(app.grant.settings())?;
    let registered = app.grant.register(new, key.actor()).await?;
    Ok((StatusCode::CREATED, Json(Body::of_new(&app, registered))))
}

/// Inspect an application
#[utoipa::path(
    get, path = "/api/applications/{clientId}", tag = "applications", params(("clientId" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`application_not_found`")),
    security(("api_key" = ["applications:write"]))
)]
pub async fn get(
    State(app): State<App>,
    _: ApiKey<ApplicationsWrite>,
    Path(id): Path<ClientId>,
) -> Result<Json<Body>, Problem> {
    Ok(Json(Body::of(app.grant.listed(&id).await?, app.clock.now())))
}

/// Change an application
///
/// What it was given stays: consents and tokens.
#[utoipa::path(
    patch, path = "/api/applications/{clientId}", tag = "applications", request_body = Patch,
    params(("clientId" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`application_not_found`"),
              (status = 409, description = "`application_in_configuration`, `application_has_document`"),
              (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["applications:write"]))
)]
pub async fn patch(
    State(app): State<App>,
    key: ApiKey<ApplicationsWrite>,
    Path(id): Path<ClientId>,
    Json(body): Json<Patch>,
) -> Result<Json<Body>, Problem> {
    let changed = app.grant.change(&id, |own| body.change(own), key.actor()).await?;
    Ok(Json(Body::of_row(&app, changed)))
}

/// Remove an application
///
/// With every consent, code and token that it was given.
#[utoipa::path(
    delete, path = "/api/applications/{clientId}", tag = "applications", params(("clientId" = String, Path)),
    responses((status = 204), (status = 404, description = "`application_not_found`"),
              (status = 409, description = "`application_in_configuration`")),
    security(("api_key" = ["applications:write"]))
)]
pub async fn remove(
    State(app): State<App>,
    key: ApiKey<ApplicationsWrite>,
    Path(id): Path<ClientId>,
) -> Result<StatusCode, Problem> {
    app.grant.remove_application(&id, key.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an application another secret
///
/// The one before goes on for a while, so that nothing has to be changed at the same moment; of more than two the oldest ends at
/// once.
#[utoipa::path(
    post, path = "/api/applications/{clientId}/secret", tag = "applications", request_body = Option<Rotate>,
    params(("clientId" = String, Path)),
    responses((status = 201, body = Body), (status = 404, description = "`application_not_found`"),
              (status = 409, description = "`application_in_configuration`, `application_has_no_secret`"),
              (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["applications:write"]))
)]
pub async fn rotate(
    State(app): State<App>,
    key: ApiKey<ApplicationsWrite>,
    Path(id): Path<ClientId>,
    body: Option<Json<Rotate>>,
) -> Result<(StatusCode, Json<Body>), Problem> {
    let Rotate { overlap, client_secret } = body.map(|Json(body)| body).unwrap_or_default();
    let overlap = overlap.as_deref().map_or(Ok(USUAL_OVERLAP), |text| duration(text, LONGEST_OVERLAP));
    let overlap = overlap.map_err(|rule| Problem::field("overlap", "invalid_format", rule))?;
    let secret = client_secret.map(Secret::new);
    let rotated = app.grant.rotate_secret(&id, secret, overlap, key.actor()).await?;
    Ok((StatusCode::CREATED, Json(Body::of_new(&app, rotated))))
}
