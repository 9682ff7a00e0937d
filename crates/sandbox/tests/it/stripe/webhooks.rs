//! Signed webhooks: who gets them, in which order, how often, and what is wrong with a wrong one.

use aws_lc_rs::hmac;
use axum::http::Method;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::{Delivery, Stripe};

/// The time of a signature that was made with this secret over this body.
fn signed_at(delivery: &Delivery, secret: &str) -> Option<i64> {
    let (time, tag) = delivery.signature.as_deref()?.strip_prefix("t=")?.split_once(",v1=")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = format!("{time}.{}", delivery.body);
    hmac::verify(&key, signed.as_bytes(), &HEXLOWER.decode(tag.as_bytes()).ok()?).ok()?;
    time.parse().ok()
}

async fn send(stripe: &Stripe, event: &str, body: Value) -> Value {
    stripe.control(Method::POST, &format!("/events/{event}/send"), body).await.json()
}

#[tokio::test]
async fn a_change_of_an_account_is_told_once_and_signed() {
    let stripe = Stripe::start().await;
    let mut hook = stripe.listen(&[]).await;
    let account = stripe.account().await;
    let path = format!("/v1/accounts/{account}");
    stripe.post_with(&path, &[("email", "anna@example.com")], &[("idempotency-key", "k")]).await;
    // Nothing changed, so nothing is told.
    stripe.post(&path, &[("email", "anna@example.com")]).await;
    stripe.post(&path, &[("email", "jaan@example.com")]).await;

    let first = hook.recv().await.unwrap();
    let event = first.event();
    assert_eq!(signed_at(&first, "whsec_sandbox"), Some(1_795_246_200));
    assert_eq!((&event["type"], &event["account"]), (&json!("account.updated"), &json!(account)));
    assert_eq!(event["data"]["object"]["email"], "anna@example.com");
    assert_eq!(event["data"]["previous_attributes"], json!({"email": null}));
    assert_eq!(event["request"]["idempotency_key"], "k");
    let second = hook.recv().await.unwrap().event();
    assert_eq!(second["data"]["previous_attributes"], json!({"email": "anna@example.com"}));
    // The platform sees events of a connected account only in its name.
    let id = first.id();
    assert_eq!(stripe.get(&format!("/v1/events/{id}")).await.status, 404);
    let request = stripe.authorized(stripe.bench.request(Method::GET, &format!("/v1/events/{id}")));
    assert_eq!(stripe.bench.send(request.header("stripe-account", &account), "").await.json(), event);
    let request = stripe.authorized(stripe.bench.request(Method::GET, "/v1/events?type=account.updated"));
    let listed = stripe.bench.send(request.header("stripe-account", &account), "").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_receiver_that_refuses_gets_the_event_again() {
    let stripe = Stripe::start().await;
    let mut hook = stripe.listen(&[500, 302]).await;
    let account = stripe.account().await;
    stripe.control(Method::POST, &format!("/accounts/{account}/deauthorize"), json!(null)).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let delivery = hook.recv().await.unwrap();
        assert_eq!(delivery.event()["type"], "account.application.deauthorized");
        ids.push(delivery.id());
    }
    assert!(ids.iter().all(|id| *id == ids[0]));
    let answer = stripe.get(&format!("/v1/accounts/{account}")).await;
    assert_eq!(answer.status, 403);
    loop {
        let outcomes = stripe.bench.outcomes("stripe.webhook").await;
        if outcomes.len() == 3 {
            assert_eq!(outcomes, ["refused", "refused", "ok"]);
            break;
        }
    }
    let row = stripe.bench.log().await.into_iter().find(|row| row["endpoint"] == "stripe.webhook").unwrap();
    assert_eq!(
        (&row["event"], &row["account"], &row["status"]),
        (&json!(ids[0]), &json!(account), &json!(500))
    );
}

#[tokio::test]
async fn a_receiver_that_keeps_refusing_is_given_up_and_the_next_event_comes() {
    let stripe = Stripe::start().await;
    let mut hook = stripe.listen(&[500, 500, 500, 500]).await;
    let account = stripe.account().await;
    for email in ["a@example.com", "b@example.com"] {
        stripe.post(&format!("/v1/accounts/{account}"), &[("email", email)]).await;
    }
    let mut emails = Vec::new();
    for _ in 0..5 {
        emails.push(hook.recv().await.unwrap().event()["data"]["object"]["email"].clone());
    }
    assert_eq!(emails, ["a@example.com", "a@example.com", "a@example.com", "a@example.com", "b@example.com"]);
}

#[tokio::test]
async fn an_event_can_be_sent_again_out_of_order_and_with_a_signature_that_is_no_good() {
    let stripe = Stripe::start().await;
    let mut hook = stripe.listen(&[]).await;
    stripe.set(json!({"deliver": "manual"})).await;
    let account = stripe.account().await;
    for email in ["a@example.com", "b@example.com"] {
        stripe.post(&format!("/v1/accounts/{account}"), &[("email", email)]).await;
    }
    let events = stripe.control(Method::GET, "/events", json!(null)).await.json();
    let ids: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|row| row["event"]["id"].as_str().unwrap()).collect();
    let [newer, older] = ids[..] else { panic!("{ids:?}") };
    for id in [newer, older, older] {
        assert_eq!(send(&stripe, id, json!(null)).await, json!({"event": id, "status": 200}));
        let delivery = hook.recv().await.unwrap();
        assert_eq!((delivery.id().as_str(), signed_at(&delivery, "whsec_sandbox").is_some()), (id, true));
    }
    for (signature, expected) in
        [("valid", Some(1_795_246_200)), ("wrong", None), ("old", Some(1_795_245_600)), ("missing", None)]
    {
        send(&stripe, older, json!({"signature": signature})).await;
        let delivery = hook.recv().await.unwrap();
        assert_eq!(signed_at(&delivery, "whsec_sandbox"), expected, "{signature}");
        assert_eq!(delivery.signature.is_none(), signature == "missing");
    }
    assert!(hook.try_recv().is_err(), "nothing was sent by itself");
    let refused =
        stripe.control(Method::POST, &format!("/events/{older}/send"), json!({"signature": "odd"})).await;
    assert_eq!(refused.status, 400);
    let unknown = stripe.control(Method::POST, "/events/evt_0/send", json!(null)).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn events_of_another_platform_are_not_sent_and_the_secret_can_be_changed() {
    let stripe = Stripe::start().await;
    let mut hook = stripe.listen(&[]).await;
    stripe.set(json!({"platforms": {"acct_other": {"name": "Other", "secretKey": "sk_test_other"}}})).await;
    let shown = stripe.control(Method::GET, "", json!(null)).await.json()["webhook"].clone();
    let mut webhook = shown.clone();
    webhook["secret"] = json!("whsec_own");
    stripe.set(json!({"webhook": webhook})).await;
    // The document shows no secret, so putting it back keeps it.
    stripe.set(json!({"webhook": shown})).await;
    let other = Stripe { key: "sk_test_other", bench: crate::harness::Bench::at(stripe.bench.base.clone()) };
    for platform in [&other, &stripe] {
        let account = platform.account().await;
        platform.post(&format!("/v1/accounts/{account}"), &[("email", "a@example.com")]).await;
        if platform.key == stripe.key {
            let delivery = hook.recv().await.unwrap();
            assert_eq!(delivery.event()["account"], json!(account));
            assert_eq!(signed_at(&delivery, "whsec_own"), Some(1_795_246_200));
        }
    }
}
