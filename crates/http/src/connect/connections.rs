//! `/api/connections`: list, inspect, import, metadata, refresh, disconnect. Never a token.

use ::connect::connections::Import;
use axum::extract::State;
use axum::response::Response;
use model::{
    AccessToken, Account, ConnectionId, ConnectionState, IntegrationId, Label, RefreshToken, Scopes,
    SubjectId, Timestamp, TokenExtra,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::connections::{Connection, ConnectionKey, Filter, StateFilter};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::extract::{ApiKey, ConnectionsRead, ConnectionsWrite, Json, Lines, Path, Query};
use crate::problem::{Problem, reconnect};

/// The longest token that is imported, in octets.
const MAX_TOKEN: usize = 64 * 1024;
/// The largest metadata of one write, in octets of JSON.
const MAX_METADATA: usize = 16 * 1024;
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// How many connections a page has.
pub(crate) fn page_limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Problem::parameter("limit", format!("use 1 to {MAX_LIMIT}"))),
    }
}

/// One more than asked for tells whether there is a next page.
pub(crate) fn first_page<T>(mut found: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    (found, more)
}

/// Which connections.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListParameters {
    /// Of this subject.
    #[param(value_type = Option<String>)]
    subject: Option<SubjectId>,
    /// At this integration.
    #[param(value_type = Option<String>)]
    integration: Option<IntegrationId>,
    /// In this state.
    #[param(inline)]
    status: Option<StatusFilter>,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<ConnectionId>,
    /// How many, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A state to filter by.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusFilter {
    /// Works as far as we know.
    Active,
    /// Needs the person.
    Broken,
    /// Kept without tokens.
    Disconnected,
}

/// Which of several accounts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct KeyParameters {
    /// Tells several accounts of one subject at one integration apart.
    #[serde(default)]
    #[param(value_type = String, default = "default")]
    label: Label,
}

impl KeyParameters {
    pub(super) fn key(self, subject: SubjectId, integration: IntegrationId) -> ConnectionKey {
        ConnectionKey { subject, integration, label: self.label }
    }
}

/// A page of connections.
#[derive(Serialize, ToSchema)]
#[schema(as = connections::Page)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    connections: Vec<Body>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<ConnectionId>,
}

/// A connection. Never its tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = connections::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[schema(value_type = String)]
    id: ConnectionId,
    #[schema(value_type = String)]
    subject: SubjectId,
    #[schema(value_type = String)]
    integration: IntegrationId,
    #[schema(value_type = String)]
    label: Label,
    /// `active`, `expiring`, `expired`, `broken` or `disconnected`.
    status: &'static str,
    /// Why it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The account at the provider.
    account: Option<AccountBody>,
    /// What was asked for.
    #[schema(value_type = Vec<String>)]
    requested_scopes: Scopes,
    /// What was granted.
    #[schema(value_type = Vec<String>)]
    scopes: Scopes,
    /// What was asked for and not granted.
    #[schema(value_type = Vec<String>)]
    scopes_missing: Scopes,
    /// What the integration asks for by now and this connection was not asked for.
    #[schema(value_type = Vec<String>)]
    scopes_drift: Scopes,
    /// Where to begin to let the person connect again; there where that would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    reconnect: Option<String>,
    has_refresh_token: bool,
    /// When the access token ends; `null` when nobody knows.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    connected_at: Timestamp,
    /// Who connected it: an API key's id, or a page.
    connected_by: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    refreshed_at: Option<Timestamp>,
    /// When the background refreshes it next, at the earliest; `null` when only reads do.
    #[schema(value_type = Option<String>, format = DateTime)]
    refresh_due_at: Option<Timestamp>,
    /// When the person has to consent anew, however often it is refreshed; `null` where the provider sets no such day.
    #[schema(value_type = Option<String>, format = DateTime)]
    grant_ends_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    disconnected_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnected_by: Option<String>,
    /// What the last refresh that failed said.
    last_error: Option<String>,
    /// Counts the writes to the connection; a write may state the one that it saw.
    generation: i64,
    /// The product's own data.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// An account at a provider.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountBody {
    /// The provider's own id of it.
    pub id: String,
    /// What a person recognises.
    pub name: Option<String>,
}

impl From<Account> for AccountBody {
    fn from(account: Account) -> Self {
        Self { id: account.id, name: account.name }
    }
}

impl Body {
    async fn of(app: &App, connection: Connection) -> Result<Self, Problem> {
        let drift = app.connect.scopes_drift(&connection).await?;
        Ok(Self::new(app, connection, drift))
    }

