//! Two tabs of one browser, and the links of two people.

use axum::body::Bytes;

use super::*;

/// Every button of the portal's pages.
const BUTTONS: [&str; 5] = [
    "onboarding/sandbox/connect",
    "onboarding/sandbox/disconnect",
    "onboarding/finish",
    "settings/sandbox/connect",
    "settings/sandbox/disconnect",
];

#[tokio::test]
async fn a_page_of_one_person_does_not_act_for_another_whose_link_was_opened_since() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let browser = visitor(&world, &json!({})).await;
    let finish = world.path("/portal/onboarding/finish");
    let carols = browser.portal_session(&finish).await.unwrap();
    browser.get(link(&world, &json!({"subject": "mallory"})).await).await.expect(303);
    let before = world.audit().await.len();
    for button in BUTTONS {
        let url = world.path(&format!("/portal/{button}"));
        for fields in [&[("session", &*carols)][..], &[("session", "ps_1")], &[("session", "")], &[]] {
            let page = browser.bare_form(&url, fields).await.expect(409).body;
            for words in ["session_changed", "Another link to Claviger was opened", "Nothing was changed."] {
                assert!(page.contains(words), "{words}: {button}: {page}");
            }
            assert!(!page.contains("href=\"/portal\""), "that page is another's: {page}");
        }
        let twice = [("session", &*carols), ("session", &*carols)];
        browser.bare_form(&url, &twice).await.expect(400);
    }
    assert_eq!(world.audit().await.len(), before, "nothing was begun");
    world.token().await.expect(200);
    let mallorys = browser.portal_session(&finish).await.unwrap();
    assert_ne!(mallorys, carols);
    browser
        .bare_form(world.path("/portal/onboarding/sandbox/connect"), &[("session", &mallorys)])
        .await
        .expect(303);
}

#[tokio::test]
async fn next_ends_no_session_that_is_for_another_page() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let browser = visitor(&world, &json!({"page": "settings"})).await;
    let back = browser.form(world.path("/portal/onboarding/finish"), &[]).await.expect(303);
    assert_eq!((back.location().path(), back.header("set-cookie")), ("/portal/settings", ""));
    browser.get(world.path("/portal/settings")).await.expect(200);
}

#[tokio::test]
async fn settings_lead_back_to_onboarding_whoever_came_for_that() {
    let world = World::on_sqlite().await;
    let settings = world.path("/portal/settings");
    let back = "href=\"/portal/onboarding\"";
    let came_for_it = visitor(&world, &json!({"language": "et"})).await.get(&settings).await.expect(200).body;
    assert!(
        came_for_it.contains(back) && came_for_it.contains("Tagasi tööriistade ühendamise"),
        "{came_for_it}"
    );
    let did_not = visitor(&world, &json!({"page": "settings"})).await.get(&settings).await.expect(200).body;
    assert!(!did_not.contains(back), "{did_not}");
}

#[tokio::test]
async fn a_label_that_has_no_connection_has_no_row() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let browser = visitor(&world, &json!({"page": "settings"})).await;
    let made_up = "/portal/settings?oauth=error&provider=sandbox&code=access_denied&label=made_up";
    let body = browser.get(world.path(made_up)).await.expect(200).body;
    assert!(!body.contains("made_up") && !body.contains("row-sandbox-1"), "{body}");
    assert_eq!(body.matches("id=\"problem\"").count(), 1, "it is told above the rows: {body}");
    assert!(body.contains("Nothing was connected"), "{body}");
}

#[tokio::test]
async fn the_question_of_one_among_several_accounts_names_it() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let browser = visitor(&world, &json!({"page": "settings"})).await;
    let settings = world.path("/portal/settings");
    assert!(browser.get(&settings).await.body.contains("Disconnect Sandbox?"));
    world.control(&json!({"account": "bert@example.com"})).await;
    world.connect_by("provider=sandbox&label=work").await;
    let body = browser.get(&settings).await.expect(200).body;
    for name in
        ["Sandbox · \u{2068}anna@example.com\u{2069}", "Sandbox · work · \u{2068}bert@example.com\u{2069}"]
    {
        assert!(body.contains(&format!("Disconnect {name}?")), "{name}: {body}");
        assert!(body.contains(&format!("<span class=\"visually-hidden\"> {name}</span>")), "{name}: {body}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_disconnected_in_part_says_so_at_its_row() {
    let world = World::with_four_tools(None, "").await;
    world.control(&json!({ "approve": "auto" })).await;
    world.connect_by("group=microsoft").await;
    let browser = visitor(&world, &json!({})).await;
    // The first of the three can't be written.
    world
        .sql(
            "CREATE TRIGGER stuck BEFORE UPDATE ON connections WHEN NEW.integration = 'outlook'
             BEGIN SELECT RAISE(ABORT, 'stuck'); END",
        )
        .await;
    for page in ["onboarding", "settings"] {
        let back = browser.form(world.path(&format!("/portal/{page}/microsoft/disconnect")), &[]).await;
        let back = back.expect(303).location();
        assert_eq!((back.path(), back.fragment()), (&*format!("/portal/{page}"), Some("problem")));
        let body = browser.get(back).await.expect(200).body;
        assert!(body.contains("Microsoft 365 is not disconnected completely"), "{body}");
        assert_eq!(body.matches("id=\"problem\"").count(), 1, "{body}");
    }
    assert_eq!(
        world.connection("teams").await["status"],
        "disconnected",
        "the others were tried all the same"
    );
    assert_eq!(world.connection("outlook").await["status"], "active");
}

#[tokio::test]
async fn the_last_page_speaks_the_language_that_the_product_told() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let browser = visitor(&world, &json!({"language": "et"})).await;
    let done = browser.form(world.path("/portal/onboarding/finish"), &[]).await.expect(303).location();
    assert_eq!((done.path(), done.query()), ("/portal/done", Some("language=et")));
    assert!(browser.get(done).await.expect(200).body.contains("Kõik on tehtud"));
    let made_up = browser.get(world.path("/portal/done?language=%3Cb%3E")).await.expect(200).body;
    assert!(made_up.contains("You are done"), "{made_up}");
}

#[tokio::test]
async fn a_problem_is_headed_by_words_for_people() {
    let world = World::on_sqlite().await;
    let browser = visitor(&world, &json!({})).await;
    let page = browser.get(world.path("/portal/onboarding?entered=maybe")).await.expect(400).body;
    assert!(page.contains("<h1>This did not work</h1>") && !page.contains("parameter is"), "{page}");
    let headers = [("accept", "Text/HTML")];
    let page = browser.send(Method::GET, &world.path("/nowhere"), &headers, Bytes::new()).await.expect(404);
    assert!(page.body.contains("<h1>This page does not exist</h1>"), "{}", page.body);
    let headers = [("accept", "text/html;q=0, application/json")];
    let document =
        browser.send(Method::GET, &world.path("/nowhere"), &headers, Bytes::new()).await.expect(404);
    assert_eq!(document.header("content-type"), "application/problem+json");
}
