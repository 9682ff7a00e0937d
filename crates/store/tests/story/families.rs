//! Codes, and the tokens that they are redeemed for.

use model::{Scopes, Timestamp};
use store::families::{AccessToken, Code, Family, Redeemed, Rotation};
use store::grants::Grant;
use store::{Error, Store};
use vault::random;

use crate::grants::{granted, used_at};
use crate::world::{World, at, hash};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

const fn a_moment_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_unix_ms(instant.as_unix_ms() - 1)
}

/// A code of five minutes.
pub(crate) fn code(grant: &Grant, second: i64) -> Code {
    Code {
        grant: grant.id,
        client_id: grant.client_id.clone(),
        user: grant.user,
        team: grant.team.clone(),
        redirect_uri: "https://app.example/back?x='1'".to_owned(),
        redirect_uri_named: true,
        code_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
        scopes: Scopes::parse("read write", " "),
        resources: vec!["https://api.example".to_owned()],
        nonce: Some("n-0S6_WzA2Mj".to_owned()),
        auth_time: at(second - 5),
        issued_at: at(second),
        expires_at: at(second + 300),
        redeemed: None,
    }
}

/// A family of 90 days idle and a year, whose first refresh token is `NAME 1`.
pub(crate) fn family(grant: &Grant, name: &str, second: i64) -> Family {
    Family {
        id: random::id(),
        grant: grant.id,
        client_id: grant.client_id.clone(),
        user: grant.user,
        team: grant.team.clone(),
        handle: Some(hash(name)),
        current: Some(hash(&format!("{name} 1"))),
        generation: 1,
        scopes: Scopes::parse("read write", " "),
        resources: vec!["https://api.example".to_owned()],
        auth_time: at(second - 5),
        created_at: at(second),
        idle_until: at(second + 90 * DAY),
        ends_at: at(second + 365 * DAY),
    }
}

/// An access token of an hour.
pub(crate) fn access(family: &Family, second: i64) -> AccessToken {
    AccessToken {
        family: Some(family.id),
        client_id: family.client_id.clone(),
        user: Some(family.user),
        team: family.team.clone(),
        scopes: family.scopes.clone(),
        audience: family.resources.clone(),
        issued_at: at(second),
        expires_at: at(second + HOUR),
    }
}

/// From the refresh token `NAME generation` to the next, with an access token `access of NAME generation + 1`.
pub(crate) fn rotation(family: &Family, name: &str, generation: i64, second: i64) -> Rotation {
    let next = generation + 1;
    Rotation {
        family: family.id,
        spent: hash(&format!("{name} {generation}")),
        next: hash(&format!("{name} {next}")),
        idle_until: at(second + 90 * DAY),
        answer: Some((format!("answer {next}").into_bytes(), at(second + 30))),
        access_token: hash(&format!("access of {name} {next}")),
        access: access(family, second),
    }
}

/// Redeems a code that is written now, for [`family`] and the access token `access of NAME 1`.
pub(crate) async fn begin(store: &Store, grant: &Grant, name: &str, second: i64) -> Family {
    let begun = family(grant, name, second);
    redeem(store, grant, &begun, &access(&begun, second), name, second).await;
    begun
}

async fn redeem(
    store: &Store,
    grant: &Grant,
    family: &Family,
    access: &AccessToken,
    name: &str,
    second: i64,
) {
    let (code_hash, token) = (hash(&format!("code of {name}")), hash(&format!("access of {name} 1")));
    assert!(store.families.add_code(&code_hash, &code(grant, second)).await.unwrap());
    let redeemed = store.families.redeem(&code_hash, at(second), family, &token, access).await;
    assert_eq!(redeemed.unwrap(), Redeemed::Done);
}

