//! Requirement 002, row by row: the test and the security checklist of "Production-Ready Zapier OAuth v2".

use std::time::Duration;

use axum::http::Method;
use grant::application::{NewApplication, zapier};
use model::{Actor, Secret};
use serde_json::json;

use super::rig::{Ask, EMAIL, PASSWORD, Rig, SECRET, ZAPIER, ZAPIER_ID, error, proof, text};
use crate::harness::browser::parameter;
use crate::harness::{Browser, client};

/// What the requirement's test checklist calls "Click Connect": HTML, sign in, choose the team, authorize, back with a code.
#[tokio::test(flavor = "multi_thread")]
async fn connect_leads_through_sign_in_and_team_back_to_zapier_with_code_and_state() {
    let rig = Rig::new().await;
    rig.add_user("team@example.com", &[("northwind", "Northwind OÜ"), ("tamm", "Tamm Consulting")]).await;
    let browser = Browser::new();
    let page = rig.authorize(&browser, &Ask::of(ZAPIER_ID)).await.expect(303).location();
    let page = browser.get(&page).await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.body.contains("Zapier"), "{}", page.body);
    let back = rig.agree_as(&browser, &Ask::of(ZAPIER_ID), "team@example.com", Some("tamm")).await;
    assert!(back.as_str().starts_with(&format!("{ZAPIER}?code=")), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("some state & more"));
    let code = parameter(&back, "code").unwrap();
    // As the scaffold sends it: no redirect URI.
    let fields = [&[("grant_type", "authorization_code"), ("code", &*code)], &proof(ZAPIER_ID)[..]].concat();
    let tokens = rig.post("/oauth/token", &fields).await.expect(200).json();
    assert!(
        text(&tokens, "access_token").starts_with("zat_")
            && text(&tokens, "refresh_token").starts_with("zrt_")
    );
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let me = rig.userinfo(text(&tokens, "access_token")).await.expect(200).json();
    assert_eq!((&me["id"], &me["email"]), (&json!("tamm"), &json!("team@example.com")));
    assert_eq!(me["team"], json!({"id": "tamm", "name": "Tamm Consulting"}));
    let headers = [("authorization", &*format!("Bearer {}", text(&tokens, "access_token")))];
    assert_eq!(rig.send(Method::GET, "/oauth/test", &headers).await.expect(200).json(), me);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_goes_back_with_access_denied() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let page = rig.authorize(&browser, &Ask::of(ZAPIER_ID)).await.expect(303).location();
    let csrf = super::rig::hidden(&browser.get(&page).await, "csrf");
    let back =
        browser.bare_form(&page, &[("csrf", &csrf), ("decision", "cancel")]).await.expect(303).location();
    assert!(back.as_str().starts_with(ZAPIER), "{back}");
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "state").as_deref(), Some("some state & more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_redirect_uri_is_matched_exactly_to_the_last_slash() {
    let rig = Rig::new().await;
    for other in [ZAPIER.trim_end_matches('/'), &format!("{ZAPIER}?x"), "https://zapier.com/"] {
        let page = rig.authorize(&Browser::new(), &Ask::of(ZAPIER_ID).with("redirect_uri", other)).await;
        assert!(page.expect(400).headers.get("location").is_none(), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_lives_five_minutes_works_once_and_its_redirect_uri_is_checked_where_it_is_sent() {
    let rig = Rig::new().await;
    let redeem = async |code: &str, more: &[(&str, &str)]| {
        let own = [("grant_type", "authorization_code"), ("code", code)];
        rig.post("/oauth/token", &[&own[..], more, &proof(ZAPIER_ID)].concat()).await
    };
    let code = rig.code(&Ask::of(ZAPIER_ID)).await;
    let elsewhere = [("redirect_uri", "https://zapier.com/")];
    assert_eq!(error(&redeem(&code, &elsewhere).await.expect(400)), "invalid_grant");
    redeem(&code, &[("redirect_uri", ZAPIER)]).await.expect(200);
    assert_eq!(error(&redeem(&code, &[]).await.expect(400)), "invalid_grant");
    let code = rig.code(&Ask::of(ZAPIER_ID)).await;
    rig.world.pass(Duration::from_mins(5));
    assert_eq!(error(&redeem(&code, &[]).await.expect(400)), "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_lives_an_hour_and_its_end_is_a_401_that_makes_zapier_refresh() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of(ZAPIER_ID)).await;
    let own = [("grant_type", "authorization_code"), ("code", &*code)];
    let tokens = rig.post("/oauth/token", &[&own[..], &proof(ZAPIER_ID)].concat()).await.expect(200).json();
    rig.world.pass(Duration::from_hours(1));
    let stale = rig.userinfo(text(&tokens, "access_token")).await.expect(401);
    assert!(stale.header("www-authenticate").contains("error=\"invalid_token\""), "{stale:?}");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
    for path in ["/oauth/refresh", "/oauth/token"] {
        let fresh = rig.post(path, &[&refresh[..], &proof(ZAPIER_ID)].concat()).await.expect(200).json();
        assert!(fresh["refresh_token"].is_string(), "{path}: always, for Zapier would store nothing");
        rig.userinfo(text(&fresh, "access_token")).await.expect(200);
    }
}

/// What is entered at Zapier already goes on to work.
#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_of_the_functions_before_are_kept() {
    let rig = Rig::with_more(
        "[grant.aliases]\n\"/functions/v1/zapier-oauth-authorize\" = \"authorize\"\n\
         \"/functions/v1/zapier-oauth-token\" = \"token\"\n\"/functions/v1/zapier-oauth-refresh\" = \"refresh\"\n\
         \"/functions/v1/zapier-oauth-test\" = \"userinfo\"\n",
    )
    .await;
    let at = |name: &str| format!("/functions/v1/zapier-oauth-{name}");
    let query = Ask::of(ZAPIER_ID).query();
    let page = Browser::new().get(rig.path(&format!("{}?{query}", at("authorize")))).await.expect(303);
    assert!(page.location().path().starts_with("/oauth/authorize/"), "{page:?}");
    let code = rig.code(&Ask::of(ZAPIER_ID)).await;
    let own = [("grant_type", "authorization_code"), ("code", &*code)];
    let tokens = rig.post(&at("token"), &[&own[..], &proof(ZAPIER_ID)].concat()).await.expect(200).json();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
    let fresh =
        rig.post(&at("refresh"), &[&refresh[..], &proof(ZAPIER_ID)].concat()).await.expect(200).json();
    let bearer = format!("Bearer {}", text(&fresh, "access_token"));
    let me = rig.send(Method::GET, &at("test"), &[("authorization", &bearer)]).await.expect(200).json();
    assert_eq!(me["email"], EMAIL);
    let preflight = [("origin", "https://zapier.com"), ("access-control-request-method", "POST")];
    assert_eq!(
        rig.send(Method::OPTIONS, &at("token"), &preflight).await.header("access-control-allow-origin"),
        "*"
    );
}

/// Zapier's own platform code as the client: authorize URL, exchange, test call, label, refresh on 401, runs at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_on_zapiers_platform_connects_and_refreshes() {
    let rig = Rig::new().await;
    let redirect_uri = "http://127.0.0.1:9/callback";
    let grant = &rig.world.server.app.grant;
    let mut settings = zapier("Zapier", vec![redirect_uri.parse().unwrap()]);
    settings.scopes = grant.settings().all_scopes();
    let new = NewApplication {
        client_id: Some("zapier".parse().unwrap()),
        secret: Some(Secret::from(SECRET)),
        settings,
    };
    grant.register(new, Actor::Operator).await.unwrap();
    let at = |path: &str| rig.path(path);
    let input = json!({
        "issuer": rig.world.url,
        "redirect_uri": redirect_uri,
        "scope": "reports.read",
        "person": {"email": EMAIL, "password": PASSWORD},
        "client": {"client_id": "zapier", "client_secret": SECRET},
        "endpoints": {
            "authorize": at("/oauth/authorize"), "token": at("/oauth/token"),
            "refresh": at("/oauth/refresh"), "test": at("/oauth/test"),
        },
        "parallel": true,
    });
    if let Some(seen) = client("zapier.mjs", &input).await {
        assert_eq!(seen["label"], EMAIL);
        assert!(seen["test"]["id"].is_string(), "{seen}");
    }
}
