//! The keys that sign JSON Web Tokens.

use model::SigningKeyId;
use serde_json::json;
use store::Error;
use store::signing_keys::SigningKeyRow;
use vault::random;

use crate::world::{World, at, octets, sealed};

pub(crate) fn signing_key(algorithm: &str, second: i64) -> SigningKeyRow {
    SigningKeyRow {
        id: random::id(),
        algorithm: algorithm.to_owned(),
        private_key: sealed("private key"),
        public_key: json!({"kty": "OKP", "crv": "Ed25519", "x": "AÕ\0"}),
        created_at: at(second),
        signs_from: at(second + 900),
        published_until: None,
    }
}

/// Makes the next key after this one.
async fn next(world: &World, after: Option<&SigningKeyId>, second: i64, until: i64) -> SigningKeyId {
    let key = signing_key("EdDSA", second);
    assert!(world.one.signing_keys.add(&key, after, at(until)).await.unwrap());
    key.id
}

/// The ids of all keys, each with its end.
async fn ends(world: &World) -> Vec<(SigningKeyId, Option<model::Timestamp>)> {
    let keys = world.two.signing_keys.list().await.unwrap();
    keys.into_iter().map(|key| (key.id, key.published_until)).collect()
}

pub(crate) async fn a_signing_key_reads_back_as_it_was_written(world: &World) {
    let written = SigningKeyRow { published_until: Some(at(9)), ..signing_key("ES256", 1) };
    assert!(world.two.signing_keys.list().await.unwrap().is_empty());
    assert!(world.one.signing_keys.add(&written, None, at(9)).await.unwrap());
    let read = world.two.signing_keys.list().await.unwrap().remove(0);
    assert_eq!(
        (read.id, read.algorithm, read.public_key),
        (written.id, written.algorithm, written.public_key)
    );
    assert_eq!((read.created_at, read.signs_from), (written.created_at, written.signs_from));
    assert_eq!(octets(Some(&read.private_key)), Some("private key"));
    assert_eq!(read.published_until, None, "nobody is before it yet");
    let nul = signing_key("nul\0", 1);
    let error = world.one.signing_keys.add(&nul, None, at(9)).await.unwrap_err();
    assert!(matches!(error, Error::NulCharacter { column: "signing_keys.algorithm" }), "{error}");
}

pub(crate) async fn a_key_takes_the_place_of_the_newest(world: &World) {
    let keys = &world.two.signing_keys;
    let first = next(world, None, 0, 0).await;
    for newest in [None, Some(random::id())] {
        for algorithm in ["EdDSA", "ES256"] {
            let key = signing_key(algorithm, 2);
            assert!(!keys.add(&key, newest.as_ref(), at(7)).await.unwrap(), "{newest:?}");
            assert!(!keys.add(&key, Some(&key.id), at(7)).await.unwrap());
        }
    }
    assert_eq!(ends(world).await, [(first, None)], "nothing has ended");

    // Its clock is behind.
    let second = next(world, Some(&first), -5, 50).await;
    assert_eq!(ends(world).await, [(first, Some(at(50))), (second, None)]);
    assert!(
        !keys.add(&signing_key("EdDSA", 3), Some(&first), at(60)).await.unwrap(),
        "that is not the newest"
    );
    let third = signing_key("ES256", -9);
    assert!(keys.add(&third, Some(&second), at(70)).await.unwrap());
    let expected = [(first, Some(at(50))), (second, Some(at(70))), (third.id, None)];
    assert_eq!(ends(world).await, expected, "each ends once, and the newest is last");
}

pub(crate) async fn of_many_that_make_the_next_key_at_once_one_does(world: &World) {
    let mut newest = None::<SigningKeyId>;
    for round in 0..10 {
        let made = world
            .at_once(8, |replica, caller| async move {
                let key = signing_key("EdDSA", round);
                let until = at(100 + i64::try_from(caller).unwrap());
                let added = replica.signing_keys.add(&key, newest.as_ref(), until).await.unwrap();
                added.then_some((key.id, until))
            })
            .await;
        let made: Vec<_> = made.into_iter().flatten().collect();
        assert_eq!(made.len(), 1, "round {round}");
        let (id, until) = made[0];
        let ends = ends(world).await;
        assert_eq!((ends.len(), ends.last()), (usize::try_from(round).unwrap() + 1, Some(&(id, None))));
        if let Some(before) = newest {
            assert!(ends.contains(&(before, Some(until))), "by whoever made the next");
        }
        newest = Some(id);
    }
}

pub(crate) async fn the_sweep_takes_the_keys_that_nothing_is_good_by(world: &World) {
    let sweep = async |second| world.two.signing_keys.sweep(at(second)).await.unwrap();
    let first = next(world, None, 0, 0).await;
    let second = next(world, Some(&first), 1, 50).await;
    let third = next(world, Some(&second), 2, 60).await;
    assert_eq!(sweep(50).await, 0);
    assert_eq!(sweep(51).await, 1);
    assert_eq!(ends(world).await, [(second, Some(at(60))), (third, None)]);
    assert_eq!(sweep(9_000_000).await, 1);
    assert_eq!(ends(world).await, [(third, None)], "the newest stays");
}
