//! The callback in the order of the specification, and what an attacker tries with it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::json;
use tokio::task::JoinSet;
use url::Url;

use crate::harness::browser::parameter;
use crate::harness::{Browser, World, on_both_stores};

on_both_stores! {
    async fn a_person_who_refuses_spends_the_attempt(world: World) {
        world.control(&json!({"approve": "deny"})).await;
        let browser = Browser::new();
        let link = world.auth_url("provider=sandbox").await;
        let provider = browser.get(link).await.expect(303).location();
        let callback = browser.get(provider).await.expect(303).location();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));
        let page = browser.get(&callback).await.expect(400);
        assert!(page.body.contains("access_denied") && page.body.contains("nothing was shared"), "{}", page.body);
        assert_eq!(world.audited("attempt.refused").await["reason"], "access_denied");
        // Spent: a code that comes later with the same state is too late.
        let mut late = callback.clone();
        let state = parameter(&callback, "state").unwrap();
        late.set_query(Some(&format!("state={state}&code=x")));
        assert!(browser.get(&late).await.expect(400).body.contains("invalid_state"));
    }

    async fn a_state_works_once(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        let arrived = browser.get(&callback).await.expect(303).location();
        assert_eq!(
            arrived.as_str(),
            "https://app.example.com/admin/clients/client-7?oauth=success&provider=sandbox"
        );
        assert!(browser.get(&callback).await.expect(400).body.contains("invalid_state"));
        assert_eq!(world.audited("attempt.refused").await["reason"], "used");
        assert_eq!(world.calls("token", Some("authorization_code")).await, 1);
        world.token().await.expect(200);
    }

    async fn an_attempt_that_took_too_long_exchanges_nothing(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        world.pass(Duration::from_mins(11));
        assert!(browser.get(&callback).await.expect(400).body.contains("expired_state"));
        let refused = world.audited("attempt.refused").await;
        assert_eq!(refused["reason"], "expired");
        assert_eq!(refused["facts"]["age_ms"], 660_000);
        assert_eq!(world.calls("token", None).await, 0);
        // After its retention it is swept, and then it is as unknown as an invented one.
        world.pass(Duration::from_hours(25));
        let swept = claviger::jobs::sweep_attempts(&world.server.app, Duration::from_hours(24)).await.unwrap();
        assert_eq!(swept, 1);
        assert!(browser.get(&callback).await.expect(400).body.contains("invalid_state"));
    }

    async fn a_callback_in_another_browser_is_refused_and_the_right_one_still_works(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        assert!(Browser::new().get(&callback).await.expect(400).body.contains("foreign_browser"));
        // A browser that has begun an attempt of its own is foreign to this one too.
        let other = Browser::new();
        world.callback_url(&other, "provider=sandbox").await;
        assert!(other.get(&callback).await.expect(400).body.contains("foreign_browser"));
        assert_eq!(world.calls("token", None).await, 0);
        assert_eq!(parameter(&browser.get(&callback).await.location(), "oauth").as_deref(), Some("success"));
    }

    async fn twelve_callbacks_with_one_state_make_one_exchange(world: World) {
        let browser = Browser::new();
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        let browser = Arc::new(browser);
        let mut callers = JoinSet::new();
        for _ in 0..12 {
            let (browser, callback) = (browser.clone(), callback.clone());
            callers.spawn(async move { browser.get(callback).await });
        }
        let answers = callers.join_all().await;
        let succeeded = answers.iter().filter(|answer| answer.status == 303).count();
        let refused = answers.iter().filter(|answer| answer.status == 400 && answer.body.contains("invalid_state")).count();
        assert_eq!((succeeded, refused), (1, 11));
        assert_eq!(world.calls("token", Some("authorization_code")).await, 1);
        world.token().await.expect(200);
    }

    async fn parallel_tabs_do_not_disturb_each_other(world: World) {
        let browser = Browser::new();
        let first = world.callback_url(&browser, "provider=sandbox").await;
        let second = world.callback_url(&browser, "provider=sandbox&label=second").await;
        for callback in [first, second] {
            assert_eq!(parameter(&browser.get(callback).await.location(), "oauth").as_deref(), Some("success"));
        }
        world.api("/api/connections/client-7/sandbox/token?label=second").await.expect(200);
        world.token().await.expect(200);
        assert!(browser.cookies_of(&world.url).is_empty(), "spent cookies are taken back");
    }
}

