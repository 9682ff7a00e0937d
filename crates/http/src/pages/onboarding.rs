//! `/portal/onboarding` of `claviger dev`: a person clicks Connect, consents at the sandbox, and sees the connection.
//!
//! The page acts for the demo subject without asking who is there. So it exists on loopback only, answers only to a
//! loopback host name (against DNS rebinding), and takes forms only from itself.

use ::connect::authorize::Request;
use ::connect::integrations::Listed;
use ::connect::return_to::is_loopback;
use askama::Template;
use axum::extract::State;
use axum::http::header::{HOST, LOCATION, ORIGIN, REFERRER_POLICY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{Actor, Binding, ConnectionState, IntegrationId, Label, Origin, ProblemCode, Timestamp};
use serde::Deserialize;
use store::connections::{Connection, ConnectionKey, Filter};
use url::Url;

use super::{Forms, render};
use crate::App;
use crate::app::Demo;
use crate::extract::{Path, Query, SpokenLanguage};
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
    SpokenLanguage(language): SpokenLanguage,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let demo = demo(&app, &headers)?;
    let filter = Filter { subject: Some(demo.subject.clone()), ..Filter::default() };
    let connections = app.connect.list(&filter, None, MAX_CONNECTIONS).await?;
    let listed = app.connect.integrations().await?;
    let failure = parameters.oauth.filter(|outcome| outcome == "error").and(parameters.code);
    let now = app.clock.now();
    let rows = listed.into_iter().map(|listed| {
        let connection = connections.iter().find(|connection| connection.key.integration == listed.id);
        let problem =
            failure.as_deref().filter(|_| parameters.provider.as_deref() == Some(listed.id.as_str()));
        row(language, &app.product_name, listed, connection, problem, now)
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by_cached_key(|row| row.name.to_lowercase());
    let template = Onboarding { language, product: &app.product_name, rows };
    let mut response = render(StatusCode::OK, language, &template, Forms::Provider);
    // Under "no-referrer" browsers would hide from us that our own forms are ours.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
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
    Path(integration): Path<IntegrationId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let demo = demo(&app, &headers)?;
    own_form(&headers)?;
    let authorization = app
        .connect
        .authorize(Request {
            subject: demo.subject.clone(),
            integration: Some(integration),
            group: None,
            label: Label::default(),
            scopes: None,
            return_to: Some(format!("{}/portal/onboarding", app.public_url)),
            login_hint: None,
            binding: Binding::Cookie,
            origin: Origin::Onboarding,
            by: Actor::Browser(Some(demo.subject.clone())),
        })
        .await?;
    app.metrics.attempt("started");
    let location = crate::connect::hop::location(authorization.auth_url.expose())?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

/// The Disconnect button, after its question was answered.
pub async fn disconnect(
    State(app): State<App>,
    Path(integration): Path<IntegrationId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let demo = demo(&app, &headers)?;
    own_form(&headers)?;
    let key = ConnectionKey { subject: demo.subject.clone(), integration, label: Label::default() };
    match app.connect.disconnect(&key, Actor::Browser(Some(demo.subject.clone()))).await {
        // A second click finds it done.
        Ok(_) | Err(::connect::Error::ConnectionNotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/portal/onboarding")]).into_response())
}

fn demo<'a>(app: &'a App, headers: &HeaderMap) -> Result<&'a Demo, Problem> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let loopback = Url::parse(&format!("http://{host}")).is_ok_and(|url| is_loopback(&url));
    app.demo.as_ref().filter(|_| loopback).ok_or_else(|| Problem::new(ProblemCode::RouteNotFound))
}

/// A form of another site is refused: every browser of today says where a POST comes from.
fn own_form(headers: &HeaderMap) -> Result<(), Problem> {
    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let site_is_own = headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin");
    let origin_is_own =
        headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes() == format!("http://{host}").as_bytes());
    if site_is_own && origin_is_own { Ok(()) } else { Err(Problem::new(ProblemCode::ForeignForm)) }
}
