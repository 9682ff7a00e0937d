//! Grants that are to be given back.

use std::sync::Arc;

use model::Account;
use store::Store;
use store::connections::{ConnectionKey, Disconnected, NewConnection};
use store::credentials::Part;
use store::revocations::{NewRevocation, Revocation, RevocationBacklog};
use tokio::sync::Barrier;
use vault::random;

use crate::world::{World, at, attempt, hash, key, new_connection, octets, put_tokens, tokens};

const URL: &str = "https://provider.example/revoke";

fn plan(new: &NewConnection, second: i64) -> NewRevocation {
    NewRevocation {
        id: random::id(),
        credential: new.credential.id,
        url: URL.to_owned(),
        held_until: at(second),
    }
}

/// Connects, and disconnects at `second`; what is left is held until the next one.
async fn revoking(store: &Store, key: &ConnectionKey, second: i64) -> Revocation {
    let new = new_connection(key, key.subject.as_str(), 0);
    store.connections.connect(&new).await.unwrap();
    let plan = plan(&new, second + 1);
    let done = store.connections.disconnect(key, "operator", at(second), Some(&plan)).await.unwrap();
    let Disconnected::Revoking(connection, revocation) = done else { panic!("{done:?}") };
    assert_eq!((connection.state.word(), connection.credential), ("disconnected", None));
    assert_eq!(revocation.id, plan.id);
    *revocation
}

pub(crate) async fn a_disconnect_turns_the_tokens_into_a_revocation(world: &World) {
    let (one, two) = (&world.one, &world.two);
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 1);
    one.connections.connect(&new).await.unwrap();
    assert!(put_tokens(two, &new.credential.id, 1, &tokens("second", 2)).await);
    let plan = plan(&new, 60);
    let done = one.connections.disconnect(&key, "operator", at(3), Some(&plan)).await.unwrap();
    assert!(matches!(done, Disconnected::Revoking(..)), "{done:?}");
    assert!(one.connections.standing(&key).await.unwrap().is_none());
    assert_eq!((world.count("credentials").await, world.count("revocations").await), (0, 1));
    assert!(two.revocations.take_due(at(59), at(99), 10).await.unwrap().is_empty(), "it is held");
    let taken = two.revocations.take_due(at(60), at(99), 10).await.unwrap().remove(0);
    assert_eq!((taken.id, taken.credential, taken.url.as_str()), (plan.id, new.credential.id, URL));
    assert_eq!(
        (&taken.subject, &taken.integration, taken.label.as_ref()),
        (&key.subject, &key.integration, Some(&key.label))
    );
    let credential = &new.credential;
    assert_eq!((&taken.provider, &taken.client_id), (&credential.provider, &credential.client_id));
    assert_eq!(taken.account, credential.account);
    assert_eq!(octets(taken.access_token.as_ref()), Some("access of second"), "those of the last refresh");
    assert_eq!(octets(taken.refresh_token.as_ref()), Some("refresh of second"));
    assert_eq!((taken.attempts, taken.due_at, taken.created_at), (2, at(99), at(3)));
    assert_eq!(taken.last_error, None);

    let empty = new_connection(&key, "empty", 4);
    one.connections.connect(&empty).await.unwrap();
    world.sql("UPDATE credentials SET access_token = NULL, refresh_token = NULL").await;
    let plan = NewRevocation { credential: empty.credential.id, ..plan };
    let done = one.connections.disconnect(&key, "operator", at(5), Some(&plan)).await.unwrap();
    assert!(matches!(done, Disconnected::Erased(_)), "there is nothing to give back: {done:?}");
}

pub(crate) async fn the_last_member_of_a_group_makes_the_revocation(world: &World) {
    for round in 0..20 {
        let keys = ["jira", "confluence"].map(|integration| key(&format!("anna{round}"), integration));
        let jira = new_connection(&keys[0], "shared", 1);
        let confluence =
            NewConnection { credential: jira.credential.clone(), ..new_connection(&keys[1], "unused", 1) };
        world.one.connections.connect(&jira).await.unwrap();
        world.two.connections.connect(&confluence).await.unwrap();
        let plans = [plan(&jira, 60), plan(&confluence, 60)];
        let (first, second) = tokio::try_join!(
            world.one.connections.disconnect(&keys[0], "operator", at(3), Some(&plans[0])),
            world.two.connections.disconnect(&keys[1], "operator", at(3), Some(&plans[1])),
        )
        .unwrap();
        let ended = [first, second];
        assert_eq!(ended.iter().filter(|done| matches!(done, Disconnected::Shared(_))).count(), 1);
        assert_eq!(ended.iter().filter(|done| matches!(done, Disconnected::Revoking(..))).count(), 1);
        assert_eq!(world.count("credentials").await, 0, "round {round}");
        assert_eq!(world.count("revocations").await, round + 1);
    }
}

pub(crate) async fn a_plan_for_another_credential_changes_nothing(world: &World) {
    let key = key("anna", "github");
    let old = new_connection(&key, "old", 1);
    let new = new_connection(&key, "new", 2);
    world.one.connections.connect(&old).await.unwrap();
    world.two.connections.connect(&new).await.unwrap();
    assert_eq!(world.count("revocations").await, 0, "a new consent gives the old one not back");
    let done =
        world.one.connections.disconnect(&key, "operator", at(3), Some(&plan(&old, 60))).await.unwrap();
    assert!(matches!(done, Disconnected::Moved), "{done:?}");
    assert!(world.one.connections.standing(&key).await.unwrap().is_some());
    assert_eq!((world.count("credentials").await, world.count("revocations").await), (1, 0));
}

