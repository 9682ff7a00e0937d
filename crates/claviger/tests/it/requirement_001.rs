//! Requirement 001, line by line: OAuth for Zoho CRM, per client, with a one-time state of ten minutes.
//!
//! Zoho itself can't run here. Its authorization request is checked at Zoho's own address; the way back is walked at
//! the sandbox under Zoho's entry name, by an entry file of the operator.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::harness::browser::parameter;
use crate::harness::{Browser, World, on_both_stores};

const ZOHO: &str = "[integrations.zoho_crm]\nclient_id = \"zoho-instance\"\nclient_secret = \"zoho-secret\"\n[connect]\ndefault_provider = \"zoho_crm\"\n";

async fn provider_url(world: &World, query: &str) -> Url {
    let link = world.auth_url(query).await;
    Browser::new().get(link).await.expect(303).location()
}

#[tokio::test]
async fn authorize_answers_with_json_and_no_redirect() {
    let world = World::configured(ZOHO).await;
    let answer = world.api("/api/oauth/authorize/smart-tax-nation").await.expect(200);
    assert!(answer.json()["authUrl"].as_str().unwrap().starts_with(&world.url));
}

#[tokio::test]
async fn the_zoho_url_has_the_scopes_offline_access_and_consent() {
    let world = World::configured(ZOHO).await;
    let url = provider_url(&world, "provider=zoho_crm").await;
    assert_eq!(url.origin().ascii_serialization() + url.path(), "https://accounts.zoho.com/oauth/v2/auth");
    let expected = [
        ("scope", "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL"),
        ("client_id", "zoho-instance"),
        ("response_type", "code"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("redirect_uri", &format!("{}/api/oauth/callback/zoho", world.url)),
    ];
    for (name, value) in expected {
        assert_eq!(parameter(&url, name).as_deref(), Some(value), "{name} in {url}");
    }
    let state = parameter(&url, "state").unwrap();
    assert!(state.len() == 64 && state.bytes().all(|b| b.is_ascii_hexdigit()), "{state}");
}

#[tokio::test]
async fn zoho_crm_is_meant_when_no_provider_is_named() {
    let world = World::configured(ZOHO).await;
    assert_eq!(provider_url(&world, "").await.host_str(), Some("accounts.zoho.com"));
}

#[tokio::test]
async fn the_clients_own_app_credentials_come_before_the_instances() {
    let world = World::configured(ZOHO).await;
    let own = json!({"clientId": "zoho-of-client-7", "clientSecret": "s"});
    world.call(Method::PUT, "/api/subjects/client-7/integrations/zoho_crm", &own).await.expect(200);
    let url = provider_url(&world, "provider=zoho_crm").await;
    assert_eq!(parameter(&url, "client_id").as_deref(), Some("zoho-of-client-7"));
}

#[tokio::test]
async fn missing_app_credentials_are_400() {
    let world = World::on_sqlite().await;
    let answer = world.api("/api/oauth/authorize/client-7?provider=zoho_crm").await;
    assert_eq!(answer.problem(), (400, "integration_not_configured".to_owned()));
}

#[tokio::test]
async fn an_unknown_client_is_404_where_clients_must_exist() {
    let world = World::configured(&format!("{ZOHO}[subjects]\nmust_exist = true\n")).await;
    let answer = world.api("/api/oauth/authorize/nobody?provider=zoho_crm").await;
    assert_eq!(answer.problem(), (404, "subject_not_found".to_owned()));
}

#[tokio::test]
async fn authorize_and_status_without_authentication_are_401() {
    let world = World::configured(ZOHO).await;
    for path in ["/api/oauth/authorize/smart-tax-nation", "/api/oauth/status/smart-tax-nation"] {
        assert_eq!(Browser::with_key("none").get(world.path(path)).await.problem().0, 401, "{path}");
    }
}

on_both_stores! {
    async fn the_callback_exchanges_the_code_and_the_tokens_are_stored(world: World) {
        world.connect().await;
        assert_eq!(world.calls("token", Some("authorization_code")).await, 1);
        world.token().await.expect(200);
    }

    async fn the_callback_goes_to_the_frontend_with_success(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        let arrived = browser.get(callback).await.expect(303).location();
        assert_eq!(arrived.as_str(), "https://app.example.com/admin/clients/client-7?oauth=success&provider=sandbox");
    }

    async fn an_exchange_error_goes_to_the_frontend_with_error(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        world.control(&json!({"fail": {"kind": "500", "times": 1}})).await;
        let arrived = browser.get(callback).await.expect(303).location();
        assert!(arrived.as_str().starts_with("https://app.example.com/admin/clients/client-7?oauth=error"), "{arrived}");
    }

    async fn an_error_of_the_provider_is_400_with_its_description(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        let state = parameter(&callback, "state").unwrap();
        let url = format!("/api/oauth/callback?error=server_error&error_description=it+broke&state={state}");
        assert!(browser.get(world.path(&url)).await.expect(400).body.contains("it broke"));
    }

    async fn an_unknown_state_is_400(world: World) {
        let url = world.path(&format!("/api/oauth/callback?code=x&state={}", "0".repeat(64)));
        assert_eq!(Browser::with_key("none").get(url).await.problem(), (400, "invalid_state".to_owned()));
    }

    async fn a_state_older_than_ten_minutes_is_400(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        world.pass(Duration::from_mins(10));
        assert!(browser.get(callback).await.expect(400).body.contains("expired_state"));
    }

    async fn a_state_just_within_ten_minutes_is_taken(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        world.pass(Duration::from_secs(599));
        assert_eq!(parameter(&browser.get(callback).await.location(), "oauth").as_deref(), Some("success"));
    }

    async fn a_state_is_used_once(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        browser.get(&callback).await.expect(303);
        browser.get(&callback).await.expect(400);
        assert_eq!(world.calls("token", None).await, 1);
    }

    async fn status_has_a_row_for_every_provider_connected_or_not(world: World) {
        world.call(Method::PUT, "/api/integrations/zoho_crm", &json!({"clientId": "z", "clientSecret": "s"})).await.expect(200);
        world.connect().await;
        let rows = world.api("/api/oauth/status/client-7").await.expect(200).json();
        let rows = rows["tokens"].as_array().unwrap().clone();
        let row = |provider: &str| rows.iter().find(|row| row["provider"] == provider).unwrap().clone();
        let connected = row("sandbox");
        assert_eq!((connected["hasToken"].as_bool(), connected["status"].as_str()), (Some(true), Some("active")));
        assert!(connected["tokenExpiry"].is_string() && connected["updatedAt"].is_string());
        assert_eq!(connected["account"]["name"], "anna@example.com");
        let missing = row("zoho_crm");
        assert_eq!((missing["hasToken"].as_bool(), &missing["tokenExpiry"]), (Some(false), &Value::Null));
        let one = world.api("/api/oauth/status/client-7?provider=zoho_crm").await.json();
        assert_eq!(one["tokens"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_the_provider_adds_to_its_answer_is_kept_and_handed_out() {
    let zoho = provider_that_answers(r#"{"access_token": "1000.abc", "refresh_token": "1000.def", "expires_in": 3600,
        "api_domain": "https://www.zohoapis.eu", "token_type": "Bearer", "scope": "ZohoCRM.modules.ALL ZohoCRM.settings.ALL"}"#).await;
    let host = zoho.trim_start_matches("http://").to_owned();
    let folder = tempfile::tempdir().unwrap();
    // Zoho's own entry, at an address where it can be reached.
    let entry = include_str!("../../../provider/catalog/zoho.toml").replace(
        "us = { accounts_server = \"https://accounts.zoho.com\"",
        &format!("us = {{ accounts_server = \"{zoho}\""),
    );
    std::fs::write(folder.path().join("zoho.toml"), entry).unwrap();
    let lines = format!("[catalog]\ndirectory = \"{}\"\n{ZOHO}", folder.path().display());
    let world = World::reaching(&[&host], &lines).await;
    let browser = Browser::new();
    let provider = browser.get(world.auth_url("provider=zoho_crm").await).await.expect(303).location();
    let state = parameter(&provider, "state").unwrap();
    let query = format!("code=1000.xyz&state={state}&location=us&accounts-server=https%3A%2F%2Fevil.example");
    let arrived =
        browser.get(world.path(&format!("/api/oauth/callback/zoho?{query}"))).await.expect(303).location();
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
    let token = world.api("/api/connections/client-7/zoho_crm/token").await.expect(200).json();
    assert_eq!(token["access_token"], "1000.abc");
    assert_eq!(token["extra"], json!({"api_domain": "https://www.zohoapis.eu"}));
}

/// A token endpoint that gives everybody the same answer.
async fn provider_that_answers(body: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move || async move { ([("content-type", "application/json")], body) };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    url
}
