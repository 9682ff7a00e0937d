//! Zoho: one provider in several data centres, each with its own codes and tokens.
//!
//! The callback tells in `location` and `accounts-server` which data centre the person belongs to. Errors have status
//! 200, the throttle's too: eleven access tokens from one refresh token in ten minutes are one too many.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{OAuthError, json_response};
use crate::call::Call;
use crate::consent::Prefixes;
use crate::parameters::Parameters;
use crate::profile::inquiry::{Inquiry, Occasion};
use crate::profile::permission::{self, Permission};
use crate::profile::route::{Deed, Host, Proof, Route};
use crate::profile::{Provider, Site, Written, exchange, identity};
use crate::settings::Settings;

/// A data centre, by the name that the callback has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Location {
    Us,
    Eu,
    In,
    Au,
    Jp,
    Ca,
    Sa,
    Uk,
    Cn,
}

/// Name, host for accounts, address of the CRM's API, host of Calendar.
type Centre = (Location, &'static str, &'static str, &'static str, &'static str);

static CENTRES: [Centre; 9] = [
    (Location::Us, "us", "accounts.zoho.com", "https://www.zohoapis.com", "calendar.zoho.com"),
    (Location::Eu, "eu", "accounts.zoho.eu", "https://www.zohoapis.eu", "calendar.zoho.eu"),
    (Location::In, "in", "accounts.zoho.in", "https://www.zohoapis.in", "calendar.zoho.in"),
    (Location::Au, "au", "accounts.zoho.com.au", "https://www.zohoapis.com.au", "calendar.zoho.com.au"),
    (Location::Jp, "jp", "accounts.zoho.jp", "https://www.zohoapis.jp", "calendar.zoho.jp"),
    (Location::Ca, "ca", "accounts.zohocloud.ca", "https://www.zohoapis.ca", "calendar.zohocloud.ca"),
    (Location::Sa, "sa", "accounts.zoho.sa", "https://www.zohoapis.sa", "calendar.zoho.sa"),
    (Location::Uk, "uk", "accounts.zoho.uk", "https://www.zohoapis.uk", "calendar.zoho.uk"),
    (Location::Cn, "cn", "accounts.zoho.com.cn", "https://www.zohoapis.com.cn", "calendar.zoho.com.cn"),
];

const HOSTS: Host = Host::OneOf(&[
    "accounts.zoho.com",
    "accounts.zoho.eu",
    "accounts.zoho.in",
    "accounts.zoho.com.au",
    "accounts.zoho.jp",
    "accounts.zohocloud.ca",
    "accounts.zoho.sa",
    "accounts.zoho.uk",
    "accounts.zoho.com.cn",
]);

const CRM: Host = Host::OneOf(&[
    "www.zohoapis.com",
    "www.zohoapis.eu",
    "www.zohoapis.in",
    "www.zohoapis.com.au",
    "www.zohoapis.jp",
    "www.zohoapis.ca",
    "www.zohoapis.sa",
    "www.zohoapis.uk",
    "www.zohoapis.com.cn",
]);

const CALENDAR: Host = Host::OneOf(&[
    "calendar.zoho.com",
    "calendar.zoho.eu",
    "calendar.zoho.in",
    "calendar.zoho.com.au",
    "calendar.zoho.jp",
    "calendar.zohocloud.ca",
    "calendar.zoho.sa",
    "calendar.zoho.uk",
    "calendar.zoho.com.cn",
]);

static ROUTES: [Route; 6] = [
    Route::authorize(HOSTS, "/oauth/v2/auth"),
    Route::new(Method::POST, HOSTS, "/oauth/v2/token", Deed::Token, Proof::Client),
    Route::new(Method::POST, HOSTS, "/oauth/v2/token/revoke", Deed::Revoke, Proof::Parameter("token")),
    Route::new(Method::GET, HOSTS, "/oauth/user/info", Deed::Identity, Proof::Bearer),
    Route::new(Method::GET, CRM, "/crm/v8/settings/modules", Deed::Resource, Proof::Bearer),
    Route::new(Method::GET, CALENDAR, "/api/v1/calendars", Deed::Resource, Proof::Bearer),
];

/// Zoho.
pub(crate) struct Zoho;

fn centre(host: &str, settings: Option<&Settings>) -> &'static Centre {
    let wanted = settings.and_then(|settings| settings.location);
    let found = CENTRES.iter().find(|(location, _, accounts, api, calendar)| match wanted {
        Some(wanted) => wanted == *location,
        None => *accounts == host || *calendar == host || api.strip_prefix("https://") == Some(host),
    });
    found.unwrap_or(&CENTRES[0])
}

