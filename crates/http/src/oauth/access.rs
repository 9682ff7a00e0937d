//! `/oauth/access`: what a person lets applications do, and how that ends.

use ::grant::login::SignedIn;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{GrantId, ProblemCode, Secret};

use super::authorize::{permissions, problem_of_sign_in, read, text};
use super::browser::OwnBrowser;
use crate::App;
use crate::extract::SpokenLanguage;
use crate::messages::Language;
use crate::pages::oauth::access::{self, Access, Granted};
use crate::pages::oauth::login::{self, SignIn, SignInProblem};
use crate::problem::Problem;

const PATH: &str = "/oauth/access";

/// The page; whoever is not signed in signs in first.
pub async fn page(
    State(app): State<App>,
    browser: OwnBrowser,
    SpokenLanguage(language): SpokenLanguage,
) -> Result<Response, Problem> {
    show(&app, &browser, language, "", None).await
}

/// What its buttons send.
pub async fn act(
    State(app): State<App>,
    browser: OwnBrowser,
    SpokenLanguage(language): SpokenLanguage,
    body: Bytes,
) -> Result<Response, Problem> {
    let form = read(&body)?;
    let csrf = text(&form, "csrf")?.unwrap_or_default();
    if let Some(id) = text(&form, "withdraw")? {
        let id: GrantId =
            id.parse().map_err(|error: model::InvalidId| Problem::parameter("withdraw", error.rule))?;
        return match app.grant.withdraw_own(&id, browser.borrowed(), csrf).await {
            // In another tab it was withdrawn already.
            Ok(()) | Err(::grant::Error::Problem { code: ProblemCode::GrantNotFound, .. }) => Ok(again(None)),
            Err(error) => Err(error.into()),
        };
    }
    if text(&form, "decision")? == Some("sign_out") {
        app.grant.sign_out_own(browser.borrowed(), csrf).await?;
        return Ok(again(Some(OwnBrowser::forget(&app))));
    }
    let email = text(&form, "email")?.unwrap_or_default();
    let password = Secret::from(text(&form, "password")?.unwrap_or_default());
    let problem = match app.grant.sign_in_here(browser.borrowed(), csrf, email, &password).await {
        Ok(SignedIn::Done(secret)) => return Ok(again(Some(OwnBrowser::believe(&app, &secret)))),
        Ok(SignedIn::Wrong) => SignInProblem::Wrong,
        Err(error) => problem_of_sign_in(error)?,
    };
    show(&app, &browser, language, email, Some(problem)).await
}

fn again(cookie: Option<HeaderValue>) -> Response {
    let mut headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(PATH))]);
    headers.extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    (StatusCode::SEE_OTHER, headers).into_response()
}

async fn show(
    app: &App,
    browser: &OwnBrowser,
    language: Language,
    email: &str,
    problem: Option<SignInProblem<'_>>,
) -> Result<Response, Problem> {
    let Some(own) = app.grant.own_consents(browser.borrowed()).await? else {
        return sign_in(app, browser, language, email, problem);
    };
    let granted = own.consents.iter().map(|(consent, name)| {
        let team = consent.team.as_ref().and_then(|id| own.teams.iter().find(|team| team.team == *id));
        Granted {
            id: consent.id,
            application: name,
            host: None,
            team: team.map(|team| team.name.as_str()),
            permissions: permissions(app, language, consent.scopes.iter()),
            since: consent.created_at,
            last_used: consent.used_at,
        }
    });
    let user = own.user.email.as_deref().unwrap_or(&own.user.login);
    let view = Access { csrf: &own.csrf, email: user, grants: granted.collect() };
    Ok(access::page(app, language, &view))
}

fn sign_in(
    app: &App,
    browser: &OwnBrowser,
    language: Language,
    email: &str,
    problem: Option<SignInProblem<'_>>,
) -> Result<Response, Problem> {
    let settings = &app.grant.settings().login;
    let (with_password, has_ways_back) = (settings.ways(None).password, settings.has_ways_back());
    if !with_password && !has_ways_back {
        return Err(Problem::new(ProblemCode::SignInWayUnavailable));
    }
    let here = app.grant.sign_in_form(browser.borrowed());
    let view = SignIn {
        action: PATH,
        csrf: &here.csrf,
        asked_by: None,
        email,
        with_password,
        forgot_url: None,
        with_link: false,
        ways: Vec::new(),
        problem,
    };
    let mut response = login::page_without_request(app, language, &view, has_ways_back);
    if let Some(secret) = here.new_browser {
        response.headers_mut().append(SET_COOKIE, OwnBrowser::remember(app, &secret));
    }
    Ok(response)
}
