//! RFC 6750, Bearer Token Usage: our tokens, and the userinfo endpoint, which takes them.

use std::time::Duration;

use axum::http::Method;

use super::rig::{Ask, Rig, error, text};
use crate::harness::Answer;

/// Asks with this header.
async fn with(rig: &Rig, authorization: &str) -> Answer {
    rig.send(Method::GET, "/oauth/userinfo", &[("authorization", authorization)]).await
}

/// RFC 6750 §3.1: no error code for who brought no token.
fn check_bare(answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=\"") && !challenge.contains("error"), "{challenge}");
    assert!(!answer.body.contains("error"), "{answer:?}");
}

#[tokio::test]
async fn rfc6750_2_1_a_token_comes_in_the_authorization_header() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let token = text(&tokens, "access_token");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        with(&rig, &format!("{scheme} {token}")).await.expect(200);
    }
    let header = format!("Bearer {token}");
    for (method, path) in [(Method::POST, "/oauth/userinfo"), (Method::GET, "/oauth/test")] {
        rig.send(method, path, &[("authorization", &header)]).await.expect(200);
    }
}

#[tokio::test]
async fn rfc6750_2_2_a_token_in_the_body_is_none() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let fields = [("access_token", text(&tokens, "access_token"))];
    check_bare(&rig.post("/oauth/userinfo", &fields).await);
}

#[tokio::test]
async fn rfc6750_2_3_a_token_in_the_address_is_none() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let address = format!("/oauth/userinfo?access_token={}", text(&tokens, "access_token"));
    check_bare(&rig.send(Method::GET, &address, &[]).await);
    check_bare(&rig.send(Method::POST, &address, &[]).await);
}

#[tokio::test]
async fn rfc6750_3_a_refusal_has_a_challenge_in_the_characters_that_are_allowed() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    let own = rig.own_tokens("robot", &[]).await.expect(200).json();
    for (header, status) in
        [("Bearer x".to_owned(), 401), (format!("Bearer {}", text(&own, "access_token")), 403)]
    {
        let answer = with(&rig, &header).await.expect(status);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer error=\""), "{challenge}");
        assert_eq!(challenge.matches('"').count() % 2, 0, "{challenge}");
        let quoted = challenge.split('"').skip(1).step_by(2);
        for value in quoted {
            let allowed = |b: u8| matches!(b, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(!value.is_empty() && value.bytes().all(allowed), "{challenge}");
        }
    }
}

#[tokio::test]
async fn rfc6750_3_1_who_brings_no_token_is_told_no_error() {
    let rig = Rig::new().await;
    check_bare(&rig.send(Method::GET, "/oauth/userinfo", &[]).await);
    for other in ["Bearer", "Bearer ", "Basic YXBwOng=", "x"] {
        check_bare(&with(&rig, other).await);
    }
    let two = [("authorization", "Bearer x"), ("authorization", "Bearer y")];
    check_bare(&rig.send(Method::GET, "/oauth/userinfo", &two).await);
}

#[tokio::test]
async fn rfc6750_3_1_invalid_token_for_one_that_is_unknown_malformed_expired_or_revoked() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let revoked = text(&tokens, "access_token").to_owned();
    rig.revoke("app", &revoked).await.expect(200);
    let expired = text(&rig.tokens("app").await, "access_token").to_owned();
    rig.world.pass(Duration::from_hours(1));
    let long = "x".repeat(10_000);
    let refresh = text(&tokens, "refresh_token");
    for token in ["x", "a b", &long, &revoked, &expired, refresh, &revoked.to_uppercase()] {
        let answer = rig.userinfo(token).await.expect(401);
        assert!(
            answer.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""),
            "{answer:?}"
        );
        assert_eq!(error(&answer), "invalid_token", "{token}");
    }
}

#[tokio::test]
async fn rfc6750_3_1_insufficient_scope_for_a_token_that_is_nobodys() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    let own = rig.own_tokens("robot", &[]).await.expect(200).json();
    let answer = rig.userinfo(text(&own, "access_token")).await.expect(403);
    assert!(answer.header("www-authenticate").starts_with("Bearer error=\"insufficient_scope\""));
    assert_eq!(error(&answer), "insufficient_scope");
}

#[tokio::test]
async fn rfc6750_5_2_a_token_lives_an_hour_at_most_by_default_has_its_scopes_and_is_not_kept() {
    let rig = Rig::new().await;
    let tokens = rig.tokens_for("app", &Ask::of("app").with("scope", "reports.write")).await;
    assert_eq!((&tokens["expires_in"], &tokens["scope"]), (&3600.into(), &"reports.write".into()));
    let answer = rig.userinfo(text(&tokens, "access_token")).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    rig.world.pass(Duration::from_secs(3599));
    rig.userinfo(text(&tokens, "access_token")).await.expect(200);
    rig.world.pass(Duration::from_secs(1));
    rig.userinfo(text(&tokens, "access_token")).await.expect(401);
}
