//! `[[protect]]`: what lies below a path of ours is an upstream's, behind a token. What the caller brings of tokens, cookies and
//! names of who they are stays here; what the upstream is told is signed. Bodies flow both ways as they come, so that streams of
//! events do too.

mod headers;
mod path;
mod streams;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use ::connect::access_token::Wish;
use ::grant::protect::{Admitted, Protected};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_LOCATION, LOCATION, VARY,
    WWW_AUTHENTICATE,
};
use axum::http::response::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{LengthLimitError, Limited};
use model::{IntegrationId, Label, OauthErrorCode, Secret, SubjectId, Timestamp};
use provider::client::{ClientError, HttpClient};
use serde::Deserialize;
use store::connections::ConnectionKey;
use tokio::sync::Semaphore;
use tracing::{info, warn};
use url::Url;
use vault::TokenHash;

use crate::App;
use crate::extract::whole_address_of;
use crate::layer::Untouched;
use crate::oauth::{Refused, SOON, bearer, no_token};

pub use streams::Streams;

/// How many requests of one upstream are answered at once, and how many of one user (or of one application that acts for itself):
/// what is open holds a descriptor of ours, and nobody's streams leave the others without.
pub const AT_ONCE: usize = 1000;
const OF_ONE_CALLER: usize = 50;

/// How long a token of a connection is new.
const BELIEVED: Duration = Duration::from_mins(5);

/// The longest list of headers that a preflight request is answered with again, in octets.
const MAX_ASKED: usize = 1024;

/// What can be asked of an upstream. `TRACE` would tell the caller what we told the upstream (RFC 9110 §9.3.8).
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// An upstream that we stand before.
pub struct Upstream {
    /// What the grant plane knows of it.
    pub protected: Protected,
    /// Where it is, without a slash at its end.
    pub url: Url,
    /// Reaches it, and nobody else.
    pub client: HttpClient,
    /// Whose token it gets besides.
    pub connection: Option<Connected>,
    /// The largest body of a request, in octets.
    pub max_body: usize,
    /// How long the head of an answer may take.
    pub timeout: Duration,
    /// Room for [`AT_ONCE`] requests.
    pub room: Arc<Semaphore>,
}

/// A connection of the product whose token an upstream gets.
#[derive(Debug, Clone)]
pub struct Connected {
    /// To what.
    pub integration: IntegrationId,
    /// Whose.
    pub of: Holder,
}

/// Whose connection it is. Never one or the other: somebody without a team would reach what the operator meant to be a team's, or a
/// team what is one person's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// The person's who let the application in.
    User,
    /// The team's that the application acts for.
    Team,
}

/// A request below a path that is protected.
pub async fn pass(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    let is_below = |own: &&Upstream| {
        path.strip_prefix(&*own.protected.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let Some(upstream) = app.upstreams.iter().find(is_below) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if is_preflight(&request) {
        return preflight(request.headers());
    }
    if !METHODS.contains(request.method()) {
        let allowed = METHODS.each_ref().map(Method::as_str).join(", ");
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, allowed)]).into_response();
    }
    let mut response = match through(&app, upstream, request).await {
        Ok(response) => response,
        Err(Stopped { refused, needs }) => {
            let mut response = refused.map_or_else(no_token, Refused::into_response);
            challenge(&app, upstream, needs, response.headers_mut());
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, X-Request-Id",
        ),
    );
    response
}

/// Why a request goes no further.
struct Stopped {
    /// What is wrong; nothing is with who brings no token (RFC 6750 §3.1).
    refused: Option<Refused>,
    /// What the challenge says, if there is one.
    needs: Option<Needs>,
}

#[derive(Clone, Copy)]
enum Needs {
    /// A token; none was sent.
    Token,
    /// A good token.
    GoodToken,
    /// A token that is good for more.
    Scopes,
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        let needs = match refused.code() {
            OauthErrorCode::InvalidToken => Some(Needs::GoodToken),
            OauthErrorCode::InsufficientScope => Some(Needs::Scopes),
            _ => None,
        };
        Self { refused: Some(refused), needs }
    }
}

fn stop(status: StatusCode, code: OauthErrorCode, description: &'static str) -> Stopped {
    Stopped { refused: Some(Refused::with(status, code, description)), needs: None }
}

/// It may be tried again.
fn busy(description: &'static str) -> Stopped {
    Refused::later(OauthErrorCode::TemporarilyUnavailable, description, SOON).into()
}

