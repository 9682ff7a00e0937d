//! Back from Stripe: states that are none, are foreign or were used, and what Stripe says of the account.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::browser::parameter;
use crate::harness::stripe::{SECRET_KEY, stranger, stripe_on_both_stores, with};
use crate::harness::{Browser, World};

stripe_on_both_stores! {
    async fn a_state_that_is_malformed_repeated_or_foreign_is_invalid_and_the_right_one_still_works(world: World) {
        let callback = world.stripe_callback("client-7").await;
        let (state, account) = ["state", "account"].map(|name| parameter(&callback, name).unwrap()).into();
        for query in [
            format!("account={account}"),
            format!("state=&account={account}"),
            format!("state={}&account={account}", &state[..63]),
            format!("state={state}0&account={account}"),
            format!("state={}g&account={account}", &state[..63]),
            format!("state={}&account={account}", state.to_uppercase()),
            format!("state={state}&state={state}&account={account}"),
            format!("state={state}%00&account={account}"),
            format!("State={state}&account={account}"),
            format!("state={}&account={account}", "a".repeat(5000)),
            format!("state={account}&account={account}"),
        ] {
            let answer = stranger().get(world.path(&format!("/connect/callback?{query}"))).await;
            assert_eq!(answer.problem(), (400, "invalid_state".to_owned()), "{query}");
        }
        let calls = world.stripe_rows("GET", "stripe.accounts").await.len();
        assert_eq!((calls, world.audit_count("stripe.refused").await), (0, 11));
        stranger().get(callback).await.expect(303);
    }

    async fn a_state_of_oauth_is_none_here_and_the_other_way_round_and_neither_is_harmed(world: World) {
        let browser = Browser::new();
        let oauth = world.callback_url(&browser, "provider=sandbox").await;
        let stripe = world.stripe_callback("client-7").await;
        let [oauth_state, stripe_state] = [&oauth, &stripe].map(|url| parameter(url, "state").unwrap());
        let crossed = stranger().get(with(&stripe, "state", Some(&oauth_state))).await;
        assert_eq!(crossed.problem(), (400, "invalid_state".to_owned()));
        for path in ["/api/oauth/callback", "/api/oauth/callback/sandbox"] {
            let crossed = stranger().get(world.path(&format!("{path}?code=x&state={stripe_state}"))).await;
            assert_eq!(crossed.problem(), (400, "invalid_state".to_owned()), "{path}");
        }
        assert_eq!(parameter(&browser.get(oauth).await.location(), "oauth").as_deref(), Some("success"));
        assert_eq!(stranger().get(stripe).await.expect(303).location().path(), "/onboard-client/done");
    }

    async fn ten_callbacks_at_once_with_one_state_link_once(world: World) {
        let callback = world.stripe_callback("client-7").await;
        // So that all of them have come before the first is through.
        world.stripe(&json!({"latency": 500})).await;
        let browser = Arc::new(stranger());
        let mut callers = JoinSet::new();
        for _ in 0..10 {
            let (browser, callback) = (browser.clone(), callback.clone());
            callers.spawn(async move { browser.get(callback).await });
        }
        let answers = callers.join_all().await;
        let linked = answers.iter().filter(|answer| answer.status == 303);
        assert!(linked.clone().all(|answer| answer.location().path() == "/onboard-client/done"));
        let refused = answers.iter().filter(|answer| answer.status == 400 && answer.problem().1 == "invalid_state");
        assert_eq!((linked.count(), refused.count()), (1, 9));
        assert_eq!(world.audit_count("stripe.linked").await, 1);
        assert_eq!(world.audit_count("portal_session.completed").await, 1);
        assert_eq!(world.stripe_of("client-7").await["status"], "linked");
    }

    async fn two_browsers_with_one_mailed_link_make_one_account_and_one_of_them_links_it(world: World) {
        let link = world.mailed_stripe_link("client-7").await;
        let browsers = [Browser::new(), Browser::new()];
        let mut callbacks = Vec::new();
        for browser in &browsers {
            let page = browser.form(&link, &[]).await.expect(303).location();
            callbacks.push(world.through_stripe(&page).await);
        }
        assert_ne!(parameter(&callbacks[0], "state"), parameter(&callbacks[1], "state"));
        assert_eq!(parameter(&callbacks[0], "account"), parameter(&callbacks[1], "account"));
        let done = browsers[0].get(&callbacks[0]).await.expect(303).location();
        assert_eq!(done.path(), "/onboard-client/done");
        assert!(browsers[1].get(&callbacks[1]).await.expect(400).body.contains("invalid_state"));
        assert_eq!((world.at_stripe().await.len(), world.stripe_rows("POST", "stripe.accounts").await.len()), (1, 1));
        assert_eq!(world.audit_count("stripe.linked").await, 1);
        // Whoever opens the mail again is told that it is done, and the button leads nowhere else.
        assert_eq!(browsers[1].get(&link).await.expect(303).location().path(), "/onboard-client/done");
        assert_eq!(stranger().form(&link, &[]).await.problem(), (409, "already_done".to_owned()));
    }

    async fn callbacks_at_once_of_one_invitation_link_once(world: World) {
        let link = world.mailed_stripe_link("client-7").await;
        let mut callbacks = Vec::new();
        for _ in 0..4 {
            let page = stranger().form(&link, &[]).await.expect(303).location();
            callbacks.push(world.through_stripe(&page).await);
        }
        world.stripe(&json!({"latency": 500})).await;
        let mut callers = JoinSet::new();
        for callback in callbacks {
            callers.spawn(async move { stranger().get(callback).await.status.as_u16() });
        }
        let mut statuses = callers.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 400, 400, 400]);
        assert_eq!(world.audit_count("stripe.linked").await, 1);
    }

    async fn who_left_stripe_too_early_goes_back_with_a_fresh_link_and_a_fresh_state(world: World) {
        world.stripe(&json!({"onboarding": "incomplete"})).await;
        let callback = world.stripe_callback("client-7").await;
        world.stripe(&json!({"onboarding": "complete"})).await;
        let page = stranger().get(&callback).await.expect(303).location();
        let row = world.stripe_of("client-7").await;
        assert_eq!((&row["status"], &row["stripeAccountId"]), (&json!("onboarding"), &Value::Null));
        let again = world.through_stripe(&page).await;
        assert_ne!(parameter(&again, "state"), parameter(&callback, "state"));
        assert_eq!(parameter(&again, "account"), parameter(&callback, "account"));
        assert_eq!(stranger().get(&callback).await.problem(), (400, "invalid_state".to_owned()));
        assert_eq!(world.audited("stripe.refused").await["reason"], "used");
        assert_eq!(stranger().get(again).await.expect(303).location().path(), "/onboard-client/done");
        assert_eq!((world.at_stripe().await.len(), world.audit_count("stripe.linked").await), (1, 1));
    }

    async fn an_account_that_stripe_still_verifies_is_linked(world: World) {
        world.stripe(&json!({"onboarding": "pending"})).await;
        world.link_at_stripe("client-7").await;
        let row = world.stripe_of("client-7").await;
        assert_eq!((&row["status"], &row["detailsSubmitted"]), (&json!("linked"), &json!(true)));
        assert_eq!((&row["chargesEnabled"], &row["payoutsEnabled"]), (&json!(false), &json!(false)));
    }

    async fn an_account_that_is_gone_from_stripe_meanwhile_is_not_linked(world: World) {
        let deleted = world.stripe_callback("client-7").await;
        let account = parameter(&deleted, "account").unwrap();
        world.call_stripe(SECRET_KEY, Method::DELETE, &format!("/v1/accounts/{account}"), "").await;
        let left = world.stripe_callback("client-8").await;
        let account = parameter(&left, "account").unwrap();
        world.control_stripe(Method::POST, &format!("/accounts/{account}/deauthorize"), &json!({})).await.expect(200);
        for (callback, subject) in [(deleted, "client-7"), (left, "client-8")] {
            let before = world.stripe_row(subject).await;
            let answer = stranger().get(callback).await;
            assert_eq!(answer.problem(), (400, "stripe_account_unknown".to_owned()), "{subject}");
            assert_eq!(world.stripe_row(subject).await, before);
            let refused = world.audited("stripe.refused").await;
            assert_eq!((&refused["reason"], &refused["subject"]), (&json!("unknown_account"), &json!(subject)));
        }
        assert_eq!(world.audit_count("stripe.linked").await, 0);
    }

    async fn an_invitation_that_was_taken_back_meanwhile_links_nothing(world: World) {
        let session = world.invite_to_stripe("client-7", None).await;
        let page = stranger().get(session["url"].as_str().unwrap()).await.expect(303).location();
        let callback = world.through_stripe(&page).await;
        let path = format!("/api/portal-sessions/{}", session["id"].as_str().unwrap());
        world.call(Method::DELETE, &path, &Value::Null).await.expect(200);
        let refresh = callback.as_str().replace("/connect/callback", "/onboard-client/refresh");
        for url in [callback.as_str(), &refresh] {
            assert_eq!(stranger().get(url).await.problem(), (400, "invalid_state".to_owned()), "{url}");
        }
        assert_eq!(world.audited("stripe.refused").await["reason"], "over");
        assert_eq!(world.stripe_of("client-7").await["status"], "onboarding");
    }
}

