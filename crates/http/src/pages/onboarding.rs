//! `/portal/onboarding`: a person connects tools for the subject of the portal session that the browser has opened.
//!
//! In `claviger dev` a browser without a session gets one for the demo subject. That asks nobody who is there, so it exists on
//! loopback only and answers only to a loopback host name (against DNS rebinding).

use ::connect::authorize::Request;
use ::connect::integrations::Listed;
use ::connect::portal::Invitation;
use ::connect::portal::visit::offers;
use ::connect::return_to::is_loopback;
use askama::Template;
use axum::extract::State;
use axum::http::header::{HOST, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{
    Actor, Binding, ConnectionState, IntegrationId, Label, Origin, PortalPage, ProblemCode, Timestamp,
};
use serde::Deserialize;
use store::connections::{Connection, ConnectionKey, Filter};
use store::portal::PortalSession;
use url::Url;

use super::{Forms, invitation, render, with_form};
use crate::App;
use crate::extract::{OwnForm, PORTAL_COOKIE, Path, Query, Visitor};
use crate::messages::Language;
use crate::problem::Problem;

/// The most connections that the page looks at.
const MAX_CONNECTIONS: u32 = 200;

#[derive(Template)]
#[template(path = "onboarding.html")]
struct Onboarding<'a> {
    language: Language,
    product: &'a str,
    rows: Vec<Row>,
    may_go_on: bool,
    name: Option<&'a str>,
}

struct Row {
    id: IntegrationId,
    name: String,
    mark: String,
    available: bool,
    state: RowState,
    problem: Option<Notice>,
}

enum RowState {
    Connected { who: Option<String>, since: String, exact: String },
    Broken,
    None,
}

impl RowState {
    const fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    const fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }

    const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

struct Notice {
    title: String,
    detail: String,
}

/// How the last attempt ended, as the callback tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
    oauth: Option<String>,
    provider: Option<String>,
    code: Option<String>,
}

