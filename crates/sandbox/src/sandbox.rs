//! The sandbox itself: what it holds, every URL on one page, and how it is served.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::control::Control;
use crate::grants::Grants;
use crate::line::{self, Line, Lines};
use crate::log::Log;
use crate::stripe::{self, Stripe};
use crate::{authorize, control_api, introspect, metadata, page, profile, resource, revoke, token};

/// No request of this protocol is longer.
const MAX_BODY: usize = 64 * 1024;

/// How long answers under way may take once the shutdown has begun.
const GRACE: Duration = Duration::from_secs(5);

/// A third party of our own making. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    /// The issuer: no slash at its end.
    base: String,
    /// The host and port of `base`, as a `Host` header writes them.
    authority: String,
    /// The path of `base`: empty, or a prefix like `/sandbox`.
    path: String,
    clock: Box<dyn Clock>,
    // Held for the work of one call and never while waiting.
    state: Mutex<State>,
    closing: watch::Sender<bool>,
}

/// Everything that changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) control: Control,
    pub(crate) grants: Grants,
    pub(crate) log: Log,
    pub(crate) stripe: Stripe,
}

/// A base URL that no issuer can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox's base URL must be http or https with a host, and without user, query and fragment")]
pub struct InvalidBaseUrl;

impl Sandbox {
    /// A sandbox that the world reaches at `base_url`, which is its issuer (RFC 8414 §2) and may have a path.
    pub fn new(base_url: &Url, clock: impl Clock) -> Result<Self, InvalidBaseUrl> {
        let plain = base_url.query().is_none()
            && base_url.fragment().is_none()
            && base_url.username().is_empty()
            && base_url.password().is_none();
        if !plain || !matches!(base_url.scheme(), "http" | "https") {
            return Err(InvalidBaseUrl);
        }
        Ok(Self(Arc::new(Inner {
            base: base_url.as_str().trim_end_matches('/').to_owned(),
            authority: base_url.authority().to_owned(),
            path: base_url.path().trim_end_matches('/').to_owned(),
            clock: Box::new(clock),
            state: Mutex::default(),
            closing: watch::Sender::new(false),
        })))
    }

    /// Every URL of the sandbox, below the base URL's path: `Router::nest` it there when there is one.
    ///
    /// The failures `reset_before` and `reset_after` reset the connection only where [`Sandbox::serve`] accepted it;
    /// elsewhere it is closed, likewise without an octet of an answer.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(page::home))
            .route("/assets/sandbox.css", get(page::stylesheet))
            .route("/oauth/authorize", get(authorize::get).post(authorize::post))
            .route("/oauth/token", post(token::post))
            .route("/oauth/revoke", post(revoke::post))
            .route("/oauth/introspect", post(introspect::post))
            .route("/oauth/userinfo", get(resource::userinfo))
            .route("/api/me", get(resource::me))
            .route("/api/notes", get(resource::notes))
            .route("/.well-known/oauth-authorization-server", get(metadata::get))
            .route("/at/{host}/{*path}", any(profile::serve))
            .route("/control", get(control_api::show).put(control_api::change))
            .route("/control/log", get(control_api::log))
            .route("/control/totals", get(control_api::totals))
            .route("/control/reset", post(control_api::reset))
            .merge(stripe::router())
            .fallback(nothing_here)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(map_response(harden))
            .layer(from_fn(line::hang_up))
            .with_state(self.clone())
    }

    /// Serves at the root of `listener` until `shutdown` is done; then calls that hang are let go, and answers under way
    /// have five seconds.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let mut closing = self.0.closing.subscribe();
        let service = self.router().into_make_service_with_connect_info::<Line>();
        let begin = async move {
            shutdown.await;
            self.0.closing.send_replace(true);
        };
        let served = axum::serve(Lines(listener), service).with_graceful_shutdown(begin);
        let out_of_patience = async {
            // The sender lives in the router's state for as long as anything is served.
            drop(closing.wait_for(|closing| *closing).await);
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            result = served => result,
            () = out_of_patience => Ok(()),
        }
    }

    pub(crate) fn base(&self) -> &str {
        &self.0.base
    }

    pub(crate) fn authority(&self) -> &str {
        &self.0.authority
    }

    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    pub(crate) fn clock_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked left at worst one call half done, and a test bench is better open than closed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not beyond the end of the server. Whether the server goes on.
    pub(crate) async fn pause(&self, duration: Duration) -> bool {
        let mut closing = self.0.closing.subscribe();
        tokio::select! {
            () = tokio::time::sleep(duration) => true,
            _ = closing.wait_for(|closing| *closing) => false,
        }
    }
}

/// Serves a sandbox whose base URL is `http://` and the listener's address, by the operating system's clock.
///
/// Fails where the listener is not on loopback: its control is open to whoever reaches it, and its secret is known.
pub async fn serve(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let message = format!("the sandbox serves on loopback only, and {address} is not");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let base = Url::parse(&format!("http://{address}")).map_err(io::Error::other)?;
    Sandbox::new(&base, SystemClock).map_err(io::Error::other)?.serve(listener, shutdown).await
}

pub(crate) async fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"error": "not_found"}))).into_response()
}

/// What every answer says to browsers; a page's own policy stays.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let always: [(HeaderName, &'static str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not "no-referrer": Chromium would then hide the origin of our own consent form from us.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_has_no_query_no_user_and_no_slash_at_its_end() {
        for bad in ["http://a/?b", "http://a/#b", "http://u@a/", "ftp://a/"] {
            assert!(Sandbox::new(&Url::parse(bad).unwrap(), SystemClock).is_err(), "{bad}");
        }
        let sandbox =
            Sandbox::new(&Url::parse("http://127.0.0.1:80/sandbox/").unwrap(), SystemClock).unwrap();
        assert_eq!((sandbox.base(), sandbox.path()), ("http://127.0.0.1/sandbox", "/sandbox"));
    }
}
