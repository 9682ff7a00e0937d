//! The attack: somebody puts another account into the address on the way back.

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};
use vault::TokenHash;

use crate::harness::browser::parameter;
use crate::harness::stripe::{stranger, stripe_on_both_stores, with};
use crate::harness::{Browser, World};

async fn is_unused(world: &World, state: &str) -> bool {
    let found = world.server.app.store.stripe.find(&TokenHash::of(state)).await.unwrap();
    found.is_some_and(|attempt| attempt.consumed_at.is_none())
}

stripe_on_both_stores! {
    async fn a_swapped_account_is_refused_writes_nothing_and_is_told_in_the_audit_trail(world: World) {
        let theirs = world.link_at_stripe("client-8").await;
        let half_way = parameter(&world.stripe_callback("client-9").await, "account").unwrap();
        let foreign = world.foreign_account().await;
        let callback = world.stripe_callback("client-7").await;
        let (state, own) = ["state", "account"].map(|name| parameter(&callback, name).unwrap()).into();
        let swapped = |account: &str| with(&callback, "account", Some(account)).to_string();
        let calls = world.stripe_rows("GET", "stripe.accounts").await.len();
        let rows = [world.stripe_row("client-7").await, world.stripe_row("client-8").await];
        let cases = [
            ("another client's", swapped(&theirs)),
            ("that of a client on its way", swapped(&half_way)),
            ("another platform's", swapped(&foreign)),
            ("the platform's own", swapped("acct_platformsandbox")),
            ("an unknown one", swapped("acct_1032D82eZvKYlo2C")),
            ("in other letters", swapped(&own.to_uppercase())),
            ("more than it", swapped(&format!("{own}0"))),
            ("with a path", swapped(&format!("{own}/../{theirs}"))),
            ("empty", swapped("")),
            ("repeated", format!("{callback}&account={own}")),
            ("both", format!("{callback}&account={theirs}")),
            ("missing", with(&callback, "account", None).to_string()),
        ];
        for (number, (case, url)) in cases.iter().enumerate() {
            let answer = stranger().get(url).await;
            assert_eq!(answer.problem(), (400, "account_mismatch".to_owned()), "{case}");
            assert!(is_unused(&world, &state).await, "{case}");
            assert_eq!([world.stripe_row("client-7").await, world.stripe_row("client-8").await], rows, "{case}");
            assert_eq!(world.audit_count("stripe.refused").await, number + 1, "{case}");
            let refused = world.audited("stripe.refused").await;
            assert_eq!((&refused["reason"], &refused["outcome"]), (&json!("account_mismatch"), &json!("denied")));
            assert_eq!((&refused["subject"], &refused["target"]), (&json!("client-7"), &json!(own)), "{case}");
        }
        assert_eq!(world.stripe_of("client-7").await["stripeAccountId"], Value::Null);
        assert_eq!(world.stripe_rows("GET", "stripe.accounts").await.len(), calls, "Stripe was not asked");
        // The attack has cost the person nothing.
        assert_eq!(stranger().get(&callback).await.expect(303).location().path(), "/onboard-client/done");
        assert_eq!(world.stripe_of("client-7").await["stripeAccountId"], json!(own));
        assert_eq!(world.stripe_row("client-8").await, rows[1]);
    }

    async fn a_callback_of_before_the_account_was_given_up_links_nothing(world: World) {
        let callback = world.stripe_callback("client-7").await;
        world.call(Method::DELETE, "/api/subjects/client-7/stripe", &Value::Null).await.expect(204);
        assert_eq!(stranger().get(callback).await.problem(), (400, "invalid_state".to_owned()));
        assert!(world.stripe_row("client-7").await.is_none());
    }

    async fn a_callback_after_an_operator_linked_another_account_changes_nothing(world: World) {
        let callback = world.stripe_callback("client-7").await;
        let theirs = world.link_at_stripe("client-8").await;
        world.call(Method::DELETE, "/api/subjects/client-8/stripe", &Value::Null).await.expect(204);
        let put = json!({"stripeAccountId": theirs});
        world.call(Method::PUT, "/api/subjects/client-7/stripe", &put).await.expect(200);
        let before = world.stripe_row("client-7").await;
        assert_eq!(stranger().get(callback).await.problem(), (400, "invalid_state".to_owned()));
        assert_eq!(world.stripe_row("client-7").await, before);
    }
}

#[tokio::test]
async fn a_refused_swap_says_so_in_the_persons_language() {
    let world = World::with_stripe(None, "").await;
    let callback = with(&world.stripe_callback("client-7").await, "account", Some("acct_attacker"));
    for (language, text) in [("et", "See on teine konto</h1>"), ("en", "This is another account</h1>")] {
        let headers = [("accept", "text/html"), ("accept-language", language)];
        let page =
            Browser::new().send(Method::GET, callback.as_str(), &headers, Bytes::new()).await.expect(400);
        assert!(page.body.contains(text) && page.body.contains("account_mismatch"), "{}", page.body);
        assert!(!page.body.contains("acct_attacker"), "{}", page.body);
    }
}
