//! Core §5.3: the userinfo endpoint.

use axum::http::Method;
use model::{AccessTokenFormat, Actor};
use serde_json::json;

use super::{id_claims, openid};
use crate::grant::rig::{Ask, EMAIL, RESOURCE, Rig, error, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;

#[tokio::test]
async fn oidc_core_5_3_get_and_post_are_both_taken() {
    let rig = Rig::new().await;
    let tokens = rig.tokens_for("app", &openid()).await;
    let header = format!("Bearer {}", text(&tokens, "access_token"));
    for method in [Method::GET, Method::POST] {
        rig.send(method, "/oauth/userinfo", &[("authorization", &header)]).await.expect(200);
    }
}

#[tokio::test]
async fn oidc_core_5_3_scripts_of_other_origins_may_ask() {
    let rig = Rig::new().await;
    let tokens = rig.tokens_for("app", &openid()).await;
    let header = format!("Bearer {}", text(&tokens, "access_token"));
    let headers = [("authorization", &*header), ("origin", "https://spa.example")];
    let answer = rig.send(Method::GET, "/oauth/userinfo", &headers).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn oidc_core_5_3_2_the_answer_is_json_and_its_subject_is_that_of_the_id_token() {
    let rig = Rig::new().await;
    rig.register("jwt", |own| own.access_token_format = AccessTokenFormat::Jwt).await;
    for client in ["app", "jwt"] {
        let tokens = rig.tokens_for(client, &Ask::of(client).with("scope", "openid profile email")).await;
        let answer = rig.userinfo(text(&tokens, "access_token")).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["sub"], id_claims(&rig, &tokens).await["sub"], "{client}");
    }
}

#[tokio::test]
async fn oidc_core_5_3_2_what_was_not_granted_is_left_out_and_never_null() {
    let rig = Rig::new().await;
    let user = rig.world.server.app.grant.user_of_email(EMAIL).await.unwrap().id.to_string();
    for (scope, expected) in [
        ("openid", json!({"sub": user})),
        ("openid email", json!({"sub": user, "email": EMAIL})),
        ("openid profile", json!({"sub": user, "id": user, "name": "Anna Tamm"})),
    ] {
        let tokens = rig.tokens_for("app", &openid().with("scope", scope)).await;
        assert_eq!(rig.userinfo(text(&tokens, "access_token")).await.expect(200).json(), expected, "{scope}");
    }
}

#[tokio::test]
async fn oidc_core_5_3_2_who_acts_for_a_team_says_so() {
    let rig = Rig::new().await;
    rig.add_user("team@example.com", &[("team-1", "Rowan OÜ"), ("team-2", "Tamm")]).await;
    for scope in ["openid profile", "reports.read"] {
        let ask = openid().with("scope", scope);
        let back = rig.agree_as(&Browser::new(), &ask, "team@example.com", Some("team-2")).await;
        let tokens = rig.redeem("app", &parameter(&back, "code").unwrap()).await.expect(200).json();
        let told = rig.userinfo(text(&tokens, "access_token")).await.expect(200).json();
        assert_eq!(told["id"], "team-2");
        assert_eq!(told["team"], json!({"id": "team-2", "name": "Tamm"}));
    }
}

#[tokio::test]
async fn oidc_core_5_3_3_an_error_is_that_of_rfc_6750() {
    let rig = Rig::new().await;
    let answer = rig.userinfo("x").await.expect(401);
    assert!(answer.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""));
    assert_eq!(error(&answer), "invalid_token");
}

#[tokio::test]
async fn oidc_core_5_3_a_token_for_an_api_asks_about_the_person_only_when_openid_was_agreed_to() {
    let rig = Rig::new().await;
    for (scope, status) in [("reports.read", 401), ("openid reports.read", 200)] {
        let ask = openid().with("scope", scope).with("resource", RESOURCE);
        let tokens = rig.tokens_for("app", &ask).await;
        rig.userinfo(text(&tokens, "access_token")).await.expect(status);
    }
}

#[tokio::test]
async fn oidc_core_5_3_of_who_is_gone_nothing_is_told() {
    let rig = Rig::new().await;
    let tokens = rig.tokens_for("app", &openid()).await;
    let grant = &rig.world.server.app.grant;
    let user = grant.user_of_email(EMAIL).await.unwrap().id;
    grant.remove_user(&user, Actor::Operator).await.unwrap();
    rig.userinfo(text(&tokens, "access_token")).await.expect(401);
    rig.refresh("app", text(&tokens, "refresh_token")).await.expect(400);
}