#[tokio::test]
async fn a_state_that_is_missing_invented_malformed_or_repeated_is_invalid() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let callback = world.callback_url(&browser, "provider=sandbox").await;
    let state = parameter(&callback, "state").unwrap();
    assert!(state.len() == 64 && state.bytes().all(|b| b.is_ascii_hexdigit()), "{state}");
    let invented = "0".repeat(64);
    let long = "a".repeat(5000);
    for query in [
        "code=x".to_owned(),
        "state=&code=x".to_owned(),
        format!("state={invented}&code=x"),
        format!("state={}&code=x", &state[..63]),
        format!("state={state}0&code=x"),
        format!("state={}&code=x", state.to_uppercase()),
        format!("state={long}&code=x"),
        format!("state={state}&state={state}&code=x"),
        format!("state={state}&code=x&code=y"),
        "state=%00%ff&code=x".to_owned(),
    ] {
        let url = world.path(&format!("/api/oauth/callback/sandbox?{query}"));
        let answer = Browser::with_key("none").get(&url).await;
        assert_eq!(answer.problem(), (400, "invalid_state".to_owned()), "{query}");
    }
    let oversized = world.path(&format!("/api/oauth/callback?state={state}&code={}", "x".repeat(20_000)));
    assert_eq!(Browser::with_key("none").get(&oversized).await.problem().0, 400);
    assert_eq!(world.calls("token", None).await, 0);
    // None of that harmed the attempt.
    assert_eq!(parameter(&browser.get(&callback).await.location(), "oauth").as_deref(), Some("success"));
}

#[tokio::test]
async fn an_answer_on_another_integrations_path_or_of_another_issuer_is_refused() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let callback = world.callback_url(&browser, "provider=sandbox").await;
    let mut elsewhere = callback.clone();
    elsewhere.set_path("/api/oauth/callback/github");
    assert!(browser.get(&elsewhere).await.expect(400).body.contains("wrong_integration"));
    assert_eq!(parameter(&callback, "iss").as_deref(), Some(world.sandbox.as_str()), "the sandbox sends iss");
    let foreign = callback.as_str().replace(&urlencoded(&world.sandbox), "https%3A%2F%2Fevil.example");
    assert_ne!(foreign, callback.as_str());
    assert!(browser.get(&foreign).await.expect(400).body.contains("wrong_issuer"));
    assert_eq!(world.calls("token", None).await, 0);
    let mut plain = callback.clone();
    plain.set_path("/api/oauth/callback");
    assert_eq!(parameter(&browser.get(&plain).await.location(), "oauth").as_deref(), Some("success"));
}

fn urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn a_code_that_was_slipped_in_fails_at_the_provider_and_spends_the_attempt() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let victim = world.callback_url(&browser, "provider=sandbox").await;
    let attacker = world.callback_url(&Browser::new(), "provider=sandbox").await;
    let code = parameter(&attacker, "code").unwrap();
    let state = parameter(&victim, "state").unwrap();
    let url = world.path(&format!(
        "/api/oauth/callback/sandbox?code={code}&state={state}&iss={}",
        urlencoded(&world.sandbox)
    ));
    let arrived = browser.get(url).await.expect(303).location();
    assert_eq!(
        parameter(&arrived, "oauth").as_deref(),
        Some("error"),
        "PKCE ties the code to its attempt: {arrived}"
    );
    assert_eq!(parameter(&arrived, "code").as_deref(), Some("exchange_failed"));
    assert_eq!(world.token().await.problem().0, 404);
}

#[tokio::test]
async fn a_description_of_the_provider_is_escaped_and_cut() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let callback = world.callback_url(&browser, "provider=sandbox").await;
    let state = parameter(&callback, "state").unwrap();
    let evil = urlencoded(&format!("<script>alert(1)</script>\u{0}\"'&{}", "x".repeat(2000)));
    let page = browser
        .get(world.path(&format!(
            "/api/oauth/callback/sandbox?error=server_error&error_description={evil}&state={state}"
        )))
        .await;
    let page = page.expect(400);
    assert!(!page.body.contains("<script>") && page.body.contains("&#60;script&#62;"), "{}", page.body);
    assert!(!page.body.contains(&"x".repeat(301)));
    let admin = world.callback_url(&browser, "provider=sandbox").await;
    let state = parameter(&admin, "state").unwrap();
    let url = world.path(&format!(
        "/api/oauth/callback?error=access_denied&error_description=AADSTS90094:+admin&state={state}"
    ));
    assert!(browser.get(url).await.expect(400).body.contains("admin_consent_required"));
}

