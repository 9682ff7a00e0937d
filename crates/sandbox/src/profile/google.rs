//! Google: a refresh token that stays, and comes only with offline access at the first consent or at a renewed one.
//!
//! Revoking any token ends all that the account granted to the app, and needs no client.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::answer::{OAuthError, json_response};
use crate::call::Call;
use crate::consent::Prefixes;
use crate::facts::Facts;
use crate::parameters::Parameters;
use crate::profile::inquiry::{Inquiry, Occasion};
use crate::profile::permission::{self, Permission};
use crate::profile::route::{Deed, Host, Proof, Route};
use crate::profile::{Provider, Site, Written, exchange, identity};
use crate::settings::Settings;

const ACCOUNTS: Host = Host::Is("accounts.google.com");
const OAUTH: Host = Host::Is("oauth2.googleapis.com");
const OPENID: Host = Host::Is("openidconnect.googleapis.com");

static ROUTES: [Route; 5] = [
    Route::authorize(ACCOUNTS, "/o/oauth2/v2/auth"),
    Route::new(Method::POST, OAUTH, "/token", Deed::Token, Proof::Client),
    Route::new(Method::POST, OAUTH, "/revoke", Deed::RevokeGrant, Proof::Parameter("token")),
    Route::new(Method::GET, OAUTH, "/tokeninfo", Deed::Check, Proof::Parameter("access_token")),
    Route::new(Method::GET, OPENID, "/v1/userinfo", Deed::Identity, Proof::Bearer),
];

/// The scopes that tell who somebody is, by their short and their long names.
const EMAIL: [&str; 2] = ["email", "https://www.googleapis.com/auth/userinfo.email"];
const PROFILE: [&str; 2] = ["profile", "https://www.googleapis.com/auth/userinfo.profile"];

/// Google.
pub(crate) struct Google;

fn may(facts: &Facts, names: &[&str]) -> bool {
    facts.scopes.iter().any(|scope| names.contains(&scope.as_str()))
}

fn subject(facts: &Facts) -> String {
    format!("1{:020}", identity::number(&facts.consent.account))
}

impl Provider for Google {
    fn title(&self) -> &'static str {
        "Google"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn permissions(&self) -> &'static [Permission] {
        permission::GOOGLE
    }

    fn settings(&self) -> Value {
        json!({
            "accessTokenTtl": 3599, "refreshTokenTtl": 15_552_000, "codeTtl": 600, "rotation": "none",
            "clientAuth": "any", "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        Prefixes { access_token: "ya29.", refresh_token: "1//0" }
    }

    fn place(&self, _host: &str) -> &'static str {
        "google"
    }

    /// Only for offline access, and again only when the person is asked again.
    fn offline(&self, parameters: &Parameters, _: &[String], remembered: bool) -> bool {
        let asked_again =
            parameters.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|p| p == "consent"));
        parameters.get("access_type") == Some("offline") && (!remembered || asked_again)
    }

    fn callback(&self, _: &Site, settings: &Settings, granted: &[String]) -> Vec<(&'static str, String)> {
        let scope = granted.join(&settings.scope_separator);
        vec![("scope", scope), ("authuser", "0".to_owned()), ("prompt", "consent".to_owned())]
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        match inquiry.deed {
            Deed::Token => {
                let exchanged = exchange::exchange(call, inquiry)?;
                let mut body = exchange::members(exchanged.first, "Bearer", call.settings);
                if exchanged.refreshed {
                    body.remove("refresh_token");
                }
                Ok(json_response(StatusCode::OK, &Value::Object(body)))
            }
            Deed::RevokeGrant => {
                let facts = exchange::known(call, inquiry.token()?)?;
                call.grants.end_grant(&facts.consent);
                Ok((StatusCode::OK, axum::Json(json!({}))).into_response())
            }
            Deed::Check => {
                let facts = exchange::known(call, inquiry.token()?)?;
                if !facts.is_of_access_token() {
                    return Err(OAuthError::invalid_token());
                }
                let left = (facts.expires_at - call.now) / 1000;
                let client_id = &facts.consent.client_id;
                let mut body = json!({
                    "azp": client_id, "aud": client_id, "sub": subject(&facts), "scope": facts.scopes.join(" "),
                    "exp": (facts.expires_at / 1000).to_string(), "expires_in": left.to_string(),
                    "access_type": if facts.consent.terms.offline { "offline" } else { "online" },
                });
                if may(&facts, &EMAIL) {
                    body["email"] = json!(facts.consent.account.email);
                    body["email_verified"] = json!("true");
                }
                Ok(json_response(StatusCode::OK, &body))
            }
            _ => {
                let facts = exchange::open(call, inquiry)?;
                let (email, profile) = (may(&facts, &EMAIL), may(&facts, &PROFILE));
                if !email && !profile && !may(&facts, &["openid"]) {
                    return Err(OAuthError::insufficient_scope("openid"));
                }
                let account = &facts.consent.account;
                let mut body = json!({"sub": subject(&facts)});
                if profile {
                    let (first, last) = identity::names(account);
                    body["name"] = json!(account.name);
                    body["given_name"] = json!(first);
                    body["family_name"] = json!(last);
                }
                if email {
                    body["email"] = json!(account.email);
                    body["email_verified"] = json!(true);
                }
                Ok(json_response(StatusCode::OK, &body))
            }
        }
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        let by_parameter = matches!(occasion.deed, Deed::RevokeGrant | Deed::Check);
        let (status, code) = match (occasion.deed, error.code) {
            (_, "invalid_token") if by_parameter => (StatusCode::BAD_REQUEST, "invalid_token"),
            (Deed::Identity, "invalid_token" | "token_missing") => {
                (StatusCode::UNAUTHORIZED, "invalid_request")
            }
            _ if error == OAuthError::redirect_uri_mismatch() => {
                (StatusCode::BAD_REQUEST, "redirect_uri_mismatch")
            }
            (_, code) => (error.status, code),
        };
        let body = json!({"error": code, "error_description": error.description});
        Written { code, response: json_response(status, &body) }
    }
}
