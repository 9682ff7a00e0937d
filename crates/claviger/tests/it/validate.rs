//! Whether tokens work, as their providers tell it.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use crate::disconnect::{Own, disconnect};
use crate::harness::{Answer, Browser, World, on_both_stores};
use crate::refresh::{refreshes, text, works};

const PATH: &str = "/api/connections/client-7/sandbox/validate";

async fn post(world: &World, path: &str) -> Answer {
    world.call(Method::POST, path, &Value::Null).await
}

/// What is said of `client-7`'s connection, and with which status the provider said it.
async fn validated(world: &World, integration: &str) -> (String, Option<u64>) {
    let body =
        post(world, &format!("/api/connections/client-7/{integration}/validate")).await.expect(200).json();
    assert_eq!(body["checkedAt"], model::Clock::now(&*world.clock).to_string(), "{body}");
    (body["outcome"].as_str().unwrap().to_owned(), body["status"].as_u64())
}

fn says(outcome: &str, status: u64) -> (String, Option<u64>) {
    (outcome.to_owned(), Some(status))
}

fn says_only(outcome: &str) -> (String, Option<u64>) {
    (outcome.to_owned(), None)
}

on_both_stores! {
    async fn a_token_that_works_is_valid_and_one_that_has_expired_is_refreshed_first(world: World) {
        world.connect().await;
        assert_eq!(validated(&world, "sandbox").await, says("valid", 200));
        assert_eq!(refreshes(&world).await, 0);
        world.pass(Duration::from_hours(2));
        assert_eq!(validated(&world, "sandbox").await, says("valid", 200));
        assert_eq!(refreshes(&world).await, 1);
    }

    async fn a_token_that_the_provider_ended_is_refreshed_once_and_the_fresh_one_counts(world: World) {
        world.connect().await;
        let old = text(&world.token().await.expect(200));
        let form = [("client_id", "claviger"), ("client_secret", "sandbox-secret"), ("token", old.as_str())];
        Browser::new().form(format!("{}/oauth/revoke", world.sandbox), &form).await.expect(200);
        assert!(!works(&world, &old).await);
        assert_eq!(validated(&world, "sandbox").await, says("valid", 200));
        assert_eq!(refreshes(&world).await, 1);
        assert!(works(&world, &text(&world.token().await.expect(200))).await);
    }

    async fn a_grant_that_the_provider_ended_needs_the_person(world: World) {
        world.connect().await;
        // The sandbox lets the grant end after 30 days; we have been told of none.
        world.control(&json!({"clockOffset": 31 * 86_400})).await;
        assert_eq!(validated(&world, "sandbox").await, says_only("reconnect_required"));
        assert_eq!(refreshes(&world).await, 1);
        assert_eq!(world.api("/api/connections/client-7/sandbox").await.json()["status"], "broken");
        assert_eq!(validated(&world, "sandbox").await, says_only("reconnect_required"));
        assert_eq!(refreshes(&world).await, 1, "it is dead and not asked again");
    }

    async fn a_provider_that_is_down_says_nothing(world: World) {
        world.connect().await;
        for (kind, status) in [("500", Some(500)), ("503", Some(503)), ("redirect", Some(302)), ("reset_before", None)] {
            world.control(&json!({"fail": {"kind": kind, "endpoints": ["api"]}})).await;
            assert_eq!(validated(&world, "sandbox").await, ("unknown".to_owned(), status), "{kind}");
        }
        assert_eq!(refreshes(&world).await, 0);
        world.pass(Duration::from_hours(2));
        world.control(&json!({"fail": {"kind": "503", "times": 3}})).await;
        assert_eq!(validated(&world, "sandbox").await, says_only("unknown"), "there is no token to ask about");
        assert_eq!(world.api("/api/connections/client-7/sandbox").await.json()["status"], "expired");
    }

    async fn only_what_is_connected_can_be_validated(world: World) {
        assert_eq!(post(&world, PATH).await.problem(), (404, "connection_not_found".to_owned()));
        world.connect().await;
        disconnect(&world, "sandbox").await.expect(200);
        assert_eq!(post(&world, PATH).await.problem(), (404, "connection_not_found".to_owned()));
        let page = post(&world, "/api/connections/validate").await.expect(200).json();
        assert_eq!(page, json!({"validations": []}));
    }
}