#[tokio::test]
async fn whatever_the_provider_answers_to_the_code_ends_in_an_error_that_is_told() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    for (settings, code) in [
        (json!({"fail": {"kind": "500", "times": 1}}), "provider_unavailable"),
        (json!({"fail": {"kind": "503", "times": 1}}), "provider_unavailable"),
        (json!({"fail": {"kind": "garbage", "times": 1}}), "exchange_failed"),
        (json!({"fail": {"kind": "huge", "times": 1}}), "exchange_failed"),
        (json!({"fail": {"kind": "hang", "times": 1}}), "provider_unavailable"),
        (json!({"fail": {"kind": "redirect", "times": 1}}), "exchange_failed"),
        (json!({"tokenFormat": "error_with_200", "fail": null}), "exchange_failed"),
    ] {
        world.control(&json!({"tokenFormat": "json"})).await;
        let callback = world.callback_url(&browser, "provider=sandbox").await;
        world.control(&settings).await;
        // An error with status 200 needs a reason for an error: a code that the sandbox never gave.
        let callback = if settings["tokenFormat"].is_string() {
            Url::parse(&callback.as_str().replace("code=", "code=not-")).unwrap()
        } else {
            callback
        };
        let before = world.calls("token", None).await;
        let arrived = browser.get(&callback).await.expect(303).location();
        let told = parameter(&arrived, "code").unwrap_or_default();
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("error"), "{settings}: {arrived}");
        assert_eq!(told, code, "{settings}");
        assert_eq!(
            world.calls("token", None).await,
            before + 1,
            "{settings}: one call, nothing followed or repeated"
        );
        assert!(
            browser.get(&callback).await.expect(400).body.contains("invalid_state"),
            "the attempt is spent"
        );
        assert_eq!(world.token().await.problem().0, 404, "{settings}: nothing was stored");
        assert_eq!(world.audited("attempt.failed").await["outcome"], "failure");
    }
    world.control(&json!({"tokenFormat": "json"})).await;
    world.connect().await;
}

#[tokio::test]
async fn a_browser_that_goes_away_does_not_take_the_tokens_with_it() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let callback = world.callback_url(&browser, "provider=sandbox").await;
    world.control(&json!({"latency": 2000})).await;
    let visit = tokio::spawn(async move { browser.get(callback).await });
    // The provider is asked, and takes its time.
    while world.calls("token", Some("authorization_code")).await == 0 {}
    visit.abort();
    assert!(visit.await.is_err_and(|error| error.is_cancelled()));
    world.server.app.connect.drain().await;
    world.token().await.expect(200);
}

#[tokio::test]
async fn a_link_preview_that_asks_with_head_uses_nothing_up() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let link = world.auth_url("provider=sandbox").await;
    let head = async |url: &str| browser.send(Method::HEAD, url, &[], Bytes::new()).await;
    assert_eq!((head(&link).await.status.as_u16(), head(&link).await.header("allow")), (405, "GET"));
    let provider = browser.get(&link).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    assert_eq!(head(callback.as_str()).await.status, 405);
    assert_eq!(parameter(&browser.get(callback).await.location(), "oauth").as_deref(), Some("success"));
}

#[tokio::test]
async fn an_address_to_return_to_can_not_pretend_how_it_ended() {
    let world = World::configured("[connect]\nreturn_to = [\"https://app.example.com\"]\n").await;
    let browser = Browser::new();
    let return_to = urlencoded("https://app.example.com/?oauth=success&tab=1&code=none");
    let callback = world.callback_url(&browser, &format!("provider=sandbox&returnTo={return_to}")).await;
    world.control(&json!({"fail": {"kind": "500", "times": 1}})).await;
    assert_eq!(
        browser.get(callback).await.expect(303).location().as_str(),
        "https://app.example.com/?tab=1&oauth=error&provider=sandbox&code=provider_unavailable"
    );
}

#[tokio::test]
async fn the_hop_works_once_and_only_for_a_while() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let link = world.auth_url("provider=sandbox").await;
    let away = browser.get(&link).await.expect(303);
    assert!(away.header("set-cookie").contains("HttpOnly; SameSite=Lax"), "{away:?}");
    assert!(browser.get(&link).await.expect(400).body.contains("invalid_ticket"));
    let late = world.auth_url("provider=sandbox").await;
    world.pass(Duration::from_mins(11));
    assert!(browser.get(&late).await.expect(400).body.contains("invalid_ticket"));
    assert!(
        browser.get(world.path("/connect/start/invented")).await.expect(400).body.contains("invalid_ticket")
    );
}

