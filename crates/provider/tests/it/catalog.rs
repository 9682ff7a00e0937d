//! The entries that are compiled in, each as its documentation says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use claviger_provider::catalog::{
    AuthorizeRequest, Catalog, ClientAuthentication, Endpoints, EndpointsError, Entry, Meaning, Rotation,
};
use model::Scopes;
use model::pkce::Pkce;

fn entry(id: &str) -> Arc<Entry> {
    Arc::clone(Catalog::built_in().get(&id.parse().unwrap()).unwrap())
}

fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn endpoints(entry: &Entry) -> Endpoints {
    entry.endpoints(&BTreeMap::new(), None).unwrap()
}

/// The authorization request with the entry's own scopes.
fn authorize_url(entry: &Entry, endpoints: &Endpoints, login_hint: Option<&str>) -> String {
    let request = AuthorizeRequest {
        client_id: "id",
        redirect_uri: "https://claviger.example/cb",
        scopes: &entry.default_scopes,
        login_hint,
        endpoints,
    };
    entry.authorize_url(&request).into()
}

#[test]
fn github_is_as_documented() {
    let github = entry("github");
    assert_eq!((github.pkce, github.client_authentication), (Pkce::S256, ClientAuthentication::Post));
    let endpoints = endpoints(&github);
    assert_eq!(endpoints.token, "https://github.com/login/oauth/access_token");
    assert_eq!(endpoints.refresh, endpoints.token);
    assert_eq!(endpoints.userinfo.as_deref(), Some("https://api.github.com/user"));
    assert_eq!(
        endpoints.revoke.as_ref().unwrap().for_client("Iv1 /../x"),
        "https://api.github.com/applications/Iv1%20%2F..%2Fx/grant"
    );
    assert_eq!(
        authorize_url(&github, &endpoints, Some("octocat")),
        "https://github.com/login/oauth/authorize?response_type=code&client_id=id\
         &redirect_uri=https%3A%2F%2Fclaviger.example%2Fcb&scope=read%3Auser&login=octocat"
    );
    assert!(
        github.errors.iter().any(|rule| rule.error == "bad_refresh_token" && rule.means == Meaning::Dead)
    );
}

#[test]
fn google_asks_for_offline_access_every_time() {
    let google = entry("google_workspace");
    assert_eq!((google.pkce, google.refresh.rotation), (Pkce::S256, Rotation::None));
    assert_eq!(google.refresh.access_token_lifetime, Some(Duration::from_hours(1)));
    let endpoints = endpoints(&google);
    assert_eq!(endpoints.issuer.as_deref(), Some("https://accounts.google.com"));
    assert_eq!(
        authorize_url(&google, &endpoints, Some("anna@example.com")),
        "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=id\
         &redirect_uri=https%3A%2F%2Fclaviger.example%2Fcb&scope=openid+email+profile\
         &access_type=offline&prompt=consent&login_hint=anna%40example.com"
    );
}

#[test]
fn zoho_asks_with_commas_and_keeps_the_api_domain() {
    let zoho = entry("zoho_crm");
    assert_eq!((zoho.pkce, zoho.client_authentication), (Pkce::None, ClientAuthentication::Post));
    assert_eq!(zoho.token_answer.keep, ["api_domain"]);
    assert_eq!(zoho.access_header.around(), ("Zoho-oauthtoken ", ""));
    // It has no parameter for a hint, so none is sent.
    assert_eq!(
        authorize_url(&zoho, &endpoints(&zoho), Some("anna@example.com")),
        "https://accounts.zoho.com/oauth/v2/auth?response_type=code&client_id=id\
         &redirect_uri=https%3A%2F%2Fclaviger.example%2Fcb&scope=ZohoCRM.modules.ALL%2CZohoCRM.settings.ALL\
         &access_type=offline&prompt=consent"
    );
}

#[test]
fn zoho_s_location_picks_a_row_and_accounts_server_is_never_used() {
    let zoho = entry("zoho_crm");
    let evil = ("accounts-server", "https://evil.example");
    let token = |pairs: &[(&str, &str)]| {
        let region = zoho.region_from_callback(&query(pairs)).unwrap();
        zoho.endpoints(&BTreeMap::new(), region.as_ref()).unwrap().token
    };
    assert_eq!(token(&[evil]), "https://accounts.zoho.com/oauth/v2/token");
    assert_eq!(token(&[("location", "us"), evil]), "https://accounts.zoho.com/oauth/v2/token");
    assert_eq!(token(&[evil, ("location", "eu")]), "https://accounts.zoho.eu/oauth/v2/token");
    assert_eq!(token(&[("location", "ca")]), "https://accounts.zohocloud.ca/oauth/v2/token");
    assert_eq!(token(&[("location", "cn")]), "https://accounts.zoho.com.cn/oauth/v2/token");
    let eu = zoho.region("eu").unwrap();
    assert_eq!(zoho.endpoints(&BTreeMap::new(), Some(&eu)).unwrap().api_origins, ["https://www.zohoapis.eu"]);
    for unknown in ["", "ae", "EU", "https://evil.example", "eu.evil.example", "eu/"] {
        let error = zoho.region_from_callback(&query(&[("location", unknown)])).unwrap_err();
        assert!(!error.to_string().contains("evil"), "{error}");
    }
    assert!(zoho.region_from_callback(&query(&[("location", "eu"), ("location", "eu")])).is_err());
    assert_eq!(entry("github").region_from_callback(&query(&[("location", "eu")])), Ok(None));
}

