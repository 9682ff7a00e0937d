//! The life of a payment intent.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Stripe, error, invalid};

const PAYMENT: [(&str, &str); 3] =
    [("amount", "1250"), ("currency", "eur"), ("payment_method_types[]", "card")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = PAYMENT.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    kept.chain(more).copied().collect()
}

async fn enabled(stripe: &Stripe) -> String {
    let account = stripe.account().await;
    stripe.control(Method::PUT, &format!("/accounts/{account}"), json!({"chargesEnabled": true})).await;
    account
}

#[tokio::test]
async fn a_payment_goes_through_its_statuses() {
    let stripe = Stripe::start().await;
    let intent = stripe.post("/v1/payment_intents", &with(&[("capture_method", "manual")])).await.json();
    let path = format!("/v1/payment_intents/{}", intent["id"].as_str().unwrap());
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(
        error(&stripe.post(&format!("{path}/confirm"), &[]).await).2,
        "payment_intent_unexpected_state"
    );
    assert_eq!(
        error(&stripe.post(&format!("{path}/capture"), &[]).await).2,
        "payment_intent_unexpected_state"
    );

    let changed =
        stripe.post(&path, &[("payment_method", "pm_card_chargeDeclinedInsufficientFunds")]).await.json();
    assert_eq!(changed["status"], "requires_confirmation");
    let declined = stripe.post(&format!("{path}/confirm"), &[]).await;
    assert_eq!(error(&declined), (402, "card_error".to_owned(), json!("card_declined")));
    let problem = &declined.json()["error"];
    assert_eq!(problem["decline_code"], "insufficient_funds");
    assert_eq!(problem["payment_intent"]["status"], "requires_payment_method");
    assert_eq!(stripe.get(&path).await.json()["last_payment_error"]["code"], "card_declined");

    let held = stripe.post(&format!("{path}/confirm"), &[("payment_method", "pm_card_visa")]).await.json();
    assert_eq!((&held["status"], &held["amount_capturable"]), (&json!("requires_capture"), &json!(1250)));
    let more = stripe.post(&format!("{path}/capture"), &[("amount_to_capture", "1251")]).await;
    assert_eq!(error(&more), invalid(400, "amount_too_large"));
    let paid = stripe.post(&format!("{path}/capture"), &[("amount_to_capture", "1000")]).await.json();
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1000)));
    assert_eq!(
        error(&stripe.post(&format!("{path}/cancel"), &[]).await).2,
        "payment_intent_unexpected_state"
    );
    assert_eq!(error(&stripe.post(&path, &[("amount", "99")]).await).2, "payment_intent_unexpected_state");

    let events = stripe.get("/v1/events").await.json();
    let kinds: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "payment_intent.succeeded",
            "payment_intent.amount_capturable_updated",
            "payment_intent.payment_failed",
            "payment_intent.created",
        ]
    );
}

#[tokio::test]
async fn a_payment_can_be_confirmed_at_once_or_canceled() {
    let stripe = Stripe::start().await;
    let fields = with(&[("confirm", "true"), ("payment_method", "pm_card_visa"), ("metadata[cart]", "c1")]);
    let paid = stripe.post("/v1/payment_intents", &fields).await.json();
    assert_eq!((&paid["status"], &paid["metadata"]["cart"]), (&json!("succeeded"), &json!("c1")));
    let open = stripe.post("/v1/payment_intents", &PAYMENT).await.json();
    let path = format!("/v1/payment_intents/{}/cancel", open["id"].as_str().unwrap());
    let canceled = stripe.post(&path, &[("cancellation_reason", "abandoned")]).await.json();
    assert_eq!(
        (&canceled["status"], &canceled["cancellation_reason"]),
        (&json!("canceled"), &json!("abandoned"))
    );
    assert_eq!(stripe.get("/v1/payment_intents").await.json()["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_payment_through_the_platform_needs_a_destination_that_can_take_it() {
    let stripe = Stripe::start().await;
    let (ready, fresh) = (enabled(&stripe).await, stripe.account().await);
    let pay = async |more: &[(&str, &str)]| stripe.post("/v1/payment_intents", &with(more)).await;
    let fee = ("application_fee_amount", "50");
    let destination = "transfer_data[destination]";
    let paid = pay(&[fee, (destination, &ready)]).await.json();
    assert_eq!(paid["transfer_data"], json!({"destination": ready}));
    assert_eq!(paid["application_fee_amount"], 50);
    assert_eq!(error(&pay(&[fee]).await), invalid(400, Value::Null));
    assert_eq!(error(&pay(&[(destination, "acct_0")]).await), invalid(400, "resource_missing"));
    let refused = pay(&[(destination, &fresh)]).await;
    assert_eq!(error(&refused), invalid(400, "insufficient_capabilities_for_transfer"));
    let greedy = pay(&[("application_fee_amount", "1251"), (destination, &ready)]).await;
    assert_eq!(error(&greedy), invalid(400, Value::Null));
}

#[tokio::test]
async fn a_direct_payment_belongs_to_the_connected_account() {
    let stripe = Stripe::start().await;
    let account = enabled(&stripe).await;
    let headers = [("stripe-account", &*account)];
    let fields = with(&[("application_fee_amount", "50")]);
    let intent = stripe.post_with("/v1/payment_intents", &fields, &headers).await.json();
    let id = intent["id"].as_str().unwrap();
    assert_eq!(
        error(&stripe.get(&format!("/v1/payment_intents/{id}")).await),
        invalid(404, "resource_missing")
    );
    let path = format!("/v1/payment_intents/{id}/confirm");
    let paid = stripe.post_with(&path, &[("payment_method", "pm_card_visa")], &headers).await.json();
    assert_eq!(paid["status"], "succeeded");
}

#[tokio::test]
async fn amounts_and_currencies_have_their_limits() {
    let stripe = Stripe::start().await;
    let cases = [
        (("amount", ""), json!("parameter_invalid_empty")),
        (("amount", "12.5"), json!("parameter_invalid_integer")),
        (("amount", "49"), json!("amount_too_small")),
        (("amount", "-1"), json!("amount_too_small")),
        (("amount", "100000000"), json!("amount_too_large")),
        (("currency", "xyz"), Value::Null),
        (("payment_method", "pm_0"), json!("resource_missing")),
        (("payment_method_types[]", "cash"), Value::Null),
        (("capture_method", "never"), Value::Null),
    ];
    for (field, code) in cases {
        assert_eq!(
            error(&stripe.post("/v1/payment_intents", &with(&[field])).await),
            invalid(400, code),
            "{field:?}"
        );
    }
    for missing in ["amount", "currency"] {
        let fields: Vec<_> = PAYMENT.into_iter().filter(|(name, _)| *name != missing).collect();
        assert_eq!(
            error(&stripe.post("/v1/payment_intents", &fields).await),
            invalid(400, "parameter_missing")
        );
    }
}
