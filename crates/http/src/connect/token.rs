//! `GET|POST /api/connections/{subject}/{integration}/token`: a token that works. The hot path of the product.

use std::time::Duration;

use ::connect::access_token::{MAX_WAIT, Token, Wish};
use ::connect::parts::Which;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use model::{IntegrationId, Label, ProblemCode, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::connections::ConnectionKey;
use utoipa::{IntoParams, ToSchema};
use vault::TokenHash;

use crate::App;
use crate::extract::{ApiKey, ConnectionsToken, Json, Path, Query, duration};
use crate::problem::Problem;

/// The route of the hot path.
pub const ROUTE: &str = "/api/connections/{subject}/{integration}/token";

/// The longest `minValidity`.
const MAX_MIN_VALIDITY: Duration = Duration::from_hours(24);

/// The longest name of a part, and the longest resource.
const MAX_PART: usize = 255;

/// More than the names of the answer's members and its short values take.
const AROUND: usize = 160;

/// How good the token must be, and how long the caller can wait for it.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
    /// Which of several accounts.
    #[serde(default)]
    #[param(value_type = String, default = "default")]
    label: Label,
    /// A further token of the same consent, as the provider's entry names it: `user` at Slack.
    part: Option<String>,
    /// The token for another resource of the provider: `https://contoso.sharepoint.com`.
    resource: Option<String>,
    /// The token must be good for at least this long: `30s`, `10m`, `1h`; at most 24 h.
    min_validity: Option<String>,
    /// How long to wait for a refresh under way: at most `65s`, which is also the default.
    wait: Option<String>,
}

/// The token that the provider's API refused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// The SHA-256 of the refused access token, as 64 hex digits.
    rejected: String,
}

/// RFC 6749 §5.1, with the instant of its end and the provider's own members.
#[derive(Serialize, ToSchema)]
#[schema(as = token::Answer)]
pub struct Answer<'a> {
    /// The access token.
    access_token: &'a str,
    /// How it is used, as the provider wrote it.
    token_type: &'a str,
    /// When it ends; `null` when nobody knows.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// What was granted, separated by spaces.
    scope: &'a str,
    /// The provider's own members (`api_domain`, `instance_url` …).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    extra: Option<&'a RawValue>,
}

/// A token that works
///
/// At once when the stored one is good; otherwise after the one refresh under way.
#[utoipa::path(
    get, path = "/api/connections/{subject}/{integration}/token", tag = "tokens",
    params(("subject" = String, Path), ("integration" = String, Path), Parameters),
    responses((status = 200, body = Answer), (status = 404, description = "`connection_not_found`, `token_not_granted`"),
              (status = 409, description = "`reconnect_required`"), (status = 503, description = "`provider_unavailable`, with `Retry-After`")),
    security(("api_key" = ["connections:token"]))
)]
pub async fn token(
    State(app): State<App>,
    _: ApiKey<ConnectionsToken>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    let wish = wish(&parameters)?;
    let key = ConnectionKey { subject, integration, label: parameters.label };
    answer(&app, &app.connect.access_token(&key, &wish).await?)
}

/// A token in place of one that the provider's API refused
///
/// Refreshes once per token, never in a loop.
#[utoipa::path(
    post, path = "/api/connections/{subject}/{integration}/token", tag = "tokens", request_body = Rejected,
    params(("subject" = String, Path), ("integration" = String, Path), Parameters),
    responses((status = 200, body = Answer), (status = 404, description = "`connection_not_found`, `token_not_granted`"),
              (status = 409, description = "`reconnect_required`"), (status = 503, description = "`provider_unavailable`, with `Retry-After`")),
    security(("api_key" = ["connections:token"]))
)]
pub async fn token_instead(
    State(app): State<App>,
    _: ApiKey<ConnectionsToken>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<Parameters>,
    Json(body): Json<Rejected>,
) -> Result<Response, Problem> {
    let rejected = TokenHash::from_hex(&body.rejected).ok_or_else(|| {
        Problem::field("rejected", "invalid_format", "expected the SHA-256 of the token as 64 hex digits")
    })?;
    let wish = Wish { rejected: Some(rejected), ..wish(&parameters)? };
    let key = ConnectionKey { subject, integration, label: parameters.label };
    answer(&app, &app.connect.access_token(&key, &wish).await?)
}

fn wish(parameters: &Parameters) -> Result<Wish, Problem> {
    let read = |name, text: &Option<String>, max| {
        text.as_deref()
            .map(|text| duration(text, max).map_err(|rule| Problem::parameter(name, rule)))
            .transpose()
    };
    let which = match (&parameters.part, &parameters.resource) {
        (None, None) => Which::Own,
        (Some(part), None) if (1..=MAX_PART).contains(&part.len()) => Which::Part(part.clone()),
        (None, Some(resource)) if (1..=MAX_PART).contains(&resource.len()) => {
            Which::Resource(resource.clone())
        }
        (Some(_), Some(_)) => {
            return Err(Problem::parameter("part", "name a part or a resource, not both".to_owned()));
        }
        (Some(_), None) => return Err(Problem::parameter("part", format!("use 1 to {MAX_PART} characters"))),
        (None, Some(_)) => {
            return Err(Problem::parameter("resource", format!("use 1 to {MAX_PART} characters")));
        }
    };
    Ok(Wish {
        which,
        min_validity: read("minValidity", &parameters.min_validity, MAX_MIN_VALIDITY)?.unwrap_or_default(),
        wait: read("wait", &parameters.wait, MAX_WAIT)?,
        rejected: None,
    })
}

fn answer(app: &App, token: &Token) -> Result<Response, Problem> {
    // It was an object when it was sealed.
    let extra = token.extra.as_ref().and_then(|extra| serde_json::from_str::<&RawValue>(extra.expose()).ok());
    let members = Answer {
        access_token: token.access_token.expose(),
        token_type: &token.standing.token_type,
        expires_at: token.standing.expires_at,
        scope: &token.standing.scope,
        extra,
    };
    // Allocated once: a buffer that grew while it is written would also leave copies of the token behind.
    let length =
        members.access_token.len() + members.scope.len() + extra.map_or(0, |extra| extra.get().len());
    let mut body = Vec::with_capacity(length + AROUND);
    serde_json::to_writer(&mut body, &members).map_err(|_| Problem::new(ProblemCode::InternalError))?;
    app.metrics.tokens.inc();
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response())
}
