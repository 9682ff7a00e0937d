//! What a link opens, for whom, how often and for how long.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;
use crate::harness::browser::parameter;

/// A session whose link is mailed to Anna.
async fn mailed(world: &World) -> Value {
    invite(world, &json!({"email": ANNA})).await
}

fn cookies(world: &World, browser: &Browser) -> usize {
    browser.cookies_of(&world.url).len()
}

async fn head(browser: &Browser, url: &str) -> Answer {
    browser.send(Method::HEAD, url, &[], Bytes::new()).await
}

configured_on_both_stores! { NO_POST;
    async fn a_link_that_the_product_opens_becomes_a_cookie_and_a_clean_address(world: World) {
        let session = invite(&world, &json!({})).await;
        let browser = Browser::new();
        let entered = browser.get(link(&session)).await.expect(303);
        assert_eq!(entered.location().as_str(), world.path("/portal/onboarding?entered=true"));
        let clean = browser.get(entered.location()).await.expect(303);
        assert_eq!(clean.location().as_str(), world.path("/portal/onboarding"));
        assert_eq!((entered.header("referrer-policy"), entered.header("cache-control")), ("no-referrer", "no-store"));
        let (cookie, attributes) = entered.header("set-cookie").split_once(';').unwrap();
        assert_eq!(attributes, " Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
        let token = link(&session).rsplit('/').next().unwrap().to_owned();
        assert!(cookie.starts_with("clv_portal=") && !cookie.contains(&token), "the cookie is a secret of its own: {cookie}");
        let page = onboarding(&world, &browser).await.expect(200);
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert!(!page.body.contains(&token), "{}", page.body);

        let opened = world.audited("portal_session.opened").await;
        assert_eq!((&opened["target"], &opened["subject"]), (&session["id"], &json!("client-7")));
        assert_eq!(opened["facts"]["page"], "onboarding");
        assert!(inspect(&world, &session).await["openedAt"].is_string());
    }

    async fn a_link_that_the_product_opens_works_once(world: World) {
        let session = invite(&world, &json!({})).await;
        let barrier = Arc::new(Barrier::new(10));
        let mut visits = JoinSet::new();
        for _ in 0..10 {
            let (link, barrier) = (link(&session), Arc::clone(&barrier));
            visits.spawn(async move {
                barrier.wait().await;
                Browser::new().get(link).await
            });
        }
        let (entered, refused): (Vec<_>, Vec<_>) =
            visits.join_all().await.into_iter().partition(|answer| answer.status == 303);
        assert_eq!((entered.len(), refused.len()), (1, 9));
        assert!(!entered[0].header("set-cookie").is_empty());
        for answer in refused {
            let answer = answer.expect(400);
            assert!(answer.body.contains("invalid_link") && answer.header("set-cookie").is_empty(), "{answer:?}");
            assert!(answer.body.contains("ask for another link where you got this one"), "{}", answer.body);
        }
        assert!(read_in("et", &link(&session)).await.expect(400).body.contains("See link ei tööta</h1>"));
        // Its button, which such a link does not have, does not revive it either.
        Browser::new().form(link(&session), &[]).await.expect(400);
        assert_eq!(told(&world, "portal_session.opened").await, 1);
    }

    async fn of_visits_that_all_found_a_link_unused_one_uses_it(world: World) {
        let token = link(&invite(&world, &json!({})).await).rsplit('/').next().unwrap().to_owned();
        let mut visits = JoinSet::new();
        for _ in 0..10 {
            let (connect, token) = (world.server.app.connect.clone(), token.clone());
            visits.spawn(async move { connect.enter(&token).await.is_ok() });
        }
        let entered = visits.join_all().await;
        assert_eq!((entered.len(), entered.iter().filter(|entered| **entered).count()), (10, 1));
        assert_eq!(told(&world, "portal_session.opened").await, 1);
    }

    async fn a_link_that_the_product_opens_lives_for_five_minutes(world: World) {
        let (early, late) = (invite(&world, &json!({})).await, invite(&world, &json!({})).await);
        world.pass(just_before(MINUTE * 5));
        Browser::new().get(link(&early)).await.expect(303);
        world.pass(MOMENT);
        let refused = Browser::new().get(link(&late)).await.expect(400);
        assert!(refused.body.contains("invalid_link") && refused.header("set-cookie").is_empty(), "{refused:?}");
        assert_eq!(inspect(&world, &late).await["status"], "expired");
    }

    async fn a_life_that_was_asked_for_is_given_to_the_moment(world: World) {
        for (more, life) in [
            (json!({"expiresIn": "1m"}), MINUTE),
            (json!({"expiresIn": "1h"}), HOUR),
            (json!({"expiresIn": "60s", "email": ANNA}), MINUTE),
            (json!({"expiresIn": "30d", "email": ANNA}), DAY * 30),
        ] {
            let sessions = [invite(&world, &more).await, invite(&world, &more).await];
            world.pass(just_before(life));
            Browser::new().form(link(&sessions[0]), &[]).await.expect(303);
            world.pass(MOMENT);
            Browser::new().form(link(&sessions[1]), &[]).await.expect(400);
            world.pass(HOUR);
        }
    }

    async fn a_head_is_refused_and_uses_nothing_up(world: World) {
        for more in [json!({}), json!({"email": ANNA})] {
            let session = invite(&world, &more).await;
            let browser = Browser::new();
            for _ in 0..3 {
                let answer = head(&browser, &link(&session)).await.expect(405);
                assert_eq!((answer.header("allow"), answer.header("set-cookie")), ("GET", ""));
            }
            assert_eq!(inspect(&world, &session).await["openedAt"], Value::Null);
            browser.form(link(&session), &[]).await.expect(303);
        }
    }

    async fn a_scanner_that_opens_a_mailed_link_changes_nothing(world: World) {
        let session = mailed(&world).await;
        let before = inspect(&world, &session).await;
        let scanner = Browser::new();
        for _ in 0..20 {
            let page = scanner.get(link(&session)).await.expect(200);
            assert!(page.header("set-cookie").is_empty());
            head(&scanner, &link(&session)).await.expect(405);
        }
        let after = inspect(&world, &session).await;
        assert_eq!((&after["openedAt"], &after), (&Value::Null, &before));
        assert_eq!((told(&world, "portal_session.opened").await, cookies(&world, &scanner)), (0, 0));
        onboarding(&world, &accept(&link(&session)).await).await.expect(200);
    }

    async fn a_mailed_link_is_opened_again_and_again_in_several_browsers(world: World) {
        let session = mailed(&world).await;
        let browsers = [accept(&link(&session)).await, accept(&link(&session)).await];
        let first = inspect(&world, &session).await["openedAt"].clone();
        world.pass(DAY);
        // Their time is over; the link's is not.
        for browser in &browsers {
            onboarding(&world, browser).await.expect(401);
            browser.form(link(&session), &[]).await.expect(303);
            onboarding(&world, browser).await.expect(200);
        }
        assert_eq!((&first, first.is_string()), (&inspect(&world, &session).await["openedAt"], true));
        assert_eq!(told(&world, "portal_session.opened").await, 4);
    }

    async fn after_next_a_mailed_link_says_kindly_that_all_is_done(world: World) {
        let session = mailed(&world).await;
        let (browser, other) = (accept(&link(&session)).await, accept(&link(&session)).await);
        connect_sandbox(&world, &browser).await;
        let done = press(&world, &browser, "finish").await.expect(303);
        assert_eq!((done.location().path(), cookies(&world, &browser)), ("/portal/done", 0));
        for answer in [browser.get(link(&session)).await, browser.form(link(&session), &[]).await] {
            let answer = answer.expect(409);
            assert!(answer.body.contains("already_done") && answer.body.contains("This is done</h1>"), "{}", answer.body);
            assert!(answer.header("set-cookie").is_empty() && !answer.body.contains("<form"), "{answer:?}");
        }
        assert!(read_in("et", &link(&session)).await.body.contains("See on tehtud</h1>"));
        assert!(onboarding(&world, &other).await.expect(401).body.contains("portal_session_needed"));
        let after = inspect(&world, &session).await;
        assert_eq!((after["status"].as_str(), after["completedAt"].is_string()), (Some("completed"), true));
        let event = world.audited("portal_session.completed").await;
        assert_eq!((&event["target"], told(&world, "portal_session.completed").await), (&session["id"], 1));
        for answer in [withdraw(&world, &session).await, resend(&world, &session).await] {
            assert_eq!(answer.problem(), (409, "portal_session_over".to_owned()));
        }
    }

    async fn a_withdrawn_session_turns_links_and_browsers_away_at_once(world: World) {
        for more in [json!({}), json!({"email": ANNA})] {
            let (session, unused) = (invite(&world, &more).await, invite(&world, &more).await);
            let browser = Browser::new();
            browser.form(link(&session), &[]).await.expect(303);
            onboarding(&world, &browser).await.expect(200);
            let withdrawn = withdraw(&world, &session).await.expect(200).json();
            assert_eq!((withdrawn["status"].as_str(), withdrawn["withdrawnAt"].is_string()), (Some("withdrawn"), true));
            assert_eq!(world.audited("portal_session.withdrawn").await["target"], session["id"]);
            withdraw(&world, &unused).await.expect(200);
            assert!(onboarding(&world, &browser).await.expect(401).body.contains("portal_session_needed"));
            for button in ["sandbox/connect", "sandbox/disconnect", "finish"] {
                press(&world, &browser, button).await.expect(401);
            }
            for session in [session, unused] {
                for answer in [browser.get(link(&session)).await, browser.form(link(&session), &[]).await] {
                    assert!(answer.expect(400).body.contains("invalid_link"));
                }
                assert_eq!(withdraw(&world, &session).await.problem(), (409, "portal_session_over".to_owned()));
            }
        }
    }

    async fn a_consent_that_is_under_way_ends_with_the_session(world: World) {
        for departed in [false, true] {
            let session = invite(&world, &json!({"email": ANNA})).await;
            let browser = accept(&link(&session)).await;
            let hop = press(&world, &browser, "sandbox/connect").await.expect(303).location();
            let mut onward = hop.clone();
            if departed {
                let provider = browser.get(hop).await.expect(303).location();
                onward = browser.get(provider).await.expect(303).location();
            }
            withdraw(&world, &session).await.expect(200);
            let mut ended = browser.get(onward).await;
            if departed {
                let settings = ended.expect(303).location();
                assert_eq!(parameter(&settings, "code").as_deref(), Some("expired_state"));
                ended = browser.get(settings).await;
            }
            ended.expect(if departed { 401 } else { 400 });
            world.api("/api/connections/client-7/sandbox").await.expect(404);
        }
    }

    async fn a_form_of_another_site_opens_no_link(world: World) {
        let session = mailed(&world).await;
        let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        for url in [link(&session), format!("{}/again", link(&session))] {
            let refused = Browser::new().send(Method::POST, &url, &foreign, Bytes::new()).await.expect(403);
            assert!(refused.body.contains("foreign_form") && refused.header("set-cookie").is_empty(), "{url}");
        }
        assert_eq!(inspect(&world, &session).await["openedAt"], Value::Null);
        // What still works is not mailed again.
        let again = Browser::new().form(format!("{}/again", link(&session)), &[]).await.expect(303);
        assert_eq!(again.location().as_str(), link(&session));
        assert_eq!(told(&world, "portal_session.renewed").await, 0);
    }

    async fn an_expired_invitation_mails_a_new_link_to_the_same_address(world: World) {
        let session = mailed(&world).await;
        world.pass(just_before(DAY * 7));
        Browser::new().get(link(&session)).await.expect(200);
        let browser = accept(&link(&session)).await;
        world.pass(MOMENT);
        onboarding(&world, &browser).await.expect(200);
        for answer in [Browser::new().get(link(&session)).await, Browser::new().form(link(&session), &[]).await] {
            let page = answer.expect(400);
            assert!(page.body.contains("This link has expired") && page.body.contains("Email me a new link"), "{page:?}");
            assert!(page.header("set-cookie").is_empty());
        }
        let again = format!("{}/again", link(&session));
        let note = Browser::new().form(&again, &[]).await.expect(200);
        assert!(note.body.contains("A new link is on its way") && !note.body.contains(ANNA), "{}", note.body);
        let renewed = inspect(&world, &session).await;
        assert_eq!((renewed["status"].as_str(), renewed["mail"].as_str()), (Some("open"), Some("pending")));
        let event = world.audited("portal_session.renewed").await;
        assert_eq!((&event["target"], &event["actor"]), (&session["id"], &json!({"type": "browser", "id": "client-7"})));
        // The old link stays dead, and asks for no third.
        assert!(Browser::new().get(link(&session)).await.expect(400).body.contains("invalid_link"));
        Browser::new().form(&again, &[]).await.expect(400);
        assert_eq!(told(&world, "portal_session.renewed").await, 1);
    }

    async fn an_expired_invitation_speaks_the_language_of_its_mail(world: World) {
        let session = invite(&world, &json!({"email": ANNA, "language": "et"})).await;
        world.pass(DAY * 7);
        let old = Browser::new().get(link(&session)).await.expect(400);
        assert!(old.body.contains("<html lang=\"et\">"), "{}", old.body);
        let note = Browser::new().form(format!("{}/again", link(&session)), &[]).await.expect(200);
        assert!(note.body.contains("Uus link on teel"), "{}", note.body);
    }

    async fn an_expired_invitation_does_not_fill_an_inbox(world: World) {
        let sessions = [mailed(&world).await, mailed(&world).await];
        world.pass(DAY * 7);
        for _ in 0..4 {
            mailed(&world).await;
        }
        Browser::new().form(format!("{}/again", link(&sessions[0])), &[]).await.expect(200);
        let refused = Browser::new().form(format!("{}/again", link(&sessions[1])), &[]).await.expect(429);
        assert!(refused.body.contains("too_many_mails") && refused.body.contains("Nothing is lost."), "{}", refused.body);
        assert_eq!(refused.header("retry-after"), "3600");
        assert_eq!(inspect(&world, &sessions[1]).await["status"], "expired");
        world.pass(HOUR);
        Browser::new().form(format!("{}/again", link(&sessions[1])), &[]).await.expect(200);
    }

    async fn a_link_that_nobody_gave_out_opens_nothing(world: World) {
        let session = invite(&world, &json!({})).await;
        let token = link(&session).rsplit('/').next().unwrap().to_owned();
        let long = "a".repeat(8000);
        let id = session["id"].as_str().unwrap();
        for token in ["x", id, &"0".repeat(64), &token.to_uppercase(), &token[..63], &format!("{token}0"), "%00", "%ff", &long] {
            let url = world.path(&format!("/portal/start/{token}"));
            for answer in [Browser::new().get(&url).await, Browser::new().form(&url, &[]).await] {
                assert!(answer.status == 400 && answer.header("set-cookie").is_empty(), "{token}: {answer:?}");
            }
        }
        // A cookie that we did not set is no session, and neither is the link's token.
        for value in [&*"0".repeat(64), &token, id] {
            let headers = [("cookie", &*format!("clv_portal={value}")), ("accept", "text/html")];
            let url = world.path("/portal/onboarding");
            Browser::new().send(Method::GET, &url, &headers, Bytes::new()).await.expect(401);
        }
        Browser::new().get(link(&session)).await.expect(303);
    }
}
