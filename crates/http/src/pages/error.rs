//! A problem as a page: what happened, whether anything was lost, and the one thing to do next.

use askama::Template;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};
use model::RequestId;

use super::{Forms, render};
use crate::App;
use crate::messages::Language;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "error.html")]
struct Error<'a> {
    language: Language,
    product: &'a str,
    title: String,
    detail: String,
    description: Option<&'a str>,
    code: &'static str,
    reference: String,
}

/// The page of a problem.
pub(crate) fn page(app: &App, language: Language, problem: &Problem, request: RequestId) -> Response {
    with_description(app, language, problem, None, request)
}

/// A callback that was refused: a page for a browser, a problem document for a program. The provider's own description
/// is escaped by the template.
pub(crate) fn callback(
    app: &App,
    language: Language,
    problem: &Problem,
    description: Option<&str>,
    request: RequestId,
    headers: &HeaderMap,
) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return with_description(app, language, problem, description, request);
    }
    let problem = problem.clone();
    match description {
        Some(description) => problem.member("error_description", description).into_response(),
        None => problem.into_response(),
    }
}

fn with_description(
    app: &App,
    language: Language,
    problem: &Problem,
    description: Option<&str>,
    request: RequestId,
) -> Response {
    let template = Error {
        language,
        product: &app.product_name,
        title: problem.title(language),
        detail: problem.detail(language),
        description,
        code: problem.code.word(),
        reference: request.to_string(),
    };
    let mut response = render(problem.status(), language, &template, Forms::Ours);
    problem.headers(response.headers_mut());
    response
}