/// RFC 6750 §3, RFC 9728 §5.1.
fn challenge(app: &App, upstream: &Upstream, needs: Option<Needs>, headers: &mut HeaderMap) {
    let Some(needs) = needs else { return };
    let scopes = upstream.protected.scopes.to_string();
    let scope = if scopes.is_empty() { String::new() } else { format!(", scope=\"{scopes}\"") };
    let error = match needs {
        Needs::Token => "",
        Needs::GoodToken => "error=\"invalid_token\", ",
        Needs::Scopes => "error=\"insufficient_scope\", ",
    };
    let metadata =
        format!("{}/.well-known/oauth-protected-resource{}", app.public_url, upstream.protected.path);
    if let Ok(value) = HeaderValue::try_from(format!("Bearer {error}resource_metadata=\"{metadata}\"{scope}"))
    {
        headers.insert(WWW_AUTHENTICATE, value);
    }
}

async fn through(app: &App, upstream: &Upstream, request: Request) -> Result<Response, Stopped> {
    let token = bearer(request.headers()).ok_or(Stopped { refused: None, needs: Some(Needs::Token) })?;
    let admitted = app.grant.admit(&upstream.protected, token).await.map_err(Refused::from)?;
    let to = path::destination(upstream, request.uri().path(), request.uri().query()).ok_or_else(|| {
        stop(
            StatusCode::BAD_REQUEST,
            OauthErrorCode::InvalidRequest,
            "the path is not written as it is meant",
        )
    })?;
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.is_some_and(|length| length.parse::<usize>().is_ok_and(|length| length > upstream.max_body)) {
        return Err(too_large());
    }
    let room = Arc::clone(&upstream.room).try_acquire_owned();
    let caller = admitted.user.map_or_else(|| admitted.client_id.to_string(), |user| user.to_string());
    let stream = room.ok().and_then(|room| app.streams.open(admitted.token, caller, room));
    let mut stream = stream.ok_or_else(|| busy("too many requests are under way"))?;
    let connection = match &upstream.connection {
        Some(own) => Some(Used::by(app, own, &admitted).await?),
        None => None,
    };

    let (mut head, body) = request.into_parts();
    let address = whole_address_of(&head.extensions, &head.headers, app);
    headers::onward(&mut head.headers);
    let identity = app.grant.identity(&upstream.protected, &admitted).await.map_err(Refused::from)?;
    head.headers.insert(headers::IDENTITY, unseen(identity.expose())?);
    if let Some(Ok(address)) = address.map(|address| HeaderValue::try_from(address.to_string())) {
        head.headers.insert(headers::X_FORWARDED_FOR, address);
    }
    if let Some(used) = &connection {
        head.headers.insert(AUTHORIZATION, unseen(&format!("Bearer {}", used.token.expose()))?);
    }
    let mut onward = axum::http::Request::new(Limited::new(body, upstream.max_body));
    *onward.method_mut() = head.method;
    *onward.uri_mut() = to.clone().into();
    *onward.headers_mut() = head.headers;
    let answer = tokio::select! {
        answer = upstream.client.forward(&upstream.url, onward, upstream.timeout) => answer,
        () = stream.over() => return Err(no_longer_good()),
    };
    let (mut head, body) = answer.map_err(|error| no_answer(upstream, &error))?.into_parts();

    if head.status == StatusCode::UNAUTHORIZED {
        return Err(not_taken(app, upstream, connection).await);
    }
    headers::back(&mut head.headers);
    say_addresses_here(app, upstream, &to, &mut head)?;
    head.extensions.insert(Untouched);
    Ok(Response::from_parts(head, streams::body(body, stream)))
}

fn no_longer_good() -> Stopped {
    let description = "the access token is unknown, or no longer good";
    Refused::with(StatusCode::UNAUTHORIZED, OauthErrorCode::InvalidToken, description).into()
}