const APP: &str = "[integrations.own]\nclient_id = \"app\"\nclient_secret = \"secret\"\n";
const VALIDATE: &str = "validate = \"{url}/me\"";
const RECIPE: &str = "[provider.validation]\nmethod = \"GET\"\n";

#[tokio::test]
async fn where_a_provider_can_not_be_asked_that_is_said() {
    let own = Own::with("own", "", "", APP).await;
    own.import("own", None).await;
    assert_eq!(validated(&own.world, "own").await, says_only("unsupported"));
    assert!(own.provider.asked().is_empty());
}

#[tokio::test]
async fn a_refused_token_that_can_not_be_renewed_is_invalid_and_nothing_is_marked() {
    let own = Own::with("own", VALIDATE, RECIPE, APP).await;
    let world = &own.world;
    let path = "/api/connections/client-7/own";
    world.call(Method::PUT, path, &json!({"accessToken": "access-1"})).await.expect(200);
    own.provider.answer(Some(401));
    assert_eq!(validated(world, "own").await, says("invalid", 401));
    let asked = own.provider.asked();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, "/me"));
    assert_eq!(asked[0].headers["authorization"], "Bearer access-1");
    assert_eq!(world.api(path).await.json()["status"], "active");
    own.provider.answer(Some(403));
    assert_eq!(validated(world, "own").await, says("unknown", 403));
}

#[tokio::test]
async fn where_the_fresh_token_is_refused_too_it_is_invalid_after_one_refresh() {
    let own = Own::with("own", VALIDATE, RECIPE, APP).await;
    own.import("own", None).await;
    own.provider.answer(Some(401));
    assert_eq!(validated(&own.world, "own").await, says("invalid", 401));
    let paths = || own.provider.asked().into_iter().map(|asked| asked.path).collect::<Vec<_>>();
    assert_eq!(paths(), ["/me", "/token", "/me"]);
    let tried = own.provider.asked().pop().unwrap();
    assert_eq!(tried.headers["authorization"], "Bearer fresh-2");
    assert_eq!(own.world.api("/api/connections/client-7/own").await.json()["status"], "active");
}

#[tokio::test]
async fn a_page_is_bounded_and_one_that_hangs_delays_only_itself() {
    let own = Own::with("own", VALIDATE, RECIPE, APP).await;
    let world = &own.world;
    own.provider.answer(None);
    for number in 0..4 {
        own.import(&format!("own?label=l{number}"), None).await;
    }
    world.connect().await;
    let began = Instant::now();
    let page = post(world, "/api/connections/validate?subject=client-7").await.expect(200).json();
    assert!(began.elapsed() < Duration::from_secs(8), "four beside each other: {:?}", began.elapsed());
    let outcomes = |page: &Value| {
        let rows = page["validations"].as_array().unwrap().clone();
        let mut found: Vec<String> = rows
            .iter()
            .map(|row| {
                format!("{} {}", row["integration"].as_str().unwrap(), row["outcome"].as_str().unwrap())
            })
            .collect();
        found.sort();
        found
    };
    assert_eq!(
        outcomes(&page),
        ["own unknown", "own unknown", "own unknown", "own unknown", "sandbox valid"]
    );
    assert!(page.get("nextCursor").is_none());

    own.provider.answer(Some(200));
    let (mut query, mut pages, mut all) = (String::new(), 0, Vec::new());
    loop {
        let page = post(world, &format!("/api/connections/validate?integration=own&limit=3{query}")).await;
        let page = page.expect(200).json();
        all.extend(outcomes(&page));
        pages += 1;
        let Some(next) = page["nextCursor"].as_str() else { break };
        query = format!("&cursor={next}");
    }
    assert_eq!((pages, all.len()), (2, 4));
    assert!(all.iter().all(|row| row == "own valid"), "{all:?}");
    let limit = post(world, "/api/connections/validate?limit=201").await;
    assert_eq!(limit.problem(), (400, "invalid_parameter".to_owned()));
    let reader = world.backend_with(model::ApiKeyScope::ConnectionsRead).await;
    let answer = reader.json(Method::POST, world.path("/api/connections/validate"), &Value::Null).await;
    assert_eq!(answer.problem(), (403, "insufficient_scope".to_owned()), "it may refresh");
}
