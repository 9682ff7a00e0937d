//! Browsers in which somebody is signed in, and what ends all of them.

use model::UserId;
use store::applications::Application;
use store::users::{PasswordHash, SignIn, SignedOut, User};
use vault::random;

use crate::applications::application;
use crate::families::{access, begin, code, family, rotation};
use crate::grants::granted;
use crate::issued::{authorization, count, issue};
use crate::users::made;
use crate::world::{World, at, hash};

/// Signs somebody in until that second.
pub(crate) async fn sign_in(world: &World, browser: &str, user: &UserId, until: i64) {
    let sign_in = SignIn { user: *user, auth_time: at(0), expires_at: at(until) };
    assert!(world.one.users.sign_in(&hash(browser), &sign_in).await.unwrap());
}

/// Who is signed in at that second.
async fn who(world: &World, browser: &str, second: i64) -> Option<UserId> {
    let found = world.two.users.signed_in(&hash(browser), at(second)).await.unwrap();
    found.map(|(sign_in, user)| {
        assert_eq!(sign_in.user, user.id);
        user.id
    })
}

/// Signs both in in two browsers each, with a consent and what is issued on it, and a request of each.
async fn two_of_each(world: &World) -> (User, User) {
    let (anna, bert) = (made(world, "anna").await, made(world, "bert").await);
    for (number, user) in [(1, &anna), (2, &bert)] {
        let id = user.id.to_string();
        issue(world, number, &id, "", "zap").await;
        issue(world, number + 10, &id, "", "zap2").await;
        authorization(world, number, "zap", Some(&id)).await;
        authorization(world, number + 10, "zap", Some(&id)).await;
        for browser in ["phone", "laptop"] {
            sign_in(world, &format!("{browser} of {}", user.login), &user.id, 60).await;
        }
    }
    world.sql("UPDATE authorizations SET decided_at = 5 WHERE id LIKE '%b' OR id LIKE '%c'").await;
    (anna, bert)
}

/// What is left when anna is signed out everywhere.
async fn only_berts_are_left(world: &World, out: SignedOut, bert: &User) {
    assert_eq!(out, SignedOut { sign_ins: 2, families: 2 });
    assert_eq!(count(world).await, [4, 2, 2, 2, 2], "the consents stay");
    for browser in ["phone", "laptop"] {
        assert_eq!(who(world, &format!("{browser} of anna"), 1).await, None);
        assert_eq!(who(world, &format!("{browser} of bert"), 1).await, Some(bert.id));
    }
    let asked = "authorizations WHERE \"user\" IS NULL AND auth_time IS NULL AND decided_at IS NULL";
    assert_eq!(world.count(asked).await, 1, "whoever was about to decide is asked again");
    assert_eq!(world.count("authorizations WHERE auth_time = 1").await, 3);
}

pub(crate) async fn a_browser_is_signed_in_until_its_end(world: &World) {
    let (one, two) = (&world.one.users, &world.two.users);
    let (anna, bert) = (made(world, "anna").await, made(world, "bert").await);
    let written = SignIn { user: anna.id, auth_time: at(3), expires_at: at(60) };
    assert!(one.sign_in(&hash("phone"), &written).await.unwrap());
    sign_in(world, "laptop", &anna.id, 90).await;
    assert_eq!(two.signed_in(&hash("phone"), at(59)).await.unwrap(), Some((written, anna.clone())));
    assert_eq!(two.signed_in(&hash("phone"), at(60)).await.unwrap(), None, "its end");
    assert_eq!(who(world, "laptop", 60).await, Some(anna.id));
    assert_eq!(who(world, "tablet", 1).await, None);

    let another = SignIn { user: bert.id, auth_time: at(9), expires_at: at(99) };
    assert!(two.sign_in(&hash("phone"), &another).await.unwrap());
    assert_eq!(one.signed_in(&hash("phone"), at(98)).await.unwrap(), Some((another, bert)), "in their place");
    let nobody = SignIn { user: random::id(), auth_time: at(9), expires_at: at(99) };
    assert!(!two.sign_in(&hash("laptop"), &nobody).await.unwrap());

    let out = world
        .at_once(8, |replica, _| async move { replica.users.sign_out(&hash("laptop")).await.unwrap() })
        .await;
    assert_eq!(out.into_iter().filter(|out| *out).count(), 1);
    assert_eq!((who(world, "laptop", 1).await, world.count("sign_ins").await), (None, 1));
    issue(world, 1, &anna.id.to_string(), "", "zap").await;
    sign_in(world, "laptop", &anna.id, 60).await;
    assert!(one.sign_out(&hash("laptop")).await.unwrap());
    assert_eq!(count(world).await, [1; 5], "tokens go on");
}

pub(crate) async fn who_signs_out_everywhere_keeps_their_consents(world: &World) {
    let (anna, bert) = two_of_each(world).await;
    let out = world.one.users.sign_out_everywhere(&anna.id).await.unwrap();
    only_berts_are_left(world, out, &bert).await;
    assert_eq!(world.two.users.get(&anna.id).await.unwrap(), Some(anna.clone()));
    for nobody in [anna.id, random::id()] {
        assert_eq!(world.two.users.sign_out_everywhere(&nobody).await.unwrap(), SignedOut::default());
    }
}

pub(crate) async fn a_new_password_signs_out_everywhere(world: &World) {
    let (anna, bert) = two_of_each(world).await;
    let out = world.one.users.set_password(&anna.id, "$argon2id$new", at(4)).await.unwrap();
    only_berts_are_left(world, out.unwrap(), &bert).await;
    let expected =
        User { password: Some(PasswordHash("$argon2id$new".to_owned())), updated_at: at(4), ..anna };
    assert_eq!(world.two.users.get(&expected.id).await.unwrap(), Some(expected));
    assert_eq!(world.two.users.get(&bert.id).await.unwrap(), Some(bert));
    assert_eq!(world.two.users.set_password(&random::id(), "x", at(4)).await.unwrap(), None);
}

