//! Authorization requests at our own door.

use model::{ClientId, Timestamp};
use serde_json::json;
use store::Store;
use store::authorizations::{Authorization, PushedRequest};
use vault::random;

use crate::grants::user;
use crate::world::{World, at, hash};

const fn a_moment_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_unix_ms(instant.as_unix_ms() - 1)
}

/// A request of ten minutes that nobody has signed in for.
fn authorization(second: i64) -> Authorization {
    Authorization {
        id: random::id(),
        client_id: "https://app.example/client.json".parse().unwrap(),
        request: json!({"scope": "read '\"\\ õ", "nul": "\0", "resources": ["https://api.example"]}),
        browser: hash("browser"),
        user: None,
        login: None,
        created_at: at(second),
        expires_at: at(second + 600),
        decided_at: None,
    }
}

fn pushed(second: i64) -> PushedRequest {
    PushedRequest {
        client_id: "zapier".parse().unwrap(),
        request: json!({"scope": "read '\"\\ õ", "nul": "\0"}),
        expires_at: at(second + 60),
    }
}

async fn create(store: &Store, authorization: &Authorization) -> Authorization {
    store.authorizations.create(authorization).await.unwrap();
    authorization.clone()
}

pub(crate) async fn an_authorization_reads_back_as_it_was_written(world: &World) {
    let anna = user(world, "anna").await;
    let full = Authorization {
        user: Some((anna, at(-5))),
        login: Some(json!({"state": "abc\0"})),
        decided_at: Some(at(7)),
        ..authorization(0)
    };
    let null = Authorization { request: json!(null), login: Some(json!(null)), ..authorization(0) };
    for written in [authorization(0), full, null] {
        create(&world.one, &written).await;
        assert_eq!(world.two.authorizations.get(&written.id).await.unwrap(), Some(written));
    }
    assert_eq!(world.two.authorizations.get(&random::id()).await.unwrap(), None);
    world.sql(&format!("DELETE FROM users WHERE id = '{anna}'")).await;
    assert_eq!(world.count("authorizations").await, 2, "a user takes theirs with them");
}

pub(crate) async fn a_pushed_request_is_taken_once_by_its_application_until_its_end(world: &World) {
    let (one, two) = (&world.one.authorizations, &world.two.authorizations);
    let another: ClientId = "another".parse().unwrap();
    for round in 0..10 {
        let (uri, written) = (hash(&format!("urn:{round}")), pushed(0));
        one.push(&uri, &written).await.unwrap();
        assert_eq!(two.take_pushed(&uri, &another, at(1)).await.unwrap(), None, "it is not theirs");
        assert_eq!(two.take_pushed(&uri, &written.client_id, written.expires_at).await.unwrap(), None);
        let taken = world
            .at_once(12, |replica, _| {
                let (client_id, now) = (written.client_id.clone(), a_moment_before(written.expires_at));
                async move { replica.authorizations.take_pushed(&uri, &client_id, now).await.unwrap() }
            })
            .await;
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(taken, [written], "round {round}");
    }
    assert_eq!(two.take_pushed(&hash("another"), &pushed(0).client_id, at(1)).await.unwrap(), None);
    assert_eq!(world.count("pushed_requests").await, 0);
}

pub(crate) async fn whoever_signs_in_takes_the_place_of_whoever_did_before(world: &World) {
    let (one, two) = (&world.one.authorizations, &world.two.authorizations);
    let (anna, bert) = (user(world, "anna").await, user(world, "bert").await);
    let mut expected = create(&world.one, &authorization(0)).await;
    let other = create(&world.one, &authorization(0)).await;
    for signed_in in [Some((anna, at(2))), Some((bert, at(3))), None] {
        assert!(one.set_login(&expected.id, &json!({"state": 1}), at(1)).await.unwrap());
        assert!(two.set_user(&expected.id, signed_in, at(4)).await.unwrap());
        expected.user = signed_in;
        assert_eq!(one.get(&expected.id).await.unwrap(), Some(expected.clone()), "no login is kept");
    }
    assert!(!one.set_user(&random::id(), None, at(4)).await.unwrap());
    assert_eq!(one.get(&other.id).await.unwrap(), Some(other));
}

