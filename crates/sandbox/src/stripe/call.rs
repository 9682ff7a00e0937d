//! What happens to each call of the API, in order: a failure that is due, the key, the account, the parameters, the
//! idempotency key, the work, the log, the latency.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;

use super::actor::Actor;
use super::answer::{Answer, failing, text, write};
use super::event::Cause;
use super::form::Form;
use super::idempotency::{Claim, Kept, fingerprint};
use super::problem::Problem;
use super::route::{self, Route};
use super::shelf::new_id;
use super::{Stripe, webhook};
use crate::call::is_media_type;
use crate::failure::{self, Kind};
use crate::log::{Row, StripeNotes};
use crate::sandbox::Sandbox;
use crate::settings::LONGEST_PAUSE_MS;

/// One call, while it is worked on.
pub(super) struct Work<'a> {
    pub(super) stripe: &'a mut Stripe,
    pub(super) actor: &'a Actor,
    /// What the path names.
    pub(super) id: &'a str,
    pub(super) form: &'a Form,
    pub(super) base: &'a str,
    pub(super) cause: Cause,
    /// The account that it was about, for the log.
    pub(super) about: Option<String>,
}

/// A request, as far as it is known before anything is checked.
struct Request<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    body: Result<Bytes, BytesRejection>,
}

/// A call that has its answer.
struct Begun {
    response: Response,
    pause: u64,
    /// The idempotency key that stays in use until the answer is given.
    claim: Option<Claim>,
}

/// Lets go of an idempotency key when the answer is given, or its client goes away.
struct UnderWay<'a>(&'a Sandbox, Option<Claim>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(claim) = &self.1 {
            self.0.state().stripe.idempotency.finish(claim);
        }
    }
}

/// `{any method} /v1/{path}`.
pub(crate) async fn serve(
    State(sandbox): State<Sandbox>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let path = format!("/v1/{path}");
    let Some((route, id)) = route::find(&method, &path) else {
        let problem = Problem::unknown_url(method.as_str(), &path);
        return write(Answer::of(&problem, sandbox.base()), &new_id("req_"), &headers);
    };
    let query = query.as_deref().unwrap_or_default();
    let request = Request { method: &method, path: &path, query, headers: &headers, body };
    let Begun { response, pause, claim } = begin(&sandbox, route, &id, &request);
    let _under_way = UnderWay(&sandbox, claim);
    webhook::wake(&sandbox);
    if pause > 0 {
        sandbox.pause(Duration::from_millis(pause)).await;
    }
    response
}

fn begin(sandbox: &Sandbox, route: &Route, id: &str, request: &Request<'_>) -> Begun {
    let clock_ms = sandbox.clock_ms();
    let mut state = sandbox.state();
    let state = &mut *state;
    let stripe = &mut state.stripe;
    let now = stripe.now(clock_ms);
    let headers = request.headers;
    let request_id = new_id("req_");
    let key = text(headers, "idempotency-key").filter(|_| request.method == Method::POST);
    let mut row = Row::new(clock_ms, route.endpoint);
    let mut notes = StripeNotes::of(request.method.as_str(), &request_id);
    notes.idempotency_key = key.map(fingerprint);

    let fail = stripe.control.take_failure(route.endpoint);
    let pause = stripe.control.settings.latency;
    let mut call = Call { stripe, route, id, request, base: sandbox.base(), claim: None, about: None };
    let cause = Cause { request_id: Some(request_id.clone()), idempotency_key: key.map(str::to_owned), now };
    let begun = if let Some(fail) = fail.as_ref().filter(|fail| fail.kind != Kind::ResetAfter) {
        let held = matches!(fail.kind, Kind::Hang | Kind::InternalServerError);
        let answer = failing(fail.kind, sandbox.base());
        if held {
            call.hold(key, &request_id, answer.as_ref(), now);
        }
        let response = answer.map_or_else(
            || failure::response(&fail.plain(), sandbox.base()),
            |answer| {
                let mut response = write(answer, &request_id, headers);
                if let (Kind::TooManyRequests, Some(seconds)) = (fail.kind, fail.retry_after) {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                response
            },
        );
        row.outcome = fail.outcome();
        row.status = (!fail.kind.is_silent()).then(|| response.status().as_u16());
        let pause = if fail.kind == Kind::Hang { LONGEST_PAUSE_MS } else { 0 };
        Begun { response, pause, claim: call.claim.take() }
    } else {
        let outcome = call.run(key, cause);
        let answer = match outcome {
            Ok(answer) => answer,
            Err(problem) => {
                problem.outcome().clone_into(&mut row.outcome);
                Answer::of(&problem, sandbox.base())
            }
        };
        if answer.replay_of.is_some() {
            notes.replayed = true;
            "replayed".clone_into(&mut row.outcome);
        }
        row.status = Some(answer.status.as_u16());
        let mut response = write(answer, &request_id, headers);
        if let Some(fail) = &fail {
            row.work = Some(std::mem::replace(&mut row.outcome, fail.outcome()));
            row.status = None;
            response = failure::response(&fail.plain(), sandbox.base());
        }
        row.account = call.about.take();
        Begun { response, pause: if fail.is_some() { 0 } else { pause }, claim: call.claim.take() }
    };
    row.stripe = Some(notes);
    state.log.push(row);
    begun
}

/// One call between its failure and its log row.
struct Call<'a> {
    stripe: &'a mut Stripe,
    route: &'a Route,
    id: &'a str,
    request: &'a Request<'a>,
    base: &'a str,
    claim: Option<Claim>,
    about: Option<String>,
}

