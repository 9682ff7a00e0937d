//! What an authorization request says (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2.1, OpenID Connect Core §3.1.2.1), checked in the
//! order in which it may be answered: first whether there is anybody to answer to.

use std::time::Duration;

use model::{GrantType, OauthErrorCode, ProblemCode, RedirectUri, Scopes};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Redirect;
use crate::application::Client;
use crate::form::Form;
use crate::push::is_pushed;
use crate::{Error, Grant, Refusal, Result};

/// The longest `state` and `nonce`, in octets.
const MAX_STATE: usize = 2048;
const MAX_NONCE: usize = 512;
/// How many languages are looked at.
const MAX_LOCALES: usize = 10;

/// An authorization request that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Where the answer goes.
    pub redirect_uri: RedirectUri,
    /// Whether the request named it; it may be left out where only one is registered.
    pub redirect_uri_named: bool,
    /// RFC 6749 §4.1.1.
    pub state: Option<String>,
    /// What is asked for.
    pub scopes: Scopes,
    /// Where (RFC 8707).
    pub resources: Vec<String>,
    /// RFC 7636 §4.2, by S256.
    pub code_challenge: Option<String>,
    /// OpenID Connect Core §3.1.2.1.
    pub nonce: Option<String>,
    /// OpenID Connect Core §3.1.2.1.
    pub prompt: Vec<Prompt>,
    /// How long ago the person may have proved who they are.
    pub max_age: Option<Duration>,
    /// What the person is likely to type.
    pub login_hint: Option<String>,
    /// The languages that the application prefers, best first.
    pub ui_locales: Vec<String>,
}

/// What the application wants the person to be asked (OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Nothing: answer at once, or refuse.
    None,
    /// To sign in again.
    Login,
    /// To agree again.
    Consent,
    /// Which account it shall be.
    SelectAccount,
}

/// What came of reading a request.
pub(super) enum Read {
    /// It can be answered.
    Good(Box<(Client, AuthorizationRequest)>),
    /// It is refused, and the application is told.
    Back(Redirect),
}

pub(super) fn login_required() -> Refusal {
    Refusal::new(OauthErrorCode::LoginRequired, "the person has to sign in")
}

pub(super) fn consent_required() -> Refusal {
    Refusal::new(OauthErrorCode::ConsentRequired, "the person has to agree")
}

pub(super) fn access_denied() -> Refusal {
    Refusal::new(OauthErrorCode::AccessDenied, "the person did not agree")
}

fn invalid(description: &'static str) -> Refusal {
    Refusal::new(OauthErrorCode::InvalidRequest, description)
}

impl AuthorizationRequest {
    pub(crate) fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// Whether the person is to prove anew who they are.
    pub(crate) fn wants_new_proof(&self) -> bool {
        self.prompt.contains(&Prompt::Login)
    }

    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        Self::deserialize(json).ok()
    }
}

impl Grant {
    /// Reads what a browser brought: the request itself, or the name of one that was pushed (RFC 9126 §4).
    pub(super) async fn read_request(&self, query: &[u8], from: &str) -> Result<Read> {
        let malformed = |refusal: Refusal| Error::Problem {
            code: ProblemCode::AuthorizationMalformed,
            about: Some(("request", refusal.description.into_owned())),
        };
        let form = Form::parse(query).map_err(malformed)?;
        let id = form.get("client_id").map_err(malformed)?;
        let unknown = || Error::problem(ProblemCode::UnknownApplication);
        let client = self.client_that_asks(id.ok_or_else(unknown)?, from).await?.ok_or_else(unknown)?;
        if let Ok(Some(uri)) = form.get("request_uri")
            && is_pushed(uri)
        {
            let pushed = self.take_pushed(uri, &client).await?;
            let request = pushed.ok_or_else(|| Error::problem(ProblemCode::PushedRequestOver))?;
            return Ok(Read::Good(Box::new((client, request))));
        }
        let redirect_uri = self.redirect_uri(&client, &form)?;
        match self.check_request(&client, &form, &redirect_uri) {
            Ok(request) => Ok(Read::Good(Box::new((client, request)))),
            Err(refusal) => {
                let state = form.get("state").ok().flatten().filter(|state| state.len() <= MAX_STATE);
                Ok(Read::Back(self.refusal(redirect_uri.0.as_str(), state, &refusal)))
            }
        }
    }

    /// The same for a request that an application pushes: everything that is wrong is told to it at once.
    pub(crate) fn read_pushed(&self, client: &Client, form: &Form) -> Result<AuthorizationRequest> {
        if form.get("request_uri")?.is_some() {
            return Err(invalid("request_uri can't be pushed (RFC 9126 section 2.1)").into());
        }
        let redirect_uri = self.redirect_uri(client, form).map_err(|error| match error {
            Error::Problem { .. } => Error::from(invalid("redirect_uri is not registered")),
            error => error,
        })?;
        Ok(self.check_request(client, form, &redirect_uri)?)
    }

