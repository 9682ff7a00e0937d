//! RFC 7662, Token Introspection.

use std::time::Duration;

use axum::http::Method;
use model::{AccessTokenFormat, Actor};
use serde_json::json;

use super::rig::{Ask, EMAIL, OTHER_RESOURCE, RESOURCE, Rig, SECRET, basic, error, proof, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;

#[tokio::test]
async fn rfc7662_2_1_the_request_is_a_form_that_is_posted() {
    let rig = Rig::new().await;
    let header = basic("app", SECRET);
    let headers = [("authorization", &*header)];
    rig.send(Method::GET, "/oauth/introspect?token=x", &headers).await.expect(405);
    rig.post_with("/oauth/introspect", &headers, &[("token", "x")]).await.expect(200);
    let json = [("authorization", &*header), ("content-type", "application/json")];
    let refused = rig.raw("/oauth/introspect", &json, br#"{"token":"x"}"#.to_vec()).await.expect(400);
    assert_eq!(error(&refused), "invalid_request");
}

#[tokio::test]
async fn rfc7662_2_1_a_token_is_required() {
    let rig = Rig::new().await;
    for fields in [vec![], vec![("token", "")], vec![("token", "x"), ("token", "x")]] {
        let refused = rig.post("/oauth/introspect", &[&fields[..], &proof("app")].concat()).await.expect(400);
        assert_eq!(error(&refused), "invalid_request", "{fields:?}");
    }
}

#[tokio::test]
async fn rfc7662_2_1_a_hint_that_is_wrong_or_unknown_hides_nothing() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    for name in ["access_token", "refresh_token"] {
        for hint in ["access_token", "refresh_token", "nonsense"] {
            let fields = [("token", text(&tokens, name)), ("token_type_hint", hint)];
            let said =
                rig.post("/oauth/introspect", &[&fields[..], &proof("app")].concat()).await.expect(200);
            assert_eq!(said.json()["active"], true, "{name} as {hint}");
        }
    }
}

#[tokio::test]
async fn rfc7662_2_1_whoever_asks_has_to_be_authorized_and_2_3_hears_of_it_by_401() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("spa").await;
    let token = ("token", text(&tokens, "access_token"));
    for proofs in [
        vec![],
        vec![("client_id", "app")],
        vec![("client_id", "app"), ("client_secret", "wrong")],
        vec![("client_id", "spa")],
    ] {
        let refused = rig.post("/oauth/introspect", &[&[token], &proofs[..]].concat()).await.expect(401);
        assert_eq!(error(&refused), "invalid_client", "{proofs:?}");
        assert!(refused.header("www-authenticate").starts_with("Basic "));
    }
    // A token proves nothing here.
    let bearer = format!("Bearer {}", token.1);
    rig.post_with("/oauth/introspect", &[("authorization", &bearer)], &[token]).await.expect(401);
}

