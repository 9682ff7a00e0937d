//! The providers that the product promises, each with what is required of it.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::http::HeaderMap;
use claviger_provider::answer::{self, Class};
use claviger_provider::catalog::{
    AuthorizeRequest, Catalog, ClientAuthentication, Ends, Entry, Flow, Rotation, TokenKind,
};
use claviger_provider::client::Response;
use model::Scopes;
use model::pkce::Pkce;

const NONE: &str = "";

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

fn entry(id: &str) -> Arc<Entry> {
    Arc::clone(CATALOG.get(&id.parse().unwrap()).unwrap())
}

#[test]
fn each_has_its_group_its_pkce_its_authentication_and_its_class() {
    use ClientAuthentication::{Basic, Post};
    use Rotation::{Leeway, None as Keeps, Strict};
    let table = [
        ("github", NONE, Pkce::S256, Post, Strict),
        ("github_app", NONE, Pkce::S256, Post, Strict),
        ("jira", "atlassian", Pkce::S256, Post, Leeway),
        ("confluence", "atlassian", Pkce::S256, Post, Leeway),
        ("outlook", "microsoft", Pkce::S256, Post, Keeps),
        ("teams", "microsoft", Pkce::S256, Post, Keeps),
        ("onedrive", "microsoft", Pkce::S256, Post, Keeps),
        ("onenote", "microsoft", Pkce::S256, Post, Keeps),
        ("sharepoint", "microsoft", Pkce::S256, Post, Keeps),
        ("slack", NONE, Pkce::None, Post, Strict),
        ("figma", NONE, Pkce::None, Basic, Keeps),
        ("zoom", NONE, Pkce::S256, Basic, Strict),
        ("google_workspace", NONE, Pkce::S256, Post, Keeps),
        ("zoho_crm", "zoho", Pkce::None, Post, Keeps),
        ("zoho_calendar", "zoho", Pkce::None, Post, Keeps),
    ];
    for (id, group, pkce, authentication, rotation) in table {
        let entry = entry(id);
        assert_eq!(entry.group.as_ref().map_or(NONE, |group| group.as_str()), group, "{id}");
        assert_eq!(entry.pkce, pkce, "{id}");
        assert_eq!(entry.client_authentication, authentication, "{id}");
        assert_eq!(entry.refresh.rotation, rotation, "{id}");
    }
}

#[test]
fn each_authorization_request_carries_what_its_provider_needs() {
    let table: &[(&str, &[&str])] = &[
        ("github", &["scope=read:user"]),
        ("jira", &["audience=api.atlassian.com", "prompt=consent"]),
        ("confluence", &["audience=api.atlassian.com", "prompt=consent"]),
        ("google_workspace", &["access_type=offline", "prompt=consent", "scope=openid email profile"]),
        ("slack", &["scope=users:read"]),
        ("figma", &["scope=current_user:read,file_content:read,file_metadata:read"]),
        (
            "zoho_crm",
            &["access_type=offline", "prompt=consent", "scope=ZohoCRM.modules.ALL,ZohoCRM.settings.ALL"],
        ),
        ("zoho_calendar", &["access_type=offline", "prompt=consent", "scope=ZohoCalendar.calendar.ALL"]),
    ];
    for (id, expected) in table {
        let query = query(&entry(id), &entry(id).default_scopes);
        for pair in *expected {
            assert!(query.iter().any(|own| own == pair), "{id}: {query:?} lacks {pair}");
        }
    }
    for id in ["jira", "confluence", "outlook", "teams", "onedrive", "onenote", "sharepoint"] {
        assert!(entry(id).default_scopes.contains("offline_access"), "{id} has no refresh token without it");
    }
    for id in ["github_app", "zoom"] {
        assert!(
            !query(&entry(id), &entry(id).default_scopes).iter().any(|pair| pair.starts_with("scope=")),
            "{id}"
        );
    }
}

