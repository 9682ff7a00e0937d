//! RFC 9126, Pushed Authorization Requests.

use std::time::Duration;

use axum::http::Method;
use model::{Actor, ApplicationSettings, RedirectUri};
use serde_json::Value;

use super::rig::{Ask, CHALLENGE, Rig, SECRET, basic, error, proof, text};
use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser};

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// What an application pushes.
async fn push_as(rig: &Rig, client: &str, ask: &Ask) -> Answer {
    let ask = ask.clone().without("client_id");
    rig.post("/oauth/par", &[&ask.pairs()[..], &proof(client)].concat()).await
}

async fn push(rig: &Rig, client: &str) -> Value {
    push_as(rig, client, &Ask::of(client)).await.expect(201).json()
}

/// What the browser brings then.
fn named(client: &str, pushed: &Value) -> Ask {
    Ask::nothing().with("client_id", client).with("request_uri", text(pushed, "request_uri"))
}

/// Whether such a request is known; else the person is told so.
async fn is_known(rig: &Rig, ask: &Ask) -> bool {
    let answer = rig.authorize(&Browser::new(), ask).await;
    if answer.status == 303 {
        return true;
    }
    assert!(answer.status == 400 && answer.body.contains("pushed_request_over"), "{answer:?}");
    assert!(answer.headers.get("location").is_none());
    false
}

#[tokio::test]
async fn rfc9126_1_a_pushed_request_becomes_tokens_like_any_other() {
    let rig = Rig::new().await;
    for client in ["app", "spa"] {
        let pushed = push(&rig, client).await;
        let back = rig.agree(&Browser::new(), &named(client, &pushed)).await;
        assert_eq!(parameter(&back, "state").as_deref(), Some("some state & more"));
        let code = parameter(&back, "code").unwrap();
        let tokens = rig.redeem(client, &code).await.expect(200).json();
        assert_eq!(text(&tokens, "scope"), "reports.read");
    }
}

#[tokio::test]
async fn rfc9126_2_a_request_is_a_form_that_is_posted() {
    let rig = Rig::new().await;
    rig.send(Method::GET, "/oauth/par", &[]).await.expect(405);
    let header = basic("app", SECRET);
    let json = [("authorization", &*header), ("content-type", "application/json")];
    rig.raw("/oauth/par", &json, b"{}".to_vec()).await.expect(400);
    let pairs = Ask::of("app");
    rig.post_with("/oauth/par", &[("authorization", &header)], &pairs.pairs()).await.expect(201);
}

#[tokio::test]
async fn rfc9126_2_1_the_application_is_authenticated_as_at_the_token_endpoint() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").without("client_id");
    for proofs in [
        vec![],
        vec![("client_id", "app")],
        vec![("client_id", "app"), ("client_secret", "wrong")],
        vec![("client_id", "nobody"), ("client_secret", SECRET)],
    ] {
        let refused = rig.post("/oauth/par", &[&ask.pairs()[..], &proofs].concat()).await.expect(401);
        assert_eq!(error(&refused), "invalid_client", "{proofs:?}");
    }
    let header = basic("app", SECRET);
    let other = ask.with("client_id", "other");
    let refused =
        rig.post_with("/oauth/par", &[("authorization", &header)], &other.pairs()).await.expect(400);
    assert_eq!(error(&refused), "invalid_request");
}

#[tokio::test]
async fn rfc9126_2_1_a_request_uri_can_not_be_pushed() {
    let rig = Rig::new().await;
    let pushed = push(&rig, "app").await;
    for uri in [text(&pushed, "request_uri"), "https://app.example.com/request.jwt"] {
        let refused = push_as(&rig, "app", &Ask::of("app").with("request_uri", uri)).await.expect(400);
        assert_eq!(error(&refused), "invalid_request");
    }
    assert!(is_known(&rig, &named("app", &pushed)).await, "it is not used up by that");
}

#[tokio::test]
async fn rfc9126_2_1_a_request_is_validated_as_at_the_authorization_endpoint() {
    let rig = Rig::new().await;
    for (ask, expected) in [
        (Ask::of("app").without("response_type"), "invalid_request"),
        (Ask::of("app").with("response_type", "token"), "unsupported_response_type"),
        (Ask::of("app").with("redirect_uri", "https://evil.example/"), "invalid_request"),
        (Ask::of("app").without("redirect_uri"), "invalid_request"),
        (Ask::of("app").with("scope", "unknown"), "invalid_scope"),
        (Ask::of("app").with("resource", "https://evil.example/"), "invalid_target"),
        (Ask::of("app").without("code_challenge"), "invalid_request"),
        (Ask::of("app").with("code_challenge_method", "plain"), "invalid_request"),
        (Ask::of("app").and("state", "another"), "invalid_request"),
        (Ask::of("app").with("prompt", "none login"), "invalid_request"),
        (Ask::of("app").with("request", "e30.e30."), "request_not_supported"),
    ] {
        let refused = push_as(&rig, "app", &ask).await.expect(400);
        assert_eq!(error(&refused), expected, "{ask:?}");
        assert!(refused.headers.get("location").is_none());
    }
}

#[tokio::test]
async fn rfc9126_2_2_the_answer_names_the_request_and_says_how_long_it_is_kept() {
    let rig = Rig::new().await;
    let answer = push_as(&rig, "app", &Ask::of("app")).await.expect(201);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.header("cache-control").contains("no-store"));
    let pushed = answer.json();
    assert!((5..=600).contains(&pushed["expires_in"].as_u64().unwrap()), "{pushed}");
    let name = text(&pushed, "request_uri").strip_prefix(PREFIX).unwrap();
    assert!(name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    assert_ne!(push(&rig, "app").await["request_uri"], pushed["request_uri"]);
}

