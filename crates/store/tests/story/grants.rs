//! Consents.

use model::{ClientId, Scopes, UserId};
use store::grants::Grant;
use vault::random;

use crate::families::{begin, code, rotation};
use crate::world::{World, at, hash};

/// Somebody who can consent.
pub(crate) async fn user(world: &World, login: &str) -> UserId {
    let id = random::id();
    let sql = format!(
        "INSERT INTO users (id, backend, login, created_at, updated_at) VALUES ('{id}', 'local', '{login}', 0, 0)"
    );
    world.sql(&sql).await;
    id
}

/// What a user has not agreed to yet.
pub(crate) fn grant(user: UserId, second: i64) -> Grant {
    Grant {
        id: random::id(),
        user,
        team: Some("team:7".parse().unwrap()),
        client_id: "zapier".parse().unwrap(),
        scopes: Scopes::parse("read write", " "),
        resources: vec!["https://api.example/'1'".to_owned()],
        created_at: at(second),
        updated_at: at(second),
        used_at: None,
    }
}

/// A consent of somebody new.
pub(crate) async fn granted(world: &World, login: &str) -> Grant {
    let grant = grant(user(world, login).await, 0);
    let (id, user, at) = (grant.id, grant.user, grant.created_at.as_unix_ms());
    let sql = format!(
        "INSERT INTO grants (id, \"user\", team, client_id, scopes, resources, created_at, updated_at) \
         VALUES ('{id}', '{user}', 'team:7', 'zapier', '[\"read\",\"write\"]', '[]', {at}, {at})"
    );
    world.sql(&sql).await;
    grant
}

/// When a grant was last used, in seconds.
pub(crate) async fn used_at(world: &World, grant: &Grant) -> Option<i64> {
    let sql =
        format!("SELECT CAST(used_at AS TEXT) FROM grants WHERE id = '{}' AND used_at IS NOT NULL", grant.id);
    let used: Option<i64> = world.texts(&sql).await.first().map(|used| used.parse().unwrap());
    used.map(|used| (used - at(0).as_unix_ms()) / 1000)
}

pub(crate) async fn a_grant_reads_back_as_it_was_agreed_to(world: &World) {
    let (one, two) = (&world.one.grants, &world.two.grants);
    let anna = user(world, "anna").await;
    let full = Grant { used_at: Some(at(9)), ..grant(anna, 1) };
    let bare = Grant { team: None, scopes: Scopes::default(), resources: Vec::new(), ..grant(anna, 2) };
    for written in [full, bare] {
        assert_eq!(one.agree(&written).await.unwrap(), written);
        assert_eq!(two.get(&written.id).await.unwrap(), Some(written.clone()));
        let listed = two.list(None, None, None, 10).await.unwrap();
        assert!(listed.contains(&written), "{listed:?}");
    }
    assert_eq!(two.get(&random::id()).await.unwrap(), None);
    // In JSON a NUL character is only an escape.
    let nul = Grant {
        client_id: "another".parse().unwrap(),
        scopes: Scopes::from(vec!["a\0".to_owned(), "õ'\"\\".to_owned()]),
        resources: vec!["\0'".to_owned()],
        ..grant(anna, 3)
    };
    assert_eq!(one.agree(&nul).await.unwrap(), nul);
    assert_eq!(two.get(&nul.id).await.unwrap(), Some(nul));
}

