//! The audit trail, as those see it who may read it.

use std::time::Duration;

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
        world.pass(Duration::from_secs(1));
        let refresh = "/api/connections/client-7/sandbox/refresh";
        world.call(Method::POST, refresh, &Value::Null).await.expect(200);
        world.pass(Duration::from_secs(1));
        world.control(&json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
        world.call(Method::POST, refresh, &Value::Null).await.expect(409);
        world.pass(Duration::from_secs(1));
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

    async fn the_trail_is_read_by_pages_and_followed(world: World) {
        world.connect().await;
        let refresh = "/api/connections/client-7/sandbox/refresh";
        for _ in 0..3 {
            world.pass(Duration::from_secs(10));
            world.call(Method::POST, refresh, &Value::Null).await.expect(200);
        }
        let reader = world.backend_with(ApiKeyScope::AuditRead).await;
        let read = async |query: &str| reader.get(world.path(&format!("/api/audit?{query}"))).await.expect(200).json();
        let all = read("limit=200").await;
        assert!(all.get("nextCursor").is_none(), "{all}");
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = read(&format!("limit=2{cursor}")).await;
            paged.extend(page["entries"].as_array().unwrap().clone());
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(&paged, all["entries"].as_array().unwrap());
        let first = &all["entries"][0];
        assert_eq!((&first["event"]["event"], first["hash"].as_str().unwrap().len()), (&json!("connection.refreshed"), 64));

        for (query, expected) in [
            ("event=connection.refreshed", 3), ("event=connection", 4), ("event=conn", 0),
            ("subject=client-7&event=connection.refreshed&limit=2", 2), ("subject=nobody", 0),
        ] {
            let found = read(query).await;
            assert_eq!(found["entries"].as_array().unwrap().len(), expected, "{query}");
        }

        // Followed: what is younger than five seconds is held back, and then told once.
        let follow = all["follow"].as_str().unwrap();
        assert_eq!(read(&format!("after={follow}")).await["entries"], json!([]));
        world.pass(Duration::from_secs(6));
        let told = read(&format!("after={follow}")).await;
        let events: Vec<_> = told["entries"].as_array().unwrap().iter().map(|e| e["event"]["event"].clone()).collect();
        assert_eq!(events, ["connection.refreshed"]);
        let follow = told["follow"].as_str().unwrap();
        world.call(Method::POST, refresh, &Value::Null).await.expect(200);
        world.pass(Duration::from_secs(6));
        let told = read(&format!("after={follow}&event=connection")).await;
        assert_eq!(told["entries"].as_array().unwrap().len(), 1, "{told}");
        let follow = told["follow"].as_str().unwrap();
        assert_eq!(read(&format!("after={follow}")).await["entries"], json!([]));

        let mine = read(&format!("after={}&subject=nobody", all["follow"].as_str().unwrap())).await;
        assert_eq!(mine["entries"], json!([]));

        for query in ["cursor=x", "after=1.2", "after=x&cursor=x", "limit=201", "who=x"] {
            let answer = reader.get(world.path(&format!("/api/audit?{query}"))).await;
            assert_eq!(answer.problem(), (400, "invalid_parameter".to_owned()), "{query}");
        }
        let foreign = world.backend_with(ApiKeyScope::ConnectionsWrite).await;
        assert_eq!(foreign.get(world.path("/api/audit")).await.problem().1, "insufficient_scope");
    }

    async fn an_entry_that_was_changed_or_removed_is_named(world: World) {
        world.connect().await;
        let verify = async || world.call(Method::POST, "/api/audit/verify", &Value::Null).await.expect(200).json();
        let whole = verify().await;
        assert_eq!((&whole["broken"], &whole["chains"]), (&json!(0), &json!(1)));
        let entries = whole["entries"].as_u64().unwrap();
        assert!(entries >= 3, "{whole}");
        world.sql("UPDATE audit SET event = replace(event, 'success', 'failure') WHERE sequence = 2").await;
        let broken = verify().await;
        assert_eq!((&broken["broken"], &broken["breaks"][0]["what"]), (&json!(1), &json!("changed")));
        assert_eq!(broken["breaks"][0]["sequence"], 2);
        world.sql("DELETE FROM audit WHERE sequence = 2").await;
        let accept = [("accept", "application/jsonl"), ("content-type", "application/json")];
        let lines = world.backend.send(Method::POST, &world.path("/api/audit/verify"), &accept, "".into()).await;
        let lines: Vec<Value> = lines.expect(200).body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let step = &lines[lines.len() - 2];
        assert_eq!((&step["step"], &step["chains"], &step["ofChains"]), (&json!("verified"), &json!(1), &json!(1)));
        let last = &lines.last().unwrap()["result"]["breaks"][0];
        assert_eq!((&last["what"], &last["sequence"]), (&json!("missing"), &json!(2)));
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
    world.pass(Duration::from_secs(1));
    world.call(Method::POST, "/api/connections/client-7/tasks/refresh", &Value::Null).await.expect(200);
    for tool in ["calendar", "mail", "tasks"] {
        let events = history(&world, &format!("{tool}/history?limit=2")).await;
        assert_eq!(events[0], "connection.refreshed", "{tool}");
        let created = events.iter().filter(|event| *event == "connection.created").count();
        assert!(created <= 1, "{tool}: {events:?}");
    }
}
