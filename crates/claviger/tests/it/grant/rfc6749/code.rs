//! §4.1: the authorization code grant.

use std::time::Duration;

use model::GrantType;

use crate::grant::rig::{Ask, CALLBACK, Rig, VERIFIER, error, hidden, proof, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;
use crate::harness::world;

const SECOND: &str = "https://app.example.com/second?x=1";

/// A state with everything in it that an encoding can lose.
const STATE: &str = "a b+c%2Bd&e=f?g#h/i;j,k\"l'm<n>o\\p|q{r}s\t\r\nõ🔑\u{202e}";

#[tokio::test]
async fn rfc6749_4_1_1_the_way_from_request_to_tokens() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let back = rig.agree(&browser, &Ask::of("app")).await;
    assert!(back.as_str().starts_with(&format!("{CALLBACK}?")), "{back}");
    let tokens = rig.redeem("app", &parameter(&back, "code").unwrap()).await.expect(200).json();
    rig.userinfo(text(&tokens, "access_token")).await.expect(200);
}

#[tokio::test]
async fn rfc6749_4_1_2_a_code_expires_within_ten_minutes() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    rig.world.pass(Duration::from_mins(10));
    assert_eq!(error(&rig.redeem("app", &code).await.expect(400)), "invalid_grant");
    assert!(world::refused("[grant]\ncode_ttl = \"601s\"\n").contains("code_ttl"));
    assert_eq!(world::refused("[grant]\ncode_ttl = \"10m\"\n"), "");
}

#[tokio::test]
async fn rfc6749_4_1_2_a_code_is_not_used_twice_and_what_it_brought_is_revoked() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    let next = rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200).json();
    assert_eq!(error(&rig.redeem("app", &code).await.expect(400)), "invalid_grant");
    for tokens in [&tokens, &next] {
        rig.userinfo(text(tokens, "access_token")).await.expect(401);
        rig.refresh("app", text(tokens, "refresh_token")).await.expect(400);
    }
}

#[tokio::test]
async fn rfc6749_4_1_2_a_code_is_bound_to_its_client_and_redirect_uri() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    assert_eq!(error(&rig.redeem("other", &code).await.expect(400)), "invalid_grant");
    let answer = rig.redeem_with("app", &code, &[("redirect_uri", SECOND)]).await.expect(400);
    assert_eq!(error(&answer), "invalid_grant");
}

#[tokio::test]
async fn rfc6749_4_1_2_state_comes_back_exactly_or_not_at_all() {
    let rig = Rig::new().await;
    let long = "s".repeat(2048);
    for state in [STATE, &long, "0", "%00", "null"] {
        let back = rig.agree(&Browser::new(), &Ask::of("app").with("state", state)).await;
        assert_eq!(parameter(&back, "state").as_deref(), Some(state));
    }
    let back = rig.agree(&Browser::new(), &Ask::of("app").without("state")).await;
    assert!(parameter(&back, "code").is_some() && !back.as_str().contains("state"), "{back}");
}

#[tokio::test]
async fn rfc6749_4_1_2_1_without_a_known_client_or_redirect_uri_nobody_is_redirected() {
    let rig = Rig::new().await;
    for (ask, code) in [
        (Ask::of("app").without("client_id"), "unknown_application"),
        (Ask::of("nobody"), "unknown_application"),
        (Ask::of("app").without("redirect_uri"), "redirect_uri_not_registered"),
        (Ask::of("app").with("redirect_uri", "https://evil.example/"), "redirect_uri_not_registered"),
        (Ask::of("app").and("redirect_uri", SECOND), "redirect_uri_not_registered"),
        (Ask::of("app").and("client_id", "other"), "authorization_malformed"),
    ] {
        // Whatever else is wrong.
        for ask in [ask.clone(), ask.with("response_type", "token")] {
            let page = rig.authorize(&Browser::new(), &ask).await.expect(400);
            assert!(page.headers.get("location").is_none() && page.body.contains(code), "{page:?}");
        }
    }
}

#[tokio::test]
async fn rfc6749_4_1_2_1_invalid_request() {
    let rig = Rig::new().await;
    for ask in [
        Ask::of("app").without("response_type"),
        Ask::of("app").and("scope", "reports.write"),
        Ask::of("app").with("max_age", "soon"),
        Ask::of("app").with("response_mode", "fragment"),
    ] {
        assert_eq!(rig.refused(&ask).await, "invalid_request", "{ask:?}");
    }
}

#[tokio::test]
async fn rfc6749_4_1_2_1_unauthorized_client() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    assert_eq!(rig.refused(&Ask::of("robot")).await, "unauthorized_client");
}

#[tokio::test]
async fn rfc6749_4_1_2_1_access_denied() {
    let rig = Rig::new().await;
    // At the consent page, and at the sign-in page already.
    for signs_in in [true, false] {
        let browser = Browser::new();
        let ask = Ask::of("app").with("prompt", "consent");
        if signs_in {
            rig.agree(&browser, &ask).await;
        }
        let page = rig.authorize(&browser, &ask).await.expect(303).location();
        let csrf = hidden(&browser.get(&page).await.expect(200), "csrf");
        let told = browser.bare_form(&page, &[("csrf", &csrf), ("decision", "cancel")]).await.expect(303);
        let told = told.location();
        assert_eq!(parameter(&told, "error").as_deref(), Some("access_denied"));
        assert_eq!(parameter(&told, "state").as_deref(), Some("some state & more"));
        assert!(parameter(&told, "code").is_none());
    }
}

