//! The apps that are registered here, and where their users may be sent back to.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::profile::Profile;

/// The app that is there from the start.
pub(crate) const DEFAULT_CLIENT_ID: &str = "claviger";
/// Its secret, known to everybody: nothing here is worth stealing.
const DEFAULT_CLIENT_SECRET: &str = "sandbox-secret";

const MAX_REDIRECT_URIS: usize = 50;
const MAX_REDIRECT_URI: usize = 2048;
const MAX_SECRET: usize = 512;
const MAX_NAME: usize = 64;

/// A registered OAuth client. The control document shows it without its secret.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct App {
    /// What people read; the client id where there is none.
    #[serde(default)]
    name: Option<String>,
    /// `None`: a public client (RFC 6749 §2.1), which can't authenticate.
    #[serde(default, skip_serializing)]
    pub(crate) client_secret: Option<String>,
    /// Compared character by character.
    #[serde(default)]
    redirect_uris: Vec<String>,
    /// Whether any http redirect URI on loopback will do, whatever its port and path (wider than RFC 8252 §7.3, which
    /// frees the port alone).
    #[serde(default)]
    any_loopback: bool,
    /// The provider with which it is registered; without one it is the sandbox itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<Profile>,
}

impl App {
    /// The app `claviger`.
    pub(crate) fn well_known() -> Self {
        Self {
            name: Some("Claviger".to_owned()),
            client_secret: Some(DEFAULT_CLIENT_SECRET.to_owned()),
            redirect_uris: Vec::new(),
            any_loopback: true,
            profile: None,
        }
    }

    /// The app that is registered with a provider from the start.
    pub(crate) fn at(profile: Profile) -> Self {
        Self { client_secret: Some(profile.client_secret()), profile: Some(profile), ..Self::well_known() }
    }

    /// Refuses, with a sentence, an app that no request could come from.
    pub(crate) fn check(&self, client_id: &str) -> Result<(), String> {
        let vschar = |text: &str| text.bytes().all(|octet| matches!(octet, 0x20..=0x7e));
        if client_id.is_empty() || client_id.len() > 128 || !vschar(client_id) {
            return Err("a client id is 1 to 128 printable ASCII characters".to_owned());
        }
        if let Some(name) = &self.name
            && (name.trim().is_empty()
                || name.chars().count() > MAX_NAME
                || name.chars().any(char::is_control))
        {
            return Err(format!("`name` of `{client_id}` is 1 to {MAX_NAME} characters, or left out"));
        }
        if let Some(secret) = &self.client_secret
            && (secret.is_empty() || secret.len() > MAX_SECRET || !vschar(secret))
        {
            return Err(format!(
                "`clientSecret` of `{client_id}` must be 1 to {MAX_SECRET} printable ASCII characters, or null"
            ));
        }
        if self.redirect_uris.len() > MAX_REDIRECT_URIS {
            return Err(format!("`redirectUris` of `{client_id}` has more than {MAX_REDIRECT_URIS} entries"));
        }
        match self.redirect_uris.iter().find(|uri| !is_usable(uri)) {
            Some(_) => Err(format!(
                "`redirectUris` of `{client_id}`: a redirect URI is absolute, http, https or a private-use scheme \
                 with a dot (RFC 8252 §7.1), has no fragment and at most {MAX_REDIRECT_URI} characters"
            )),
            None => Ok(()),
        }
    }

    /// What people read of an app that is registered by this id.
    pub(crate) fn name<'a>(&'a self, client_id: &'a str) -> &'a str {
        self.name.as_deref().unwrap_or(client_id)
    }

    /// RFC 9700 §2.1: whether a person may be sent to this redirect URI, compared as text.
    pub(crate) fn allows(&self, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered == redirect_uri)
            || (self.any_loopback && is_loopback(redirect_uri))
    }
}

/// RFC 6749 §3.1.2: absolute and without a fragment; and nothing that a browser would run.
fn is_usable(redirect_uri: &str) -> bool {
    redirect_uri.len() <= MAX_REDIRECT_URI
        && Url::parse(redirect_uri).is_ok_and(|url| {
            url.fragment().is_none()
                && (matches!(url.scheme(), "http" | "https") || url.scheme().contains('.'))
        })
}

fn is_loopback(redirect_uri: &str) -> bool {
    is_usable(redirect_uri)
        && Url::parse(redirect_uri).is_ok_and(|url| {
            url.scheme() == "http"
                && url.username().is_empty()
                && url.password().is_none()
                && has_loopback_host(&url)
        })
}

fn has_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(uris: &[&str]) -> App {
        App {
            name: None,
            client_secret: None,
            redirect_uris: uris.iter().map(|&uri| uri.to_owned()).collect(),
            any_loopback: false,
            profile: None,
        }
    }

    #[test]
    fn the_well_known_app_may_be_anywhere_on_loopback_and_nowhere_else() {
        let claviger = App::well_known();
        for good in ["http://127.0.0.1:8976/callback", "http://localhost:1/x?y=z", "http://[::1]:9/"] {
            assert!(claviger.allows(good), "{good}");
        }
        for bad in [
            "http://example.com/",
            "https://127.0.0.1/",
            "http://127.0.0.1@evil.example/",
            "http://user@127.0.0.1/",
            "http://127.0.0.1/#fragment",
            "http://localhost.evil.example/",
            "//127.0.0.1/",
            "javascript:alert(1)",
        ] {
            assert!(!claviger.allows(bad), "{bad}");
        }
    }

    #[test]
    fn a_registered_redirect_uri_is_compared_character_by_character() {
        let app = app(&["https://app.example/callback"]);
        assert!(app.allows("https://app.example/callback"));
        for near in [
            "https://app.example/callback/",
            "https://APP.example/callback",
            "https://app.example/callback?a",
        ] {
            assert!(!app.allows(near), "{near}");
        }
    }

    #[test]
    fn an_app_that_could_hurt_is_not_registered() {
        assert!(app(&["com.example.app:/callback"]).check("mobile").is_ok());
        for bad in ["javascript:alert(1)", "data:text/html,x", "/callback", "https://a.example/#b"] {
            assert!(app(&[bad]).check("bad").is_err(), "{bad}");
        }
        assert!(app(&[]).check("").is_err());
    }
}