pub(crate) async fn what_is_agreed_to_later_comes_besides(world: &World) {
    let (one, two) = (&world.one.grants, &world.two.grants);
    let anna = user(world, "anna").await;
    let first = Grant { used_at: Some(at(2)), ..grant(anna, 1) };
    one.agree(&first).await.unwrap();
    let scopes = Scopes::parse("admin read", " ");
    let more = Grant { scopes, resources: first.resources.clone(), ..grant(anna, 3) };
    let scopes = Scopes::parse("read write admin", " ");
    let expected = Grant { scopes: scopes.clone(), updated_at: at(3), ..first.clone() };
    assert_eq!(two.agree(&more).await.unwrap(), expected, "another scope at the same resource");
    let more =
        Grant { scopes: scopes.clone(), resources: vec!["https://b.example".to_owned()], ..grant(anna, 5) };
    let expected = Grant {
        resources: vec![first.resources[0].clone(), "https://b.example".to_owned()],
        updated_at: at(5),
        ..expected
    };
    assert_eq!(two.agree(&more).await.unwrap(), expected, "another resource for the same scopes");
    assert_eq!(one.get(&first.id).await.unwrap(), Some(expected.clone()));
    let less = Grant { scopes: Scopes::parse("read", " "), resources: Vec::new(), ..grant(anna, 7) };
    let expected = Grant { updated_at: at(7), ..expected };
    assert_eq!(one.agree(&less).await.unwrap(), expected, "nothing is taken away");
    assert_eq!(two.get(&first.id).await.unwrap(), Some(expected));

    // Neither is the new scope agreed to at the old resources, nor an old scope at the new one.
    let apart = Grant {
        scopes: Scopes::parse("read delete", " "),
        resources: vec!["https://c.example".to_owned()],
        ..grant(anna, 8)
    };
    let expected =
        Grant { id: first.id, created_at: first.created_at, used_at: first.used_at, ..apart.clone() };
    assert_eq!(two.agree(&apart).await.unwrap(), expected);

    for other in [
        Grant { team: None, ..grant(anna, 8) },
        Grant { team: Some("another".parse().unwrap()), ..grant(anna, 8) },
        Grant { client_id: "another".parse().unwrap(), ..grant(anna, 8) },
        grant(user(world, "bert").await, 8),
    ] {
        assert_eq!(one.agree(&other).await.unwrap(), other, "a grant of its own");
    }
    assert_eq!(world.count("grants").await, 5);
}

pub(crate) async fn all_who_agree_at_once_make_one_row_with_all_their_scopes(world: &World) {
    for round in 0..10 {
        let anna = user(world, &format!("anna {round}")).await;
        let agreed = world
            .at_once(8, |replica, caller| async move {
                let scopes = Scopes::from(vec!["all".to_owned(), format!("of {caller}")]);
                let agreed = Grant { team: None, scopes, ..grant(anna, 1) };
                replica.grants.agree(&agreed).await.unwrap()
            })
            .await;
        let read = world.two.grants.list(Some(&anna), None, None, 10).await.unwrap();
        assert_eq!(read.len(), 1, "round {round}");
        assert!(agreed.iter().all(|agreed| agreed.id == read[0].id), "round {round}: {agreed:?}");
        for (caller, agreed) in agreed.iter().enumerate() {
            assert!(agreed.scopes.contains(&format!("of {caller}")), "round {round}: its own are among them");
            assert!(read[0].scopes.contains(&format!("of {caller}")), "round {round}");
        }
        assert_eq!(read[0].scopes.iter().count(), 9);
    }
}

pub(crate) async fn grants_are_listed_page_by_page_of_whom_and_for_what(world: &World) {
    let users = [user(world, "anna").await, user(world, "bert").await];
    let clients = ["zapier", "another"].map(|client| client.parse::<ClientId>().unwrap());
    let mut written = Vec::new();
    for (second, user) in users.iter().enumerate() {
        for client_id in &clients {
            for team in [None, Some("team:1"), Some("team:2")] {
                let team = team.map(|team| team.parse().unwrap());
                let second = i64::try_from(second + written.len()).unwrap();
                let grant = Grant { team, client_id: client_id.clone(), ..grant(*user, second) };
                written.push(world.one.grants.agree(&grant).await.unwrap());
            }
        }
    }
    written.sort_by_key(|grant| grant.id);
    let (strangers, nobody) = (random::id(), "nobody".parse().unwrap());
    for user in [None, Some(&users[0]), Some(&users[1]), Some(&strangers)] {
        for client_id in [None, Some(&clients[0]), Some(&clients[1]), Some(&nobody)] {
            let is_meant = |grant: &&Grant| {
                user.is_none_or(|user| *user == grant.user)
                    && client_id.is_none_or(|client| *client == grant.client_id)
            };
            let expected: Vec<_> = written.iter().filter(is_meant).cloned().collect();
            let mut listed: Vec<Grant> = Vec::new();
            loop {
                let after = listed.last().map(|grant| grant.id);
                let page = world.two.grants.list(user, client_id, after.as_ref(), 2).await.unwrap();
                assert!(page.len() <= 2);
                if page.is_empty() {
                    break;
                }
                listed.extend(page);
            }
            assert_eq!(listed, expected);
            if let (Some(user), Some(client_id)) = (user, client_id) {
                let mut newest_first = expected;
                newest_first.sort_by_key(|grant| std::cmp::Reverse(grant.updated_at));
                assert_eq!(world.one.grants.between(user, client_id).await.unwrap(), newest_first);
            }
        }
    }
}

