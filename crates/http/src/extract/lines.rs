use std::convert::Infallible;
use std::future::Future;

use ::connect::progress::Progress;
use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use model::{ProblemCode, RequestId};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{AbortHandle, JoinHandle};
use tracing::{Instrument, Span, error, warn};

use super::Json;
use crate::App;
use crate::layer::RequestContext;
use crate::messages::Language;
use crate::problem::Problem;

/// What a caller says who wants to hear how long work goes: each step is a line of JSON as it happens, and the last
/// line has `result`, or `problem`.
const JSON_LINES: &str = "application/jsonl";

/// How the caller wants long work answered: line by line, or only its result.
pub struct Lines {
    wanted: bool,
    language: Language,
    request: Option<RequestId>,
}

impl FromRequestParts<App> for Lines {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self {
            wanted: accept.contains(JSON_LINES),
            language: Language::negotiate(&parts.headers, app.default_language),
            request: parts.extensions.get::<RequestContext>().map(|context| context.id),
        })
    }
}

impl Lines {
    /// The language of what is told.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Does the work, which a caller that goes away does not stop once it is told line by line.
    pub async fn answer<S, T, W>(self, work: impl FnOnce(Progress<S>) -> W) -> Response
    where
        S: Serialize + Send + 'static,
        T: Serialize + Send + 'static,
        W: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        self.answer_with(false, work).await
    }

    /// The same for work that only reads: it stops when the caller goes away.
    pub async fn answer_while_heard<S, T, W>(self, work: impl FnOnce(Progress<S>) -> W) -> Response
    where
        S: Serialize + Send + 'static,
        T: Serialize + Send + 'static,
        W: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        self.answer_with(true, work).await
    }

    async fn answer_with<S, T, W>(self, stops_unheard: bool, work: impl FnOnce(Progress<S>) -> W) -> Response
    where
        S: Serialize + Send + 'static,
        T: Serialize + Send + 'static,
        W: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        if !self.wanted {
            return work(Progress::unheard()).await.map(Json).into_response();
        }
        let (progress, steps) = Progress::heard();
        let ended = tokio::spawn(work(progress).instrument(Span::current()));
        let stop = stops_unheard.then(|| StopOnDrop(ended.abort_handle()));
        let telling = Telling::Steps { steps, ended, stop, language: self.language, request: self.request };
        let lines = stream::unfold(telling, Telling::next);
        let mut response = Body::from_stream(lines).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_LINES));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Stops work whose listener has gone away.
struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

enum Telling<S, T> {
    Steps {
        steps: UnboundedReceiver<S>,
        ended: JoinHandle<Result<T, Problem>>,
        stop: Option<StopOnDrop>,
        language: Language,
        request: Option<RequestId>,
    },
    Over,
}

impl<S: Serialize, T: Serialize> Telling<S, T> {
    async fn next(self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let Self::Steps { mut steps, ended, stop, language, request } = self else { return None };
        if let Some(step) = steps.recv().await {
            let line = line(&step);
            return Some((Ok(line), Self::Steps { steps, ended, stop, language, request }));
        }
        // The work has let go of its end: it is over.
        let ended = ended.await.unwrap_or_else(|error| {
            warn!(outcome = "failure", %error, "work.interrupted");
            Err(Problem::new(ProblemCode::InternalError))
        });
        let last = match ended {
            Ok(result) => json!({ "result": result }),
            Err(problem) => {
                // The layer around has seen a 200, and logs no cause.
                if let Some(cause) = problem.led_to_by() {
                    error!(request_id = ?request.map(|id| id.to_string()), outcome = "failure", cause, "work.failed");
                }
                json!({ "problem": problem.members(language, request) })
            }
        };
        Some((Ok(line(&last)), Self::Over))
    }
}

/// One line; what can't be written as JSON does not happen, and would be an empty one.
fn line(value: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_value(value).unwrap_or(Value::Null).to_string();
    line.push('\n');
    line.into()
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Notify, oneshot};

    use super::*;

    fn lines() -> Lines {
        Lines { wanted: true, language: Language::English, request: None }
    }

    #[tokio::test]
    async fn work_that_only_reads_stops_when_its_caller_goes_away() {
        let (held, dropped) = oneshot::channel::<()>();
        let work = |_: Progress<Value>| async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(Value::Null)
        };
        drop(lines().answer_while_heard(work).await);
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    async fn other_work_goes_on_when_its_caller_goes_away() {
        let (done, is_done) = oneshot::channel();
        let gone = std::sync::Arc::new(Notify::new());
        let gone_too = gone.clone();
        let work = |_: Progress<Value>| async move {
            gone_too.notified().await;
            let _ = done.send(());
            Ok(Value::Null)
        };
        drop(lines().answer(work).await);
        gone.notify_one();
        assert!(is_done.await.is_ok());
    }
}
