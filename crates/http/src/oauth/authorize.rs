//! `/oauth/authorize`: a browser comes with a request, and `/oauth/authorize/{id}`: the page of that request.

use ::grant::authorize::{Begun, ConsentView, Decided, Decision, Redirect, SignInView, View};
use ::grant::form::Form;
use ::grant::login::elsewhere::Arrived;
use ::grant::login::{SignedIn, gotrue};
use ::grant::{Error, client_id_document, scope};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{AuthorizationId, ProblemCode, Secret, TeamId};
use store::applications::Registrar;
use url::Url;

use super::browser::OwnBrowser;
use crate::App;
use crate::connect::hop::location;
use crate::extract::{Path, SpokenLanguage};
use crate::messages::Language;
use crate::pages::oauth::consent::{self, Application, Consent, Known, Team};
use crate::pages::oauth::login::{self, AskedBy, SignIn, SignInProblem, Way};
use crate::pages::oauth::standard_permission;
use crate::problem::Problem;

/// The longest form of these pages, in octets.
const MAX_FORM: usize = 16 * 1024;
/// The way that is a mailed link.
const LINK: &str = "link";
/// The longest request, in octets.
const MAX_REQUEST: usize = 32 * 1024;
/// The longest that goes into an address, in octets; some proxies take no longer one.
const MAX_QUERY: usize = 4 * 1024;

/// RFC 6749 §4.1.1.
pub async fn begin(
    State(app): State<App>,
    browser: OwnBrowser,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    arrive(&app, &browser, query.unwrap_or_default().as_bytes()).await
}

/// The same with the parameters in the body (OpenID Connect Core §3.1.2.1).
pub async fn begin_by_form(
    State(app): State<App>,
    browser: OwnBrowser,
    body: Bytes,
) -> Result<Response, Problem> {
    if browser.is_new()
        && body.len() <= MAX_QUERY
        && let Some(query) = std::str::from_utf8(&body).ok().filter(|body| body.bytes().all(is_form_octet))
        && Form::parse(&body).is_ok_and(|form| !form.has_any(&["client_secret", "client_assertion"]))
    {
        // A form of another site brings no cookies (SameSite=Lax); the same request by GET does. A browser that really is new comes
        // here once more. What is secret and does not belong here at all never goes into an address.
        let again = location(&format!("/oauth/authorize?{query}"))?;
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, again)]).into_response());
    }
    arrive(&app, &browser, &body).await
}

/// What a form consists of (WHATWG URL §5.2).
fn is_form_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"&=+%*-._~".contains(&octet)
}

async fn arrive(app: &App, browser: &OwnBrowser, request: &[u8]) -> Result<Response, Problem> {
    if request.len() > MAX_REQUEST {
        let problem = Problem::new(ProblemCode::AuthorizationMalformed);
        return Err(problem.argument("name", "request").argument("rule", "is over 32 KiB"));
    }
    match app.grant.begin(request, browser.borrowed()).await? {
        Begun::Back(redirect) => back(&redirect),
        Begun::Page { id, browser } => {
            let mut headers = HeaderMap::from_iter([(LOCATION, location(&address(id))?)]);
            headers.append(SET_COOKIE, OwnBrowser::remember(app, &browser));
            Ok((StatusCode::SEE_OTHER, headers).into_response())
        }
    }
}

fn address(id: AuthorizationId) -> String {
    format!("/oauth/authorize/{id}")
}

/// RFC 9700 §4.12: 303, so that no browser ever sends a form on.
fn back(redirect: &Redirect) -> Result<Response, Problem> {
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location(redirect.expose())?)]).into_response())
}

/// The page of a request.
pub async fn page(
    State(app): State<App>,
    Path(id): Path<AuthorizationId>,
    browser: OwnBrowser,
    SpokenLanguage(language): SpokenLanguage,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let back = Form::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let problem = match (back.get("failed"), back.get("unavailable")) {
        (Ok(Some(way)), _) => Some(SignInProblem::WayFailed { label: way }),
        (_, Ok(Some(_))) => Some(SignInProblem::Unavailable),
        _ => None,
    };
    show(&app, id, &browser, language, "", problem).await
}