#[tokio::test]
async fn rfc9126_2_2_a_request_is_bound_to_the_application_that_pushed_it() {
    let rig = Rig::new().await;
    let pushed = push(&rig, "app").await;
    for other in ["other", "spa"] {
        assert!(!is_known(&rig, &named(other, &pushed)).await, "{other}");
    }
    let nameless = named("app", &pushed).without("client_id");
    rig.authorize(&Browser::new(), &nameless).await.expect(400);
    assert!(is_known(&rig, &named("app", &pushed)).await, "nobody else has used it up");
}

#[tokio::test]
async fn rfc9126_2_3_an_error_looks_like_those_of_the_token_endpoint() {
    let rig = Rig::new().await;
    let refused = push_as(&rig, "app", &Ask::of("app").with("scope", "unknown")).await.expect(400);
    assert_eq!(refused.header("content-type"), "application/json");
    assert_eq!(refused.header("cache-control"), "no-store");
    assert!(refused.json()["error_description"].is_string());
    let long = Ask::of("app").with("unknown", &"x".repeat(70_000));
    push_as(&rig, "app", &long).await.expect(413);
    let wrong = [("client_id", "app"), ("client_secret", "wrong")];
    for _ in 0..10 {
        rig.post("/oauth/par", &wrong).await.expect(401);
    }
    let limited = rig.post("/oauth/par", &wrong).await.expect(429);
    assert!(limited.header("retry-after").parse::<u64>().is_ok());
}

/// Anybody can push in the name of an application that can't prove who it is.
#[tokio::test]
async fn rfc9126_2_1_who_proves_nothing_pushes_as_often_as_a_browser_may_arrive() {
    let rig = Rig::with_more("[grant.limits]\nauthorize = \"3 per 10s\"\n").await;
    for _ in 0..3 {
        push_as(&rig, "spa", &Ask::of("spa")).await.expect(201);
    }
    push_as(&rig, "spa", &Ask::of("spa")).await.expect(429);
    push_as(&rig, "app", &Ask::of("app")).await.expect(201);
}

#[tokio::test]
async fn rfc9126_3_request_objects_are_refused_and_the_metadata_says_so() {
    let rig = Rig::new().await;
    let refused = push_as(&rig, "app", &Ask::of("app").with("request", "e30.e30.")).await.expect(400);
    assert_eq!(error(&refused), "request_not_supported");
    assert_eq!(rig.metadata().await["request_parameter_supported"], false);
}

#[tokio::test]
async fn rfc9126_4_what_was_pushed_counts_and_nothing_that_the_browser_adds() {
    let rig = Rig::new().await;
    let pushed = push(&rig, "app").await;
    let ask = named("app", &pushed)
        .with("redirect_uri", "https://evil.example/")
        .with("scope", "reports.write")
        .with("state", "another")
        .with("code_challenge", CHALLENGE)
        .with("response_type", "token");
    let back = rig.agree(&Browser::new(), &ask).await;
    assert!(back.as_str().starts_with("https://app.example.com/callback?code="), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("some state & more"));
    let tokens = rig.redeem("app", &parameter(&back, "code").unwrap()).await.expect(200).json();
    assert_eq!(text(&tokens, "scope"), "reports.read");
}

#[tokio::test]
async fn rfc9126_4_a_request_uri_works_once() {
    let rig = Rig::new().await;
    let pushed = push(&rig, "app").await;
    assert!(is_known(&rig, &named("app", &pushed)).await);
    assert!(!is_known(&rig, &named("app", &pushed)).await);
}

#[tokio::test]
async fn rfc9126_4_an_expired_or_unknown_request_uri_is_refused() {
    let rig = Rig::new().await;
    let pushed = push(&rig, "app").await;
    rig.world.pass(Duration::from_secs(pushed["expires_in"].as_u64().unwrap() - 1));
    let late = push(&rig, "app").await;
    assert!(is_known(&rig, &named("app", &pushed)).await);
    rig.world.pass(Duration::from_secs(late["expires_in"].as_u64().unwrap()));
    assert!(!is_known(&rig, &named("app", &late)).await);
    let unknown =
        Ask::nothing().with("client_id", "app").with("request_uri", &format!("{PREFIX}{}", "0".repeat(64)));
    assert!(!is_known(&rig, &unknown).await);
}

#[tokio::test]
async fn rfc9126_4_a_redirect_uri_that_was_taken_back_meanwhile_gets_no_answer() {
    let rig = Rig::new().await;
    rig.register("second", |_| {}).await;
    let pushed = push(&rig, "second").await;
    let elsewhere: RedirectUri = "https://app.example.com/elsewhere".parse().unwrap();
    let id = "second".parse().unwrap();
    let change = |own: &mut ApplicationSettings| own.redirect_uris = vec![elsewhere.clone()];
    rig.world.server.app.grant.change(&id, change, Actor::Operator).await.unwrap();
    assert!(!is_known(&rig, &named("second", &pushed)).await);
}

#[tokio::test]
async fn rfc9126_5_the_metadata_names_the_endpoint_and_that_it_is_not_the_only_way() {
    let rig = Rig::new().await;
    let metadata = rig.metadata().await;
    assert_eq!(metadata["pushed_authorization_request_endpoint"], rig.path("/oauth/par"));
    assert_eq!(metadata["require_pushed_authorization_requests"], false);
}
