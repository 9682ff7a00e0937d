//! Real providers, played with their own paths, parameters, answers and quirks: `{base}/at/{host}{path}`.
//!
//! 1. [`route::find`]: host, method and path become a [`Site`] and a [`Deed`]
//! 2. an authorization request goes to `authorize`, which asks the profile what the scopes mean
//! 3. all others are read by their route's [`Proof`], and run by `call::run` like every call
//! 4. the [`Provider`] does the deed with the core's checks, and writes the answer or the error in its own way
//!
//! A provider is one file: its routes, the settings that its apps begin with, and a few functions.

mod atlassian;
mod exchange;
mod figma;
mod github;
mod google;
mod identity;
mod inquiry;
mod microsoft;
mod permission;
mod route;
mod slack;
mod zoho;
mod zoom;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::OAuthError;
use crate::authorize;
use crate::call::{self, At, Call, Caller};
use crate::consent::Prefixes;
use crate::language::Language;
use crate::parameters::Parameters;
use crate::sandbox::{self, Sandbox};
use crate::scope;
use crate::settings::Settings;

use inquiry::{Inquiry, Occasion};
use permission::Permission;
use route::{Deed, Found, Route};

pub(crate) use zoho::Location;

/// A provider that is played, or one of its two kinds of app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Profile {
    Github,
    GithubApp,
    Slack,
    Atlassian,
    Zoho,
    Google,
    Microsoft,
    Zoom,
    Figma,
}

/// What a call went to.
pub(crate) struct Site {
    /// Of GitHub's two kinds of app always the first: only the app tells them apart.
    pub(crate) profile: Profile,
    pub(crate) host: String,
    pub(crate) path: String,
}

/// What an authorization request asks for.
pub(crate) struct Wish {
    pub(crate) scopes: Vec<String>,
    pub(crate) prefixes: Prefixes,
    /// The scopes of a second pair of tokens, where the provider issues two.
    pub(crate) second: Option<(Vec<String>, Prefixes)>,
}

/// An error as the provider writes it.
pub(crate) struct Written {
    /// The provider's code, for the log.
    pub(crate) code: &'static str,
    pub(crate) response: Response,
}

/// What a provider does in its own way.
pub(crate) trait Provider: Sync {
    /// Its name, as people write it.
    fn title(&self) -> &'static str;

    /// Every URL that is played.
    fn routes(&self) -> &'static [Route];

    /// What its scopes allow, in words, as far as anybody wrote it down.
    fn permissions(&self) -> &'static [Permission];

    /// The settings that its apps begin with, as members of the control document.
    fn settings(&self) -> Value;

    /// How its tokens begin.
    fn prefixes(&self) -> Prefixes;

    /// See [`crate::consent::Terms`].
    fn place(&self, host: &str) -> &'static str;

    /// The place of a consent that is given at this host.
    fn place_of_consent(&self, host: &str, _settings: &Settings) -> &'static str {
        self.place(host)
    }

    /// Whether an authorization request needs no `response_type`.
    fn knows_only_codes(&self) -> bool {
        false
    }

    /// What an authorization request asks for. Fails with an error code and a description.
    fn wish(
        &self,
        parameters: &Parameters,
        settings: &Settings,
    ) -> Result<Wish, (&'static str, &'static str)> {
        let scopes = scopes(parameters, "scope", &settings.scope_separator)?;
        if scopes.is_empty() {
            return Err(("invalid_scope", "The scope is missing."));
        }
        Ok(Wish { scopes, prefixes: self.prefixes(), second: None })
    }

    /// Whether a consent yields a refresh token. `remembered`: the account gave one to this app before.
    fn offline(&self, _parameters: &Parameters, _granted: &[String], _remembered: bool) -> bool {
        true
    }

    /// What the callback says beyond code and state.
    fn callback(
        &self,
        _site: &Site,
        _settings: &Settings,
        _granted: &[String],
    ) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Whether the token endpoint takes JSON too.
    fn takes_json(&self) -> bool {
        false
    }

    /// Whether a code may come without `grant_type`.
    fn implies_code(&self) -> bool {
        false
    }

    /// The authentication schemes by which its API takes an access token.
    fn schemes(&self) -> &'static [&'static str] {
        &["bearer"]
    }

    /// Does the deed.
    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError>;

    /// Writes an error.
    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written;
}