#[tokio::test]
async fn rfc6749_4_1_2_1_unsupported_response_type() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").with("response_type", "token");
    assert_eq!(rig.refused(&ask).await, "unsupported_response_type");
}

#[tokio::test]
async fn rfc6749_4_1_2_1_invalid_scope() {
    let rig = Rig::new().await;
    assert_eq!(rig.refused(&Ask::of("app").with("scope", "unknown")).await, "invalid_scope");
}

#[tokio::test]
async fn rfc6749_4_1_2_1_errors_have_state_exactly_and_the_characters_that_are_allowed() {
    let rig = Rig::new().await;
    for ask in [
        Ask::of("app").with("scope", "\"<unknown>\\"),
        Ask::of("app").with("response_type", "\"\\ä"),
        Ask::of("app").with("code_challenge", "\"\\ä"),
        Ask::of("app").with("prompt", "\"\\ä"),
        Ask::of("app").with("resource", "\"\\ä"),
    ] {
        let told = rig.told(&ask.with("state", STATE)).await;
        assert_eq!(parameter(&told, "state").as_deref(), Some(STATE));
        let allowed = |b: u8| matches!(b, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        for name in ["error", "error_description"] {
            let text = parameter(&told, name).unwrap();
            assert!(!text.is_empty() && text.bytes().all(allowed), "{text}");
        }
        assert!(parameter(&told, "code").is_none());
    }
}

#[tokio::test]
async fn rfc6749_4_1_3_grant_type_and_code_are_required() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    for name in ["grant_type", "code"] {
        let answer = rig.redeem_with("app", &code, &[(name, "")]).await.expect(400);
        assert_eq!(error(&answer), "invalid_request", "{name}");
    }
    rig.redeem("app", &code).await.expect(200);
}

#[tokio::test]
async fn rfc6749_4_1_3_a_code_has_to_be_valid() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    let long = "x".repeat(10_000);
    for bad in ["x", &code.to_uppercase(), &code[1..], &format!("{code} "), &long] {
        assert_eq!(error(&rig.redeem("app", bad).await.expect(400)), "invalid_grant", "{bad}");
    }
}

#[tokio::test]
async fn rfc6749_4_1_3_a_code_is_bound_to_the_application_that_is_authenticated() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    for client in ["other", "lax", "spa", "api"] {
        assert_eq!(error(&rig.redeem(client, &code).await.expect(400)), "invalid_grant", "{client}");
    }
    rig.redeem("app", &code).await.expect(200);
}

#[tokio::test]
async fn rfc6749_4_1_3_a_confidential_application_has_to_be_authenticated() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    let answer = rig.redeem_with("app", &code, &[("client_secret", "")]).await.expect(401);
    assert_eq!(error(&answer), "invalid_client");
}

#[tokio::test]
async fn rfc6749_4_1_3_code_is_bound_to_redirect_uri() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    for (uri, expected) in [
        (SECOND, "invalid_grant"),
        ("https://app.example.com/callback/", "invalid_grant"),
        ("", "invalid_request"),
    ] {
        let answer = rig.redeem_with("app", &code, &[("redirect_uri", uri)]).await.expect(400);
        assert_eq!(error(&answer), expected, "{uri}");
    }
    rig.redeem("app", &code).await.expect(200);
}

#[tokio::test]
async fn rfc6749_4_1_3_a_redirect_uri_that_the_request_did_not_name_may_be_left_out() {
    let rig = Rig::new().await;
    let ask = Ask::of("other").without("redirect_uri");
    let code = rig.code(&ask).await;
    rig.redeem_with("other", &code, &[("redirect_uri", "")]).await.expect(200);
    // Where it is sent all the same it has to be the one.
    let code = rig.code(&ask).await;
    let answer = rig.redeem_with("other", &code, &[("redirect_uri", SECOND)]).await.expect(400);
    assert_eq!(error(&answer), "invalid_grant");
    rig.redeem("other", &code).await.expect(200);
}

#[tokio::test]
async fn rfc6749_4_1_4_the_answer_is_the_one_of_5_1_with_or_without_refresh_token() {
    let rig = Rig::new().await;
    rig.register("short", |own| own.grant_types = vec![GrantType::AuthorizationCode]).await;
    for (client, has_refresh_token) in [("app", true), ("short", false)] {
        let tokens = rig.tokens(client).await;
        assert_eq!(tokens["refresh_token"].is_string(), has_refresh_token, "{client}: {tokens}");
        rig.userinfo(text(&tokens, "access_token")).await.expect(200);
    }
    let fields = [
        &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("code_verifier", VERIFIER)],
        &proof("short")[..],
    ];
    assert_eq!(error(&rig.post("/oauth/token", &fields.concat()).await.expect(400)), "unauthorized_client");
}
