//! §3: the authorization endpoint and the token endpoint.

use std::collections::BTreeSet;

use axum::http::Method;
use model::{AccessTokenFormat, RedirectUri};

use crate::grant::rig::{Ask, CALLBACK, Rig, SECRET, VERIFIER, error, hidden, proof, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;

#[tokio::test]
async fn rfc6749_3_1_the_person_has_to_be_known_before_anything_is_granted() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await, "csrf");
    let next = browser.bare_form(&page, &[("csrf", &csrf), ("decision", "authorize")]).await;
    assert_eq!(next.expect(303).location(), page);
    assert!(browser.get(&page).await.expect(200).body.contains("name=\"password\""));
}

#[tokio::test]
async fn rfc6749_3_1_get_and_post_are_both_taken() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let ask = Ask::of("app");
    rig.authorize(&browser, &ask).await.expect(303);
    let page = browser.bare_form(rig.path("/oauth/authorize"), &ask.pairs()).await.expect(303).location();
    assert!(page.path().starts_with("/oauth/authorize/aut_"), "{page}");
    assert!(browser.get(&page).await.expect(200).body.contains("name=\"password\""));
}

#[tokio::test]
async fn rfc6749_3_1_a_parameter_without_a_value_is_treated_as_if_it_were_omitted() {
    let rig = Rig::new().await;
    for name in ["response_type", "code_challenge"] {
        assert_eq!(rig.refused(&Ask::of("app").with(name, "")).await, "invalid_request", "{name}");
    }
    let ask = Ask::of("app").with("state", "").with("scope", "").with("nonce", "").with("prompt", "");
    let back = rig.agree(&Browser::new(), &ask.with("max_age", "").with("request", "")).await;
    assert!(parameter(&back, "code").is_some() && parameter(&back, "state").is_none(), "{back}");
    // A second value is no repetition of one that is empty.
    let ask = Ask::of("app").without("state").and("state", "").and("state", "x");
    let back = rig.agree(&Browser::new(), &ask).await;
    assert_eq!(parameter(&back, "state").as_deref(), Some("x"));
}

#[tokio::test]
async fn rfc6749_3_1_unrecognized_parameters_are_ignored() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").and("audience", "x").and("access_type", "offline").and("\u{1f511}", "ä");
    assert!(parameter(&rig.agree(&Browser::new(), &ask).await, "code").is_some());
}

#[tokio::test]
async fn rfc6749_3_1_parameters_come_once() {
    let rig = Rig::new().await;
    for (name, value) in [
        ("response_type", "code"),
        ("scope", "reports.read"),
        ("code_challenge_method", "S256"),
        ("code_challenge", "x"),
        ("unknown", "x"),
    ] {
        let ask = Ask::of("app").with(name, value).and(name, value);
        assert_eq!(rig.refused(&ask).await, "invalid_request", "{name}");
    }
    let told = rig.told(&Ask::of("app").and("state", "another")).await;
    assert_eq!(parameter(&told, "error").as_deref(), Some("invalid_request"));
    assert_eq!(parameter(&told, "state"), None, "none of the two can be the right one");
}

