//! What happens to each call: the app's settings are looked up, a failure that is due is served, otherwise the work is
//! done, the log gets its row, and the answer is held back by the latency. After `reset_after` it is never given.

use std::mem;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::answer::OAuthError;
use crate::app::App;
use crate::client_auth::{self, Credentials};
use crate::control::Control;
use crate::failure::{self, Kind};
use crate::grants::Grants;
use crate::log::Row;
use crate::parameters::{Parameters, Unreadable};
use crate::profile::Site;
use crate::sandbox::Sandbox;
use crate::settings::{LONGEST_PAUSE_MS, Settings};

/// What is called, as the log and a failure's `endpoints` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Endpoint {
    Authorize,
    Token,
    Revoke,
    Introspect,
    Userinfo,
    Api,
}

/// What is called, and where.
pub(crate) struct At<'a> {
    pub(crate) endpoint: Endpoint,
    /// The provider that is played; `None` for the sandbox itself.
    pub(crate) site: Option<&'a Site>,
}

impl From<Endpoint> for At<'_> {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint, site: None }
    }
}

/// One call, while it is worked on.
pub(crate) struct Call<'a> {
    pub(crate) control: &'a Control,
    pub(crate) grants: &'a mut Grants,
    /// Those towards the app that calls.
    pub(crate) settings: &'a Settings,
    /// The app's clock.
    pub(crate) now: i64,
    pub(crate) base: &'a str,
    /// The provider that is played; `None` for the sandbox itself.
    pub(crate) site: Option<&'a Site>,
    /// See [`crate::consent::Terms`].
    pub(crate) place: &'static str,
    pub(crate) row: &'a mut Row,
}

impl<'a> Call<'a> {
    /// The app, if it is registered with who is called.
    pub(crate) fn app(&self, client_id: &str) -> Option<&'a App> {
        self.control.app_at(client_id, self.site)
    }

    /// RFC 6749 §2.3, by the method that `clientAuth` allows.
    pub(crate) fn authenticate(&self, request: &ClientRequest) -> Result<(), OAuthError> {
        let credentials = &request.credentials;
        credentials.authenticate(self.app(&credentials.client_id), self.settings.client_auth)
    }
}

/// Who calls, as far as can be told before anything is checked.
pub(crate) enum Caller<'a> {
    Client {
        id: Option<&'a str>,
        /// At the token endpoint, what is asked for.
        grant_type: Option<&'static str>,
    },
    Bearer(Option<&'a str>),
}

/// Runs one call. The work is done at once, so that a client who does not wait for a slow answer changes nothing.
pub(crate) async fn run<'a>(
    sandbox: &Sandbox,
    at: impl Into<At<'a>>,
    caller: Caller<'_>,
    work: impl FnOnce(&mut Call<'_>) -> Result<Response, OAuthError>,
) -> Response {
    let at = at.into();
    let endpoint = at.endpoint;
    let Begun { response, pause, deliverable } = begin(sandbox, &at, &caller, work);
    if !pause.is_zero() {
        // A client that goes away drops this future where it waits.
        let mut waiting = Waiting { sandbox, endpoint, for_work: deliverable };
        sandbox.pause(pause).await;
        waiting.for_work = false;
    }
    response
}

/// A call that has its answer.
struct Begun {
    response: Response,
    /// How long the answer is held back.
    pause: Duration,
    /// Whether work was done of which the client will hear.
    deliverable: bool,
}

/// Counts an answer as lost when it is dropped before its time.
struct Waiting<'a> {
    sandbox: &'a Sandbox,
    endpoint: Endpoint,
    for_work: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.for_work {
            self.sandbox.state().log.lose_answer(self.endpoint);
        }
    }
}

