//! Idempotency keys: Stripe keeps the first answer of a key for a day, whatever it was, once the work had begun.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Stripe, error, invalid};

const FIELDS: [(&str, &str); 2] = [("type", "express"), ("country", "EE")];

async fn create(stripe: &Stripe, key: &str, fields: &[(&str, &str)]) -> crate::harness::Answer {
    stripe.post_with("/v1/accounts", fields, &[("idempotency-key", key)]).await
}

#[tokio::test]
async fn a_key_gives_its_first_answer_again_for_a_day() {
    let stripe = Stripe::start().await;
    let first = create(&stripe, "k", &FIELDS).await;
    stripe.bench.advance(24 * 3600 - 1);
    let again = create(&stripe, "k", &FIELDS).await;
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, "true"));
    assert_eq!(again.header("original-request"), first.header("request-id"));
    assert_eq!(first.header("idempotent-replayed"), "");
    // The order of the parameters is not the request.
    let turned = [FIELDS[1], FIELDS[0]];
    assert_eq!(create(&stripe, "k", &turned).await.body, first.body);
    stripe.bench.advance(1);
    assert_ne!(create(&stripe, "k", &FIELDS).await.body, first.body);
}

#[tokio::test]
async fn a_key_is_refused_with_another_request() {
    let stripe = Stripe::start().await;
    create(&stripe, "k", &FIELDS).await;
    let other = [FIELDS[0], ("country", "FI")];
    let expected = (400, "idempotency_error".to_owned(), Value::Null);
    assert_eq!(error(&create(&stripe, "k", &other).await), expected);
    let elsewhere = stripe.post_with("/v1/account_links", &FIELDS, &[("idempotency-key", "k")]).await;
    assert_eq!(error(&elsewhere), expected);
    assert_eq!(error(&create(&stripe, &"k".repeat(256), &FIELDS).await), invalid(400, Value::Null));
}

#[tokio::test]
async fn a_refusal_of_the_parameters_is_not_kept_and_one_of_the_work_is() {
    let stripe = Stripe::start().await;
    assert_eq!(create(&stripe, "k", &[("country", "XX")]).await.status, 400);
    assert_eq!(create(&stripe, "k", &FIELDS).await.status, 200);
    let missing = [("amount", "100"), ("currency", "eur"), ("transfer_data[destination]", "acct_0")];
    for replayed in ["", "true"] {
        let answer = stripe.post_with("/v1/payment_intents", &missing, &[("idempotency-key", "p")]).await;
        assert_eq!(error(&answer), invalid(400, "resource_missing"));
        assert_eq!(answer.header("idempotent-replayed"), replayed);
    }
}

#[tokio::test]
async fn a_500_is_kept_and_a_503_is_not() {
    let stripe = Stripe::start().await;
    stripe.set(json!({"fail": {"kind": 500}})).await;
    for replayed in ["", "true"] {
        let answer = create(&stripe, "k", &FIELDS).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotent-replayed")), (500, replayed));
        assert_eq!(answer.json()["error"]["type"], "api_error");
    }
    stripe.set(json!({"fail": {"kind": 503}})).await;
    assert_eq!(create(&stripe, "other", &FIELDS).await.status, 503);
    assert_eq!(create(&stripe, "other", &FIELDS).await.status, 200);
}

#[tokio::test]
async fn after_a_reset_the_key_gives_the_answer_that_was_lost() {
    let stripe = Stripe::start().await;
    stripe.set(json!({"fail": {"kind": "reset_after"}})).await;
    let request = stripe.authorized(stripe.bench.form("/v1/accounts")).header("idempotency-key", "k");
    assert!(stripe.bench.try_send(request, crate::harness::encode(&FIELDS)).await.is_err());
    let again = create(&stripe, "k", &FIELDS).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, "true"));
    let accounts = stripe.get("/v1/accounts").await.json();
    assert_eq!(accounts["data"].as_array().unwrap().len(), 1);
    assert_eq!(stripe.bench.log().await[0]["work"], "ok");
}

#[tokio::test]
async fn a_key_is_in_use_while_its_first_request_is_under_way() {
    let stripe = Arc::new(Stripe::start().await);
    for hold in [json!({"latency": 120_000}), json!({"latency": 0, "fail": {"kind": "hang"}})] {
        stripe.set(hold.clone()).await;
        let key = hold.to_string();
        let first = tokio::spawn({
            let (stripe, key) = (Arc::clone(&stripe), key.clone());
            async move { create(&stripe, &key, &FIELDS).await }
        });
        let seen = stripe.bench.log().await.len();
        while stripe.bench.log().await.len() == seen {
            tokio::task::yield_now().await;
        }
        stripe.set(json!({"latency": 0})).await;
        assert_eq!(error(&create(&stripe, &key, &FIELDS).await), invalid(409, "idempotency_key_in_use"));
        // The client goes away, and the server notices.
        first.abort();
        let mut answer = create(&stripe, &key, &FIELDS).await;
        while answer.status == 409 {
            answer = create(&stripe, &key, &FIELDS).await;
        }
        assert_eq!(answer.status, 200, "{hold}");
    }
}