pub(crate) async fn what_a_login_back_end_keeps_is_taken_once(world: &World) {
    let (one, two) = (&world.one.authorizations, &world.two.authorizations);
    let anna = user(world, "anna").await;
    let started = Authorization { user: Some((anna, at(0))), ..authorization(0) };
    let written = create(&world.one, &started).await;
    let id = written.id;
    assert_eq!(two.take_login(&id, at(1)).await.unwrap(), None, "nothing is kept yet");
    for round in 0..10 {
        assert!(one.set_login(&id, &json!("first"), at(1)).await.unwrap());
        let kept = json!({"round": round, "nul": "\0"});
        assert!(two.set_login(&id, &kept, at(1)).await.unwrap(), "in the place of the first");
        let taken = world
            .at_once(
                12,
                |replica, _| async move { replica.authorizations.take_login(&id, at(2)).await.unwrap() },
            )
            .await;
        assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [kept], "round {round}");
        assert_eq!(one.get(&id).await.unwrap(), Some(written.clone()), "who signed in stays");
    }
    assert!(!one.set_login(&random::id(), &json!(1), at(1)).await.unwrap());
    assert_eq!(one.take_login(&random::id(), at(1)).await.unwrap(), None);
}

pub(crate) async fn an_authorization_is_decided_once(world: &World) {
    for round in 0..10 {
        let id = create(&world.one, &authorization(0)).await.id;
        let decided = world
            .at_once(12, |replica, _| async move { replica.authorizations.decide(&id, at(5)).await.unwrap() })
            .await;
        assert_eq!(decided.into_iter().filter(|decided| *decided).count(), 1, "round {round}");
        let read = world.two.authorizations.get(&id).await.unwrap().unwrap();
        assert_eq!(read.decided_at, Some(at(5)));
    }
    assert!(!world.one.authorizations.decide(&random::id(), at(5)).await.unwrap());
}

pub(crate) async fn nothing_changes_once_an_authorization_is_decided_or_at_its_end(world: &World) {
    let (one, two) = (&world.one.authorizations, &world.two.authorizations);
    let anna = user(world, "anna").await;
    for is_decided in [false, true] {
        let kept = Authorization { login: Some(json!({"state": 1})), ..authorization(0) };
        let mut expected = create(&world.one, &kept).await;
        let id = expected.id;
        let now = if is_decided { at(6) } else { expected.expires_at };
        if is_decided {
            assert!(one.decide(&id, at(5)).await.unwrap());
            expected.decided_at = Some(at(5));
        }
        assert!(!two.set_user(&id, Some((anna, at(2))), now).await.unwrap());
        assert!(!two.set_login(&id, &json!(2), now).await.unwrap());
        assert_eq!(two.take_login(&id, now).await.unwrap(), None);
        assert!(!two.decide(&id, now).await.unwrap());
        assert_eq!(one.get(&id).await.unwrap(), Some(expected.clone()), "it is read all the same");
        if !is_decided {
            let now = a_moment_before(expected.expires_at);
            assert!(two.set_login(&id, &json!(2), now).await.unwrap());
            assert_eq!(two.take_login(&id, now).await.unwrap(), Some(json!(2)));
            assert!(two.set_user(&id, Some((anna, at(2))), now).await.unwrap());
            assert!(two.decide(&id, now).await.unwrap());
        }
    }
}

