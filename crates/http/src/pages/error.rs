//! A problem as a page: what happened, whether anything was lost, and the one thing to do next.

use askama::Template;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use model::{ProblemCode, RequestId};

use super::{Forms, accepts, render};
use crate::App;
use crate::brand::Brand;
use crate::extract::PORTAL_COOKIE;
use crate::messages::Language;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "error.html")]
struct Error<'a> {
    language: Language,
    product: &'a Brand,
    title: String,
    detail: String,
    description: Option<&'a str>,
    code: &'static str,
    reference: String,
    /// Whether the browser has a portal's page to go back to.
    may_go_back: bool,
}

/// The page of a problem.
pub(crate) fn page(
    app: &App,
    language: Language,
    problem: &Problem,
    request: RequestId,
    headers: &HeaderMap,
) -> Response {
    with_description(app, language, problem, None, request, headers)
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
    if accepts(headers, "text/html") {
        return with_description(app, language, problem, description, request, headers);
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
    headers: &HeaderMap,
) -> Response {
    let cookies = app.cookies().read(headers);
    let has_session = cookies.iter().any(|(name, _)| name == PORTAL_COOKIE);
    let template = Error {
        language,
        product: &app.brand,
        title: problem.heading(language),
        detail: problem.advice(language, &app.brand),
        description,
        code: problem.code.word(),
        reference: request.to_string(),
        may_go_back: has_session && !leads_elsewhere(problem.code),
    };
    let mut response = render(problem.status(), language, &template, Forms::Ours);
    problem.headers(response.headers_mut());
    response
}

/// Whether the portal's page is none, or not that of the person who reads this, or not where they came from.
const fn leads_elsewhere(code: ProblemCode) -> bool {
    matches!(
        code,
        ProblemCode::PortalSessionNeeded
            | ProblemCode::SessionChanged
            | ProblemCode::UnknownApplication
            | ProblemCode::ClientDocumentUnusable
            | ProblemCode::RedirectUriNotRegistered
            | ProblemCode::AuthorizationMalformed
            | ProblemCode::AuthorizationOver
            | ProblemCode::AuthorizationForeignBrowser
            | ProblemCode::TooManyRequests
    )
}