fn begin(
    sandbox: &Sandbox,
    &At { endpoint, site }: &At<'_>,
    caller: &Caller<'_>,
    work: impl FnOnce(&mut Call<'_>) -> Result<Response, OAuthError>,
) -> Begun {
    let clock_ms = sandbox.clock_ms();
    let mut state = sandbox.state();
    let state = &mut *state;
    let (client_id, grant_type) = match *caller {
        Caller::Client { id, grant_type } => (id, grant_type),
        Caller::Bearer(token) => (token.and_then(|token| state.grants.client_of(token)), None),
    };
    let client_id = client_id.filter(|id| state.control.app_at(id, site).is_some()).map(str::to_owned);
    let mut row = Row::new(clock_ms, endpoint);
    row.client_id.clone_from(&client_id);
    row.grant_type = grant_type;
    row.profile = site.map(|site| site.profile.name());
    row.host = site.map(|site| site.host.clone());

    let fail = state.control.take_failure(client_id.as_deref(), endpoint);
    if let Some(fail) = fail.as_ref().filter(|fail| fail.kind != Kind::ResetAfter) {
        let response = failure::response(fail, sandbox.base());
        row.outcome = fail.outcome();
        row.status = (!fail.kind.is_silent()).then(|| response.status().as_u16());
        state.log.push(row);
        let pause = if fail.kind == Kind::Hang { LONGEST_PAUSE_MS } else { 0 };
        return Begun { response, pause: Duration::from_millis(pause), deliverable: false };
    }

    let settings = state.control.settings(client_id.as_deref());
    let result = work(&mut Call {
        control: &state.control,
        grants: &mut state.grants,
        settings,
        now: settings.now_ms(clock_ms),
        base: sandbox.base(),
        site,
        place: site.map_or("", Site::place),
        row: &mut row,
    });
    let mut response = result.unwrap_or_else(|error| {
        error.code.clone_into(&mut row.outcome);
        row.description = Some(error.description);
        if endpoint == Endpoint::Token {
            error.token_response(settings.token_format)
        } else {
            error.into_response()
        }
    });
    row.status = Some(response.status().as_u16());
    let pause = if endpoint == Endpoint::Authorize { 0 } else { settings.latency };
    if let Some(reset) = &fail {
        row.work = Some(mem::replace(&mut row.outcome, reset.outcome()));
        row.status = None;
        response = failure::response(reset, sandbox.base());
        state.log.lose_answer(endpoint);
    }
    state.log.push(row);
    Begun { response, pause: Duration::from_millis(pause), deliverable: fail.is_none() }
}

/// A request of a client to the token, revocation or introspection endpoint.
pub(crate) struct ClientRequest {
    pub(crate) parameters: Parameters,
    pub(crate) credentials: Credentials,
}

impl ClientRequest {
    /// Reads a form (RFC 6749 §3.2): its type, size and encoding, no parameter twice, and one set of credentials.
    pub(crate) fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Self, OAuthError> {
        Self::of(headers, read_form(headers, body)?)
    }

    /// The same for parameters that were read in another way.
    pub(crate) fn of(headers: &HeaderMap, parameters: Parameters) -> Result<Self, OAuthError> {
        if parameters.any_repeated() {
            return Err(OAuthError::invalid_request("A parameter is repeated."));
        }
        let credentials = client_auth::presented(headers, &parameters)?;
        Ok(Self { parameters, credentials })
    }

    /// Who the client says that it is.
    pub(crate) fn caller<'a>(
        request: &'a Result<Self, OAuthError>,
        grant_type: Option<&'static str>,
    ) -> Caller<'a> {
        let id = request.as_ref().ok().map(|request| request.credentials.client_id.as_str());
        Caller::Client { id, grant_type }
    }

    /// The value, or `invalid_request` with this description.
    pub(crate) fn require(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        self.parameters.get(name).ok_or(OAuthError::invalid_request(missing))
    }
}

/// A body of `application/x-www-form-urlencoded`, at most 64 KiB.
pub(crate) fn read_form(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Parameters, OAuthError> {
    if !is_media_type(headers, "application/x-www-form-urlencoded") {
        return Err(OAuthError::invalid_request("The body must be application/x-www-form-urlencoded."));
    }
    read_parameters(&whole(body)?)
}

/// A JSON object of texts, at most 64 KiB.
pub(crate) fn read_json(body: Result<Bytes, BytesRejection>) -> Result<Parameters, OAuthError> {
    Parameters::from_json(&whole(body)?).map_err(unreadable)
}

/// Whether the body is said to be of this type.
pub(crate) fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(expected)
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, OAuthError> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => OAuthError::too_large(),
        _ => OAuthError::invalid_request("The body could not be read."),
    })
}

/// A query or the octets of a form.
pub(crate) fn read_parameters(encoded: &[u8]) -> Result<Parameters, OAuthError> {
    Parameters::parse(encoded).map_err(unreadable)
}

fn unreadable(unreadable: Unreadable) -> OAuthError {
    OAuthError::invalid_request(match unreadable {
        Unreadable::TooMany => "The request has more than 64 parameters.",
        Unreadable::NotUtf8 => "The parameters are not percent-encoded UTF-8.",
        Unreadable::NotJson => "The body is not a JSON object whose members are texts.",
    })
}
