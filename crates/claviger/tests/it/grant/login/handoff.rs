//! The product's own sign-in page. What it does is done here, by the words of the documentation.

use model::Secret;
use serde_json::{Value, json};
use url::Url;

use super::{Ask, Rig, SHARED, Visit};
use crate::grant::rig::EMAIL;
use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser, world};

const PAGE: &str = "https://product.example/sign-in?from=claviger";

fn lines() -> String {
    format!("[grant.login.handoff]\nurl = \"{PAGE}\"\nsecret = \"{SHARED}\"\nlabel = \"Rowan\"\n")
}

async fn rig() -> Rig {
    Rig::with_more(&lines()).await
}

/// What the product reads of a challenge.
fn challenge(start: &Url) -> Value {
    let challenge = parameter(start, "challenge").unwrap();
    Value::Object(vault::shared::verify(&Secret::from(SHARED), &challenge).unwrap())
}

/// What the product says of somebody who is right.
fn verdict(rig: &Rig, challenge: &Value) -> Value {
    json!({
        "aud": challenge["iss"], "nonce": challenge["nonce"], "exp": rig.seconds() + 60,
        "user": {"id": "u-3", "email": EMAIL, "name": "Anna at the product"},
        "teams": [{"id": "rowan", "name": "Rowan", "role": "owner"}],
    })
}

async fn depart(visit: &Visit<'_>) -> Url {
    visit.send(&[("way", "handoff")]).await.expect(303).location()
}

async fn come_back(browser: &Browser, challenge: &Value, secret: &str, verdict: &Value) -> Answer {
    let token = vault::shared::sign(&Secret::from(secret), verdict);
    browser.get(format!("{}?verdict={token}", challenge["return_to"].as_str().unwrap())).await
}

#[tokio::test]
async fn whoever_signs_in_at_the_products_page_is_signed_in_here() {
    let rig = rig().await;
    let ask =
        Ask::of("app").with("prompt", "login consent").with("login_hint", EMAIL).with("ui_locales", "et");
    let visit = Visit::asking(&rig, &ask).await;
    assert!(visit.shown.body.contains("value=\"handoff\""));
    let start = depart(&visit).await;
    assert!(start.as_str().starts_with(&format!("{PAGE}&challenge=")), "{start}");
    let challenge = challenge(&start);
    assert_eq!((&challenge["iss"], &challenge["aud"]), (&json!(rig.world.url), &json!(PAGE)));
    assert_eq!(challenge["return_to"], rig.path("/oauth/login/callback/handoff"));
    let passed_on = (&challenge["login_hint"], &challenge["ui_locales"], &challenge["prompt"]);
    assert_eq!(passed_on, (&json!(EMAIL), &json!("et"), &json!("login")));
    assert_eq!(challenge["max_age"], 0, "a new proof is known by its time");
    let mut verdict = verdict(&rig, &challenge);
    verdict["auth_time"] = json!(rig.seconds());
    let page = come_back(&visit.browser, &challenge, SHARED, &verdict).await;
    assert_eq!(page.expect(303).location().path(), visit.page.path());
    let person = visit.agree(None).await;
    assert_eq!(person["name"], "Anna at the product");
    assert_eq!(person["team"], json!({"id": "rowan", "name": "Rowan"}));
    assert_eq!(rig.world.audited("user.signed_in").await["facts"]["backend"], "handoff");

    let again = Visit::asking(&rig, &ask).await;
    let challenge = self::challenge(&depart(&again).await);
    verdict["nonce"] = challenge["nonce"].clone();
    verdict["teams"] = json!([{"id": "birch"}]);
    come_back(&again.browser, &challenge, SHARED, &verdict).await.expect(303);
    let now = again.agree(None).await;
    assert_eq!((&now["sub"], &now["team"]["id"]), (&person["sub"], &json!("birch")));
}