    fn new(app: &App, connection: Connection, scopes_drift: Scopes) -> Self {
        let status = app.connect.word(&connection);
        let is_connected = connection.credential.is_some();
        let scopes_missing = if is_connected {
            connection.requested_scopes.missing_in(&connection.granted_scopes)
        } else {
            Scopes::default()
        };
        let is_broken = matches!(connection.state, ConnectionState::Broken { .. });
        let helps = is_broken || !scopes_missing.is_empty() || !scopes_drift.is_empty();
        let reconnect = (is_connected && helps).then(|| reconnect(&connection.key));
        let (mut reason, mut disconnected) = (None, None);
        match connection.state {
            ConnectionState::Active => {}
            ConnectionState::Broken { reason: why, .. } => reason = Some(why.word()),
            ConnectionState::Disconnected { at, by } => disconnected = Some((at, by)),
        }
        let (disconnected_at, disconnected_by) = disconnected.unzip();
        Self {
            id: connection.id,
            subject: connection.key.subject,
            integration: connection.key.integration,
            label: connection.key.label,
            status,
            reason,
            account: connection.account.map(AccountBody::from),
            scopes_missing,
            scopes_drift,
            reconnect,
            requested_scopes: connection.requested_scopes,
            scopes: connection.granted_scopes,
            has_refresh_token: connection.has_refresh_token,
            expires_at: connection.expires_at,
            connected_at: connection.connected_at,
            connected_by: connection.connected_by,
            refreshed_at: connection.refreshed_at,
            refresh_due_at: connection.due_at,
            grant_ends_at: connection.grant_ends_at,
            updated_at: connection.updated_at,
            disconnected_at,
            disconnected_by,
            last_error: connection.last_error,
            generation: connection.generation,
            metadata: connection.metadata,
        }
    }
}

/// List connections
#[utoipa::path(
    get, path = "/api/connections", tag = "connections", params(ListParameters),
    responses((status = 200, body = Page)), security(("api_key" = ["connections:read"]))
)]
pub async fn list(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Page>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let filter = Filter {
        subject: parameters.subject,
        integration: parameters.integration,
        state: parameters.status.map(|status| match status {
            StatusFilter::Active => StateFilter::Active,
            StatusFilter::Broken => StateFilter::Broken,
            StatusFilter::Disconnected => StateFilter::Disconnected,
        }),
    };
    let (found, more) = first_page(app.connect.list(&filter, parameters.cursor, limit + 1).await?, limit);
    let next_cursor = if more { found.last().map(|connection| connection.id) } else { None };
    let mut connections = Vec::with_capacity(found.len());
    for connection in found {
        connections.push(Body::of(&app, connection).await?);
    }
    Ok(Json(Page { connections, next_cursor }))
}

/// Inspect a connection
#[utoipa::path(
    get, path = "/api/connections/{subject}/{integration}", tag = "connections",
    params(("subject" = String, Path), ("integration" = String, Path), KeyParameters),
    responses((status = 200, body = Body), (status = 404, description = "`connection_not_found`")),
    security(("api_key" = ["connections:read"]))
)]
pub async fn inspect(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<KeyParameters>,
) -> Result<Json<Body>, Problem> {
    let connection = app.connect.inspect(&parameters.key(subject, integration)).await?;
    Ok(Json(Body::of(&app, connection).await?))
}

/// Tokens that the product already has. A refresh token alone is enough.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportBody {
    access_token: Option<String>,
    refresh_token: Option<String>,
    /// `Bearer` without it.
    token_type: Option<String>,
    /// When the access token ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// What was granted; without it, what the integration asks for.
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Option<Scopes>,
    /// The provider's own members, handed out with the token.
    #[schema(value_type = Option<Object>)]
    extra: Option<Map<String, Value>>,
    account: Option<AccountBody>,
    /// The data centre whose tokens these are, where the provider has several (`eu`).
    region: Option<String>,
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// Import tokens
#[utoipa::path(
    put, path = "/api/connections/{subject}/{integration}", tag = "connections", request_body = ImportBody,
    params(("subject" = String, Path), ("integration" = String, Path), KeyParameters),
    responses((status = 200, body = Body), (status = 404, description = "`integration_not_found`"), (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["connections:write"]))
)]
pub async fn import(
    State(app): State<App>,
    api_key: ApiKey<ConnectionsWrite>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<KeyParameters>,
    Json(body): Json<ImportBody>,
) -> Result<Json<Body>, Problem> {
    if body.access_token.is_none() && body.refresh_token.is_none() {
        return Err(Problem::field(
            "accessToken",
            "required",
            "give an access token, a refresh token, or both",
        ));
    }
    check_token("accessToken", body.access_token.as_deref())?;
    check_token("refreshToken", body.refresh_token.as_deref())?;
    let token_type = body.token_type.unwrap_or_else(|| "Bearer".to_owned());
    if token_type.is_empty() || token_type.len() > 64 || !token_type.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::field(
            "tokenType",
            "invalid_format",
            "expected 1 to 64 printable ASCII characters",
        ));
    }
    if body.scopes.as_ref().is_some_and(|scopes| !scopes.is_well_formed()) {
        return Err(Problem::field("scopes", "invalid_format", "expected scope tokens of RFC 6749 §3.3"));
    }
    if let Some(account) = &body.account {
        let visible = |text: &str| {
            !text.is_empty() && text.chars().count() <= 256 && !text.chars().any(char::is_control)
        };
        if !visible(&account.id) || !account.name.as_deref().is_none_or(visible) {
            let rule = "expected an id and a name of 1 to 256 characters without control characters";
            return Err(Problem::field("account", "invalid_format", rule));
        }
    }
    check_metadata(&body.metadata)?;
    let extra = body.extra.map(|extra| Value::Object(extra).to_string());
    if extra.as_ref().is_some_and(|extra| extra.len() > MAX_TOKEN) {
        return Err(Problem::field("extra", "too_long", format!("expected at most {MAX_TOKEN} octets")));
    }
    let import = Import {
        access_token: body.access_token.map(AccessToken::from),
        refresh_token: body.refresh_token.map(RefreshToken::from),
        token_type,
        expires_at: body.expires_at,
        scopes: body.scopes,
        extra: extra.map(TokenExtra::from),
        account: body.account.map(|account| Account { id: account.id, name: account.name }),
        region: body.region,
        metadata: body.metadata,
    };
    let connection =
        app.connect.import(&parameters.key(subject, integration), import, api_key.actor()).await?;
    Ok(Json(Body::of(&app, connection).await?))
}