pub(crate) async fn what_a_code_began_reads_back_as_it_was_written(world: &World) {
    let (one, two) = (&world.one.families, &world.two.families);
    let grant = granted(world, "anna").await;
    let full = (code(&grant, 0), family(&grant, "full", 0));
    let bare = Code {
        team: None,
        redirect_uri_named: false,
        code_challenge: None,
        scopes: Scopes::default(),
        resources: Vec::new(),
        nonce: None,
        ..code(&grant, 1)
    };
    let without_refresh = Family {
        team: None,
        handle: None,
        current: None,
        scopes: Scopes::default(),
        resources: Vec::new(),
        ..family(&grant, "bare", 1)
    };
    for (number, (code, family)) in [full, (bare, without_refresh)].into_iter().enumerate() {
        let [code_hash, token] = ["code", "token"].map(|what| hash(&format!("{what} {number}")));
        assert!(one.add_code(&code_hash, &code).await.unwrap());
        assert_eq!(two.code(&code_hash).await.unwrap(), Some(code.clone()));
        let access = access(&family, 2);
        let redeemed = one.redeem(&code_hash, at(2), &family, &token, &access).await.unwrap();
        assert_eq!(redeemed, Redeemed::Done);
        let redeemed = Code { redeemed: Some(family.id), ..code };
        assert_eq!(two.code(&code_hash).await.unwrap(), Some(redeemed));
        assert_eq!(two.access_token(&token, at(3)).await.unwrap(), Some(access));
        if let Some(handle) = family.handle {
            assert_eq!(two.of_handle(&handle).await.unwrap(), Some(family));
        }
    }
    assert_eq!(world.count("families").await, 2);
    let own = AccessToken { family: None, user: None, team: None, ..access(&family(&grant, "none", 0), 0) };
    one.add_access_token(&hash("own"), &own).await.unwrap();
    assert_eq!(two.access_token(&hash("own"), at(1)).await.unwrap(), Some(own));

    assert_eq!(two.code(&hash("another")).await.unwrap(), None);
    assert_eq!(two.of_handle(&hash("another")).await.unwrap(), None);
    assert_eq!(two.access_token(&hash("another"), at(1)).await.unwrap(), None);
    assert_eq!(two.kept_answer(&hash("another"), at(1)).await.unwrap(), None);
}

pub(crate) async fn a_nul_character_in_a_code_is_refused_by_name(world: &World) {
    let grant = granted(world, "anna").await;
    let nul = || "a\0b".to_owned();
    for (column, code) in [
        ("codes.redirect_uri", Code { redirect_uri: nul(), ..code(&grant, 0) }),
        ("codes.code_challenge", Code { code_challenge: Some(nul()), ..code(&grant, 0) }),
        ("codes.nonce", Code { nonce: Some(nul()), ..code(&grant, 0) }),
    ] {
        let error = world.one.families.add_code(&hash("code"), &code).await.unwrap_err();
        assert!(matches!(error, Error::NulCharacter { column: named } if named == column), "{error}");
    }
    // In JSON it is only an escape.
    let code = Code { resources: vec![nul()], scopes: Scopes::from(vec![nul()]), ..code(&grant, 0) };
    assert!(world.one.families.add_code(&hash("code"), &code).await.unwrap());
    assert_eq!(world.two.families.code(&hash("code")).await.unwrap(), Some(code));
}

