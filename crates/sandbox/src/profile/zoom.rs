//! Zoom: client authentication in the header only, and a refresh token that works once.

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

const WEB: Host = Host::Is("zoom.us");
const API: Host = Host::Is("api.zoom.us");

static ROUTES: [Route; 4] = [
    Route::authorize(WEB, "/oauth/authorize"),
    Route::new(Method::POST, WEB, "/oauth/token", Deed::Token, Proof::Client),
    Route::new(Method::POST, WEB, "/oauth/revoke", Deed::Revoke, Proof::Client),
    Route::new(Method::GET, API, "/v2/users/me", Deed::Identity, Proof::Bearer),
];

/// What the app's registration grants when the request names nothing.
const REGISTERED: &str = "user:read:user";

/// Zoom.
pub(crate) struct Zoom;

impl Provider for Zoom {
    fn title(&self) -> &'static str {
        "Zoom"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn permissions(&self) -> &'static [Permission] {
        permission::ZOOM
    }

    fn settings(&self) -> Value {
        json!({
            "accessTokenTtl": 3599, "refreshTokenTtl": 7_776_000, "codeTtl": 300, "rotation": "strict",
            "revokeFamilyOnReuse": false, "clientAuth": "basic", "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        Prefixes { access_token: "zoom_at_", refresh_token: "zoom_rt_" }
    }

    fn place(&self, _host: &str) -> &'static str {
        "zoom"
    }

    fn wish(
        &self,
        parameters: &Parameters,
        settings: &Settings,
    ) -> Result<Wish, (&'static str, &'static str)> {
        let mut scopes = scopes(parameters, "scope", &settings.scope_separator)?;
        if scopes.is_empty() {
            scopes.push(REGISTERED.to_owned());
        }
        Ok(Wish { scopes, prefixes: self.prefixes(), second: None })
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        let body = match inquiry.deed {
            Deed::Token => {
                let exchanged = exchange::exchange(call, inquiry)?;
                let mut body = exchange::members(exchanged.first, "bearer", call.settings);
                body.insert("api_url".to_owned(), Value::from("https://api.zoom.us"));
                Value::Object(body)
            }
            Deed::Revoke => {
                let request = inquiry.client()?;
                call.authenticate(request)?;
                let token = request.require("token", "The token is missing.")?;
                call.grants.revoke(token, &request.credentials.client_id, call.place)?;
                json!({"status": "success"})
            }
            _ => {
                let facts = exchange::open(call, inquiry)?;
                let account = &facts.consent.account;
                let (first, last) = identity::names(account);
                json!({
                    "id": identity::capitals("", account), "first_name": first, "last_name": last,
                    "display_name": account.name, "email": account.email, "type": 1,
                    "account_id": "sandbox", "status": "active",
                })
            }
        };
        Ok(json_response(StatusCode::OK, &body))
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        if occasion.deed == Deed::Identity {
            let body = json!({"code": 124, "message": "Invalid access token."});
            return Written { code: error.code, response: json_response(error.status, &body) };
        }
        let (status, reason) = match error.code {
            _ if error == OAuthError::redirect_uri_mismatch() => (error.status, "Redirect URI mismatch."),
            "invalid_grant" if occasion.is_refresh() || occasion.deed == Deed::Revoke => {
                (error.status, "Invalid Token!")
            }
            "invalid_grant" => (error.status, "Invalid authorization code."),
            "invalid_client" => (StatusCode::BAD_REQUEST, "Invalid client_id or client_secret"),
            _ => (error.status, error.description),
        };
        let body = json!({"reason": reason, "error": error.code});
        Written { code: error.code, response: json_response(status, &body) }
    }
}
