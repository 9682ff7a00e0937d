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
use tokio::task::JoinHandle;
use tracing::{Instrument, Span, warn};

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
        if !self.wanted {
            return work(Progress::unheard()).await.map(Json).into_response();
        }
        let (progress, steps) = Progress::heard();
        let ended = tokio::spawn(work(progress).instrument(Span::current()));
        let telling = Telling::Steps { steps, ended, language: self.language, request: self.request };
        let lines = stream::unfold(telling, Telling::next);
        let mut response = Body::from_stream(lines).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_LINES));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

enum Telling<S, T> {
    Steps {
        steps: UnboundedReceiver<S>,
        ended: JoinHandle<Result<T, Problem>>,
        language: Language,
        request: Option<RequestId>,
    },
    Over,
}

impl<S: Serialize, T: Serialize> Telling<S, T> {
    async fn next(self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let Self::Steps { mut steps, ended, language, request } = self else { return None };
        if let Some(step) = steps.recv().await {
            let line = line(&step);
            return Some((Ok(line), Self::Steps { steps, ended, language, request }));
        }
        // The work has let go of its end: it is over.
        let ended = ended.await.unwrap_or_else(|error| {
            warn!(outcome = "failure", %error, "work.interrupted");
            Err(Problem::new(ProblemCode::InternalError))
        });
        let last = match ended {
            Ok(result) => json!({ "result": result }),
            Err(problem) => json!({ "problem": problem.members(language, request) }),
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