pub(crate) async fn a_code_is_redeemed_once_until_the_instant_of_its_end(world: &World) {
    let (one, two) = (&world.one.families, &world.two.families);
    let (anna, bert) = (granted(world, "anna").await, granted(world, "bert").await);
    let written = code(&anna, 0);
    assert!(one.add_code(&hash("code"), &written).await.unwrap());
    let (first, second, of_bert) = (family(&anna, "1", 0), family(&anna, "2", 0), family(&bert, "3", 0));
    let redeem = async |code: &str, now, family: &Family| {
        let token = hash(&format!("token of {}", family.id));
        two.redeem(&hash(code), now, family, &token, &access(family, 0)).await.unwrap()
    };
    assert_eq!(redeem("code", written.expires_at, &first).await, Redeemed::Gone, "its end");
    assert_eq!(redeem("code", at(1), &of_bert).await, Redeemed::Gone, "it is on another consent");
    assert_eq!(redeem("another", at(1), &first).await, Redeemed::Gone);
    assert_eq!(world.count("families").await + world.count("access_tokens").await, 0);
    assert_eq!(one.code(&hash("code")).await.unwrap(), Some(written.clone()), "nothing is lost");
    assert_eq!(redeem("code", a_moment_before(written.expires_at), &first).await, Redeemed::Done);
    for now in [at(1), written.expires_at] {
        assert_eq!(redeem("code", now, &second).await, Redeemed::Used);
    }
    assert_eq!((world.count("families").await, world.count("access_tokens").await), (1, 1));
    assert!(one.revoke(&first.id).await.unwrap());
    assert_eq!(redeem("code", at(1), &second).await, Redeemed::Used, "though what it began is over");
    assert_eq!(one.code(&hash("code")).await.unwrap().unwrap().redeemed, Some(first.id));
}

pub(crate) async fn a_refresh_token_makes_way_for_the_next(world: &World) {
    let (one, two) = (&world.one.families, &world.two.families);
    let grant = granted(world, "anna").await;
    let begun = begin(&world.one, &grant, "anna", 0).await;
    let other = begin(&world.one, &grant, "other", 0).await;
    let astray = Rotation { spent: hash("other 1"), ..rotation(&begun, "anna", 1, 10) };
    assert!(!one.rotate(&astray, at(10)).await.unwrap(), "of another family");
    assert!(!one.rotate(&rotation(&family(&grant, "none", 0), "anna", 1, 10), at(10)).await.unwrap());
    assert_eq!(two.of_handle(&hash("anna")).await.unwrap(), Some(begun.clone()));
    assert_eq!(world.count("access_tokens").await, 2);

    let mut next = rotation(&begun, "anna", 1, 10);
    next.access.family = None;
    assert!(one.rotate(&next, at(10)).await.unwrap());
    let rotated =
        Family { current: Some(next.next), generation: 2, idle_until: next.idle_until, ..begun.clone() };
    assert_eq!(two.of_handle(&hash("anna")).await.unwrap(), Some(rotated));
    let issued = two.access_token(&next.access_token, at(11)).await.unwrap().unwrap();
    assert_eq!(issued, access(&begun, 10), "it goes with its family, whatever the record says");
    assert!(two.access_token(&hash("access of anna 1"), at(11)).await.unwrap().is_some(), "it goes on");
    assert!(!two.rotate(&next, at(10)).await.unwrap(), "it is spent");
    let fork = Rotation { next: hash("fork"), access_token: hash("access of fork"), ..next };
    assert!(!two.rotate(&fork, at(10)).await.unwrap());
    assert!(two.access_token(&hash("access of fork"), at(11)).await.unwrap().is_none());
    assert!(two.rotate(&rotation(&begun, "anna", 2, 20), at(20)).await.unwrap());
    assert_eq!(two.of_handle(&hash("anna")).await.unwrap().unwrap().generation, 3);
    assert_eq!(two.of_handle(&hash("other")).await.unwrap(), Some(other));
}

pub(crate) async fn a_refresh_token_is_good_until_the_instant_at_which_it_or_its_family_ends(world: &World) {
    let grant = granted(world, "anna").await;
    for (name, idle, end) in [("idle", 90, 365), ("ended", 90, 40), ("both", 50, 50)] {
        let begun = Family { idle_until: at(idle * DAY), ends_at: at(end * DAY), ..family(&grant, name, 0) };
        redeem(&world.one, &grant, &begun, &access(&begun, 0), name, 0).await;
        let last = at(idle.min(end) * DAY);
        let rotation = rotation(&begun, name, 1, idle.min(end) * DAY);
        assert!(!world.two.families.rotate(&rotation, last).await.unwrap(), "{name}");
        assert_eq!(world.one.families.of_handle(&hash(name)).await.unwrap(), Some(begun), "{name} is read");
        assert!(world.two.families.rotate(&rotation, a_moment_before(last)).await.unwrap(), "{name}");
    }
}

