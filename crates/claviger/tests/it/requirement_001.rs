//! Requirement 001, line by line: OAuth for Zoho CRM, per client, with a one-time state of ten minutes.
//!
//! Zoho itself can't run here. Its authorization request is checked at Zoho's own address; the way back is walked at
//! the sandbox, which plays Zoho, with the facts of Zoho's own entries.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::harness::browser::parameter;
use crate::harness::played::app;
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

/// Both products of Zoho, with the instance's own app.
async fn zoho_played() -> World {
    let tools = [app("integrations.zoho_crm", "zoho"), app("integrations.zoho_calendar", "zoho")];
    World::playing(None, "zoho_crm", &tools.concat()).await
}

#[tokio::test]
async fn zoho_calendars_url_has_its_scope_offline_access_and_consent() {
    let world = World::configured(&app("integrations.zoho_calendar", "zoho-instance")).await;
    let url = provider_url(&world, "provider=zoho_calendar").await;
    assert_eq!(url.origin().ascii_serialization() + url.path(), "https://accounts.zoho.com/oauth/v2/auth");
    for (name, value) in [
        ("scope", "ZohoCalendar.calendar.ALL"),
        ("client_id", "zoho-instance"),
        ("response_type", "code"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("redirect_uri", &format!("{}/api/oauth/callback/zoho", world.url)),
    ] {
        assert_eq!(parameter(&url, name).as_deref(), Some(value), "{name} in {url}");
    }
}

#[tokio::test]
async fn zoho_calendar_takes_the_clients_own_app_first_and_without_any_it_is_400() {
    let world = World::on_sqlite().await;
    let answer = world.api("/api/oauth/authorize/client-7?provider=zoho_calendar").await;
    assert_eq!(answer.problem(), (400, "integration_not_configured".to_owned()));
    let app = |id: &str| json!({"clientId": id, "clientSecret": "s"});
    world.call(Method::PUT, "/api/integrations/zoho_calendar", &app("of-all")).await.expect(200);
    let own = "/api/subjects/client-7/integrations/zoho_calendar";
    world.call(Method::PUT, own, &app("of-client-7")).await.expect(200);
    let url = provider_url(&world, "provider=zoho_calendar").await;
    assert_eq!(parameter(&url, "client_id").as_deref(), Some("of-client-7"));
    world.call(Method::DELETE, own, &Value::Null).await;
    let url = provider_url(&world, "provider=zoho_calendar").await;
    assert_eq!(parameter(&url, "client_id").as_deref(), Some("of-all"));
}

#[tokio::test]
async fn each_product_of_zoho_is_connected_and_its_api_takes_the_token() {
    let world = zoho_played().await;
    for (tool, api, scopes) in [
        (
            "zoho_crm",
            "www.zohoapis.com/crm/v8/settings/modules",
            json!(["ZohoCRM.modules.ALL", "ZohoCRM.settings.ALL"]),
        ),
        ("zoho_calendar", "calendar.zoho.com/api/v1/calendars", json!(["ZohoCalendar.calendar.ALL"])),
    ] {
        // The label keeps them apart: with one label the second would widen the first.
        let arrived = world.consent(&format!("provider={tool}&label={tool}")).await;
        let expected =
            format!("https://app.example.com/admin/clients/client-7?oauth=success&provider={tool}");
        assert_eq!(arrived.as_str(), expected);
        let token = world.of(&format!("{tool}/token?label={tool}")).await.expect(200).json();
        assert!(world.is_taken(Method::GET, api, token["access_token"].as_str().unwrap()).await, "{tool}");
        let connection = world.connection(&format!("{tool}?label={tool}")).await;
        assert_eq!((&connection["scopesMissing"], &connection["requestedScopes"]), (&json!([]), &scopes));
        assert_eq!(connection["hasRefreshToken"], true);
    }
}

#[tokio::test]
async fn what_the_provider_adds_to_its_answer_is_kept_and_handed_out() {
    let world = zoho_played().await;
    for tool in ["zoho_crm", "zoho_calendar"] {
        world.connect_by(&format!("provider={tool}&label={tool}")).await;
        let path = format!("{tool}/token?label={tool}");
        for _ in 0..2 {
            let token = world.of(&path).await.expect(200).json();
            assert_eq!(token["extra"], json!({"api_domain": "https://www.zohoapis.com"}), "{tool}");
            // The refresh brings it again.
            world.pass(Duration::from_hours(2));
        }
    }
}
