//! `/portal/onboarding`: connect your tools, then go on.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{ConnectionState, Label, Origin, PortalPage, PortalSessionId};

use super::rows::{Row, Standing, notice_above, onboarding_rows};
use super::{Arrival, Parameters, SESSION, Visit, arrive, depart, part, path, pressed, see};
use crate::App;
use crate::brand::Brand;
use crate::connect::hop::location;
use crate::extract::{OwnForm, PORTAL_COOKIE, Path, Query, Visitor};
use crate::messages::Language;
use crate::pages::{Forms, Notice, render, with_form};
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "onboarding.html")]
struct Onboarding<'a> {
    language: Language,
    product: &'a Brand,
    page: &'static str,
    session: PortalSessionId,
    above: Option<Notice>,
    rows: Vec<Row>,
    may_go_on: bool,
    name: Option<&'a str>,
}

/// The page.
pub async fn page(
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
    visitor: Result<Visitor, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let visit = match arrive(&app, PortalPage::Onboarding, parameters, visitor, &headers).await? {
        Arrival::Visit(visit) => visit,
        Arrival::Onward(response) => return Ok(response),
    };
    let rows = onboarding_rows(&app, &visit);
    let above = notice_above(&visit, &rows);
    let Visit { session, language, name, shelf, .. } = *visit;
    let template = Onboarding {
        language,
        product: &app.brand,
        page: PortalPage::Onboarding.word(),
        session: session.id,
        may_go_on: shelf.connections.iter().any(|connection| connection.state == ConnectionState::Active),
        above,
        rows,
        name: name.as_deref(),
    };
    Ok(with_form(render(StatusCode::OK, language, &template, Forms::Provider)))
}

/// The Connect button: begins an attempt and goes to the hop.
pub async fn connect(
    State(app): State<App>,
    Visitor(session): Visitor,
    Path(bucket): Path<String>,
    _: OwnForm,
    body: Bytes,
) -> Result<Response, Problem> {
    pressed(&session, &body, &[SESSION])?;
    depart(&app, &session, &bucket, Label::default(), Origin::Onboarding).await
}

/// The Disconnect button, after its question was answered.
pub async fn disconnect(
    State(app): State<App>,
    Visitor(session): Visitor,
    Path(bucket): Path<String>,
    _: OwnForm,
    body: Bytes,
) -> Result<Response, Problem> {
    pressed(&session, &body, &[SESSION])?;
    part(&app, &session, PortalPage::Onboarding, &bucket, &Label::default()).await
}

/// The Next button: the person is done.
pub async fn finish(
    State(app): State<App>,
    Visitor(session): Visitor,
    _: OwnForm,
    body: Bytes,
) -> Result<Response, Problem> {
    pressed(&session, &body, &[SESSION])?;
    // Somebody who has come to another page is not done with it.
    if session.page != PortalPage::Onboarding {
        return Ok(see(path(session.page)));
    }
    let connections = app.connect.shelf(&session).await?.connections;
    // The button is disabled until then.
    if !connections.iter().any(|connection| connection.state == ConnectionState::Active) {
        return Ok(see(path(PortalPage::Onboarding)));
    }
    let destination = match app.connect.finish_visit(&session).await? {
        Some(address) => location(&address)?,
        // The cookie is forgotten; what the product told of the person is not.
        None => match app.connect.language_of(&session).await?.as_deref().and_then(Language::from_tag) {
            Some(language) => location(&format!("/portal/done?language={}", language.tag()))?,
            None => HeaderValue::from_static("/portal/done"),
        },
    };
    let mut headers = HeaderMap::new();
    headers.insert(SET_COOKIE, app.cookies().forget(PORTAL_COOKIE));
    headers.insert(LOCATION, destination);
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}