pub(crate) async fn an_answer_is_kept_for_the_spent_token_until_its_end(world: &World) {
    let (one, two) = (&world.one.families, &world.two.families);
    let grant = granted(world, "anna").await;
    let begun = begin(&world.one, &grant, "anna", 0).await;
    assert!(one.rotate(&rotation(&begun, "anna", 1, 10), at(10)).await.unwrap());
    let kept = async |token: &str, now| two.kept_answer(&hash(token), now).await.unwrap();
    assert_eq!(kept("anna 1", a_moment_before(at(40))).await, Some(b"answer 2".to_vec()));
    assert_eq!(kept("anna 1", at(40)).await, None, "its end");
    assert_eq!(kept("anna 2", at(11)).await, None, "that one is not spent");
    let silent = Rotation { answer: None, ..rotation(&begun, "anna", 2, 20) };
    assert!(one.rotate(&silent, at(20)).await.unwrap());
    assert_eq!(kept("anna 2", at(21)).await, None);
    assert_eq!(kept("anna 1", at(21)).await, Some(b"answer 2".to_vec()), "an earlier one goes on");
    assert!(!two.rotate(&rotation(&begun, "anna", 2, 20), at(20)).await.unwrap());
    assert_eq!(kept("anna 2", at(21)).await, None, "whoever was slower keeps nothing");
}

pub(crate) async fn a_family_ends_with_all_its_tokens_and_alone(world: &World) {
    let (one, two) = (&world.one.families, &world.two.families);
    let grant = granted(world, "anna").await;
    let (left, right) =
        (begin(&world.one, &grant, "left", 0).await, begin(&world.one, &grant, "right", 0).await);
    for (family, name) in [(&left, "left"), (&right, "right")] {
        assert!(one.rotate(&rotation(family, name, 1, 10), at(10)).await.unwrap());
    }
    assert!(two.revoke(&left.id).await.unwrap());
    assert!(!one.revoke(&left.id).await.unwrap(), "once");
    assert!(!one.rotate(&rotation(&left, "left", 2, 20), at(20)).await.unwrap());
    for (name, goes_on) in [("left", false), ("right", true)] {
        assert_eq!(one.of_handle(&hash(name)).await.unwrap().is_some(), goes_on, "{name}");
        for generation in [1, 2] {
            let token = hash(&format!("access of {name} {generation}"));
            assert_eq!(one.access_token(&token, at(11)).await.unwrap().is_some(), goes_on, "{name}");
        }
        let kept = one.kept_answer(&hash(&format!("{name} 1")), at(11)).await.unwrap();
        assert_eq!(kept.is_some(), goes_on, "{name}");
    }
    assert!(one.rotate(&rotation(&right, "right", 2, 20), at(20)).await.unwrap());
}

pub(crate) async fn an_access_token_is_good_until_its_end_or_its_revocation(world: &World) {
    let (one, two) = (&world.one.families, &world.two.families);
    let grant = granted(world, "anna").await;
    let begun = begin(&world.one, &grant, "anna", 0).await;
    let own = AccessToken { family: None, user: None, team: None, ..access(&begun, 0) };
    one.add_access_token(&hash("own"), &own).await.unwrap();
    for token in ["access of anna 1", "own"] {
        let token = hash(token);
        assert!(two.access_token(&token, a_moment_before(at(HOUR))).await.unwrap().is_some());
        assert!(two.access_token(&token, at(HOUR)).await.unwrap().is_none());
        assert!(two.revoke_access_token(&token).await.unwrap());
        assert!(!one.revoke_access_token(&token).await.unwrap(), "once");
        assert!(one.access_token(&token, at(1)).await.unwrap().is_none());
    }
    assert!(one.rotate(&rotation(&begun, "anna", 1, 10), at(10)).await.unwrap(), "its family goes on");
}

