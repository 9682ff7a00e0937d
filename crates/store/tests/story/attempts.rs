//! Authorizations in flight.

use std::sync::Arc;

use model::{Binding, Scopes};
use store::attempts::{Attempt, Hop, Member};
use tokio::sync::Barrier;

use crate::world::{World, at, attempt, hash, key, new_connection, octets};

pub(crate) async fn a_state_works_once(world: &World) {
    let unbound = Attempt { binding: Binding::None, ..attempt(0) };
    world.one.attempts.create_started(&unbound, &hash("state")).await.unwrap();
    let found = world.two.attempts.find(&hash("state")).await.unwrap().unwrap();
    assert_eq!((found.id, found.binding, found.consumed_at), (unbound.id, Binding::None, None));

    let consumed = world.two.attempts.consume(&hash("state"), at(5)).await.unwrap().unwrap();
    assert_eq!((consumed.id, consumed.consumed_at), (unbound.id, Some(at(5))));
    assert!(world.one.attempts.consume(&hash("state"), at(6)).await.unwrap().is_none());
    assert!(world.one.attempts.consume(&hash("another"), at(6)).await.unwrap().is_none());
    let found = world.one.attempts.find(&hash("state")).await.unwrap().unwrap();
    assert_eq!(found.consumed_at, Some(at(5)), "a used attempt is kept, and keeps when it was used");
    assert!(found.code_verifier.is_none() && unbound.code_verifier.is_some(), "its verifier is gone");
}

pub(crate) async fn an_attempt_reads_back_as_it_was_written(world: &World) {
    let written = attempt(0);
    world.one.attempts.create_started(&written, &hash("state")).await.unwrap();
    let read = world.two.attempts.find(&hash("state")).await.unwrap().unwrap();
    // Everything but the sealed verifier prints itself.
    assert_eq!(format!("{read:?}"), format!("{written:?}"));
    assert_eq!(octets(read.code_verifier.as_ref()), Some("verifier"));

    let bare = Attempt { return_to: None, issuer: None, code_verifier: None, ..attempt(0) };
    world.one.attempts.create_started(&bare, &hash("bare")).await.unwrap();
    let read = world.one.attempts.find(&hash("bare")).await.unwrap().unwrap();
    assert_eq!(format!("{read:?}"), format!("{bare:?}"));
}

pub(crate) async fn a_ticket_starts_one_attempt_once(world: &World) {
    let (one, two) = (&world.one.attempts, &world.two.attempts);
    let written = attempt(0);
    one.create(&written, &hash("ticket")).await.unwrap();
    assert!(one.find(&hash("state")).await.unwrap().is_none(), "no state before the hop");
    let start = async |ticket: &str, state: &str, second| {
        two.start(&hash(ticket), &hash(state), &hash("cookie"), at(second)).await
    };

    let unknown = start("other", "state", 1).await.unwrap();
    assert!(matches!(unknown, Hop::Unknown), "{unknown:?}");
    let hop = start("ticket", "state", 599).await.unwrap();
    let Hop::Started(started) = hop else { panic!("{hop:?}") };
    assert_eq!((started.id, started.binding_hash), (written.id, Some(hash("cookie"))));
    let again = start("ticket", "second state", 599).await.unwrap();
    assert!(matches!(again, Hop::Used), "{again:?}");
    assert_eq!(
        one.consume(&hash("state"), at(599)).await.unwrap().unwrap().binding_hash,
        Some(hash("cookie"))
    );

    one.create(&attempt(0), &hash("slow")).await.unwrap();
    let late = start("slow", "third state", 600).await.unwrap();
    assert!(matches!(late, Hop::Expired), "{late:?}");
    assert!(one.find(&hash("third state")).await.unwrap().is_none());
}

pub(crate) async fn of_twelve_callbacks_on_two_replicas_one_gets_the_attempt(world: &World) {
    for round in 0..10 {
        let state = hash(&format!("state {round}"));
        world.one.attempts.create_started(&attempt(0), &state).await.unwrap();
        let barrier = Arc::new(Barrier::new(12));
        let callbacks: Vec<_> = (0..12)
            .map(|caller| {
                let replica = if caller % 2 == 0 { world.one.clone() } else { world.two.clone() };
                let barrier = Arc::clone(&barrier);
                tokio::spawn(async move {
                    barrier.wait().await;
                    replica.attempts.consume(&state, at(1)).await.unwrap().is_some()
                })
            })
            .collect();
        let mut winners = 0;
        for callback in callbacks {
            winners += usize::from(callback.await.unwrap());
        }
        assert_eq!(winners, 1, "round {round}");
    }
}

