//! The audit trail, as those see it who may read it.

use axum::http::Method;
use model::ApiKeyScope;
use serde_json::{Value, json};

use crate::groups::{CONFIGURED, connect, suite};
use crate::harness::{World, on_both_stores};

/// The names of a connection's events, newest first.
async fn history(world: &World, path: &str) -> Vec<String> {
    let body = world.api(&format!("/api/connections/client-7/{path}")).await.expect(200).json();
    let events = body["events"].as_array().unwrap();
    events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

on_both_stores! {
    async fn a_connection_tells_its_history_newest_first_and_no_token(world: World) {
        world.connect().await;
        world.pass(std::time::Duration::from_secs(1));
        let refresh = "/api/connections/client-7/sandbox/refresh";
        world.call(Method::POST, refresh, &Value::Null).await.expect(200);
        world.pass(std::time::Duration::from_secs(1));
        world.control(&json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
        world.call(Method::POST, refresh, &Value::Null).await.expect(409);
        world.pass(std::time::Duration::from_secs(1));
        world.call(Method::DELETE, "/api/connections/client-7/sandbox", &Value::Null).await.expect(200);

        let expected = ["connection.disconnected", "connection.broken", "connection.refreshed", "connection.created"];
        let all = history(&world, "sandbox/history").await;
        let own: Vec<_> = all.iter().filter(|event| event.starts_with("connection.")).collect();
        assert_eq!(own, expected, "{all:?}");
        assert_eq!(history(&world, "sandbox/history?limit=2").await, all[..2]);

        let reader = world.backend_with(ApiKeyScope::ConnectionsRead).await;
        let answer = reader.get(world.path("/api/connections/client-7/sandbox/history")).await.expect(200);
        let broken = answer.json()["events"].as_array().unwrap().iter()
            .find(|event| event["event"] == "connection.broken").cloned().unwrap();
        assert_eq!((&broken["outcome"], &broken["actor"]), (&json!("failure"), &json!("system")));
        assert_eq!(broken["reason"], "grant_revoked");
        assert_eq!(broken["facts"]["trigger"], "forced", "{broken}");

        let foreign = world.backend_with(ApiKeyScope::PortalWrite).await;
        let answer = foreign.get(world.path("/api/connections/client-7/sandbox/history")).await;
        assert_eq!(answer.problem(), (403, "insufficient_scope".to_owned()));
        for (path, problem) in [
            ("sandbox/history?limit=0", (400, "invalid_parameter")),
            ("sandbox/history?limit=201", (400, "invalid_parameter")),
            ("sandbox/history?label=work", (404, "connection_not_found")),
            ("github/history", (404, "connection_not_found")),
        ] {
            let answer = world.api(&format!("/api/connections/client-7/{path}")).await;
            assert_eq!(answer.problem(), (problem.0, problem.1.to_owned()), "{path}");
        }
    }

    async fn two_accounts_at_one_integration_have_histories_of_their_own(world: World) {
        world.connect().await;
        let tokens = json!({"refreshToken": "not-one-that-works"});
        world.call(Method::PUT, "/api/connections/client-7/sandbox?label=work", &tokens).await.expect(200);
        world.call(Method::POST, "/api/connections/client-7/sandbox/refresh?label=work", &Value::Null).await.expect(409);
        let mut work = history(&world, "sandbox/history?label=work").await;
        work.retain(|event| event.starts_with("connection."));
        assert_eq!(work, ["connection.broken", "connection.imported"]);
        let mut default = history(&world, "sandbox/history").await;
        default.retain(|event| event.starts_with("connection."));
        assert_eq!(default, ["connection.created"]);
    }
}

#[tokio::test]
async fn a_member_of_a_group_tells_of_the_refreshes_of_the_common_consent() {
    let world = World::knowing(None, &suite(), CONFIGURED).await;
    connect(&world, "group=suite").await;
    world.pass(std::time::Duration::from_secs(1));
    world.call(Method::POST, "/api/connections/client-7/tasks/refresh", &Value::Null).await.expect(200);
    for tool in ["calendar", "mail", "tasks"] {
        let events = history(&world, &format!("{tool}/history?limit=2")).await;
        assert_eq!(events[0], "connection.refreshed", "{tool}");
        let created = events.iter().filter(|event| *event == "connection.created").count();
        assert!(created <= 1, "{tool}: {events:?}");
    }
}
