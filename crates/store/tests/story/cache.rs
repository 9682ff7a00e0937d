//! What is in memory is never older than the last change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use store::Store;
use store::connections::ConnectionKey;

use crate::rows::{api_key, subject};
use crate::world::{
    World, at, break_grant, eventually, hash, key, new_connection, options, put_tokens, tokens,
};

/// Whether two reads in a row answer the very same record, so that the second came from memory.
async fn is_in_memory(store: &Store, key: &ConnectionKey) -> bool {
    let first = store.connections.standing(key).await.unwrap().unwrap();
    let second = store.connections.standing(key).await.unwrap().unwrap();
    Arc::ptr_eq(&first, &second)
}

async fn generation(store: &Store, key: &ConnectionKey) -> Option<i64> {
    store.connections.standing(key).await.unwrap().map(|standing| standing.generation)
}

/// Waits for a change by another replica: none on SQLite, a notice on PostgreSQL.
async fn seen<F: Future<Output = bool>>(world: &World, what: &str, condition: impl Fn() -> F) {
    if world.is_sqlite() {
        assert!(condition().await, "not seen at the next read: {what}");
    } else {
        eventually(what, condition).await;
    }
}

pub(crate) async fn a_change_on_one_replica_is_seen_on_the_other(world: &World) {
    let (one, two) = (&world.one, &world.two);
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 1);
    let id = new.credential.id;
    one.connections.connect(&new).await.unwrap();
    eventually("the cache is in use", || is_in_memory(two, &key)).await;

    assert!(put_tokens(one, &id, 1, &tokens("second", 2)).await);
    assert_eq!(generation(one, &key).await, Some(2), "one's own change at once");
    seen(world, "new tokens", || async { generation(two, &key).await == Some(2) }).await;
    eventually("the cache is in use", || is_in_memory(two, &key)).await;

    assert!(break_grant(one, &id, 2, at(3)).await);
    let is_broken = || async { two.connections.standing(&key).await.unwrap().unwrap().broken.is_some() };
    seen(world, "a dead grant", is_broken).await;
    eventually("the cache is in use", || is_in_memory(two, &key)).await;

    one.connections.connect(&new_connection(&key, "third", 4)).await.unwrap();
    seen(world, "a new consent", || async { !is_broken().await }).await;
    eventually("the cache is in use", || is_in_memory(two, &key)).await;

    one.connections.disconnect(&key, "operator", at(5), None).await.unwrap();
    assert_eq!(generation(one, &key).await, None);
    seen(world, "a disconnect", || async { generation(two, &key).await.is_none() }).await;
}

pub(crate) async fn a_foreign_change_is_not_covered_up_by_a_write_of_our_own(world: &World) {
    let (one, two) = (&world.one, &world.two);
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 1);
    one.connections.connect(&new).await.unwrap();
    for current in 1..=10 {
        eventually("the cache is in use", || is_in_memory(two, &key)).await;
        let set = tokens("next", current);
        assert!(put_tokens(one, &new.credential.id, current, &set).await);
        two.subjects.put(&subject("anna")).await.unwrap();
        seen(world, "new tokens", async || generation(two, &key).await == Some(current + 1)).await;
    }
}

pub(crate) async fn a_revoked_key_stops_on_both_replicas(world: &World) {
    let (one, two) = (&world.one.api_keys, &world.two.api_keys);
    let key = api_key("first");
    one.create(&key, &hash("first")).await.unwrap();
    eventually("the cache is in use", || async {
        let (a, b) = (two.find(&hash("first")).await.unwrap(), two.find(&hash("first")).await.unwrap());
        Arc::ptr_eq(&a.unwrap(), &b.unwrap())
    })
    .await;
    assert!(one.revoke(&key.id, at(2)).await.unwrap());
    assert!(one.find(&hash("first")).await.unwrap().is_none());
    seen(world, "a revocation", || async { two.find(&hash("first")).await.unwrap().is_none() }).await;
}