#[test]
fn the_sandbox_is_where_the_parameter_says() {
    let sandbox = entry("sandbox");
    let local = parameters(&[("sandbox_url", "http://127.0.0.1:9000")]);
    let endpoints = sandbox.endpoints(&local, None).unwrap();
    assert_eq!(endpoints.authorize.as_str(), "http://127.0.0.1:9000/oauth/authorize");
    assert_eq!(endpoints.token, "http://127.0.0.1:9000/oauth/token");
    assert_eq!(endpoints.issuer.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!(endpoints.api_origins, ["http://127.0.0.1:9000"]);
    for local in ["http://[::1]:9000", "http://localhost:9000", "https://sandbox.example"] {
        assert!(sandbox.endpoints(&parameters(&[("sandbox_url", local)]), None).is_ok(), "{local}");
    }
}

#[test]
fn a_missing_and_an_unknown_parameter_are_named() {
    let sandbox = entry("sandbox");
    let missing = sandbox.endpoints(&BTreeMap::new(), None).unwrap_err();
    assert!(missing.to_string().contains("{sandbox_url}"), "{missing}");
    let unknown = entry("github").endpoints(&parameters(&[("host", "x")]), None).unwrap_err();
    assert!(
        matches!(unknown, EndpointsError::UnknownParameter { ref name, .. } if name == "host"),
        "{unknown}"
    );
    // The table of regions is fixed: a parameter can't take its place.
    let moved = parameters(&[("accounts_server", "https://evil.example")]);
    assert!(entry("zoho_crm").endpoints(&moved, None).is_err());
}

#[test]
fn a_parameter_brings_no_path_query_user_or_plain_http() {
    let sandbox = entry("sandbox");
    for value in [
        "",
        "127.0.0.1:9000",
        "http://sandbox.example",
        "https://sandbox.example/",
        "https://sandbox.example/x",
        "https://sandbox.example?x",
        "https://sandbox.example#x",
        "https://user@sandbox.example",
        "https://good.example@evil.example",
        "https://SANDBOX.example",
        "https://sandbox.example:443",
        "ftp://127.0.0.1",
        " https://sandbox.example",
        "https://sandbox.example\n",
        "javascript:alert(1)",
        "http://127.0.0.1:9000\\@evil",
        "https://evil.example/{client_id}",
    ] {
        let result = sandbox.endpoints(&parameters(&[("sandbox_url", value)]), None);
        assert!(result.is_err(), "{value:?} must be refused");
    }
}

#[test]
fn a_group_connects_its_members_and_a_loner_only_itself() {
    let catalog = Catalog::built_in();
    let zoho = "zoho".parse().unwrap();
    assert_eq!(catalog.group(&zoho).unwrap().display_name, "Zoho");
    let names = |entries: Vec<&Arc<Entry>>| entries.iter().map(|e| e.id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(catalog.members(&zoho).collect()), ["zoho_calendar", "zoho_crm"]);
    assert_eq!(names(catalog.companions(&"zoho_crm".parse().unwrap())), ["zoho_calendar", "zoho_crm"]);
    assert_eq!(names(catalog.companions(&"github".parse().unwrap())), ["github"]);
    assert!(catalog.companions(&"nobody".parse().unwrap()).is_empty());
    let groups: Vec<_> = catalog.groups().map(|group| group.id.as_str()).collect();
    assert_eq!(groups, ["atlassian", "microsoft", "zoho"]);
}

#[test]
fn without_scopes_none_are_asked_for() {
    let github = entry("github");
    let request = AuthorizeRequest {
        client_id: "id&x=1",
        redirect_uri: "https://claviger.example/cb",
        scopes: &Scopes::default(),
        login_hint: None,
        endpoints: &endpoints(&github),
    };
    let url = github.authorize_url(&request);
    let names: Vec<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["response_type", "client_id", "redirect_uri"]);
}