/// The page.
pub async fn page(
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
    visitor: Result<Visitor, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = match visitor {
        Ok(Visitor(session)) => session,
        Err(problem) if problem.code == ProblemCode::PortalSessionNeeded => {
            return enter_demo(&app, &headers, problem).await;
        }
        Err(problem) => return Err(problem),
    };
    let subject = app.store.subjects.get(&session.subject).await?;
    let told =
        session.language.as_deref().or(subject.as_ref().and_then(|subject| subject.language.as_deref()));
    let language = invitation::language(&app, &headers, told);
    let connections = connections(&app, &session).await?;
    let listed = app.connect.integrations().await?;
    let failure = parameters.oauth.filter(|outcome| outcome == "error").and(parameters.code);
    let now = app.clock.now();
    let rows = listed.into_iter().filter(|listed| offers(&session, &listed.id)).map(|listed| {
        let connection = connections.iter().find(|connection| connection.key.integration == listed.id);
        let problem =
            failure.as_deref().filter(|_| parameters.provider.as_deref() == Some(listed.id.as_str()));
        row(language, &app.product_name, listed, connection, problem, now)
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by_cached_key(|row| row.name.to_lowercase());
    let may_go_on = rows.iter().any(|row| row.state.is_connected());
    let name = subject.as_ref().and_then(|subject| subject.name.as_deref());
    let template = Onboarding { language, product: &app.product_name, rows, may_go_on, name };
    Ok(with_form(render(StatusCode::OK, language, &template, Forms::Provider)))
}

fn row(
    language: Language,
    product: &str,
    listed: Listed,
    connection: Option<&Connection>,
    failure: Option<&str>,
    now: Timestamp,
) -> Row {
    let name = listed.entry.display_name.clone();
    let state = match connection.map(|connection| (&connection.state, connection)) {
        Some((ConnectionState::Active, connection)) => RowState::Connected {
            who: connection
                .account
                .as_ref()
                .map(|account| account.name.clone().unwrap_or_else(|| account.id.clone())),
            since: ago(language, now, connection.connected_at),
            exact: connection.connected_at.to_string(),
        },
        Some((ConnectionState::Broken { .. }, _)) => RowState::Broken,
        Some((ConnectionState::Disconnected { .. }, _)) | None => RowState::None,
    };
    let code = failure.and_then(|word| ProblemCode::ALL.iter().find(|code| code.word() == word));
    let problem = code.map(|code| {
        let problem = Problem::new(*code).argument("integration", &name).argument("product", product);
        Notice { title: problem.title(language), detail: problem.detail(language) }
    });
    Row { mark: listed.entry.logo.clone(), id: listed.id, name, available: listed.configured, state, problem }
}

fn ago(language: Language, now: Timestamp, then: Timestamp) -> String {
    let minutes = now.since(then).as_secs() / 60;
    let (name, number) = match minutes {
        0 => ("just_now", 0),
        1..60 => ("minutes_ago", minutes),
        60..1440 => ("hours_ago", minutes / 60),
        _ => ("days_ago", minutes / 1440),
    };
    language.text(name, &[("number", &number.to_string())])
}

/// The Connect button: begins an attempt and goes to the hop.
pub async fn connect(
    State(app): State<App>,
    Visitor(session): Visitor,
    Path(integration): Path<IntegrationId>,
    _: OwnForm,
) -> Result<Response, Problem> {
    offered(&session, &integration)?;
    let authorization = app
        .connect
        .authorize(Request {
            subject: session.subject.clone(),
            integration: Some(integration),
            group: None,
            label: Label::default(),
            scopes: None,
            return_to: Some(format!("{}/portal/onboarding", app.public_url)),
            login_hint: None,
            binding: Binding::Cookie,
            origin: Origin::Onboarding,
            by: Actor::Browser(Some(session.subject)),
        })
        .await?;
    app.metrics.attempt("started");
    let location = crate::connect::hop::location(authorization.auth_url.expose())?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

/// The Disconnect button, after its question was answered.
pub async fn disconnect(
    State(app): State<App>,
    Visitor(session): Visitor,
    Path(integration): Path<IntegrationId>,
    _: OwnForm,
) -> Result<Response, Problem> {
    offered(&session, &integration)?;
    let key = ConnectionKey { subject: session.subject.clone(), integration, label: Label::default() };
    match app.connect.disconnect(&key, Actor::Browser(Some(session.subject))).await {
        // A second click finds it done.
        Ok(_) | Err(::connect::Error::ConnectionNotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/portal/onboarding")]).into_response())
}

/// The Next button: the person is done.
pub async fn finish(
    State(app): State<App>,
    Visitor(session): Visitor,
    _: OwnForm,
) -> Result<Response, Problem> {
    // The button is disabled until then.
    if !connections(&app, &session).await?.iter().any(|connection| is_connected(&session, connection)) {
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, "/portal/onboarding")]).into_response());
    }
    let destination = match app.connect.finish_visit(&session).await? {
        Some(address) => crate::connect::hop::location(&address)?,
        None => HeaderValue::from_static("/portal/done"),
    };
    let mut headers = HeaderMap::new();
    headers.insert(SET_COOKIE, app.cookies().forget(PORTAL_COOKIE));
    headers.insert(LOCATION, destination);
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

async fn connections(app: &App, session: &PortalSession) -> Result<Vec<Connection>, Problem> {
    let filter = Filter { subject: Some(session.subject.clone()), ..Filter::default() };
    Ok(app.connect.list(&filter, None, MAX_CONNECTIONS).await?)
}

fn is_connected(session: &PortalSession, connection: &Connection) -> bool {
    connection.state == ConnectionState::Active && offers(session, &connection.key.integration)
}

/// What is not on the page can't be acted on through it.
fn offered(session: &PortalSession, integration: &IntegrationId) -> Result<(), Problem> {
    if offers(session, integration) {
        return Ok(());
    }
    Err(::connect::Error::IntegrationNotFound { integration: integration.clone() }.into())
}

/// A browser without a session gets one for the demo subject, where there is a demonstration.
async fn enter_demo(app: &App, headers: &HeaderMap, problem: Problem) -> Result<Response, Problem> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let loopback = Url::parse(&format!("http://{host}")).is_ok_and(|url| is_loopback(&url));
    let Some(demo) = app.demo.as_ref().filter(|_| loopback) else { return Err(problem) };
    let invitation = Invitation {
        subject: demo.subject.clone(),
        page: PortalPage::Onboarding,
        integrations: None,
        return_to: None,
        email: None,
        language: None,
        expires_in: None,
        by: Actor::Operator,
    };
    let url = app.connect.invite(invitation).await?.url;
    let token = url.expose().rsplit('/').next().unwrap_or_default();
    invitation::enter(app, token).await
}
