//! `[[protect]]`: what lies below a path of ours is an upstream's, behind a token. What the caller brings of tokens, cookies and
//! names of who they are stays here; what the upstream is told is signed. Bodies flow both ways as they come, so that streams of
//! events do too.

use std::error::Error as _;
use std::time::Duration;

use ::connect::access_token::Wish;
use ::grant::protect::{Admitted, Protected};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED,
    HOST, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY, WWW_AUTHENTICATE,
};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{LengthLimitError, Limited};
use model::{IntegrationId, Label, OauthErrorCode, SubjectId};
use provider::client::{ClientError, HttpClient};
use serde::Deserialize;
use store::connections::ConnectionKey;
use tracing::{info, warn};
use url::Url;

use crate::App;
use crate::extract::whole_address_of;
use crate::layer::Untouched;
use crate::oauth::{Refused, SOON, bearer};

/// Who the caller is, for the upstream; signed.
const IDENTITY: HeaderName = HeaderName::from_static("claviger-identity");
/// What begins like this only we say.
const OURS: &str = "claviger-";

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The longest list of headers that a preflight request is answered with again, in octets.
const MAX_ASKED: usize = 1024;

/// Headers that concern one connection (RFC 9110 §7.6.1), and what is not passed on besides.
const STAY: [HeaderName; 14] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    AUTHORIZATION,
    COOKIE,
    SET_COOKIE,
    FORWARDED,
];

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
    let mut response = match through(&app, upstream, request).await {
        Ok(response) => response,
        Err(Stopped { refused, needs }) => {
            let mut response = refused.into_response();
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
    refused: Refused,
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
        Self { refused, needs }
    }
}

