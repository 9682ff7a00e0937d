//! What is connected, with its account, what it may do there and when it was last proved; reconnect, disconnect.

use super::*;
use crate::harness::browser::parameter;
use crate::harness::chromium::{is_sound, nothing_was_blocked};

const SETTINGS: &str = "/portal/settings?tab=integrations";

async fn page(world: &World, browser: &Browser) -> String {
    browser.get(world.path(SETTINGS)).await.expect(200).body
}

/// The part of the page that is one row.
fn part<'a>(page: &'a str, anchor: &str) -> &'a str {
    let from = page.find(&format!("id=\"row-{anchor}\"")).unwrap_or_else(|| panic!("{anchor}: {page}"));
    page[from..].split("<li class=\"row").next().unwrap()
}

#[tokio::test]
async fn a_person_sees_what_is_connected_reconnects_and_disconnects() {
    for (language, width, dark) in [("en", 1280, false), ("et", 390, true)] {
        let Some(window) = window(language).await else { return };
        let world = World::with_four_tools(None, "").await;
        world.control(&json!({ "approve": "auto" })).await;
        world.connect_by("provider=github").await;
        world.connect_by("group=microsoft").await;
        world.control(&json!({ "fail": {"kind": "invalid_grant", "times": 1} })).await;
        world.post_of("outlook/refresh", &json!({})).await.expect(409);
        world.control(&json!({ "approve": "ask" })).await;
        shape(&window, width, dark).await;
        window.goto(link(&world, &json!({"page": "settings"})).await).await.unwrap();
        let english = language == "en";
        let says_here = |english_words: &'static str, estonian: &'static str| {
            let words = if english { english_words } else { estonian };
            let window = &window;
            async move { says(window, words).await }
        };
        says_here("Needs you again", "Vajab sind uuesti").await;
        assert_eq!(
            window.current_url().await.unwrap().query(),
            Some("tab=integrations"),
            "the address is clean"
        );
        is_sound(&window, language).await;
        picture(&window, &format!("settings-{language}-{width}")).await;
        click(&window, "#row-github summary").await;
        says(&window, "read:user").await;
        no_sideways_scrolling(&window).await;

        press(&window, "microsoft").await;
        click(&window, "button[name=decision][value=approve]").await;
        let connected =
            if english { "Connected as anna@example.com" } else { "Ühendatud kontoga anna@example.com" };
        says(&window, connected).await;
        assert_eq!(path(&window).await, "/portal/settings", "it comes back to where it began");

        click(&window, "#row-microsoft a[data-opens]").await;
        says_here("Disconnect Microsoft 365?", "Kas katkestada ühendus: Microsoft 365?").await;
        picture(&window, &format!("settings-disconnect-{language}-{width}")).await;
        click(&window, "#disconnect-microsoft a[data-closes]").await;
        let question = window.find(By::Css("#disconnect-microsoft")).await.unwrap();
        assert!(!question.is_displayed().await.unwrap());
        assert_eq!(world.connection("teams").await["status"], "active", "keeping it changes nothing");
        click(&window, "#row-microsoft a[data-opens]").await;
        click(&window, "#disconnect-microsoft button").await;
        window.query(By::Css("#row-microsoft form.row-action button")).first().await.unwrap();
        for member in ["outlook", "teams", "onedrive"] {
            assert_eq!(world.connection(member).await["status"], "disconnected");
        }
        assert_eq!(world.connection("github").await["status"], "active");
        nothing_was_blocked(&window).await;
        window.quit().await.unwrap();
    }
}

#[tokio::test]
async fn before_anything_is_connected_the_page_says_what_will_be_here() {
    let world = World::on_sqlite().await;
    let browser = visitor(&world, &json!({"page": "settings"})).await;
    let body = page(&world, &browser).await;
    assert!(body.contains("Nothing is connected yet.") && body.contains("id=\"row-sandbox\""), "{body}");
    assert!(body.contains("/portal/settings/sandbox/connect"), "{body}");
    browser.get(world.path("/portal/settings?tab=team")).await.expect(200);
    assert_eq!(
        browser.get(world.path("/portal")).await.expect(303).location().as_str(),
        world.path(SETTINGS)
    );
    // Who may open one page may open the other.
    browser.get(world.path("/portal/onboarding")).await.expect(200);
    let other = visitor(&world, &json!({})).await;
    assert!(page(&world, &other).await.contains("id=\"row-sandbox\""));
    assert_eq!(other.get(world.path("/portal")).await.expect(303).location().path(), "/portal/onboarding");
    Browser::new().get(world.path(SETTINGS)).await.expect(401);
}