pub(crate) async fn a_use_is_written_with_every_code_and_once_an_hour_beside(world: &World) {
    let store = &world.one.families;
    let (grant, other) = (granted(world, "anna").await, granted(world, "bert").await);
    let mut begun = family(&grant, "anna", 20);
    assert_eq!(used_at(world, &grant).await, None);
    assert!(store.add_code(&hash("code"), &code(&grant, 10)).await.unwrap());
    assert_eq!(used_at(world, &grant).await, Some(10));
    let redeem = async |family: &Family, second| {
        let token = hash(&format!("token {second}"));
        store.redeem(&hash("code"), at(second), family, &token, &access(family, second)).await.unwrap()
    };
    assert_eq!(redeem(&begun, 20).await, Redeemed::Done);
    assert_eq!(used_at(world, &grant).await, Some(20));
    let again = family(&grant, "again", 30);
    assert_eq!(redeem(&again, 30).await, Redeemed::Used);
    assert_eq!(used_at(world, &grant).await, Some(20), "nothing was issued");
    for (second, used) in [(19 + HOUR, 20), (20 + HOUR, 20 + HOUR), (21 + HOUR, 20 + HOUR)] {
        assert!(store.rotate(&rotation(&begun, "anna", begun.generation, second), at(second)).await.unwrap());
        begun.generation += 1;
        assert_eq!(used_at(world, &grant).await, Some(used));
    }
    assert!(!store.rotate(&rotation(&begun, "anna", 1, 0), at(3 * HOUR)).await.unwrap());
    assert_eq!(used_at(world, &grant).await, Some(20 + HOUR), "nothing was issued");
    assert_eq!(used_at(world, &other).await, None);
}

pub(crate) async fn the_sweep_takes_of_each_kind_what_ended_first_and_no_more(world: &World) {
    let (one, two) = (&world.one.families, &world.two.families);
    let grant = granted(world, "anna").await;
    for second in [3, 0, 4, 1, 2] {
        let name = second.to_string();
        let begun = Family { idle_until: at(second + 300), ..family(&grant, &name, second) };
        let access = AccessToken { expires_at: at(second + 300), ..access(&begun, second) };
        redeem(&world.one, &grant, &begun, &access, &name, second).await;
        let mut next = rotation(&begun, &name, 1, second);
        (next.idle_until, next.access.expires_at) = (at(second + 300), at(second + 300));
        next.answer = Some((vec![0], at(second + 300)));
        assert!(one.rotate(&next, at(second)).await.unwrap());
    }
    let rows = async || {
        [
            world.count("codes").await,
            world.count("families").await,
            world.count("refresh_answers").await,
            world.count("access_tokens").await,
        ]
    };
    assert_eq!(two.sweep(at(300), 10).await.unwrap(), 0, "none ended before");
    assert_eq!(rows().await, [5, 5, 5, 10]);
    assert_eq!(two.sweep(at(303), 1).await.unwrap(), 3);
    assert_eq!(rows().await, [4, 4, 4, 8], "one of each, and what went with its family");
    assert_eq!(two.sweep_answers(a_moment_before(at(301)), 10).await.unwrap(), 0);
    assert_eq!(two.sweep_answers(at(301), 1).await.unwrap(), 1, "at the very end");
    assert_eq!(rows().await, [4, 4, 3, 8]);
    assert!(one.code(&hash("code of 0")).await.unwrap().is_none(), "the one that ended first");
    assert!(one.of_handle(&hash("0")).await.unwrap().is_none());
    assert!(one.of_handle(&hash("1")).await.unwrap().is_some());
    let swept = world
        .at_once(4, |replica, _| async move { replica.families.sweep(at(303), 10).await.unwrap() })
        .await;
    assert!(swept.iter().sum::<u64>() >= 4, "{swept:?}");
    assert_eq!(rows().await, [2, 2, 2, 4]);
    for (name, stays) in [("2", false), ("3", true), ("4", true)] {
        assert_eq!(one.of_handle(&hash(name)).await.unwrap().is_some(), stays, "{name}");
    }
}

