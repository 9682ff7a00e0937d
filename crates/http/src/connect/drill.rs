//! `POST /api/connections/{subject}/{integration}/simulate-failure`: how it looks when a grant dies, for real.

use std::sync::Arc;

use ::connect::drill::{Drill, Drilled, PageRow, ProviderAnswer};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use model::{IntegrationId, ProblemCode, SubjectId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connections::KeyParameters;
use crate::App;
use crate::extract::{Admin, ApiKey, Json, Lines, Path, Query};
use crate::pages::portal::in_words;
use crate::problem::Problem;

/// Whether it is meant.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// Play it although the provider may end the whole grant for it.
    #[serde(default)]
    yes_really: bool,
}

impl FromRequest<App> for Order {
    type Rejection = Problem;

    /// No body is an order without more.
    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), app)
            .await
            .map_err(|_| Problem::new(ProblemCode::PayloadTooLarge))?;
        if body.is_empty() {
            return Ok(Self::default());
        }
        Json::from_request(Request::from_parts(parts, body.into()), app).await.map(|Json(order)| order)
    }
}

/// What was shown.
#[derive(Serialize, ToSchema)]
#[schema(as = drill::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// `dead`: as it was meant. `tokens`: the provider gave some for a token that it never issued; they were dropped.
    /// `unavailable`, `configuration`: it said nothing of the grant. `overtaken`: new tokens came from elsewhere meanwhile.
    outcome: &'static str,
    /// What the provider said last; `null` when it was not called.
    answer: Option<AnswerBody>,
    /// How often it was called.
    attempts: u32,
    /// What the product's backend gets that asks for the token; `null` when there was nothing to get.
    backend: Option<BackendBody>,
    /// What the customer's page says of the connection.
    page: String,
    /// Whether token and state are as before.
    restored: bool,
}

/// The provider's answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnswerBody {
    /// Its error code, or a word for what happened; `null` when it gave tokens.
    error: Option<String>,
    /// What that means: `dead`, `configuration`, `throttled` …; `null` when it gave tokens.
    class: Option<&'static str>,
    /// How long the call took, in milliseconds.
    took_ms: u64,
}

/// What the product's backend gets.
#[derive(Serialize, ToSchema)]
pub struct BackendBody {
    /// The status.
    status: u16,
    /// The problem's code; `null` for a token.
    code: Option<&'static str>,
    /// Why the person has to connect again.
    reason: Option<&'static str>,
}

impl From<ProviderAnswer> for AnswerBody {
    fn from(answer: ProviderAnswer) -> Self {
        let took_ms = u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX);
        Self { error: answer.error, class: answer.class, took_ms }
    }
}

impl From<Drilled> for Body {
    fn from(drilled: Drilled) -> Self {
        let backend = drilled.backend;
        Self {
            outcome: drilled.outcome,
            answer: drilled.answer.map(AnswerBody::from),
            attempts: drilled.attempts,
            backend: backend.map(|gets| BackendBody {
                status: gets.status,
                code: gets.code,
                reason: gets.reason,
            }),
            page: drilled.page,
            restored: drilled.restored,
        }
    }
}

/// Play the death of a grant
///
/// The refresh token is set aside, and one that is none is sent to the provider, so that it refuses; what the product's backend
/// and the customer's page make of that is shown, and token and state are put back whatever happens in between. Nobody else
/// refreshes meanwhile, nothing is retried that is not retried otherwise, no circuit opens and no event is sent. Reads get
/// `reconnect_required` for the moment in which the state stands there.
///
/// A provider whose refresh tokens work once may take the attempt for a theft and end the whole grant: there it needs
/// `yesReally`. With `Accept: application/jsonl` every step is a line of JSON as it happens, and the last line has `result` or
/// `problem`.
#[utoipa::path(
    post, path = "/api/connections/{subject}/{integration}/simulate-failure", tag = "connections",
    request_body = Option<Order>,
    params(("subject" = String, Path), ("integration" = String, Path), KeyParameters),
    responses((status = 200, body = Body), (status = 404, description = "`connection_not_found`"),
              (status = 409, description = "`reconnect_required`, `no_refresh_token`, `grant_at_risk`"),
              (status = 503, description = "`refresh_under_way`, `provider_unavailable`, with `Retry-After`")),
    security(("api_key" = ["admin"]))
)]
pub async fn simulate_failure(
    State(app): State<App>,
    api_key: ApiKey<Admin>,
    Path((subject, integration)): Path<(SubjectId, IntegrationId)>,
    Query(parameters): Query<KeyParameters>,
    lines: Lines,
    order: Order,
) -> Response {
    let language = lines.language();
    let drill = Drill {
        key: parameters.key(subject, integration),
        yes_really: order.yes_really,
        by: api_key.actor(),
        words: Arc::new({
            let app = app.clone();
            move |row: &PageRow<'_>| {
                let broken = row.broken.map(|reason| (app.clock.now(), reason));
                in_words(language, &app.brand, row.integration, broken)
            }
        }),
    };
    let work = |progress| async move { Ok(Body::from(app.connect.simulate_failure(drill, progress).await?)) };
    lines.answer(work).await
}