fn query(entry: &Entry, scopes: &Scopes) -> Vec<String> {
    let request = AuthorizeRequest {
        client_id: "id",
        redirect_uri: "https://claviger.example/cb",
        scopes,
        login_hint: None,
        endpoints: &entry.endpoints(&[].into(), None).unwrap(),
    };
    let url = entry.authorize_url(&request);
    url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn each_ages_as_documented() {
    let hours = |hours: u64| Some(Duration::from_hours(hours));
    let days = |days: u64| hours(24 * days);
    let table = [
        // access token, leeway, refresh token, inactivity, fixed end
        ("github_app", [hours(8), None, days(184), None, None]),
        ("jira", [hours(1), Some(Duration::from_mins(10)), None, days(90), days(365)]),
        ("outlook", [None, None, days(90), None, None]),
        ("slack", [None; 5]),
        ("figma", [days(90), None, None, None, None]),
        ("zoom", [hours(1), None, days(90), None, None]),
        ("google_workspace", [hours(1), None, None, days(180), None]),
        ("zoho_crm", [hours(1), None, None, None, None]),
    ];
    for (id, ages) in table {
        let refresh = entry(id).refresh.clone();
        let own = [
            refresh.access_token_lifetime,
            refresh.reuse_leeway,
            refresh.refresh_token_lifetime,
            refresh.inactivity,
            refresh.fixed_end,
        ];
        assert_eq!(own, ages, "{id}");
    }
}

#[test]
fn each_error_means_what_it_does() {
    let error = |code: &str| format!(r#"{{"ok":false,"error":"{code}"}}"#);
    let stale = r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#;
    let unauthorized = r#"{"error":"unauthorized_client","error_description":"refresh_token is invalid"}"#;
    let table = [
        ("github_app", 200, error("bad_refresh_token"), Class::Dead),
        ("jira", 403, stale.to_owned(), Class::Dead),
        ("confluence", 403, unauthorized.to_owned(), Class::Dead),
        ("jira", 401, error("unauthorized_client"), Class::Configuration),
        ("outlook", 400, error("invalid_grant"), Class::Dead),
        ("outlook", 400, error("interaction_required"), Class::Interaction),
        ("slack", 200, error("invalid_refresh_token"), Class::Dead),
        ("slack", 200, error("token_revoked"), Class::Dead),
        ("slack", 200, error("internal_error"), Class::Ambiguous),
        ("slack", 200, error("fatal_error"), Class::Ambiguous),
        ("slack", 200, error("ratelimited"), Class::Throttled),
        ("slack", 200, error("bad_client_secret"), Class::Configuration),
        ("slack", 200, r#"{"access_token":"at"}"#.to_owned(), Class::Malformed),
        ("figma", 400, r#"{"error":true,"status":400,"message":"No"}"#.to_owned(), Class::Malformed),
        ("zoom", 400, r#"{"error":"invalid_request","reason":"Invalid Token!"}"#.to_owned(), Class::Dead),
        ("zoom", 400, r#"{"error":"invalid_request","reason":"No"}"#.to_owned(), Class::Configuration),
        ("zoho_calendar", 200, error("invalid_code"), Class::Dead),
    ];
    for (id, status, body, class) in table {
        let response = Response { status, headers: HeaderMap::new(), body: body.clone().into() };
        assert_eq!(answer::read(&entry(id), &response, &[]).unwrap_err().class, class, "{id} {body}");
    }
}

#[test]
fn each_gives_back_what_it_can() {
    let table = [
        ("github", TokenKind::AccessToken, Ends::Grant),
        ("github_app", TokenKind::AccessToken, Ends::Grant),
        ("google_workspace", TokenKind::RefreshToken, Ends::Grant),
        ("slack", TokenKind::AccessToken, Ends::Grant),
        ("zoom", TokenKind::AccessToken, Ends::Token),
        ("zoho_crm", TokenKind::RefreshToken, Ends::TokenFamily),
        ("zoho_calendar", TokenKind::RefreshToken, Ends::TokenFamily),
    ];
    for (id, takes, ends) in table {
        let revocation = entry(id).revocation.clone().unwrap();
        assert_eq!((revocation.takes, revocation.ends), (takes, ends), "{id}");
    }
    for id in ["jira", "confluence", "outlook", "teams", "onedrive", "onenote", "sharepoint", "figma"] {
        assert!(entry(id).revocation.is_none(), "{id} documents no revocation");
        assert!(entry(id).unverified.iter().any(|note| note.contains("revocation")), "{id}");
    }
}

#[test]
fn every_entry_tells_what_it_did_not_verify_and_whose_account_it_is() {
    for entry in CATALOG.entries() {
        assert_eq!(entry.flow, Flow::Oauth2Code);
        assert!(entry.id.as_str() == "sandbox" || !entry.unverified.is_empty(), "{}", entry.id);
        assert!(entry.identity.is_some(), "{}", entry.id);
    }
}

#[test]
fn one_consent_to_microsoft_serves_graph_and_sharepoint_hosts() {
    let sharepoint = entry("sharepoint");
    let endpoints = sharepoint.endpoints(&[].into(), None).unwrap();
    assert_eq!(endpoints.token, "https://login.microsoftonline.com/common/oauth2/v2.0/token");
    let tenant = [("tenant".to_owned(), "contoso.onmicrosoft.com".to_owned())].into();
    assert_eq!(
        sharepoint.endpoints(&tenant, None).unwrap().token,
        "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
    );
    assert_eq!(
        sharepoint.resource_scopes("https://contoso.sharepoint.com").unwrap().to_string(),
        "https://contoso.sharepoint.com/.default offline_access"
    );
    assert!(entry("outlook").resource_scopes("https://contoso.sharepoint.com").is_err());
}

#[test]
fn slack_s_user_scopes_are_asked_for_beside_the_bot_s() {
    let slack = entry("slack");
    let query = query(&slack, &Scopes::parse("users:read user/search:read user/files:read", " "));
    assert!(query.contains(&"scope=users:read".to_owned()), "{query:?}");
    assert!(query.contains(&"user_scope=search:read,files:read".to_owned()), "{query:?}");
}
