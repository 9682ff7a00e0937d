//! What Stripe tells of accounts: signed, at least once, in any order.

use std::time::Duration;

use axum::http::Method;
use model::Clock;
use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::stripe::{
    SECRET_KEY, WEBHOOK_SECRET, signed_at, stranger, stripe_lines, stripe_on_both_stores,
};

const UPDATED: &str = "account.updated";

/// `client-7` with an account that Stripe still verifies; the account.
async fn pending(world: &World) -> String {
    world.stripe(&json!({"onboarding": "pending"})).await;
    world.link_at_stripe("client-7").await
}

async fn charges(world: &World) -> bool {
    world.stripe_of("client-7").await["chargesEnabled"].as_bool().unwrap()
}

/// How often we asked Stripe how an account is.
async fn asked(world: &World) -> usize {
    world.stripe_rows("GET", "stripe.accounts").await.len()
}

/// The account changes; the event that tells of it.
async fn changed(world: &World, account: &str, change: &Value) -> String {
    world.change_at_stripe(account, change).await;
    world.stripe_events(UPDATED).await.remove(0)
}

stripe_on_both_stores! {
    async fn an_account_that_changes_at_stripe_changes_here(world: World) {
        let account = pending(&world).await;
        let change = json!({"chargesEnabled": true, "requirements": {"currentlyDue": ["tos_acceptance.date"]}});
        let event = changed(&world, &account, &change).await;
        assert!(!charges(&world).await);
        world.pass(Duration::from_mins(1));
        assert_eq!(world.send_event(&event, "valid").await, 200);
        let row = world.stripe_of("client-7").await;
        assert_eq!((&row["chargesEnabled"], &row["currentlyDue"]), (&json!(true), &json!(["tos_acceptance.date"])));
        assert_eq!((&row["status"], &row["checkedAt"]), (&json!("linked"), &json!(world.clock.now().to_string())));
    }

    async fn an_event_with_a_wrong_old_or_missing_signature_is_refused_and_nothing_changes(world: World) {
        let account = pending(&world).await;
        let event = changed(&world, &account, &json!({"chargesEnabled": true})).await;
        let before = (world.stripe_row("client-7").await, asked(&world).await);
        for signature in ["wrong", "old", "missing"] {
            assert_eq!(world.send_event(&event, signature).await, 400, "{signature}");
        }
        assert_eq!((world.stripe_row("client-7").await, asked(&world).await), before);
        // The refused ones are not remembered as seen.
        assert_eq!(world.send_event(&event, "valid").await, 200);
        assert!(charges(&world).await);
    }

    async fn an_event_that_comes_again_is_not_put_into_effect_again(world: World) {
        let account = pending(&world).await;
        let event = changed(&world, &account, &json!({"chargesEnabled": true})).await;
        assert_eq!(world.send_event(&event, "valid").await, 200);
        let next = changed(&world, &account, &json!({"chargesEnabled": false})).await;
        let before = asked(&world).await;
        for _ in 0..3 {
            assert_eq!(world.send_event(&event, "valid").await, 200);
        }
        assert_eq!((asked(&world).await, charges(&world).await), (before, true));
        assert_eq!(world.send_event(&next, "valid").await, 200);
        assert_eq!((asked(&world).await, charges(&world).await), (before + 1, false));
    }

    async fn events_out_of_order_end_in_the_truth(world: World) {
        let account = pending(&world).await;
        let first = changed(&world, &account, &json!({"chargesEnabled": true})).await;
        let second = changed(&world, &account, &json!({"chargesEnabled": false})).await;
        let third = changed(&world, &account, &json!({"chargesEnabled": true, "payoutsEnabled": true})).await;
        for event in [&third, &first, &second] {
            assert_eq!(world.send_event(event, "valid").await, 200);
        }
        let row = world.stripe_of("client-7").await;
        assert_eq!((&row["chargesEnabled"], &row["payoutsEnabled"]), (&json!(true), &json!(true)));
    }

    async fn an_event_that_can_not_be_looked_into_is_sent_again(world: World) {
        let account = pending(&world).await;
        let event = changed(&world, &account, &json!({"chargesEnabled": true})).await;
        for kind in ["503", "500", "429", "reset_before", "garbage"] {
            world.stripe_fails(kind, "stripe.accounts").await;
            assert_eq!(world.send_event(&event, "valid").await, 503, "{kind}");
            assert!(!charges(&world).await, "{kind}");
        }
        assert_eq!(world.send_event(&event, "valid").await, 200);
        assert!(charges(&world).await);
    }

    async fn an_account_that_leaves_the_platform_is_given_up_and_another_can_be_linked(world: World) {
        let account = pending(&world).await;
        let path = format!("/accounts/{account}/deauthorize");
        let event = world.control_stripe(Method::POST, &path, &json!({})).await.expect(200).json()["event"].clone();
        for _ in 0..2 {
            assert_eq!(world.send_event(event.as_str().unwrap(), "valid").await, 200);
        }
        let row = world.stripe_of("client-7").await;
        assert_eq!((&row["status"], &row["stripeAccountId"]), (&json!("deauthorized"), &json!(account)));
        assert!(row["deauthorizedAt"].is_string());
        assert_eq!(world.audit_count("stripe.deauthorized").await, 1);
        let told = world.audited("stripe.deauthorized").await;
        assert_eq!((&told["subject"], &told["target"]), (&json!("client-7"), &json!(account)));
        // No other account comes in its place by itself.
        let link = world.stripe_link("client-7").await;
        assert_eq!(stranger().get(&link).await.problem(), (409, "account_deauthorized".to_owned()));
        world.call(Method::DELETE, "/api/subjects/client-7/stripe", &Value::Null).await.expect(204);
        let page = stranger().get(&link).await.expect(303).location();
        let callback = world.through_stripe(&page).await;
        stranger().get(callback).await.expect(303);
        let row = world.stripe_of("client-7").await;
        assert_eq!(row["status"], "linked");
        assert_ne!(row["stripeAccountId"], json!(account));
    }

    async fn that_access_is_lost_or_back_is_what_stripe_says_and_not_the_event(world: World) {
        let account = pending(&world).await;
        let gone = |id: &str| {
            json!({"id": id, "type": "account.application.deauthorized", "account": account}).to_string()
        };
        let send = async |id: &str| {
            let (body, seconds) = (gone(id), world.clock.now().as_unix_ms() / 1000);
            world.at_the_webhook(&signed_at(seconds, WEBHOOK_SECRET, &body), body).await.expect(200);
        };
        // One of long ago, which Stripe has tried to deliver since.
        send("evt_late").await;
        assert_eq!(world.stripe_of("client-7").await["status"], "linked");
        assert_eq!(world.audit_count("stripe.deauthorized").await, 0);
        // As if we had asked with the key of another platform meanwhile.
        let accounts = &world.server.app.store.stripe;
        accounts.deauthorize(&account.parse().unwrap(), world.clock.now()).await.unwrap().unwrap();
        assert_eq!(world.stripe_of("client-7").await["status"], "deauthorized");
        send("evt_later").await;
        assert_eq!(world.stripe_of("client-7").await["status"], "linked");
    }

    async fn an_event_about_an_account_that_stripe_no_longer_shows_gives_it_up(world: World) {
        let account = pending(&world).await;
        let event = changed(&world, &account, &json!({"chargesEnabled": true})).await;
        world.call_stripe(SECRET_KEY, Method::DELETE, &format!("/v1/accounts/{account}"), "").await;
        assert_eq!(world.send_event(&event, "valid").await, 200);
        assert_eq!(world.stripe_of("client-7").await["status"], "deauthorized");
    }
}

