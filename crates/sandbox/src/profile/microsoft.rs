//! Microsoft identity platform v2: one refresh token for many resources, each access token for one of them.
//!
//! Every refresh yields a new refresh token, and the old one goes on working. The scope of a token request selects the
//! resource; `/.default` is all that was granted there, and is granted without a person for Graph and for `SharePoint`,
//! as where an administrator agreed for everybody.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use url::Url;

use crate::answer::{OAuthError, json_response};
use crate::call::Call;
use crate::clock;
use crate::consent::{Aim, Consent, Prefixes};
use crate::facts::Facts;
use crate::parameters::Parameters;
use crate::profile::inquiry::{Inquiry, Occasion};
use crate::profile::permission::{self, Permission};
use crate::profile::route::{Deed, Host, Proof, Route};
use crate::profile::{Provider, Site, Written, exchange, identity};
use crate::scope;
use crate::settings::Settings;

const LOGIN: Host = Host::Is("login.microsoftonline.com");
const GRAPH_HOST: Host = Host::Is("graph.microsoft.com");
const SHAREPOINT: Host = Host::Below("sharepoint.com");

static ROUTES: [Route; 5] = [
    Route::authorize(LOGIN, "/*/oauth2/v2.0/authorize"),
    Route::new(Method::POST, LOGIN, "/*/oauth2/v2.0/token", Deed::Token, Proof::Client),
    Route::new(Method::GET, GRAPH_HOST, "/oidc/userinfo", Deed::Identity, Proof::Bearer),
    Route::new(Method::GET, GRAPH_HOST, "/v1.0/me", Deed::Profile, Proof::Bearer),
    Route::new(Method::GET, SHAREPOINT, "/_api/web", Deed::Resource, Proof::Bearer),
];

const GRAPH: &str = "https://graph.microsoft.com";
const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
const DEFAULT: &str = ".default";

const TWO_RESOURCES: OAuthError = OAuthError::new(
    StatusCode::BAD_REQUEST,
    "invalid_grant",
    "AADSTS28000: The scope is not valid because it names more than one resource.",
);
const NOT_CONSENTED: OAuthError = OAuthError::new(
    StatusCode::BAD_REQUEST,
    "invalid_grant",
    "AADSTS65001: The user or administrator has not consented to use this scope.",
);

/// Microsoft.
pub(crate) struct Microsoft;

/// The resource that a scope belongs to, and its name there; none for those of OpenID Connect.
fn resource(scope: &str) -> Option<(String, &str)> {
    if OPENID_SCOPES.contains(&scope) {
        return None;
    }
    match (Url::parse(scope), scope.rsplit_once('/')) {
        (Ok(url), Some((_, name))) if url.has_host() => Some((url.origin().ascii_serialization(), name)),
        _ => Some((GRAPH.to_owned(), scope)),
    }
}

/// What a new access token is for. Without a scope that names a resource it is the first that was granted.
fn aim(consent: &Consent, asked: Option<&str>) -> Result<Aim, OAuthError> {
    let malformed = OAuthError::invalid_scope("AADSTS70011: The scope is malformed.");
    let asked = asked.map(|text| scope::parse(text, " ").ok_or(malformed)).transpose()?.unwrap_or_default();
    let mut named: Vec<(String, &str)> = asked.iter().filter_map(|scope| resource(scope)).collect();
    let granted: Vec<_> = consent.scopes.iter().map(|scope| (scope, resource(scope))).collect();
    let Some((audience, _)) = named.first().cloned() else {
        let first = granted.iter().find_map(|(_, resource)| resource.clone());
        let audience = first.map_or(GRAPH.to_owned(), |(audience, _)| audience);
        let scopes = granted.iter().filter(|(_, resource)| is_at(resource.as_ref(), &audience));
        return Ok(Aim { scopes: Some(scopes.map(|(scope, _)| (*scope).clone()).collect()), audience });
    };
    if named.iter().any(|(other, _)| *other != audience) {
        return Err(TWO_RESOURCES);
    }
    let known: Vec<_> = granted.iter().filter(|(_, resource)| is_at(resource.as_ref(), &audience)).collect();
    let all = named.iter().any(|(_, name)| *name == DEFAULT);
    let by_administrator = audience == GRAPH || audience.ends_with(".sharepoint.com");
    if all && !by_administrator && known.iter().all(|(_, resource)| resource.is_none()) {
        return Err(NOT_CONSENTED);
    }
    named.retain(|(_, name)| *name != DEFAULT);
    for (_, name) in &named {
        if !known.iter().any(|(_, resource)| resource.as_ref().is_some_and(|(_, own)| own == name)) {
            return Err(NOT_CONSENTED);
        }
    }
    let wanted = |resource: &Option<(String, &str)>| match resource {
        Some((_, own)) => all || named.iter().any(|(_, name)| name == own),
        None => true,
    };
    let scopes = known.iter().filter(|(_, resource)| wanted(resource)).map(|(scope, _)| (*scope).clone());
    Ok(Aim { scopes: Some(scopes.collect()), audience })
}

/// Whether a granted scope is the resource's; those of OpenID Connect are Graph's.
fn is_at(resource: Option<&(String, &str)>, audience: &str) -> bool {
    resource.map_or(audience == GRAPH, |(own, _)| own == audience)
}

