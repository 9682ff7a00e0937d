//! `/api/subjects/{subject}/stripe`: what the product reads, and what only an operator may change.

use axum::http::Method;
use model::{ApiKeyScope, Clock};
use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::browser::parameter;
use crate::harness::stripe::{SECRET_KEY, stranger, stripe_on_both_stores};

const OWN: &str = "/api/subjects/client-7/stripe";

/// An account that the platform has at Stripe from the time before; its name.
async fn existing(world: &World) -> String {
    let made = world.call_stripe(SECRET_KEY, Method::POST, "/v1/accounts", "type=standard").await;
    let account = made["id"].as_str().unwrap().to_owned();
    world.change_at_stripe(&account, &json!({"detailsSubmitted": true, "chargesEnabled": true})).await;
    account
}

fn named(account: &str) -> Value {
    json!({ "stripeAccountId": account })
}

stripe_on_both_stores! {
    async fn the_product_reads_no_account_then_one_on_its_way_then_the_linked_one(world: World) {
        assert_eq!(world.api(OWN).await.problem(), (404, "stripe_account_not_found".to_owned()));
        let callback = world.stripe_callback("client-7").await;
        let row = world.stripe_of("client-7").await;
        assert_eq!(row, json!({
            "subject": "client-7", "status": "onboarding", "stripeAccountId": null, "detailsSubmitted": false,
            "chargesEnabled": false, "payoutsEnabled": false, "currentlyDue": [], "linkedAt": null, "linkedBy": null,
            "deauthorizedAt": null, "checkedAt": null,
        }));
        stranger().get(&callback).await.expect(303);
        let (account, now) = (parameter(&callback, "account"), world.clock.now().to_string());
        assert_eq!(world.stripe_of("client-7").await, json!({
            "subject": "client-7", "status": "linked", "stripeAccountId": account, "detailsSubmitted": true,
            "chargesEnabled": true, "payoutsEnabled": true, "currentlyDue": [], "linkedAt": now,
            "linkedBy": "browser of client-7", "deauthorizedAt": null, "checkedAt": now,
        }));
    }

    async fn an_operator_links_an_account_of_the_time_before(world: World) {
        let account = existing(&world).await;
        let row = world.call(Method::PUT, OWN, &named(&account)).await.expect(200).json();
        assert_eq!((&row["status"], &row["stripeAccountId"]), (&json!("linked"), &json!(account)));
        assert!(row["linkedBy"].as_str().unwrap().starts_with("key_"), "{row}");
        assert_eq!(world.stripe_of("client-7").await, row);
        let told = world.audited("stripe.linked").await;
        assert_eq!((&told["subject"], &told["target"]), (&json!("client-7"), &json!(account)));
        // The same again, and it is as it was.
        assert_eq!(world.call(Method::PUT, OWN, &named(&account)).await.expect(200).json(), row);
        // Who has an account is done: no other is made.
        let done = stranger().get(world.stripe_link("client-7").await).await.expect(303).location();
        assert_eq!((done.path(), world.at_stripe().await.len()), ("/onboard-client/done", 1));
    }

    async fn an_account_belongs_to_one_subject_and_a_subject_has_one(world: World) {
        let (first, second) = (existing(&world).await, existing(&world).await);
        world.call(Method::PUT, OWN, &named(&first)).await.expect(200);
        let taken = world.call(Method::PUT, "/api/subjects/client-8/stripe", &named(&first)).await;
        assert_eq!(taken.problem(), (409, "account_taken".to_owned()));
        let refused = world.audited("stripe.refused").await;
        assert_eq!((&refused["reason"], &refused["subject"]), (&json!("account_taken"), &json!("client-8")));
        assert!(world.stripe_row("client-8").await.is_none());
        let before = world.stripe_row("client-7").await;
        let has = world.call(Method::PUT, OWN, &named(&second)).await;
        assert_eq!(has.problem(), (409, "account_linked".to_owned()));
        assert_eq!(world.audited("stripe.refused").await["reason"], "account_linked");
        assert_eq!(world.stripe_row("client-7").await, before);
    }

    async fn an_account_that_stripe_does_not_show_us_is_not_linked(world: World) {
        let foreign = world.foreign_account().await;
        // The last one is the platform itself, to which payments of a client must not go.
        for account in [foreign.as_str(), "acct_1032D82eZvKYlo2C", "acct_platformsandbox"] {
            let answer = world.call(Method::PUT, OWN, &named(account)).await;
            assert_eq!(answer.problem(), (400, "stripe_account_unknown".to_owned()), "{account}");
        }
        for body in [json!({}), named(""), named("acct_1/../x"), json!({"stripeAccountId": "acct_1", "force": true})] {
            assert_eq!(world.call(Method::PUT, OWN, &body).await.problem().0, 422, "{body}");
        }
        world.stripe_fails("503", "stripe.accounts").await;
        let down = world.call(Method::PUT, OWN, &named("acct_1")).await;
        assert_eq!(down.problem(), (503, "stripe_unavailable".to_owned()));
        assert!(world.stripe_row("client-7").await.is_none());
    }

    async fn an_unlinked_subject_gets_a_new_account(world: World) {
        let account = world.link_at_stripe("client-7").await;
        world.call(Method::DELETE, OWN, &Value::Null).await.expect(204);
        let told = world.audited("stripe.unlinked").await;
        assert_eq!((&told["subject"], &told["target"]), (&json!("client-7"), &json!(account)));
        assert_eq!(world.api(OWN).await.status, 404);
        assert_eq!(world.call(Method::DELETE, OWN, &Value::Null).await.problem().0, 404);
        let next = world.link_at_stripe("client-7").await;
        assert_ne!(next, account);
        assert_eq!(world.at_stripe().await.len(), 2, "at Stripe nothing was deleted");
        // The account that is free again can be another's.
        world.call(Method::PUT, "/api/subjects/client-8/stripe", &named(&account)).await.expect(200);
    }
}

#[tokio::test]
async fn reading_needs_its_scope_and_changing_an_operator() {
    let world = World::with_stripe(None, "").await;
    let account = world.link_at_stripe("client-7").await;
    let url = world.path(OWN);
    assert_eq!(stranger().get(&url).await.problem().0, 401);
    let reader = world.backend_with(ApiKeyScope::ConnectionsRead).await;
    reader.get(&url).await.expect(200);
    let writer = world.backend_with(ApiKeyScope::ConnectionsWrite).await;
    let portal = world.backend_with(ApiKeyScope::PortalWrite).await;
    assert_eq!(portal.get(&url).await.problem().0, 403);
    for backend in [&reader, &writer, &portal] {
        for (method, body) in [(Method::PUT, named(&account)), (Method::DELETE, Value::Null)] {
            assert_eq!(backend.json(method, &url, &body).await.problem().0, 403);
        }
    }
    assert_eq!(world.stripe_of("client-7").await["status"], "linked");
}