impl Call<'_> {
    fn run(&mut self, key: Option<&str>, cause: Cause) -> Result<Answer, Problem> {
        let actor = Actor::of(self.stripe, self.request.headers)?;
        let form = self.form()?;
        let claim = key.map(|key| Claim::of(&actor.platform, key)).transpose()?;
        let asked =
            format!("{} {} {} {}", self.request.method, self.request.path, actor.owner(), form.canonical());
        if let Some(claim) = &claim
            && let Some(Kept { status, body, request_id }) =
                self.stripe.idempotency.find(claim, &asked, cause.now)?
        {
            return Ok(Answer { status, body, replay_of: Some(request_id) });
        }
        form.allows_only(self.route.parameters)?;
        let (now, request_id) = (cause.now, cause.request_id.clone().unwrap_or_default());
        let mut work = Work {
            stripe: &mut *self.stripe,
            actor: &actor,
            id: self.id,
            form: &form,
            base: self.base,
            cause,
            about: None,
        };
        let result = (self.route.work)(&mut work);
        self.about = work.about.take();
        let (status, body) = match &result {
            Ok(value) => (StatusCode::OK, value.to_string()),
            Err(problem) if problem.before_work => return Err(problem.clone()),
            Err(problem) => (problem.status, problem.body(self.base).to_string()),
        };
        if let Some(claim) = claim {
            let kept = Kept { status, body: body.clone(), request_id };
            self.stripe.idempotency.begin(&claim, asked, Some(kept), now);
            self.claim = Some(claim);
        }
        result.map(|_| Answer { status, body, replay_of: None })
    }

    /// Keeps a failing answer for its key as Stripe does, or holds the key while a call hangs.
    fn hold(&mut self, key: Option<&str>, request_id: &str, answer: Option<&Answer>, now: i64) {
        let (Some(key), Ok(actor), Ok(form)) =
            (key, Actor::of(self.stripe, self.request.headers), self.form())
        else {
            return;
        };
        let Ok(claim) = Claim::of(&actor.platform, key) else { return };
        let asked =
            format!("{} {} {} {}", self.request.method, self.request.path, actor.owner(), form.canonical());
        if matches!(self.stripe.idempotency.find(&claim, &asked, now), Ok(None)) {
            let request_id = request_id.to_owned();
            let kept = answer.map(|Answer { status, body, .. }| Kept {
                status: *status,
                body: body.clone(),
                request_id,
            });
            self.stripe.idempotency.begin(&claim, asked, kept, now);
            self.claim = Some(claim);
        }
    }

    /// The query of a GET and a DELETE, the form of a POST.
    fn form(&self) -> Result<Form, Problem> {
        if self.request.method != Method::POST {
            return Form::parse(self.request.query.as_bytes());
        }
        let Ok(body) = &self.request.body else {
            return Err(Problem::invalid("The body is larger than 64 KiB, or broke off."));
        };
        if !body.is_empty() && !is_media_type(self.request.headers, "application/x-www-form-urlencoded") {
            return Err(Problem::invalid("The body must be application/x-www-form-urlencoded."));
        }
        Form::parse(body)
    }
}