fn stop(status: StatusCode, code: OauthErrorCode, description: &'static str) -> Stopped {
    Stopped { refused: Refused::with(status, code, description), needs: None }
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
    let token = bearer(request.headers()).ok_or_else(|| Stopped {
        needs: Some(Needs::Token),
        ..stop(StatusCode::UNAUTHORIZED, OauthErrorCode::InvalidToken, "an access token is needed")
    })?;
    let admitted = app.grant.admit(&upstream.protected, token).await.map_err(Refused::from)?;
    let to = destination(upstream, request.uri().path(), request.uri().query()).ok_or_else(|| {
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
    let (mut head, body) = request.into_parts();
    let address = whole_address_of(&head.extensions, &head.headers, app);
    clean(&mut head.headers);
    let ours: Vec<_> = head.headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        head.headers.remove(name);
    }
    head.headers.remove(HOST);
    let unwritable = |_| stop(StatusCode::BAD_GATEWAY, OauthErrorCode::ServerError, "it can't be passed on");
    let identity = app.grant.identity(&upstream.protected, &admitted).await.map_err(Refused::from)?;
    let mut identity = HeaderValue::try_from(identity.expose()).map_err(unwritable)?;
    identity.set_sensitive(true);
    head.headers.insert(IDENTITY, identity);
    if let Some(Ok(address)) = address.map(|address| HeaderValue::try_from(address.to_string())) {
        head.headers.insert(X_FORWARDED_FOR, address);
    }
    if let Some(connected) = &upstream.connection {
        let token = connection_token(app, connected, &admitted).await?;
        let mut token = HeaderValue::try_from(format!("Bearer {token}")).map_err(unwritable)?;
        token.set_sensitive(true);
        head.headers.insert(AUTHORIZATION, token);
    }
    let mut onward = axum::http::Request::new(Limited::new(body, upstream.max_body));
    *onward.method_mut() = head.method;
    *onward.uri_mut() = to.into();
    *onward.headers_mut() = head.headers;
    let answer = upstream.client.forward(&upstream.url, onward, upstream.timeout).await.map_err(|error| {
        warn!(path = upstream.protected.path, outcome = "failure", cause = %error, "protect.no_answer");
        match error {
            ClientError::Timeout { .. } | ClientError::ConnectTimeout { .. } => stop(
                StatusCode::GATEWAY_TIMEOUT,
                OauthErrorCode::TemporarilyUnavailable,
                "the resource did not answer in time",
            ),
            error if is_too_large(&error) => too_large(),
            _ => stop(
                StatusCode::BAD_GATEWAY,
                OauthErrorCode::TemporarilyUnavailable,
                "the resource did not answer",
            ),
        }
    })?;
    let (mut head, body) = answer.into_parts();
    if head.status == StatusCode::UNAUTHORIZED {
        // The token is good; what the upstream does not take is ours to mend, and no token that the caller gets would be better.
        warn!(path = upstream.protected.path, outcome = "failure", "protect.upstream_refused");
        return Err(stop(
            StatusCode::BAD_GATEWAY,
            OauthErrorCode::ServerError,
            "the resource does not take what it is told",
        ));
    }
    clean(&mut head.headers);
    let of_cors: Vec<_> =
        head.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in of_cors {
        head.headers.remove(name);
    }
    head.extensions.insert(Untouched);
    Ok(Response::from_parts(head, Body::new(body)))
}

/// The token of the connection that the caller, or their team, has in the product.
async fn connection_token(app: &App, own: &Connected, admitted: &Admitted) -> Result<String, Stopped> {
    let none = || {
        let description = "the account that this resource needs is not connected; connect it in the product";
        stop(StatusCode::FORBIDDEN, OauthErrorCode::AccessDenied, description)
    };
    let subject = match own.of {
        Holder::Team => admitted.team.as_ref().and_then(|team| team.as_str().parse::<SubjectId>().ok()),
        Holder::User => admitted.user.and_then(|user| user.to_string().parse().ok()),
    };
    let subject = subject.ok_or_else(none)?;
    let integration = &own.integration;
    let key = ConnectionKey { subject, integration: integration.clone(), label: Label::default() };
    match app.connect.access_token(&key, &Wish::default()).await {
        Ok(token) => Ok(token.access_token.expose().to_owned()),
        Err(error) => {
            info!(subject = %key.subject, %integration, outcome = "denied", cause = %error, "protect.no_connection");
            Err(match error {
                ::connect::Error::ConnectionNotFound { .. }
                | ::connect::Error::SubjectNotFound { .. }
                | ::connect::Error::ReconnectRequired { .. } => none(),
                error => {
                    let after = match error {
                        ::connect::Error::ProviderUnavailable { retry_after }
                        | ::connect::Error::RefreshUnderWay { retry_after } => retry_after,
                        _ => SOON,
                    };
                    let description =
                        "the token of the account that this resource needs can't be had just now";
                    Refused::later(OauthErrorCode::TemporarilyUnavailable, description, after).into()
                }
            })
        }
    }
}

/// Where a request goes: below the upstream's own path, and written as it came. A path that others would read differently goes
/// nowhere.
fn destination(upstream: &Upstream, path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    let rest = path.strip_prefix(&*upstream.protected.path)?;
    let is_written = |text: &str| text.bytes().all(|octet| octet.is_ascii_graphic());
    if !is_written(rest) || !query.is_none_or(is_written) || !rest.split('/').all(means_one_thing) {
        return None;
    }
    let base = upstream.url.path().trim_end_matches('/');
    let path = if base.is_empty() && rest.is_empty() { "/".to_owned() } else { format!("{base}{rest}") };
    // RFC 3986 §3.3: it would be read as a host.
    if path.starts_with("//") {
        return None;
    }
    let to = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    to.parse().ok()
}

/// Whether a part of a path is one part and no way up, also to whoever decodes it first or takes a backslash for a slash, or leaves
/// out what follows a semicolon (RFC 3986 §3.3).
fn means_one_thing(segment: &str) -> bool {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut octets = segment.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'%' {
            decoded.push(octet);
            continue;
        }
        let digit = |octet: Option<u8>| octet.and_then(|octet| char::from(octet).to_digit(16));
        let (Some(high), Some(low)) = (digit(octets.next()), digit(octets.next())) else { return false };
        decoded.extend(u8::try_from(high * 16 + low));
    }
    let name = decoded.split(|octet| *octet == b';').next().unwrap_or_default();
    !decoded.iter().any(|octet| matches!(octet, b'/' | b'\\' | 0)) && !matches!(name, b"." | b"..")
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

fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with(OURS) || name.starts_with("x-forwarded-") || name == "x-real-ip"
}

/// Removes what concerns one connection alone, also what its `Connection` header names, and what is for us alone.
fn clean(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&STAY) {
        headers.remove(name);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_means_one_thing_to_everybody() {
        for good in
            ["", "a", "a%20b", "a'b", "...", ".a", "%2e%2e%2e", "a;v=1", "%C3%B5", "a%252Fb", "@", ":", "~"]
        {
            assert!(means_one_thing(good), "{good}");
        }
        for bad in [
            ".", "..", "%2e", "%2E%2e", ".%2e", "..;", "..;x=1", ".%3B", "%2e.%3bx", "a%2Fb", "%2f", "a%5Cb",
            "a\\b", "%00", "%", "%2", "%zz", "%+1",
        ] {
            assert!(!means_one_thing(bad), "{bad}");
        }
    }
}
