//! A failure is played, and the credential becomes what it was whatever happens in between.

use std::time::Duration;

use model::{CredentialId, ReconnectReason, Timestamp};
use store::Store;
use store::connections::Disconnected;
use store::credentials::Credential;
use store::drills::{AbandonedDrill, NewDrill};
use store::refreshes::{Claim, Hold, NewClaim, Phase};
use store::revocations::NewRevocation;
use vault::random;

use crate::world::{
    World, at, break_grant, eventually, key, new_claim, new_connection, octets, put_tokens, sealed, tokens,
};

const LEASE: Duration = Duration::from_secs(30);
const STAND_IN: &str = "stands in";

/// A world with one connection, whose credential has failed twice and is due.
async fn with_credential(world: &World) -> CredentialId {
    let mut new = new_connection(&key("anna", "github"), "first", 0);
    new.credential.last_error = Some("http_500".to_owned());
    new.credential.failures = 2;
    world.one.connections.connect(&new).await.unwrap();
    new.credential.id
}

async fn get(store: &Store, id: &CredentialId) -> Credential {
    store.credentials.get(id).await.unwrap().unwrap()
}

async fn new_drill(store: &Store, id: &CredentialId) -> NewDrill {
    let look = store.refreshes.look(id).await.unwrap().unwrap();
    NewDrill {
        credential: *id,
        generation: look.credential.generation,
        fence: look.fence,
        holder: random::id(),
        lease: LEASE,
        step: 7,
        aside: look.credential.tokens.refresh_token.clone().unwrap_or_else(|| sealed(STAND_IN)),
        stand_in: sealed(STAND_IN),
        by: "operator".to_owned(),
    }
}

async fn begun(store: &Store, id: &CredentialId) -> Claim {
    store.drills.begin(&new_drill(store, id).await).await.unwrap().unwrap()
}

async fn mark(store: &Store, claim: &Claim, second: i64) -> bool {
    let reason = ReconnectReason::GrantRevoked;
    store.drills.mark_broken(claim, reason, Some("invalid_grant"), at(second)).await.unwrap()
}

async fn refuses(store: &Store, drill: &NewDrill) -> bool {
    store.drills.begin(drill).await.unwrap().is_none()
}

fn refresh(credential: &Credential) -> Option<&str> {
    octets(credential.tokens.refresh_token.as_ref())
}

/// Everything of a credential's state that a drill could leave changed.
async fn state(world: &World, id: &CredentialId) -> String {
    let found = get(&world.two, id).await;
    let connection = world.two.connections.get(&key("anna", "github")).await.unwrap().unwrap();
    format!(
        "{:?} {:?} {} {:?} {:?} {:?} {:?} {:?}",
        refresh(&found),
        found.last_error,
        found.failures,
        found.due_at,
        found.broken,
        found.generation,
        connection.updated_at,
        connection.state,
    )
}

/// The lease, as it is in the row.
async fn lease(store: &Store, id: &CredentialId) -> Option<Timestamp> {
    store.refreshes.look(id).await.unwrap().unwrap().leased_until
}

pub(crate) async fn a_drill_leaves_the_credential_as_it_was(world: &World) {
    let id = with_credential(world).await;
    let before = state(world, &id).await;
    let fence = world.one.refreshes.look(&id).await.unwrap().unwrap().fence;
    let claim = begun(&world.one, &id).await;
    assert_eq!((claim.credential, claim.generation, claim.fence), (id, 1, fence + 7));
    assert_eq!(refresh(&get(&world.two, &id).await), Some(STAND_IN));
    let look = world.two.refreshes.look(&id).await.unwrap().unwrap();
    assert!(look.drilled && look.leased_until.is_some() && look.journal.is_empty(), "{look:?}");
    assert!(world.two.refreshes.renew(&claim, LEASE).await.unwrap());
    assert!(mark(&world.one, &claim, 5).await);
    let broken = get(&world.two, &id).await;
    assert_eq!(broken.broken, Some((at(5), ReconnectReason::GrantRevoked)));
    assert_eq!((broken.last_error.as_deref(), broken.due_at), (Some("invalid_grant"), None));
    assert!(lease(&world.two, &id).await.is_some(), "the lease is kept");
    assert!(world.one.drills.end(&claim).await.unwrap());
    assert_eq!(state(world, &id).await, before);
    let look = world.two.refreshes.look(&id).await.unwrap().unwrap();
    assert!(!look.drilled && look.leased_until.is_none(), "{look:?}");
    assert!(look.fence > claim.fence, "whoever has called with the stand-in writes nothing");
    assert!(!world.one.drills.end(&claim).await.unwrap(), "once");
    assert!(!mark(&world.one, &claim, 6).await, "a drill that is over marks nothing");
    assert_eq!(state(world, &id).await, before);
    assert_eq!(world.count("drills").await, 0);
}