pub(crate) async fn who_is_disabled_is_signed_out_and_stays_so(world: &World) {
    let (one, two) = (&world.one.users, &world.two.users);
    let (anna, bert) = two_of_each(world).await;
    let out = one.set_disabled(&anna.id, Some(at(3)), at(4)).await.unwrap();
    only_berts_are_left(world, out.unwrap(), &bert).await;
    let expected = User { disabled_at: Some(at(3)), updated_at: at(4), ..anna.clone() };
    assert_eq!(two.get(&anna.id).await.unwrap(), Some(expected));
    let again = SignIn { user: anna.id, auth_time: at(5), expires_at: at(60) };
    assert!(!two.sign_in(&hash("phone of anna"), &again).await.unwrap());
    world.sql(&format!("UPDATE users SET disabled_at = 1 WHERE id = '{}'", bert.id)).await;
    assert_eq!(who(world, "phone of bert", 1).await, None, "whatever rows say");

    assert_eq!(one.set_disabled(&anna.id, None, at(9)).await.unwrap(), Some(SignedOut::default()));
    let expected = User { updated_at: at(9), ..anna };
    assert_eq!(two.get(&expected.id).await.unwrap().as_ref(), Some(&expected));
    assert!(two.sign_in(&hash("phone of anna"), &again).await.unwrap());
    assert_eq!(who(world, "phone of anna", 6).await, Some(expected.id));
    assert_eq!(one.set_disabled(&expected.id, None, at(10)).await.unwrap(), Some(SignedOut::default()));
    assert_eq!(who(world, "phone of anna", 6).await, Some(expected.id), "who was not disabled stays");
    for since in [None, Some(at(3))] {
        assert_eq!(two.set_disabled(&random::id(), since, at(4)).await.unwrap(), None);
    }
}

pub(crate) async fn nothing_is_redeemed_or_rotated_past_what_ends_all(world: &World) {
    for round in 0..9 {
        let grant = granted(world, &format!("anna{round}")).await;
        let registered = Application { client_id: grant.client_id.clone(), ..application("zap") };
        world.one.applications.create(&registered).await.unwrap();
        let mut begun = Vec::new();
        for number in 0..4 {
            begun.push(begin(&world.one, &grant, &format!("{round} {number}"), 0).await);
            let name = hash(&format!("code {round} {number}"));
            assert!(world.one.families.add_code(&name, &code(&grant, 0)).await.unwrap());
        }
        let done = world.at_once(9, |replica, caller| {
            let (name, grant) = (format!("{round} {}", caller % 4), grant.clone());
            let old = begun[caller % 4].clone();
            async move {
                let new = family(&grant, &format!("new {name}"), 0);
                let (code, token) = (hash(&format!("code {name}")), hash(&format!("token {name}")));
                let tokens = &replica.families;
                match caller / 4 {
                    0 => tokens.redeem(&code, at(1), &new, &token, &access(&new, 1)).await.map(drop),
                    1 => tokens.rotate(&rotation(&old, &name, 1, 1), at(1)).await.map(drop),
                    _ if round % 3 == 0 => replica.users.sign_out_everywhere(&grant.user).await.map(drop),
                    _ if round % 3 == 1 => replica.users.remove(&grant.user).await.map(drop),
                    _ => replica.applications.remove(&grant.client_id).await.map(drop),
                }
            }
        });
        for (caller, done) in done.await.into_iter().enumerate() {
            assert!(done.is_ok(), "round {round}, {caller}: {done:?}");
        }
        assert_eq!(count(world).await[1..], [0; 4], "round {round}");
    }
}

pub(crate) async fn nobody_signs_in_beside_being_disabled(world: &World) {
    let anna = made(world, "anna").await;
    for round in 0..20 {
        let done = world.at_once(10, |replica, caller| async move {
            if caller == round % 10 {
                return replica.users.set_disabled(&anna.id, Some(at(3)), at(3)).await.map(drop);
            }
            let sign_in = SignIn { user: anna.id, auth_time: at(3), expires_at: at(60) };
            replica.users.sign_in(&hash(&format!("{caller}")), &sign_in).await.map(drop)
        });
        assert!(done.await.into_iter().all(|done| done.is_ok()));
        // Else the browser would be signed in when they may sign in again.
        assert_eq!(world.count("sign_ins").await, 0, "round {round}");
        world.one.users.set_disabled(&anna.id, None, at(4)).await.unwrap();
    }
}

pub(crate) async fn the_sweep_takes_the_sign_ins_that_ended_first_and_no_more(world: &World) {
    let two = &world.two.users;
    let anna = made(world, "anna").await;
    for second in [3, 0, 4, 1, 2] {
        sign_in(world, &second.to_string(), &anna.id, second).await;
    }
    assert_eq!(two.sweep_sign_ins(at(0), 10).await.unwrap(), 0, "none ended before");
    assert_eq!(two.sweep_sign_ins(at(4), 2).await.unwrap(), 2);
    for (second, expected) in [(0, None), (1, None), (2, Some(anna.id)), (3, Some(anna.id))] {
        assert_eq!(who(world, &second.to_string(), -1).await, expected, "{second}");
    }
    let swept = world
        .at_once(4, |replica, _| async move { replica.users.sweep_sign_ins(at(4), 10).await.unwrap() })
        .await;
    assert_eq!((swept.iter().sum::<u64>(), world.count("sign_ins").await), (2, 1));
}
