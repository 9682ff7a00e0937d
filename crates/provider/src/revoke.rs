//! Gives a grant back, by the entry's recipe (RFC 7009, or what the provider has instead).

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use model::{AccessToken, ClientSecret, RefreshToken};
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

use crate::answer::{clean, retry_after};
use crate::api::{access_header, own_headers};
use crate::client::{Call, ClientError, HttpClient, Response};
use crate::exchange::App;
use crate::format::entry::{CallAuthentication, Entry, Method, Placement, Revocation, TokenKind};
use crate::member::{error_code, says_success};
use crate::token_request::basic;

/// A grant to give back.
#[derive(Debug)]
pub struct Revoke<'a> {
    /// How the provider speaks.
    pub entry: &'a Entry,
    /// The address, with the client's id in it where the entry has one there.
    pub url: &'a str,
    /// The app to which the tokens were issued.
    pub app: &'a App,
    /// RFC 6749 §1.4.
    pub access_token: Option<&'a AccessToken>,
    /// RFC 6749 §1.5.
    pub refresh_token: Option<&'a RefreshToken>,
    /// How long the call may take altogether.
    pub timeout: Duration,
}

/// How a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// The provider has ended it now.
    Done,
    /// The provider says that there was nothing left to end.
    AlreadyGone,
}

/// The grant may live on. Never carries a token, a secret or the body.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct RevokeError {
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// The provider's error code, at most 200 characters without control characters.
    pub error: Option<String>,
    /// How long the provider wants to be left alone (RFC 9110 §10.2.3): one second to one hour.
    pub retry_after: Option<Duration>,
    /// What kept us from asking.
    pub fault: Option<&'static str>,
    /// Why there was no answer.
    #[source]
    pub transport: Option<Arc<ClientError>>,
}

impl RevokeError {
    /// A stable word for it: the provider's error code, else what went wrong.
    pub fn word(&self) -> String {
        match (&self.error, self.status, self.fault) {
            (Some(error), _, _) => error.clone(),
            (None, Some(status), _) => format!("http_{status}"),
            (None, None, Some(fault)) => fault.to_owned(),
            (None, None, None) => "no_answer".to_owned(),
        }
    }

    fn sentence(&self) -> String {
        match self.status {
            Some(status) => format!("the revocation endpoint answered {status} ({})", self.word()),
            None => format!("the grant was not given back ({})", self.word()),
        }
    }

    const fn without_answer(fault: Option<&'static str>, transport: Option<Arc<ClientError>>) -> Self {
        Self { status: None, error: None, retry_after: None, fault, transport }
    }
}

impl From<ClientError> for RevokeError {
    fn from(error: ClientError) -> Self {
        Self::without_answer(None, Some(Arc::new(error)))
    }
}

/// Whether the entry's recipe can be followed with the tokens that are there. Where it takes the one kind of token and only
/// the other is there, that one is tried.
pub fn is_possible(recipe: &Revocation, has_access_token: bool, has_refresh_token: bool) -> bool {
    has_access_token || (has_refresh_token && recipe.call.authentication != CallAuthentication::AccessToken)
}

/// Gives the grant back, once. 2xx (with the entry's sign of success) ends it; 404, 410 and an error code that says so
/// mean that it was gone; after anything else it may live on.
pub async fn revoke(http: &HttpClient, request: Revoke<'_>) -> Result<Revoked, RevokeError> {
    let fault = |fault| RevokeError::without_answer(Some(fault), None);
    let recipe = request.entry.revocation.as_ref().ok_or_else(|| fault("no_recipe"))?;
    let (access, refresh) =
        (request.access_token.map(AccessToken::expose), request.refresh_token.map(RefreshToken::expose));
    let token = match recipe.takes {
        TokenKind::AccessToken => access.or(refresh),
        TokenKind::RefreshToken => refresh.or(access),
    };
    let token = token.ok_or_else(|| fault("no_token"))?;
    let call = call(&request, recipe, token).ok_or_else(|| fault("unusable_token"))?;
    let response = http.send(call.timeout(request.timeout)).await?;
    let secret = request.app.client_secret.as_ref().map(ClientSecret::expose);
    let sent: Vec<&str> = [access, refresh, secret].into_iter().flatten().collect();
    judge(request.entry, recipe, &response, &sent)
}