pub(crate) async fn a_standing_shows_a_played_death_and_its_end_on_both_replicas(world: &World) {
    let id = with_credential(world).await;
    let broken = |store: &Store| {
        let store = store.clone();
        async move {
            let standing = store.connections.standing(&key("anna", "github")).await.unwrap().unwrap();
            standing.broken.is_some()
        }
    };
    assert!(!broken(&world.one).await && !broken(&world.two).await, "now it is in both caches");
    let claim = begun(&world.one, &id).await;
    assert!(!broken(&world.one).await && !broken(&world.two).await, "before the answer nothing is broken");
    assert!(mark(&world.one, &claim, 5).await);
    assert!(broken(&world.one).await);
    eventually("the other replica sees it", || broken(&world.two)).await;
    assert!(world.one.drills.end(&claim).await.unwrap());
    assert!(!broken(&world.one).await);
    eventually("and its end", || async { !broken(&world.two).await }).await;
}

pub(crate) async fn a_drill_begins_only_where_nothing_is_under_way(world: &World) {
    let id = with_credential(world).await;
    let (one, two) = (&world.one, &world.two);
    let drill = new_drill(one, &id).await;
    assert!(refuses(one, &NewDrill { generation: 2, ..drill.clone() }).await, "another generation");
    assert!(refuses(one, &NewDrill { fence: drill.fence + 1, ..drill.clone() }).await, "another fence");
    assert!(
        refuses(one, &NewDrill { credential: random::id(), ..drill.clone() }).await,
        "no such credential"
    );
    let hold = Hold { since: at(0), reason: "a backup".to_owned(), by: "operator".to_owned() };
    one.refreshes.hold(&hold).await.unwrap();
    assert!(refuses(one, &drill).await, "held");
    one.refreshes.resume().await.unwrap();

    let claim = one.refreshes.claim(&NewClaim { fence: drill.fence, ..new_claim(&id, 1) }).await.unwrap();
    let claim = claim.unwrap();
    let late = NewDrill { fence: claim.fence, ..drill.clone() };
    assert!(refuses(two, &late).await, "a lease");
    world.sql("UPDATE credentials SET lease_until = 1").await;
    assert!(refuses(two, &late).await, "a call whose fate nobody knows");
    world.sql("UPDATE refresh_journal SET phase = 'orphan'").await;
    assert!(refuses(two, &late).await, "an answer that is still to be adopted");
    world.sql("DELETE FROM refresh_journal").await;
    let played = two.drills.begin(&late).await.unwrap().unwrap();
    assert!(refuses(one, &new_drill(one, &id).await).await, "another drill");
    world.sql("UPDATE credentials SET lease_until = 1").await;
    assert!(refuses(one, &new_drill(one, &id).await).await, "another drill that was not ended");
    assert_eq!(refresh(&get(one, &id).await), Some(STAND_IN));
    let seen = one.refreshes.look(&id).await.unwrap().unwrap().fence;
    let claim = one.refreshes.claim(&NewClaim { fence: seen, ..new_claim(&id, 1) }).await.unwrap();
    assert!(claim.is_none(), "nobody refreshes with the stand-in, though the lease is over");
    assert!(two.drills.end(&played).await.unwrap());

    assert!(break_grant(one, &id, 1, at(9)).await);
    assert!(refuses(two, &new_drill(two, &id).await).await, "broken");
    world.sql("UPDATE credentials SET broken_at = NULL, broken_reason = NULL, refresh_token = NULL").await;
    assert!(refuses(two, &new_drill(two, &id).await).await, "nothing to set aside");
    assert_eq!(world.count("drills").await, 0);
}

