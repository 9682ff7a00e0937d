//! What a browser brings to the pages of the authorization server.

use std::convert::Infallible;
use std::time::Duration;

use ::grant::authorize::Browser;
use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use model::Secret;

use crate::App;
use crate::extract::address_of;

/// Knows the browser again between the pages of one request.
const BROWSER: &str = "browser";
/// Knows who is signed in.
const SIGN_IN: &str = "sign_in";

/// How long a browser is known again: longer than any request takes.
const KNOWN_FOR: Duration = Duration::from_hours(24);

/// A browser with its cookies.
pub struct OwnBrowser {
    secret: Option<Secret<String>>,
    sign_in: Option<Secret<String>>,
    address: String,
}

impl OwnBrowser {
    /// What the plane reads of it.
    pub(super) fn borrowed(&self) -> Browser<'_> {
        Browser { secret: self.secret.as_ref(), sign_in: self.sign_in.as_ref(), address: &self.address }
    }

    /// Whether it brings no cookie of ours.
    pub(super) fn is_new(&self) -> bool {
        self.secret.is_none() && self.sign_in.is_none()
    }

    /// The cookie that knows a browser again.
    pub(super) fn remember(app: &App, secret: &Secret<String>) -> HeaderValue {
        app.cookies().set(BROWSER, secret, KNOWN_FOR)
    }

    /// The cookie of whoever has signed in.
    pub(super) fn believe(app: &App, secret: &Secret<String>) -> HeaderValue {
        app.cookies().set(SIGN_IN, secret, app.grant.settings().sign_in_ttl)
    }

    /// Forgets who was signed in.
    pub(super) fn forget(app: &App) -> HeaderValue {
        app.cookies().forget(SIGN_IN)
    }
}

impl FromRequestParts<App> for OwnBrowser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let cookies = app.cookies().read(&parts.headers);
        let find =
            |wanted: &str| cookies.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        Ok(Self {
            secret: find(BROWSER),
            sign_in: find(SIGN_IN),
            address: address_of(&parts.extensions, &parts.headers, app),
        })
    }
}
