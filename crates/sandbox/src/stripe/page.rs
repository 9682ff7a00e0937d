//! Where an account link leads a person: a page with a few ways out. No script.

use askama::Template;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::account::{Account, Outcome};
use super::endpoint::Endpoint;
use super::event::Cause;
use super::link::Link;
use super::settings::Onboarding;
use super::shelf::new_id;
use super::webhook;
use super::words::{Words, words};
use crate::call;
use crate::failure::{self, Kind};
use crate::language::{self, Language};
use crate::log::{Row, StripeNotes};
use crate::page::{Place, html, initials};
use crate::same_origin;
use crate::sandbox::Sandbox;

/// Who is played.
const NAME: &str = "Stripe";

#[derive(Template)]
#[template(path = "onboarding.html")]
struct OnboardingPage<'a> {
    words: &'static language::Words,
    own: &'static Words,
    path: &'a str,
    place: Place,
    action: String,
    visit: &'a str,
    heading: String,
    initials: String,
    account: &'a Account,
    returns_to: String,
}

#[derive(Template)]
#[template(path = "onboarding_refusal.html")]
struct RefusalPage<'a> {
    words: &'static language::Words,
    path: &'a str,
    place: Place,
    heading: &'static str,
    reason: &'static str,
}

/// What the person, or the control, decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Finish(Outcome),
    Expire,
}

impl Decision {
    fn named(name: &str) -> Option<Self> {
        match name {
            "complete" => Some(Self::Finish(Outcome::Complete)),
            "pending" => Some(Self::Finish(Outcome::Pending)),
            "incomplete" => Some(Self::Finish(Outcome::Incomplete)),
            "expired" => Some(Self::Expire),
            _ => None,
        }
    }

    fn of(onboarding: Onboarding) -> Option<Self> {
        match onboarding {
            Onboarding::Ask => None,
            Onboarding::Complete => Some(Self::Finish(Outcome::Complete)),
            Onboarding::Pending => Some(Self::Finish(Outcome::Pending)),
            Onboarding::Incomplete => Some(Self::Finish(Outcome::Incomplete)),
            Onboarding::Expired => Some(Self::Expire),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Finish(Outcome::Complete) => "complete",
            Self::Finish(Outcome::Pending) => "pending",
            Self::Finish(Outcome::Incomplete) => "incomplete",
            Self::Expire => "expired",
        }
    }
}

