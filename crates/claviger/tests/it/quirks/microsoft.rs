//! Microsoft: `SharePoint`'s own API takes tokens of its own, from the consent's one refresh token.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use super::disconnected;
use crate::harness::World;
use crate::harness::played::{app, played_on_both_stores};

const GRAPH: &str = "sharepoint/token";
const CONTOSO: &str = "sharepoint/token?resource=https://contoso.sharepoint.com";

async fn taken_by(world: &World, token: &str) -> [bool; 3] {
    let takes = async |path: &str| world.is_taken(Method::GET, path, token).await;
    [
        takes("graph.microsoft.com/oidc/userinfo").await,
        takes("contoso.sharepoint.com/_api/web").await,
        takes("fabrikam.sharepoint.com/_api/web").await,
    ]
}

played_on_both_stores! {
    "sharepoint", app("integrations.sharepoint", "microsoft");

    async fn each_resource_has_a_token_of_its_own_kept_and_refreshed(world: World) {
        world.connect_by("provider=sharepoint").await;
        let graph = world.token_at(GRAPH).await;
        assert_eq!(taken_by(&world, &graph).await, [true, false, false]);
        let contoso = world.token_at(CONTOSO).await;
        assert_eq!(taken_by(&world, &contoso).await, [false, true, false]);
        let fabrikam = world.token_at("sharepoint/token?resource=https://fabrikam.sharepoint.com").await;
        assert_eq!(taken_by(&world, &fabrikam).await, [false, false, true]);
        assert_eq!(world.refreshes("microsoft").await.0, 2, "one for each");

        assert_eq!([world.token_at(CONTOSO).await, world.token_at(GRAPH).await], [contoso.clone(), graph]);
        assert_eq!(world.refreshes("microsoft").await.0, 2, "they are kept");

        world.pass(Duration::from_hours(2));
        let next = world.token_at(CONTOSO).await;
        assert_ne!(next, contoso);
        assert_eq!(taken_by(&world, &next).await, [false, true, false]);
        assert_eq!(taken_by(&world, &world.token_at(GRAPH).await).await, [true, false, false]);
        assert_eq!(world.refreshes("microsoft").await.0, 4);
        assert_eq!(world.connection("sharepoint").await["scopesMissing"], json!([]));

        assert_eq!(disconnected(&world, "sharepoint").await, "unsupported");
        assert_eq!(world.of(CONTOSO).await.problem(), (404, "connection_not_found".to_owned()));
    }

    async fn a_resource_that_is_not_sharepoints_is_400_and_nobody_is_called(world: World) {
        world.connect_by("provider=sharepoint").await;
        let long = format!("https://{}.sharepoint.com", "a".repeat(300));
        for resource in [
            "", "contoso.sharepoint.com", "http://contoso.sharepoint.com", "https://sharepoint.com",
            "https://.sharepoint.com", "https://contoso.sharepoint.com.evil", "https://sharepoint.com.evil",
            "https://evilsharepoint.com", "https://contoso.sharepoint.com:443", "https://contoso.sharepoint.com:8443",
            "https://contoso.sharepoint.com/", "https://contoso.sharepoint.com/sites/a", "https://Contoso.sharepoint.com",
            "https://contoso.SharePoint.com", "https://contoso.sharepoint.com%3Fa", "https://contoso.sharepoint.com%23a",
            "https://user@contoso.sharepoint.com", "https://evil.example%5C.sharepoint.com",
            "https://evil.example%2F.sharepoint.com", "https://evil%20x.sharepoint.com", "https://evil%0A.sharepoint.com",
            "https://graph.microsoft.com", "https://graph.microsoft.com%20https://contoso.sharepoint.com",
            "https://127.0.0.1", &long,
        ] {
            let answer = world.of(&format!("sharepoint/token?resource={resource}")).await;
            assert_eq!(answer.problem(), (400, "invalid_parameter".to_owned()), "{resource}");
        }
        let both = world.of(&format!("{CONTOSO}&part=user")).await;
        assert_eq!(both.problem(), (400, "invalid_parameter".to_owned()));
        assert_eq!(world.refreshes("microsoft").await.0, 0);
        world.token_at(GRAPH).await;
    }

    async fn a_dead_grant_is_told_for_every_resource(world: World) {
        world.connect_by("provider=sharepoint").await;
        world.token_at(CONTOSO).await;
        world.control_app("microsoft", &json!({"clockOffset": 100 * 86_400})).await;
        world.pass(Duration::from_hours(2));
        for path in [CONTOSO, GRAPH, "sharepoint/token?resource=https://fabrikam.sharepoint.com"] {
            assert_eq!(world.of(path).await.problem(), (409, "reconnect_required".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_tool_without_resources_gives_none() {
    let world = super::playing("outlook", "microsoft").await;
    world.connect_by("provider=outlook").await;
    let answer = world.of("outlook/token?resource=https://contoso.sharepoint.com").await;
    assert_eq!(answer.problem(), (400, "invalid_parameter".to_owned()));
    assert_eq!(world.refreshes("microsoft").await.0, 0);
}

#[tokio::test]
async fn a_resource_is_the_members_own_whoever_of_the_group_the_consent_came_through() {
    let world = World::playing(None, "sharepoint", &app("groups.microsoft", "microsoft")).await;
    world.connect_by("group=microsoft").await;
    let contoso = world.token_at(CONTOSO).await;
    assert_eq!(taken_by(&world, &contoso).await, [false, true, false]);
    let outlook = world.of("outlook/token?resource=https://contoso.sharepoint.com").await;
    assert!(outlook.status == 200 || outlook.status == 400, "{outlook:?}");
    world.pass(Duration::from_hours(2));
    assert_ne!(world.token_at(CONTOSO).await, contoso);
}

#[tokio::test]
async fn what_the_provider_refuses_for_a_resource_says_nothing_of_the_app() {
    let world = super::playing("sharepoint", "microsoft").await;
    world.connect_by("provider=sharepoint").await;
    let fail = json!({"fail": {"kind": "invalid_client", "times": 5, "endpoints": ["token"]}});
    world.control_app("microsoft", &fail).await;
    assert_ne!(world.of(CONTOSO).await.status, 200);
    world.control_app("microsoft", &json!({"fail": null})).await;
    super::force(&world, "sharepoint").await.expect(200);
}

#[tokio::test]
async fn one_consent_has_tokens_for_so_many_resources_and_no_more() {
    let world = super::playing("sharepoint", "microsoft").await;
    world.connect_by("provider=sharepoint").await;
    for number in 0..20 {
        world.token_at(&format!("sharepoint/token?resource=https://site-{number}.sharepoint.com")).await;
    }
    let answer = world.of("sharepoint/token?resource=https://site-20.sharepoint.com").await;
    assert_eq!(answer.problem(), (400, "invalid_parameter".to_owned()));
    world.token_at("sharepoint/token?resource=https://site-0.sharepoint.com").await;
}
