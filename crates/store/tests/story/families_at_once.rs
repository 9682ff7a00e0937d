//! Codes and tokens, where many come at once.

use store::families::{Redeemed, Rotation};
use store::grants::Grant;
use store::{Error, Store};

use crate::applications::application;
use crate::families::{access, begin, code, family, rotation};
use crate::grants::{grant, granted};
use crate::users::made;
use crate::world::{World, at, hash};

/// Every table that goes with a grant, and with it.
async fn rows(world: &World) -> [i64; 5] {
    [
        world.count("grants").await,
        world.count("codes").await,
        world.count("families").await,
        world.count("refresh_answers").await,
        world.count("access_tokens").await,
    ]
}

pub(crate) async fn of_fifty_redemptions_of_one_code_one_is_done(world: &World) {
    let grant = granted(world, "anna").await;
    for round in 1..=5 {
        let name = format!("code {round}");
        assert!(world.one.families.add_code(&hash(&name), &code(&grant, 0)).await.unwrap());
        let redeemed = world
            .at_once(50, |replica, caller| {
                let (name, token) = (name.clone(), hash(&format!("token {round} {caller}")));
                let family = family(&grant, &format!("family {round} {caller}"), 0);
                async move {
                    let access = access(&family, 0);
                    replica.families.redeem(&hash(&name), at(1), &family, &token, &access).await.unwrap()
                }
            })
            .await;
        let done: Vec<_> = (0..50).filter(|caller| redeemed[*caller] == Redeemed::Done).collect();
        assert_eq!(done.len(), 1, "round {round}");
        assert_eq!(redeemed.iter().filter(|redeemed| **redeemed == Redeemed::Used).count(), 49);
        assert_eq!(rows(world).await, [1, round, round, 0, round], "only that of the one");
        let handle = hash(&format!("family {round} {}", done[0]));
        let written = world.two.families.of_handle(&handle).await.unwrap().unwrap();
        let code = world.one.families.code(&hash(&name)).await.unwrap().unwrap();
        assert_eq!(code.redeemed, Some(written.id));
    }
}

pub(crate) async fn of_fifty_rotations_of_one_refresh_token_one_is_true(world: &World) {
    let grant = granted(world, "anna").await;
    let begun = begin(&world.one, &grant, "anna", 0).await;
    let mut spent = hash("anna 1");
    for round in 1..=5 {
        let rotated = world
            .at_once(50, |replica, caller| {
                let name = format!("{round} {caller}");
                let rotation = Rotation { spent, ..rotation(&begun, &name, 1, 10) };
                async move { replica.families.rotate(&rotation, at(10)).await.unwrap() }
            })
            .await;
        let by: Vec<_> = (0..50).filter(|caller| rotated[*caller]).collect();
        assert_eq!(by.len(), 1, "round {round}");
        assert_eq!(rows(world).await, [1, 1, 1, round, round + 1], "only that of the one");
        let (winner, two) = (format!("{round} {}", by[0]), &world.two.families);
        let read = two.of_handle(&hash("anna")).await.unwrap().unwrap();
        let next = hash(&format!("{winner} 2"));
        assert_eq!((read.current, read.generation), (Some(next), round + 1));
        assert!(two.access_token(&hash(&format!("access of {winner} 2")), at(11)).await.unwrap().is_some());
        assert!(two.kept_answer(&spent, at(11)).await.unwrap().is_some());
        spent = next;
    }
}

pub(crate) async fn a_revocation_beside_rotations_leaves_no_token(world: &World) {
    let grant = granted(world, "anna").await;
    for round in 0..30 {
        let name = format!("anna {round}");
        let begun = begin(&world.one, &grant, &name, 0).await;
        let ended = world
            .at_once(8, |replica, caller| {
                let (name, begun) = (name.clone(), begun.clone());
                async move {
                    match caller {
                        0 | 1 => replica.families.revoke(&begun.id).await.unwrap(),
                        _ => rotate_on(&replica, &rotation(&begun, &name, 1, 10)).await,
                    }
                }
            })
            .await;
        assert!(ended[0] != ended[1], "round {round}: one ends it");
        let rotated = ended[2..].iter().filter(|rotated| **rotated).count();
        assert!(rotated <= 1, "round {round}");
        assert_eq!(rows(world).await[2..], [0, 0, 0], "round {round}, {rotated} rotations");
    }
}

async fn rotate_on(store: &Store, rotation: &Rotation) -> bool {
    store.families.rotate(rotation, at(10)).await.unwrap()
}

