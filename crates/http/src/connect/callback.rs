//! `GET /api/oauth/callback` and `GET /api/oauth/callback/{id}`: the browser comes back.

use ::connect::callback::{Arrival, Destination, Refusal};
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use super::hop::location;
use crate::App;
use crate::extract::{Path, SpokenLanguage};
use crate::layer::RequestContext;
use crate::pages;
use crate::problem::Problem;

/// The longest query that is looked at.
const MAX_QUERY: usize = 16 * 1024;

/// The address without an id, for providers that know one callback an app.
pub async fn callback(
    app: State<App>,
    query: RawQuery,
    language: SpokenLanguage,
    context: Extension<RequestContext>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    end(app, None, query, language, context, headers).await
}

/// The address with the integration's or the group's id.
pub async fn callback_of(
    app: State<App>,
    Path(id): Path<String>,
    query: RawQuery,
    language: SpokenLanguage,
    context: Extension<RequestContext>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    end(app, Some(id), query, language, context, headers).await
}

/// Ends an attempt: 303 to the product, or a page that says what went wrong.
async fn end(
    State(app): State<App>,
    path_id: Option<String>,
    RawQuery(query): RawQuery,
    SpokenLanguage(language): SpokenLanguage,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    if query.len() > MAX_QUERY {
        return Err(Problem::parameter("query", format!("is over {MAX_QUERY} characters")));
    }
    let cookies = app.cookies();
    let arrival = Arrival {
        path_id,
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        cookies: cookies.read(&headers),
    };
    let mut answer_headers = HeaderMap::new();
    let body = match app.connect.callback(&arrival).await {
        Ok(destination) => {
            app.metrics.attempt(destination.failure.map_or("completed", |code| code.word()));
            forget(&app, &mut answer_headers, destination.spent_cookie.as_deref());
            arrive(&app, language, context, &headers, &mut answer_headers, &destination)?
        }
        Err(Refusal::Refused { code, description, spent_cookie }) => {
            app.metrics.attempt(code.word());
            forget(&app, &mut answer_headers, spent_cookie.as_deref());
            let problem = Problem::new(code);
            pages::error::callback(&app, language, &problem, description.as_deref(), context.id, &headers)
        }
        Err(Refusal::Failed(error)) => return Err(error.into()),
    };
    Ok((answer_headers, body).into_response())
}

fn arrive(
    app: &App,
    language: crate::messages::Language,
    context: RequestContext,
    asked_with: &HeaderMap,
    headers: &mut HeaderMap,
    destination: &Destination,
) -> Result<Response, Problem> {
    let address = match (&destination.location, destination.failure) {
        (Some(address), _) => address.clone(),
        // Not here: code and state would stay in the address bar.
        (None, None) => pages::connected::address(app, destination),
        (None, Some(code)) => {
            let problem = Problem::new(code);
            return Ok(pages::error::page(app, language, &problem, context.id, asked_with));
        }
    };
    headers.insert(LOCATION, location(&address)?);
    Ok(StatusCode::SEE_OTHER.into_response())
}

fn forget(app: &App, headers: &mut HeaderMap, cookie: Option<&str>) {
    if let Some(name) = cookie {
        headers.append(SET_COOKIE, app.cookies().forget(name));
    }
}