impl Provider for Microsoft {
    fn title(&self) -> &'static str {
        "Microsoft"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn permissions(&self) -> &'static [Permission] {
        permission::MICROSOFT
    }

    fn settings(&self) -> Value {
        json!({
            "accessTokenTtl": 4500, "refreshTokenTtl": 7_776_000, "codeTtl": 600, "rotation": "leeway",
            "leeway": 315_360_000, "revokeFamilyOnReuse": false, "clientAuth": "any", "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        Prefixes { access_token: "EwB", refresh_token: "0.A" }
    }

    fn place(&self, _host: &str) -> &'static str {
        "microsoft"
    }

    fn offline(&self, _: &Parameters, granted: &[String], _: bool) -> bool {
        granted.iter().any(|scope| scope == "offline_access")
    }

    fn callback(&self, _: &Site, _: &Settings, _: &[String]) -> Vec<(&'static str, String)> {
        vec![("session_state", identity::request_id())]
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        if inquiry.deed == Deed::Token {
            let exchanged = exchange::exchange_for(call, inquiry, aim)?;
            let mut body = exchange::members(exchanged.first, "Bearer", call.settings);
            if let Some(seconds) = body.get("expires_in").cloned() {
                body.insert("ext_expires_in".to_owned(), seconds);
            }
            return Ok(json_response(StatusCode::OK, &Value::Object(body)));
        }
        let facts = exchange::open(call, inquiry)?;
        let own = format!("https://{}", inquiry.site.host);
        if facts.audience != own {
            return Err(OAuthError::invalid_token());
        }
        Ok(json_response(StatusCode::OK, &tell(inquiry.deed, &facts, &own)?))
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        match occasion.deed {
            Deed::Token => token_error(error, occasion.now),
            Deed::Resource => {
                let body = json!({"error_description": error.description});
                Written { code: error.code, response: json_response(error.status, &body) }
            }
            _ => {
                let name = match error.status {
                    StatusCode::UNAUTHORIZED => "InvalidAuthenticationToken",
                    StatusCode::FORBIDDEN => "Authorization_RequestDenied",
                    _ => "BadRequest",
                };
                let inner =
                    json!({"date": clock::rfc3339(occasion.now), "request-id": identity::request_id()});
                let body =
                    json!({"error": {"code": name, "message": error.description, "innerError": inner}});
                Written { code: error.code, response: json_response(error.status, &body) }
            }
        }
    }
}

fn tell(deed: Deed, facts: &Facts, own: &str) -> Result<Value, OAuthError> {
    let account = &facts.consent.account;
    let has = |name: &str| facts.scopes.iter().any(|scope| scope == name);
    let (first, last) = identity::names(account);
    match deed {
        Deed::Resource => Ok(json!({"Id": identity::guid(account), "Title": "Sandbox", "Url": own})),
        Deed::Identity if !has("openid") => Err(OAuthError::insufficient_scope("openid")),
        Deed::Identity => {
            let mut body = json!({"sub": identity::capitals("", account)});
            if has("profile") {
                body["name"] = json!(account.name);
                body["given_name"] = json!(first);
                body["family_name"] = json!(last);
            }
            if has("email") {
                body["email"] = json!(account.email);
            }
            Ok(body)
        }
        _ => {
            let reads =
                |scope: &String| resource(scope).is_some_and(|(_, name)| name.starts_with("User.Read"));
            if !facts.scopes.iter().any(reads) {
                return Err(OAuthError::insufficient_scope("User.Read"));
            }
            Ok(json!({
                "@odata.context": format!("{GRAPH}/v1.0/$metadata#users/$entity"),
                "id": identity::guid(account), "displayName": account.name, "givenName": first,
                "surname": last, "mail": account.email, "userPrincipalName": account.email,
            }))
        }
    }
}

/// The OAuth error with the platform's numbers and ids.
fn token_error(error: OAuthError, now: i64) -> Written {
    let (status, code, number) = match error.code {
        _ if error == TWO_RESOURCES => (error.status, error.code, 28_000),
        _ if error == NOT_CONSENTED => (error.status, error.code, 65_001),
        _ if error == OAuthError::redirect_uri_mismatch() => (error.status, "invalid_client", 500_112),
        _ if error == OAuthError::unknown_client() => {
            (StatusCode::BAD_REQUEST, "unauthorized_client", 700_016)
        }
        _ if error == OAuthError::wrong_secret() => (error.status, error.code, 7_000_215),
        "invalid_client" => (error.status, error.code, 7_000_218),
        "invalid_grant" => (error.status, error.code, 70_000),
        "invalid_scope" => (error.status, error.code, 70_011),
        "unsupported_grant_type" => (error.status, error.code, 70_003),
        _ => (error.status, error.code, 900_144),
    };
    let (trace, correlation) = (identity::request_id(), identity::request_id());
    let timestamp = clock::rfc3339(now);
    let sentence = error.description.rsplit_once("AADSTS").and_then(|(_, rest)| rest.split_once(": "));
    let sentence = sentence.map_or(error.description, |(_, sentence)| sentence);
    let mut body = json!({
        "error": code,
        "error_description": format!(
            "AADSTS{number}: {sentence} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
        ),
        "error_codes": [number], "timestamp": timestamp, "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    });
    if error == NOT_CONSENTED {
        body["suberror"] = json!("consent_required");
    }
    Written { code, response: json_response(status, &body) }
}
