//! A call to a provider, read by its route's proof.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;

use crate::answer::OAuthError;
use crate::call::{self, Caller, ClientRequest};
use crate::parameters::Parameters;
use crate::profile::Site;
use crate::profile::route::{Deed, Proof, Route};
use crate::resource;

/// What came.
pub(crate) struct Inquiry<'a> {
    pub(crate) deed: Deed,
    pub(crate) site: &'a Site,
    pub(crate) headers: &'a HeaderMap,
    /// What the path has for `*`; empty where there is none.
    pub(crate) segment: &'a str,
    asked: Asked,
    implies_code: bool,
}

enum Asked {
    Client(ClientRequest),
    Token(String),
}

/// When an error is to be written.
pub(crate) struct Occasion<'a> {
    pub(crate) deed: Deed,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) grant_type: Option<&'static str>,
    pub(crate) now: i64,
}

impl Occasion<'_> {
    /// Whether tokens were asked for.
    pub(crate) fn is_token(&self) -> bool {
        matches!(self.deed, Deed::Token | Deed::Refresh)
    }

    /// Whether a refresh token was to be exchanged.
    pub(crate) fn is_refresh(&self) -> bool {
        self.grant_type == Some("refresh_token")
    }
}

impl<'a> Inquiry<'a> {
    /// Reads a call: its credentials, type, size and encoding, and no parameter twice.
    pub(crate) fn read(
        site: &'a Site,
        route: &Route,
        segment: &'a str,
        headers: &'a HeaderMap,
        query: Option<&str>,
        body: Result<Bytes, BytesRejection>,
    ) -> Result<Self, OAuthError> {
        let provider = site.profile.provider();
        let asked = match route.proof {
            Proof::Browser | Proof::Bearer => {
                Asked::Token(resource::bearer(headers, provider.schemes())?.to_owned())
            }
            Proof::Parameter(name) => Asked::Token(parameter(name, headers, query, body)?),
            Proof::ClientJson => Asked::Client(ClientRequest::of(headers, call::read_json(body)?)?),
            Proof::Client if provider.takes_json() && call::is_media_type(headers, "application/json") => {
                Asked::Client(ClientRequest::of(headers, call::read_json(body)?)?)
            }
            Proof::Client => Asked::Client(ClientRequest::read(headers, body)?),
        };
        let implies_code = provider.implies_code();
        Ok(Self { deed: route.deed, site, headers, segment, asked, implies_code })
    }

    /// Who calls, before anything is checked.
    pub(crate) fn caller(&self) -> Caller<'_> {
        match &self.asked {
            Asked::Token(token) => Caller::Bearer(Some(token)),
            Asked::Client(request) => {
                let id = Some(request.credentials.client_id.as_str());
                Caller::Client { id, grant_type: self.grant_type() }
            }
        }
    }

    /// Who the client says that it is.
    pub(crate) fn client_id(&self) -> Option<&str> {
        match &self.asked {
            Asked::Client(request) => Some(&request.credentials.client_id),
            Asked::Token(_) => None,
        }
    }

    /// The client's request, where the route has a client.
    pub(crate) fn client(&self) -> Result<&ClientRequest, OAuthError> {
        match &self.asked {
            Asked::Client(request) => Ok(request),
            Asked::Token(_) => Err(OAuthError::invalid_client("The request names no client.")),
        }
    }

    /// The token, where the route has one.
    pub(crate) fn token(&self) -> Result<&str, OAuthError> {
        match &self.asked {
            Asked::Token(token) => Ok(token),
            Asked::Client(_) => Err(OAuthError::token_missing()),
        }
    }

    /// What a token request asks for, if it is known.
    pub(crate) fn grant_type(&self) -> Option<&'static str> {
        let Asked::Client(request) = &self.asked else { return None };
        match (self.deed, request.parameters.get("grant_type")) {
            (Deed::Refresh, None) | (Deed::Token | Deed::Refresh, Some("refresh_token")) => {
                Some("refresh_token")
            }
            (Deed::Token, Some("authorization_code")) => Some("authorization_code"),
            (Deed::Token, None) if self.implies_code && request.parameters.get("code").is_some() => {
                Some("authorization_code")
            }
            _ => None,
        }
    }
}

/// The value that comes in the query or in the form.
fn parameter(
    name: &str,
    headers: &HeaderMap,
    query: Option<&str>,
    body: Result<Bytes, BytesRejection>,
) -> Result<String, OAuthError> {
    let query = call::read_parameters(query.unwrap_or_default().as_bytes())?;
    let form = match body {
        Ok(body) if body.is_empty() => Parameters::default(),
        body => call::read_form(headers, body)?,
    };
    if query.any_repeated() || form.any_repeated() {
        return Err(OAuthError::invalid_request("A parameter is repeated."));
    }
    match (query.get(name), form.get(name)) {
        (Some(token), None) | (None, Some(token)) => Ok(token.to_owned()),
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("A parameter is repeated.")),
        (None, None) => Err(OAuthError::invalid_request("The token is missing.")),
    }
}
