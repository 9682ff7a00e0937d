//! However many callers: one refresh. And what happens to the connection meanwhile is not lost to it.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use model::Clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{force, metric, refreshes, settle, text, until_called, works};
use crate::harness::{World, on_both_stores};

const TOKEN: &str = "/api/connections/client-7/sandbox/token";

on_both_stores! {
    async fn a_hundred_readers_of_an_expired_token_cost_one_call_and_get_one_token(world: World) {
        world.connect().await;
        let old = text(&world.token().await);
        world.pass(Duration::from_hours(2));
        world.control(&json!({"latency": 800})).await;
        let world = Arc::new(world);
        let mut readers = JoinSet::new();
        for _ in 0..100 {
            let world = world.clone();
            readers.spawn(async move { text(&world.token().await.expect(200)) });
        }
        let tokens = readers.join_all().await;
        assert!(tokens.iter().all(|token| *token == tokens[0] && *token != old), "{tokens:?}");
        assert_eq!(refreshes(&world).await, 1);
    }

    async fn metadata_that_is_written_during_a_refresh_survives_it_and_so_do_the_tokens(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&json!({"latency": 600})).await;
        let patch = json!({"metadata": {"plan": "gold"}});
        let before = world.api("/api/connections/client-7/sandbox").await.json();
        let (token, patched) = tokio::join!(world.token(), async {
            until_called(&world, 1).await;
            world.call(Method::PATCH, "/api/connections/client-7/sandbox", &patch).await
        });
        assert_eq!(patched.expect(200).json()["refreshedAt"], before["refreshedAt"], "it came before the tokens");
        let token = text(&token.expect(200));
        assert!(works(&world, &token).await);
        let after = world.api("/api/connections/client-7/sandbox").await.json();
        assert_eq!(after["metadata"], patch["metadata"]);
        assert_ne!(after["refreshedAt"], before["refreshedAt"]);
        assert_eq!(text(&world.token().await.expect(200)), token);
    }

    async fn a_disconnect_during_a_refresh_counts_at_once_and_the_late_answer_revives_nothing(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&json!({"latency": 800})).await;
        let (read, ()) = tokio::join!(world.token(), async {
            until_called(&world, 1).await;
            world.control(&json!({"latency": 0})).await;
            world.call(Method::DELETE, "/api/connections/client-7/sandbox", &Value::Null).await.expect(200);
            assert_eq!(metric(&world, "claviger_refreshes_in_flight").await, 1, "the answer is still to come");
            assert_eq!(world.token().await.problem(), (404, "connection_not_found".to_owned()));
        });
        assert_eq!(read.problem(), (404, "connection_not_found".to_owned()), "nobody gets what came too late");
        settle(&world).await;
        assert_eq!(world.token().await.problem().0, 404);
        let row = world.api("/api/connections/client-7/sandbox").await.json();
        assert_eq!((row["status"].as_str(), row["hasRefreshToken"].as_bool()), (Some("disconnected"), Some(false)));
    }

    async fn a_new_consent_during_a_refresh_keeps_its_own_tokens(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&json!({"latency": 1500})).await;
        let (read, new) = tokio::join!(world.token(), async {
            until_called(&world, 1).await;
            world.control(&json!({"latency": 0})).await;
            world.connect().await;
            text(&world.token().await.expect(200))
        });
        settle(&world).await;
        assert_eq!(text(&read.expect(200)), new, "who waited for the old consent gets the new one's token");
        assert_eq!(text(&world.token().await.expect(200)), new);
        assert!(works(&world, &new).await);
        assert_eq!(refreshes(&world).await, 1);
        // The refresh token, too, is the new consent's: a spent one would end it.
        world.pass(Duration::from_hours(2));
        let next = text(&world.token().await.expect(200));
        assert!(next != new && works(&world, &next).await);
    }

    async fn a_caller_who_hangs_up_cancels_nothing(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&json!({"latency": 500})).await;
        tokio::select! {
            _ = world.token() => panic!("it was answered too soon"),
            () = until_called(&world, 1) => {}
        }
        settle(&world).await;
        world.control(&json!({"latency": 0})).await;
        world.token().await.expect(200);
        assert_eq!(refreshes(&world).await, 1);
    }
}

/// Requirement 004 wants one instance of the token service. Here it is one flight, whoever asks.
#[tokio::test]
async fn every_way_to_ask_joins_the_same_flight() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let old = text(&world.token().await);
    let rejected = data_encoding::HEXLOWER.encode(vault::TokenHash::of(&old).as_bytes());
    world.pass(Duration::from_hours(2));
    world.control(&json!({"latency": 800})).await;
    let patient = format!("{TOKEN}?minValidity=10m");
    let rejecting = json!({"rejected": rejected});
    let (background, read, valid, reported, forced) = tokio::join!(
        world.server.app.connect.refresh_due(),
        world.api(TOKEN),
        world.api(&patient),
        world.call(Method::POST, TOKEN, &rejecting),
        force(&world, "sandbox"),
    );
    background.unwrap();
    forced.expect(200);
    settle(&world).await;
    let now = text(&world.token().await);
    assert_ne!(now, old);
    for answer in [read, valid, reported] {
        assert_eq!(text(&answer.expect(200)), now);
    }
    assert_eq!(refreshes(&world).await, 1);
}

/// Ten-minute tokens, read all the time: the best-known system of this kind refreshes them at every read.
#[tokio::test]
async fn a_ten_minute_token_that_is_read_all_the_time_is_refreshed_once_in_its_life() {
    let world = World::on_sqlite().await;
    world.control(&json!({"accessTokenTtl": 600})).await;
    world.connect().await;
    // A fifth of the lifetime before its end, so every eight minutes.
    for second in (0..3600).step_by(20) {
        world.token().await.expect(200);
        settle(&world).await;
        assert_eq!(refreshes(&world).await, second / 480, "after {second} s");
        world.pass(Duration::from_secs(20));
    }
}

#[tokio::test]
async fn with_the_background_too_a_ten_minute_token_is_refreshed_once_in_its_life() {
    let world = World::on_sqlite().await;
    world.control(&json!({"accessTokenTtl": 600})).await;
    world.connect().await;
    let (mut lives, mut born) = (vec![], world.clock.now());
    let mut token = text(&world.token().await);
    for _ in 0..300 {
        world.pass(Duration::from_secs(12));
        super::tick(&world).await;
        let now = text(&world.token().await.expect(200));
        settle(&world).await;
        if now != token {
            lives.push(world.clock.now().since(born).as_secs());
            (token, born) = (now, world.clock.now());
        }
    }
    assert_eq!(refreshes(&world).await, lives.len());
    assert!(lives.len() >= 7 && lives.iter().all(|life| (400..=492).contains(life)), "{lives:?}");
}
