//! What is odd at each provider, end to end: the sandbox plays them, with the facts of their built-in entries.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::played::app;

mod answers;
mod groups;
mod microsoft;
mod secrets;
mod slack;
mod zoho;

/// A server that knows one provider, with the sandbox's app.
async fn playing(id: &str, client_id: &str) -> World {
    World::playing(None, id, &app(&format!("integrations.{id}"), client_id)).await
}

/// The outcomes of the calls to an endpoint that were logged for this app.
async fn outcomes(world: &World, client_id: &str, endpoint: &str) -> Vec<Value> {
    world.rows(client_id, endpoint).await.iter().map(|row| row["outcome"].clone()).collect()
}

async fn force(world: &World, integration: &str) -> crate::harness::Answer {
    world.post_of(&format!("{integration}/refresh"), &json!({})).await
}

async fn disconnected(world: &World, integration: &str) -> Value {
    crate::disconnect::disconnect(world, integration).await.expect(200).json()["revocation"].clone()
}

#[tokio::test]
async fn a_github_apps_refresh_ends_the_access_token_before_it() {
    let world = playing("github_app", "github_app").await;
    world.connect_by("provider=github_app").await;
    let taken = async |token: &str| world.is_taken(Method::GET, "api.github.com/user", token).await;
    let old = world.token_at("github_app/token").await;
    assert!(taken(&old).await);
    force(&world, "github_app").await.expect(200);
    assert!(!taken(&old).await, "the provider has ended it");
    let new = world.token_at("github_app/token").await;
    assert!(new != old && taken(&new).await, "nobody is handed the old one");
    // A caller that still had it reports it, and gets what is there without another refresh.
    let answer = world.reject("github_app", &old).await.expect(200).json();
    assert_eq!(answer["access_token"], new);
    assert_eq!(world.refreshes("github_app").await, (1, true));
}

#[tokio::test]
async fn a_disconnect_after_the_access_tokens_end_gives_the_grant_back_all_the_same() {
    for (id, client_id, refreshes) in [("github_app", "github_app", 1), ("zoom", "zoom", 1)] {
        let world = playing(id, client_id).await;
        world.connect_by(&format!("provider={id}")).await;
        world.control_app(client_id, &json!({"clockOffset": 9 * 3600})).await;
        world.pass(std::time::Duration::from_hours(9));
        assert_eq!(disconnected(&world, id).await, "succeeded", "{id}");
        assert_eq!(world.refreshes(client_id).await, (refreshes, true), "{id}");
        assert_eq!(world.rows(client_id, "revoke").await.len(), 1, "{id}");
    }
    // A provider that does not answer keeps nobody connected.
    let world = playing("zoom", "zoom").await;
    world.connect_by("provider=zoom").await;
    world.pass(std::time::Duration::from_hours(9));
    world
        .control_app("zoom", &json!({"fail": {"kind": "500", "times": 20, "endpoints": ["token", "revoke"]}}))
        .await;
    assert_eq!(disconnected(&world, "zoom").await, "pending");
}

#[tokio::test]
async fn at_google_an_unticked_scope_is_missing_and_its_other_names_are_not() {
    let world = playing("google_workspace", "google").await;
    let missing = async |granted: Value| {
        world.control_app("google", &json!({ "grantedScopes": granted })).await;
        world.connect_by("provider=google_workspace").await;
        world.connection("google_workspace").await["scopesMissing"].clone()
    };
    assert_eq!(missing(json!(["openid", "email"])).await, json!(["profile"]));
    world.control_app("google", &json!({ "grantedScopes": null })).await;
    let long = "https://www.googleapis.com/auth/userinfo.email";
    world.connect_by(&format!("provider=google_workspace&scopes=openid,{long}")).await;
    assert_eq!(world.connection("google_workspace").await["scopesMissing"], json!([]));
}

#[tokio::test]
async fn google_keeps_its_refresh_token_when_a_refresh_brings_none() {
    let world = playing("google_workspace", "google").await;
    world.connect_by("provider=google_workspace").await;
    for round in 1..=3 {
        force(&world, "google_workspace").await.expect(200);
        assert_eq!(world.refreshes("google").await, (round, true));
        assert_eq!(world.connection("google_workspace").await["hasRefreshToken"], true);
    }
}

#[tokio::test]
async fn zoom_authenticates_in_the_header_and_never_presents_a_refresh_token_twice() {
    let world = playing("zoom", "zoom").await;
    // The sandbox takes nothing but the header there.
    world.connect_by("provider=zoom").await;
    for round in 1..=3 {
        force(&world, "zoom").await.expect(200);
        assert_eq!(world.refreshes("zoom").await, (round, true));
    }
    assert!(outcomes(&world, "zoom", "token").await.iter().all(|outcome| outcome == "ok"));
}

#[tokio::test]
async fn figma_refreshes_at_an_address_of_its_own() {
    let entry = provider::catalog::Catalog::built_in();
    let entry = entry.get(&"figma".parse().unwrap()).unwrap();
    let endpoints = entry.endpoints(&std::collections::BTreeMap::new(), None).unwrap();
    assert_ne!(endpoints.token, endpoints.refresh);
    // Where codes are exchanged the sandbox refuses refresh tokens, and the other way round.
    let world = playing("figma", "figma").await;
    world.connect_by("provider=figma").await;
    force(&world, "figma").await.expect(200);
    assert_eq!(outcomes(&world, "figma", "token").await, ["ok", "ok"]);
}
