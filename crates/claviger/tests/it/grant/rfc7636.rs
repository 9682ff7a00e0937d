//! RFC 7636, Proof Key for Code Exchange.

use axum::http::Method;
use model::CodeVerifier;
use serde_json::json;

use super::rig::{Ask, CHALLENGE, Rig, VERIFIER, error, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;

fn challenge_of(verifier: &str) -> String {
    vault::code_challenge(&CodeVerifier::from(verifier))
}

#[tokio::test]
async fn rfc7636_4_1_a_verifier_has_43_to_128_unreserved_characters() {
    let rig = Rig::new().await;
    let (shortest, longest) = ("-._~aZ09".repeat(6)[..43].to_owned(), "a".repeat(128));
    for verifier in [&shortest, &longest] {
        let code = rig.code(&Ask::of("spa").with("code_challenge", &challenge_of(verifier))).await;
        rig.redeem_with("spa", &code, &[("code_verifier", verifier)]).await.expect(200);
    }
    let letters = "a".repeat(42);
    for bad in [
        letters.clone(),
        "a".repeat(129),
        format!("{letters}+"),
        format!("{letters} "),
        format!("{letters}ä"),
    ] {
        // The challenge is the right one.
        let code = rig.code(&Ask::of("spa").with("code_challenge", &challenge_of(&bad))).await;
        let answer = rig.redeem_with("spa", &code, &[("code_verifier", &bad)]).await.expect(400);
        assert_eq!(error(&answer), "invalid_grant", "{bad}");
    }
}

#[tokio::test]
async fn rfc7636_4_2_s256_is_supported_as_in_appendix_b() {
    let rig = Rig::new().await;
    assert_eq!(challenge_of(VERIFIER), CHALLENGE);
    let code = rig.code(&Ask::of("spa").with("code_challenge", CHALLENGE)).await;
    rig.redeem_with("spa", &code, &[("code_verifier", VERIFIER)]).await.expect(200);
}

#[tokio::test]
async fn rfc7636_4_3_a_challenge_is_a_sha_256_hash_in_base64url() {
    let rig = Rig::new().await;
    for bad in [
        &CHALLENGE[1..],
        &format!("{CHALLENGE}="),
        &format!("{CHALLENGE}A"),
        &CHALLENGE.replace('-', "+"),
        "x",
        "ä",
    ] {
        assert_eq!(
            rig.refused(&Ask::of("spa").with("code_challenge", bad)).await,
            "invalid_request",
            "{bad}"
        );
    }
}

#[tokio::test]
async fn rfc7636_4_4_a_code_tells_nothing_of_its_challenge() {
    let rig = Rig::new().await;
    let back = rig.agree(&Browser::new(), &Ask::of("spa")).await;
    assert!(!back.as_str().contains(CHALLENGE) && !back.as_str().contains("code_challenge"), "{back}");
}

#[tokio::test]
async fn rfc7636_4_4_1_a_request_without_a_challenge_is_refused_where_one_is_required() {
    let rig = Rig::new().await;
    for client in ["spa", "native", "app"] {
        for ask in [
            Ask::of(client).without("code_challenge").without("code_challenge_method"),
            Ask::of(client).without("code_challenge"),
        ] {
            let told = rig.told(&ask).await;
            assert_eq!(parameter(&told, "error").as_deref(), Some("invalid_request"));
            let description = parameter(&told, "error_description").unwrap();
            assert!(description.contains("code_challenge"), "{description}");
        }
    }
}

#[tokio::test]
async fn rfc7636_4_4_1_a_transformation_that_is_not_supported_is_refused() {
    let rig = Rig::new().await;
    // Without a method it would be `plain` (§4.3).
    for ask in [
        Ask::of("spa").with("code_challenge_method", "plain"),
        Ask::of("spa").without("code_challenge_method"),
        Ask::of("spa").with("code_challenge_method", "s256"),
        Ask::of("lax").with("code_challenge", CHALLENGE),
        Ask::of("lax").with("code_challenge_method", "S256"),
    ] {
        let told = rig.told(&ask).await;
        assert_eq!(parameter(&told, "error").as_deref(), Some("invalid_request"), "{ask:?}");
        let description = parameter(&told, "error_description").unwrap();
        assert!(description.contains("code_challenge"), "{description}");
    }
    assert_eq!(rig.metadata().await["code_challenge_methods_supported"], json!(["S256"]));
}

#[tokio::test]
async fn rfc7636_4_6_a_verifier_that_does_not_match_or_is_missing_brings_invalid_grant_and_no_tokens() {
    let rig = Rig::new().await;
    for client in ["spa", "app"] {
        let code = rig.code(&Ask::of(client)).await;
        let reversed: String = VERIFIER.chars().rev().collect();
        for bad in ["", CHALLENGE, &reversed] {
            let answer = rig.redeem_with(client, &code, &[("code_verifier", bad)]).await.expect(400);
            assert_eq!(error(&answer), "invalid_grant", "{client}: {bad}");
        }
        rig.redeem(client, &code).await.expect(200);
    }
}

#[tokio::test]
async fn rfc7636_4_6_a_challenge_is_enforced_where_none_is_required() {
    let rig = Rig::new().await;
    let ask = Ask::of("lax").with("code_challenge", CHALLENGE).with("code_challenge_method", "S256");
    let code = rig.code(&ask).await;
    assert_eq!(error(&rig.redeem("lax", &code).await.expect(400)), "invalid_grant");
    rig.redeem_with("lax", &code, &[("code_verifier", VERIFIER)]).await.expect(200);
}

#[tokio::test]
async fn rfc7636_5_applications_that_know_nothing_of_it_are_served_where_the_operator_allows_it() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("lax").await;
    rig.userinfo(text(&tokens, "access_token")).await.expect(200);
}

#[tokio::test]
async fn rfc7636_7_5_nobody_sees_a_verifier() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("spa")).await;
    let address = format!("/oauth/token?code_verifier={VERIFIER}");
    let fields = [("grant_type", "authorization_code"), ("code", &*code), ("client_id", "spa")];
    assert_eq!(error(&rig.post(&address, &fields).await.expect(400)), "invalid_request");
    rig.send(Method::GET, &address, &[]).await.expect(405);
    rig.redeem("spa", &code).await.expect(200);
}
