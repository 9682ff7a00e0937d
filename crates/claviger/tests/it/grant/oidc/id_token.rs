//! Core §2, §3.1.3: the ID token, and the answer that it comes in.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use model::Actor;
use serde_json::json;

use super::{id_claims, openid};
use crate::grant::rig::{ALGORITHMS, Ask, EMAIL, Rig, error, header, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;

#[tokio::test]
async fn oidc_core_2_the_claims_that_are_required() {
    let rig = Rig::new().await;
    let user = rig.world.server.app.grant.user_of_email(EMAIL).await.unwrap().id.to_string();
    let now = rig.seconds();
    let tokens = rig.tokens_for("app", &openid()).await;
    let mut claims = id_claims(&rig, &tokens).await;
    claims.as_object_mut().unwrap().remove("at_hash").unwrap();
    let expected = json!({
        "iss": rig.world.url,
        "sub": user,
        "aud": "app",
        "iat": now,
        "exp": now + 3600,
        "auth_time": now,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn oidc_core_2_a_subject_is_short_ascii_and_never_another_persons() {
    let rig = Rig::new().await;
    let first = id_claims(&rig, &rig.tokens_for("app", &openid()).await).await["sub"].clone();
    let sub = first.as_str().unwrap();
    assert!(sub.len() <= 255 && sub.is_ascii(), "{sub}");
    let again = rig.tokens_for("other", &Ask::of("other").with("scope", "openid")).await;
    assert_eq!(id_claims(&rig, &again).await["sub"], first, "one for all applications, as the metadata says");
    // Whoever gets the address later is somebody else.
    let grant = &rig.world.server.app.grant;
    let user = grant.user_of_email(EMAIL).await.unwrap().id;
    grant.remove_user(&user, Actor::Operator).await.unwrap();
    rig.add_user(EMAIL, &[]).await;
    let next = id_claims(&rig, &rig.tokens_for("app", &openid()).await).await["sub"].clone();
    assert_ne!(next, first);
}

#[tokio::test]
async fn oidc_core_2_it_is_signed_by_a_key_that_is_published() {
    for (lines, algorithm) in ALGORITHMS {
        let rig = Rig::with(lines).await;
        let tokens = rig.tokens_for("app", &openid()).await;
        id_claims(&rig, &tokens).await;
        let said = header(text(&tokens, "id_token"));
        assert_eq!((&said["alg"], &said["typ"]), (&algorithm.into(), &"JWT".into()));
        assert_eq!(said["kid"], rig.jwks().await["keys"][0]["kid"]);
    }
}

#[tokio::test]
async fn oidc_core_2_and_15_5_2_a_nonce_comes_back_unmodified() {
    let rig = Rig::new().await;
    let long = "n".repeat(512);
    for nonce in ["n-0S6_WzA2Mj", "a b+c%2B\"\\õ🔑", &long] {
        let tokens = rig.tokens_for("app", &openid().with("nonce", nonce)).await;
        assert_eq!(id_claims(&rig, &tokens).await["nonce"], nonce);
    }
    let tokens = rig.tokens_for("app", &openid()).await;
    assert!(id_claims(&rig, &tokens).await.get("nonce").is_none());
}

#[tokio::test]
async fn oidc_core_2_auth_time_is_when_the_person_signed_in() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let then = rig.seconds();
    rig.agree(&browser, &openid()).await;
    rig.world.pass(Duration::from_hours(1));
    let back = rig.authorize(&browser, &openid()).await.expect(303).location();
    let code = parameter(&back, "code").unwrap();
    rig.world.pass(Duration::from_secs(5));
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    let claims = id_claims(&rig, &tokens).await;
    assert_eq!((&claims["auth_time"], &claims["iat"]), (&then.into(), &(then + 3605).into()));
}

#[tokio::test]
async fn oidc_core_3_1_3_3_an_id_token_comes_when_openid_was_asked_for_and_only_then() {
    let rig = Rig::new().await;
    let code = rig.code(&openid()).await;
    let answer = rig.redeem("app", &code).await.expect(200);
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert!(answer.json()["id_token"].is_string());
    for scope in ["reports.read", "profile email", "reports.read offline_access"] {
        let tokens = rig.tokens_for("app", &openid().with("scope", scope)).await;
        assert!(tokens.get("id_token").is_none(), "{scope}");
    }
}

#[tokio::test]
async fn oidc_core_3_1_3_4_an_error_is_that_of_rfc_6749() {
    let rig = Rig::new().await;
    let code = rig.code(&openid()).await;
    rig.redeem("app", &code).await.expect(200);
    assert_eq!(error(&rig.redeem("app", &code).await.expect(400)), "invalid_grant");
}

#[tokio::test]
async fn oidc_core_3_1_3_6_at_hash_is_half_of_the_access_tokens_hash() {
    for (lines, algorithm) in ALGORITHMS {
        let function = if algorithm == "EdDSA" { &digest::SHA512 } else { &digest::SHA256 };
        let rig = Rig::with(lines).await;
        let tokens = rig.tokens_for("app", &openid()).await;
        let hash = digest::digest(function, text(&tokens, "access_token").as_bytes());
        let half = &hash.as_ref()[..hash.as_ref().len() / 2];
        assert_eq!(id_claims(&rig, &tokens).await["at_hash"], BASE64URL_NOPAD.encode(half));
    }
}

#[tokio::test]
async fn oidc_core_5_4_scopes_say_which_claims_there_are() {
    let rig = Rig::new().await;
    for (scope, names) in [
        ("openid", vec![]),
        ("openid email", vec!["email"]),
        ("openid profile", vec!["id", "name"]),
        ("openid profile email", vec!["email", "id", "name"]),
    ] {
        let tokens = rig.tokens_for("app", &openid().with("scope", scope)).await;
        let claims = id_claims(&rig, &tokens).await;
        let about: BTreeSet<&str> = claims
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .filter(|name| !["iss", "sub", "aud", "iat", "exp", "auth_time", "at_hash"].contains(name))
            .collect();
        assert_eq!(about, names.iter().copied().collect(), "{scope}");
        let told = rig.userinfo(text(&tokens, "access_token")).await.expect(200).json();
        for name in names {
            assert_eq!(told[name], claims[name], "{scope}: {name}");
        }
    }
}

#[tokio::test]
async fn oidc_core_11_offline_access_is_taken_and_a_refresh_token_comes_along() {
    let rig = Rig::new().await;
    let tokens = rig.tokens_for("app", &openid().with("scope", "openid offline_access")).await;
    assert_eq!(text(&tokens, "scope"), "openid offline_access");
    rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn oidc_core_12_2_a_refreshed_access_token_is_for_the_same_person() {
    let rig = Rig::new().await;
    let tokens = rig.tokens_for("app", &openid().with("nonce", "n")).await;
    let sub = id_claims(&rig, &tokens).await["sub"].clone();
    let next = rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200).json();
    assert_eq!(rig.userinfo(text(&next, "access_token")).await.expect(200).json()["sub"], sub);
}