pub(crate) async fn a_family_is_not_swept_before_its_last_access_token(world: &World) {
    let (one, two) = (&world.one.families, &world.two.families);
    let grant = granted(world, "anna").await;
    let begun = Family { idle_until: at(600), ends_at: at(900), ..family(&grant, "anna", 0) };
    redeem(&world.one, &grant, &begun, &access(&begun, 0), "anna", 0).await;
    let mut short = rotation(&begun, "anna", 1, 10);
    (short.idle_until, short.access.expires_at) = (at(800), at(310));
    assert!(one.rotate(&short, at(10)).await.unwrap());
    two.sweep(at(HOUR), 10).await.unwrap();
    let first = hash("access of anna 1");
    assert!(one.access_token(&first, a_moment_before(at(HOUR))).await.unwrap().is_some());
    assert!(one.of_handle(&hash("anna")).await.unwrap().is_some());
    two.sweep(at(HOUR + 1), 10).await.unwrap();
    assert_eq!(world.count("families").await + world.count("access_tokens").await, 0);

    // Used again and again it lives on, but never longer than to its end.
    let begun = Family { idle_until: at(2 * DAY), ends_at: at(5 * DAY), ..family(&grant, "bert", 0) };
    redeem(&world.one, &grant, &begun, &access(&begun, 0), "bert", 0).await;
    for (generation, day) in [(1, 1), (2, 2), (3, 3), (4, 4)] {
        two.sweep(at(day * DAY), 10).await.unwrap();
        let mut next = rotation(&begun, "bert", generation, day * DAY);
        next.idle_until = at((day + 2) * DAY);
        assert!(one.rotate(&next, at(day * DAY)).await.unwrap(), "day {day}");
    }
    two.sweep(at(5 * DAY), 10).await.unwrap();
    assert!(one.of_handle(&hash("bert")).await.unwrap().is_some());
    two.sweep(at(5 * DAY + 1), 10).await.unwrap();
    assert!(one.of_handle(&hash("bert")).await.unwrap().is_none());
}

pub(crate) async fn a_damaged_row_of_the_tokens_and_its_column_are_named(world: &World) {
    let store = &world.one.families;
    let grant = granted(world, "anna").await;
    let begun = begin(&world.one, &grant, "anna", 0).await;
    assert!(store.rotate(&rotation(&begun, "anna", 1, 10), at(10)).await.unwrap());
    let octets = if world.is_sqlite() { "x'00'" } else { "'\\x00'::bytea" };
    let (grant, family) = (format!("\"{}\"", grant.id), format!("\"{}\"", begun.id));
    let token = format!("\"zapier\" {family}");
    for (damage, row, column) in [
        ("UPDATE codes SET scopes = '[\"hunter2'".to_owned(), &grant, "scopes"),
        ("UPDATE codes SET redirect_uri = '', team = 'hunter 2'".to_owned(), &grant, "team"),
        (format!("UPDATE families SET current = {octets}"), &family, "current"),
        ("UPDATE families SET client_id = 'hunter 2'".to_owned(), &family, "client_id"),
        ("UPDATE access_tokens SET audience = '{\"hunter2\":1}'".to_owned(), &token, "audience"),
        ("UPDATE access_tokens SET \"user\" = 'hunter2'".to_owned(), &token, "\"user\""),
    ] {
        world.sql(&damage).await;
        let error = match damage.split(' ').nth(1).unwrap() {
            "codes" => store.code(&hash("code of anna")).await.map(drop),
            "families" => store.of_handle(&hash("anna")).await.map(drop),
            _ => store.access_token(&hash("access of anna 2"), at(11)).await.map(drop),
        };
        let error = error.unwrap_err().to_string();
        let expected = format!("row {row}, column {column}:");
        assert!(error.contains(&expected) && !error.contains("hunter"), "{error}; wanted {expected}");
    }
}