#[tokio::test]
async fn a_verdict_that_the_product_has_not_signed_is_no_verdict() {
    let rig = rig().await;
    let visit = Visit::begin(&rig).await;
    let start = depart(&visit).await;
    let challenge = challenge(&start);
    let good = verdict(&rig, &challenge);
    come_back(&visit.browser, &challenge, "another-secret-of-32-characters-", &good).await.expect(400);
    let token = vault::shared::sign(&Secret::from(SHARED), &good);
    let claims = token.split('.').nth(1).unwrap();
    let unsigned = data_encoding::BASE64URL_NOPAD.encode(b"{\"alg\":\"none\"}");
    let back = challenge["return_to"].as_str().unwrap();
    for forged in [format!("{unsigned}.{claims}."), token[..token.len() - 2].to_owned(), String::new()] {
        visit.browser.get(format!("{back}?verdict={forged}")).await.expect(400);
    }
    visit.browser.get(format!("{back}?verdict={token}&verdict={token}")).await.expect(400);
    // Another browser, with or without a request of its own.
    come_back(&Browser::new(), &challenge, SHARED, &good).await.expect(400);
    come_back(&Visit::begin(&rig).await.browser, &challenge, SHARED, &good).await.expect(400);
    assert!(!visit.is_signed_in().await && !rig.was_audited("user.signed_in").await);
    // Nothing of that has used it up; then it works once.
    come_back(&visit.browser, &challenge, SHARED, &good).await.expect(303);
    assert!(visit.is_signed_in().await);
    come_back(&visit.browser, &challenge, SHARED, &good).await.expect(400);
}

#[tokio::test]
async fn a_verdict_that_is_old_for_others_or_malformed_signs_nobody_in() {
    let rig = rig().await;
    let visit = Visit::begin(&rig).await;
    let now = rig.seconds();
    for (name, value, reason) in [
        ("exp", json!(now - 61), "verdict_expired"),
        ("exp", json!(now + 3600), "verdict_expired"),
        ("exp", Value::Null, "verdict_expired"),
        ("aud", json!(PAGE), "verdict_audience"),
        ("aud", Value::Null, "verdict_audience"),
        ("user", Value::Null, "verdict_malformed"),
        ("user", json!({"id": ""}), "verdict_malformed"),
        ("teams", json!([{"id": "a b"}]), "verdict_malformed"),
        ("error", json!("access_denied"), "access_denied"),
        ("error", json!(false), "verdict_error"),
        ("aud", json!([PAGE]), "verdict_audience"),
        ("auth_time", json!("now"), "verdict_malformed"),
        ("auth_time", json!(i64::MAX), "verdict_malformed"),
        ("auth_time", json!(now * 1000), "auth_time"),
        ("auth_time", json!(now + 61), "auth_time"),
    ] {
        let challenge = challenge(&depart(&visit).await);
        let mut verdict = verdict(&rig, &challenge);
        verdict[name] = value.clone();
        let page = come_back(&visit.browser, &challenge, SHARED, &verdict).await.expect(303).location();
        assert_eq!(parameter(&page, "failed").as_deref(), Some("handoff"), "{name} {value}");
        assert!(visit.browser.get(&page).await.expect(200).body.contains("did not sign you in"));
        assert_eq!(rig.world.audited("user.sign_in_failed").await["reason"], reason, "{name} {value}");
        // It has used the state up all the same.
        verdict[name] = self::verdict(&rig, &challenge)[name].clone();
        come_back(&visit.browser, &challenge, SHARED, &verdict).await.expect(400);
    }
    assert!(!visit.is_signed_in().await);
}

/// RFC 7519 §2 and §4.1.3; and libraries write null for what there is not.
#[tokio::test]
async fn a_verdict_is_read_in_every_form_that_libraries_write() {
    let rig = rig().await;
    let fraction = |seconds: i64| serde_json::from_str::<Value>(&format!("{seconds}.5")).unwrap();
    for (name, value) in [
        ("aud", json!(["https://other.example", rig.world.url])),
        ("exp", fraction(rig.seconds() + 60)),
        ("auth_time", fraction(rig.seconds() - 1)),
        ("auth_time", json!(rig.seconds() + 60)),
        ("auth_time", Value::Null),
        ("error", Value::Null),
    ] {
        let visit = Visit::begin(&rig).await;
        let challenge = challenge(&depart(&visit).await);
        let mut verdict = verdict(&rig, &challenge);
        verdict[name] = value.clone();
        come_back(&visit.browser, &challenge, SHARED, &verdict).await.expect(303);
        assert!(visit.is_signed_in().await, "{name} {value}");
    }
}

#[tokio::test]
async fn a_new_proof_is_one_whose_time_the_product_tells() {
    let rig = rig().await;
    let visit = Visit::asking(&rig, &Ask::of("app").with("prompt", "login")).await;
    for (auth_time, is_enough) in
        [(None, false), (Some(rig.seconds() - 200), false), (Some(rig.seconds()), true)]
    {
        let challenge = challenge(&depart(&visit).await);
        let mut verdict = verdict(&rig, &challenge);
        verdict["auth_time"] = json!(auth_time);
        come_back(&visit.browser, &challenge, SHARED, &verdict).await.expect(303);
        assert_eq!(visit.is_signed_in().await, is_enough, "{auth_time:?}");
    }
}