/// What somebody brings back who was sent elsewhere to sign in.
pub async fn arrive_from(
    State(app): State<App>,
    Path(way): Path<String>,
    browser: OwnBrowser,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    if query.len() > MAX_REQUEST {
        return Err(Problem::new(ProblemCode::SignInAnswerOver));
    }
    let (address, cookie) = match app.grant.arrive(&way, query.as_bytes(), browser.borrowed()).await? {
        Arrived::SignedIn { id, secret } => (address(id), Some(OwnBrowser::believe(&app, &secret))),
        Arrived::NotSignedIn { id, not_now } => {
            let problem = if not_now { "unavailable" } else { "failed" };
            (format!("{}?{problem}={way}", address(id)), None)
        }
    };
    let mut headers = HeaderMap::from_iter([(LOCATION, location(&address)?)]);
    headers.extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// What the page's buttons send.
pub async fn act(
    State(app): State<App>,
    Path(id): Path<AuthorizationId>,
    browser: OwnBrowser,
    SpokenLanguage(language): SpokenLanguage,
    body: Bytes,
) -> Result<Response, Problem> {
    let form = read(&body)?;
    let csrf = text(&form, "csrf")?.unwrap_or_default();
    let decision = match text(&form, "decision")? {
        None => return sign_in(&app, id, &browser, language, &form).await,
        Some("authorize") => {
            let team = text(&form, "team")?.map(str::parse::<TeamId>).transpose();
            Decision::Authorize(team.map_err(|error| Problem::parameter("team", error.rule))?)
        }
        Some("cancel") => Decision::Cancel,
        Some("switch") => Decision::Switch,
        Some(_) => return Err(Problem::parameter("decision", "is `authorize`, `cancel` or `switch`")),
    };
    let switches = decision == Decision::Switch;
    match app.grant.decide(&id, browser.borrowed(), csrf, decision).await? {
        Decided::Back(redirect) => back(&redirect),
        Decided::Again => {
            let mut headers = HeaderMap::from_iter([(LOCATION, location(&address(id))?)]);
            if switches {
                headers.append(SET_COOKIE, OwnBrowser::forget(&app));
            }
            Ok((StatusCode::SEE_OTHER, headers).into_response())
        }
    }
}

async fn sign_in(
    app: &App,
    id: AuthorizationId,
    browser: &OwnBrowser,
    language: Language,
    form: &Form,
) -> Result<Response, Problem> {
    let csrf = text(form, "csrf")?.unwrap_or_default();
    let email = text(form, "email")?.unwrap_or_default();
    if text(form, "way")? == Some(LINK) {
        return mail_link(app, id, browser, language, csrf, email).await;
    }
    if let Some(way) = text(form, "way")? {
        return match app.grant.depart(&id, browser.borrowed(), csrf, way).await {
            Ok(elsewhere) => back(&elsewhere),
            Err(error) => show(app, id, browser, language, email, Some(problem_of_sign_in(error)?)).await,
        };
    }
    let password = Secret::from(text(form, "password")?.unwrap_or_default());
    let signed_in = app.grant.sign_in(&id, browser.borrowed(), csrf, email, &password).await;
    let problem = match signed_in {
        Ok(SignedIn::Done(secret)) => {
            let mut headers = HeaderMap::from_iter([(LOCATION, location(&address(id))?)]);
            headers.append(SET_COOKIE, OwnBrowser::believe(app, &secret));
            return Ok((StatusCode::SEE_OTHER, headers).into_response());
        }
        Ok(SignedIn::Wrong) => SignInProblem::Wrong,
        Err(error) => problem_of_sign_in(error)?,
    };
    show(app, id, browser, language, email, Some(problem)).await
}

async fn mail_link(
    app: &App,
    id: AuthorizationId,
    browser: &OwnBrowser,
    language: Language,
    csrf: &str,
    email: &str,
) -> Result<Response, Problem> {
    if email.trim().is_empty() {
        return show(app, id, browser, language, email, Some(SignInProblem::EmailMissing)).await;
    }
    match app.grant.mail_link(&id, browser.borrowed(), csrf, email).await {
        Ok(()) => Ok(login::mailed(app, language, &address(id), email.trim())),
        Err(error) => show(app, id, browser, language, email, Some(problem_of_sign_in(error)?)).await,
    }
}

/// What a person is told at the form; everything else is a page of its own.
pub(super) fn problem_of_sign_in(error: Error) -> Result<SignInProblem<'static>, Problem> {
    match error {
        Error::TooOften { retry_after } => Ok(SignInProblem::TooMany { retry_after }),
        Error::NotNow { .. } => Ok(SignInProblem::Unavailable),
        error => Err(error.into()),
    }
}