#[tokio::test]
async fn rfc6749_3_1_response_parameters_come_once() {
    let rig = Rig::new().await;
    let back = rig.agree(&Browser::new(), &Ask::of("app")).await;
    let refused = rig.told(&Ask::of("app").with("scope", "unknown")).await;
    for address in [back, refused] {
        let mut names: Vec<_> = address.query_pairs().map(|(name, _)| name.into_owned()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{address}");
    }
}

#[tokio::test]
async fn rfc6749_3_1_1_a_response_type_is_required_and_must_be_one_that_is_understood() {
    let rig = Rig::new().await;
    assert_eq!(rig.refused(&Ask::of("app").without("response_type")).await, "invalid_request");
    for unknown in ["token", "Code", "code code", "none", "code id_token token"] {
        let ask = Ask::of("app").with("response_type", unknown);
        assert_eq!(rig.refused(&ask).await, "unsupported_response_type", "{unknown}");
    }
}

#[tokio::test]
async fn rfc6749_3_1_2_a_redirect_uri_is_absolute_and_has_no_fragment() {
    let rig = Rig::new().await;
    for bad in ["/callback", "app.example.com/callback", "https://app.example.com/callback#x"] {
        assert!(bad.parse::<RedirectUri>().is_err(), "{bad} can't be registered");
        let ask = Ask::of("app").with("redirect_uri", bad);
        rig.authorize(&Browser::new(), &ask).await.expect(400);
    }
}

#[tokio::test]
async fn rfc6749_3_1_2_the_query_of_a_redirect_uri_is_retained() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").with("redirect_uri", "https://app.example.com/second?x=1");
    let back = rig.agree(&Browser::new(), &ask).await;
    assert_eq!(parameter(&back, "x").as_deref(), Some("1"), "{back}");
    let refused = rig.told(&ask.with("scope", "unknown")).await;
    assert_eq!(parameter(&refused, "x").as_deref(), Some("1"), "{refused}");
    assert!(parameter(&refused, "error").is_some());
}

#[tokio::test]
async fn rfc6749_3_1_2_2_redirect_uris_have_to_be_registered() {
    let rig = Rig::new().await;
    let without = rig.register_with("second", SECRET, |own| own.redirect_uris = Vec::new());
    assert!(without.await.is_err());
}

#[tokio::test]
async fn rfc6749_3_1_2_3_a_redirect_uri_may_be_left_out_where_one_is_registered_and_not_where_several_are() {
    let rig = Rig::new().await;
    let back = rig.agree(&Browser::new(), &Ask::of("other").without("redirect_uri")).await;
    assert!(back.as_str().starts_with(&format!("{CALLBACK}?code=")), "{back}");
    let ask = Ask::of("app").without("redirect_uri");
    rig.authorize(&Browser::new(), &ask).await.expect(400);
}

#[tokio::test]
async fn rfc6749_3_1_2_3_redirect_uris_are_compared_as_simple_strings() {
    let rig = Rig::new().await;
    for other in [
        "https://app.example.com/callback/",
        "https://app.example.com/callback?",
        "https://app.example.com/./callback",
        "https://app.example.com/%63allback",
        "https://APP.example.com/callback",
        "https://app.example.com/second?x=1&y=2",
        "https://app.example.com/second?x=2",
    ] {
        let ask = Ask::of("app").with("redirect_uri", other);
        rig.authorize(&Browser::new(), &ask).await.expect(400);
    }
}

#[tokio::test]
async fn rfc6749_3_1_2_4_of_an_invalid_redirect_uri_the_person_is_told_and_never_redirected() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").with("redirect_uri", "https://evil.example/");
    let page = rig.authorize(&Browser::new(), &ask).await.expect(400);
    assert!(page.headers.get("location").is_none() && page.body.contains("redirect_uri_not_registered"));
    assert!(!page.body.contains("evil.example"), "{}", page.body);
}