pub(crate) async fn the_sweep_takes_the_requests_that_ended_first(world: &World) {
    let (one, two) = (&world.one.authorizations, &world.two.authorizations);
    let mut ids = Vec::new();
    for second in [3, 0, 4, 1, 2] {
        let decided_at = (second % 2 == 0).then_some(at(second));
        ids.push((
            second,
            create(&world.one, &Authorization { decided_at, ..authorization(second) }).await.id,
        ));
        let request = PushedRequest { expires_at: at(second + 600), ..pushed(second) };
        one.push(&hash(&second.to_string()), &request).await.unwrap();
    }
    let rows = async || (world.count("authorizations").await, world.count("pushed_requests").await);
    assert_eq!(two.sweep(at(600), 10).await.unwrap(), 0, "none ended before");
    assert_eq!(two.sweep(at(603), 2).await.unwrap(), 4);
    assert_eq!(rows().await, (3, 3));
    for (second, id) in &ids {
        assert_eq!(one.get(id).await.unwrap().is_some(), *second >= 2, "{second}");
    }
    let swept = world
        .at_once(4, |replica, _| async move { replica.authorizations.sweep(at(603), 10).await.unwrap() })
        .await;
    assert_eq!(swept.iter().sum::<u64>(), 2);
    assert_eq!(rows().await, (2, 2));
    let client_id = pushed(0).client_id;
    assert!(one.take_pushed(&hash("2"), &client_id, at(5)).await.unwrap().is_none());
    assert!(one.take_pushed(&hash("3"), &client_id, at(5)).await.unwrap().is_some());
}

pub(crate) async fn deeds_on_one_authorization_at_once_do_not_stand_in_each_others_way(world: &World) {
    let anna = user(world, "anna").await;
    for round in 0..30 {
        let id = create(&world.one, &authorization(0)).await.id;
        let decided = world
            .at_once(10, |replica, caller| async move {
                let requests = replica.authorizations;
                match caller / 2 {
                    0 => requests.decide(&id, at(5)).await.map(u32::from),
                    1 => requests.set_user(&id, Some((anna, at(5))), at(5)).await.map(|_| 0),
                    2 => requests.set_login(&id, &json!(1), at(5)).await.map(|_| 0),
                    3 => requests.take_login(&id, at(5)).await.map(|_| 0),
                    _ => requests.sweep(at(601), 10).await.map(|_| 0),
                }
            })
            .await;
        let decided: u32 = decided.into_iter().map(Result::unwrap).sum();
        assert!(decided <= 1, "round {round}");
    }
    world.one.authorizations.sweep(at(601), 100).await.unwrap();
    assert_eq!(world.count("authorizations").await, 0);
}

pub(crate) async fn a_damaged_authorization_and_its_column_are_named(world: &World) {
    let store = &world.one.authorizations;
    let kept = Authorization { login: Some(json!(1)), ..authorization(0) };
    let id = create(&world.one, &kept).await.id;
    store.push(&hash("urn"), &pushed(0)).await.unwrap();
    let octets = if world.is_sqlite() { "x'00'" } else { "'\\x00'::bytea" };
    for (damage, column) in [
        ("login = '{\"hunter2'".to_owned(), "login"),
        ("auth_time = 5".to_owned(), "auth_time"),
        (format!("browser = {octets}"), "browser"),
        ("request = '[\"hunter2'".to_owned(), "request"),
    ] {
        world.sql(&format!("UPDATE authorizations SET {damage}")).await;
        let error = store.get(&id).await.unwrap_err().to_string();
        let expected = format!("a row of authorizations can't be read: row \"{id}\", column {column}:");
        assert!(error.contains(&expected) && !error.contains("hunter"), "{error}; wanted {expected}");
    }
    let error = store.take_login(&id, at(1)).await.unwrap_err().to_string();
    let expected = format!("a row of authorizations can't be read: row \"{id}\", column login:");
    assert!(error.contains(&expected) && !error.contains("hunter"), "{error}");
    world.sql("UPDATE pushed_requests SET request = '[\"hunter2'").await;
    let error = store.take_pushed(&hash("urn"), &pushed(0).client_id, at(1)).await.unwrap_err().to_string();
    let expected = "a row of pushed_requests can't be read: row \"zapier\", column request:";
    assert!(error.contains(expected) && !error.contains("hunter"), "{error}");
}