#[tokio::test]
async fn whoever_came_by_a_way_that_is_off_is_signed_in_no_more() {
    let rig = rig().await;
    rig.register("inner", |own| own.login = Some(vec!["handoff".to_owned()])).await;
    let visit = Visit::begin(&rig).await;
    let start = challenge(&depart(&visit).await);
    come_back(&visit.browser, &start, SHARED, &verdict(&rig, &start)).await.expect(303);
    visit.agree(None).await;
    assert!(visit.is_believed().await);

    let (_server, url) = rig.world.beside(&lines(), "").await.unwrap();
    visit.browser.copy_cookies(&rig.world.url, &url);
    let authorize = |ask: Ask| visit.browser.get(format!("{url}/oauth/authorize?{}", ask.query()));
    let told = authorize(Ask::of("app").with("prompt", "none")).await.expect(303).location();
    assert_eq!(parameter(&told, "error").as_deref(), Some("login_required"));
    let access = visit.browser.get(format!("{url}/oauth/access")).await.expect(200);
    assert!(access.body.contains("name=\"password\""), "{}", access.body);
    // Nobody is left who could sign in for this one.
    let page = authorize(Ask::of("inner")).await.expect(303).location();
    let page = visit.browser.get(page).await.expect(400);
    assert!(page.body.contains("sign in this way"), "{}", page.body);
}

#[tokio::test]
async fn a_verdict_with_many_teams_has_room() {
    let rig = rig().await;
    let visit = Visit::begin(&rig).await;
    let challenge = challenge(&depart(&visit).await);
    let mut verdict = verdict(&rig, &challenge);
    let team = |number| json!({"id": format!("team-{number}-{}", "x".repeat(40)), "name": "A team", "role": "member"});
    verdict["teams"] = (0..150).map(team).collect();
    assert!(verdict.to_string().len() > 12 * 1024);
    come_back(&visit.browser, &challenge, SHARED, &verdict).await.expect(303);
    assert!(visit.is_signed_in().await);
}

#[tokio::test]
async fn a_verdict_that_does_not_tell_when_is_as_old_as_can_be() {
    let rig = rig().await;
    let visit = Visit::begin(&rig).await;
    let start = challenge(&depart(&visit).await);
    come_back(&visit.browser, &start, SHARED, &verdict(&rig, &start)).await.expect(303);
    visit.agree(None).await;
    assert!(!visit.is_believed_for("4000000000").await);

    let ask = Ask::of("app").with("max_age", "60").with("prompt", "consent");
    let aged = Visit::asking(&rig, &ask).await;
    for (auth_time, is_enough) in [(None, false), (Some(0), false), (Some(rig.seconds() - 10), true)] {
        let challenge = challenge(&depart(&aged).await);
        assert_eq!(challenge["max_age"], 60);
        let mut verdict = verdict(&rig, &challenge);
        verdict["auth_time"] = json!(auth_time);
        come_back(&aged.browser, &challenge, SHARED, &verdict).await.expect(303);
        assert_eq!(aged.is_signed_in().await, is_enough, "{auth_time:?}");
    }
    aged.agree(None).await;
    assert!(aged.is_believed_for("60").await);
}

#[tokio::test]
async fn a_challenge_is_no_verdict() {
    let rig = rig().await;
    let visit = Visit::begin(&rig).await;
    let start = depart(&visit).await;
    let token = parameter(&start, "challenge").unwrap();
    let back = rig.path("/oauth/login/callback/handoff");
    let page = visit.browser.get(format!("{back}?verdict={token}")).await.expect(303).location();
    assert_eq!(parameter(&page, "failed").as_deref(), Some("handoff"));
    assert!(!visit.is_signed_in().await);
}

#[test]
fn a_page_that_could_not_work_stops_the_start() {
    let good = format!("url = \"https://a.example/x\"\nsecret = \"{SHARED}\"\nlabel = \"Rowan\"\n");
    for (from, to, about) in [
        ("https", "http", "handoff.url"),
        ("a-shared-secret-of-32-characters", "short", "handoff.secret"),
        ("Rowan", " ", "handoff.label"),
    ] {
        let lines = good.replace(from, to);
        let refused = world::refused(&format!("[grant.login.handoff]\n{lines}"));
        assert!(refused.contains(about), "{lines}: {refused}");
    }
}