#[tokio::test]
async fn rfc7662_2_2_a_live_token_is_described() {
    let rig = Rig::new().await;
    let user = rig.world.server.app.grant.user_of_email(EMAIL).await.unwrap().id.to_string();
    rig.register("jwt", |own| own.access_token_format = AccessTokenFormat::Jwt).await;
    for client in ["app", "jwt"] {
        let now = rig.seconds();
        let tokens = rig.tokens_for(client, &Ask::of(client).with("resource", RESOURCE)).await;
        let fields = [&[("token", text(&tokens, "access_token"))], &proof(client)[..]].concat();
        let answer = rig.post("/oauth/introspect", &fields).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        let expected = json!({
            "active": true,
            "scope": "reports.read",
            "client_id": client,
            "username": EMAIL,
            "token_type": "Bearer",
            "exp": now + 3600,
            "iat": now,
            "sub": user,
            "aud": RESOURCE,
            "iss": rig.world.url,
        });
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn rfc7662_2_2_a_token_for_a_team_says_which() {
    let rig = Rig::new().await;
    rig.add_user("team@example.com", &[("team-1", "Rowan OÜ")]).await;
    let ask = Ask::of("app");
    let back = rig.agree_as(&Browser::new(), &ask, "team@example.com", Some("team-1")).await;
    let code = parameter(&back, "code").unwrap();
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    assert_eq!(rig.introspect("app", text(&tokens, "access_token")).await["team"], "team-1");
}

#[tokio::test]
async fn rfc7662_2_2_a_refresh_token_is_described_to_its_application_alone() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let token = text(&tokens, "refresh_token");
    let said = rig.introspect("app", token).await;
    assert_eq!((&said["active"], &said["client_id"]), (&true.into(), &"app".into()));
    assert!(said.get("token_type").is_none(), "it is no Bearer token: {said}");
    for other in ["other", "api"] {
        assert_eq!(rig.introspect(other, token).await, json!({"active": false}));
    }
    rig.refresh("app", token).await.expect(200);
    assert_eq!(rig.introspect("app", token).await, json!({"active": false}), "it is spent");
}

#[tokio::test]
async fn rfc7662_2_2_what_is_not_live_is_exactly_inactive_and_2_3_no_error() {
    let rig = Rig::new().await;
    let inactive = json!({"active": false});
    let tokens = rig.tokens("app").await;
    let code = rig.code(&Ask::of("app")).await;
    let long = "x".repeat(20_000);
    for token in ["x", "ä", &long, &code, &text(&tokens, "access_token").to_uppercase()] {
        assert_eq!(rig.introspect("app", token).await, inactive);
    }
    assert_eq!(rig.introspect("other", text(&tokens, "access_token")).await, inactive);
}

#[tokio::test]
async fn rfc7662_4_an_expired_or_revoked_token_is_not_active() {
    let rig = Rig::new().await;
    let grant = &rig.world.server.app.grant;
    let inactive = json!({"active": false});
    let user = grant.user_of_email(EMAIL).await.unwrap().id;
    rig.register("jwt", |own| own.access_token_format = AccessTokenFormat::Jwt).await;
    for client in ["app", "jwt"] {
        let tokens = rig.tokens(client).await;
        rig.revoke(client, text(&tokens, "access_token")).await.expect(200);
        assert_eq!(rig.introspect(client, text(&tokens, "access_token")).await, inactive, "revoked");
        let tokens = rig.tokens(client).await;
        rig.world.pass(Duration::from_hours(1));
        assert_eq!(rig.introspect(client, text(&tokens, "access_token")).await, inactive, "expired");
        let tokens = rig.tokens(client).await;
        grant.sign_out_everywhere(&user, Actor::Operator).await.unwrap();
        for name in ["access_token", "refresh_token"] {
            assert_eq!(rig.introspect(client, text(&tokens, name)).await, inactive, "signed out");
        }
    }
    let tokens = rig.tokens("app").await;
    grant.set_disabled(&user, true, Actor::Operator).await.unwrap();
    assert_eq!(rig.introspect("app", text(&tokens, "access_token")).await, inactive, "disabled");
}

#[tokio::test]
async fn rfc7662_4_a_signature_that_is_not_ours_makes_no_token() {
    let rig = Rig::new().await;
    rig.register("jwt", |own| own.access_token_format = AccessTokenFormat::Jwt).await;
    let tokens = rig.tokens("jwt").await;
    let token = text(&tokens, "access_token");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bare = format!("{signed}.");
    let changed = format!("{}.{signature}", signed.replacen('e', "f", 1));
    for forged in [&*bare, &*changed] {
        assert_eq!(rig.introspect("jwt", forged).await, json!({"active": false}), "{forged}");
    }
}

#[tokio::test]
async fn rfc7662_4_a_token_is_active_only_where_it_is_good() {
    let rig = Rig::new().await;
    // `api` serves RESOURCE, and no token that is for another or for the product itself.
    for (ask, expected) in [
        (Ask::of("app").with("resource", RESOURCE), true),
        (Ask::of("app").and("resource", OTHER_RESOURCE).and("resource", RESOURCE), true),
        (Ask::of("app").with("resource", OTHER_RESOURCE), false),
        (Ask::of("app"), false),
    ] {
        let tokens = rig.tokens_for("app", &ask).await;
        let token = text(&tokens, "access_token");
        assert_eq!(rig.is_active("api", token).await, expected, "{ask:?}");
        assert!(rig.is_active("app", token).await, "its own application may always know");
    }
    let issuer = rig.world.url.clone();
    rig.register("product", |own| own.serves = vec![issuer]).await;
    let tokens = rig.tokens("app").await;
    assert!(rig.is_active("product", text(&tokens, "access_token")).await);
}
