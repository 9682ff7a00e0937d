//! The table of the token endpoint, row by row, at a provider that misbehaves on command.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Browser, World, on_both_stores};

async fn refreshes(world: &World) -> usize {
    world.calls("token", Some("refresh_token")).await
}

/// Waits, by joining it, until no refresh is under way.
async fn settle(world: &World) {
    world.server.app.connect.drain().await;
}

on_both_stores! {
    async fn a_token_that_is_good_is_handed_out_at_once(world: World) {
        world.connect().await;
        let token = world.token().await.expect(200);
        assert_eq!(token.header("cache-control"), "no-store");
        let body = token.json();
        assert_eq!(body["token_type"], "Bearer");
        assert!(body["expires_at"].as_str().unwrap().ends_with('Z'));
        assert!(body["scope"].as_str().unwrap().contains("profile"));
        let me = Browser::with_key(body["access_token"].as_str().unwrap()).get(format!("{}/api/me", world.sandbox)).await;
        me.expect(200);
        assert_eq!(refreshes(&world).await, 0);
    }

    async fn near_its_end_it_is_handed_out_at_once_and_refreshed_beside(world: World) {
        world.connect().await;
        let old = world.token().await.json()["access_token"].clone();
        world.pass(Duration::from_mins(54));
        assert_eq!(world.token().await.json()["access_token"], old, "6 minutes left: nothing is due");
        settle(&world).await;
        assert_eq!(refreshes(&world).await, 0);
        world.pass(Duration::from_mins(2));
        assert_eq!(world.token().await.expect(200).json()["access_token"], old, "4 minutes left: served first");
        settle(&world).await;
        assert_eq!(refreshes(&world).await, 1);
        assert_ne!(world.token().await.json()["access_token"], old);
    }

    async fn an_expired_token_is_refreshed_once_for_all_who_wait(world: World) {
        world.connect().await;
        let old = world.token().await.json()["access_token"].clone();
        world.pass(Duration::from_hours(2));
        world.control(&json!({"latency": 300})).await;
        let world = Arc::new(world);
        let mut callers = JoinSet::new();
        for _ in 0..20 {
            let world = world.clone();
            callers.spawn(async move { world.token().await.expect(200).json()["access_token"].clone() });
        }
        let tokens = callers.join_all().await;
        assert!(tokens.iter().all(|token| *token == tokens[0] && *token != old), "{tokens:?}");
        assert_eq!(refreshes(&world).await, 1);
    }

    async fn a_dead_grant_is_told_and_never_asked_again(world: World) {
        world.connect().await;
        // The sandbox lets the grant end after 30 days.
        world.control(&json!({"clockOffset": 31 * 86_400})).await;
        world.pass(Duration::from_hours(2));
        let answer = world.token().await;
        assert_eq!(answer.problem(), (409, "reconnect_required".to_owned()));
        assert_eq!((answer.json()["reason"].as_str(), answer.json()["action"].as_str()), (Some("grant_revoked"), Some("reconnect")));
        assert_eq!(answer.json()["reconnect"], "/api/oauth/authorize/client-7?provider=sandbox");
        let asked = refreshes(&world).await;
        assert_eq!(world.token().await.problem().0, 409);
        assert_eq!(refreshes(&world).await, asked);
        let row = world.api("/api/connections/client-7/sandbox").await.json();
        assert_eq!((row["status"].as_str(), row["reason"].as_str()), (Some("broken"), Some("grant_revoked")));
        world.audited("connection.broken").await;
        // Connecting again repairs it.
        world.connect().await;
        world.token().await.expect(200);
    }
}

#[tokio::test]
async fn a_provider_that_is_down_withholds_no_token_that_is_still_good() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.pass(Duration::from_mins(57));
    world.control(&json!({"fail": {"kind": "500", "times": 1000}})).await;
    for _ in 0..10 {
        world.token().await.expect(200);
        settle(&world).await;
    }
    let calls = refreshes(&world).await;
    assert_eq!(
        calls, 2,
        "a strict provider that answered gets one replay; then reads leave it alone for a while"
    );
    world.api("/api/connections/client-7/sandbox/token?minValidity=10m").await.expect(200);
    world.pass(Duration::from_mins(4));
    let answer = world.token().await;
    assert_eq!(answer.problem(), (503, "provider_unavailable".to_owned()));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    world.control(&json!({"fail": null})).await;
    after_rest(&world).await;
    world.token().await.expect(200);
}

