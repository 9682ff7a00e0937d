//! Requirement 000, line by line: nobody puts another account at Stripe in the place of a client's.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use vault::TokenHash;

use crate::harness::browser::parameter;
use crate::harness::stripe::{stranger, stripe_on_both_stores, with};

stripe_on_both_stores! {
    async fn a_missing_state_is_400(world: World) {
        let callback = world.stripe_callback("client-7").await;
        let without = stranger().get(with(&callback, "state", None)).await;
        assert_eq!(without.problem(), (400, "invalid_state".to_owned()));
        assert_eq!(world.stripe_of("client-7").await["status"], "onboarding");
    }

    async fn an_invalid_state_is_400(world: World) {
        let callback = world.stripe_callback("client-7").await;
        let invented = stranger().get(with(&callback, "state", Some(&"0".repeat(64)))).await;
        assert_eq!(invented.problem(), (400, "invalid_state".to_owned()));
        assert_eq!(world.stripe_of("client-7").await["status"], "onboarding");
    }

    async fn a_state_of_thirty_minutes_is_400_and_the_trail_tells_of_it(world: World) {
        let callback = world.stripe_callback("client-7").await;
        world.pass(Duration::from_mins(30));
        let late = stranger().get(callback).await;
        assert_eq!(late.problem(), (400, "expired_state".to_owned()));
        assert_eq!(world.stripe_of("client-7").await["status"], "onboarding");
        let refused = world.audited("stripe.refused").await;
        assert_eq!((&refused["reason"], &refused["facts"]["age_ms"]), (&json!("expired"), &json!(1_800_000)));
    }

    async fn a_state_just_within_thirty_minutes_is_taken(world: World) {
        let callback = world.stripe_callback("client-7").await;
        world.pass(Duration::from_millis(30 * 60 * 1000 - 1));
        stranger().get(callback).await.expect(303);
        assert_eq!(world.stripe_of("client-7").await["status"], "linked");
    }

    async fn another_account_than_the_clients_is_400(world: World) {
        let callback = world.stripe_callback("client-7").await;
        let other = world.link_at_stripe("client-8").await;
        let swapped = stranger().get(with(&callback, "account", Some(&other))).await;
        assert_eq!(swapped.problem(), (400, "account_mismatch".to_owned()));
        assert_eq!(world.stripe_of("client-7").await["status"], "onboarding");
    }

    async fn a_valid_state_and_account_link_once_and_go_to_the_success_page(world: World) {
        let callback = world.stripe_callback("client-7").await;
        let done = stranger().get(&callback).await.expect(303).location();
        assert_eq!(done.as_str(), world.path("/onboard-client/done"));
        stranger().get(done).await.expect(200);
        let linked = world.stripe_of("client-7").await;
        assert_eq!(linked["stripeAccountId"], json!(parameter(&callback, "account")));
        assert_eq!(stranger().get(&callback).await.problem(), (400, "invalid_state".to_owned()));
        assert_eq!(world.stripe_of("client-7").await, linked);
        assert_eq!(world.audit_count("stripe.linked").await, 1);
    }

    async fn the_state_is_64_hex_in_the_callbacks_address_and_its_hash_is_kept_for_thirty_minutes(world: World) {
        let callback = world.stripe_callback("client-7").await;
        assert!(callback.as_str().starts_with(&world.path("/connect/callback?state=")), "{callback}");
        let state = parameter(&callback, "state").unwrap();
        assert!(state.len() == 64 && state.bytes().all(|octet| octet.is_ascii_hexdigit()), "{state}");
        let found = world.server.app.store.stripe.find(&TokenHash::of(&state)).await.unwrap().unwrap();
        assert_eq!(found.expires_at.since(found.created_at), Duration::from_mins(30));
        assert_eq!((found.subject.as_str(), found.consumed_at), ("client-7", None));
        assert_eq!(Some(found.account.to_string()), parameter(&callback, "account"));
        let other = parameter(&world.stripe_callback("client-8").await, "state");
        assert_ne!(other, Some(state));
    }

    async fn an_account_is_not_overwritten_by_whoever_calls(world: World) {
        let account = world.link_at_stripe("client-7").await;
        let other = world.stripe_callback("client-8").await;
        let before = world.stripe_row("client-7").await;
        let zeros = "0".repeat(64);
        for query in [
            format!("account={account}"),
            format!("state={zeros}&account=acct_attacker"),
            format!("state=client-7&account={}", parameter(&other, "account").unwrap()),
            format!("state={}&account={account}", parameter(&other, "state").unwrap()),
        ] {
            let answer = stranger().get(world.path(&format!("/connect/callback?{query}"))).await;
            assert_eq!(answer.problem().0, 400, "{query}");
        }
        assert_eq!(world.stripe_row("client-7").await, before);
        assert_eq!(world.stripe_of("client-8").await["stripeAccountId"], Value::Null);
    }

    async fn the_onboarding_flow_goes_from_initiate_by_the_invitation_to_the_link(world: World) {
        let client = json!({"clientId": "client-7", "name": "Rowan OÜ", "email": "anna@rowan.example"});
        let invited = world.call(Method::POST, "/onboard-client/initiate", &client).await.expect(201).json();
        let link = invited["url"].as_str().unwrap();
        let browser = crate::harness::Browser::new();
        let page = browser.get(link).await.expect(200).body;
        assert!(page.contains("Rowan OÜ") && page.contains("<form"), "{page}");
        let stripe = browser.form(link, &[]).await.expect(303).location();
        let callback = world.through_stripe(&stripe).await;
        let done = browser.get(callback).await.expect(303).location();
        browser.get(done).await.expect(200);
        let linked = world.stripe_of("client-7").await;
        assert_eq!((&linked["status"], &linked["chargesEnabled"]), (&json!("linked"), &json!(true)));
        assert_eq!(linked["linkedBy"], "browser of client-7");
        let made = world.at_stripe().await;
        assert_eq!((made.len(), &made[0]["email"]), (1, &json!("anna@rowan.example")));
        let session = world.api(&format!("/api/portal-sessions/{}", invited["id"].as_str().unwrap())).await.json();
        assert_eq!(session["status"], "completed");
    }
}