pub(crate) async fn an_expired_attempt_is_found_but_not_consumed(world: &World) {
    let attempts = &world.one.attempts;
    attempts.create_started(&attempt(0), &hash("state")).await.unwrap();
    assert!(attempts.consume(&hash("state"), at(600)).await.unwrap().is_none());
    assert_eq!(attempts.find(&hash("state")).await.unwrap().unwrap().consumed_at, None);
    assert!(attempts.consume(&hash("state"), at(599)).await.unwrap().is_some());
}

pub(crate) async fn the_sweep_takes_the_oldest_and_no_more(world: &World) {
    let attempts = &world.one.attempts;
    for second in 0..5 {
        attempts.create_started(&attempt(second), &hash(&second.to_string())).await.unwrap();
    }
    assert_eq!(attempts.sweep(at(603), 2).await.unwrap(), 2);
    assert!(attempts.find(&hash("1")).await.unwrap().is_none());
    assert!(attempts.find(&hash("2")).await.unwrap().is_some());
    assert_eq!(attempts.sweep(at(603), 100).await.unwrap(), 1);
    assert_eq!(attempts.sweep(at(603), 100).await.unwrap(), 0);
    assert_eq!(world.count("attempts").await, 2);
}

pub(crate) async fn a_question_is_answered_once_and_its_consent_is_nobodys_until_then(world: &World) {
    let (one, two) = (&world.one, &world.two);
    let written = attempt(0);
    one.attempts.create_started(&written, &hash("state")).await.unwrap();
    let key = key("anna", "github");
    let before = new_connection(&key, "before", 1);
    one.connections.connect(&before).await.unwrap();
    let new = new_connection(&key, "new", 5).credential;
    one.attempts.ask(&written.id, std::slice::from_ref(&new), &hash("question"), at(100)).await.unwrap();
    assert_eq!(two.connections.standing(&key).await.unwrap().unwrap().credential, before.credential.id);
    assert!(two.credentials.get(&new.id).await.unwrap().is_some(), "durable");

    let asked = two.attempts.question(&hash("question"), at(99)).await.unwrap().unwrap();
    assert_eq!((asked.attempt.id, asked.held, asked.answer_by), (written.id, new.id, at(100)));
    assert!(two.attempts.question(&hash("question"), at(100)).await.unwrap().is_none(), "too late");
    assert!(two.attempts.question(&hash("another"), at(1)).await.unwrap().is_none());
    assert!(one.attempts.answer(&hash("question"), at(100)).await.unwrap().is_none(), "too late");
    let (left, right) = (one.attempts.clone(), two.attempts.clone());
    let question = hash("question");
    let (left, right) =
        tokio::try_join!(left.answer(&question, at(99)), right.answer(&question, at(99))).unwrap();
    assert!(left.is_some() != right.is_some(), "one of two gets it");
    assert!(one.attempts.question(&hash("question"), at(50)).await.unwrap().is_none());

    assert_eq!(one.attempts.sweep(at(1_000_000), 10).await.unwrap(), 0, "its consent is not settled");
    assert!(one.attempts.unanswered(at(99), 10).await.unwrap().is_empty());
    let left = two.attempts.unanswered(at(100), 10).await.unwrap();
    assert_eq!(left.iter().map(|question| question.held).collect::<Vec<_>>(), [new.id]);
    assert!(one.credentials.erase(&new.id).await.unwrap());
    assert!(!one.credentials.erase(&new.id).await.unwrap());
    assert!(!one.credentials.erase(&before.credential.id).await.unwrap(), "somebody stands on it");
    one.attempts.settle_question(&written.id).await.unwrap();
    assert!(two.attempts.unanswered(at(100), 10).await.unwrap().is_empty());
    assert_eq!(one.attempts.sweep(at(1_000_000), 10).await.unwrap(), 1);
}

pub(crate) async fn an_attempt_knows_its_members(world: &World) {
    let member = |name: &str| Member { integration: name.parse().unwrap(), scopes: Scopes::parse(name, " ") };
    let members = vec![member("jira"), member("confluence")];
    let group = Attempt { members: members.clone(), ..attempt(0) };
    world.one.attempts.create_started(&group, &hash("group")).await.unwrap();
    let read = world.two.attempts.find(&hash("group")).await.unwrap().unwrap();
    assert_eq!(read.members(), members);
    let alone = attempt(0);
    world.one.attempts.create_started(&alone, &hash("alone")).await.unwrap();
    let read = world.two.attempts.find(&hash("alone")).await.unwrap().unwrap();
    assert_eq!(read.members(), [Member { integration: alone.integration, scopes: alone.scopes }]);
}