pub(crate) async fn a_withdrawn_grant_takes_codes_families_and_tokens_with_it(world: &World) {
    let (one, two) = (&world.one, &world.two);
    let (anna, bert) = (granted(world, "anna").await, granted(world, "bert").await);
    for (grant, name) in [(&anna, "anna"), (&bert, "bert")] {
        let begun = begin(one, grant, name, 0).await;
        assert!(one.families.rotate(&rotation(&begun, name, 1, 10), at(10)).await.unwrap());
    }
    let read = two.grants.get(&anna.id).await.unwrap();
    assert!(read.is_some());
    assert_eq!(two.grants.withdraw(&anna.id).await.unwrap(), read, "as it was");
    assert_eq!(one.grants.withdraw(&anna.id).await.unwrap(), None, "once");
    assert_eq!(one.grants.get(&anna.id).await.unwrap(), None);
    for (name, goes_on) in [("anna", false), ("bert", true)] {
        let code = one.families.code(&hash(&format!("code of {name}"))).await.unwrap();
        assert_eq!(code.is_some(), goes_on, "{name}");
        assert_eq!(one.families.of_handle(&hash(name)).await.unwrap().is_some(), goes_on, "{name}");
        let kept = one.families.kept_answer(&hash(&format!("{name} 1")), at(11)).await.unwrap();
        assert_eq!(kept.is_some(), goes_on, "{name}");
        let token = hash(&format!("access of {name} 2"));
        assert_eq!(one.families.access_token(&token, at(11)).await.unwrap().is_some(), goes_on, "{name}");
    }
    let again = two.grants.agree(&Grant { scopes: Scopes::default(), ..anna.clone() }).await.unwrap();
    assert_eq!((again.scopes, again.used_at), (Scopes::default(), None), "what was agreed to is forgotten");
}

pub(crate) async fn agreeing_and_withdrawing_at_once_do_not_stand_in_each_others_way(world: &World) {
    for round in 0..30 {
        let anna = user(world, &format!("anna {round}")).await;
        let id = world.one.grants.agree(&grant(anna, 0)).await.unwrap().id;
        let withdrawn = world
            .at_once(9, |replica, caller| async move {
                let of_before = code(&Grant { id, ..grant(anna, 1) }, 1);
                match caller % 3 {
                    0 => replica.grants.withdraw(&id).await.map(|withdrawn| u32::from(withdrawn.is_some())),
                    1 => replica.grants.agree(&grant(anna, 1)).await.map(|_| 0),
                    _ => {
                        let code = hash(&format!("code {round} {caller}"));
                        replica.families.add_code(&code, &of_before).await.map(|_| 0)
                    }
                }
            })
            .await;
        let withdrawn: u32 = withdrawn.into_iter().map(Result::unwrap).sum();
        assert_eq!(withdrawn, 1, "round {round}");
        let left = world.two.grants.list(Some(&anna), None, None, 10).await.unwrap();
        assert!(left.len() <= 1 && left.iter().all(|grant| grant.id != id), "round {round}: {left:?}");
    }
}

pub(crate) async fn a_damaged_grant_and_its_column_are_named(world: &World) {
    let grant = granted(world, "anna").await;
    for (damage, column) in [
        ("resources = '{\"hunter2\":1}'", "resources"),
        ("scopes = '[\"hunter2\"'", "scopes"),
        ("team = 'hunter 2'", "team"),
    ] {
        world.sql(&format!("UPDATE grants SET {damage}")).await;
        let read = world.one.grants.get(&grant.id).await.unwrap_err().to_string();
        let listed = world.two.grants.list(None, None, None, 10).await.unwrap_err().to_string();
        for error in [read, listed] {
            let expected = format!("a row of grants can't be read: row \"{}\", column {column}:", grant.id);
            assert!(error.contains(&expected) && !error.contains("hunter"), "{error}; wanted {expected}");
        }
    }
}