#[tokio::test]
async fn an_event_of_an_unknown_account_or_of_another_type_is_taken_and_nothing_is_asked() {
    let world = World::with_stripe(None, "").await;
    let made = world.call_stripe(SECRET_KEY, Method::POST, "/v1/accounts", "type=standard").await;
    let unknown = changed(&world, made["id"].as_str().unwrap(), &json!({"chargesEnabled": true})).await;
    world.call_stripe(SECRET_KEY, Method::POST, "/v1/payment_intents", "amount=100&currency=eur").await;
    let other = world.stripe_events("payment_intent.created").await.remove(0);
    let before = asked(&world).await;
    for event in [unknown, other] {
        assert_eq!(world.send_event(&event, "valid").await, 200);
    }
    assert_eq!(asked(&world).await, before);
}

#[tokio::test]
async fn while_the_secret_is_rotated_both_are_good() {
    let both = format!("webhook_secrets = [\"whsec_next\", \"{WEBHOOK_SECRET}\"]");
    let lines = stripe_lines("").replace(&format!("webhook_secrets = [\"{WEBHOOK_SECRET}\"]"), &both);
    let world = World::with_stripe_by(None, &lines).await;
    let account = pending(&world).await;
    for (secret, status, charges_enabled) in
        [(WEBHOOK_SECRET, 200, true), ("whsec_next", 200, false), ("whsec_other", 400, true)]
    {
        let webhook = json!({"url": world.path("/connect/webhooks/stripe"), "secret": secret});
        world.stripe(&json!({ "webhook": webhook })).await;
        let event = changed(&world, &account, &json!({"chargesEnabled": charges_enabled})).await;
        assert_eq!(world.send_event(&event, "valid").await, status, "{secret}");
        assert_eq!(charges(&world).await == charges_enabled, status == 200, "{secret}");
    }
}