impl Profile {
    pub(crate) const ALL: [Self; 9] = [
        Self::Github,
        Self::GithubApp,
        Self::Slack,
        Self::Atlassian,
        Self::Zoho,
        Self::Google,
        Self::Microsoft,
        Self::Zoom,
        Self::Figma,
    ];

    /// The name in the log and in an app's registration, and the client id of the app that is there from the start.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::GithubApp => "github_app",
            Self::Slack => "slack",
            Self::Atlassian => "atlassian",
            Self::Zoho => "zoho",
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::Zoom => "zoom",
            Self::Figma => "figma",
        }
    }

    /// The secret of the app that is there from the start, known to everybody.
    pub(crate) fn client_secret(self) -> String {
        format!("{}-secret", self.name())
    }

    /// What it does in its own way.
    pub(crate) fn provider(self) -> &'static dyn Provider {
        match self {
            Self::Github => &github::OAuthApp,
            Self::GithubApp => &github::GithubApp,
            Self::Slack => &slack::Slack,
            Self::Atlassian => &atlassian::Atlassian,
            Self::Zoho => &zoho::Zoho,
            Self::Google => &google::Google,
            Self::Microsoft => &microsoft::Microsoft,
            Self::Zoom => &zoom::Zoom,
            Self::Figma => &figma::Figma,
        }
    }

    /// The settings that its apps begin with.
    pub(crate) fn settings(self) -> Map<String, Value> {
        match self.provider().settings() {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// Every host that is played, for people.
    pub(crate) fn hosts(self) -> Vec<String> {
        route::hosts(self.provider().routes())
    }
}

impl dyn Provider {
    /// What a scope allows, as a verb phrase; `None` for one that is not in [`Provider::permissions`].
    pub(crate) fn permission(&self, scope: &str, language: Language) -> Option<&'static str> {
        permission::phrase(self.permissions(), scope, language)
    }
}

impl Site {
    /// Whether an app that is registered with `profile` is known here.
    pub(crate) fn admits(&self, profile: Profile) -> bool {
        self.profile == profile || (self.profile == Profile::Github && profile == Profile::GithubApp)
    }

    /// See [`crate::consent::Terms`].
    pub(crate) fn place(&self) -> &'static str {
        self.profile.provider().place(&self.host)
    }
}

/// A list of scopes, empty where the parameter is absent. Fails with an error code and a description.
pub(crate) fn scopes(
    parameters: &Parameters,
    name: &str,
    separator: &str,
) -> Result<Vec<String>, (&'static str, &'static str)> {
    scope::parse(parameters.get(name).unwrap_or_default(), separator)
        .ok_or(("invalid_scope", "The scope is malformed."))
}

/// `{any method} /at/{host}/{path}`.
pub(crate) async fn serve(
    State(sandbox): State<Sandbox>,
    Path((host, path)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Found { site, route, segment } = match route::find(&method, &host, &format!("/{path}")) {
        Ok(found) => found,
        Err(StatusCode::NOT_FOUND) => return sandbox::nothing_here().await,
        Err(status) => return status.into_response(),
    };
    let query = query.as_deref();
    if route.deed == Deed::Authorize {
        return match method {
            Method::GET => authorize::ask(&sandbox, Some(&site), query, &headers).await,
            _ => authorize::decide(&sandbox, Some(&site), &headers, body).await,
        };
    }
    let inquiry = Inquiry::read(&site, route, &segment, &headers, query, body);
    let caller = match inquiry.as_ref().map(Inquiry::caller) {
        Ok(caller) => caller,
        Err(_) => Caller::Client { id: None, grant_type: None },
    };
    let at = At { endpoint: route.deed.endpoint(), site: Some(&site) };
    call::run(&sandbox, at, caller, |call| {
        let client_id = inquiry.as_ref().ok().and_then(Inquiry::client_id);
        let profile = client_id.and_then(|id| call.app(id)?.profile).unwrap_or(site.profile);
        let provider = profile.provider();
        let result = match &inquiry {
            Ok(inquiry) => provider.answer(call, inquiry),
            Err(error) => Err(*error),
        };
        Ok(result.unwrap_or_else(|error| {
            let grant_type = inquiry.as_ref().ok().and_then(Inquiry::grant_type);
            let occasion = Occasion { deed: route.deed, headers: &headers, grant_type, now: call.now };
            let Written { code, response } = provider.refuse(&occasion, error);
            code.clone_into(&mut call.row.outcome);
            call.row.description = Some(error.description);
            response
        }))
    })
    .await
}