pub(crate) async fn each_due_revocation_goes_to_one_of_two_replicas(world: &World) {
    for number in 0..30 {
        revoking(&world.one, &key(&format!("anna{number}"), "github"), number).await;
    }
    let backlog = world.two.revocations.backlog().await.unwrap();
    assert_eq!(backlog, RevocationBacklog { count: 30, oldest: Some(at(0)) });
    let oldest = world.one.revocations.take_due(at(100), at(200), 2).await.unwrap();
    let created: Vec<_> = oldest.iter().map(|revocation| revocation.created_at).collect();
    assert_eq!(created, [at(0), at(1)], "the longest waiting first");
    let barrier = Arc::new(Barrier::new(8));
    let takers: Vec<_> = (0..8)
        .map(|taker| {
            let replica = if taker % 2 == 0 { world.one.clone() } else { world.two.clone() };
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                replica.revocations.take_due(at(100), at(200), 10).await.unwrap()
            })
        })
        .collect();
    let mut ids: Vec<_> = oldest.iter().map(|revocation| revocation.id).collect();
    for taker in takers {
        ids.extend(taker.await.unwrap().iter().map(|revocation| revocation.id));
    }
    // Those that another taker had locked are left for the next round.
    ids.extend(world.one.revocations.take_due(at(100), at(200), 30).await.unwrap().iter().map(|one| one.id));
    assert_eq!(ids.len(), 30);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 30, "none was taken twice");
    assert!(world.two.revocations.take_due(at(199), at(300), 30).await.unwrap().is_empty());
    assert_eq!(world.two.revocations.take_due(at(200), at(300), 50).await.unwrap().len(), 30);
}

pub(crate) async fn only_the_attempt_under_way_ends_a_revocation(world: &World) {
    let (one, two) = (&world.one.revocations, &world.two.revocations);
    let mut revocation = revoking(&world.one, &key("anna", "github"), 0).await;
    assert_eq!(revocation.attempts, 1);
    assert!(one.failed(&revocation.id, 1, at(60), "http_500").await.unwrap());
    assert!(one.take_due(at(59), at(99), 10).await.unwrap().is_empty());
    let taken = two.take_due(at(60), at(99), 10).await.unwrap().remove(0);
    assert_eq!((taken.attempts, taken.last_error.as_deref()), (2, Some("http_500")));
    assert!(!one.failed(&revocation.id, 1, at(61), "late").await.unwrap(), "somebody else has taken it");
    assert!(one.take_due(at(61), at(99), 10).await.unwrap().is_empty());
    assert!(two.done(&taken.id).await.unwrap());
    assert!(!two.done(&taken.id).await.unwrap());
    assert!(!two.failed(&taken.id, 2, at(60), "late").await.unwrap());
    assert_eq!(world.count("revocations").await, 0, "the tokens are erased");
    assert_eq!(one.backlog().await.unwrap(), RevocationBacklog::default());

    revocation.id = random::id();
    revocation.last_error = Some("found".to_owned());
    revocation.label = None;
    one.add(&revocation).await.unwrap();
    let read = two.take_due(at(1000), at(2000), 10).await.unwrap().remove(0);
    assert_eq!((read.id, read.attempts, read.due_at), (revocation.id, 2, at(2000)));
    assert_eq!(octets(read.access_token.as_ref()), octets(revocation.access_token.as_ref()));
    assert_eq!((read.last_error, read.label), (revocation.last_error, None));
}

pub(crate) async fn a_grant_may_be_shared_with_the_same_account_and_with_one_that_nobody_knows(
    world: &World,
) {
    let (one, two) = (&world.one, &world.two);
    let own = new_connection(&key("anna", "github"), "own", 1);
    one.connections.connect(&own).await.unwrap();
    let shared = async |client_id: &str, account: Option<&str>| {
        two.credentials.may_share_grant(client_id, account, &own.credential.id).await.unwrap()
    };
    assert!(!shared("our app", Some("17")).await && !shared("our app", None).await);

    let mut other = new_connection(&key("bert", "github"), "another account", 1);
    other.credential.account = Some(Account { id: "18".to_owned(), name: None });
    one.connections.connect(&other).await.unwrap();
    assert!(!shared("our app", Some("17")).await);
    assert!(shared("our app", Some("18")).await, "whoever it belongs to");
    assert!(shared("our app", None).await, "it may be the same");
    assert!(!shared("another app", Some("18")).await && !shared("another app", None).await);

    let held = attempt(0);
    one.attempts.create_started(&held, &hash("state")).await.unwrap();
    let mut unknown = new_connection(&key("carl", "github"), "unknown", 1).credential;
    unknown.account = None;
    one.attempts.ask(&held.id, std::slice::from_ref(&unknown), &hash("question"), at(9)).await.unwrap();
    assert!(shared("our app", Some("17")).await, "a consent that waits may be the same");
    let mut part = new_connection(&key("anna", "github"), "part", 1).credential;
    part.part = Some(Part { of: own.credential.id, name: "user".to_owned() });
    one.credentials.erase(&unknown.id).await.unwrap();
    one.credentials.add_part(&part).await.unwrap();
    assert!(!shared("our app", Some("17")).await, "its own part is no other consent");
}