/// Lets as much time pass as the answer asks for.
async fn after_rest(world: &World) {
    let answer = world.token().await;
    assert_eq!(answer.status, 503, "it rests after a failure: {answer:?}");
    world.pass(Duration::from_secs(answer.header("retry-after").parse().unwrap()));
    // An open circuit wants to be closed first.
    world.server.app.connect.probe_circuits();
    settle(world).await;
}

#[tokio::test]
async fn whatever_the_provider_answers_to_a_refresh_the_connection_survives_it() {
    let world = World::on_sqlite().await;
    world.connect().await;
    for (kind, calls) in [("500", 2), ("503", 3), ("garbage", 2), ("huge", 2), ("hang", 2), ("redirect", 2)] {
        world.pass(Duration::from_hours(2));
        world.control(&json!({"fail": {"kind": kind, "times": calls}, "rotation": "none"})).await;
        let asked = refreshes(&world).await;
        let answer = world.token().await;
        assert_eq!(answer.problem(), (503, "provider_unavailable".to_owned()), "{kind}");
        assert_eq!(refreshes(&world).await - asked, calls, "{kind}");
        let row = world.api("/api/connections/client-7/sandbox").await.json();
        assert!(row["lastError"].is_string(), "{kind}: {row}");
        after_rest(&world).await;
        world.token().await.expect(200);
    }
}

#[tokio::test]
async fn our_own_misconfiguration_breaks_no_connection() {
    let world = World::on_sqlite().await;
    let own = json!({"clientId": "claviger", "clientSecret": "sandbox-secret"});
    world.call(Method::PUT, "/api/subjects/client-7/integrations/sandbox", &own).await.expect(200);
    world.connect().await;
    world.pass(Duration::from_hours(2));
    let wrong = json!({"clientId": "claviger", "clientSecret": "wrong"});
    world.call(Method::PUT, "/api/subjects/client-7/integrations/sandbox", &wrong).await.expect(200);
    assert_eq!(world.token().await.problem(), (502, "provider_configuration".to_owned()));
    let other = json!({"clientId": "another", "clientSecret": "sandbox-secret"});
    world.call(Method::PUT, "/api/subjects/client-7/integrations/sandbox", &other).await.expect(200);
    assert_eq!(world.token().await.problem(), (502, "provider_configuration".to_owned()));
    world.call(Method::PUT, "/api/subjects/client-7/integrations/sandbox", &own).await.expect(200);
    world.token().await.expect(200);
}

#[tokio::test]
async fn a_rejected_token_is_refreshed_once_and_the_next_one_is_handed_out() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let old = world.token().await.json()["access_token"].as_str().unwrap().to_owned();
    let hash = data_encoding::HEXLOWER.encode(vault::TokenHash::of(&old).as_bytes());
    let path = "/api/connections/client-7/sandbox/token";
    let first = world.call(Method::POST, path, &json!({"rejected": hash})).await.expect(200).json();
    assert_ne!(first["access_token"], old.as_str());
    for _ in 0..3 {
        let again = world.call(Method::POST, path, &json!({"rejected": hash})).await.expect(200).json();
        assert_eq!(again["access_token"], first["access_token"], "it was replaced already");
    }
    assert_eq!(refreshes(&world).await, 1);
    let bad = world.call(Method::POST, path, &json!({"rejected": "x"})).await;
    assert_eq!(bad.problem(), (422, "validation_failed".to_owned()));
}

#[tokio::test]
async fn a_minimum_that_no_token_can_reach_does_not_refresh_at_every_read() {
    let world = World::on_sqlite().await;
    world.connect().await;
    for _ in 0..5 {
        world.api("/api/connections/client-7/sandbox/token?minValidity=24h").await.expect(200);
    }
    assert!(refreshes(&world).await <= 1);
    world.pass(Duration::from_mins(30));
    world.api("/api/connections/client-7/sandbox/token?minValidity=45m").await.expect(200);
    let asked = refreshes(&world).await;
    world.api("/api/connections/client-7/sandbox/token?minValidity=45m").await.expect(200);
    assert_eq!(refreshes(&world).await, asked, "the fresh one is good for 45 minutes");
}

