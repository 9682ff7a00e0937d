//! Requests that are none, too large, or say things twice.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::json;

use crate::grant::rig::{
    Ask, CALLBACK, EMAIL, PASSWORD, Rig, SECRET, VERIFIER, basic, error, hidden, proof, text,
};
use crate::harness::Browser;
use crate::harness::browser::parameter;

const FORM: &str = "application/x-www-form-urlencoded";

/// What applications post to.
const ENDPOINTS: [&str; 5] =
    ["/oauth/token", "/oauth/refresh", "/oauth/revoke", "/oauth/introspect", "/oauth/par"];

/// Texts that are no forms.
fn no_forms() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        ["a=%", "a=%1", "a=%zz", "%=a", "a=%+1", "a=%ff", "a=%c3%28", "a=%ed%a0%80", "a=%00", "%00=a"]
            .map(|text| text.as_bytes().to_vec())
            .into();
    all.extend([b"a=\xff".to_vec(), b"\xc3=a".to_vec(), b"a=\0".to_vec()]);
    all.push("a=1&".repeat(101).into_bytes());
    all
}

#[tokio::test]
async fn what_is_no_form_is_an_invalid_request_at_every_endpoint() {
    let rig = Rig::new().await;
    let header = basic("app", SECRET);
    for path in ENDPOINTS {
        for body in no_forms() {
            let shown = String::from_utf8_lossy(&body).into_owned();
            let answer = rig.raw(path, &[("authorization", &header)], body).await.expect(400);
            assert_eq!(error(&answer), "invalid_request", "{path}: {shown}");
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn another_content_type_is_refused_and_nothing_of_it_is_done() {
    let rig = Rig::new().await;
    let refresh = text(&rig.tokens("app").await, "refresh_token").to_owned();
    let form =
        format!("grant_type=refresh_token&refresh_token={refresh}&client_id=app&client_secret={SECRET}");
    let json =
        json!({"grant_type": "refresh_token", "refresh_token": refresh, "client_id": "app"}).to_string();
    for (content_type, body) in [
        ("application/json", &json),
        ("application/json", &form),
        ("text/plain", &form),
        ("multipart/form-data; boundary=x", &form),
        ("application/x-www-form-urlencodedx", &form),
        ("", &form),
    ] {
        for path in ENDPOINTS {
            let headers = [("content-type", content_type)];
            let answer = rig.raw(path, &headers, body.clone().into_bytes()).await.expect(400);
            assert_eq!(error(&answer), "invalid_request", "{path}: {content_type}");
        }
    }
    let bare =
        Browser::new().send(Method::POST, &rig.path("/oauth/token"), &[], Bytes::from(form.clone())).await;
    assert_eq!(error(&bare.expect(400)), "invalid_request");
    // Its parameters and its case are no matter.
    let headers = [("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")];
    rig.raw("/oauth/token", &headers, form.into_bytes()).await.expect(200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_at_every_endpoint() {
    let rig = Rig::new().await;
    for path in ENDPOINTS {
        for length in [64 * 1024 + 1, 2 * 1024 * 1024] {
            let answer = rig.raw(path, &[], vec![b'a'; length]).await.expect(413);
            assert_eq!(error(&answer), "invalid_request", "{path}: {length}");
        }
    }
    let browser = Browser::new();
    let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    for (url, length) in [(page.as_str(), 17 * 1024), (page.as_str(), 2 * 1024 * 1024)] {
        let body = Bytes::from(vec![b'a'; length]);
        browser.send(Method::POST, url, &[("content-type", FORM)], body).await.expect(413);
    }
    let body = Bytes::from(vec![b'a'; 2 * 1024 * 1024]);
    let url = rig.path("/oauth/authorize");
    browser.send(Method::POST, &url, &[("content-type", FORM)], body).await.expect(413);
}

#[tokio::test]
async fn what_comes_twice_is_an_invalid_request_at_every_endpoint_and_spends_nothing() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let refresh = text(&tokens, "refresh_token");
    for path in ENDPOINTS {
        for twice in
            [("token", refresh), ("refresh_token", refresh), ("client_secret", SECRET), ("unknown", "x")]
        {
            let mut fields = vec![("token", refresh), ("refresh_token", refresh), twice];
            fields.extend([("grant_type", "refresh_token"), ("unknown", "x")]);
            fields.extend(proof("app"));
            let answer = rig.post(path, &fields).await.expect(400);
            assert_eq!(error(&answer), "invalid_request", "{path}: {twice:?}");
        }
    }
    rig.refresh("app", refresh).await.expect(200);
}

#[tokio::test]
async fn credentials_in_two_places_or_in_the_address_are_refused_without_spending_the_code() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    let header = basic("app", SECRET);
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let with_proof = [&fields[..], &proof("app")].concat();
    let both = rig.post_with("/oauth/token", &[("authorization", &header)], &with_proof).await.expect(400);
    assert_eq!(error(&both), "invalid_request");
    let two = [("authorization", &*header), ("authorization", &*header)];
    assert_eq!(error(&rig.post_with("/oauth/token", &two, &fields).await.expect(400)), "invalid_request");
    for query in [
        format!("client_id=app&client_secret={SECRET}"),
        format!("grant_type=authorization_code&code={code}"),
        format!("CODE=x&code={code}"),
        "client_assertion=x".to_owned(),
        "refresh_token=x".to_owned(),
        "%".to_owned(),
    ] {
        for fields in [&fields[..], &with_proof, &[]] {
            let answer = rig.post(&format!("/oauth/token?{query}"), fields).await.expect(400);
            assert_eq!(error(&answer), "invalid_request", "{query}");
        }
    }
    // The header of another scheme is none of ours: clients send their old access token along.
    rig.post_with("/oauth/token", &[("authorization", "Bearer x")], &with_proof).await.expect(200);
}

#[tokio::test]
async fn long_and_strange_values_are_only_wrong() {
    let rig = Rig::new().await;
    let long = "x".repeat(60_000);
    for value in [&*long, "õ🔑\u{202e}", "\r\nSet-Cookie: x=y", "' OR 1=1 --", "../../etc/passwd", "${7*7}"]
    {
        assert_eq!(error(&rig.redeem("app", value).await.expect(400)), "invalid_grant");
        assert_eq!(error(&rig.refresh("app", value).await.expect(400)), "invalid_grant");
        rig.revoke("app", value).await.expect(200);
        assert_eq!(rig.introspect("app", value).await, json!({"active": false}));
        let stranger = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", value)];
        let answer = rig.post("/oauth/token", &stranger).await.expect(401);
        assert_eq!(error(&answer), "invalid_client");
        let sent = &value[..value.len().min(100)];
        assert!(!answer.body.contains(sent), "an answer never has what was sent: {}", answer.body);
    }
}

#[tokio::test]
async fn an_authorization_request_that_can_not_be_read_is_told_to_the_person() {
    let rig = Rig::new().await;
    let right = Ask::of("app").query();
    for bad in no_forms() {
        let body = [right.as_bytes(), b"&", &bad].concat();
        let headers = [("content-type", FORM)];
        let url = rig.path("/oauth/authorize");
        let page = Browser::new().send(Method::POST, &url, &headers, body.into()).await.expect(400);
        assert!(page.headers.get("location").is_none() && page.body.contains("authorization_malformed"));
    }
    for query in
        [format!("{right}&a=%"), format!("{right}&a=%ff"), format!("{right}&a={}", "x".repeat(33_000))]
    {
        let page = rig.send(Method::GET, &format!("/oauth/authorize?{query}"), &[]).await.expect(400);
        assert!(page.headers.get("location").is_none() && page.body.contains("<h1>"), "{page:?}");
    }
}

#[tokio::test]
async fn state_nonce_and_scope_have_an_end() {
    let rig = Rig::new().await;
    let long = |length: usize| "s".repeat(length);
    let told = rig.told(&Ask::of("app").with("state", &long(2049))).await;
    assert_eq!(parameter(&told, "error").as_deref(), Some("invalid_request"));
    assert_eq!(parameter(&told, "state"), None);
    let told = rig.told(&Ask::of("app").with("nonce", &long(513))).await;
    assert_eq!(parameter(&told, "error").as_deref(), Some("invalid_request"));
    assert_eq!(parameter(&told, "state").as_deref(), Some("some state & more"));
    for scope in [long(2001), "reports.read ".repeat(200)] {
        assert_eq!(rig.refused(&Ask::of("app").with("scope", &scope)).await, "invalid_scope");
    }
    let ask =
        Ask::of("app").with("state", &long(2048)).with("nonce", &long(512)).with("login_hint", &long(10_000));
    assert!(parameter(&rig.agree(&Browser::new(), &ask).await, "code").is_some());
}

#[tokio::test]
async fn a_form_of_our_pages_that_is_not_right_changes_nothing() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await, "csrf");
    for bad in no_forms() {
        let body = [format!("csrf={csrf}&decision=cancel&").as_bytes(), &bad].concat();
        let headers = [("content-type", FORM)];
        browser.send(Method::POST, page.as_str(), &headers, body.into()).await.expect(400);
    }
    for fields in [
        vec![("csrf", &*csrf), ("decision", "cancel"), ("decision", "cancel")],
        vec![("csrf", &*csrf), ("csrf", &*csrf), ("decision", "cancel")],
        vec![("csrf", &*csrf), ("decision", "Cancel")],
        vec![("csrf", &*csrf), ("decision", "authorize"), ("team", "no team at all")],
    ] {
        browser.bare_form(&page, &fields).await.expect(400);
    }
    let long = "p".repeat(10_000);
    for (email, password) in
        [("", ""), (EMAIL, ""), ("", PASSWORD), (EMAIL, &*long), (&*long, PASSWORD), ("õ\r\n", "õ")]
    {
        let fields = [("csrf", &*csrf), ("email", email), ("password", password)];
        let again = browser.bare_form(&page, &fields).await.expect(200);
        assert!(again.body.contains("is not right"), "{}", again.body);
    }
    // All that has changed nothing.
    let fields = [("csrf", &*csrf), ("email", EMAIL), ("password", PASSWORD)];
    browser.bare_form(&page, &fields).await.expect(303);
}

#[tokio::test]
async fn a_page_of_a_request_that_is_over_or_never_was_says_so() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    for id in ["x", "aut_", "aut_0123456789abcdef0123456789abcdef", "%00", "../token"] {
        let page = browser.get(rig.path(&format!("/oauth/authorize/{id}"))).await;
        assert!([400, 404, 405].contains(&page.status.as_u16()), "{id}: {page:?}");
    }
    let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await, "csrf");
    rig.world.pass(Duration::from_hours(1));
    assert!(browser.get(&page).await.expect(400).body.contains("authorization_over"));
    let fields = [("csrf", &*csrf), ("email", EMAIL), ("password", PASSWORD)];
    assert!(browser.bare_form(&page, &fields).await.expect(400).body.contains("authorization_over"));
}
