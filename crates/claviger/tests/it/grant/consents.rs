//! What a consent covers, whose it is, and what ends it.

use axum::http::Method;
use model::Actor;
use serde_json::Value;
use url::Url;

use super::on_both;
use super::rig::{Ask, EMAIL, OTHER_RESOURCE, PASSWORD, RESOURCE, Rig, error, hidden, text};
use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser};

/// Whether a browser that agreed before is asked again.
async fn is_asked(rig: &Rig, browser: &Browser, ask: &Ask) -> bool {
    let next = rig.authorize(browser, ask).await.expect(303).location();
    if parameter(&next, "code").is_some() {
        return false;
    }
    assert!(browser.get(&next).await.expect(200).body.contains("value=\"authorize\""), "{next}");
    true
}

async fn sign_in(browser: &Browser, page: &Url, email: &str) -> Answer {
    let csrf = hidden(&browser.get(page).await.expect(200), "csrf");
    browser.bare_form(page, &[("csrf", &csrf), ("email", email), ("password", PASSWORD)]).await
}

on_both! {
    async fn a_consent_for_one_resource_covers_neither_another_nor_the_product(rig: Rig) {
        let browser = Browser::new();
        rig.agree(&browser, &Ask::of("app").with("resource", RESOURCE)).await;
        assert!(!is_asked(&rig, &browser, &Ask::of("app").with("resource", RESOURCE)).await);
        assert!(is_asked(&rig, &browser, &Ask::of("app").with("resource", OTHER_RESOURCE)).await);
        assert!(is_asked(&rig, &browser, &Ask::of("app")).await, "what names none is about the product itself");
        rig.agree(&browser, &Ask::of("app")).await;
        assert!(!is_asked(&rig, &browser, &Ask::of("app").with("resource", &rig.world.url)).await);
    }

    async fn what_was_agreed_to_at_one_resource_is_not_agreed_to_at_another(rig: Rig) {
        let browser = Browser::new();
        let read = Ask::of("app").with("resource", RESOURCE);
        let write = Ask::of("app").with("resource", OTHER_RESOURCE).with("scope", "reports.write");
        rig.agree(&browser, &read).await;
        rig.agree(&browser, &write).await;
        assert!(is_asked(&rig, &browser, &read.clone().with("scope", "reports.write")).await);
        assert!(is_asked(&rig, &browser, &write.clone().with("scope", "reports.read")).await);
        assert!(!is_asked(&rig, &browser, &write).await);
    }

    async fn a_page_that_was_shown_to_one_person_is_not_decided_by_another(rig: Rig) {
        rig.add_user("bert@example.com", &[]).await;
        let browser = Browser::new();
        let access: Url = rig.path("/oauth/access").parse().unwrap();
        sign_in(&browser, &access, EMAIL).await.expect(303);
        let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
        let shown = browser.get(&page).await.expect(200);
        assert!(shown.body.contains(EMAIL), "{}", shown.body);
        // In another tab somebody else takes over.
        let csrf = hidden(&browser.get(&access).await.expect(200), "csrf");
        browser.bare_form(&access, &[("csrf", &csrf), ("decision", "sign_out")]).await.expect(303);
        sign_in(&browser, &access, "bert@example.com").await.expect(303);
        let decided =
            [("csrf", &*hidden(&shown, "csrf")), ("decision", "authorize")];
        let next = browser.bare_form(&page, &decided).await.expect(303).location();
        assert_eq!(next, page, "nobody has agreed");
        assert!(rig.world.server.app.grant.consents(None, None, None, 10).await.unwrap().is_empty());
    }

    async fn who_may_no_longer_sign_in_gets_nothing_from_a_code_that_was_on_its_way(rig: Rig) {
        for round in 0..6 {
            let email = format!("anna{round}@example.com");
            let user = rig.add_user(&email, &[("tamm", "Tamm Consulting")]).await;
            let browser = Browser::new();
            rig.agree_as(&browser, &Ask::of("app"), &email, None).await;
            let grant = rig.world.server.app.grant.clone();
            let ends = tokio::spawn(async move {
                match round % 3 {
                    0 => grant.set_disabled(&user, true, Actor::Operator).await.map(drop),
                    1 => grant.leave(&user, &"tamm".parse().unwrap(), Actor::Operator).await.map(drop),
                    _ => grant.sign_out_everywhere(&user, Actor::Operator).await.map(drop),
                }
            });
            let mut codes = Vec::new();
            for _ in 0..10 {
                let next = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
                codes.extend(parameter(&next, "code"));
            }
            ends.await.unwrap().unwrap();
            for code in codes {
                assert_eq!(error(&rig.redeem("app", &code).await.expect(400)), "invalid_grant", "round {round}");
            }
        }
    }

    async fn a_scope_that_was_taken_out_of_the_configuration_is_asked_for_no_more(rig: Rig) {
        rig.register("mine", |_| {}).await;
        rig.world.sql("UPDATE applications SET settings = replace(settings, 'reports.write', 'reports.gone')").await;
        let gone = Ask::of("mine").with("scope", "reports.gone");
        assert_eq!(rig.refused(&gone).await, "invalid_scope");
        let tokens = rig.tokens_for("mine", &Ask::of("mine").without("scope")).await;
        assert_eq!(text(&tokens, "scope"), "reports.read", "it is none of those that it gets by itself either");
    }
}