/// `None` for tokens and secrets that no header can carry.
fn call<'a>(request: &Revoke<'_>, recipe: &Revocation, token: &str) -> Option<Call<'a>> {
    let app = request.app;
    let mut fields = Fields::default();
    let mut headers: Vec<_> = own_headers(request.entry).collect();
    match (recipe.call.authentication, &app.client_secret) {
        (CallAuthentication::None, _) => {}
        (CallAuthentication::Basic, Some(secret)) => {
            let value = basic(&app.client_id, secret.expose());
            headers.push((AUTHORIZATION, sensitive(value.expose())?));
        }
        (CallAuthentication::Post, Some(secret)) => {
            fields.body.push(("client_id", &app.client_id));
            fields.body.push(("client_secret", secret.expose()));
        }
        // A public client names itself (RFC 7009 §2.1 with RFC 6749 §3.2.1).
        (CallAuthentication::Basic | CallAuthentication::Post, None) => {
            fields.body.push(("client_id", &app.client_id));
        }
        (CallAuthentication::AccessToken, _) => {
            headers.push(access_header(request.entry, request.access_token?)?);
        }
    }
    let parameter = (recipe.call.parameter.as_str(), token);
    match recipe.call.body {
        Placement::Form | Placement::Json => fields.body.push(parameter),
        Placement::Query => fields.query.push(parameter),
        Placement::Nowhere => {}
    }
    let url = fields.url(request.url);
    let json = recipe.call.body == Placement::Json;
    let (body, content_type) = fields.body(json);
    let method = match recipe.call.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
        Method::Delete => hyper::Method::DELETE,
    };
    let mut call =
        Call::new(method, &url).body(body).header(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(content_type) = content_type {
        call = call.header(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    Some(headers.into_iter().fold(call, |call, (name, value)| call.header(name, value)))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a call says beside its headers. It has no `Debug`: there are tokens in it.
#[derive(Default)]
struct Fields<'a> {
    query: Vec<(&'a str, &'a str)>,
    body: Vec<(&'a str, &'a str)>,
}

impl Fields<'_> {
    fn url(&self, url: &str) -> String {
        if self.query.is_empty() {
            return url.to_owned();
        }
        let joint = if url.contains('?') { '&' } else { '?' };
        format!("{url}{joint}{}", Serializer::new(String::new()).extend_pairs(&self.query).finish())
    }

    fn body(&self, json: bool) -> (String, Option<&'static str>) {
        if self.body.is_empty() {
            return (String::new(), None);
        }
        if json {
            let members: Map<String, Value> =
                self.body.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            return (Value::Object(members).to_string(), Some("application/json"));
        }
        let form = Serializer::new(String::new()).extend_pairs(&self.body).finish();
        (form, Some("application/x-www-form-urlencoded"))
    }
}

fn judge(
    entry: &Entry,
    recipe: &Revocation,
    response: &Response,
    sent: &[&str],
) -> Result<Revoked, RevokeError> {
    let body = serde_json::from_slice::<Value>(&response.body).unwrap_or(Value::Null);
    let error = error_code(entry, &body);
    let succeeded = (200..300).contains(&response.status)
        && error.is_none()
        && says_success(recipe.success.as_ref(), &body);
    let names_gone = error.as_ref().is_some_and(|error| recipe.gone_errors.contains(error));
    match (response.status, error.as_deref()) {
        _ if names_gone => Ok(Revoked::AlreadyGone),
        _ if succeeded => Ok(Revoked::Done),
        (404 | 410, _) | (400, Some("invalid_token" | "invalid_grant")) => Ok(Revoked::AlreadyGone),
        (status, _) => Err(RevokeError {
            status: Some(status),
            error: error.map(|error| clean(&error, sent)),
            retry_after: retry_after(&response.headers),
            fault: None,
            transport: None,
        }),
    }
}
