//! The operator's word on refreshing: `/api/refreshing`.

use std::time::Duration;

use axum::http::Method;
use model::ApiKeyScope;
use serde_json::{Value, json};

use super::{force, refreshes, text, tick_for, works};
use crate::harness::{Browser, World, on_both_stores};

const PATH: &str = "/api/refreshing";

on_both_stores! {
    async fn while_it_is_held_nothing_is_refreshed_and_what_is_good_is_served(world: World) {
        world.connect().await;
        let old = text(&world.token().await);
        let order = json!({"state": "held", "reason": "the backup of Tuesday was restored"});
        let held = world.call(Method::PUT, PATH, &order).await.expect(200).json();
        assert_eq!((&held["state"], &held["reason"]), (&json!("held"), &order["reason"]));
        assert!(held["since"].is_string() && held["by"].is_string(), "{held}");
        world.pass(Duration::from_mins(56));
        tick_for(&world, Duration::from_mins(3), Duration::from_secs(20)).await;
        assert_eq!(text(&world.token().await.expect(200)), old, "near its end, and good");
        let patient = world.api("/api/connections/client-7/sandbox/token?minValidity=30m").await;
        assert_eq!(text(&patient.expect(200)), old, "less than was asked for, and good");
        world.pass(Duration::from_mins(5));
        for answer in [world.token().await, force(&world, "sandbox").await] {
            assert_eq!(answer.problem(), (503, "refreshing_held".to_owned()));
            assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
        }
        tick_for(&world, Duration::from_mins(3), Duration::from_secs(20)).await;
        assert_eq!(refreshes(&world).await, 0);
        let row = world.api("/api/connections/client-7/sandbox").await.json();
        assert_eq!(row["status"], "expired", "held is not broken");
        let on = world.call(Method::PUT, PATH, &json!({"state": "on"})).await.expect(200).json();
        let nothing = json!({"state": "on", "since": null, "reason": null, "by": null, "openCircuits": []});
        assert_eq!(on, nothing);
        assert_eq!(world.api(PATH).await.json(), nothing);
        assert!(works(&world, &text(&world.token().await.expect(200))).await);
        assert_eq!(refreshes(&world).await, 1);
        assert_eq!(world.audited("refreshing.held").await["reason"], order["reason"]);
        world.audited("refreshing.resumed").await;
    }
}

#[tokio::test]
async fn the_operators_word_is_taken_from_nobody_else_and_only_in_its_own_form() {
    let world = World::on_sqlite().await;
    let cases = [
        (json!({}), 422, "validation_failed"),
        (json!({"state": "off"}), 422, "validation_failed"),
        (json!({"state": "HELD", "reason": "x"}), 422, "validation_failed"),
        (json!({"state": "held"}), 422, "validation_failed"),
        (json!({"state": "held", "reason": ""}), 422, "validation_failed"),
        (json!({"state": "held", "reason": 7}), 422, "validation_failed"),
        (json!({"state": "held", "reason": "two\nlines"}), 422, "validation_failed"),
        (json!({"state": "held", "reason": "ü".repeat(201)}), 422, "validation_failed"),
        (json!({"state": "on", "reason": "x"}), 422, "validation_failed"),
        (json!({"state": "on", "until": "tomorrow"}), 422, "validation_failed"),
        (json!([]), 422, "validation_failed"),
    ];
    for (body, status, code) in &cases {
        let answer = world.call(Method::PUT, PATH, body).await;
        assert_eq!(answer.problem(), (*status, (*code).to_owned()), "{body}");
        assert_eq!(world.api(PATH).await.json()["state"], "on", "{body}");
    }
    let unknown = world.call(Method::PUT, PATH, &json!({"state": "on", "until": "x"})).await.json();
    assert_eq!(
        (&unknown["errors"][0]["field"], &unknown["errors"][0]["code"]),
        (&json!("until"), &json!("unknown_field"))
    );
    for method in [Method::POST, Method::DELETE] {
        assert_eq!(world.call(method, PATH, &Value::Null).await.status, 405);
    }
    let on = json!({"state": "held", "reason": "ü".repeat(200)});
    for scope in ApiKeyScope::ALL.iter().filter(|scope| **scope != ApiKeyScope::Admin) {
        let backend = world.backend_with(*scope).await;
        for answer in
            [backend.get(world.path(PATH)).await, backend.json(Method::PUT, world.path(PATH), &on).await]
        {
            assert_eq!(answer.problem(), (403, "insufficient_scope".to_owned()), "{scope}");
        }
    }
    let nobody = Browser::with_key("cvk_x");
    for answer in [nobody.get(world.path(PATH)).await, nobody.json(Method::PUT, world.path(PATH), &on).await]
    {
        assert_eq!(answer.problem(), (401, "invalid_api_key".to_owned()));
    }
    world.call(Method::PUT, PATH, &on).await.expect(200);
    let again =
        world.call(Method::PUT, PATH, &json!({"state": "held", "reason": "another"})).await.expect(200);
    assert_eq!(again.json()["reason"], on["reason"], "who held it first is told");
}
