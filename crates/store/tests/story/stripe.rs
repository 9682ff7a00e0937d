//! Accounts at Stripe.

use model::{PortalSessionId, StripeAccountId, SubjectId};
use store::stripe::{AccountFacts, Claimed, StripeAccount, StripeAttempt};
use store::{Error, Store};
use vault::random;

use crate::world::{World, at, hash};

pub(crate) fn account(name: &str) -> StripeAccountId {
    format!("acct_{name}").parse().unwrap()
}

pub(crate) fn facts(due: &[&str]) -> AccountFacts {
    AccountFacts {
        details_submitted: due.is_empty(),
        charges_enabled: due.is_empty(),
        payouts_enabled: false,
        currently_due: due.iter().map(|due| (*due).to_owned()).collect(),
    }
}

pub(crate) fn attempt(subject: &str, name: &str, session: PortalSessionId) -> StripeAttempt {
    StripeAttempt {
        id: random::id(),
        session,
        subject: subject.parse().unwrap(),
        account: account(name),
        created_at: at(0),
        expires_at: at(1800),
        consumed_at: None,
    }
}

/// An account that was made for a subject.
pub(crate) async fn expect(store: &Store, subject: &str, name: &str) -> StripeAccount {
    let subject = subject.parse().unwrap();
    store.stripe.reserve(&subject, "nonce", at(0)).await.unwrap();
    let made = store.stripe.made(&subject, &account(name)).await.unwrap();
    let Claimed::Done(made) = made else { panic!("{made:?}") };
    made
}

pub(crate) async fn read(store: &Store, subject: &str) -> StripeAccount {
    store.stripe.account(&subject.parse().unwrap()).await.unwrap().unwrap()
}

pub(crate) async fn an_account_and_an_attempt_read_back_as_they_were_written(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    let anna = "anna".parse().unwrap();
    assert_eq!(one.account(&anna).await.unwrap(), None);
    assert_eq!(one.of_account(&account("1")).await.unwrap(), None);
    let reserved = one.reserve(&anna, "nonce", at(1)).await.unwrap();
    let mut expected = StripeAccount {
        subject: anna.clone(),
        nonce: "nonce".to_owned(),
        account: None,
        facts: None,
        created_at: at(1),
        checked_at: None,
        linked: None,
        deauthorized_at: None,
    };
    assert_eq!((&reserved, two.account(&anna).await.unwrap()), (&expected, Some(expected.clone())));
    expected.account = Some(account("1"));
    assert_eq!(two.made(&anna, &account("1")).await.unwrap(), Claimed::Done(expected.clone()));
    expected.facts = Some(facts(&["person_'1'.dob"]));
    expected.checked_at = Some(at(2));
    let facts_now = facts(&["person_'1'.dob"]);
    assert_eq!(one.learn(&account("1"), &facts_now, at(2)).await.unwrap(), Some(expected.clone()));
    expected.facts = Some(facts(&[]));
    (expected.checked_at, expected.linked) = (Some(at(3)), Some((at(3), "operator".to_owned())));
    let adopted = one.adopt(&anna, &account("1"), &facts(&[]), at(3), "operator", at(3)).await.unwrap();
    assert_eq!(adopted, Claimed::Done(expected.clone()));
    (expected.deauthorized_at, expected.checked_at) = (Some(at(4)), Some(at(4)));
    assert_eq!(one.deauthorize(&account("1"), at(4)).await.unwrap(), Some(expected.clone()));
    assert_eq!(two.account(&anna).await.unwrap(), Some(expected.clone()));
    assert_eq!(two.of_account(&account("1")).await.unwrap(), Some(expected));

    let written = attempt("anna", "1", random::id());
    let used = StripeAttempt { consumed_at: Some(at(9)), ..attempt("anna", "1", random::id()) };
    for (state, attempt) in [("new", written), ("used", used)] {
        one.begin(&attempt, &hash(state)).await.unwrap();
        assert_eq!(two.find(&hash(state)).await.unwrap(), Some(attempt));
    }
    assert_eq!(two.find(&hash("another")).await.unwrap(), None);
}

pub(crate) async fn all_who_reserve_make_the_same_account(world: &World) {
    for round in 0..10 {
        let subject: model::SubjectId = format!("anna{round}").parse().unwrap();
        let reserved =
            world
                .at_once(10, |replica, caller| {
                    let subject = subject.clone();
                    async move {
                        replica.stripe.reserve(&subject, &caller.to_string(), at(0)).await.unwrap().nonce
                    }
                })
                .await;
        assert!(reserved.iter().all(|nonce| *nonce == reserved[0]), "round {round}: {reserved:?}");
        assert_eq!(read(&world.two, subject.as_str()).await.nonce, reserved[0]);
    }
}

