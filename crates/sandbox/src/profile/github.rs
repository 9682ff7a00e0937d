//! GitHub: OAuth Apps, whose tokens neither expire nor are refreshed, and GitHub Apps, whose tokens do.
//!
//! Token answers are form-encoded unless JSON is accepted, and their errors come with status 200. Scopes are asked for
//! with spaces and told with commas. The API wants a `User-Agent`.

use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::answer::{OAuthError, form_response, json_response};
use crate::call::Call;
use crate::consent::Prefixes;
use crate::facts::Facts;
use crate::parameters::Parameters;
use crate::profile::exchange::{self, Exchanged};
use crate::profile::inquiry::{Inquiry, Occasion};
use crate::profile::permission::{self, Permission};
use crate::profile::route::{Deed, Host, Proof, Route};
use crate::profile::{Provider, Wish, Written, identity, scopes};
use crate::settings::Settings;

const WEB: Host = Host::Is("github.com");
const API: Host = Host::Is("api.github.com");

static ROUTES: [Route; 6] = [
    Route::authorize(WEB, "/login/oauth/authorize"),
    Route::new(Method::POST, WEB, "/login/oauth/access_token", Deed::Token, Proof::Client),
    Route::new(Method::GET, API, "/user", Deed::Identity, Proof::Bearer),
    Route::new(Method::POST, API, "/applications/*/token", Deed::Check, Proof::ClientJson),
    Route::new(Method::DELETE, API, "/applications/*/token", Deed::Revoke, Proof::ClientJson),
    Route::new(Method::DELETE, API, "/applications/*/grant", Deed::RevokeGrant, Proof::ClientJson),
];

const NO_USER_AGENT: OAuthError =
    OAuthError::new(StatusCode::FORBIDDEN, "user_agent_missing", "The request has no User-Agent.");
const NOT_FOUND: OAuthError =
    OAuthError::new(StatusCode::NOT_FOUND, "not_found", "The token is unknown or another app's.");
const INVALID: OAuthError =
    OAuthError::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", "The access_token is missing.");

/// An OAuth App.
pub(crate) struct OAuthApp;

/// A GitHub App, on behalf of a user.
pub(crate) struct GithubApp;

impl Provider for OAuthApp {
    fn title(&self) -> &'static str {
        "GitHub"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn permissions(&self) -> &'static [Permission] {
        permission::GITHUB
    }

    fn settings(&self) -> Value {
        json!({
            "omitRefreshToken": true, "expiresIn": "missing", "accessTokenTtl": 315_360_000, "codeTtl": 600,
            "rotation": "none", "clientAuth": "any", "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        Prefixes { access_token: "gho_", refresh_token: "ghr_" }
    }

    fn place(&self, _host: &str) -> &'static str {
        "github"
    }

    fn knows_only_codes(&self) -> bool {
        true
    }

    fn implies_code(&self) -> bool {
        true
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["bearer", "token"]
    }

    /// No scope at all reads what is public.
    fn wish(
        &self,
        parameters: &Parameters,
        settings: &Settings,
    ) -> Result<Wish, (&'static str, &'static str)> {
        let scopes = scopes(parameters, "scope", &settings.scope_separator)?;
        Ok(Wish { scopes, prefixes: self.prefixes(), second: None })
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        answer(call, inquiry)
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        refuse(occasion, error)
    }
}

impl Provider for GithubApp {
    fn title(&self) -> &'static str {
        "GitHub Apps"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    /// It asks for none: what it may do is part of its registration.
    fn permissions(&self) -> &'static [Permission] {
        &[]
    }

    fn settings(&self) -> Value {
        json!({
            "accessTokenTtl": 28_800, "refreshTokenTtl": 15_811_200, "codeTtl": 600, "rotation": "strict",
            "revokeFamilyOnReuse": false, "killOldAccessTokenOnRefresh": true, "clientAuth": "any",
            "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        Prefixes { access_token: "ghu_", refresh_token: "ghr_" }
    }

    fn place(&self, host: &str) -> &'static str {
        OAuthApp.place(host)
    }

    fn knows_only_codes(&self) -> bool {
        true
    }

    /// The app's registration says what it may do, and the request nothing.
    fn wish(&self, _: &Parameters, _: &Settings) -> Result<Wish, (&'static str, &'static str)> {
        Ok(Wish { scopes: Vec::new(), prefixes: self.prefixes(), second: None })
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        answer(call, inquiry)
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        refuse(occasion, error)
    }
}