pub(crate) async fn of_many_drills_and_claims_at_once_one_wins(world: &World) {
    let id = with_credential(world).await;
    for _ in 0..5 {
        let drill = new_drill(&world.one, &id).await;
        let claim = NewClaim { fence: drill.fence, ..new_claim(&id, 1) };
        let won = world
            .at_once(16, |store, caller| {
                let (drill, claim) = (drill.clone(), claim);
                async move {
                    if caller % 4 == 0 {
                        store.refreshes.claim(&claim).await.unwrap().map(|claim| (claim, false))
                    } else {
                        store.drills.begin(&drill).await.unwrap().map(|claim| (claim, true))
                    }
                }
            })
            .await;
        let won: Vec<_> = won.into_iter().flatten().collect();
        let [(claim, is_drill)] = won[..] else { panic!("{won:?}") };
        assert_eq!(world.count("drills").await, i64::from(is_drill));
        let token = if is_drill { STAND_IN } else { "refresh of first" };
        assert_eq!(refresh(&get(&world.two, &id).await), Some(token));
        if is_drill {
            assert!(world.two.drills.end(&claim).await.unwrap());
        } else {
            world.sql("DELETE FROM refresh_journal; UPDATE credentials SET lease_until = NULL").await;
        }
        assert_eq!(refresh(&get(&world.two, &id).await), Some("refresh of first"));
    }
}

pub(crate) async fn an_abandoned_drill_is_ended_by_anybody_once_its_lease_is_over(world: &World) {
    let id = with_credential(world).await;
    let before = state(world, &id).await;
    let began_from = model::Timestamp::from_unix_ms(0);
    for is_marked in [false, true] {
        let claim = begun(&world.one, &id).await;
        if is_marked {
            assert!(mark(&world.one, &claim, 5).await);
        }
        assert_eq!(world.two.drills.abandoned(9).await.unwrap(), []);
        assert!(!world.two.drills.end_abandoned(&claim).await.unwrap(), "somebody plays");
        assert_eq!(refresh(&get(&world.two, &id).await), Some(STAND_IN));
        // Over, or given back by somebody who does not know of drills.
        let over = if is_marked { "1" } else { "NULL" };
        world.sql(&format!("UPDATE credentials SET lease_until = {over}")).await;
        let found = world.two.drills.abandoned(9).await.unwrap();
        let [AbandonedDrill { claim: theirs, subject, integration, began_at, by }] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((*theirs, subject.as_str(), integration.as_str()), (claim, "anna", "github"));
        assert!(by == "operator" && *began_at > began_from, "{found:?}");
        assert_eq!(world.two.drills.abandoned(0).await.unwrap(), []);
        assert!(!world.two.drills.end_abandoned(&Claim { fence: claim.fence + 1, ..claim }).await.unwrap());
        let ended = world
            .at_once(8, |store, _| async move { store.drills.end_abandoned(&claim).await.unwrap() })
            .await;
        assert_eq!(ended.iter().filter(|ended| **ended).count(), 1);
        assert_eq!(state(world, &id).await, before);
        assert!(!world.one.drills.end(&claim).await.unwrap(), "whoever wakes up late ends nothing");
        assert!(!mark(&world.one, &claim, 6).await);
    }
}

pub(crate) async fn whoever_wakes_up_does_not_end_a_later_drill(world: &World) {
    let id = with_credential(world).await;
    let first = begun(&world.one, &id).await;
    world.sql("UPDATE credentials SET lease_until = 1").await;
    assert!(world.two.drills.end_abandoned(&first).await.unwrap());
    let second = begun(&world.two, &id).await;
    assert!(!world.one.drills.end(&first).await.unwrap());
    assert!(!mark(&world.one, &first, 5).await);
    assert_eq!(refresh(&get(&world.one, &id).await), Some(STAND_IN));
    assert!(world.two.drills.end(&second).await.unwrap());
    assert_eq!(refresh(&get(&world.one, &id).await), Some("refresh of first"));
}