pub(crate) async fn another_nonce_needs_the_one_that_was_seen_and_no_account(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    let anna = "anna".parse().unwrap();
    assert!(!one.renew_nonce(&anna, "first", "second").await.unwrap());
    one.reserve(&anna, "first", at(0)).await.unwrap();
    assert!(!two.renew_nonce(&anna, "another", "second").await.unwrap());
    assert!(two.renew_nonce(&anna, "first", "second").await.unwrap());
    assert!(!one.renew_nonce(&anna, "first", "third").await.unwrap());
    assert_eq!(one.reserve(&anna, "fourth", at(1)).await.unwrap().nonce, "second");
    one.made(&anna, &account("1")).await.unwrap();
    assert!(!one.renew_nonce(&anna, "second", "third").await.unwrap(), "the account is made");
    assert_eq!(read(&world.two, "anna").await.nonce, "second");
}

pub(crate) async fn an_account_that_was_made_is_one_subjects(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    let (anna, bert) = ("anna".parse().unwrap(), "bert".parse().unwrap());
    let made = expect(&world.one, "anna", "1").await;
    assert_eq!(two.made(&anna, &account("1")).await.unwrap(), Claimed::Has(account("1")), "told again");
    assert_eq!(two.account(&anna).await.unwrap(), Some(made));
    assert_eq!(two.made(&anna, &account("2")).await.unwrap(), Claimed::Has(account("1")));
    let reserved = one.reserve(&bert, "nonce", at(0)).await.unwrap();
    assert_eq!(two.made(&bert, &account("1")).await.unwrap(), Claimed::TakenBy(anna.clone()));
    assert_eq!(read(&world.one, "bert").await, reserved, "nothing is written");
    let error = one.made(&"carl".parse().unwrap(), &account("3")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "nobody reserved it: {error}");
    assert_eq!(world.count("stripe_accounts").await, 2);
}

pub(crate) async fn of_two_subjects_that_claim_one_account_at_once_one_gets_it(world: &World) {
    for round in 0..20 {
        let name = round.to_string();
        let subject = |caller: usize| format!("subject{}_{round}", caller % 2);
        // In every fourth round nobody has a row.
        for caller in (0..2).filter(|_| round % 4 != 3) {
            world.one.stripe.reserve(&subject(caller).parse().unwrap(), "nonce", at(0)).await.unwrap();
        }
        let claimed = world
            .at_once(8, |replica, caller| {
                let (subject, account) = (subject(caller).parse().unwrap(), account(&name));
                async move {
                    if round % 2 == 0 || round % 4 == 1 && caller % 4 == 0 {
                        replica.stripe.made(&subject, &account).await
                    } else {
                        replica.stripe.adopt(&subject, &account, &facts(&[]), at(1), "operator", at(1)).await
                    }
                }
            })
            .await;
        let owner = world.two.stripe.of_account(&account(&name)).await.unwrap().unwrap().subject;
        for (caller, claimed) in claimed.into_iter().enumerate() {
            match claimed.unwrap() {
                Claimed::Done(done) => {
                    assert_eq!((subject(caller).as_str(), &done.subject), (owner.as_str(), &owner));
                }
                Claimed::TakenBy(by) => assert!(by == owner && subject(caller) != owner.as_str(), "{by}"),
                // Another of the same subject was told first that it is made.
                Claimed::Has(had) => {
                    assert!(had == account(&name) && subject(caller) == owner.as_str(), "{had}");
                }
            }
        }
    }
}

pub(crate) async fn an_operator_replaces_an_expectation_but_never_a_link(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    let (anna, bert) = ("anna".parse().unwrap(), "bert".parse().unwrap());
    let adopt = async |subject, name: &str, by: &str, second| {
        two.adopt(subject, &account(name), &facts(&[]), at(second), by, at(second)).await.unwrap()
    };
    expect(&world.one, "anna", "1").await;
    let Claimed::Done(adopted) = adopt(&anna, "2", "operator", 5).await else { panic!("an expectation") };
    assert_eq!((adopted.account, adopted.linked), (Some(account("2")), Some((at(5), "operator".to_owned()))));
    assert_eq!((adopted.created_at, adopted.nonce.as_str()), (at(0), "nonce"), "its row stays");
    assert_eq!(one.of_account(&account("1")).await.unwrap(), None);

    assert_eq!(adopt(&anna, "3", "operator", 6).await, Claimed::Has(account("2")));
    assert_eq!(adopt(&bert, "2", "operator", 6).await, Claimed::TakenBy(anna.clone()));
    assert_eq!(one.account(&bert).await.unwrap(), None, "nothing is written");
    let Claimed::Done(bert_has) = adopt(&bert, "4", "operator", 6).await else { panic!("nobody's") };
    assert_eq!((bert_has.subject, bert_has.created_at), (bert.clone(), at(6)));
    assert_eq!(adopt(&bert, "2", "operator", 7).await, Claimed::TakenBy(anna.clone()));

    assert!(one.deauthorize(&account("2"), at(7)).await.unwrap().is_some());
    assert_eq!(adopt(&anna, "3", "operator", 8).await, Claimed::Has(account("2")), "it is linked still");
    assert_eq!(read(&world.one, "anna").await.deauthorized_at, Some(at(7)));
    let Claimed::Done(again) = adopt(&anna, "2", "another", 9).await else { panic!("its own") };
    assert_eq!((again.deauthorized_at, again.checked_at), (None, Some(at(9))));
    assert_eq!(again.linked, Some((at(5), "operator".to_owned())));
}

