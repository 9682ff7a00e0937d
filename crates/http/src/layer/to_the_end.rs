//! What is begun is finished, also when whoever asked for it hangs up.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::ProblemCode;
use tracing::Instrument;

use crate::problem::Problem;

/// Runs a handler as a task of its own. hyper drops one whose client has hung up: a deed would be done, and its trace in the audit
/// trail never written.
pub async fn to_the_end(request: Request, next: Next) -> Response {
    let handler = tokio::spawn(next.run(request).in_current_span());
    match handler.await {
        Ok(response) => response,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down.
            Err(_) => Problem::new(ProblemCode::TemporarilyUnavailable).into_response(),
        },
    }
}
