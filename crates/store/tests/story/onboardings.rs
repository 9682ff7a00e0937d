//! Onboardings at Stripe: who may use one, and what becomes of the account.

use model::Timestamp;
use store::Store;
use store::stripe::{Claimed, StripeAttempt};
use vault::random;

use crate::portal::{mailed, make};
use crate::stripe::{account, attempt, expect, facts, read};
use crate::world::{World, at, hash};

/// A session with an attempt about this account, whose state is `state`.
async fn begin(store: &Store, subject: &str, name: &str, state: &str) -> StripeAttempt {
    let session = make(store, &mailed(0), &format!("link of {state}")).await;
    let attempt = attempt(subject, name, session.id);
    store.stripe.begin(&attempt, &hash(state)).await.unwrap();
    attempt
}

pub(crate) async fn of_ten_callbacks_on_two_replicas_one_links_the_account(world: &World) {
    for round in 0..10 {
        let (subject, state) = (format!("anna{round}"), format!("state {round}"));
        expect(&world.one, &subject, &subject).await;
        let attempt = begin(&world.one, &subject, &subject, &state).await;
        let linked = world
            .at_once(10, |replica, _| {
                let state = hash(&state);
                async move { replica.stripe.link(&state, "portal", at(5)).await.unwrap() }
            })
            .await;
        let linked: Vec<_> = linked.into_iter().flatten().collect();
        assert_eq!(linked.len(), 1, "round {round}");
        let now = read(&world.two, &subject).await;
        assert_eq!((&now, &now.linked), (&linked[0], &Some((at(5), "portal".to_owned()))));
        assert_eq!((now.facts, now.checked_at), (None, None), "those are learnt, not linked");
        assert_eq!(world.two.stripe.find(&hash(&state)).await.unwrap().unwrap().consumed_at, Some(at(5)));
        let session = world.two.portal.get(&attempt.session).await.unwrap().unwrap();
        assert_eq!(session.completed_at, Some(at(5)), "the person is done");
    }
}

pub(crate) async fn an_attempt_that_leads_nowhere_links_nothing_and_is_not_used_up(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    let anna = "anna".parse().unwrap();
    let link = async |state: &str, second| two.link(&hash(state), "portal", at(second)).await.unwrap();
    let is_untouched = async |case: &str| {
        let unlinked = "stripe_accounts WHERE linked_at IS NOT NULL AND linked_by = 'portal'";
        assert_eq!(world.count(unlinked).await, 0, "{case}");
        assert_eq!(world.count("portal_sessions WHERE completed_at IS NOT NULL").await, 0, "{case}");
        assert_eq!(
            world.count("stripe_attempts WHERE consumed_at IS NOT NULL AND consumed_at <> 1").await,
            0,
            "{case}"
        );
    };
    expect(&world.one, "anna", "1").await;
    begin(&world.one, "anna", "1", "state").await;
    let used =
        StripeAttempt { consumed_at: Some(Timestamp::from_unix_ms(1)), ..attempt("anna", "1", random::id()) };
    one.begin(&used, &hash("used")).await.unwrap();
    begin(&world.one, "anna", "2", "another account").await;
    begin(&world.one, "bert", "1", "another subject").await;
    for (state, second) in
        [("unknown", 5), ("state", 1800), ("used", 5), ("another account", 5), ("another subject", 5)]
    {
        assert_eq!(link(state, second).await, None, "{state}");
        is_untouched(state).await;
    }
    assert!(one.deauthorize(&account("1"), at(3)).await.unwrap().is_some());
    assert_eq!(link("state", 5).await, None);
    is_untouched("deauthorized").await;
    let adopted = one.adopt(&anna, &account("2"), &facts(&[]), at(4), "operator", at(4)).await.unwrap();
    assert!(matches!(adopted, Claimed::Done(_)), "{adopted:?}");
    assert_eq!(link("state", 5).await, None);
    is_untouched("replaced").await;
    assert!(one.unlink(&anna).await.unwrap().is_some());
    assert_eq!(link("state", 5).await, None);
    is_untouched("unlinked").await;

    expect(&world.one, "anna", "1").await;
    begin(&world.one, "anna", "1", "good").await;
    assert!(link("good", 1799).await.is_some());
}