pub(crate) async fn an_older_answer_is_not_learnt(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    let learn = async |name: &str, due: &str, second| {
        two.learn(&account(name), &facts(&[due]), at(second)).await.unwrap()
    };
    expect(&world.one, "anna", "1").await;
    assert!(learn("1", "first", 5).await.is_some());
    assert_eq!(learn("1", "older", 4).await, None);
    let now = one.of_account(&account("1")).await.unwrap().unwrap();
    assert_eq!((now.facts, now.checked_at), (Some(facts(&["first"])), Some(at(5))));
    assert_eq!(learn("1", "same", 5).await.unwrap().facts, Some(facts(&["same"])));
    assert_eq!(learn("1", "later", 6).await.unwrap().checked_at, Some(at(6)));
    assert_eq!(learn("another", "later", 6).await, None);

    // Whoever asked before says nothing new when it links, adopts, or finds no access.
    let anna: SubjectId = "anna".parse().unwrap();
    let adopted = one.adopt(&anna, &account("1"), &facts(&["stale"]), at(4), "cli", at(9)).await.unwrap();
    let Claimed::Done(adopted) = adopted else { panic!("its own") };
    assert_eq!((adopted.facts, adopted.checked_at), (Some(facts(&["later"])), Some(at(6))));
    assert_eq!(one.deauthorize(&account("1"), at(5)).await.unwrap(), None);
    assert!(one.deauthorize(&account("1"), at(7)).await.unwrap().is_some());
    assert_eq!(learn("1", "older", 6).await, None);
    // Nor is access back by an answer from between two that say no, or by an operator who asked before.
    assert_eq!(one.deauthorize(&account("1"), at(9)).await.unwrap(), None);
    assert_eq!(learn("1", "between", 8).await, None);
    let adopted = one.adopt(&anna, &account("1"), &facts(&["stale"]), at(8), "cli", at(10)).await.unwrap();
    let Claimed::Done(adopted) = adopted else { panic!("its own") };
    assert_eq!((adopted.deauthorized_at, adopted.checked_at), (Some(at(7)), Some(at(9))));
    let back = learn("1", "back", 10).await.unwrap();
    assert_eq!((back.deauthorized_at, back.facts), (None, Some(facts(&["back"]))));
}

pub(crate) async fn an_account_takes_our_access_away_once(world: &World) {
    expect(&world.one, "anna", "1").await;
    let gone = world
        .at_once(
            8,
            |replica, _| async move { replica.stripe.deauthorize(&account("1"), at(5)).await.unwrap() },
        )
        .await;
    assert_eq!(gone.into_iter().flatten().count(), 1);
    assert_eq!(world.one.stripe.deauthorize(&account("1"), at(6)).await.unwrap(), None);
    assert_eq!(read(&world.two, "anna").await.deauthorized_at, Some(at(5)));
    assert_eq!(world.one.stripe.deauthorize(&account("2"), at(6)).await.unwrap(), None);
}

pub(crate) async fn an_event_is_remembered(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    assert!(!one.knows_event("evt_1").await.unwrap());
    one.remember_event("evt_1", at(0)).await.unwrap();
    two.remember_event("evt_1", at(9)).await.unwrap();
    assert!(two.knows_event("evt_1").await.unwrap());
    assert!(!two.knows_event("evt_2").await.unwrap());
    for error in [one.remember_event("evt\0", at(0)).await.err(), one.knows_event("evt\0").await.err()] {
        assert!(matches!(error, Some(Error::NulCharacter { column: "stripe_events.id" })), "{error:?}");
    }
    assert_eq!(one.sweep(at(1), 10).await.unwrap(), 1, "its first coming counts");
}

pub(crate) async fn the_sweep_takes_what_ended_first_and_no_more(world: &World) {
    let (one, two) = (&world.one.stripe, &world.two.stripe);
    for second in [3, 0, 4, 1, 2] {
        let attempt = StripeAttempt { expires_at: at(second), ..attempt("anna", "1", random::id()) };
        one.begin(&attempt, &hash(&second.to_string())).await.unwrap();
        one.remember_event(&second.to_string(), at(second)).await.unwrap();
    }
    expect(&world.one, "anna", "1").await;
    assert_eq!(two.sweep(at(0), 10).await.unwrap(), 0);
    assert_eq!(two.sweep(at(3), 2).await.unwrap(), 4, "two of each");
    let mut left = Vec::new();
    for second in 0..5 {
        let state = hash(&second.to_string());
        let is_left = one.find(&state).await.unwrap().is_some();
        assert_eq!(one.knows_event(&second.to_string()).await.unwrap(), is_left, "{second}");
        left.extend(is_left.then_some(second));
    }
    assert_eq!(left, [2, 3, 4]);
    assert_eq!(two.sweep(at(3), 10).await.unwrap(), 2);
    assert_eq!(two.sweep(at(3), 10).await.unwrap(), 0);
    assert_eq!((world.count("stripe_attempts").await, world.count("stripe_events").await), (2, 2));
    assert_eq!(world.count("stripe_accounts").await, 1);
}