fn answer(call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
    if inquiry.deed == Deed::Token {
        let Exchanged { first, .. } = exchange::exchange(call, inquiry)?;
        let scope = first.scopes.join(",");
        let mut members = exchange::members(first, "bearer", call.settings);
        members.insert("scope".to_owned(), Value::from(scope));
        if members.contains_key("refresh_token") {
            let seconds = Value::from(call.settings.refresh_token_ttl);
            members.insert("refresh_token_expires_in".to_owned(), seconds);
        }
        return Ok(written(inquiry.headers, StatusCode::OK, members));
    }
    if !inquiry.headers.contains_key(header::USER_AGENT) {
        return Err(NO_USER_AGENT);
    }
    if inquiry.deed == Deed::Identity {
        let facts = exchange::open(call, inquiry)?;
        let mut response = json_response(StatusCode::OK, &user(&facts));
        if let Ok(scopes) = facts.scopes.join(", ").parse() {
            response.headers_mut().insert("x-oauth-scopes", scopes);
        }
        return Ok(response);
    }
    application(call, inquiry)
}

/// `/applications/{client_id}/…`: for the app itself, about one of its access tokens.
fn application(call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
    let request = inquiry.client()?;
    if !inquiry.headers.contains_key(header::AUTHORIZATION) {
        return Err(OAuthError::invalid_client("The app authenticates in the header here."));
    }
    call.authenticate(request)?;
    let client_id = request.credentials.client_id.as_str();
    let token = request.parameters.get("access_token").ok_or(INVALID)?;
    let facts = call
        .grants
        .inspect(token, call.place, call.settings, call.now)
        .filter(|facts| facts.consent.client_id == client_id && inquiry.segment == client_id)
        .filter(Facts::is_of_access_token)
        .ok_or(NOT_FOUND)?;
    call.row.account = Some(facts.consent.account.email.clone());
    match inquiry.deed {
        Deed::RevokeGrant => call.grants.end_grant(&facts.consent),
        Deed::Revoke => call.grants.revoke(token, client_id, call.place)?,
        _ => {
            let body = json!({
                "app": {"client_id": client_id}, "scopes": facts.scopes, "token": token, "user": user(&facts),
            });
            return Ok(json_response(StatusCode::OK, &body));
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn user(facts: &Facts) -> Value {
    let account = &facts.consent.account;
    json!({
        "id": identity::number(account), "login": identity::handle(account), "type": "User",
        "name": account.name, "email": account.email,
    })
}

fn refuse(occasion: &Occasion<'_>, error: OAuthError) -> Written {
    if !occasion.is_token() {
        return api_error(error);
    }
    let code = match error.code {
        "invalid_client" => "incorrect_client_credentials",
        _ if error == OAuthError::redirect_uri_mismatch() => "redirect_uri_mismatch",
        "invalid_grant" if occasion.is_refresh() => "bad_refresh_token",
        "invalid_grant" => "bad_verification_code",
        other => other,
    };
    let status = if error.status == StatusCode::PAYLOAD_TOO_LARGE { error.status } else { StatusCode::OK };
    let anchor = code.replace('_', "-");
    let uri =
        format!("https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps/troubleshooting#{anchor}");
    let members = [("error", code), ("error_description", error.description), ("error_uri", uri.as_str())];
    let members = members.map(|(name, value)| (name.to_owned(), Value::from(value)));
    Written { code, response: written(occasion.headers, status, Map::from_iter(members)) }
}

fn api_error(error: OAuthError) -> Written {
    let message = match error.code {
        "invalid_client" | "invalid_token" => "Bad credentials",
        "token_missing" => "Requires authentication",
        "not_found" => "Not Found",
        "validation_failed" => "Validation Failed",
        _ => error.description,
    };
    let body = json!({
        "message": message, "documentation_url": "https://docs.github.com/rest",
        "status": error.status.as_u16().to_string(),
    });
    Written { code: error.code, response: json_response(error.status, &body) }
}

/// JSON where it is accepted, a form otherwise.
fn written(headers: &HeaderMap, status: StatusCode, members: Map<String, Value>) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.contains("json") {
        json_response(status, &Value::Object(members))
    } else {
        form_response(status, &members)
    }
}
