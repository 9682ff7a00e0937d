//! Reconnecting to another account asks first.

use std::time::Duration;

use serde_json::json;
use url::Url;

use crate::harness::browser::parameter;
use crate::harness::{Browser, World, on_both_stores};

const OTHER: &str = "bert@example.com";

async fn token(world: &World) -> String {
    world.token().await.expect(200).json()["access_token"].as_str().unwrap().to_owned()
}

async fn account(world: &World) -> String {
    let connection = world.api("/api/connections/client-7/sandbox").await.expect(200).json();
    connection["account"]["name"].as_str().unwrap().to_owned()
}

/// `client-7`, who is connected, consents once more with the account that the sandbox has now.
async fn reconnect(world: &World) -> Url {
    let browser = Browser::new();
    let callback = world.callback_url(&browser, "provider=sandbox").await;
    browser.get(callback).await.expect(303).location()
}

/// The same with another account, up to the question.
async fn question(world: &World) -> Url {
    world.connect().await;
    world.control(&json!({"account": OTHER})).await;
    let link = reconnect(world).await;
    assert!(link.path().starts_with("/connect/account/"), "{link}");
    link
}

on_both_stores! {
    async fn the_new_account_takes_over_when_the_person_says_so(world: World) {
        let link = question(&world).await;
        let (before, first) = (token(&world).await, account(&world).await);
        let browser = Browser::new();
        let page = browser.get(&link).await.expect(200);
        assert!(page.body.contains(OTHER) && page.body.contains(&first), "{}", page.body);
        assert_eq!((token(&world).await, account(&world).await), (before.clone(), first), "asking changes nothing");

        let arrived = browser.form(link.clone(), &[("account", "new")]).await.expect(303).location();
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"));
        assert_ne!(token(&world).await, before);
        assert_eq!(account(&world).await, OTHER);
        assert_eq!(world.audited("account.decided").await["reason"], "replaced");
        world.server.app.connect.revoke_due().await.unwrap();
        assert_eq!(world.calls("revoke", None).await, 1, "the old account's consent is given back");
        world.token().await.expect(200);
        // The link works once.
        assert_eq!(browser.form(link, &[("account", "old")]).await.status, 400);
        assert_eq!(account(&world).await, OTHER);
    }

    async fn the_old_account_stays_when_the_person_says_so(world: World) {
        let link = question(&world).await;
        let (before, first) = (token(&world).await, account(&world).await);
        let arrived = Browser::new().form(link.clone(), &[("account", "old")]).await.expect(303).location();
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("error"));
        assert_eq!(parameter(&arrived, "code").as_deref(), Some("account_kept"));
        assert_eq!((token(&world).await, account(&world).await), (before, first));
        assert_eq!(world.audited("account.decided").await["reason"], "kept");
        world.server.app.connect.revoke_due().await.unwrap();
        assert_eq!(world.calls("revoke", None).await, 1, "the new account's consent is given back");
        world.pass(Duration::from_hours(2));
        world.token().await.expect(200);
        assert_eq!(Browser::new().get(link).await.status, 400);
    }

    async fn a_question_that_nobody_answers_changes_nothing_and_ends(world: World) {
        let link = question(&world).await;
        let before = token(&world).await;
        let connect = &world.server.app.connect;
        assert_eq!(connect.sweep_questions().await.unwrap(), 0, "the person may still answer");
        world.pass(Duration::from_mins(30));
        assert_eq!(Browser::new().get(&link).await.status, 400);
        assert_eq!(Browser::new().form(link, &[("account", "new")]).await.status, 400);
        world.pass(Duration::from_mins(6));
        assert_eq!(connect.sweep_questions().await.unwrap(), 1);
        assert_eq!(connect.sweep_questions().await.unwrap(), 0);
        connect.revoke_due().await.unwrap();
        assert_eq!(world.calls("revoke", None).await, 1);
        assert_eq!(token(&world).await, before);
    }

    async fn of_two_answers_at_once_one_counts(world: World) {
        let link = question(&world).await;
        let before = token(&world).await;
        let (one, two) = (Browser::new(), Browser::new());
        let (new, old) = tokio::join!(
            one.form(link.clone(), &[("account", "new")]),
            two.form(link.clone(), &[("account", "old")]),
        );
        assert!((new.status == 303) != (old.status == 303), "{} and {}", new.status, old.status);
        assert_eq!(token(&world).await != before, new.status == 303);
    }

    async fn the_same_account_is_not_asked_about(world: World) {
        world.connect().await;
        let before = token(&world).await;
        assert_eq!(parameter(&reconnect(&world).await, "oauth").as_deref(), Some("success"));
        assert_ne!(token(&world).await, before);
    }

    async fn a_disconnect_ends_the_question_too(world: World) {
        let link = question(&world).await;
        world.call(axum::http::Method::DELETE, "/api/connections/client-7/sandbox", &json!({})).await.expect(200);
        assert_eq!(Browser::new().get(&link).await.status, 400);
        assert_eq!(Browser::new().form(link, &[("account", "new")]).await.status, 400);
        assert_eq!(world.token().await.problem(), (404, "connection_not_found".to_owned()));
        world.server.app.connect.revoke_due().await.unwrap();
        assert_eq!(world.calls("revoke", None).await, 2, "both consents are given back");
    }

    async fn after_a_disconnect_any_account_may_come(world: World) {
        world.connect().await;
        world.call(axum::http::Method::DELETE, "/api/connections/client-7/sandbox", &json!({})).await;
        world.control(&json!({"account": OTHER})).await;
        assert_eq!(parameter(&reconnect(&world).await, "oauth").as_deref(), Some("success"));
        assert_eq!(account(&world).await, OTHER);
    }

    async fn a_provider_that_does_not_say_who_it_is_connects_as_before(world: World) {
        world.connect().await;
        world.control(&json!({"account": OTHER, "fail": {"kind": "500", "times": 1, "endpoints": ["userinfo"]}})).await;
        assert_eq!(parameter(&reconnect(&world).await, "oauth").as_deref(), Some("success"));
        token(&world).await;
    }
}

#[tokio::test]
async fn the_page_speaks_estonian_escapes_and_refuses_what_it_did_not_send() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.control(&json!({"account": "<script>alert(1)</script>"})).await;
    let link = reconnect(&world).await;
    let page = Browser::new()
        .send(axum::http::Method::GET, link.as_str(), &[("accept-language", "et")], axum::body::Bytes::new())
        .await
        .expect(200);
    assert!(page.body.contains("Kumb konto?"), "{}", page.body);
    assert!(!page.body.contains("<script>alert"), "{}", page.body);
    for fields in
        [&[][..], &[("account", "both")], &[("account", "new"), ("account", "old")], &[("x", "new")]]
    {
        assert_eq!(Browser::new().form(link.clone(), fields).await.status, 400, "{fields:?}");
    }
    let unknown = world.path("/connect/account/0000");
    assert_eq!(Browser::new().get(unknown).await.status, 400);
    Browser::new().get(link).await.expect(200);
}
