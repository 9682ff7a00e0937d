//! The end of an attempt where the operator configured no front end to return to.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{IntegrationId, ProblemCode};

use super::{Forms, render};
use crate::App;
use crate::extract::{Path, SpokenLanguage};
use crate::messages::Language;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "connected.html")]
struct Connected<'a> {
    language: Language,
    product: &'a str,
    title: String,
}

/// `/connect/done/{integration}`: "GitHub is connected."
pub async fn page(
    State(app): State<App>,
    Path(integration): Path<IntegrationId>,
    SpokenLanguage(language): SpokenLanguage,
) -> Result<Response, Problem> {
    let listed = app.connect.integrations().await?.into_iter().find(|listed| listed.id == integration);
    let listed = listed.ok_or_else(|| Problem::new(ProblemCode::RouteNotFound))?;
    let title = language.with("connected_page", "integration", &listed.entry.display_name);
    Ok(render(
        StatusCode::OK,
        language,
        &Connected { language, product: &app.product_name, title },
        Forms::Ours,
    ))
}