#[tokio::test]
async fn an_expired_link_of_stripes_leads_to_a_fresh_page_for_the_same_account() {
    let world = World::with_stripe(None, "").await;
    world.stripe(&json!({"onboarding": "expired"})).await;
    let refresh = world.stripe_callback("client-7").await;
    assert_eq!(refresh.path(), "/onboard-client/refresh");
    world.stripe(&json!({"onboarding": "complete"})).await;
    let page = stranger().get(&refresh).await.expect(303).location();
    // The state before is dead, at both doors.
    let account = world.stripe_row("client-7").await.unwrap().account.unwrap().to_string();
    let old = parameter(&refresh, "state").unwrap();
    for url in [refresh.to_string(), world.path(&format!("/connect/callback?state={old}&account={account}"))]
    {
        assert_eq!(stranger().get(&url).await.problem(), (400, "invalid_state".to_owned()), "{url}");
    }
    let callback = world.through_stripe(&page).await;
    assert_eq!(parameter(&callback, "account"), Some(account));
    // A link of Stripe's works once: opened again it leads here again, with the state that is alive.
    let used_up = Browser::new().get(&page).await.expect(303).location();
    assert_eq!(used_up.path(), "/onboard-client/refresh");
    assert_eq!(parameter(&used_up, "state"), parameter(&callback, "state"));
    stranger().get(callback).await.expect(303);
    assert_eq!((world.at_stripe().await.len(), world.audit_count("stripe.linked").await), (1, 1));
    assert_eq!(stranger().get(&used_up).await.problem(), (400, "invalid_state".to_owned()));
}

