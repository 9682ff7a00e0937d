//! Atlassian Cloud (3LO): a refresh token that rotates with ten minutes of leeway, after which its reuse ends the family.
//!
//! A dead refresh token is answered with 403 and not 400; a client that can't authenticate with `access_denied`.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::answer::{OAuthError, json_response};
use crate::call::Call;
use crate::consent::Prefixes;
use crate::parameters::Parameters;
use crate::profile::inquiry::{Inquiry, Occasion};
use crate::profile::permission::{self, Permission};
use crate::profile::route::{Deed, Host, Proof, Route};
use crate::profile::{Provider, Wish, Written, exchange, identity, scopes};
use crate::settings::Settings;

const AUTH: Host = Host::Is("auth.atlassian.com");
const API: Host = Host::Is("api.atlassian.com");
const RESOURCES: &str = "/oauth/token/accessible-resources";

static ROUTES: [Route; 4] = [
    Route::authorize(AUTH, "/authorize"),
    Route::new(Method::POST, AUTH, "/oauth/token", Deed::Token, Proof::Client),
    Route::new(Method::GET, API, "/me", Deed::Identity, Proof::Bearer),
    Route::new(Method::GET, API, RESOURCES, Deed::Resource, Proof::Bearer),
];

/// Atlassian.
pub(crate) struct Atlassian;

impl Provider for Atlassian {
    fn title(&self) -> &'static str {
        "Atlassian"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn permissions(&self) -> &'static [Permission] {
        permission::ATLASSIAN
    }

    fn settings(&self) -> Value {
        json!({
            "accessTokenTtl": 3600, "refreshTokenTtl": 7_776_000, "rotation": "leeway", "leeway": 600,
            "revokeFamilyOnReuse": true, "clientAuth": "post", "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        Prefixes { access_token: "atl_at_", refresh_token: "atl_rt_" }
    }

    fn place(&self, _host: &str) -> &'static str {
        "atlassian"
    }

    fn takes_json(&self) -> bool {
        true
    }

    fn wish(
        &self,
        parameters: &Parameters,
        settings: &Settings,
    ) -> Result<Wish, (&'static str, &'static str)> {
        for (name, value, problem) in [
            ("audience", "api.atlassian.com", "The audience must be api.atlassian.com."),
            ("prompt", "consent", "The prompt must be consent."),
        ] {
            if parameters.get(name) != Some(value) {
                return Err(("invalid_request", problem));
            }
        }
        let scopes = scopes(parameters, "scope", &settings.scope_separator)?;
        if scopes.is_empty() {
            return Err(("invalid_scope", "The scope is missing."));
        }
        Ok(Wish { scopes, prefixes: self.prefixes(), second: None })
    }

    fn offline(&self, _: &Parameters, granted: &[String], _: bool) -> bool {
        granted.iter().any(|scope| scope == "offline_access")
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        if inquiry.deed == Deed::Token {
            let exchanged = exchange::exchange(call, inquiry)?;
            let body = exchange::members(exchanged.first, "Bearer", call.settings);
            return Ok(json_response(StatusCode::OK, &Value::Object(body)));
        }
        let facts = exchange::open(call, inquiry)?;
        let account = &facts.consent.account;
        let body = if inquiry.deed == Deed::Identity {
            if !facts.scopes.iter().any(|scope| scope == "read:me") {
                return Err(OAuthError::insufficient_scope("read:me"));
            }
            json!({
                "account_type": "atlassian", "account_id": identity::guid(account), "email": account.email,
                "name": account.name, "account_status": "active", "nickname": identity::handle(account),
            })
        } else {
            let scopes: Vec<_> = facts.scopes.iter().filter(|scope| *scope != "offline_access").collect();
            json!([{
                "id": "00000000-0000-4000-8000-00000000c10d", "url": "https://sandbox.atlassian.net",
                "name": "sandbox", "scopes": scopes,
                "avatarUrl": "https://site-admin-avatar-cdn.prod.public.atl-paas.net/avatars/240/flag.png",
            }])
        };
        Ok(json_response(StatusCode::OK, &body))
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        if !occasion.is_token() {
            let message =
                if error.status == StatusCode::UNAUTHORIZED { "Unauthorized" } else { error.description };
            let body = json!({"code": error.status.as_u16(), "message": message});
            return Written { code: error.code, response: json_response(error.status, &body) };
        }
        let (status, code, description) = match error.code {
            "invalid_grant" if occasion.is_refresh() => {
                (StatusCode::FORBIDDEN, "invalid_grant", "Unknown or invalid refresh token.")
            }
            "invalid_grant" => (StatusCode::FORBIDDEN, "invalid_grant", "Invalid authorization code"),
            "invalid_client" => (StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized"),
            code => (error.status, code, error.description),
        };
        let body = json!({"error": code, "error_description": description});
        Written { code, response: json_response(status, &body) }
    }
}