#[tokio::test]
async fn without_a_secret_no_event_is_believed() {
    let lines = stripe_lines("").replace(&format!("[\"{WEBHOOK_SECRET}\"]"), "[]");
    let world = World::with_stripe_by(None, &lines).await;
    let account = pending(&world).await;
    let event = changed(&world, &account, &json!({"chargesEnabled": true})).await;
    assert_eq!(world.send_event(&event, "valid").await, 400);
    let now = world.clock.now().as_unix_ms() / 1000;
    let body = json!({"id": "evt_1", "type": UPDATED, "account": account}).to_string();
    let answer = world.at_the_webhook(&signed_at(now, "", &body), body).await;
    assert_eq!(answer.problem(), (400, "invalid_signature".to_owned()));
}

#[tokio::test]
async fn a_signature_is_good_for_five_minutes_of_our_clock() {
    let world = World::with_stripe(None, "").await;
    let body = json!({"id": "evt_1", "type": "ping"}).to_string();
    let now = world.clock.now().as_unix_ms() / 1000;
    for (seconds, status) in [(-301, 400), (-299, 200), (0, 200), (300, 200), (302, 400)] {
        let answer =
            world.at_the_webhook(&signed_at(now + seconds, WEBHOOK_SECRET, &body), body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{seconds}");
    }
    let account = pending(&world).await;
    let event = changed(&world, &account, &json!({"chargesEnabled": true})).await;
    world.pass(Duration::from_mins(10));
    assert_eq!(world.send_event(&event, "valid").await, 400, "Stripe's clock is ten minutes behind ours");
    world.stripe(&json!({"clockOffset": 600})).await;
    assert_eq!(world.send_event(&event, "valid").await, 200);
    assert!(charges(&world).await);
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_event_is_refused() {
    let world = World::with_stripe(None, "").await;
    let now = world.clock.now().as_unix_ms() / 1000;
    let of = |length: usize| {
        let body = json!({"id": "evt_large", "type": "ping", "pad": ""}).to_string();
        body.replace("\"pad\":\"\"", &format!("\"pad\":\"{}\"", "x".repeat(length - body.len())))
    };
    for (length, status) in [(256 * 1024, 200), (256 * 1024 + 1, 413)] {
        let body = of(length);
        assert_eq!(body.len(), length);
        let answer = world.at_the_webhook(&signed_at(now, WEBHOOK_SECRET, &body), body).await;
        assert_eq!(answer.status.as_u16(), status, "{length}");
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "id=evt_1&type=account.updated",
        r#"{"type":"account.updated","account":"acct_1"}"#,
        r#"{"id":"evt_1"}"#,
        r#"{"id":"evt 1","type":"ping"}"#,
        r#"{"id":"evt_1","type":"account.updated","account":"acct/../1"}"#,
        r#"{"id":"evt_1","type":"account.application.deauthorized"}"#,
    ] {
        let answer = world.at_the_webhook(&signed_at(now, WEBHOOK_SECRET, body), body.to_owned()).await;
        assert_eq!(answer.problem(), (400, "invalid_signature".to_owned()), "{body}");
    }
    for signature in ["", "t=", "v1=00", &format!("t={now}"), &format!("t={now},v1="), "t=x,v1=00"] {
        let answer = world.at_the_webhook(signature, "{}").await;
        assert_eq!(answer.problem(), (400, "invalid_signature".to_owned()), "{signature}");
    }
    assert_eq!(world.backend.get(world.path("/connect/webhooks/stripe")).await.status, 405);
}
