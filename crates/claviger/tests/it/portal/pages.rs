//! The pages behind a link: the invitation, and the tools that one session may connect.

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};

use super::*;
use crate::harness::browser::parameter;
use crate::harness::played::app;

/// Another tool beside the sandbox, a mail server where nobody listens, and a place to return to.
fn lines() -> String {
    let github = app("integrations.github", "github");
    format!("{github}[connect]\nreturn_to = [\"https://app.example.com/settings\"]\n{NO_POST}")
}

const BACK: &str = "https://app.example.com/settings?tab=tools";

configured_on_both_stores! { lines();
    async fn an_invitation_says_who_invites_whom_to_what_in_the_readers_language(world: World) {
        world.call(Method::PUT, "/api/subjects/client-7", &json!({"name": "Õie & <b>Co"})).await.expect(200);
        let all = invite(&world, &json!({"email": ANNA, "language": "et"})).await;
        let one = invite(&world, &json!({"email": ANNA, "integrations": ["github"]})).await;
        let estonian = [
            "Claviger kutsub sind: ühenda GitHub ja Sandbox", "Kellele: <bdi>Õie", "Link aegub", "lang=\"et\"",
        ];
        let english = ["Claviger invites you to connect GitHub and Sandbox", "For <bdi>Õie", "The link works until"];
        for (language, words) in [
            ("et", &estonian[..]), ("en;q=0.5, et", &estonian), ("", &estonian), ("de", &estonian), ("en-GB", &english),
        ] {
            let page = read_in(language, &link(&all)).await.expect(200);
            for word in words {
                assert!(page.body.contains(word), "{word:?} in {language:?}: {}", page.body);
            }
            assert!(!page.body.contains("<b>Co") && !page.body.contains(ANNA), "{}", page.body);
            assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("same-origin", "no-store"));
        }
        let page = read_in("", &link(&one)).await.expect(200);
        assert!(page.body.contains("Claviger invites you to connect GitHub<"), "{}", page.body);
        assert!(!page.body.contains("Sandbox"), "{}", page.body);
    }

    async fn the_page_shows_what_the_session_offers_and_nothing_else(world: World) {
        let narrow = visitor(&world, &json!({"integrations": ["sandbox"]})).await;
        let page = onboarding(&world, &narrow).await.expect(200);
        assert!(page.body.contains("id=\"row-sandbox\"") && !page.body.contains("GitHub"), "{}", page.body);
        let wide = visitor(&world, &json!({})).await;
        let page = onboarding(&world, &wide).await.expect(200);
        assert!(page.body.contains("id=\"row-sandbox\"") && page.body.contains("id=\"row-github\""), "{}", page.body);
        let spoken = visitor(&world, &json!({"language": "et"})).await;
        assert!(onboarding(&world, &spoken).await.expect(200).body.contains("Ühenda oma tööriistad"));
    }

    async fn what_is_not_offered_is_neither_connected_nor_disconnected(world: World) {
        world.connect().await;
        let browser = visitor(&world, &json!({"integrations": ["github"]})).await;
        let before = world.audit().await.len();
        for button in ["sandbox/connect", "sandbox/disconnect", "nowhere/connect"] {
            let refused = press(&world, &browser, button).await.expect(404);
            assert!(refused.body.contains("integration_not_found"), "{button}: {}", refused.body);
        }
        assert_eq!(world.audit().await.len(), before, "nothing was begun");
        world.token().await.expect(200);
        let hop = press(&world, &browser, "github/connect").await.expect(303).location();
        assert!(hop.path().starts_with("/connect/start/"), "{hop}");
    }

    async fn a_visitor_acts_for_its_own_subject_alone(world: World) {
        world.connect().await;
        let stranger = visitor(&world, &json!({"subject": "client-8"})).await;
        let page = onboarding(&world, &stranger).await.expect(200);
        assert!(!page.body.contains("anna@example.com"), "{}", page.body);
        // The button is found, and ends a connection that client-8 does not have.
        press(&world, &stranger, "sandbox/disconnect").await.expect(303);
        world.token().await.expect(200);
        connect_sandbox(&world, &stranger).await;
        world.api("/api/connections/client-8/sandbox").await.expect(200);
        press(&world, &stranger, "sandbox/disconnect").await.expect(303);
        let gone = world.api("/api/connections/client-8/sandbox").await.expect(200).json();
        assert_eq!((gone["status"].as_str(), gone["disconnectedBy"].as_str()), (Some("disconnected"), Some("browser of client-8")));
        world.token().await.expect(200);
    }

    async fn connecting_leads_back_to_the_page_and_then_next_leads_on(world: World) {
        let session = invite(&world, &json!({"integrations": ["sandbox", "github"], "returnTo": BACK})).await;
        let browser = Browser::new();
        browser.get(link(&session)).await.expect(303);
        let page = onboarding(&world, &browser).await.expect(200);
        assert!(page.body.contains("Connect one tool to go on.") && page.body.contains(" disabled"), "{}", page.body);

        let back = connect_sandbox(&world, &browser).await;
        assert_eq!((back.path(), parameter(&back, "oauth").as_deref()), ("/portal/onboarding", Some("success")));
        let page = browser.get(&back).await.expect(200);
        assert!(page.body.contains("anna@example.com") && page.body.contains("#disconnect-sandbox"), "{}", page.body);
        assert!(!page.body.contains("Connect one tool to go on.") && !page.body.contains(" disabled"), "{}", page.body);
        let begun = world.audited("attempt.started").await;
        assert_eq!((&begun["subject"], &begun["facts"]["origin"]), (&json!("client-7"), &json!("onboarding")));

        let onward = press(&world, &browser, "finish").await.expect(303);
        assert_eq!(onward.location().as_str(), BACK);
        assert!(onward.header("set-cookie").contains("Max-Age=0"), "{onward:?}");
        onboarding(&world, &browser).await.expect(401);
        assert_eq!(inspect(&world, &session).await["status"], "completed");
        world.token().await.expect(200);
    }

    async fn without_a_place_to_return_to_next_says_that_all_is_done(world: World) {
        let browser = visitor(&world, &json!({"language": "et"})).await;
        connect_sandbox(&world, &browser).await;
        let done = press(&world, &browser, "finish").await.expect(303).location();
        assert!(browser.get(&done).await.expect(200).body.contains("Kõik on tehtud"));
        assert!(read_in("en", done.as_str()).await.expect(200).body.contains("You are done"));
    }

    async fn a_form_of_another_site_does_nothing(world: World) {
        world.connect().await;
        let browser = visitor(&world, &json!({})).await;
        let before = world.audit().await.len();
        for button in ["sandbox/connect", "sandbox/disconnect", "finish"] {
            for headers in [
                &[("origin", "https://evil.example")][..],
                &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
                &[("origin", &*world.url), ("sec-fetch-site", "same-site")],
                &[("origin", &*world.url), ("sec-fetch-site", "cross-site")],
                &[("origin", "null")],
                &[],
            ] {
                let url = world.path(&format!("/portal/onboarding/{button}"));
                let refused = browser.send(Method::POST, &url, headers, Bytes::new()).await.expect(403);
                assert!(refused.body.contains("foreign_form"), "{button} {headers:?}: {}", refused.body);
            }
        }
        assert_eq!(world.audit().await.len(), before, "nothing was begun");
        world.token().await.expect(200);
        onboarding(&world, &browser).await.expect(200);
        press(&world, &browser, "sandbox/disconnect").await.expect(303);
    }

    async fn a_browser_stays_for_an_hour(world: World) {
        let browser = visitor(&world, &json!({})).await;
        world.pass(just_before(HOUR));
        onboarding(&world, &browser).await.expect(200);
        world.pass(MOMENT);
        let away = onboarding(&world, &browser).await.expect(401);
        assert!(away.body.contains("Please open your link again</h1>"), "{}", away.body);
        press(&world, &browser, "sandbox/connect").await.expect(401);
        // Nobody is let in without a link, either: there is no demonstration here.
        let stranger = Browser::new();
        onboarding(&world, &stranger).await.expect(401);
        assert!(stranger.cookies_of(&world.url).is_empty());
    }
}

#[tokio::test]
async fn a_place_that_is_no_longer_allowed_is_not_returned_to() {
    let world = World::configured(&lines()).await;
    let session = invite(&world, &json!({"returnTo": BACK})).await;
    let id = session["id"].as_str().unwrap().parse().unwrap();
    let portal = &world.server.app.store.portal;
    // As a session of yesterday, whose place the operator has taken off the list since.
    let mut old = portal.get(&id).await.unwrap().unwrap();
    old.id = vault::random::id();
    old.return_to = Some("https://former.example/".to_owned());
    let token = "1".repeat(64);
    portal.create(&old, &vault::TokenHash::of(&token), None).await.unwrap();
    let browser = Browser::new();
    browser.get(world.path(&format!("/portal/start/{token}"))).await.expect(303);
    assert_eq!(press(&world, &browser, "finish").await.expect(303).location().path(), "/portal/onboarding");
    assert_eq!(inspect(&world, &session).await["status"], "open", "Next needs a tool");
    connect_sandbox(&world, &browser).await;
    assert_eq!(press(&world, &browser, "finish").await.expect(303).location().path(), "/portal/done");
    assert_eq!(session["returnTo"], Value::from(BACK));
}
