//! RFC 7009, Token Revocation.

use axum::http::Method;
use model::AccessTokenFormat;

use super::rig::{Rig, error, proof, text};

#[tokio::test]
async fn rfc7009_2_refresh_tokens_and_access_tokens_of_any_kind_can_be_revoked() {
    let rig = Rig::new().await;
    rig.register("jwt", |own| own.access_token_format = AccessTokenFormat::Jwt).await;
    for client in ["app", "spa", "jwt"] {
        let tokens = rig.tokens(client).await;
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        rig.revoke(client, access).await.expect(200);
        rig.userinfo(access).await.expect(401);
        rig.revoke(client, refresh).await.expect(200);
        assert_eq!(error(&rig.refresh(client, refresh).await.expect(400)), "invalid_grant", "{client}");
    }
}

#[tokio::test]
async fn rfc7009_2_revocation_is_asked_for_by_post_alone() {
    let rig = Rig::new().await;
    rig.send(Method::GET, "/oauth/revoke?token=x", &[]).await.expect(405);
}

#[tokio::test]
async fn rfc7009_2_1_the_application_has_to_authenticate_first() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let token = text(&tokens, "refresh_token");
    for proofs in [vec![], vec![("client_id", "app")], vec![("client_id", "app"), ("client_secret", "wrong")]]
    {
        let refused =
            rig.post("/oauth/revoke", &[&[("token", token)], &proofs[..]].concat()).await.expect(401);
        assert_eq!(error(&refused), "invalid_client");
    }
    rig.refresh("app", token).await.expect(200);
}

#[tokio::test]
async fn rfc7009_2_1_what_was_issued_to_another_application_is_not_revoked() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    for other in ["other", "spa"] {
        for name in ["access_token", "refresh_token"] {
            rig.revoke(other, text(&tokens, name)).await;
        }
    }
    rig.userinfo(text(&tokens, "access_token")).await.expect(200);
    rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn rfc7009_2_1_a_token_is_required() {
    let rig = Rig::new().await;
    for fields in [vec![], vec![("token", "")], vec![("token", "x"), ("token", "x")]] {
        let refused = rig.post("/oauth/revoke", &[&fields[..], &proof("app")].concat()).await.expect(400);
        assert_eq!(error(&refused), "invalid_request", "{fields:?}");
    }
}

#[tokio::test]
async fn rfc7009_2_1_a_hint_that_is_wrong_or_unknown_hides_nothing() {
    let rig = Rig::new().await;
    for (name, hint) in [
        ("access_token", "refresh_token"),
        ("refresh_token", "access_token"),
        ("access_token", "nonsense"),
        ("refresh_token", "ä"),
        ("refresh_token", "refresh_token"),
    ] {
        let tokens = rig.tokens("app").await;
        let fields = [("token", text(&tokens, name)), ("token_type_hint", hint)];
        rig.post("/oauth/revoke", &[&fields[..], &proof("app")].concat()).await.expect(200);
        assert!(!rig.is_active("app", text(&tokens, name)).await, "{name} as {hint}");
    }
}

#[tokio::test]
async fn rfc7009_2_1_a_refresh_token_takes_its_access_tokens_along() {
    let rig = Rig::new().await;
    let first = rig.tokens("app").await;
    let second = rig.refresh("app", text(&first, "refresh_token")).await.expect(200).json();
    rig.revoke("app", text(&second, "refresh_token")).await.expect(200);
    for tokens in [&first, &second] {
        rig.userinfo(text(tokens, "access_token")).await.expect(401);
    }
    // Not even the answer that is kept for a while comes again.
    rig.refresh("app", text(&first, "refresh_token")).await.expect(400);
}

#[tokio::test]
async fn rfc7009_2_1_a_spent_refresh_token_ends_its_family_too() {
    let rig = Rig::new().await;
    let first = rig.tokens("app").await;
    let second = rig.refresh("app", text(&first, "refresh_token")).await.expect(200).json();
    rig.revoke("app", text(&first, "refresh_token")).await.expect(200);
    rig.refresh("app", text(&second, "refresh_token")).await.expect(400);
}

#[tokio::test]
async fn rfc7009_2_1_an_access_token_goes_alone() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    rig.revoke("app", text(&tokens, "access_token")).await.expect(200);
    rig.userinfo(text(&tokens, "access_token")).await.expect(401);
    rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn rfc7009_2_2_what_is_unknown_or_was_revoked_is_200_and_the_body_is_empty() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let long = "x".repeat(20_000);
    for token in [text(&tokens, "refresh_token"), text(&tokens, "refresh_token"), "x", "ä", &long] {
        assert_eq!(rig.revoke("app", token).await.expect(200).body, "");
    }
}

#[tokio::test]
async fn rfc7009_2_2_1_an_error_looks_like_those_of_the_token_endpoint() {
    let rig = Rig::new().await;
    let refused = rig.post("/oauth/revoke", &proof("app")).await.expect(400);
    assert_eq!(refused.header("content-type"), "application/json");
    assert_eq!(refused.header("cache-control"), "no-store");
    assert_eq!(error(&refused), "invalid_request");
    let wrong = [("token", "x"), ("client_id", "app"), ("client_secret", "wrong")];
    let refused = rig.post("/oauth/revoke", &wrong).await.expect(401);
    assert!(refused.header("www-authenticate").starts_with("Basic "));
}
