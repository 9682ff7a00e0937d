//! Slack: the app's tokens and the person's, from one consent.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::json;

use super::{disconnected, outcomes, playing};
use crate::harness::browser::parameter;
use crate::harness::played::{app, played_on_both_stores};
use crate::harness::{Browser, World};

const BOTH: &str = "provider=slack&scopes=chat:write,user/search:read";
const OWN: &str = "slack/token";
const USER: &str = "slack/token?part=user";
const HALF_A_DAY_AND_MORE: Duration = Duration::from_hours(13);

async fn taken(world: &World, token: &str) -> bool {
    world.is_taken(Method::POST, "slack.com/api/auth.test", token).await
}

played_on_both_stores! {
    "slack", app("integrations.slack", "slack");

    async fn slack_gives_the_apps_token_and_the_persons_each_refreshed_by_itself(world: World) {
        let url = world.authorization_request(BOTH).await;
        let asked = ["scope", "user_scope"].map(|name| parameter(&url, name).unwrap());
        assert_eq!(asked, ["chat:write", "search:read"]);
        world.connect_by(BOTH).await;
        let connection = world.connection("slack").await;
        assert_eq!((&connection["scopesMissing"], &connection["status"]), (&json!([]), &json!("active")));

        let (mut own, mut user) = (world.token_at(OWN).await, world.token_at(USER).await);
        assert!(own.starts_with("xoxe.xoxb-") && user.starts_with("xoxe.xoxp-"), "{own} {user}");
        for round in 0..3 {
            assert!(taken(&world, &own).await && taken(&world, &user).await);
            world.pass(HALF_A_DAY_AND_MORE);
            let next = world.token_at(OWN).await;
            assert!(next != own && next.starts_with("xoxe.xoxb-"), "{next}");
            assert_eq!(world.refreshes("slack").await, (2 * round + 1, true), "the person's is not touched");
            own = next;
            let next = world.token_at(USER).await;
            assert!(next != user && next.starts_with("xoxe.xoxp-"), "{next}");
            assert_eq!(world.refreshes("slack").await, (2 * round + 2, true));
            user = next;
        }
        assert_eq!(world.connection("slack").await["scopesMissing"], json!([]));
        assert!(outcomes(&world, "slack", "token").await.iter().all(|outcome| outcome == "ok"));
    }

    async fn slack_disconnects_both(world: World) {
        world.connect_by(BOTH).await;
        let tokens = [world.token_at(OWN).await, world.token_at(USER).await];
        assert_eq!(disconnected(&world, "slack").await, "succeeded");
        while world.server.app.connect.revoke_due().await.unwrap() {}
        assert_eq!(outcomes(&world, "slack", "revoke").await, ["ok", "ok"]);
        for token in tokens {
            assert!(!taken(&world, &token).await);
        }
        for path in [OWN, USER] {
            assert_eq!(world.of(path).await.problem(), (404, "connection_not_found".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_part_that_nobody_gives_is_400_and_one_that_was_not_granted_404() {
    let world = playing("slack", "slack").await;
    world.connect_by("provider=slack&scopes=chat:write").await;
    let problem = async |path: &str| world.of(path).await.problem();
    assert_eq!(problem("slack/token?part=nobody").await, (400, "invalid_parameter".to_owned()));
    assert_eq!(problem("slack/token?part=").await, (400, "invalid_parameter".to_owned()));
    assert_eq!(problem(USER).await, (404, "token_not_granted".to_owned()));
    world.token_at(OWN).await;
    // A later consent brings it.
    world.connect_by(BOTH).await;
    assert!(taken(&world, &world.token_at(USER).await).await);
}

#[tokio::test]
async fn a_consent_of_the_person_alone_gives_the_persons_token() {
    let world = playing("slack", "slack").await;
    let query = "provider=slack&scopes=user/search:read";
    let url = world.authorization_request(query).await;
    assert_eq!(parameter(&url, "user_scope").as_deref(), Some("search:read"), "{url}");
    world.connect_by(query).await;
    assert_eq!(world.connection("slack").await["scopesMissing"], json!([]));
    let mut last = world.token_at(OWN).await;
    assert!(last.starts_with("xoxe.xoxp-"), "{last}");
    for round in 1..=2 {
        world.pass(HALF_A_DAY_AND_MORE);
        let next = world.token_at(OWN).await;
        assert!(next != last && taken(&world, &next).await);
        assert_eq!(world.refreshes("slack").await, (round, true));
        last = next;
    }
    assert_eq!(disconnected(&world, "slack").await, "succeeded");
    assert!(!taken(&world, &last).await);
}

#[tokio::test]
async fn when_the_persons_grant_dies_the_apps_lives_on() {
    let world = playing("slack", "slack").await;
    world.connect_by(BOTH).await;
    let user = world.token_at(USER).await;
    let url = world.at("slack.com/api/auth.revoke");
    Browser::with_key(&user).send(Method::POST, &url, &[], Bytes::new()).await.expect(200);
    world.pass(HALF_A_DAY_AND_MORE);
    assert_eq!(world.of(USER).await.problem(), (409, "reconnect_required".to_owned()));
    assert!(taken(&world, &world.token_at(OWN).await).await);
    assert_eq!(world.connection("slack").await["status"], "active");
}