pub(crate) async fn a_write_to_one_connection_leaves_the_others_in_memory(world: &World) {
    let store = &world.one;
    let (changed, untouched) = (key("anna", "github"), key("bert", "github"));
    let (mut new, mut other) = (new_connection(&changed, "first", 1), new_connection(&untouched, "first", 1));
    // Not random: one id in some thousands shares its epoch with the other connection.
    (new.credential.id, other.credential.id) = ([1; 16].into(), [2; 16].into());
    store.connections.connect(&new).await.unwrap();
    store.connections.connect(&other).await.unwrap();
    // Our own notices come back, and the last may be about the connection that was just made. They come in the order of
    // the commits, so whoever has heard of a later one has heard them all.
    let later = key("carl", "github");
    let mut last = new_connection(&later, "first", 1);
    last.credential.id = [3; 16].into();
    store.connections.connect(&last).await.unwrap();
    eventually("the cache is in use", || is_in_memory(store, &later)).await;
    assert!(put_tokens(&world.two, &last.credential.id, 1, &tokens("next", 1)).await);
    seen(world, "new tokens", async || self::generation(store, &later).await == Some(2)).await;
    // SQLite's writer, in turn, takes note of the other replica's change at its own next transaction.
    store.ping().await.unwrap();
    eventually("the cache is in use", || is_in_memory(store, &untouched)).await;
    let before = store.connections.standing(&untouched).await.unwrap().unwrap();

    for generation in 1..=20 {
        let set = tokens("next", generation);
        assert!(put_tokens(store, &new.credential.id, generation, &set).await);
        assert_eq!(self::generation(store, &changed).await, Some(generation + 1));
    }
    store.subjects.ensure(&changed.subject, at(2)).await.unwrap();
    store.connections.disconnect(&changed, "operator", at(3), None).await.unwrap();
    let after = store.connections.standing(&untouched).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&before, &after), "it was loaded again");
}

pub(crate) async fn nobody_reads_what_was_already_replaced(world: &World) {
    let keys: Vec<_> = (0..4).map(|n| key(&format!("anna{n}"), "github")).collect();
    let mut credentials = Vec::new();
    for key in &keys {
        let new = new_connection(key, "first", 1);
        world.one.connections.connect(&new).await.unwrap();
        credentials.push(new.credential.id);
    }
    let floors: Arc<Vec<AtomicI64>> = Arc::new(keys.iter().map(|_| AtomicI64::new(1)).collect());
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..6)
        .map(|reader| {
            let (keys, floors, done) = (keys.clone(), Arc::clone(&floors), Arc::clone(&done));
            // On PostgreSQL only the replica that writes promises that much.
            let foreign = reader % 2 == 1 && world.is_sqlite();
            let store = if foreign { world.two.clone() } else { world.one.clone() };
            tokio::spawn(async move {
                let mut reads = 0_u64;
                while !done.load(Ordering::SeqCst) {
                    for (key, floor) in keys.iter().zip(floors.iter()) {
                        let floor = floor.load(Ordering::SeqCst);
                        let found = generation(&store, key).await.unwrap();
                        assert!(found >= floor, "read generation {found} after {floor} was answered");
                        reads += 1;
                    }
                    tokio::task::yield_now().await;
                }
                reads
            })
        })
        .collect();
    for generation in 1..=60 {
        for (id, floor) in credentials.iter().zip(floors.iter()) {
            let set = tokens("next", generation);
            assert!(put_tokens(&world.one, id, generation, &set).await);
            floor.store(generation + 1, Ordering::SeqCst);
        }
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

pub(crate) async fn without_a_cache_every_read_is_fresh(world: &World) {
    let mut options = options(&world.url);
    options.cache_entries = 0;
    let cold = Store::open(&options).await.unwrap();
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 1);
    world.one.connections.connect(&new).await.unwrap();
    assert!(!is_in_memory(&cold, &key).await);
    assert!(put_tokens(&world.one, &new.credential.id, 1, &tokens("second", 2)).await);
    assert_eq!(generation(&cold, &key).await, Some(2));
    cold.close().await;
}

pub(crate) async fn a_caller_that_goes_away_leaves_no_stale_token(world: &World) {
    // With one connection a ping is answered after whatever was handed in before it.
    let mut options = options(&world.url);
    options.connections = Some(1);
    let store = &Store::open(&options).await.unwrap();
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 1);
    store.connections.connect(&new).await.unwrap();
    eventually("the cache is in use", || is_in_memory(store, &key)).await;
    let mut current = 1;
    for _ in 0..20 {
        let set = tokens("next", current);
        let write = put_tokens(store, &new.credential.id, current, &set);
        // Dropped in the middle: handed in, not yet answered.
        let _ = tokio::time::timeout(Duration::from_micros(300), write).await;
        assert!(generation(store, &key).await.unwrap() >= current);
        store.ping().await.unwrap();
        current = store.credentials.get(&new.credential.id).await.unwrap().unwrap().generation;
        seen(world, "the write of a caller that went away", || async {
            generation(store, &key).await == Some(current)
        })
        .await;
    }
    store.close().await;
}