    /// RFC 6749 §3.1.2.3, RFC 9700 §2.1: byte for byte. What is not registered is never redirected to.
    fn redirect_uri(&self, client: &Client, form: &Form) -> Result<(RedirectUri, bool)> {
        let refused = || Error::problem(ProblemCode::RedirectUriNotRegistered);
        let registered: Vec<_> = self.redirect_uris(client).collect();
        match (form.get("redirect_uri").map_err(|_| refused())?, registered.as_slice()) {
            (Some(uri), registered) if registered.iter().any(|own| own.admits(uri)) => {
                Ok((uri.parse().map_err(|_| refused())?, true))
            }
            (None, [only]) => Ok(((*only).clone(), false)),
            _ => Err(refused()),
        }
    }

    /// What is wrong here is told to the application.
    fn check_request(
        &self,
        client: &Client,
        form: &Form,
        (redirect_uri, redirect_uri_named): &(RedirectUri, bool),
    ) -> std::result::Result<AuthorizationRequest, Refusal> {
        form.check_repeated()?;
        let state = form.get("state")?;
        if state.is_some_and(|state| state.len() > MAX_STATE) {
            return Err(invalid("state is longer than 2048 octets"));
        }
        if form.get("request")?.is_some() {
            return Err(Refusal::new(
                OauthErrorCode::RequestNotSupported,
                "request objects are not supported",
            ));
        }
        if form.get("request_uri")?.is_some() {
            return Err(Refusal::new(
                OauthErrorCode::RequestUriNotSupported,
                "requests are read from nowhere; they can be pushed (RFC 9126)",
            ));
        }
        if form.get("registration")?.is_some() {
            return Err(Refusal::new(
                OauthErrorCode::RegistrationNotSupported,
                "registration is not supported here",
            ));
        }
        if form.need("response_type")? != "code" {
            return Err(Refusal::new(
                OauthErrorCode::UnsupportedResponseType,
                "the response type is not code",
            ));
        }
        if form.get("response_mode")?.is_some_and(|mode| mode != "query") {
            return Err(invalid("the response mode is not query"));
        }
        if !client.settings.allows(GrantType::AuthorizationCode) {
            return Err(Refusal::new(
                OauthErrorCode::UnauthorizedClient,
                "the application is not registered for the authorization code grant",
            ));
        }
        let nonce = form.get("nonce")?;
        if nonce.is_some_and(|nonce| nonce.len() > MAX_NONCE) {
            return Err(invalid("nonce is longer than 512 octets"));
        }
        Ok(AuthorizationRequest {
            redirect_uri: redirect_uri.clone(),
            redirect_uri_named: *redirect_uri_named,
            state: state.map(str::to_owned),
            scopes: self.asked_scopes(client, form.get("scope")?)?,
            resources: self.known_resources(form.resources())?,
            code_challenge: code_challenge(client, form)?,
            nonce: nonce.map(str::to_owned),
            prompt: prompt(form)?,
            max_age: max_age(form)?,
            login_hint: form.get("login_hint")?.filter(|hint| hint.len() <= 254).map(str::to_owned),
            ui_locales: form
                .get("ui_locales")?
                .into_iter()
                .flat_map(|list| list.split(' '))
                .filter(|tag| !tag.is_empty() && tag.len() <= 35)
                .take(MAX_LOCALES)
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// RFC 7636 §4.3, RFC 9700 §2.1.1. `plain` is not offered: who can read the request could use the code.
fn code_challenge(client: &Client, form: &Form) -> std::result::Result<Option<String>, Refusal> {
    let method = form.get("code_challenge_method")?;
    let Some(challenge) = form.get("code_challenge")? else {
        if method.is_some() {
            return Err(invalid("code_challenge is missing"));
        }
        if client.settings.require_pkce || client.settings.is_public() {
            return Err(invalid("code_challenge is missing (RFC 7636)"));
        }
        return Ok(None);
    };
    if method != Some("S256") {
        return Err(invalid("code_challenge_method must be S256"));
    }
    let is_hash =
        data_encoding::BASE64URL_NOPAD.decode(challenge.as_bytes()).is_ok_and(|hash| hash.len() == 32);
    if is_hash { Ok(Some(challenge.to_owned())) } else { Err(invalid("code_challenge is no SHA-256 hash")) }
}

fn prompt(form: &Form) -> std::result::Result<Vec<Prompt>, Refusal> {
    let mut prompts = Vec::new();
    for word in
        form.get("prompt")?.into_iter().flat_map(|list| list.split(' ')).filter(|word| !word.is_empty())
    {
        let prompt = match word {
            "none" => Prompt::None,
            "login" => Prompt::Login,
            "consent" => Prompt::Consent,
            "select_account" => Prompt::SelectAccount,
            _ => return Err(invalid("prompt has an unknown word")),
        };
        if !prompts.contains(&prompt) {
            prompts.push(prompt);
        }
    }
    if prompts.len() > 1 && prompts.contains(&Prompt::None) {
        return Err(invalid("prompt has none and another word"));
    }
    Ok(prompts)
}

fn max_age(form: &Form) -> std::result::Result<Option<Duration>, Refusal> {
    let Some(text) = form.get("max_age")? else { return Ok(None) };
    let seconds = text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let seconds = seconds.ok_or_else(|| invalid("max_age is no number of seconds"))?;
    Ok(Some(Duration::from_secs(seconds.into())))
}
