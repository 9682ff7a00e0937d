//! Requirement 004, "Onboarding E2E Tests", and what belongs to them: four buckets, each by one consent.

use std::time::Duration;

use super::*;
use crate::harness::browser::parameter;
use crate::harness::chromium::{is_sound, nothing_was_blocked};

/// Each bucket with its parts and the account that the sandbox plays there.
const BUCKETS: [(&str, &str, &[&str], &str); 4] = [
    ("github", "GitHub", &["Pull requests", "Commits", "Reviews"], "anna"),
    ("atlassian", "Atlassian", &["Jira", "Confluence"], "anna@example.com"),
    ("microsoft", "Microsoft 365", &["Outlook", "Teams", "OneDrive"], "anna@example.com"),
    ("google_workspace", "Google Workspace", &["Calendar", "Drive"], "anna@example.com"),
];

async fn next_is_enabled(window: &WebDriver) -> bool {
    window.query(By::Css(".advance button")).first().await.unwrap().is_enabled().await.unwrap()
}

#[tokio::test]
async fn happy_path() {
    let Some(window) = window("en").await else { return };
    let world = World::with_four_tools(None, "").await;
    shape(&window, 1280, false).await;
    window.goto(link(&world, &json!({})).await).await.unwrap();
    press(&window, "github").await;
    says(&window, "GitHub (played by the sandbox)").await;
    decide(&window, "approve").await;
    says(&window, "Connected as anna · checked just now").await;
    assert_eq!(path(&window).await, "/portal/onboarding");
    assert!(row(&window, "github").await.contains("Connected"), "at its own row");
    assert!(next_is_enabled(&window).await);
    is_sound(&window, "en").await;
    assert_eq!(world.connection("github").await["status"], "active");
    // Two minutes later it says so; the exact time is there for whoever points at it.
    world.pass(Duration::from_mins(2));
    window.refresh().await.unwrap();
    says(&window, "checked 2 min ago").await;
    let time = window.query(By::Css("#row-github time")).first().await.unwrap();
    assert_eq!(time.attr("title").await.unwrap(), time.attr("datetime").await.unwrap());
    click(&window, ".advance button:enabled").await;
    says(&window, "You are done").await;
    nothing_was_blocked(&window).await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn onboarding_return() {
    let Some(window) = window("en").await else { return };
    let world = World::with_four_tools(None, "").await;
    shape(&window, 390, true).await;
    window.goto(link(&world, &json!({})).await).await.unwrap();
    press(&window, "atlassian").await;
    decide(&window, "approve").await;
    says(&window, "Connected as anna@example.com").await;
    assert_eq!(path(&window).await, "/portal/onboarding", "not settings");
    let shown = row(&window, "atlassian").await;
    assert!(shown.contains("Jira") && shown.contains("Confluence") && shown.contains("Connected"), "{shown}");
    for member in ["jira", "confluence"] {
        assert_eq!(world.connection(member).await["status"], "active");
    }
    assert_eq!(world.rows("atlassian", "token").await.len(), 1, "one consent for both");
    window.quit().await.unwrap();
}

#[tokio::test]
async fn stale_return() {
    let Some(window) = window("en").await else { return };
    let world = World::with_four_tools(None, "").await;
    for (bucket, decision) in [("github", "approve"), ("microsoft", "deny")] {
        shape(&window, 390, false).await;
        window.goto(link(&world, &json!({})).await).await.unwrap();
        press(&window, bucket).await;
        says(&window, "asks for access").await;
        world.pass(Duration::from_mins(16));
        decide(&window, decision).await;
        says(&window, "Connecting took longer than 10 minutes, so it was stopped.").await;
        assert_eq!(path(&window).await, "/portal/settings", "not onboarding");
        assert!(row(&window, bucket).await.contains("Nothing was changed."), "at its own row");
        is_sound(&window, "en").await;
        picture(&window, &format!("settings-stale-{bucket}-390-light")).await;
        assert!(world.rows(bucket, "token").await.is_empty(), "nothing was exchanged");
        assert!(world.audited("attempt.refused").await["reason"] == "expired");
        // From there it works, and comes back there.
        press(&window, bucket).await;
        decide(&window, "approve").await;
        says(&window, "Connected as").await;
        assert_eq!(path(&window).await, "/portal/settings");
    }
    window.quit().await.unwrap();
}

#[tokio::test]
async fn gate_enforcement() {
    let Some(window) = window("en").await else { return };
    let world = World::with_four_tools(None, "").await;
    shape(&window, 1280, false).await;
    window.goto(link(&world, &json!({})).await).await.unwrap();
    says(&window, "Connect one tool to go on.").await;
    assert!(!next_is_enabled(&window).await);
    is_sound(&window, "en").await;
    // A form that is sent all the same leads back.
    let browser = visitor(&world, &json!({})).await;
    let back = browser.form(world.path("/portal/onboarding/finish"), &[]).await.expect(303).location();
    assert_eq!(back.path(), "/portal/onboarding");
    window.quit().await.unwrap();
}

#[tokio::test]
async fn error_display() {
    let Some(window) = window("en").await else { return };
    let world = World::with_four_tools(None, "").await;
    for (width, dark) in [(390, false), (1280, true)] {
        shape(&window, width, dark).await;
        window.goto(link(&world, &json!({})).await).await.unwrap();
        press(&window, "microsoft").await;
        decide(&window, "deny").await;
        says(&window, "Microsoft 365 is not connected").await;
        says(&window, "You chose not to allow it, and nothing was shared.").await;
        assert_eq!(path(&window).await, "/portal/onboarding");
        let shown = row(&window, "microsoft").await;
        assert!(shown.contains("is not connected") && shown.contains("Try again"), "{shown}");
        let focused = window.query(By::Css("#problem:focus")).first().await;
        assert!(focused.is_ok(), "it is read out");
        is_sound(&window, "en").await;
        picture(&window, &format!("onboarding-refused-{width}")).await;
    }
    press(&window, "microsoft").await;
    decide(&window, "approve").await;
    says(&window, "Connected as anna@example.com").await;
    nothing_was_blocked(&window).await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn four_buckets_are_connected_by_four_consents() {
    for (language, width, dark) in [("en", 1280, false), ("et", 320, true)] {
        let Some(window) = window(language).await else { return };
        let world = World::with_four_tools(None, "[portal]\ncoming_soon = [\"zoom\"]\n").await;
        shape(&window, width, dark).await;
        window.goto(link(&world, &json!({"integrations": null})).await).await.unwrap();
        window.query(By::Css("#row-github")).first().await.unwrap();
        let names = window.find_all(By::Css("h2")).await.unwrap();
        let mut shown = Vec::new();
        for name in names {
            shown.push(name.text().await.unwrap());
        }
        // The four first, in this order; then what else is there; at last what is to come.
        let expected = ["GitHub", "Atlassian", "Microsoft 365", "Google Workspace", "Sandbox", "Zoom"];
        assert_eq!(shown, expected);
        picture(&window, &format!("buckets-empty-{language}-{width}")).await;
        assert!(
            window.find_all(By::Css("#row-zoom button, #row-zoom a")).await.unwrap().is_empty(),
            "no button that fails"
        );
        for (id, name, parts, account) in BUCKETS {
            if language == "en" {
                let shown = row(&window, id).await;
                assert!(shown.contains(name) && shown.contains(&parts.join("\n")), "{shown}");
            }
            press(&window, id).await;
            click(&window, "button[name=decision][value=approve]").await;
            let connected = if language == "en" { "Connected as" } else { "Ühendatud kontoga" };
            let found =
                format!("//li[@id='row-{id}'][contains(normalize-space(.), '{connected} {account}')]");
            window.query(By::XPath(&*found)).first().await.unwrap();
        }
        is_sound(&window, language).await;
        picture(&window, &format!("buckets-{language}-{width}")).await;
        window.quit().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_that_is_narrowed_asks_only_for_what_it_offers() {
    let world = World::with_four_tools(None, "").await;
    let browser = visitor(&world, &json!({"integrations": ["jira", "outlook", "teams"]})).await;
    let page = browser.get(world.path("/portal/onboarding")).await.expect(200).body;
    for shown in ["id=\"row-atlassian\"", ">Jira<", "id=\"row-microsoft\"", ">Outlook<", ">Teams<"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    for hidden in ["Confluence", "OneDrive", "id=\"row-github\"", "id=\"row-sandbox\""] {
        assert!(!page.contains(hidden), "{hidden}: {page}");
    }
    let hop =
        browser.form(world.path("/portal/onboarding/microsoft/connect"), &[]).await.expect(303).location();
    let asked = parameter(&browser.get(hop).await.expect(303).location(), "scope").unwrap();
    assert!(
        asked.contains("Mail.Read") && asked.contains("Team.ReadBasic.All") && !asked.contains("Files."),
        "{asked}"
    );
    for refused in ["github", "outlook", "nowhere", "no%20name"] {
        let url = world.path(&format!("/portal/onboarding/{refused}/connect"));
        let status = browser.form(url, &[]).await.status.as_u16();
        assert!([400, 404].contains(&status), "{refused}: {status}");
    }
}

#[tokio::test]
async fn what_is_to_come_is_listed_only_when_the_operator_says_so() {
    let world = World::configured(
        "[portal]\ncoming_soon = [\"zoom\", \"zoho\", \"planned\", \"sandbox\"]\n\
         [integrations.planned]\nprovider = \"figma\"\n[integrations.slack]\n",
    )
    .await;
    let browser = visitor(&world, &json!({})).await;
    let page = browser.get(world.path("/portal/onboarding")).await.expect(200).body;
    for name in ["zoom", "zoho", "planned"] {
        assert!(page.contains(&format!("id=\"row-{name}\"")), "{name}: {page}");
        assert!(!page.contains(&format!("/portal/onboarding/{name}/")), "no button that must fail: {page}");
        browser.form(world.path(&format!("/portal/onboarding/{name}/connect")), &[]).await.expect(404);
    }
    assert_eq!(page.matches("Coming soon").count(), 3, "what can be connected is not to come: {page}");
    assert!(page.contains("Meetings") && page.contains("CRM"), "{page}");
    assert!(!page.contains("Slack"), "neither set up nor announced: {page}");
    let narrow = visitor(&world, &json!({"integrations": ["sandbox"]})).await;
    assert!(!narrow.get(world.path("/portal/onboarding")).await.body.contains("Coming soon"));
}

#[tokio::test]
async fn a_bucket_of_which_a_part_is_missing_or_broken_says_so() {
    let world = World::with_four_tools(None, "").await;
    let browser = visitor(&world, &json!({})).await;
    world.control(&json!({ "approve": "auto" })).await;
    world.connect_by("provider=jira").await;
    let page = || async { browser.get(world.path("/portal/onboarding")).await.expect(200).body };
    let partly = page().await;
    for words in ["Partly connected", "Still to connect: Confluence.", "Connect the rest"] {
        assert!(partly.contains(words), "{words}: {partly}");
    }
    assert!(!partly.contains(" disabled"), "one part is enough to go on: {partly}");
    world.connect_by("group=atlassian").await;
    assert!(!page().await.contains("Partly"));
    world.control(&json!({ "fail": {"kind": "invalid_grant", "times": 1} })).await;
    world.post_of("jira/refresh", &json!({})).await.expect(409);
    let broken = page().await;
    for words in ["Needs you again", "Reconnect", "Nothing that Claviger already read is lost."] {
        assert!(broken.contains(words), "{words}: {broken}");
    }
    assert!(broken.contains(" disabled"), "nothing works: {broken}");
}

#[tokio::test]
async fn a_narrowed_session_has_no_button_for_a_consent_that_its_other_half_forbids() {
    let world = World::with_four_tools(None, "").await;
    let app = json!({"provider": "jira", "clientId": "another", "clientSecret": "another-secret"});
    world.call(Method::PUT, "/api/integrations/jira_two", &app).await.expect(200);
    let browser = visitor(&world, &json!({"integrations": ["jira", "confluence"]})).await;
    let page = browser.get(world.path("/portal/onboarding")).await.expect(200).body;
    let buttons: Vec<&str> = page
        .split("/portal/onboarding/")
        .skip(1)
        .filter_map(|rest| rest.split_once("/connect\""))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(buttons, ["confluence", "jira"], "{page}");
    for id in buttons {
        browser.form(world.path(&format!("/portal/onboarding/{id}/connect")), &[]).await.expect(303);
    }
}

#[tokio::test]
async fn an_integration_whose_catalog_entry_is_gone_takes_nothing_else_down() {
    let world = World::on_sqlite().await;
    for path in ["/api/integrations/lost", "/api/subjects/client-7/integrations/lost"] {
        let app = json!({"provider": "sandbox", "clientId": "lost", "clientSecret": "secret"});
        world.call(Method::PUT, path, &app).await.expect(200);
    }
    world.sql("UPDATE integrations SET provider = 'gone' WHERE id = 'lost'").await;
    let browser = visitor(&world, &json!({})).await;
    for page in ["onboarding", "settings"] {
        let body = browser.get(world.path(&format!("/portal/{page}"))).await.expect(200).body;
        assert!(body.contains("/sandbox/connect") && !body.contains("lost"), "{body}");
    }
    let listed = world.api("/api/integrations").await.expect(200).json();
    assert!(listed.to_string().contains("sandbox") && !listed.to_string().contains("lost"), "{listed}");
}
