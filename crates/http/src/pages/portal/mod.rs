//! `/portal/*`: a person connects tools for the subject of the portal session that the browser has opened, and sees what is
//! connected.
//!
//! In `claviger dev` a browser without a session gets one for the demo subject. That asks nobody who is there, so it exists on
//! loopback only and answers only to a loopback host name (against DNS rebinding).

pub mod onboarding;
pub mod settings;

mod rows;

pub(crate) use rows::in_words;

use std::collections::BTreeMap;

use ::connect::portal::Invitation;
use ::connect::portal::buckets::Shelf;
use ::connect::return_to::is_loopback;
use axum::body::Bytes;
use axum::http::header::{HOST, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{Actor, Label, Origin, PortalPage, ProblemCode};
use serde::Deserialize;
use store::portal::PortalSession;
use url::{Url, form_urlencoded};

use super::invitation;
use crate::App;
use crate::connect::hop::location;
use crate::extract::Visitor;
use crate::messages::Language;
use crate::problem::Problem;

/// What a page is asked for: how the last attempt ended, as the callback tells it, and whether the browser has just come in.
/// Anything else is let be: mail programs and proxies add to addresses what is theirs.
#[derive(Deserialize)]
pub struct Parameters {
    oauth: Option<String>,
    provider: Option<String>,
    code: Option<String>,
    label: Option<Label>,
    /// The bucket that was not disconnected completely.
    kept: Option<String>,
    #[serde(default)]
    entered: bool,
}

/// The field of a form that names the session which its page was shown to.
const SESSION: &str = "session";
/// The field of a form that names a label.
const LABEL: &str = "label";

/// An attempt that did not connect, or not disconnect.
struct Failure {
    /// The integration that it was about.
    provider: String,
    label: Label,
    code: Option<ProblemCode>,
    /// Whether it was to disconnect.
    of_disconnecting: bool,
}

/// Somebody who may see the page, and what it shows.
struct Visit {
    session: PortalSession,
    language: Language,
    /// The subject's name, where the product told it.
    name: Option<String>,
    shelf: Shelf,
    failure: Option<Failure>,
}

/// Who comes to a page either sees it or goes on.
enum Arrival {
    Visit(Box<Visit>),
    Onward(Response),
}

/// The address of a page.
pub(super) const fn path(page: PortalPage) -> &'static str {
    match page {
        PortalPage::Settings => "/portal/settings?tab=integrations",
        PortalPage::Onboarding | PortalPage::Stripe => "/portal/onboarding",
    }
}

/// The same for a browser that has just been given its cookie: there it shows whether it keeps it.
pub(super) fn path_on_entering(page: PortalPage) -> String {
    let path = path(page);
    format!("{path}{}entered=true", if path.contains('?') { '&' } else { '?' })
}

/// `/portal`: the page that the session is for.
pub async fn home(Visitor(session): Visitor) -> Response {
    see(path(session.page))
}

fn see(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response()
}

async fn arrive(
    app: &App,
    page: PortalPage,
    parameters: Parameters,
    visitor: Result<Visitor, Problem>,
    headers: &HeaderMap,
) -> Result<Arrival, Problem> {
    let session = match visitor {
        Ok(Visitor(_)) if parameters.entered => return Ok(Arrival::Onward(see(path(page)))),
        Ok(Visitor(session)) => session,
        Err(problem) if problem.code != ProblemCode::PortalSessionNeeded => return Err(problem),
        Err(_) if parameters.entered => return Err(Problem::new(ProblemCode::CookiesNeeded)),
        Err(problem) => return enter_demo(app, page, headers, problem).await.map(Arrival::Onward),
    };
    let subject = app.store.subjects.get(&session.subject).await?;
    let (name, own_language) = subject.map_or((None, None), |subject| (subject.name, subject.language));
    let told = session.language.as_deref().or(own_language.as_deref());
    let language = invitation::language(app, headers, told);
    let shelf = app.connect.shelf(&session).await?;
    let failed = parameters.oauth.as_deref() == Some("error");
    let of_disconnecting = parameters.kept.is_some();
    let about = parameters.kept.or_else(|| parameters.provider.filter(|_| failed));
    let failure = about.map(|provider| Failure {
        provider,
        of_disconnecting,
        label: parameters.label.unwrap_or_default(),
        code: ProblemCode::ALL.iter().copied().find(|code| parameters.code.as_deref() == Some(code.word())),
    });
    Ok(Arrival::Visit(Box::new(Visit { session, language, name, shelf, failure })))
}

/// Begins to connect a bucket, and goes to the hop.
async fn depart(
    app: &App,
    session: &PortalSession,
    bucket: &str,
    label: Label,
    origin: Origin,
) -> Result<Response, Problem> {
    let authorization = app.connect.connect_bucket(session, bucket, label, origin).await?;
    app.metrics.attempt("started");
    let location = location(authorization.auth_url.expose())?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

/// What a button sends, if its page was shown to this session: `label=work`, or nothing for the usual label. Another link
/// that is opened in the same browser replaces the cookie, and a page that stands in another tab must not act for whoever
/// that link is of.
fn pressed(session: &PortalSession, body: &Bytes, fields: &[&str]) -> Result<Label, Problem> {
    let mut sent: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        let known = fields.iter().find(|field| **field == name);
        let known = known.ok_or_else(|| Problem::parameter("form", "has a field that the page has not"))?;
        if sent.insert(known, value.into_owned()).is_some() {
            return Err(Problem::parameter(known, "is sent once, or not at all"));
        }
    }
    if sent.get(SESSION).is_none_or(|id| *id != session.id.to_string()) {
        return Err(Problem::new(ProblemCode::SessionChanged));
    }
    match sent.get(LABEL) {
        None => Ok(Label::default()),
        Some(label) => label.parse().map_err(|error: model::InvalidId| Problem::parameter(LABEL, error.rule)),
    }
}

/// Disconnects a bucket, and goes back to the page, which tells what did not succeed.
async fn part(
    app: &App,
    session: &PortalSession,
    page: PortalPage,
    bucket: &str,
    label: &Label,
) -> Result<Response, Problem> {
    if app.connect.disconnect_bucket(session, bucket, label).await? {
        return Ok(see(path(page)));
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("kept", bucket).append_pair(LABEL, label.as_str());
    let path = path(page);
    let address = format!("{path}{}{}#problem", if path.contains('?') { '&' } else { '?' }, query.finish());
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location(&address)?)]).into_response())
}

/// A browser without a session gets one for the demo subject, where there is a demonstration.
async fn enter_demo(
    app: &App,
    page: PortalPage,
    headers: &HeaderMap,
    problem: Problem,
) -> Result<Response, Problem> {
    let host = headers.get(HOST).and_then(|host: &HeaderValue| host.to_str().ok()).unwrap_or_default();
    let loopback = Url::parse(&format!("http://{host}")).is_ok_and(|url| is_loopback(&url));
    let Some(demo) = app.demo.as_ref().filter(|_| loopback) else { return Err(problem) };
    let invitation = Invitation {
        subject: demo.subject.clone(),
        page,
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