#[tokio::test]
async fn accounts_under_several_labels_stand_apart_and_keep_their_label() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.control(&json!({"account": "bert@example.com"})).await;
    let work = "provider=sandbox&label=work";
    world.connect_by(work).await;
    let browser = visitor(&world, &json!({"page": "settings"})).await;
    let body = page(&world, &browser).await;
    assert!(part(&body, "sandbox").contains("anna@example.com"), "{body}");
    let second = part(&body, "sandbox-1");
    assert!(second.contains("bert@example.com") && second.contains("· work"), "{body}");
    assert!(second.contains("name=\"label\" value=\"work\""), "{body}");

    let connect = world.path("/portal/settings/sandbox/connect");
    let hop = browser.form(&connect, &[("label", "work")]).await.expect(303).location();
    let provider = browser.get(hop).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    let back = browser.get(callback).await.expect(303).location();
    assert_eq!(
        (parameter(&back, "oauth").as_deref(), parameter(&back, "label").as_deref()),
        (Some("success"), Some("work"))
    );
    let connections = world.api("/api/connections?subject=client-7").await.json();
    assert_eq!(connections["connections"].as_array().unwrap().len(), 2, "{connections}");

    browser.form(world.path("/portal/settings/sandbox/disconnect"), &[("label", "work")]).await.expect(303);
    world.token().await.expect(200);
    let gone = world.api("/api/connections/client-7/sandbox?label=work").await.json();
    assert_eq!(gone["status"], "disconnected");
    for bad in
        [&[("label", "")][..], &[("label", "a b")], &[("label", "a"), ("label", "b")], &[("colour", "a")]]
    {
        browser.form(&connect, bad).await.expect(400);
    }
}

#[tokio::test]
async fn a_failure_under_a_label_is_told_at_its_own_row() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.connect_by("provider=sandbox&label=work").await;
    let browser = visitor(&world, &json!({"page": "settings"})).await;
    world.control(&json!({"approve": "deny"})).await;
    let hop =
        browser.form(world.path("/portal/settings/sandbox/connect"), &[("label", "work")]).await.location();
    let provider = browser.get(hop).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    let back = browser.get(callback).await.expect(303).location();
    assert_eq!((back.path(), back.fragment()), ("/portal/settings", Some("problem")));
    let body = browser.get(back).await.expect(200).body;
    assert!(!part(&body, "sandbox").contains("role=\"alert\""), "{body}");
    let row = part(&body, "sandbox-1");
    assert!(row.contains("role=\"alert\"") && row.contains("Sandbox stays connected as it was"), "{body}");
}

#[tokio::test]
async fn scopes_that_are_asked_for_since_are_told_with_a_way_to_allow_them() {
    let world = World::configured("").await;
    world.connect_by("provider=sandbox&scopes=profile,offline_access").await;
    let browser = visitor(&world, &json!({"page": "settings"})).await;
    let body = page(&world, &browser).await;
    let row = part(&body, "sandbox");
    for words in
        ["asks for more than it was allowed: email, notes:read", "Reconnect", "data-opens", ">profile<"]
    {
        assert!(row.contains(words), "{words}: {row}");
    }
}

#[tokio::test]
async fn the_page_leads_back_to_the_product_that_sent_the_person() {
    let world = World::configured("[connect]\nreturn_to = [\"https://app.example.com\"]\n").await;
    let back = "https://app.example.com/account?a=1&b=2";
    let browser = visitor(&world, &json!({"page": "settings", "returnTo": back, "language": "et"})).await;
    let body = page(&world, &browser).await;
    assert!(body.contains("href=\"https://app.example.com/account?a=1&#38;b=2\""), "{body}");
    assert!(body.contains("Tagasi: Claviger"), "{body}");
}
