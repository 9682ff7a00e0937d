//! Many grants of one provider that die at once: its fault, or a restored backup, and not the end of them all.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{refreshes, tick, tick_for};
use crate::harness::{World, on_both_stores};

const MANY: usize = 15;

/// Tokens that the sandbox never gave: it calls each of them dead.
async fn import(world: &World) {
    for number in 0..MANY {
        let refresh_token = format!("rt-{number}");
        let body =
            json!({"accessToken": "at", "refreshToken": refresh_token, "expiresAt": "2020-01-01T00:00:00Z"});
        world.call(Method::PUT, &format!("/api/connections/many-{number}/sandbox"), &body).await.expect(200);
    }
}

async fn broken(world: &World) -> usize {
    let page = world.api("/api/connections?limit=200").await.expect(200).json();
    let rows = page["connections"].as_array().or_else(|| page["items"].as_array()).unwrap().clone();
    rows.iter().filter(|row| row["status"] == "broken").count()
}

async fn circuits(world: &World) -> Value {
    world.api("/api/refreshing").await.expect(200).json()["openCircuits"].clone()
}

on_both_stores! {
    async fn a_burst_of_dead_grants_marks_nine_and_then_waits_for_the_operators_word(world: World) {
        import(&world).await;
        assert_eq!(circuits(&world).await, json!([]));
        // Those that came without any life left are due after half a minute.
        world.pass(Duration::from_mins(1));
        tick(&world).await;
        assert_eq!(broken(&world).await, 9);
        assert_eq!(circuits(&world).await, json!([{"integration": "sandbox", "cause": "dead_burst"}]));
        let asked = refreshes(&world).await;
        assert!(asked <= MANY);
        for number in 0..MANY {
            let problem = world.api(&format!("/api/connections/many-{number}/sandbox/token")).await.problem();
            assert!(problem.0 == 409 || problem == (503, "provider_unavailable".to_owned()), "{problem:?}");
        }
        tick_for(&world, Duration::from_mins(8), Duration::from_secs(30)).await;
        assert_eq!(broken(&world).await, 9, "nothing is marked");
        assert!(refreshes(&world).await <= asked + 2 * (MANY - 9), "each is asked again every five minutes, no more often");
        world.call(Method::PUT, "/api/refreshing", &json!({"state": "on"})).await.expect(200);
        assert_eq!(circuits(&world).await, json!([]));
        tick_for(&world, Duration::from_mins(6), Duration::from_secs(20)).await;
        assert_eq!(broken(&world).await, MANY, "the operator says that they are dead indeed");
    }

    async fn a_grant_that_lives_is_refreshed_during_a_burst(world: World) {
        import(&world).await;
        world.pass(Duration::from_mins(1));
        tick(&world).await;
        assert_eq!(broken(&world).await, 9);
        world.connect().await;
        let path = "/api/connections/client-7/sandbox/refresh";
        world.call(Method::POST, path, &Value::Null).await.expect(200);
        world.token().await.expect(200);
        assert_eq!(circuits(&world).await, json!([{"integration": "sandbox", "cause": "dead_burst"}]));
        assert_eq!(broken(&world).await, 9, "one that lives among many that are dead proves nothing for them");
    }
}
