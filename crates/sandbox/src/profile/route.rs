//! From host, method and path to a profile and what is to be done.

use axum::http::{Method, StatusCode};

use crate::call::Endpoint;
use crate::profile::{Profile, Site};

/// A longer host or variable segment is nobody's.
const MAX_SEGMENT: usize = 128;

/// One URL of a provider.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) host: Host,
    /// `*` is any one segment.
    pub(crate) path: &'static str,
    pub(crate) deed: Deed,
    pub(crate) proof: Proof,
}

/// The hosts at which a URL is.
#[derive(Clone, Copy)]
pub(crate) enum Host {
    Is(&'static str),
    OneOf(&'static [&'static str]),
    /// One label before this.
    Below(&'static str),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// The authorization request and the person's decision.
    Authorize,
    Token,
    /// A token endpoint for refresh tokens alone.
    Refresh,
    /// Ends a token.
    Revoke,
    /// Ends all that the account granted to the app.
    RevokeGrant,
    /// Tells what a token is.
    Check,
    /// Tells whose token it is.
    Identity,
    /// The same by another endpoint.
    Profile,
    /// Something else that needs a token.
    Resource,
}

/// By what a caller shows that it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A person's browser.
    Browser,
    /// A client's credentials, with a form or, where the provider takes it, JSON.
    Client,
    /// A client's credentials in the header, with a JSON object.
    ClientJson,
    /// An access token in the header.
    Bearer,
    /// The token in this parameter, in the query or the form.
    Parameter(&'static str),
}

/// What a call goes to.
pub(crate) struct Found {
    pub(crate) site: Site,
    pub(crate) route: &'static Route,
    /// What the path has for `*`; empty where there is none.
    pub(crate) segment: String,
}

impl Route {
    pub(crate) const fn new(
        method: Method,
        host: Host,
        path: &'static str,
        deed: Deed,
        proof: Proof,
    ) -> Self {
        Self { method, host, path, deed, proof }
    }

    /// The authorization endpoint.
    pub(crate) const fn authorize(host: Host, path: &'static str) -> Self {
        Self::new(Method::GET, host, path, Deed::Authorize, Proof::Browser)
    }

    fn takes(&self, method: &Method) -> bool {
        self.method == *method || (self.deed == Deed::Authorize && *method == Method::POST)
    }
}

impl Host {
    fn matches(self, host: &str) -> bool {
        match self {
            Self::Is(name) => name == host,
            Self::OneOf(names) => names.contains(&host),
            Self::Below(domain) => {
                host.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.')).is_some_and(|label| {
                    (1..=63).contains(&label.len())
                        && label.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                })
            }
        }
    }

    fn names(self) -> Vec<String> {
        match self {
            Self::Is(name) => vec![name.to_owned()],
            Self::OneOf(names) => names.iter().map(|&name| name.to_owned()).collect(),
            Self::Below(domain) => vec![format!("{{name}}.{domain}")],
        }
    }
}

impl Deed {
    /// What the log and a failure's `endpoints` call it.
    pub(crate) const fn endpoint(self) -> Endpoint {
        match self {
            Self::Authorize => Endpoint::Authorize,
            Self::Token | Self::Refresh => Endpoint::Token,
            Self::Revoke | Self::RevokeGrant => Endpoint::Revoke,
            Self::Check => Endpoint::Introspect,
            Self::Identity | Self::Profile => Endpoint::Userinfo,
            Self::Resource => Endpoint::Api,
        }
    }
}

/// What a call goes to. Fails with 404, or with 405 where another method would be right.
pub(crate) fn find(method: &Method, host: &str, path: &str) -> Result<Found, StatusCode> {
    let mut status = StatusCode::NOT_FOUND;
    for profile in Profile::ALL {
        for route in profile.provider().routes().iter().filter(|route| route.host.matches(host)) {
            let Some(segment) = matches(route.path, path) else { continue };
            if route.takes(method) {
                let site = Site { profile, host: host.to_owned(), path: path.to_owned() };
                return Ok(Found { site, route, segment: segment.to_owned() });
            }
            status = StatusCode::METHOD_NOT_ALLOWED;
        }
    }
    Err(status)
}

/// Every host of these routes, each once.
pub(crate) fn hosts(routes: &[Route]) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for name in routes.iter().flat_map(|route| route.host.names()) {
        if !hosts.contains(&name) {
            hosts.push(name);
        }
    }
    hosts
}

/// What the path has for `*`, empty where there is none; `None` when the path is not the pattern's.
fn matches<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let mut variable = "";
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected == "*" && is_name(segment) {
            variable = segment;
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(variable)
}

fn is_name(segment: &str) -> bool {
    (1..=MAX_SEGMENT).contains(&segment.len())
        && segment.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, host: &str, path: &str) -> Result<(Profile, Deed), u16> {
        find(method, host, path)
            .map(|found| (found.site.profile, found.route.deed))
            .map_err(|status| status.as_u16())
    }

    #[test]
    fn host_method_and_path_tell_what_is_meant() {
        let cases = [
            (Method::GET, "api.github.com", "/user", Ok((Profile::Github, Deed::Identity))),
            (Method::POST, "api.github.com", "/user", Err(405)),
            (Method::GET, "API.github.com", "/user", Err(404)),
            (Method::GET, "github.com", "/user", Err(404)),
            (Method::GET, "api.github.com.evil.example", "/user", Err(404)),
            (
                Method::DELETE,
                "api.github.com",
                "/applications/x/grant",
                Ok((Profile::Github, Deed::RevokeGrant)),
            ),
            (Method::DELETE, "api.github.com", "/applications//grant", Err(404)),
            (Method::DELETE, "api.github.com", "/applications/x/y/grant", Err(404)),
            (Method::POST, "accounts.zoho.com.au", "/oauth/v2/token", Ok((Profile::Zoho, Deed::Token))),
            (Method::POST, "accounts.zoho.ae", "/oauth/v2/token", Err(404)),
            (Method::GET, "contoso.sharepoint.com", "/_api/web", Ok((Profile::Microsoft, Deed::Resource))),
            (Method::GET, "sharepoint.com", "/_api/web", Err(404)),
            (Method::GET, "a.b.sharepoint.com", "/_api/web", Err(404)),
        ];
        for (method, host, path, expected) in cases {
            assert_eq!(found(&method, host, path), expected, "{host}{path}");
        }
    }
}
