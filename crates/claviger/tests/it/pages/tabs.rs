//! Two tabs of one browser, and the links of two people.

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