/// A value that no log shows.
fn unseen(text: &str) -> Result<HeaderValue, Stopped> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| stop(StatusCode::BAD_GATEWAY, OauthErrorCode::ServerError, "it can't be passed on"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn no_answer(upstream: &Upstream, error: &ClientError) -> Stopped {
    if is_too_large(error) {
        return too_large();
    }
    warn!(path = upstream.protected.path, outcome = "failure", cause = %error, "protect.no_answer");
    match error {
        ClientError::Connect { .. } | ClientError::ConnectTimeout { .. } | ClientError::Resolve { .. } => {
            busy("the resource can't be reached")
        }
        ClientError::Timeout { .. } => stop(
            StatusCode::GATEWAY_TIMEOUT,
            OauthErrorCode::TemporarilyUnavailable,
            "the resource did not answer in time",
        ),
        _ => stop(
            StatusCode::BAD_GATEWAY,
            OauthErrorCode::TemporarilyUnavailable,
            "the resource did not answer",
        ),
    }
}

/// The caller's token is good; what the upstream does not take is ours to mend, and no token that the caller gets would be better.
async fn not_taken(app: &App, upstream: &Upstream, connection: Option<Used>) -> Stopped {
    warn!(path = upstream.protected.path, outcome = "failure", "protect.upstream_refused");
    if let Some(used) = connection
        && used.was_renewed(app).await
    {
        return busy("the account that this resource needs has another token now");
    }
    stop(StatusCode::BAD_GATEWAY, OauthErrorCode::ServerError, "the resource does not take what it is told")
}

/// The caller knows no address of the upstream, and is not sent to where nobody gets through us.
fn say_addresses_here(
    app: &App,
    upstream: &Upstream,
    to: &PathAndQuery,
    head: &mut Parts,
) -> Result<(), Stopped> {
    for name in [LOCATION, CONTENT_LOCATION] {
        let Some(address) = head.headers.get(&name) else { continue };
        if let Some(here) = path::address_here(upstream, &app.public_url, to, address) {
            head.headers.insert(name, here);
        } else if head.status.is_redirection() {
            warn!(path = upstream.protected.path, outcome = "failure", "protect.leads_elsewhere");
            return Err(stop(
                StatusCode::BAD_GATEWAY,
                OauthErrorCode::ServerError,
                "the resource points to where nobody gets through us",
            ));
        } else {
            // What was asked for is done all the same.
            head.headers.remove(name);
        }
    }
    Ok(())
}

/// The token of a connection that the caller, or their team, has in the product.
struct Used {
    key: ConnectionKey,
    token: Secret<String>,
    /// When the provider gave it.
    obtained_at: Timestamp,
}

impl Used {
    async fn by(app: &App, own: &Connected, admitted: &Admitted) -> Result<Self, Stopped> {
        let subject = match own.of {
            Holder::Team => admitted.team.as_ref().and_then(|team| team.as_str().parse::<SubjectId>().ok()),
            Holder::User => admitted.user.and_then(|user| user.to_string().parse().ok()),
        };
        let subject = subject.ok_or_else(not_connected)?;
        let integration = own.integration.clone();
        let key = ConnectionKey { subject, integration, label: Label::default() };
        match app.connect.access_token(&key, &Wish::default()).await {
            Ok(token) => {
                let obtained_at = token.standing.obtained_at;
                let token = Secret::new(token.access_token.expose().to_owned());
                Ok(Self { key, token, obtained_at })
            }
            Err(error) => Err(no_connection(&key, &error)),
        }
    }

    /// Whether there is another token, now that this one was refused. A new one is believed for a while: an upstream may refuse for
    /// other reasons, and whoever calls it would wear out the provider.
    async fn was_renewed(&self, app: &App) -> bool {
        if app.clock.now().since(self.obtained_at) < BELIEVED {
            return false;
        }
        let rejected = Some(TokenHash::of(self.token.expose()));
        let wish = Wish { rejected, ..Wish::default() };
        let fresh = app.connect.access_token(&self.key, &wish).await;
        fresh.is_ok_and(|fresh| fresh.access_token.expose() != self.token.expose())
    }
}

fn not_connected() -> Stopped {
    let description = "the account that this resource needs is not connected; connect it in the product";
    stop(StatusCode::FORBIDDEN, OauthErrorCode::AccessDenied, description)
}

fn no_connection(key: &ConnectionKey, error: &::connect::Error) -> Stopped {
    let ConnectionKey { subject, integration, .. } = key;
    info!(%subject, %integration, outcome = "denied", cause = %error, "protect.no_connection");
    let after = match error {
        ::connect::Error::ConnectionNotFound { .. }
        | ::connect::Error::SubjectNotFound { .. }
        | ::connect::Error::ReconnectRequired { .. } => return not_connected(),
        ::connect::Error::ProviderUnavailable { retry_after }
        | ::connect::Error::RefreshUnderWay { retry_after } => *retry_after,
        _ => SOON,
    };
    let description = "the token of the account that this resource needs can't be had just now";
    Refused::later(OauthErrorCode::TemporarilyUnavailable, description, after).into()
}

fn too_large() -> Stopped {
    stop(
        StatusCode::PAYLOAD_TOO_LARGE,
        OauthErrorCode::InvalidRequest,
        "the body is larger than is passed on",
    )
}

fn is_too_large(error: &ClientError) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<LengthLimitError>() {
            return true;
        }
        source = cause.source();
    }
    false
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Scripts of any origin may ask: no cookie plays a part, only a token that they have.
fn preflight(headers: &HeaderMap) -> Response {
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|asked| asked.len() <= MAX_ASKED);
    let allowed = asked.cloned().unwrap_or(HeaderValue::from_static(
        "Authorization, Content-Type, MCP-Protocol-Version, Mcp-Session-Id, Last-Event-ID",
    ));
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE")),
        (ACCESS_CONTROL_ALLOW_HEADERS, allowed),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
        (VARY, HeaderValue::from_static("Access-Control-Request-Headers")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
