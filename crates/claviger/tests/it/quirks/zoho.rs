//! Zoho: the callback names a data centre, and the person's browser brings it.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{disconnected, force, outcomes, playing};
use crate::harness::browser::parameter;
use crate::harness::{Browser, ThirdParty, World};
use crate::refresh::tick_for;

async fn zoho() -> World {
    playing("zoho_crm", "zoho").await
}

async fn hosts(world: &World, endpoint: &str) -> Vec<Value> {
    world.rows("zoho", endpoint).await.iter().map(|row| row["host"].clone()).collect()
}

#[tokio::test]
async fn a_server_that_the_callback_names_is_never_called() {
    let hostile = ThirdParty::answering(200).await;
    let world = zoho().await;
    for location in ["us", "eu"] {
        let settings = json!({"accountsServer": hostile.url, "location": location});
        world.control_app("zoho", &settings).await;
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=zoho_crm").await;
        assert_eq!(parameter(&callback, "accounts-server").as_deref(), Some(&*hostile.url));
        let arrived = browser.get(callback).await.expect(303).location();
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
        force(&world, "zoho_crm").await.expect(200);
        assert_eq!(disconnected(&world, "zoho_crm").await, "succeeded");
    }
    assert!(hostile.asked().is_empty());
    let [us, eu] = ["accounts.zoho.com", "accounts.zoho.eu"];
    assert_eq!(hosts(&world, "token").await, [us, us, eu, eu]);
}

#[tokio::test]
async fn a_location_that_is_none_or_comes_twice_is_refused_before_any_exchange() {
    let world = zoho().await;
    let hostile = ["evil", "ae", "US", "", "us%00", "..", "us.evil.example", "https://evil.example"];
    for location in hostile.map(|location| format!("location={location}")) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=zoho_crm").await;
        let callback = callback.as_str().replace("location=us", &location);
        let arrived = browser.get(&callback).await.expect(303).location();
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("error"), "{location}: {arrived}");
        // The attempt is spent.
        assert_eq!(browser.get(&callback).await.status, 400, "{location}");
    }
    for twice in ["location=us&location=us", "location=us&location=eu"] {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=zoho_crm").await;
        let callback = callback.as_str().replace("location=us", twice);
        let arrived = browser.get(callback).await.expect(303).location();
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("error"), "{twice}: {arrived}");
    }
    assert_eq!(outcomes(&world, "zoho", "token").await.len(), 0);
    assert_eq!(world.of("zoho_crm").await.problem().0, 404);
}

#[tokio::test]
async fn a_person_of_the_european_data_centre_stays_there() {
    let world = zoho().await;
    world.control_app("zoho", &json!({"location": "eu"})).await;
    world.connect_by("provider=zoho_crm").await;
    let api = "www.zohoapis.eu/crm/v8/settings/modules";
    for _ in 0..3 {
        let token = world.of("zoho_crm/token").await.expect(200).json();
        assert_eq!(token["extra"], json!({"api_domain": "https://www.zohoapis.eu"}));
        assert!(world.is_taken(Method::GET, api, token["access_token"].as_str().unwrap()).await);
        world.pass(Duration::from_hours(2));
    }
    let validated = world.post_of("zoho_crm/validate", &json!({})).await.expect(200).json();
    assert_eq!(validated["outcome"], "valid", "{validated}");
    assert_eq!(hosts(&world, "api").await.last(), Some(&json!("www.zohoapis.eu")));
    assert_eq!(disconnected(&world, "zoho_crm").await, "succeeded");
    let asked = [hosts(&world, "token").await, hosts(&world, "revoke").await].concat();
    assert!(asked.len() > 3 && asked.iter().all(|host| host == "accounts.zoho.eu"), "{asked:?}");
}

#[tokio::test]
async fn the_throttle_marks_nothing_dead() {
    let world = zoho().await;
    world.control_app("zoho", &json!({"accessTokenLimit": 1})).await;
    world.connect_by("provider=zoho_crm").await;
    force(&world, "zoho_crm").await.expect(200);
    let served = world.token_at("zoho_crm/token").await;
    // Near its end a refresh is begun beside, and throttled: what is there is served.
    world.pass(Duration::from_mins(57));
    assert_eq!(world.token_at("zoho_crm/token").await, served);
    world.server.app.connect.drain().await;
    assert_eq!(world.token_at("zoho_crm/token").await, served);
    assert_eq!(outcomes(&world, "zoho", "token").await.last(), Some(&json!("Access Denied")));

    world.pass(Duration::from_mins(30));
    let answer = world.of("zoho_crm/token").await;
    assert_eq!(answer.problem(), (503, "provider_unavailable".to_owned()));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(world.connection("zoho_crm").await["status"], "expired", "and not broken");

    world.control_app("zoho", &json!({"accessTokenLimit": null})).await;
    tick_for(&world, Duration::from_mins(2), Duration::from_secs(5)).await;
    assert_ne!(world.token_at("zoho_crm/token").await, served);
}
