//! What goes wrong in front of a person, and what happens when it does: each page says what happened, whether anything was
//! lost, and what to do next.

use std::time::Duration;

use axum::body::Bytes;

use super::*;
use crate::harness::browser::parameter;
use crate::harness::chromium::{is_sound, nothing_was_blocked, status, window_with};

/// Chromium's preferences that switch something off for every site.
const WITHOUT_COOKIES: (&str, u8) = ("profile.default_content_setting_values.cookies", 2);
const WITHOUT_SCRIPT: (&str, u8) = ("profile.managed_default_content_settings.javascript", 2);

#[tokio::test]
async fn a_link_that_was_used_elsewhere_taken_back_or_is_too_old_says_what_to_do() {
    let Some(window) = window("et").await else { return };
    let world = World::on_sqlite().await;
    shape(&window, 320, true).await;
    let used = link(&world, &json!({})).await;
    Browser::new().get(&used).await.expect(303);
    let old = link(&world, &json!({"expiresIn": "1m"})).await;
    world.pass(Duration::from_mins(1));
    let body = json!({"subject": "client-7", "page": "settings"});
    let session = world.call(Method::POST, "/api/portal-sessions", &body).await.expect(201).json();
    let id = session["id"].as_str().unwrap();
    world.call(Method::DELETE, &format!("/api/portal-sessions/{id}"), &Value::Null).await.expect(200);
    for link in [&used, &old, session["url"].as_str().unwrap()] {
        window.goto(link).await.unwrap();
        says(&window, "See link ei tööta").await;
        says(&window, "Midagi ei muudetud.").await;
        assert_eq!(status(&window).await, 400);
        is_sound(&window, "et").await;
        assert!(
            window.find_all(By::Css("main a")).await.unwrap().is_empty(),
            "there is nothing to go back to"
        );
    }
    picture(&window, "error-link-320").await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn a_session_that_is_withdrawn_meanwhile_ends_on_a_page_of_its_own() {
    let world = World::on_sqlite().await;
    let body = json!({"subject": "client-7", "page": "settings"});
    let session = world.call(Method::POST, "/api/portal-sessions", &body).await.expect(201).json();
    let browser = Browser::new();
    browser.get(session["url"].as_str().unwrap()).await.expect(303);
    let hop = browser.form(world.path("/portal/settings/sandbox/connect"), &[]).await.expect(303).location();
    let provider = browser.get(hop).await.expect(303).location();
    let id = session["id"].as_str().unwrap();
    world.call(Method::DELETE, &format!("/api/portal-sessions/{id}"), &Value::Null).await.expect(200);
    let callback = browser.get(provider).await.expect(303).location();
    let settings = browser.get(callback).await.expect(303).location();
    assert_eq!(settings.path(), "/portal/settings");
    let page = browser.get(settings).await.expect(401).body;
    assert!(page.contains("portal_session_needed") && page.contains("Nothing is lost."), "{page}");
    assert!(!page.contains("href=\"/portal\""), "going back would lead here again: {page}");
    world.api("/api/connections/client-7/sandbox").await.expect(404);
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookies_is_told_so_and_goes_round_in_no_circle() {
    let Some(window) = window_with("en", &[WITHOUT_COOKIES]).await else { return };
    let world = World::on_sqlite().await;
    for page in ["onboarding", "settings"] {
        window.goto(link(&world, &json!({ "page": page })).await).await.unwrap();
        says(&window, "Your browser keeps no cookies").await;
        says(&window, "Allow cookies for this address, then open your link again.").await;
        assert_eq!(status(&window).await, 400);
        is_sound(&window, "en").await;
    }
    let dev = Dev::start();
    window.goto(dev.get("onboardingUrl")).await.unwrap();
    says(&window, "cookies_needed").await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn a_tool_that_lost_its_app_keeps_its_state_and_has_no_button_that_fails() {
    let world = World::with_four_tools(None, "").await;
    let app = json!({"provider": "github", "clientId": "github", "clientSecret": "github-secret"});
    world.call(Method::PUT, "/api/integrations/github_two", &app).await.expect(200);
    world.control(&json!({ "approve": "auto" })).await;
    world.connect_by("provider=github_two").await;
    let browser = visitor(&world, &json!({})).await;
    world.call(Method::DELETE, "/api/integrations/github_two", &Value::Null).await;
    for page in ["onboarding", "settings"] {
        let body = browser.get(world.path(&format!("/portal/{page}"))).await.expect(200).body;
        assert!(
            body.contains("id=\"row-github_two\"") && body.contains("it is not set up for that any more"),
            "{body}"
        );
        assert!(!body.contains(&format!("/portal/{page}/github_two/connect")), "{body}");
        let refused = browser.form(world.path(&format!("/portal/{page}/github_two/connect")), &[]).await;
        let refused = refused.expect(400).body;
        assert!(refused.contains("is not set up") && !refused.contains("client_id"), "{refused}");
        assert!(refused.contains("href=\"/portal\""), "back to the tools: {refused}");
    }
    // Disconnecting still works; then it is gone from the page.
    browser.form(world.path("/portal/settings/github_two/disconnect"), &[]).await.expect(303);
    let body = browser.get(world.path("/portal/settings")).await.expect(200).body;
    assert!(!body.contains("id=\"row-github_two\""), "{body}");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_told_at_its_row_and_nothing_is_lost() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let browser = visitor(&world, &json!({})).await;
    world.control(&json!({ "fail": {"kind": "503", "times": 9} })).await;
    let hop = browser.form(world.path("/portal/settings/sandbox/connect"), &[]).await.expect(303).location();
    let provider = browser.get(hop).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    let back = browser.get(callback).await.expect(303).location();
    let body = browser.get(back).await.expect(200).body;
    assert!(body.contains("Sandbox is not answering. Nothing was changed."), "{body}");
    assert!(body.contains("Sandbox stays connected as it was"), "{body}");
    world.token().await.expect(200);
}

#[tokio::test]
async fn every_outcome_has_its_words_at_the_row_and_a_made_up_one_is_no_way_to_write_on_the_page() {
    let world = World::on_sqlite().await;
    let browser = visitor(&world, &json!({"language": "et"})).await;
    for (code, words) in [
        ("access_denied", "Sa ei andnud luba ja midagi ei jagatud."),
        ("admin_consent_required", "Su asutuses saab uusi rakendusi lubada ainult administraator."),
        ("expired_state", "Ühendamine kestis üle 10 minuti ja peatati."),
        ("provider_unavailable", "Sandbox ei vasta."),
        ("exchange_failed", "Sandbox ei viinud loa andmist lõpule."),
        ("<b>x</b>", "Sandbox ei viinud loa andmist lõpule."),
    ] {
        for page in ["onboarding", "settings"] {
            let mut url = url::Url::parse(&world.path(&format!("/portal/{page}"))).unwrap();
            url.query_pairs_mut()
                .append_pair("oauth", "error")
                .append_pair("provider", "sandbox")
                .append_pair("code", code);
            let body = browser.get(&url).await.expect(200).body;
            assert!(body.contains(words) && body.contains("Sandbox ei ole ühendatud"), "{code}: {body}");
            assert!(body.contains("Proovi uuesti") && !body.contains("<b>x"), "{code}: {body}");
        }
    }
    for bad in ["oauth=error&oauth=error", "entered=maybe", "label=a%20b"] {
        browser.get(world.path(&format!("/portal/onboarding?{bad}"))).await.expect(400);
    }
    for added in ["utm_source=mail&utm_source=x", "surprise=1", "tab=elsewhere"] {
        browser.get(world.path(&format!("/portal/onboarding?{added}"))).await.expect(200);
        browser.get(world.path(&format!("/portal/settings?{added}"))).await.expect(200);
    }
    let elsewhere = browser.get(world.path("/portal/onboarding?oauth=error&provider=nobody&code=x")).await;
    let elsewhere = elsewhere.expect(200).body;
    assert!(elsewhere.contains("id=\"problem\"") && elsewhere.contains("Midagi ei ühendatud"), "{elsewhere}");
    assert!(!elsewhere.contains("nobody"), "{elsewhere}");
}

#[tokio::test]
async fn two_tabs_the_back_button_and_impatient_fingers_do_no_harm() {
    let Some(window) = window("en").await else { return };
    let world = World::with_four_tools(None, "").await;
    shape(&window, 1280, false).await;
    window.goto(link(&world, &json!({})).await).await.unwrap();
    let first = window.window().await.unwrap();
    let onboarding = world.path("/portal/onboarding");

    // A second tab begins the same, and ends first.
    press(&window, "github").await;
    says(&window, "asks for access").await;
    let second = window.new_tab().await.unwrap();
    window.switch_to_window(second).await.unwrap();
    window.goto(&onboarding).await.unwrap();
    press(&window, "github").await;
    decide(&window, "approve").await;
    says(&window, "Connected as anna").await;
    window.close_window().await.unwrap();
    window.switch_to_window(first).await.unwrap();
    decide(&window, "approve").await;
    says(&window, "Connected as anna").await;
    let all = world.api("/api/connections?subject=client-7").await.json();
    assert_eq!(all["connections"].as_array().unwrap().len(), 1, "{all}");

    // Back from the provider, the button works again.
    press(&window, "atlassian").await;
    says(&window, "asks for access").await;
    window.back().await.unwrap();
    let found =
        "//li[@id='row-atlassian']//form/button[not(@disabled)][starts-with(normalize-space(.), 'Connect')]";
    window.query(By::XPath(found)).first().await.unwrap();

    // Who presses twice sends once, and sees that it was heard.
    let sent = world.audit().await.iter().filter(|entry| entry["event"] == "attempt.started").count();
    let twice = r#"
        const button = document.querySelector("li#row-atlassian form.row-action button");
        addEventListener("submit", (event) => setTimeout(() => {
            sessionStorage.setItem("seen", `${button.disabled} ${button.textContent}`);
        }));
        button.click();
        button.click();
    "#;
    window.execute(twice, Vec::new()).await.unwrap();
    decide(&window, "approve").await;
    says(&window, "Connected as anna@example.com").await;
    let seen = window.execute("return sessionStorage.getItem('seen')", Vec::new()).await.unwrap();
    assert_eq!(seen.json(), &json!("true Opening Atlassian…"));
    let begun = world.audit().await.iter().filter(|entry| entry["event"] == "attempt.started").count();
    assert_eq!(begun, sent + 1);
    // The same without a browser's help.
    let browser = visitor(&world, &json!({})).await;
    for _ in 0..2 {
        browser.form(world.path("/portal/onboarding/atlassian/disconnect"), &[]).await.expect(303);
    }
    nothing_was_blocked(&window).await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn a_question_opens_where_it_is_asked_and_the_keyboard_finds_its_way() {
    let Some(window) = window("en").await else { return };
    let world = World::on_sqlite().await;
    world.connect().await;
    shape(&window, 390, false).await;
    window.goto(link(&world, &json!({})).await).await.unwrap();
    let focused = || async {
        let active =
            "const a = document.activeElement; return a.getAttribute('href') ?? a.textContent.trim()";
        window.execute(active, Vec::new()).await.unwrap().json().as_str().unwrap().to_owned()
    };
    let opener = window.query(By::Css("#row-sandbox [data-opens]")).first().await.unwrap();
    opener.send_keys(Key::Enter).await.unwrap();
    let question = window.query(By::Css("#disconnect-sandbox[data-open]")).first().await.unwrap();
    assert!(question.is_displayed().await.unwrap());
    assert_eq!(focused().await, "#row-sandbox", "on what keeps it");
    assert_eq!(window.current_url().await.unwrap().fragment(), None, "the page did not jump");
    window.active_element().await.unwrap().send_keys(Key::Escape).await.unwrap();
    assert_eq!(focused().await, "#disconnect-sandbox", "back where it was asked");
    assert!(!question.is_displayed().await.unwrap());
    window.quit().await.unwrap();
}

#[tokio::test]
async fn without_script_everything_works() {
    let Some(window) = window_with("en", &[WITHOUT_SCRIPT]).await else { return };
    let world = World::with_four_tools(None, "").await;
    window.goto(link(&world, &json!({"page": "settings"})).await).await.unwrap();
    click(&window, "#row-microsoft form.row-action button").await;
    click(&window, "button[name=decision][value=deny]").await;
    says(&window, "You chose not to allow it, and nothing was shared.").await;
    click(&window, "#row-microsoft form.row-action button").await;
    click(&window, "button[name=decision][value=approve]").await;
    says(&window, "Connected as anna@example.com").await;
    click(&window, "#row-microsoft a[data-opens]").await;
    assert_eq!(window.current_url().await.unwrap().fragment(), Some("disconnect-microsoft"));
    click(&window, "#disconnect-microsoft a[data-closes]").await;
    assert_eq!(window.current_url().await.unwrap().fragment(), Some("row-microsoft"));
    click(&window, "#row-microsoft a[data-opens]").await;
    click(&window, "#disconnect-microsoft button").await;
    window.query(By::Css("#row-microsoft form.row-action button")).first().await.unwrap();
    assert_eq!(world.connection("outlook").await["status"], "disconnected");
    window.quit().await.unwrap();
}

#[tokio::test]
async fn names_of_any_script_and_names_that_are_html_stay_names() {
    let Some(window) = window("en").await else { return };
    let world = World::on_sqlite().await;
    shape(&window, 320, false).await;
    for name in [
        "Õunapuu & Täht OÜ",
        "شركة التفاح",
        "🍎🌳 Ltd",
        "<img src=x onerror=alert(1)>",
        "</bdi><script>alert(1)</script>",
        &"Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch".repeat(3),
    ] {
        world.call(Method::PUT, "/api/subjects/client-7", &json!({ "name": name })).await.expect(200);
        for page in ["onboarding", "settings"] {
            window.goto(link(&world, &json!({ "page": page })).await).await.unwrap();
            let shown = window.query(By::Css(".page-head bdi")).first().await.unwrap().text().await.unwrap();
            assert_eq!(shown, name);
            is_sound(&window, "en").await;
        }
    }
    picture(&window, "onboarding-long-name-320").await;
    nothing_was_blocked(&window).await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn an_error_is_a_page_for_a_person_and_a_document_for_a_program() {
    let world = World::on_sqlite().await;
    let browser = visitor(&world, &json!({})).await;
    let large = Bytes::from(vec![b'a'; 1024 * 1024 + 1]);
    let own = [("accept", "text/html"), ("origin", &*world.url), ("sec-fetch-site", "same-origin")];
    let cases = [
        (Method::GET, "/nowhere", 404, "what was here has gone"),
        (Method::GET, "/portal/nowhere", 404, "what was here has gone"),
        (Method::PUT, "/portal/onboarding", 405, "use the buttons of the page"),
        (Method::POST, "/assets/claviger.css", 405, "use the buttons of the page"),
        (Method::POST, "/portal/settings/sandbox/connect", 413, "Go back and send less."),
        (Method::GET, "/portal/settings?entered=maybe", 400, "use the buttons of the page"),
        (Method::GET, "/api/oauth/callback?state=x", 400, "Nothing was changed by this visit."),
        (Method::GET, "/connect/start/x", 400, "Go back and connect again."),
    ];
    for (method, path, status, words) in cases {
        let body = if status == 413 { large.clone() } else { Bytes::new() };
        let page = browser.send(method.clone(), &world.path(path), &own, body.clone()).await.expect(status);
        assert!(
            page.body.starts_with("<!doctype html>") && page.body.contains(words),
            "{path}: {}",
            page.body
        );
        assert!(page.body.contains(page.header("x-request-id")), "{path}");
        assert!(page.body.contains("href=\"/portal\""), "back to the tools: {path}: {}", page.body);
        let headers = [("accept", "application/json"), ("origin", &*world.url)];
        let document = Browser::new().send(method, &world.path(path), &headers, body).await;
        if document.status != 401 {
            assert_eq!(document.header("content-type"), "application/problem+json", "{path}");
        }
    }
    // Who has no session has nothing to go back to.
    let stranger = Browser::new().get(world.path("/nowhere")).await.expect(404);
    assert!(!stranger.body.contains("href=\"/portal\""), "{}", stranger.body);
    let estonian = [("accept", "text/html"), ("accept-language", "et")];
    let page = Browser::new().send(Method::GET, &world.path("/nowhere"), &estonian, Bytes::new()).await;
    assert!(page.body.contains("Mine tagasi või ava link, mille said."), "{}", page.body);
}

#[tokio::test]
async fn a_state_that_the_back_button_brings_again_changes_nothing() {
    let world = World::on_sqlite().await;
    let browser = visitor(&world, &json!({})).await;
    let hop =
        browser.form(world.path("/portal/onboarding/sandbox/connect"), &[]).await.expect(303).location();
    let provider = browser.get(&hop).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    let back = browser.get(&callback).await.expect(303).location();
    assert_eq!(parameter(&back, "oauth").as_deref(), Some("success"));
    for again in [&callback, &hop] {
        let page = browser.get(again).await.expect(400).body;
        assert!(page.contains("href=\"/portal\""), "{page}");
    }
    world.token().await.expect(200);
}