#[tokio::test]
async fn a_caller_who_does_not_wait_is_told_to_come_again_and_the_refresh_goes_on() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.pass(Duration::from_hours(2));
    world.control(&json!({"latency": 500})).await;
    let answer = world.api("/api/connections/client-7/sandbox/token?wait=0s").await;
    assert_eq!(answer.problem(), (503, "provider_unavailable".to_owned()));
    settle(&world).await;
    world.control(&json!({"latency": 0})).await;
    world.token().await.expect(200);
    assert_eq!(refreshes(&world).await, 1);
}

#[tokio::test]
async fn a_token_of_unknown_lifetime_is_good_until_it_is_reported() {
    let world = World::on_sqlite().await;
    world.control(&json!({"expiresIn": "missing"})).await;
    world.connect().await;
    assert_eq!(world.token().await.json()["expires_at"], Value::Null);
    world.pass(Duration::from_hours(24 * 300));
    world.token().await.expect(200);
    assert_eq!(refreshes(&world).await, 0);
}

#[tokio::test]
async fn a_refresh_without_a_new_refresh_token_keeps_the_old_one() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.control(&json!({"rotation": "none", "omitRefreshToken": true})).await;
    for _ in 0..3 {
        world.pass(Duration::from_hours(2));
        world.token().await.expect(200);
    }
    assert_eq!(refreshes(&world).await, 3);
    assert_eq!(world.api("/api/connections/client-7/sandbox").await.json()["hasRefreshToken"], true);
}

#[tokio::test]
async fn forcing_a_refresh_that_is_impossible_breaks_nothing() {
    let world = World::on_sqlite().await;
    let body = json!({"accessToken": "only-this"});
    world.call(Method::PUT, "/api/connections/client-7/sandbox", &body).await.expect(200);
    let forced = world.call(Method::POST, "/api/connections/client-7/sandbox/refresh", &Value::Null).await;
    assert_eq!(forced.problem(), (409, "no_refresh_token".to_owned()));
    assert_eq!(world.token().await.expect(200).json()["access_token"], "only-this");
}

#[tokio::test]
async fn a_provider_that_gives_the_rejected_token_again_is_asked_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let answer = move || async move {
        counter.fetch_add(1, Ordering::SeqCst);
        (
            [("content-type", "application/json")],
            r#"{"access_token": "always-the-same", "token_type": "Bearer"}"#,
        )
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    let parameters = format!("parameters = {{ sandbox_url = \"http://{host}\" }}");
    let lines = format!(
        "[integrations.stubborn]\nprovider = \"sandbox\"\nclient_id = \"x\"\nclient_secret = \"y\"\n{parameters}\n"
    );
    let world = World::reaching(&[&host], &lines).await;
    let body = json!({"accessToken": "always-the-same", "refreshToken": "r"});
    world.call(Method::PUT, "/api/connections/client-7/stubborn", &body).await.expect(200);
    let rejected = data_encoding::HEXLOWER.encode(vault::TokenHash::of("always-the-same").as_bytes());
    for _ in 0..5 {
        let path = "/api/connections/client-7/stubborn/token";
        world.call(Method::POST, path, &json!({"rejected": rejected})).await.expect(200);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_of_four_minutes_is_not_expiring_from_the_first() {
    let world = World::on_sqlite().await;
    world.control(&json!({"accessTokenTtl": 240})).await;
    world.connect().await;
    let status = async || world.api("/api/connections/client-7/sandbox").await.json()["status"].clone();
    assert_eq!(status().await, "active");
    world.pass(Duration::from_secs(200));
    assert_eq!(status().await, "expiring");
    world.pass(Duration::from_mins(1));
    assert_eq!(status().await, "expired");
}

#[tokio::test]
async fn without_a_refresh_token_the_end_is_the_end() {
    let world = World::on_sqlite().await;
    let body = json!({"accessToken": "only-this", "expiresAt": "2000-01-01T00:00:00Z"});
    world.call(Method::PUT, "/api/connections/client-7/sandbox", &body).await.expect(200);
    let answer = world.token().await;
    assert_eq!(
        (answer.problem(), answer.json()["reason"].as_str()),
        ((409, "reconnect_required".to_owned()), Some("no_refresh_token"))
    );
}
