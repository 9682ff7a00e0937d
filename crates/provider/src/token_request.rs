//! What code exchange and refresh have in common: a body, the client's authentication, an answer.

use std::time::Duration;

use data_encoding::BASE64;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use model::Secret;
use serde_json::{Map, Value};
use url::form_urlencoded::{self, byte_serialize};

use crate::answer::{self, AnswerError};
use crate::client::{Call, Gate, HttpClient};
use crate::exchange::{App, TokenAnswer};
use crate::format::entry::{ClientAuthentication, Entry, TokenBody};

/// A request to a token endpoint.
pub(crate) struct TokenRequest<'a> {
    entry: &'a Entry,
    members: Vec<(String, Secret<String>)>,
    authorization: Option<Secret<String>>,
    /// What an error must not repeat.
    secrets: Vec<Secret<String>>,
    timeout: Option<Duration>,
    gate: Option<&'a Gate<'a>>,
}

impl<'a> TokenRequest<'a> {
    /// A body with the grant type, the entry's parameters and the client's authentication (RFC 6749 §2.3.1).
    pub(crate) fn new(grant_type: &str, entry: &'a Entry, app: &App) -> Self {
        let secrets = app.client_secret.iter().map(|secret| Secret::from(secret.expose())).collect();
        let mut request =
            Self { entry, members: Vec::new(), authorization: None, secrets, timeout: None, gate: None };
        request.push("grant_type", grant_type);
        for (name, value) in &entry.token_parameters {
            request.push(name, value);
        }
        match (entry.client_authentication, &app.client_secret) {
            (ClientAuthentication::Basic, Some(secret)) => {
                request.authorization = Some(basic(&app.client_id, secret.expose()));
            }
            (ClientAuthentication::Post, Some(secret)) => {
                request.push("client_id", &app.client_id);
                request.push("client_secret", secret.expose());
            }
            // A public client names itself in the body (RFC 6749 §3.2.1).
            (ClientAuthentication::None, _) | (_, None) => {
                request.push("client_id", &app.client_id);
            }
        }
        request
    }

    pub(crate) fn push(&mut self, name: &str, value: &str) {
        self.members.push((name.to_owned(), Secret::from(value)));
    }

    pub(crate) fn push_secret(&mut self, name: &str, value: &str) {
        self.push(name, value);
        self.secrets.push(Secret::from(value));
    }

    /// With a time of its own, if one is given.
    pub(crate) fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sent only if the gate opens.
    pub(crate) fn gate(mut self, gate: &'a Gate<'a>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// The body as the entry wants it, and its type.
    fn body(&self) -> (String, &'static str) {
        let members = self.members.iter().map(|(name, value)| (name.as_str(), value.expose().as_str()));
        match self.entry.token_body {
            TokenBody::Form => (
                form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish(),
                "application/x-www-form-urlencoded",
            ),
            TokenBody::Json => {
                let object: Map<_, _> =
                    members.map(|(name, value)| (name.to_owned(), value.into())).collect();
                (Value::Object(object).to_string(), "application/json")
            }
        }
    }

    /// Sends the request and reads the answer by the entry's recipe.
    pub(crate) async fn send(self, http: &HttpClient, url: &str) -> Result<TokenAnswer, AnswerError> {
        let (body, content_type) = self.body();
        let mut call = Call::post(url, body)
            .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            // Base64 is always a valid header.
            if let Ok(mut value) = HeaderValue::from_str(authorization.expose()) {
                value.set_sensitive(true);
                call = call.header(AUTHORIZATION, value);
            }
        }
        if let Some(timeout) = self.timeout {
            call = call.timeout(timeout);
        }
        if let Some(gate) = self.gate {
            call = call.gate(gate);
        }
        let response = http.send(call).await?;
        let sent: Vec<&str> = self.secrets.iter().map(|secret| secret.expose().as_str()).collect();
        answer::read(self.entry, &response, &sent)
    }
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
pub(crate) fn basic(client_id: &str, client_secret: &str) -> Secret<String> {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Secret::new(format!("{}:{}", encode(client_id), encode(client_secret)));
    Secret::new(format!("Basic {}", BASE64.encode(pair.expose().as_bytes())))
}
