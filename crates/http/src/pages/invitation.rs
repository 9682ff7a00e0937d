//! What a person sees who comes with a link: `/portal/start/{token}` and `/onboard-client?token=`.
//!
//! A mailed link shows who invites to what, and changes nothing; its button goes on. One that the product opens itself goes on
//! at once.

use ::connect::Error;
use ::connect::portal::visit::Offer;
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::{MailStatus, PortalPage, ProblemCode};
use serde_json::json;

use super::{Forms, accepts, note, portal, render, with_form};
use crate::App;
use crate::brand::Brand;
use crate::connect::hop::location;
use crate::connect::stripe::{address, go, once};
use crate::extract::{OwnForm, PORTAL_COOKIE, Path};
use crate::layer::RequestContext;
use crate::letters;
use crate::messages::Language;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "invitation.html")]
struct Invitation<'a> {
    language: Language,
    product: &'a Brand,
    title: String,
    how: String,
    name: Option<&'a str>,
    until: String,
    button: String,
    action: &'a str,
}

#[derive(Template)]
#[template(path = "invitation_expired.html")]
struct Expired<'a> {
    language: Language,
    product: &'a Brand,
    title: String,
    action: &'a str,
    code: &'static str,
    reference: String,
}

/// `GET /portal/start/{token}`.
pub async fn look(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let action = format!("/portal/start/{token}");
    match app.connect.look_at(&token, PortalPage::Onboarding).await {
        Ok(offer) if offer.session.email.is_some() => Ok(invitation(&app, &headers, &offer, &action)),
        Ok(_) => enter(&app, &token).await,
        Err(Error::InvitationExpired) => {
            expired(&app, &headers, &token, &format!("{action}/again"), context).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /portal/start/{token}`: the link becomes a cookie.
pub async fn accept(
    State(app): State<App>,
    _: OwnForm,
    Path(token): Path<String>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match enter(&app, &token).await {
        Err(problem) if problem.code == ProblemCode::InvitationExpired => {
            expired(&app, &headers, &token, &format!("/portal/start/{token}/again"), context).await
        }
        done => done,
    }
}

/// `POST /portal/start/{token}/again`: mails a new link.
pub async fn again(
    State(app): State<App>,
    _: OwnForm,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // The link that was mailed anew is another one.
    let told = app.connect.language_of_link(&token).await?;
    match app.connect.invite_anew(&token, PortalPage::Onboarding).await? {
        Some(status) => Ok(mailed(&app, &headers, told.as_deref(), status)),
        None => see(&format!("/portal/start/{token}")),
    }
}

/// `GET /onboard-client?token=`.
pub async fn look_at_stripe(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = token(query.as_deref())?;
    if wants_json(&headers) {
        let onward = app.connect.onboard(&token).await?;
        return Ok(Json(json!({ "url": address(&app, &onward) })).into_response());
    }
    match app.connect.look_at(&token, PortalPage::Stripe).await {
        Ok(offer) if offer.session.email.is_some() => {
            Ok(invitation(&app, &headers, &offer, &format!("/onboard-client?token={token}")))
        }
        Ok(_) => go(&app, &app.connect.onboard(&token).await?),
        Err(Error::InvitationExpired) => {
            expired(&app, &headers, &token, &again_at_stripe(&token), context).await
        }
        // Who has finished and looks at the mail again is told so where the product says it.
        Err(Error::AlreadyDone) => go(&app, &app.connect.after_stripe(&token).await?),
        Err(error) => Err(error.into()),
    }
}

/// `POST /onboard-client?token=`: goes to Stripe.
pub async fn accept_stripe(
    State(app): State<App>,
    _: OwnForm,
    RawQuery(query): RawQuery,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = token(query.as_deref())?;
    match app.connect.onboard(&token).await {
        Ok(onward) => go(&app, &onward),
        Err(Error::InvitationExpired) => {
            expired(&app, &headers, &token, &again_at_stripe(&token), context).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /onboard-client/again?token=`: mails a new link.
pub async fn again_stripe(
    State(app): State<App>,
    _: OwnForm,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = token(query.as_deref())?;
    // The link that was mailed anew is another one.
    let told = app.connect.language_of_link(&token).await?;
    match app.connect.invite_anew(&token, PortalPage::Stripe).await? {
        Some(status) => Ok(mailed(&app, &headers, told.as_deref(), status)),
        None => see(&format!("/onboard-client?token={token}")),
    }
}

/// `GET /onboard-client/done`: where the operator has configured no page of the product.
pub async fn stripe_done(State(app): State<App>, headers: HeaderMap) -> Response {
    note::page(&app, language(&app, &headers, None), "stripe_done")
}

/// `GET /portal/done`: where the product has named no address to return to.
pub async fn done(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let told = once(query.as_deref().unwrap_or_default(), "language");
    note::page(&app, language(&app, &headers, told.as_deref()), "onboarding_done")
}

/// The link becomes a cookie, and the address is cleaned by a redirect.
pub(super) async fn enter(app: &App, token: &str) -> Result<Response, Problem> {
    let entered = app.connect.enter(token).await?;
    let mut headers = HeaderMap::new();
    headers.insert(SET_COOKIE, app.cookies().set(PORTAL_COOKIE, &entered.cookie, entered.max_age));
    headers.insert(LOCATION, location(&portal::path_on_entering(entered.session.page))?);
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// The language of a person: what the browser states, else what the product told us of them.
pub(super) fn language(app: &App, headers: &HeaderMap, told: Option<&str>) -> Language {
    Language::negotiate(headers, told.and_then(Language::from_tag).unwrap_or(app.default_language))
}

fn invitation(app: &App, headers: &HeaderMap, offer: &Offer, action: &str) -> Response {
    let language = language(app, headers, offer.language.as_deref());
    let words = letters::Words::of(
        language,
        &app.brand,
        letters::InvitationKind::of(offer.session.page, &offer.tools),
    );
    let template = Invitation {
        language,
        product: &app.brand,
        title: words.title,
        how: words.how,
        button: words.button,
        name: offer.name.as_deref(),
        until: letters::works_until(language, offer.session.expires_at),
        action,
    };
    with_form(render(StatusCode::OK, language, &template, Forms::Provider))
}

async fn expired(
    app: &App,
    headers: &HeaderMap,
    token: &str,
    action: &str,
    context: RequestContext,
) -> Result<Response, Problem> {
    let told = app.connect.language_of_link(token).await?;
    let language = language(app, headers, told.as_deref());
    let template = Expired {
        language,
        product: &app.brand,
        title: Problem::new(ProblemCode::InvitationExpired).heading(language),
        action,
        code: ProblemCode::InvitationExpired.word(),
        reference: context.id.to_string(),
    };
    Ok(with_form(render(StatusCode::BAD_REQUEST, language, &template, Forms::Ours)))
}

/// What became of a mail that a person has asked for.
fn mailed(app: &App, headers: &HeaderMap, told: Option<&str>, status: MailStatus) -> Response {
    let name = match status {
        MailStatus::Pending | MailStatus::Sent => "invitation_sent",
        MailStatus::Refused | MailStatus::Abandoned => "invitation_not_sent",
    };
    note::page(app, language(app, headers, told), name)
}

/// 303 to the page of a link that still works.
fn see(path: &str) -> Result<Response, Problem> {
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location(path)?)]).into_response())
}

fn again_at_stripe(token: &str) -> String {
    format!("/onboard-client/again?token={token}")
}

/// The token of the query, of the form that ours have.
fn token(query: Option<&str>) -> Result<String, Problem> {
    let token = once(query.unwrap_or_default(), "token");
    let well_formed = |token: &String| token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit());
    token.filter(well_formed).ok_or_else(|| Error::InvalidLink.into())
}

fn wants_json(headers: &HeaderMap) -> bool {
    accepts(headers, "application/json") && !accepts(headers, "text/html")
}