pub(crate) async fn a_removed_grant_beside_codes_and_redemptions_leaves_nothing(world: &World) {
    for round in 0..30 {
        let login = format!("anna {round}");
        let grant = granted(world, &login).await;
        let name = format!("code {round}");
        assert!(world.one.families.add_code(&hash(&name), &code(&grant, 0)).await.unwrap());
        let begun = begin(&world.one, &grant, &login, 0).await;
        let done = world
            .at_once(12, |replica, caller| {
                let (grant, begun, login) = (grant.clone(), begun.clone(), login.clone());
                let (code_hash, other) = (hash(&name), hash(&format!("{name} {caller}")));
                let family = family(&grant, &format!("family {round} {caller}"), 0);
                async move {
                    let access = access(&family, 0);
                    match caller / 2 {
                        0 => Ok(replica.grants.withdraw(&grant.id).await?.is_some()),
                        1 => replica.families.add_code(&other, &code(&grant, 0)).await,
                        2 => rotate(&replica, &rotation(&begun, &login, 1, 2 * 3600)).await,
                        3 => replica.families.sweep(at(200), 10).await.map(|_| false),
                        _ => {
                            let redeemed =
                                replica.families.redeem(&code_hash, at(1), &family, &other, &access).await?;
                            Ok(redeemed == Redeemed::Done)
                        }
                    }
                }
            })
            .await;
        let done: Vec<_> = done.into_iter().map(Result::unwrap).collect();
        assert!(done[0] != done[1], "round {round}: one withdraws it");
        assert!(done[8..].iter().filter(|done| **done).count() <= 1, "round {round}");
        assert_eq!(rows(world).await, [0; 5], "round {round}");
        assert!(!world.two.families.add_code(&hash("late"), &code(&grant, 0)).await.unwrap());
        let late = family(&grant, "late", 0);
        let (code, token, access) = (hash(&name), hash("late"), access(&late, 0));
        let redeemed = world.two.families.redeem(&code, at(1), &late, &token, &access).await;
        assert_eq!(redeemed.unwrap(), Redeemed::Gone);
    }
}

async fn rotate(store: &Store, rotation: &Rotation) -> Result<bool, Error> {
    store.families.rotate(rotation, at(2 * 3600)).await
}

pub(crate) async fn deeds_on_the_families_of_one_grant_do_not_stand_in_each_others_way(world: &World) {
    for round in 0..30 {
        let login = format!("anna {round}");
        let grant = granted(world, &login).await;
        let mut families = Vec::new();
        for number in 0..4 {
            let name = format!("{login} {number}");
            let begun = begin(&world.one, &grant, &name, 0).await;
            assert!(world.one.families.rotate(&rotation(&begun, &name, 1, 10), at(10)).await.unwrap());
            families.push((name, begun));
        }
        let ended = world
            .at_once(20, |replica, caller| {
                let (name, begun) = families[caller % 4].clone();
                let id = grant.id;
                async move {
                    match caller / 4 {
                        0 => rotate(&replica, &rotation(&begun, &name, 2, 2 * 3600)).await.map(drop),
                        1 => replica.families.revoke(&begun.id).await.map(drop),
                        2 => replica.families.sweep(at(365 * 24 * 3600), 3).await.map(drop),
                        3 => {
                            let token = hash(&format!("access of {name} 2"));
                            replica.families.revoke_access_token(&token).await.map(drop)
                        }
                        _ => replica.grants.withdraw(&id).await.map(drop),
                    }
                }
            })
            .await;
        assert!(ended.iter().all(Result::is_ok), "round {round}: {ended:?}");
        assert_eq!(rows(world).await, [0; 5], "round {round}");
    }
}

pub(crate) async fn deeds_of_users_operators_and_applications_at_once_do_not_stand_in_each_others_way(
    world: &World,
) {
    for round in 0..20 {
        let clients = ["left", "right"].map(|side| format!("{side}-{round}"));
        for client in &clients {
            assert!(world.one.applications.create(&application(client)).await.unwrap());
        }
        let mut begun = Vec::new();
        for login in ["stays", "leaves"] {
            let user = made(world, &format!("{login} {round}")).await.id;
            for client in &clients {
                let agreed = Grant { client_id: client.parse().unwrap(), ..grant(user, 0) };
                let agreed = world.one.grants.agree(&agreed).await.unwrap();
                let name = format!("{login} {client}");
                let family = begin(&world.one, &agreed, &name, 0).await;
                assert!(world.one.families.add_code(&hash(&name), &code(&agreed, 0)).await.unwrap());
                begun.push((name, agreed, family));
            }
        }
        let [stays, leaves] = [begun[0].1.user, begun[2].1.user];
        let done = world
            .at_once(32, |replica, caller| {
                let (name, agreed, old) = begun[caller % 4].clone();
                let new = family(&agreed, &format!("{round} {caller}"), 0);
                let (own, access) = (hash(&format!("{round} {caller}")), access(&new, 0));
                async move {
                    let families = &replica.families;
                    match caller / 4 {
                        0 => families.redeem(&hash(&name), at(1), &new, &own, &access).await.map(drop),
                        1 => families.add_code(&own, &code(&agreed, 0)).await.map(drop),
                        2 => rotate(&replica, &rotation(&old, &name, 1, 2 * 3600)).await.map(drop),
                        3 => families.sweep(at(1000), 5).await.map(drop),
                        4 => replica.users.sign_out_everywhere(&agreed.user).await.map(drop),
                        5 if agreed.user == stays => replica.grants.agree(&agreed).await.map(drop),
                        5 | 6 if agreed.user == leaves => replica.users.remove(&leaves).await.map(drop),
                        6 => replica.grants.withdraw(&agreed.id).await.map(drop),
                        _ => replica.applications.remove(&agreed.client_id).await.map(drop),
                    }
                }
            })
            .await;
        assert!(done.iter().all(Result::is_ok), "round {round}: {done:?}");
        for table in ["grants", "codes", "families", "access_tokens"] {
            let left = world.count(&format!("{table} WHERE \"user\" = '{leaves}'")).await;
            assert_eq!(left, 0, "round {round}: {table} of a user who is no more");
        }
        assert!(world.two.users.remove(&stays).await.unwrap());
        assert_eq!(rows(world).await, [0; 5], "round {round}");
    }
}