/// A replica of the version before knows no drills: it may claim once the lease is over, and mark what it finds.
pub(crate) async fn what_a_replica_of_before_marks_during_a_drill_is_undone(world: &World) {
    let id = with_credential(world).await;
    let before = state(world, &id).await;
    let claim = begun(&world.one, &id).await;
    let theirs = Claim { fence: claim.fence + 40, ..claim };
    world.sql(&format!("UPDATE credentials SET fence = {}, lease_until = 1", theirs.fence)).await;
    let reason = ReconnectReason::GrantRevoked;
    assert!(world.two.refreshes.mark_broken(&theirs, reason, None, at(5)).await.unwrap());
    let found = world.two.drills.abandoned(9).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(world.two.drills.end_abandoned(&found[0].claim).await.unwrap());
    assert_eq!(state(world, &id).await, before);
    assert!(!world.two.refreshes.mark_broken(&theirs, reason, None, at(6)).await.unwrap());
}

pub(crate) async fn new_tokens_end_a_drill_and_keep_what_it_set_aside(world: &World) {
    for brings_one in [false, true] {
        let id = with_credential(world).await;
        let claim = begun(&world.one, &id).await;
        assert!(mark(&world.one, &claim, 5).await);
        let mut set = tokens("second", 60);
        if !brings_one {
            set.refresh_token = None;
        }
        assert!(put_tokens(&world.two, &id, 1, &set).await);
        let found = get(&world.two, &id).await;
        let expected = if brings_one { "refresh of second" } else { "refresh of first" };
        assert_eq!((refresh(&found), found.generation, found.broken), (Some(expected), 2, None));
        assert_eq!(world.count("drills").await, 0);
        assert!(!world.one.drills.end(&claim).await.unwrap());
        assert_eq!(refresh(&get(&world.one, &id).await), Some(expected));
        assert!(lease(&world.one, &id).await.is_none());
    }
}

pub(crate) async fn a_disconnect_during_a_drill_gives_back_the_token_that_was_set_aside(world: &World) {
    let id = with_credential(world).await;
    let claim = begun(&world.one, &id).await;
    let revocation = NewRevocation {
        id: random::id(),
        credential: id,
        url: "https://provider.example/revoke".to_owned(),
        held_until: at(300),
    };
    let key = key("anna", "github");
    let left = world.two.connections.disconnect(&key, "operator", at(9), Some(&revocation)).await.unwrap();
    let Disconnected::Revoking(_, revoking) = left else { panic!("{left:?}") };
    assert_eq!(octets(revoking.refresh_token.as_ref()), Some("refresh of first"));
    assert_eq!(octets(revoking.access_token.as_ref()), Some("access of first"));
    assert_eq!(world.count("drills").await, 0);
    assert!(!mark(&world.one, &claim, 10).await);
    assert!(!world.one.drills.end(&claim).await.unwrap());
    assert!(world.one.credentials.get(&id).await.unwrap().is_none());
}

pub(crate) async fn a_reconnect_during_a_drill_leaves_nothing_of_it(world: &World) {
    let id = with_credential(world).await;
    let claim = begun(&world.one, &id).await;
    assert!(mark(&world.one, &claim, 5).await);
    let again = new_connection(&key("anna", "github"), "again", 60);
    world.two.connections.connect(&again).await.unwrap();
    assert_eq!(world.count("drills").await, 0);
    assert!(!world.one.drills.end(&claim).await.unwrap());
    let found = get(&world.one, &again.credential.id).await;
    assert_eq!((refresh(&found), found.broken), (Some("refresh of again"), None));
}

pub(crate) async fn a_call_after_a_drill_is_like_any_other(world: &World) {
    let id = with_credential(world).await;
    let drill = begun(&world.one, &id).await;
    assert!(world.one.drills.end(&drill).await.unwrap());
    let fence = world.two.refreshes.look(&id).await.unwrap().unwrap().fence;
    let claim = world.two.refreshes.claim(&NewClaim { fence, ..new_claim(&id, 1) }).await.unwrap().unwrap();
    assert!(claim.fence > drill.fence);
    let look = world.two.refreshes.look(&id).await.unwrap().unwrap();
    assert_eq!(
        look.journal.iter().map(|row| (row.fence, row.phase)).collect::<Vec<_>>(),
        [(claim.fence, Phase::Sent)]
    );
    assert!(world.two.refreshes.commit(&claim, &tokens("second", 60), None).await.unwrap());
    assert_eq!(refresh(&get(&world.one, &id).await), Some("refresh of second"));
}
