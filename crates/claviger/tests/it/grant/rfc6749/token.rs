//! §4.2 to §4.5: the other grants; §5: what the token endpoint answers.

use std::collections::BTreeSet;

use axum::http::Method;
use model::{ClientAuthentication, GrantType};
use serde_json::Value;

use crate::grant::rig::{Ask, EMAIL, PASSWORD, RESOURCE, Rig, SECRET, basic, error, proof, text};
use crate::harness::Answer;

/// What every error of the token endpoint has.
fn check_error(answer: &Answer) {
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let members = answer.json();
    for name in ["error", "error_description"] {
        let allowed = |b: u8| matches!(b, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        let text = text(&members, name);
        assert!(!text.is_empty() && text.bytes().all(allowed), "{text}");
    }
    assert!(members["access_token"].is_null(), "{members}");
}

#[tokio::test]
async fn rfc6749_4_2_the_implicit_grant_is_not_offered() {
    let rig = Rig::new().await;
    assert_eq!(
        rig.refused(&Ask::of("spa").with("response_type", "token")).await,
        "unsupported_response_type"
    );
}

#[tokio::test]
async fn rfc6749_4_3_the_password_grant_is_not_offered() {
    let rig = Rig::new().await;
    let person = [("username", EMAIL), ("password", PASSWORD)];
    let fields = [&[("grant_type", "password")], &person[..], &proof("app")].concat();
    assert_eq!(error(&rig.post("/oauth/token", &fields).await.expect(400)), "unsupported_grant_type");
}

#[tokio::test]
async fn rfc6749_4_4_an_application_acts_for_itself() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    let tokens = rig.own_tokens("robot", &[("scope", "reports.read")]).await.expect(200).json();
    let said = rig.introspect("robot", text(&tokens, "access_token")).await;
    assert_eq!((&said["sub"], &said["scope"]), (&"robot".into(), &"reports.read".into()));
    // Nobody's token says nothing about anybody.
    rig.userinfo(text(&tokens, "access_token")).await.expect(403);
    let openid = rig.own_tokens("robot", &[("scope", "openid")]).await.expect(400);
    assert_eq!(error(&openid), "invalid_scope");
}

#[tokio::test]
async fn rfc6749_4_4_client_credentials_are_for_confidential_applications_alone() {
    let rig = Rig::new().await;
    assert_eq!(error(&rig.own_tokens("spa", &[]).await.expect(400)), "unauthorized_client");
    let public = rig.register_with("public", SECRET, |own| {
        own.authentication = ClientAuthentication::None;
        own.grant_types.push(GrantType::ClientCredentials);
    });
    assert!(public.await.is_err());
}

#[tokio::test]
async fn rfc6749_4_4_2_the_application_has_to_authenticate() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    let fields = [("grant_type", "client_credentials"), ("client_id", "robot")];
    assert_eq!(error(&rig.post("/oauth/token", &fields).await.expect(401)), "invalid_client");
    let header = basic("robot", SECRET);
    let headers = [("authorization", &*header)];
    rig.post_with("/oauth/token", &headers, &fields[..1]).await.expect(200);
}

#[tokio::test]
async fn rfc6749_4_4_3_the_answer_has_no_refresh_token() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    let tokens = rig.own_tokens("robot", &[("resource", RESOURCE)]).await.expect(200).json();
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none(), "{tokens}");
    assert!(tokens["expires_in"].is_u64());
}

#[tokio::test]
async fn rfc6749_4_5_a_grant_type_that_is_not_understood_is_refused_as_such() {
    let rig = Rig::new().await;
    for unknown in [
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "implicit",
        "Authorization_Code",
        "authorization_code refresh_token",
    ] {
        let fields = [&[("grant_type", unknown)], &proof("app")[..]].concat();
        let refused = rig.post("/oauth/token", &fields).await.expect(400);
        assert_eq!(error(&refused), "unsupported_grant_type", "{unknown}");
    }
}

