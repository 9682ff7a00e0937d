//! Atlassian: one refresh token for all of its products, with a leeway, and death told with 403.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use super::force;
use crate::harness::World;
use crate::harness::played::{app, played_on_both_stores};

const TOOLS: [&str; 2] = ["jira", "confluence"];

async fn tokens(world: &World) -> [String; 2] {
    [world.token_at("jira/token").await, world.token_at("confluence/token").await]
}

played_on_both_stores! {
    "jira", app("groups.atlassian", "atlassian");

    async fn jira_and_then_confluence_share_one_refresh_token(world: World) {
        world.connect_by("provider=jira").await;
        force(&world, "jira").await.expect(200);
        world.connect_by("provider=confluence").await;
        let [first, second] = tokens(&world).await;
        assert_eq!(first, second);
        for (round, tool) in TOOLS.into_iter().cycle().take(4).enumerate() {
            world.pass(Duration::from_hours(2));
            world.token_at(&format!("{tool}/token")).await;
            let [one, other] = tokens(&world).await;
            assert_eq!(one, other);
            assert!(world.is_taken(Method::GET, "api.atlassian.com/me", &one).await);
            assert_eq!(world.refreshes("atlassian").await, (round + 2, true), "one for both");
        }
    }

    async fn a_403_tells_that_the_grant_is_dead_for_both(world: World) {
        world.connect_by("group=atlassian").await;
        world.control_app("atlassian", &json!({"clockOffset": 100 * 86_400})).await;
        world.pass(Duration::from_hours(2));
        for tool in TOOLS {
            let answer = world.of(&format!("{tool}/token")).await;
            assert_eq!(answer.problem(), (409, "reconnect_required".to_owned()), "{tool}");
            assert_eq!(world.connection(tool).await["status"], "broken", "{tool}");
        }
        let rows = world.rows("atlassian", "token").await;
        let last = rows.last().unwrap();
        assert_eq!((&last["status"], &last["outcome"]), (&json!(403), &json!("invalid_grant")));
        assert_eq!(world.refreshes("atlassian").await.0, 1, "it is asked once");
    }

    async fn an_answer_that_was_lost_is_asked_for_again_within_the_leeway(world: World) {
        world.connect_by("group=atlassian").await;
        world.control_app("atlassian", &json!({"fail": {"kind": "reset_after", "times": 1}})).await;
        world.pass(Duration::from_hours(2));
        let [one, other] = tokens(&world).await;
        assert_eq!(one, other);
        assert!(world.is_taken(Method::GET, "api.atlassian.com/me", &one).await);
        assert_eq!(world.refreshes("atlassian").await, (2, false), "with the same refresh token, as it may");
    }
}