#[tokio::test]
async fn rfc6749_3_2_tokens_are_asked_for_by_post_alone() {
    let rig = Rig::new().await;
    for path in ["/oauth/token", "/oauth/refresh"] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = rig.send(method.clone(), path, &[]).await.expect(405);
            assert!(answer.header("allow").contains("POST"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn rfc6749_3_2_a_parameter_without_a_value_is_treated_as_if_it_were_omitted() {
    let rig = Rig::new().await;
    let refresh = text(&rig.tokens("app").await, "refresh_token").to_owned();
    let empty = [("scope", ""), ("resource", ""), ("client_assertion", ""), ("client_assertion_type", "")];
    rig.refresh_with("app", &refresh, &empty).await.expect(200);
    let fields = [&[("grant_type", "")], &proof("app")[..]].concat();
    assert_eq!(error(&rig.post("/oauth/token", &fields).await.expect(400)), "invalid_request");
}

#[tokio::test]
async fn rfc6749_3_2_unrecognized_parameters_are_ignored() {
    let rig = Rig::new().await;
    let refresh = text(&rig.tokens("app").await, "refresh_token").to_owned();
    rig.refresh_with("app", &refresh, &[("audience", "x"), ("state", "y")]).await.expect(200);
}

#[tokio::test]
async fn rfc6749_3_2_parameters_come_once() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    for name in
        ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "unknown"]
    {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("unknown", "x"),
        ];
        fields.extend(proof("app"));
        let again = *fields.iter().find(|(own, _)| *own == name).unwrap();
        fields.push(again);
        assert_eq!(error(&rig.post("/oauth/token", &fields).await.expect(400)), "invalid_request", "{name}");
    }
    rig.redeem("app", &code).await.expect(200);
}

#[tokio::test]
async fn rfc6749_3_2_1_a_confidential_application_has_to_authenticate() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    for more in [[("client_secret", "")], [("client_secret", "another-secret-0123456789")]] {
        let answer = rig.redeem_with("app", &code, &more).await.expect(401);
        assert_eq!(error(&answer), "invalid_client");
    }
    let refresh = text(&rig.redeem("app", &code).await.expect(200).json(), "refresh_token").to_owned();
    let bare = [("grant_type", "refresh_token"), ("refresh_token", &*refresh), ("client_id", "app")];
    assert_eq!(error(&rig.post("/oauth/token", &bare).await.expect(401)), "invalid_client");
}

#[tokio::test]
async fn rfc6749_3_2_1_a_public_application_has_to_name_itself() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("spa")).await;
    let answer = rig.redeem_with("spa", &code, &[("client_id", "")]).await.expect(401);
    assert_eq!(error(&answer), "invalid_client");
    let answer = rig.redeem_with("spa", &code, &[("client_id", "native")]).await.expect(400);
    assert_eq!(error(&answer), "invalid_grant");
    rig.redeem("spa", &code).await.expect(200);
}

#[tokio::test]
async fn rfc6749_3_3_a_scope_is_a_list_of_case_sensitive_words_in_any_order() {
    let rig = Rig::new().await;
    for scope in ["reports.read reports.write", "reports.write reports.read", "reports.read reports.read"] {
        let tokens = rig.tokens_for("app", &Ask::of("app").with("scope", scope)).await;
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(words(text(&tokens, "scope")), words(scope));
    }
    for bad in ["Reports.Read", "reports", "reports.read unknown", "a\"b", "a\\b", "ä", "reports.read\u{7}"]
    {
        assert_eq!(rig.refused(&Ask::of("app").with("scope", bad)).await, "invalid_scope", "{bad:?}");
    }
}

#[tokio::test]
async fn rfc6749_3_3_who_asks_for_no_scope_gets_those_of_the_application_and_is_told() {
    let rig = Rig::new().await;
    rig.register("small", |own| own.scopes = vec!["reports.read".to_owned()].into()).await;
    let tokens = rig.tokens_for("small", &Ask::of("small").without("scope")).await;
    assert_eq!(text(&tokens, "scope"), "reports.read");
    assert_eq!(rig.refused(&Ask::of("small").with("scope", "reports.write")).await, "invalid_scope");
}

#[tokio::test]
async fn rfc6749_3_3_the_answer_says_the_scope_of_the_token() {
    let rig = Rig::new().await;
    rig.register("jwt", |own| own.access_token_format = AccessTokenFormat::Jwt).await;
    for client in ["app", "spa", "jwt"] {
        let tokens = rig.tokens(client).await;
        assert_eq!(text(&tokens, "scope"), "reports.read", "{client}");
        let again = rig.refresh(client, text(&tokens, "refresh_token")).await.expect(200).json();
        assert_eq!(text(&again, "scope"), "reports.read", "{client}");
    }
}
