//! `/portal/settings?tab=integrations`: what is connected, with what it may do; connect again, disconnect.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use model::{Origin, PortalPage, PortalSessionId};

use super::rows::{Row, Standing, notice_above, settings_rows};
use super::{Arrival, LABEL, Parameters, SESSION, Visit, arrive, depart, part, pressed};
use crate::App;
use crate::brand::Brand;
use crate::extract::{OwnForm, Path, Query, Visitor};
use crate::messages::Language;
use crate::pages::{Forms, Notice, render, with_form};
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings<'a> {
    language: Language,
    product: &'a Brand,
    page: &'static str,
    session: PortalSessionId,
    above: Option<Notice>,
    rows: Vec<Row>,
    is_anything_connected: bool,
    name: Option<&'a str>,
    way_back: Option<String>,
    /// Whether the person has come to connect tools, and was led here by an attempt that took too long.
    is_on_the_way: bool,
}

/// The page.
pub async fn page(
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
    visitor: Result<Visitor, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let visit = match arrive(&app, PortalPage::Settings, parameters, visitor, &headers).await? {
        Arrival::Visit(visit) => visit,
        Arrival::Onward(response) => return Ok(response),
    };
    let rows = settings_rows(&app, &visit).await?;
    let above = notice_above(&visit, &rows);
    let Visit { session, language, name, shelf, .. } = *visit;
    let template = Settings {
        language,
        product: &app.brand,
        page: PortalPage::Settings.word(),
        session: session.id,
        above,
        rows,
        is_anything_connected: !shelf.connections.is_empty(),
        name: name.as_deref(),
        way_back: app.connect.way_back(&session),
        is_on_the_way: session.page == PortalPage::Onboarding,
    };
    Ok(with_form(render(StatusCode::OK, language, &template, Forms::Provider)))
}

/// Connect, connect again, or try again, under the label that the button sends.
pub async fn connect(
    State(app): State<App>,
    Visitor(session): Visitor,
    Path(bucket): Path<String>,
    _: OwnForm,
    body: Bytes,
) -> Result<Response, Problem> {
    let label = pressed(&session, &body, &[SESSION, LABEL])?;
    depart(&app, &session, &bucket, label, Origin::Settings).await
}

/// The Disconnect button, after its question was answered.
pub async fn disconnect(
    State(app): State<App>,
    Visitor(session): Visitor,
    Path(bucket): Path<String>,
    _: OwnForm,
    body: Bytes,
) -> Result<Response, Problem> {
    let label = pressed(&session, &body, &[SESSION, LABEL])?;
    part(&app, &session, PortalPage::Settings, &bucket, &label).await
}
