//! §10: what an authorization server has to see to.

use std::collections::BTreeSet;

use crate::grant::rig::{Ask, EMAIL, PASSWORD, Rig, error, hidden, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;
use crate::harness::world::refused_at;

/// RFC 6750 §5.2, RFC 7009 §2, RFC 7662 §2.1, RFC 7591 §3, RFC 8414 §6.1 and RFC 9126 §2 ask for the same.
#[tokio::test]
async fn rfc6749_3_1_and_3_2_and_10_9_every_endpoint_is_behind_tls_but_on_loopback() {
    for bad in ["http://auth.example.com", "http://10.0.0.1", "http://127.0.0.1.example.com"] {
        let said = refused_at(bad, "");
        assert!(said.contains("http outside loopback"), "{bad}: {said}");
    }
    for good in ["https://auth.example.com", "http://127.0.0.1:1"] {
        assert_eq!(refused_at(good, ""), "", "{good}");
    }
    let rig = Rig::open("").await;
    let metadata = rig.metadata().await;
    let endpoints = metadata.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint"));
    let mut seen = 0;
    for (name, endpoint) in endpoints {
        assert!(endpoint.as_str().unwrap().starts_with(&rig.world.url), "{name}: {endpoint}");
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[tokio::test]
async fn rfc6749_10_2_repeated_requests_are_not_agreed_to_for_who_can_not_be_authenticated() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    rig.agree(&browser, &Ask::of("native")).await;
    let page = rig.authorize(&browser, &Ask::of("native")).await.expect(303).location();
    assert!(browser.get(&page).await.expect(200).body.contains("value=\"authorize\""));
}

#[tokio::test]
async fn rfc6749_10_3_an_access_token_has_no_more_than_was_agreed_to() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let said = rig.introspect("app", text(&tokens, "access_token")).await;
    assert_eq!(said["scope"], "reports.read");
}

#[tokio::test]
async fn rfc6749_10_4_refresh_tokens_are_bound_to_their_application_and_rotate() {
    let rig = Rig::new().await;
    let token = text(&rig.tokens("spa").await, "refresh_token").to_owned();
    assert_eq!(error(&rig.refresh("native", &token).await.expect(400)), "invalid_grant");
    let next = rig.refresh("spa", &token).await.expect(200).json();
    assert_ne!(text(&next, "refresh_token"), token);
}

#[tokio::test]
async fn rfc6749_10_5_codes_live_shortly_and_are_used_once() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("spa")).await;
    rig.redeem("spa", &code).await.expect(200);
    assert_eq!(error(&rig.redeem("spa", &code).await.expect(400)), "invalid_grant");
    let code = rig.code(&Ask::of("spa")).await;
    rig.world.pass(std::time::Duration::from_mins(5));
    assert_eq!(error(&rig.redeem("spa", &code).await.expect(400)), "invalid_grant");
}

#[tokio::test]
async fn rfc6749_10_6_a_code_that_went_elsewhere_is_not_redeemed() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").with("redirect_uri", "https://app.example.com/second?x=1");
    let code = rig.code(&ask).await;
    assert_eq!(error(&rig.redeem("app", &code).await.expect(400)), "invalid_grant");
}

#[tokio::test]
async fn rfc6749_10_10_nobody_can_guess_what_we_issue() {
    let rig = Rig::new().await;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let code = rig.code(&Ask::of("app")).await;
        let tokens = rig.redeem("app", &code).await.expect(200).json();
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let refresh = refresh.strip_prefix("crt_").unwrap();
        // 256 random bits each, in hex; what the tokens of a family have in common are 128 more.
        let (handle, secret) = refresh.split_at(32);
        for (random, digits) in
            [(&*code, 64), (access.strip_prefix("cat_").unwrap(), 64), (handle, 32), (secret, 64)]
        {
            assert!(random.len() == digits && random.bytes().all(|b| b.is_ascii_hexdigit()), "{random}");
            assert!(seen.insert(random.to_owned()), "{random} came twice");
        }
    }
}

#[tokio::test]
async fn rfc6749_10_12_a_decision_comes_from_the_page_that_this_browser_was_shown() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    rig.agree(&browser, &Ask::of("app")).await;
    let ask = Ask::of("app").with("prompt", "consent");
    let page = rig.authorize(&browser, &ask).await.expect(303).location();
    let other = rig.authorize(&browser, &ask).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await.expect(200), "csrf");
    let foreign = hidden(&browser.get(&other).await.expect(200), "csrf");
    for bad in ["", "x", &foreign] {
        browser.bare_form(&page, &[("csrf", bad), ("decision", "authorize")]).await.expect(403);
    }
    let fields = [("csrf", &*csrf), ("decision", "authorize")];
    Browser::new().bare_form(&page, &fields).await.expect(400);
    assert!(parameter(&browser.bare_form(&page, &fields).await.expect(303).location(), "code").is_some());
}

#[tokio::test]
async fn rfc6749_10_13_pages_can_not_be_framed() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    let page = browser.get(&page).await.expect(200);
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn rfc6749_10_14_what_is_received_is_text_wherever_it_is_shown_or_sent_on() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let evil = "\"><script>alert(1)</script>\r\nset-cookie: x=y";
    let ask = Ask::of("app").with("login_hint", evil).with("ui_locales", evil).with("state", evil);
    let page = rig.authorize(&browser, &ask).await.expect(303).location();
    let login = browser.get(&page).await.expect(200);
    assert!(
        !login.body.contains("<script>alert") && login.body.contains("&#60;script&#62;"),
        "{}",
        login.body
    );
    let csrf = hidden(&login, "csrf");
    let wrong = [("csrf", &*csrf), ("email", evil), ("password", evil)];
    let again = browser.bare_form(&page, &wrong).await.expect(200);
    assert!(!again.body.contains("<script>alert"), "{}", again.body);
    let right = [("csrf", &*csrf), ("email", EMAIL), ("password", PASSWORD)];
    browser.bare_form(&page, &right).await.expect(303);
    let csrf = hidden(&browser.get(&page).await.expect(200), "csrf");
    let back = browser.bare_form(&page, &[("csrf", &csrf), ("decision", "cancel")]).await.expect(303);
    assert!(back.headers.get("set-cookie").is_none(), "{back:?}");
    assert!(back.header("location").bytes().all(|b| b.is_ascii_graphic()), "{back:?}");
    assert_eq!(parameter(&back.location(), "state").as_deref(), Some(evil));
}

#[tokio::test]
async fn rfc6749_10_15_the_authorization_endpoint_is_no_open_redirector() {
    let rig = Rig::new().await;
    for evil in ["https://evil.example/", "//evil.example/", "https://app.example.com@evil.example/callback"]
    {
        let ask = Ask::of("app").with("redirect_uri", evil).with("scope", "unknown");
        let answer = rig.authorize(&Browser::new(), &ask).await.expect(400);
        assert!(answer.headers.get("location").is_none(), "{evil}");
    }
}