#[tokio::test]
async fn without_binding_any_browser_may_end_it_because_the_product_asked_for_that() {
    let world = World::on_sqlite().await;
    let provider = world.auth_url("provider=sandbox&binding=none").await;
    assert!(provider.starts_with(&world.sandbox), "{provider}");
    let callback = Browser::new().get(provider).await.expect(303).location();
    let arrived = Browser::new().get(callback).await.expect(303).location();
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"));
}

#[tokio::test]
async fn the_browser_goes_where_return_to_says() {
    let world = World::configured("[connect]\nreturn_to = [\"https://app.example.com/settings\"]\n").await;
    let browser = Browser::new();
    let return_to = urlencoded("https://app.example.com/settings/tools?tab=1");
    let callback = world.callback_url(&browser, &format!("provider=sandbox&returnTo={return_to}")).await;
    assert_eq!(
        browser.get(callback).await.expect(303).location().as_str(),
        "https://app.example.com/settings/tools?tab=1&oauth=success&provider=sandbox"
    );
}

#[tokio::test]
async fn fewer_scopes_than_asked_are_noticed() {
    let world = World::on_sqlite().await;
    world.control(&json!({"grantedScopes": ["profile"]})).await;
    world.connect().await;
    let row = world.api("/api/connections/client-7/sandbox").await.json();
    assert_eq!(row["scopes"], json!(["profile"]));
    assert!(row["scopesMissing"].as_array().unwrap().iter().any(|scope| scope == "notes:read"), "{row}");
    assert_eq!(row["scopesDrift"], json!([]), "it was asked for all that is configured");
    assert_eq!(row["reconnect"], "/api/oauth/authorize/client-7?provider=sandbox");
}

#[tokio::test]
async fn a_configuration_that_asks_for_more_by_now_shows_as_drift_until_the_person_reconnects() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let row = world.api("/api/connections/client-7/sandbox").await.json();
    assert_eq!((&row["scopesDrift"], row.get("reconnect")), (&json!([]), None));
    let own = json!({"provider": "sandbox", "clientId": "claviger", "clientSecret": "sandbox-secret",
        "scopes": ["profile", "offline_access", "notes:write"]});
    world.call(Method::PUT, "/api/subjects/client-7/integrations/sandbox", &own).await.expect(200);
    let page = world.api("/api/connections?subject=client-7").await.expect(200).json();
    assert_eq!(page["connections"][0]["scopesDrift"], json!(["notes:write"]));
    let link = page["connections"][0]["reconnect"].as_str().unwrap().to_owned();

    let auth_url = world.api(&link).await.expect(200).json()["authUrl"].as_str().unwrap().to_owned();
    let browser = Browser::new();
    let provider = browser.get(auth_url).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    browser.get(callback).await.expect(303);
    let row = world.api("/api/connections/client-7/sandbox").await.json();
    assert_eq!((&row["scopesDrift"], row.get("reconnect")), (&json!([]), None), "{row}");
    // An app that is gone asks for nothing.
    world
        .backend
        .send(Method::DELETE, &world.path("/api/connections/client-7/sandbox"), &[], Bytes::new())
        .await;
    let row = world.api("/api/connections/client-7/sandbox").await.json();
    assert_eq!((&row["scopesDrift"], row.get("reconnect")), (&json!([]), None), "{row}");
}

#[tokio::test]
async fn a_program_gets_a_problem_document_and_a_person_a_page() {
    let world = World::on_sqlite().await;
    let url = world.path("/api/oauth/callback?state=x");
    let page = Browser::new().get(&url).await.expect(400);
    assert!(page.header("content-type").starts_with("text/html"));
    let headers = [("accept", "text/html"), ("accept-language", "et")];
    let estonian = Browser::new().send(Method::GET, &url, &headers, Bytes::new()).await;
    assert!(
        estonian.body.contains("<html lang=\"et\">") && estonian.body.contains("enam ei kehti"),
        "{}",
        estonian.body
    );
    let document = Browser::with_key("none").get(&url).await;
    assert_eq!(document.header("content-type"), "application/problem+json");
}