pub(crate) async fn a_later_onboarding_keeps_when_and_by_whom_it_was_linked_first(world: &World) {
    let two = &world.two.stripe;
    expect(&world.one, "anna", "1").await;
    begin(&world.one, "anna", "1", "first").await;
    let beside = begin(&world.one, "anna", "1", "beside").await;
    let linked = two.link(&hash("first"), "first", at(5)).await.unwrap().unwrap();
    assert_eq!(linked.linked, Some((at(5), "first".to_owned())));
    // One that began before the link comes too late.
    assert_eq!(two.link(&hash("beside"), "beside", at(6)).await.unwrap(), None);
    assert_eq!(two.account(&linked.subject).await.unwrap().as_ref(), Some(&linked));
    let session = world.one.portal.get(&beside.session).await.unwrap().unwrap();
    assert_eq!(session.completed_at, None);

    for (state, created_at) in [("later", at(6)), ("withdrawn", at(7))] {
        let session = make(&world.one, &mailed(0), &format!("link of {state}")).await;
        let later = StripeAttempt { created_at, ..attempt("anna", "1", session.id) };
        world.one.stripe.begin(&later, &hash(state)).await.unwrap();
        if state == "withdrawn" {
            assert!(world.one.portal.withdraw(&session.id, at(60)).await.unwrap().is_some());
            assert_eq!(two.link(&hash(state), state, at(61)).await.unwrap(), None);
            assert_eq!(
                two.find(&hash(state)).await.unwrap().unwrap().consumed_at,
                None,
                "nothing is written"
            );
        } else {
            let again = two.link(&hash(state), state, at(50)).await.unwrap().unwrap();
            assert_eq!(again.linked, linked.linked);
        }
    }
}

pub(crate) async fn an_onboarding_is_used_up_once(world: &World) {
    for round in 0..10 {
        let state = hash(&format!("state {round}"));
        let written = attempt("anna", "1", random::id());
        world.one.stripe.begin(&written, &state).await.unwrap();
        assert_eq!(world.two.stripe.consume(&state, at(1800)).await.unwrap(), None, "it has expired");
        let used = world
            .at_once(12, |replica, _| async move { replica.stripe.consume(&state, at(1799)).await.unwrap() })
            .await;
        let used: Vec<_> = used.into_iter().flatten().collect();
        assert_eq!(used, [StripeAttempt { consumed_at: Some(at(1799)), ..written }], "round {round}");
    }
    assert_eq!(world.one.stripe.consume(&hash("unknown"), at(1)).await.unwrap(), None);
}

pub(crate) async fn an_unlinked_account_takes_its_onboardings_with_it(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    let anna = "anna".parse().unwrap();
    assert_eq!(one.unlink(&anna).await.unwrap(), None);
    let made = expect(&world.one, "anna", "1").await;
    expect(&world.one, "bert", "2").await;
    for (subject, name, state) in [("anna", "1", "first"), ("anna", "1", "second"), ("bert", "2", "bert")] {
        begin(&world.one, subject, name, state).await;
    }
    assert_eq!(two.unlink(&anna).await.unwrap(), Some(made));
    assert_eq!(one.account(&anna).await.unwrap(), None);
    for (state, stays) in [("first", false), ("second", false), ("bert", true)] {
        assert_eq!(one.find(&hash(state)).await.unwrap().is_some(), stays, "{state}");
    }
    assert_eq!(two.unlink(&anna).await.unwrap(), None);
    expect(&world.one, "carl", "1").await;
}

pub(crate) async fn deeds_on_one_account_at_once_do_not_stand_in_each_others_way(world: &World) {
    for round in 0..30 {
        expect(&world.one, "anna", "1").await;
        let states = ["left", "right"].map(|side| format!("{side} {round}"));
        let mut sessions = Vec::new();
        for state in &states {
            sessions.push(begin(&world.one, "anna", "1", state).await.session);
        }
        let session = sessions[0];
        let linked = world
            .at_once(12, |replica, caller| {
                let (anna, state) = ("anna".parse().unwrap(), hash(&states[caller % 2]));
                let (stripe, portal) = (replica.stripe, replica.portal);
                async move {
                    match caller / 2 {
                        0 | 1 => stripe.link(&state, "portal", at(5)).await.map(|_| ()),
                        2 => stripe.unlink(&anna).await.map(drop),
                        3 => stripe
                            .adopt(&anna, &account("1"), &facts(&[]), at(5), "cli", at(5))
                            .await
                            .map(drop),
                        4 => stripe.sweep(at(9000), 1).await.map(drop),
                        _ => portal.withdraw(&session, at(5)).await.map(drop),
                    }
                }
            })
            .await;
        assert!(linked.iter().all(Result::is_ok), "round {round}: {linked:?}");
        world.one.stripe.unlink(&"anna".parse().unwrap()).await.unwrap();
    }
    assert_eq!((world.count("stripe_accounts").await, world.count("stripe_attempts").await), (0, 0));
}
