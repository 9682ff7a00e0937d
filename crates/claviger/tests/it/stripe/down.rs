//! Stripe is down, slow, strange or refuses our key, at each step: nothing is lost, and nothing happens twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::stripe::{stranger, stripe_lines, stripe_on_both_stores};
use crate::harness::{Answer, World};

/// What Stripe does on a bad day, each kind without doing the work but the last.
const KINDS: [&str; 10] =
    ["500", "503", "429", "409", "reset_before", "hang", "garbage", "huge", "redirect", "reset_after"];

/// Quick to give up, since one of the kinds is silence.
async fn impatient() -> World {
    World::with_stripe(None, "timeout = \"1s\"\n").await
}

#[track_caller]
fn is_down(answer: &Answer, case: &str) {
    assert_eq!(answer.problem(), (503, "stripe_unavailable".to_owned()), "{case}: {answer:?}");
    assert!(!answer.header("retry-after").is_empty(), "{case}: {answer:?}");
}

/// Once more, and again while Stripe has not noticed that we hung up.
async fn once_more(url: &str, case: &str) -> Answer {
    for _ in 0..50 {
        let answer = stranger().get(url).await;
        if case != "hang" || answer.status != 503 {
            return answer;
        }
    }
    stranger().get(url).await
}

fn keys(rows: &[Value]) -> BTreeSet<&str> {
    rows.iter().map(|row| row["idempotencyKey"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_link_that_works_once_is_not_used_up_by_a_stripe_that_fails_and_there_is_one_account() {
    let world = impatient().await;
    let mut subjects = 0;
    for endpoint in ["stripe.accounts", "stripe.account_links"] {
        for kind in KINDS {
            let subject = format!("{endpoint}.{kind}");
            let link = world.stripe_link(&subject).await;
            world.stripe_fails(kind, endpoint).await;
            is_down(&stranger().get(&link).await, &subject);
            assert_eq!(world.stripe_of(&subject).await["status"], "onboarding", "{subject}");
            let page = once_more(&link, kind).await.expect(303).location();
            assert_eq!(stranger().get(&link).await.problem().1, "invalid_link", "it worked once");
            let callback = world.through_stripe(&page).await;
            assert_eq!(stranger().get(callback).await.expect(303).location().path(), "/onboard-client/done");
            subjects += 1;
        }
    }
    let made = world.at_stripe().await;
    let of: BTreeSet<_> =
        made.iter().map(|made| made["metadata"]["claviger_subject"].as_str().unwrap()).collect();
    assert_eq!((made.len(), of.len()), (subjects, subjects));
}

#[tokio::test]
async fn a_callback_is_not_used_up_by_a_stripe_that_fails() {
    let world = impatient().await;
    for kind in KINDS {
        let subject = format!("client.{kind}");
        let callback = world.stripe_callback(&subject).await;
        let before = world.stripe_row(&subject).await;
        world.stripe_fails(kind, "stripe.accounts").await;
        is_down(&stranger().get(&callback).await, kind);
        assert_eq!(world.stripe_row(&subject).await, before, "{kind}");
        assert_eq!(
            stranger().get(&callback).await.expect(303).location().path(),
            "/onboard-client/done",
            "{kind}"
        );
    }
    assert_eq!(world.audit_count("stripe.refused").await, 0, "nobody attacked");
    // The same for a fresh page: neither an incomplete callback nor a refresh is used up.
    world.stripe(&json!({"onboarding": "incomplete"})).await;
    let callback = world.stripe_callback("client-7").await;
    let refresh = callback.as_str().replace("/connect/callback", "/onboard-client/refresh");
    for url in [callback.as_str(), &refresh] {
        world.stripe_fails("503", "stripe.account_links").await;
        is_down(&stranger().get(url).await, url);
    }
    stranger().get(refresh).await.expect(303);
}

stripe_on_both_stores! {
    async fn after_a_lost_answer_the_same_key_brings_the_same_account(world: World) {
        let link = world.mailed_stripe_link("client-7").await;
        world.stripe_fails("reset_after", "stripe.accounts").await;
        is_down(&stranger().form(&link, &[]).await, "lost");
        assert_eq!(world.at_stripe().await.len(), 1, "Stripe has made it");
        assert_eq!(world.stripe_row("client-7").await.unwrap().account, None, "we do not know of it");
        stranger().form(&link, &[]).await.expect(303);
        let rows = world.stripe_rows("POST", "stripe.accounts").await;
        assert_eq!((rows.len(), keys(&rows).len(), &rows[1]["replayed"]), (2, 1, &json!(true)));
        assert_eq!(world.at_stripe().await.len(), 1);
        let known = world.stripe_row("client-7").await.unwrap().account.unwrap();
        assert_eq!(world.at_stripe().await[0]["id"], known.as_str());
    }

    async fn after_a_500_that_stripe_keeps_another_key_is_used(world: World) {
        let link = world.mailed_stripe_link("client-7").await;
        world.stripe_fails("500", "stripe.accounts").await;
        is_down(&stranger().form(&link, &[]).await, "500");
        stranger().form(&link, &[]).await.expect(303);
        let rows = world.stripe_rows("POST", "stripe.accounts").await;
        assert_eq!((rows.len(), keys(&rows).len(), &rows[1]["outcome"]), (2, 2, &json!("ok")));
        assert_eq!(world.at_stripe().await.len(), 1);
    }

    async fn however_many_press_the_button_at_once_stripe_makes_one_account(world: World) {
        let link = world.mailed_stripe_link("client-7").await;
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let link = link.clone();
            callers.spawn(async move { stranger().form(&link, &[]).await });
        }
        let answers = callers.join_all().await;
        let gone = answers.iter().filter(|answer| answer.status == 303).count();
        // Stripe refuses a key while another call with it is under way.
        let told_to_wait = answers.iter().filter(|answer| answer.status == 503).count();
        assert!(gone >= 1 && gone + told_to_wait == 8, "{answers:?}");
        let rows = world.stripe_rows("POST", "stripe.accounts").await;
        assert_eq!((world.at_stripe().await.len(), keys(&rows).len()), (1, 1));
    }

    async fn every_post_to_stripe_carries_an_idempotency_key_of_its_own(world: World) {
        world.stripe(&json!({"onboarding": "incomplete"})).await;
        for subject in ["client-7", "client-8"] {
            let callback = world.stripe_callback(subject).await;
            stranger().get(callback).await.expect(303);
        }
        for (endpoint, count) in [("stripe.accounts", 2), ("stripe.account_links", 4)] {
            let rows = world.stripe_rows("POST", endpoint).await;
            assert_eq!((rows.len(), keys(&rows).len()), (count, count), "{endpoint}");
        }
    }
}

#[tokio::test]
async fn a_slow_stripe_is_waited_for() {
    let world = World::with_stripe(None, "").await;
    world.stripe(&json!({"latency": 300})).await;
    world.link_at_stripe("client-7").await;
    assert_eq!((world.at_stripe().await.len(), world.audit_count("stripe.linked").await), (1, 1));
}

#[tokio::test]
async fn a_wrong_key_is_told_as_a_fault_of_the_configuration_and_nothing_is_lost() {
    let world = World::with_stripe(None, "").await;
    let callback = world.stripe_callback("client-7").await;
    let link = world.stripe_link("client-8").await;
    let key = |key: &str| json!({"platforms": {"acct_platformsandbox": {"name": "P", "secretKey": key}}});
    world.stripe(&key("sk_test_rolled")).await;
    for url in [callback.as_str(), &link] {
        let answer = stranger().get(url).await;
        assert_eq!(answer.problem(), (502, "stripe_configuration".to_owned()), "{url}");
        assert!(!answer.body.contains("sk_test"), "{}", answer.body);
    }
    world.stripe(&key("sk_test_sandbox")).await;
    stranger().get(callback).await.expect(303);
    stranger().get(link).await.expect(303);
}

#[tokio::test]
async fn without_stripe_every_door_says_so() {
    let lines = stripe_lines("").split("[stripe]").next().unwrap().to_owned();
    let world = World::knowing(None, "", &lines).await;
    let (token, state) = ("0".repeat(64), "0".repeat(64));
    for path in [
        format!("/connect/callback?state={state}&account=acct_1"),
        format!("/onboard-client/refresh?state={state}"),
    ] {
        let answer = stranger().get(world.path(&path)).await;
        assert_eq!(answer.problem(), (400, "stripe_not_configured".to_owned()), "{path}");
    }
    assert_eq!(stranger().get(world.path(&format!("/onboard-client?token={token}"))).await.problem().0, 400);
    assert_eq!(world.at_the_webhook("t=1,v1=00", "{}").await.problem().1, "stripe_not_configured");
    let body = json!({"subject": "client-7", "page": "stripe"});
    let answer = world.call(axum::http::Method::POST, "/api/portal-sessions", &body).await;
    assert_eq!(answer.problem(), (400, "stripe_not_configured".to_owned()));
}