#[tokio::test]
async fn a_fresh_page_needs_a_state_that_is_known_unused_and_unexpired() {
    let world = World::with_stripe(None, "").await;
    let callback = world.stripe_callback("client-7").await;
    let state = parameter(&callback, "state").unwrap();
    let links = world.stripe_rows("POST", "stripe.account_links").await.len();
    for query in ["", "state=", &format!("state={}", "0".repeat(64)), &format!("state={state}&state={state}")]
    {
        let answer = stranger().get(world.path(&format!("/onboard-client/refresh?{query}"))).await;
        assert_eq!(answer.problem(), (400, "invalid_state".to_owned()), "{query}");
    }
    world.pass(std::time::Duration::from_mins(30));
    let late = stranger().get(world.path(&format!("/onboard-client/refresh?state={state}"))).await;
    assert_eq!(late.problem(), (400, "expired_state".to_owned()));
    assert_eq!(world.stripe_rows("POST", "stripe.account_links").await.len(), links);
}

#[tokio::test]
async fn the_success_page_is_the_products_where_it_has_one() {
    let world = World::with_stripe(None, "success_url = \"https://app.example.com/paid\"\n").await;
    let link = world.mailed_stripe_link("client-7").await;
    let page = stranger().form(&link, &[]).await.expect(303).location();
    let callback = world.through_stripe(&page).await;
    let done = stranger().get(callback).await.expect(303).location();
    assert_eq!(done.as_str(), "https://app.example.com/paid");
    assert_eq!(Browser::new().get(link).await.expect(303).location(), done);
}

#[tokio::test]
async fn looking_whether_a_page_is_there_changes_nothing() {
    let world = World::with_stripe(None, "").await;
    let callback = world.stripe_callback("client-7").await;
    let refresh = callback.as_str().replace("/connect/callback", "/onboard-client/refresh");
    let link = world.stripe_link("client-8").await;
    for url in [callback.as_str(), &refresh, &link] {
        let answer = stranger().send(Method::HEAD, url, &[], Bytes::new()).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow").contains("GET")), (405, true), "{url}");
    }
    assert!(world.stripe_row("client-8").await.is_none());
    stranger().get(callback).await.expect(303);
    stranger().get(link).await.expect(303);
}
