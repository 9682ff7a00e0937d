//! `GET /connect/start/{ticket}`: our own step on the way to the provider.

use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::ProblemCode;

use crate::App;
use crate::extract::Path;
use crate::problem::Problem;

/// Opens the one-time link, binds the browser, and goes on to the provider with 303.
pub async fn depart(State(app): State<App>, Path(ticket): Path<String>) -> Result<Response, Problem> {
    let departure = app.connect.depart(&ticket).await?;
    let cookie = departure.cookie;
    let mut headers = HeaderMap::new();
    headers.append(SET_COOKIE, app.cookies().set(&cookie.name, &cookie.value, cookie.max_age));
    headers.insert(LOCATION, location(departure.location.expose())?);
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// An address as a header. What we redirect to was parsed as a URL, so it is ASCII without control characters.
pub(crate) fn location(url: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(url).map_err(|_| Problem::new(ProblemCode::InternalError))
}