#[tokio::test]
async fn withdrawing_twice_is_done_as_well() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    rig.agree(&browser, &Ask::of("app")).await;
    let page: Url = rig.path("/oauth/access").parse().unwrap();
    let shown = browser.get(&page).await.expect(200);
    let id = rig.world.server.app.grant.consents(None, None, None, 10).await.unwrap()[0].id.to_string();
    let fields = [("csrf", &*hidden(&shown, "csrf")), ("withdraw", &id)];
    for _ in 0..2 {
        browser.bare_form(&page, &fields).await.expect(303);
    }
}

/// A form of another site brings no cookies (SameSite=Lax), so it is asked again by GET.
#[tokio::test]
async fn a_request_by_post_knows_a_person_who_is_signed_in_and_leaves_other_pages_alone() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    rig.agree(&browser, &Ask::of("app")).await;
    let ask = Ask::of("app").with("prompt", "none");
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://app.example.com")];
    let posted = Browser::new()
        .send(Method::POST, &rig.path("/oauth/authorize"), &headers, ask.query().into_bytes().into())
        .await
        .expect(303);
    assert!(posted.headers.get("set-cookie").is_none(), "{posted:?}");
    let back = browser.get(&posted.location()).await.expect(303).location();
    assert!(parameter(&back, "code").is_some(), "{back}");
    // A secret that somebody sends by mistake gets into no address.
    for secret in ["client_secret", "client_assertion"] {
        let body = ask.clone().with(secret, "hunter2").query();
        let posted = Browser::new()
            .send(Method::POST, &rig.path("/oauth/authorize"), &headers, body.into_bytes().into())
            .await;
        assert!(!format!("{:?}", posted.headers).contains("hunter2"), "{posted:?}");
    }
}

/// Introspection tells an application no more of a person than userinfo does.
#[tokio::test]
async fn an_address_that_was_not_asked_for_is_not_told_by_introspection() {
    let rig = Rig::new().await;
    let username = async |scope: &str| -> Value {
        let tokens = rig.tokens_for("app", &Ask::of("app").with("scope", scope)).await;
        rig.introspect("app", text(&tokens, "access_token")).await["username"].clone()
    };
    assert_eq!(username("openid").await, Value::Null);
    assert_eq!(username("openid email").await, EMAIL);
    assert_eq!(username("reports.read").await, EMAIL, "the page says so");
}

/// Whoever lets an application in for another team has to be able to say so.
#[tokio::test]
async fn of_several_teams_a_person_chooses_every_time_unless_nobody_may_ask() {
    let rig = Rig::new().await;
    rig.add_user("bert@example.com", &[("north", "North"), ("south", "South")]).await;
    let browser = Browser::new();
    rig.agree_as(&browser, &Ask::of("app"), "bert@example.com", Some("north")).await;
    let silent = Ask::of("app").with("prompt", "none");
    assert!(!is_asked(&rig, &browser, &silent).await, "one was chosen before");
    assert!(is_asked(&rig, &browser, &Ask::of("app")).await);
    rig.agree_as(&browser, &Ask::of("app"), "bert@example.com", Some("south")).await;
    let back = rig.authorize(&browser, &silent).await.expect(303).location();
    assert_eq!(parameter(&back, "error").as_deref(), Some("consent_required"), "{back}");
}