impl Provider for Zoho {
    fn title(&self) -> &'static str {
        "Zoho"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn permissions(&self) -> &'static [Permission] {
        permission::ZOHO
    }

    fn settings(&self) -> Value {
        json!({
            "accessTokenTtl": 3600, "refreshTokenTtl": 315_360_000, "codeTtl": 180, "rotation": "none",
            "scopeSeparator": ",", "clientAuth": "post", "accessTokenLimit": 10, "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        Prefixes { access_token: "1000.a", refresh_token: "1000.r" }
    }

    fn place(&self, host: &str) -> &'static str {
        centre(host, None).2
    }

    fn place_of_consent(&self, host: &str, settings: &Settings) -> &'static str {
        centre(host, Some(settings)).2
    }

    /// Only for offline access, and again only when the person is asked again.
    fn offline(&self, parameters: &Parameters, _: &[String], remembered: bool) -> bool {
        parameters.get("access_type") == Some("offline")
            && (!remembered || parameters.get("prompt") == Some("consent"))
    }

    fn callback(&self, site: &Site, settings: &Settings, _: &[String]) -> Vec<(&'static str, String)> {
        let (_, location, host, ..) = centre(&site.host, Some(settings));
        let server = settings.accounts_server.clone().unwrap_or_else(|| format!("https://{host}"));
        vec![("location", (*location).to_owned()), ("accounts-server", server)]
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["zoho-oauthtoken", "bearer"]
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        match inquiry.deed {
            Deed::Token => {
                let exchanged = exchange::exchange(call, inquiry)?;
                let mut body = exchange::members(exchanged.first, "Bearer", call.settings);
                if exchanged.refreshed {
                    body.remove("refresh_token");
                }
                let api = centre(&inquiry.site.host, None).3;
                body.insert("api_domain".to_owned(), Value::from(api));
                Ok(json_response(StatusCode::OK, &Value::Object(body)))
            }
            Deed::Revoke => {
                let token = inquiry.token()?;
                let facts = exchange::known(call, token)?;
                call.grants.revoke(token, &facts.consent.client_id, call.place)?;
                Ok(json_response(StatusCode::OK, &json!({"status": "success"})))
            }
            Deed::Resource => {
                let facts = exchange::open(call, inquiry)?;
                let (family, scope, body) = if inquiry.site.path.starts_with("/crm/") {
                    let modules = json!([{"api_name": "Leads", "module_name": "Leads"}]);
                    ("ZohoCRM.", "ZohoCRM.settings.modules.READ", json!({"modules": modules}))
                } else {
                    let calendars = json!([{"uid": "sandbox", "name": facts.consent.account.name}]);
                    ("ZohoCalendar.", "ZohoCalendar.calendar.READ", json!({"calendars": calendars}))
                };
                if !facts.scopes.iter().any(|scope| scope.starts_with(family)) {
                    return Err(OAuthError::insufficient_scope(scope));
                }
                Ok(json_response(StatusCode::OK, &body))
            }
            _ => {
                let facts = exchange::open(call, inquiry)?;
                let account = &facts.consent.account;
                let may = |scope: &String| scope.to_ascii_lowercase().starts_with("aaaserver.profile.");
                if !facts.scopes.iter().any(may) {
                    return Err(OAuthError::insufficient_scope("AaaServer.profile.Read"));
                }
                let (first, last) = identity::names(account);
                let body = json!({
                    "First_Name": first, "Last_Name": last, "Display_Name": account.name,
                    "Email": account.email, "ZUID": identity::number(account),
                });
                Ok(json_response(StatusCode::OK, &body))
            }
        }
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        if matches!(occasion.deed, Deed::Identity | Deed::Resource) {
            let code = match (occasion.deed, error.status) {
                (_, StatusCode::FORBIDDEN) => "OAUTH_SCOPE_MISMATCH",
                (Deed::Identity, _) => "INVALID_OAUTHTOKEN",
                _ => "INVALID_TOKEN",
            };
            let body = json!({"code": code, "message": error.description, "status": "error"});
            return Written { code: error.code, response: json_response(StatusCode::UNAUTHORIZED, &body) };
        }
        let code = match error.code {
            _ if error == OAuthError::wrong_secret() => "invalid_client_secret",
            _ if error == OAuthError::redirect_uri_mismatch() => "invalid_redirect_uri",
            "invalid_grant" | "invalid_token" => "invalid_code",
            "too_many_requests" => "Access Denied",
            other => other,
        };
        let body = if code == "Access Denied" {
            let description =
                "You have made too many requests continuously. Please try again after some time.";
            json!({"error": code, "error_description": description, "status": "failure"})
        } else {
            json!({"error": code})
        };
        let status =
            if error.status == StatusCode::PAYLOAD_TOO_LARGE { error.status } else { StatusCode::OK };
        Written { code, response: json_response(status, &body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_centre_is_played_at_its_own_host() {
        let played = |host| if let Host::OneOf(hosts) = host { hosts } else { panic!("a list of hosts") };
        let [accounts, apis, calendars] = [HOSTS, CRM, CALENDAR].map(played);
        assert_eq!((accounts.len(), apis.len(), calendars.len()), (9, 9, 9));
        for (number, (location, name, host, api, calendar)) in CENTRES.iter().enumerate() {
            assert_eq!(json!(location), *name);
            assert_eq!((accounts[number], calendars[number]), (*host, *calendar));
            assert_eq!(format!("https://{}", apis[number]), *api);
            for own in [accounts[number], apis[number], calendars[number]] {
                assert_eq!(Zoho.place(own), *host);
            }
        }
    }
}
