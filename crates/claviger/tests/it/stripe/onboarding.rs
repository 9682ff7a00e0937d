//! `GET` and `POST /onboard-client?token=`: links that scanners open, links that work once, and links that are none.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::harness::stripe::{stranger, stripe_on_both_stores};
use crate::harness::{Browser, World};

async fn calls(world: &World) -> usize {
    let mut calls = 0;
    for (method, endpoint) in
        [("POST", "stripe.accounts"), ("GET", "stripe.accounts"), ("POST", "stripe.account_links")]
    {
        calls += world.stripe_rows(method, endpoint).await.len();
    }
    calls
}

/// The link's token under another page's address.
fn at(world: &World, prefix: &str, link: &str) -> String {
    let token = &link[link.len() - 64..];
    world.path(&format!("{prefix}{token}"))
}

stripe_on_both_stores! {
    async fn a_scanner_that_opens_a_mailed_link_changes_nothing(world: World) {
        let link = world.mailed_stripe_link("client-7").await;
        let trail = world.audit().await.len();
        for _ in 0..20 {
            let page = Browser::new().get(&link).await.expect(200).body;
            assert!(page.contains("method=\"post\""), "{page}");
        }
        assert_eq!(calls(&world).await, 0);
        assert!(world.stripe_row("client-7").await.is_none());
        assert_eq!(world.audit().await.len(), trail);
        let sessions = world.api("/api/portal-sessions?subject=client-7").await.json();
        let session = &sessions["portalSessions"][0];
        assert_eq!((&session["status"], &session["openedAt"]), (&json!("open"), &Value::Null));
        Browser::new().form(&link, &[]).await.expect(303);
        assert_eq!(calls(&world).await, 2);
    }

    async fn a_link_that_the_product_opens_goes_on_at_once_and_works_once(world: World) {
        let link = world.stripe_link("client-7").await;
        let page = Browser::new().get(&link).await.expect(303).location();
        assert!(page.as_str().starts_with(&format!("{}/setup/e/acct_", world.sandbox)), "{page}");
        assert_eq!(stranger().get(&link).await.problem(), (400, "invalid_link".to_owned()));
        assert_eq!(stranger().form(&link, &[]).await.problem(), (400, "invalid_link".to_owned()));
        assert_eq!(calls(&world).await, 2);
        // The next link leads to the same account.
        stranger().get(world.stripe_link("client-7").await).await.expect(303);
        assert_eq!(world.at_stripe().await.len(), 1);
    }

    async fn a_program_that_asks_for_json_gets_the_address_at_once(world: World) {
        for link in [world.stripe_link("client-7").await, world.mailed_stripe_link("client-8").await] {
            let headers = [("accept", "application/json")];
            let answer = Browser::new().send(Method::GET, &link, &headers, Bytes::new()).await.expect(200);
            let url: Url = answer.json()["url"].as_str().unwrap().parse().unwrap();
            let callback = world.through_stripe(&url).await;
            stranger().get(callback).await.expect(303);
        }
        // Who has finished gets the success page's address from a link of later.
        let later = world.stripe_link("client-7").await;
        let headers = [("accept", "application/json")];
        let answer = Browser::new().send(Method::GET, &later, &headers, Bytes::new()).await.expect(200);
        assert_eq!(answer.json(), json!({"url": world.path("/onboard-client/done")}));
        assert_eq!(world.at_stripe().await.len(), 2);
    }
}

#[tokio::test]
async fn a_token_that_is_unknown_malformed_repeated_or_missing_is_400() {
    let world = World::with_stripe(None, "").await;
    let link = world.stripe_link("client-7").await;
    let token = link[link.len() - 64..].to_owned();
    for query in [
        String::new(),
        "token=".to_owned(),
        format!("token={}", "0".repeat(64)),
        format!("token={}", &token[..63]),
        format!("token={token}0"),
        format!("token={}", token.to_uppercase()),
        format!("token={token}&token={token}"),
        format!("Token={token}"),
        format!("token=\"><script>{}", "x".repeat(40)),
    ] {
        let url = world.path(&format!("/onboard-client?{}", query.replace(['"', '<', '>'], "%22")));
        for answer in [stranger().get(&url).await, stranger().form(&url, &[]).await] {
            assert_eq!(answer.problem(), (400, "invalid_link".to_owned()), "{query}");
        }
    }
    assert_eq!(calls(&world).await, 0);
    stranger().get(link).await.expect(303);
}

#[tokio::test]
async fn a_link_to_one_page_opens_no_other() {
    let world = World::with_stripe(None, "").await;
    let stripe = world.stripe_link("client-7").await;
    let body = json!({"subject": "client-7", "page": "onboarding"});
    let portal = world.call(Method::POST, "/api/portal-sessions", &body).await.expect(201).json();
    let portal = portal["url"].as_str().unwrap();
    for url in [at(&world, "/onboard-client?token=", portal), at(&world, "/portal/start/", &stripe)] {
        for answer in [stranger().get(&url).await, stranger().form(&url, &[]).await] {
            assert_eq!(answer.problem(), (400, "invalid_link".to_owned()), "{url}");
        }
    }
    assert_eq!(calls(&world).await, 0);
    stranger().get(stripe).await.expect(303);
    stranger().get(portal).await.expect(303);
}

#[tokio::test]
async fn a_link_that_is_too_old_or_was_taken_back_leads_nowhere() {
    let world = World::with_stripe(None, "").await;
    let mailed = world.mailed_stripe_link("client-7").await;
    let opened = world.invite_to_stripe("client-8", None).await;
    let withdrawn = world.invite_to_stripe("client-9", Some("anna@rowan.example")).await;
    let path = format!("/api/portal-sessions/{}", withdrawn["id"].as_str().unwrap());
    world.call(Method::DELETE, &path, &Value::Null).await.expect(200);
    let withdrawn = withdrawn["url"].as_str().unwrap();
    assert_eq!(stranger().form(withdrawn, &[]).await.problem(), (400, "invalid_link".to_owned()));
    world.pass(Duration::from_mins(5));
    let opened = opened["url"].as_str().unwrap();
    assert_eq!(stranger().get(opened).await.problem(), (400, "invalid_link".to_owned()));
    world.pass(Duration::from_hours(7 * 24));
    // A person can ask for a new mail; nothing else happens.
    for page in [Browser::new().get(&mailed).await, Browser::new().form(&mailed, &[]).await] {
        assert!(page.expect(400).body.contains("/onboard-client/again?token="));
    }
    let headers = [("accept", "application/json")];
    let program = Browser::new().send(Method::GET, &mailed, &headers, Bytes::new()).await;
    assert_eq!(program.problem(), (400, "invitation_expired".to_owned()));
    assert_eq!(calls(&world).await, 0);
}

#[tokio::test]
async fn a_new_account_is_of_the_configured_kind_and_names_the_subject() {
    let world = World::with_stripe(None, "account_type = \"express\"\ncountry = \"EE\"\n").await;
    let subject = json!({"name": "Rowan", "mail": "anna@rowan.example"});
    world.call(Method::PUT, "/api/subjects/client-7", &subject).await.expect(200);
    world.link_at_stripe("client-7").await;
    let made = &world.at_stripe().await[0];
    assert_eq!((&made["type"], &made["country"]), (&json!("express"), &json!("EE")));
    assert_eq!(
        (&made["email"], &made["metadata"]["claviger_subject"]),
        (&subject["mail"], &json!("client-7"))
    );
}
