//! Figma: codes that live half a minute, an endpoint of its own for refreshes, and errors in a shape of its own.

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
use crate::profile::{Provider, Wish, Written, exchange, identity};
use crate::scope;
use crate::settings::Settings;

const WEB: Host = Host::Is("www.figma.com");
const API: Host = Host::Is("api.figma.com");

static ROUTES: [Route; 4] = [
    Route::authorize(WEB, "/oauth"),
    Route::new(Method::POST, API, "/v1/oauth/token", Deed::Token, Proof::Client),
    Route::new(Method::POST, API, "/v1/oauth/refresh", Deed::Refresh, Proof::Client),
    Route::new(Method::GET, API, "/v1/me", Deed::Identity, Proof::Bearer),
];

/// Figma.
pub(crate) struct Figma;

impl Provider for Figma {
    fn title(&self) -> &'static str {
        "Figma"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn permissions(&self) -> &'static [Permission] {
        permission::FIGMA
    }

    fn settings(&self) -> Value {
        json!({
            "accessTokenTtl": 7_776_000, "refreshTokenTtl": 315_360_000, "codeTtl": 30, "rotation": "none",
            "scopeSeparator": ",", "clientAuth": "basic", "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        Prefixes { access_token: "figu_", refresh_token: "figur_" }
    }

    fn place(&self, _host: &str) -> &'static str {
        "figma"
    }

    /// With commas or with spaces.
    fn wish(&self, parameters: &Parameters, _: &Settings) -> Result<Wish, (&'static str, &'static str)> {
        if parameters.get("state").is_none() {
            return Err(("invalid_request", "The state is missing."));
        }
        let text = parameters.get("scope").unwrap_or_default().replace(',', " ");
        let scopes = scope::parse(&text, " ")
            .filter(|scopes| !scopes.is_empty())
            .ok_or(("invalid_scope", "The scope is missing or malformed."))?;
        Ok(Wish { scopes, prefixes: self.prefixes(), second: None })
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        let body = match inquiry.deed {
            Deed::Token | Deed::Refresh => {
                // Each endpoint knows one kind of grant.
                let other = if inquiry.deed == Deed::Token { "refresh_token" } else { "authorization_code" };
                if inquiry.grant_type() == Some(other) {
                    return Err(OAuthError::unsupported_grant_type());
                }
                let exchanged = exchange::exchange(call, inquiry)?;
                let id = identity::number(&exchanged.first.consent.account).to_string();
                let mut body = exchange::members(exchanged.first, "bearer", call.settings);
                body.remove("scope");
                if exchanged.refreshed {
                    body.remove("refresh_token");
                } else {
                    body.insert("user_id_string".to_owned(), Value::from(id));
                }
                Value::Object(body)
            }
            _ => {
                let facts = exchange::open(call, inquiry)?;
                let account = &facts.consent.account;
                json!({
                    "id": identity::number(account).to_string(), "email": account.email,
                    "handle": account.name, "img_url": "",
                })
            }
        };
        Ok(json_response(StatusCode::OK, &body))
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        let response = if occasion.deed == Deed::Identity {
            let body = json!({"status": 403, "err": "Invalid token"});
            json_response(StatusCode::FORBIDDEN, &body)
        } else {
            let body = json!({
                "error": true, "status": error.status.as_u16(), "message": error.description, "i18n": null,
            });
            json_response(error.status, &body)
        };
        Written { code: error.code, response }
    }
}
