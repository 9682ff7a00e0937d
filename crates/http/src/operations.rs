//! Health, metrics and the `OpenAPI` document: for whoever runs the process.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use model::ProblemCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;

use crate::App;
use crate::extract::Json;
use crate::problem::Problem;

/// How long readiness waits for the store.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The process lives, or is ready.
#[derive(Serialize, ToSchema)]
pub struct Health {
    status: &'static str,
}

/// Liveness
///
/// The process answers. Nothing else is looked at, so that a store that is down does not restart it.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Readiness
///
/// The store answers, and the process is not stopping and has the newest data key.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Health), (status = 503, description = "`not_ready`, `keys_outdated`, `store_unavailable`")))]
pub async fn readyz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    if app.stopping.load(Ordering::Relaxed) {
        return Err(Problem::new(ProblemCode::NotReady).retry_after(Duration::from_secs(1)));
    }
    app.connect.may_seal()?;
    match tokio::time::timeout(READY_WITHIN, app.store.ping()).await {
        Ok(Ok(())) => Ok(Json(Health { status: "ready" })),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Problem::new(ProblemCode::StoreUnavailable).retry_after(Duration::from_secs(1))),
    }
}

/// Metrics
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text")))]
pub async fn metrics(State(app): State<App>) -> Response {
    let content_type = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(CONTENT_TYPE, content_type)], app.metrics.text()).into_response()
}

/// The description of the backend's API, made from the handlers themselves.
pub async fn openapi() -> Response {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT.as_str()).into_response()
}

/// The `OpenAPI` 3.1 document.
pub fn document() -> OpenApi {
    crate::router::described().1
}