/// A change to a connection.
#[derive(Deserialize, ToSchema)]
#[schema(as = connections::Patch)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Merged into the metadata; `null` removes a member (RFC 7396).
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// Write only if the connection still has this generation.
    generation: Option<i64>,
}

/// Change metadata
#[utoipa::path(
    patch, path = "/api/connections/{subject}/{integration}", tag = "connections", request_body = Patch,
    params(("subject" = String, Path), ("integration" = String, Path), KeyParameters),
    responses((status = 200, body = Body), (status = 404, description = "`connection_not_found`"), (status = 409, description = "`generation_conflict`")),
    security(("api_key" = ["connections:write"]))
)]
pub async fn patch(
    State(app): State<App>,
    _: ApiKey<ConnectionsWrite>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<KeyParameters>,
    Json(body): Json<Patch>,
) -> Result<Json<Body>, Problem> {
    check_metadata(&body.metadata)?;
    let key = parameters.key(subject, integration);
    let connection = app.connect.merge_metadata(&key, &body.metadata, body.generation).await?;
    Ok(Json(Body::of(&app, connection).await?))
}

/// Refresh now, even when nothing is due
///
/// With `Accept: application/jsonl` every step of the refresh is a line of JSON as it happens, and the last line has `result`
/// or `problem`.
#[utoipa::path(
    post, path = "/api/connections/{subject}/{integration}/refresh", tag = "connections",
    params(("subject" = String, Path), ("integration" = String, Path), KeyParameters),
    responses((status = 200, body = Body), (status = 404, description = "`connection_not_found`"),
              (status = 409, description = "`reconnect_required`"), (status = 503, description = "`provider_unavailable`")),
    security(("api_key" = ["connections:write"]))
)]
pub async fn refresh(
    State(app): State<App>,
    _: ApiKey<ConnectionsWrite>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<KeyParameters>,
    lines: Lines,
) -> Response {
    let key = parameters.key(subject, integration);
    let work = |progress| async move {
        app.connect.force_refresh(&key, &progress).await?;
        let connection = app.connect.inspect(&key).await?;
        Body::of(&app, connection).await
    };
    lines.answer(work).await
}

/// A connection that is no more.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisconnectedBody {
    /// The row that stays.
    connection: Body,
    /// What became of the grant at the provider: `succeeded`, `already_gone`, `pending` (asked again in the background),
    /// `unsupported` (the provider has no way), `shared` (another connection stands on the same consent).
    revocation: &'static str,
}

/// Disconnect
///
/// From this moment on nobody gets the token. The grant is given back to the provider, best effort: that never makes the
/// disconnect fail, and delays its answer by at most ten seconds. The row stays.
#[utoipa::path(
    delete, path = "/api/connections/{subject}/{integration}", tag = "connections",
    params(("subject" = String, Path), ("integration" = String, Path), KeyParameters),
    responses((status = 200, body = DisconnectedBody), (status = 404, description = "`connection_not_found`")),
    security(("api_key" = ["connections:write"]))
)]
pub async fn disconnect(
    State(app): State<App>,
    api_key: ApiKey<ConnectionsWrite>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<KeyParameters>,
) -> Result<Json<DisconnectedBody>, Problem> {
    let done = app.connect.disconnect(&parameters.key(subject, integration), api_key.actor()).await?;
    let revocation = done.revocation.word();
    Ok(Json(DisconnectedBody { connection: Body::of(&app, done.connection).await?, revocation }))
}

fn check_token(field: &str, token: Option<&str>) -> Result<(), Problem> {
    match token {
        Some(token)
            if token.is_empty()
                || token.len() > MAX_TOKEN
                || !token.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            let rule = format!("expected 1 to {MAX_TOKEN} printable ASCII characters without spaces");
            Err(Problem::field(field, "invalid_format", rule))
        }
        _ => Ok(()),
    }
}

fn check_metadata(metadata: &Map<String, Value>) -> Result<(), Problem> {
    let size = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
    if size > MAX_METADATA {
        return Err(Problem::field(
            "metadata",
            "too_long",
            format!("expected at most {MAX_METADATA} octets of JSON"),
        ));
    }
    Ok(())
}