#[tokio::test]
async fn rfc6749_5_1_the_answer_has_what_it_has_to_and_nobody_keeps_it() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    let answer = rig.redeem("app", &code).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let tokens = answer.json();
    let Value::Object(members) = &tokens else { panic!("{tokens}") };
    let names: BTreeSet<&str> = members.keys().map(String::as_str).collect();
    let expected = ["access_token", "expires_in", "refresh_token", "scope", "token_type"];
    assert_eq!(names, BTreeSet::from(expected));
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&"Bearer".into(), &3600.into()));
    // §7.1: and it is good as that type says.
    rig.userinfo(text(&tokens, "access_token")).await.expect(200);
    let again = rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200);
    assert_eq!((again.header("cache-control"), again.header("pragma")), ("no-store", "no-cache"));
}

#[tokio::test]
async fn rfc6749_5_2_invalid_request() {
    let rig = Rig::new().await;
    for fields in [
        vec![],
        vec![("grant_type", "refresh_token")],
        vec![("grant_type", "authorization_code")],
        vec![("grant_type", "refresh_token"), ("grant_type", "refresh_token")],
    ] {
        let answer = rig.post("/oauth/token", &[&fields[..], &proof("app")].concat()).await.expect(400);
        assert_eq!(error(&answer), "invalid_request", "{fields:?}");
        check_error(&answer);
    }
}

#[tokio::test]
async fn rfc6749_5_2_invalid_client_is_401_with_the_scheme_that_was_used() {
    let rig = Rig::new().await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    for header in [basic("app", "wrong"), basic("nobody", SECRET), "Basic x".to_owned()] {
        let answer = rig.post_with("/oauth/token", &[("authorization", &header)], &fields).await.expect(401);
        assert!(answer.header("www-authenticate").starts_with("Basic realm=\""), "{answer:?}");
        assert_eq!(error(&answer), "invalid_client");
        check_error(&answer);
    }
    let in_body = [&fields[..], &[("client_id", "app"), ("client_secret", "wrong")]].concat();
    let answer = rig.post("/oauth/token", &in_body).await.expect(401);
    assert_eq!(error(&answer), "invalid_client");
    check_error(&answer);
}

#[tokio::test]
async fn rfc6749_5_2_invalid_grant() {
    let rig = Rig::new().await;
    let foreign = text(&rig.tokens("other").await, "refresh_token").to_owned();
    for token in ["x", &foreign] {
        let answer = rig.refresh("app", token).await.expect(400);
        assert_eq!(error(&answer), "invalid_grant");
        check_error(&answer);
    }
    let answer = rig.redeem("app", "x").await.expect(400);
    assert_eq!(error(&answer), "invalid_grant");
    check_error(&answer);
}

#[tokio::test]
async fn rfc6749_5_2_unauthorized_client() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    let answers =
        [rig.own_tokens("app", &[]).await, rig.redeem("robot", "x").await, rig.refresh("robot", "x").await];
    for answer in answers {
        let answer = answer.expect(400);
        assert_eq!(error(&answer), "unauthorized_client");
        check_error(&answer);
    }
}

#[tokio::test]
async fn rfc6749_5_2_unsupported_grant_type() {
    let rig = Rig::new().await;
    let answer =
        rig.post("/oauth/token", &[&[("grant_type", "ä")], &proof("app")[..]].concat()).await.expect(400);
    assert_eq!(error(&answer), "unsupported_grant_type");
    check_error(&answer);
}

#[tokio::test]
async fn rfc6749_5_2_invalid_scope() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    for scope in ["unknown", "\"", "reports.read ä"] {
        let answer = rig.own_tokens("robot", &[("scope", scope)]).await.expect(400);
        assert_eq!(error(&answer), "invalid_scope", "{scope}");
        check_error(&answer);
    }
    let refresh = text(&rig.tokens("app").await, "refresh_token").to_owned();
    let answer = rig.refresh_with("app", &refresh, &[("scope", "reports.write")]).await.expect(400);
    assert_eq!(error(&answer), "invalid_scope");
    check_error(&answer);
}

#[tokio::test]
async fn rfc6749_5_2_what_is_no_request_for_tokens_at_all_says_so_in_json_too() {
    let rig = Rig::new().await;
    let answer = rig.raw("/oauth/token", &[("content-type", "application/json")], b"{}".to_vec()).await;
    check_error(&answer.expect(400));
    rig.send(Method::GET, "/oauth/token", &[]).await.expect(405);
}
