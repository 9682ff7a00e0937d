//! `/api/providers`: what the catalog knows. Data of the program and of the operator's own files; no secrets.

use std::collections::BTreeMap;

use axum::extract::State;
use model::{ProviderId, Scopes};
use provider::catalog::Entry;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::extract::{ApiKey, ConnectionsRead, Json, Path};
use crate::problem::Problem;

/// All providers.
#[derive(Serialize, ToSchema)]
#[schema(as = providers::Answer)]
pub struct Answer {
    providers: Vec<Row>,
}

/// A provider, in short.
#[derive(Serialize, ToSchema)]
#[schema(as = providers::Row)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its name.
    #[schema(value_type = String)]
    id: ProviderId,
    /// What a person calls it.
    display_name: String,
    category: String,
    /// The group that one consent connects.
    group: Option<String>,
}

/// A provider.
#[derive(Serialize, ToSchema)]
#[schema(as = providers::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[serde(flatten)]
    row: Row,
    /// Where its documentation of OAuth stands.
    documentation: String,
    /// Scopes that are asked for unless the integration names others.
    #[schema(value_type = Vec<String>)]
    default_scopes: Scopes,
    /// What an integration has to say besides app credentials, and what each means.
    parameters: BTreeMap<String, String>,
    /// Its data centres, where it has several.
    regions: Vec<String>,
    /// What of the entry is not taken from the provider's documentation.
    unverified: Vec<String>,
}

impl From<&Entry> for Row {
    fn from(entry: &Entry) -> Self {
        Self {
            id: entry.id.clone(),
            display_name: entry.display_name.clone(),
            category: entry.category.clone(),
            group: entry.group.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&Entry> for Body {
    fn from(entry: &Entry) -> Self {
        let parameters = entry.parameters.iter().map(|(name, known)| (name.clone(), known.meaning.clone()));
        let regions = entry.regions.iter().flat_map(|regions| regions.rows.keys());
        Self {
            row: Row::from(entry),
            documentation: entry.documentation.clone(),
            default_scopes: entry.default_scopes.clone(),
            parameters: parameters.collect(),
            regions: regions.cloned().collect(),
            unverified: entry.unverified.clone(),
        }
    }
}

/// List providers
#[utoipa::path(
    get, path = "/api/providers", tag = "integrations",
    responses((status = 200, body = Answer)), security(("api_key" = ["connections:read"]))
)]
pub async fn list(State(app): State<App>, _: ApiKey<ConnectionsRead>) -> Json<Answer> {
    Json(Answer { providers: app.connect.providers().map(|entry| Row::from(entry.as_ref())).collect() })
}

/// Inspect a provider
#[utoipa::path(
    get, path = "/api/providers/{provider}", tag = "integrations", params(("provider" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`provider_not_found`")),
    security(("api_key" = ["connections:read"]))
)]
pub async fn get(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Path(provider): Path<ProviderId>,
) -> Result<Json<Body>, Problem> {
    Ok(Json(Body::from(app.connect.provider(&provider)?.as_ref())))
}
