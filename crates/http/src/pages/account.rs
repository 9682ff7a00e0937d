//! `/connect/account/{link}`: the person signed in with another account than before, and says which one counts.
//!
//! The link is the proof: it carries 256 random bits and was given to the browser that consented. It works once.

use ::connect::callback::question::Answer;
use askama::Template;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use model::Account;
use url::form_urlencoded;

use super::{Forms, connected, error, render};
use crate::App;
use crate::brand::Brand;
use crate::connect::hop::location;
use crate::extract::{Path, SpokenLanguage};
use crate::layer::RequestContext;
use crate::messages::{Language, isolated};
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "account.html")]
struct Page<'a> {
    language: Language,
    product: &'a Brand,
    integration: &'a str,
    before: &'a str,
    after: &'a str,
    link: &'a str,
}

/// The question.
pub async fn page(
    State(app): State<App>,
    Path(link): Path<String>,
    SpokenLanguage(language): SpokenLanguage,
) -> Result<Response, Problem> {
    let asked = app.connect.asked(&link).await?;
    let template = Page {
        language,
        product: &app.brand,
        integration: &asked.integration,
        before: &isolated(name(&asked.before)),
        after: &isolated(name(&asked.after)),
        link: &link,
    };
    Ok(render(StatusCode::OK, language, &template, Forms::Provider))
}

/// The answer: 303 to the product, which learns how it ended.
pub async fn answer(
    State(app): State<App>,
    Path(link): Path<String>,
    SpokenLanguage(language): SpokenLanguage,
    Extension(context): Extension<RequestContext>,
    asked_with: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let answer = choice(&body)?;
    let destination = app.connect.answer(&link, answer).await?;
    app.metrics.attempt(destination.failure.map_or("completed", |code| code.word()));
    let address = match (&destination.location, destination.failure) {
        (Some(address), _) => address.clone(),
        (None, None) => connected::address(&app, &destination),
        (None, Some(code)) => {
            return Ok(error::page(&app, language, &Problem::new(code), context.id, &asked_with));
        }
    };
    let headers = HeaderMap::from_iter([(LOCATION, location(&address)?)]);
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// What the page's buttons send: `account=new` or `account=old`.
fn choice(body: &[u8]) -> Result<Answer, Problem> {
    let mut fields = form_urlencoded::parse(body);
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) if name == "account" && value == "new" => Ok(Answer::Replace),
        (Some((name, value)), None) if name == "account" && value == "old" => Ok(Answer::Keep),
        _ => Err(Problem::parameter("account", "is `new` or `old`".to_owned())),
    }
}

fn name(account: &Account) -> &str {
    account.name.as_deref().unwrap_or(&account.id)
}