async fn show(
    app: &App,
    id: AuthorizationId,
    browser: &OwnBrowser,
    spoken: Language,
    email: &str,
    problem: Option<SignInProblem<'_>>,
) -> Result<Response, Problem> {
    match app.grant.look(&id, browser.borrowed()).await? {
        View::Back(redirect) => back(&redirect),
        View::SignIn(view) => Ok(show_sign_in(app, &address(id), spoken, &view, email, problem)),
        View::Consent(view) => Ok(show_consent(app, &address(id), spoken, &view)),
    }
}

fn show_sign_in(
    app: &App,
    action: &str,
    spoken: Language,
    view: &SignInView,
    email: &str,
    problem: Option<SignInProblem<'_>>,
) -> Response {
    let hint = view.login_hint.as_deref().unwrap_or_default();
    let ways: Vec<_> = view.ways.elsewhere.iter().map(|(id, label)| Way { id, label }).collect();
    // Whatever stands in the address, only ways that there are have a name.
    let problem = match problem {
        Some(SignInProblem::WayFailed { label: gotrue::NAME }) if view.ways.link => {
            Some(SignInProblem::LinkFailed)
        }
        Some(SignInProblem::WayFailed { label: id }) => {
            let way = ways.iter().find(|way| way.id == id);
            way.map(|way| SignInProblem::WayFailed { label: way.label })
        }
        problem => problem,
    };
    let shown = SignIn {
        action,
        csrf: &view.csrf,
        asked_by: Some(AskedBy { name: &view.client.settings.name, redirect_uri: &view.redirect_uri }),
        email: if email.is_empty() { hint } else { email },
        with_password: view.ways.password,
        forgot_url: None,
        with_link: view.ways.link,
        ways,
        problem,
    };
    login::page(app, Language::preferred(&view.ui_locales, spoken), &shown)
}

fn show_consent(app: &App, action: &str, spoken: Language, view: &ConsentView) -> Response {
    let language = Language::preferred(&view.ui_locales, spoken);
    let settings = &view.client.settings;
    let home = settings.homepage.as_deref().and_then(|homepage| Url::parse(homepage).ok());
    let document = client_id_document::host(&view.client.id);
    let user = view.user.email.as_deref().or(view.user.name.as_deref()).unwrap_or(&view.user.login);
    let shown = Consent {
        action,
        csrf: &view.csrf,
        application: Application {
            name: &settings.name,
            known: match view.client.registrar {
                Registrar::Operator => Known::Registered { host: home.as_ref().and_then(Url::host_str) },
                Registrar::Itself => Known::RegisteredItself { host: home.as_ref().and_then(Url::host_str) },
                Registrar::Document => Known::Document { host: document.as_deref().unwrap_or_default() },
            },
            is_public: settings.is_public(),
            text: settings.consent_text.as_deref(),
        },
        redirect_uri: &view.redirect_uri,
        email: user,
        teams: view
            .teams
            .iter()
            .map(|own| Team { id: &own.team, name: &own.name, role: own.role.as_deref() })
            .collect(),
        permissions: permissions(app, language, view.scopes.iter()),
        resources: view
            .resources
            .iter()
            .map(String::as_str)
            .filter(|own| *own != app.grant.settings().issuer)
            .collect(),
        while_away: settings.allows(model::GrantType::RefreshToken),
    };
    consent::page(app, language, &shown)
}

/// What scopes let an application do, in words. Without `openid` it learns who the person is all the same, to label its
/// connection.
pub(super) fn permissions<'a>(
    app: &App,
    language: Language,
    scopes: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let mut scopes: Vec<&str> = scopes.collect();
    if !scopes.contains(&"openid") {
        scopes.retain(|scope| !scope::STANDARD.contains(scope));
        scopes.extend(["profile", "email"]);
    }
    let own = |scope: &str| {
        app.grant.settings().scopes.get(scope).map(|text| match language {
            Language::English => text.en.clone(),
            Language::Estonian => text.et.clone(),
        })
    };
    scopes
        .into_iter()
        .filter_map(|scope| own(scope).or_else(|| standard_permission(language, scope)))
        .collect()
}

/// A form of these pages.
pub(super) fn read(body: &Bytes) -> Result<Form, Problem> {
    let malformed = || Problem::parameter("form", "is not what the page sends");
    if body.len() > MAX_FORM {
        return Err(Problem::new(ProblemCode::PayloadTooLarge));
    }
    Form::parse(body).map_err(|_| malformed())
}

/// A field of such a form.
pub(super) fn text<'a>(form: &'a Form, name: &'static str) -> Result<Option<&'a str>, Problem> {
    form.get(name).map_err(|_| Problem::parameter(name, "is sent once"))
}