/// `GET /setup/e/{account}/{token}`: opens a link, which works once.
pub(super) async fn open(
    State(sandbox): State<Sandbox>,
    Path((account, token)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    // Looking whether a page is there opens nothing.
    if method == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    let response = run(&sandbox, &method, |now, row| {
        let state = &mut *sandbox.state();
        let stripe = &mut state.stripe;
        let opened = match stripe.open_link(&token, &account, now) {
            None => return refusal(&sandbox, &headers, row, StatusCode::NOT_FOUND),
            Some(Err(refresh_url)) => return redirect(row, "link_expired", &refresh_url),
            Some(Ok(opened)) => opened,
        };
        let (link, visit) = opened;
        row.account = Some(link.account.clone());
        if let Some(decision) = Decision::of(stripe.control.settings.onboarding) {
            stripe.close_link(&token, &account, &visit, now);
            return finish(stripe, row, &link, decision, now);
        }
        "asked".clone_into(&mut row.outcome);
        let Some(account) = stripe.accounts.get(&account) else {
            return redirect(row, "link_expired", &link.refresh_url);
        };
        let language = Language::of(&headers);
        let own = words(language);
        let platform = stripe.control.name_of(&account.platform);
        let page = OnboardingPage {
            words: language.words(),
            own,
            path: sandbox.path(),
            action: format!("{}/setup/e/{}/{token}", sandbox.path(), account.id),
            visit: &visit,
            place: Place::played(NAME, language.words()),
            heading: own.heading.replace("{platform}", platform),
            initials: initials(platform),
            account,
            returns_to: Url::parse(&link.return_url)
                .map_or_else(|_| String::new(), |url| url.authority().to_owned()),
        };
        // Chromium holds every redirect that follows a form to form-action, so the schemes are as much as can be named.
        let response = html(StatusCode::OK, &page, language, "'self' http: https:");
        row.status = Some(200);
        response
    });
    webhook::wake(&sandbox);
    response
}

/// `POST /setup/e/{account}/{token}`: what the person decided.
pub(super) async fn decide(
    State(sandbox): State<Sandbox>,
    Path((account, token)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let response = run(&sandbox, &Method::POST, |now, row| {
        if same_origin::check(&Method::POST, &headers, sandbox.authority()).is_err() {
            return refusal(&sandbox, &headers, row, StatusCode::FORBIDDEN);
        }
        let Ok(parameters) = call::read_form(&headers, body) else {
            return refusal(&sandbox, &headers, row, StatusCode::BAD_REQUEST);
        };
        let decision = parameters.get("outcome").and_then(Decision::named);
        let (Some(decision), Some(visit)) = (decision, parameters.get("visit")) else {
            return refusal(&sandbox, &headers, row, StatusCode::BAD_REQUEST);
        };
        let stripe = &mut sandbox.state().stripe;
        match stripe.close_link(&token, &account, visit, now) {
            None => refusal(&sandbox, &headers, row, StatusCode::NOT_FOUND),
            Some(Err(refresh_url)) => redirect(row, "link_expired", &refresh_url),
            Some(Ok(link)) => {
                row.account = Some(link.account.clone());
                finish(stripe, row, &link, decision, now)
            }
        }
    });
    webhook::wake(&sandbox);
    response
}

/// Serves a failure that is due, or does the work; the log gets its row.
fn run(sandbox: &Sandbox, method: &Method, work: impl FnOnce(i64, &mut Row) -> Response) -> Response {
    let clock_ms = sandbox.clock_ms();
    let mut row = Row::new(clock_ms, Endpoint::Onboarding);
    row.stripe = Some(StripeNotes::of(method.as_str(), &new_id("req_")));
    let (fail, now) = {
        let stripe = &mut sandbox.state().stripe;
        (stripe.control.take_failure(Endpoint::Onboarding), stripe.now(clock_ms))
    };
    // A page that hangs would only hold a browser: it answers at once, as when the wait is over.
    let response = match fail {
        Some(fail) if fail.kind != Kind::ResetAfter => {
            let response = failure::response(&fail.plain(), sandbox.base());
            row.outcome = fail.outcome();
            row.status =
                (fail.kind == Kind::Hang || !fail.kind.is_silent()).then(|| response.status().as_u16());
            response
        }
        Some(fail) => {
            drop(work(now, &mut row));
            row.work = Some(std::mem::replace(&mut row.outcome, fail.outcome()));
            row.status = None;
            failure::response(&fail.plain(), sandbox.base())
        }
        None => work(now, &mut row),
    };
    sandbox.state().log.push(row);
    response
}

fn finish(stripe: &mut super::Stripe, row: &mut Row, link: &Link, decision: Decision, now: i64) -> Response {
    match decision {
        Decision::Expire => redirect(row, decision.name(), &link.refresh_url),
        Decision::Finish(outcome) => {
            let cause = Cause { now, ..Cause::default() };
            stripe.change_account(&cause, &link.account, |account| account.onboard(outcome));
            redirect(row, decision.name(), &link.return_url)
        }
    }
}

/// The address exactly as it was given: it was checked then.
fn redirect(row: &mut Row, outcome: &str, to: &str) -> Response {
    outcome.clone_into(&mut row.outcome);
    row.status = Some(303);
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store")]).into_response()
}

fn refusal(sandbox: &Sandbox, headers: &HeaderMap, row: &mut Row, status: StatusCode) -> Response {
    let language = Language::of(headers);
    let own = words(language);
    let (outcome, heading, reason) = match status {
        StatusCode::FORBIDDEN => ("other_origin", own.other_origin_heading, own.other_origin),
        _ => ("unknown_link", own.unknown_heading, own.unknown),
    };
    outcome.clone_into(&mut row.outcome);
    row.status = Some(status.as_u16());
    let place = Place::played(NAME, language.words());
    let page = RefusalPage { words: language.words(), path: sandbox.path(), place, heading, reason };
    html(status, &page, language, "'none'")
}
