//! Data keys, and everything that they seal.

use std::collections::BTreeMap;

use model::{AccessToken, RefreshToken, SubjectId};
use store::Store;
use store::integrations::IntegrationRow;
use store::keyring::KeyRow;
use store::revocations::NewRevocation;
use store::sealed::{RowKey, SealedRow, Table};
use vault::{AnySealed, WrappedKey, random};

use crate::portal::{mailed, make};
use crate::signing_keys::signing_key;
use crate::world::{World, at, attempt, key, new_claim, new_connection, octets, put_tokens, sealed, tokens};

fn wrapped(version: u32, master: &str, octet: u8) -> WrappedKey {
    WrappedKey { version, master_key_id: master.to_owned(), wrapped: vec![octet; 80] }
}

async fn versions(store: &Store) -> Vec<(u32, String, u8)> {
    let all = store.keyring.all().await.unwrap();
    all.into_iter().map(|row| (row.key.version, row.key.master_key_id, row.key.wrapped[0])).collect()
}

pub(crate) async fn of_many_that_add_a_version_at_once_one_does(world: &World) {
    assert!(world.one.keyring.add(&wrapped(1, "m", 0), at(0)).await.unwrap());
    let added = world
        .at_once(8, |store, caller| async move {
            let key = wrapped(2, "m", u8::try_from(caller).unwrap());
            store.keyring.add(&key, at(1)).await.unwrap()
        })
        .await;
    assert_eq!(added.iter().filter(|added| **added).count(), 1, "{added:?}");
    let winner = added.iter().position(|added| *added).unwrap();
    let expected = [(1, "m".to_owned(), 0), (2, "m".to_owned(), u8::try_from(winner).unwrap())];
    assert_eq!(versions(&world.two).await, expected);
}

pub(crate) async fn all_keys_are_wrapped_anew_or_none(world: &World) {
    let old = [wrapped(1, "old", 1), wrapped(2, "old", 2)];
    let new = [wrapped(1, "new", 11), wrapped(2, "new", 12)];
    for (key, second) in old.iter().zip(0..) {
        assert!(world.one.keyring.add(key, at(second)).await.unwrap());
    }
    assert!(!world.two.keyring.rewrap(&old[..1], &new[..1]).await.unwrap(), "there is another");
    assert!(!world.two.keyring.rewrap(&[old[0].clone(), wrapped(2, "old", 9)], &new).await.unwrap());
    assert_eq!(versions(&world.one).await, [(1, "old".to_owned(), 1), (2, "old".to_owned(), 2)]);
    assert!(world.two.keyring.rewrap(&old, &new).await.unwrap());
    assert_eq!(versions(&world.one).await, [(1, "new".to_owned(), 11), (2, "new".to_owned(), 12)]);
    let created: Vec<_> =
        world.one.keyring.all().await.unwrap().iter().map(|row: &KeyRow| row.created_at).collect();
    assert_eq!(created, [Some(at(0)), Some(at(1))], "they are as old as before");
    assert!(!world.one.keyring.add(&wrapped(3, "old", 3), at(5)).await.unwrap(), "by the master key before");
}

pub(crate) async fn a_key_that_is_added_while_all_are_wrapped_anew_is_not_left_behind(world: &World) {
    for round in 0..20 {
        world.sql("DELETE FROM keyring").await;
        let old = [wrapped(1, "old", 1), wrapped(2, "old", 2)];
        let new = [wrapped(1, "new", 11), wrapped(2, "new", 12)];
        for key in &old {
            world.one.keyring.add(key, at(0)).await.unwrap();
        }
        let third = wrapped(3, "old", 3);
        let (rewrapped, added) =
            tokio::join!(world.one.keyring.rewrap(&old, &new), world.two.keyring.add(&third, at(1)));
        let (rewrapped, added) = (rewrapped.unwrap(), added.unwrap());
        assert!(rewrapped != added, "round {round}: rewrapped {rewrapped}, added {added}");
        let masters: std::collections::BTreeSet<_> =
            versions(&world.one).await.into_iter().map(|(_, master, _)| master).collect();
        assert_eq!(masters.len(), 1, "round {round}");
    }
}

pub(crate) async fn the_newest_key_is_never_retired(world: &World) {
    for version in 1..=3 {
        world.one.keyring.add(&wrapped(version, "m", 0), at(0)).await.unwrap();
    }
    let keyring = &world.two.keyring;
    keyring.mark_spread(3, at(7)).await.unwrap();
    keyring.mark_spread(3, at(8)).await.unwrap();
    assert!(!keyring.retire(3).await.unwrap());
    assert!(keyring.retire(1).await.unwrap());
    assert!(!keyring.retire(1).await.unwrap());
    let left: Vec<_> =
        keyring.all().await.unwrap().iter().map(|row| (row.key.version, row.spread_at)).collect();
    assert_eq!(left, [(2, None), (3, Some(at(7)))]);
}

/// Writes a row to each table that has sealed values; all say what they are.
async fn one_of_each(world: &World) {
    let store = &world.one;
    let (anna, bert) = (key("anna", "github"), key("bert", "github"));
    let connected = new_connection(&anna, "anna", 0);
    store.connections.connect(&connected).await.unwrap();
    let id = connected.credential.id;
    let claim = store.refreshes.claim(&new_claim(&id, 1)).await.unwrap().unwrap();
    assert!(store.refreshes.keep_orphan(&claim, &tokens("orphan", 1)).await.unwrap());
    let aside = "INSERT INTO drills (credential, generation, fence, refresh_token, failures, updated_at, began_at, began_by) \
        SELECT id, generation, fence, refresh_token, 0, 0, 0, 'operator' FROM credentials";
    world.sql(aside).await;
    let leaving = new_connection(&bert, "bert", 0);
    store.connections.connect(&leaving).await.unwrap();
    let credential = leaving.credential.id;
    let plan = NewRevocation { id: random::id(), credential, url: "https://x".to_owned(), held_until: at(9) };
    store.connections.disconnect(&bert, "operator", at(1), Some(&plan)).await.unwrap();
    for subject in [None, Some("anna".parse::<SubjectId>().unwrap())] {
        let name = subject.as_ref().map_or("everybody", |_| "anna");
        let row = IntegrationRow {
            id: "github".parse().unwrap(),
            subject,
            provider: "github".parse().unwrap(),
            client_id: "our app".to_owned(),
            client_secret: Some(sealed(&format!("app of {name}"))),
            scopes: None,
            redirect_uri: None,
            updated_at: at(0),
        };
        store.integrations.put(&row).await.unwrap();
    }
    store.attempts.create(&attempt(0), &crate::world::hash("ticket")).await.unwrap();
    make(store, &mailed(0), "link").await;
    assert!(store.signing_keys.add(&signing_key("EdDSA", 0), None, at(0)).await.unwrap());
}

/// Every sealed value, page by page: table, what it is sealed to, and the texts.
async fn everything(store: &Store, limit: u32) -> Vec<(Table, String, Vec<String>)> {
    let mut found = Vec::new();
    for table in Table::ALL {
        let (mut after, before) = (None::<RowKey>, found.len());
        loop {
            let page = store.sealed.page(table, after.as_ref(), limit).await.unwrap();
            after = page.last().map(SealedRow::key);
            for row in &page {
                let texts = row.values().map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap());
                found.push((table, row.sealed_to().to_owned(), texts.collect()));
            }
            if page.len() < limit as usize {
                break;
            }
        }
        let counted = usize::try_from(store.sealed.count(table).await.unwrap()).unwrap();
        assert_eq!(found.len() - before, counted, "{table:?}");
    }
    found
}

pub(crate) async fn every_sealed_value_is_met_once_with_what_it_is_sealed_to(world: &World) {
    one_of_each(world).await;
    let by_ones = everything(&world.one, 1).await;
    assert_eq!(by_ones, everything(&world.two, 100).await);
    let texts: Vec<_> = by_ones.iter().map(|(table, _, texts)| (*table, texts.join(", "))).collect();
    let expected = [
        (Table::RefreshJournal, "access of orphan, refresh of orphan, extra of orphan"),
        (Table::Drills, "refresh of anna"),
        (Table::Credentials, "access of anna, refresh of anna, extra of anna"),
        (Table::Revocations, "access of bert, refresh of bert"),
        (Table::Integrations, "app of everybody"),
        (Table::Integrations, "app of anna"),
        (Table::Attempts, "verifier"),
        (Table::PortalSessions, "an address"),
        (Table::Mails, "link"),
        (Table::SigningKeys, "private key"),
    ];
    assert_eq!(texts, expected.map(|(table, text)| (table, text.to_owned())));
    let sealed_to: Vec<_> = by_ones.iter().map(|(_, sealed_to, _)| sealed_to.as_str()).collect();
    assert_eq!(sealed_to[0], sealed_to[1], "an orphan is sealed to its credential");
    assert_eq!(sealed_to[1], sealed_to[2], "what is set aside too");
    assert!(sealed_to[3].starts_with("crd_"), "and a revocation");
    assert_eq!(sealed_to[4..6], ["github", "github/anna"]);
    assert!(sealed_to[9].starts_with("sig_"));
}

pub(crate) async fn every_column_of_octets_is_known(world: &World) {
    let sql = if world.is_sqlite() {
        "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND upper(c.type) = 'BLOB' ORDER BY 1"
    } else {
        "SELECT (table_name || '.' || column_name)::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND data_type = 'bytea' ORDER BY 1"
    };
    let others = [
        "access_tokens.token",
        "api_keys.hash",
        "applications.registration_token",
        "assertions.assertion",
        "attempts.binding_hash",
        "attempts.question",
        "attempts.state",
        "attempts.ticket",
        "audit.hash",
        "audit.previous",
        "authorizations.browser",
        "codes.code",
        "families.current",
        "families.handle",
        "keyring.wrapped",
        "limits.key",
        "limits.key",
        "portal_browsers.browser",
        "portal_sessions.link",
        "pushed_requests.uri",
        // Sealed under a key that only the spent token yields, not the keyring's.
        "refresh_answers.answer",
        "refresh_answers.spent",
        "sign_ins.browser",
        "stripe_attempts.state",
    ];
    let mut sealed: Vec<_> = world.texts(sql).await;
    sealed.retain(|column| !others.contains(&column.as_str()));
    // A new one of these must be met by `SealedRows`, or its key is retired under it.
    let expected = [
        "attempts.code_verifier",
        "credentials.access_token",
        "credentials.extra",
        "credentials.refresh_token",
        "drills.refresh_token",
        "integrations.client_secret",
        "mails.link_token",
        "portal_sessions.email",
        "revocations.access_token",
        "revocations.refresh_token",
        "signing_keys.private_key",
    ];
    assert_eq!(sealed, expected);
}

/// Puts `anew` before every value of every row, and tells how many rows were written.
async fn seal_anew(store: &Store, rows: Vec<SealedRow>) -> u64 {
    let anew = |value: &AnySealed| {
        let octets = [b"anew: ", value.as_bytes()].concat();
        match value.field() {
            "access_token" => AnySealed::from_row::<AccessToken>(octets),
            "refresh_token" => AnySealed::from_row::<RefreshToken>(octets),
            "extra" => AnySealed::from_row::<model::TokenExtra>(octets),
            "client_secret" => AnySealed::from_row::<model::ClientSecret>(octets),
            "code_verifier" => AnySealed::from_row::<model::CodeVerifier>(octets),
            "private_key" => AnySealed::from_row::<model::SigningKeySecret>(octets),
            "email" => AnySealed::from_row::<model::EmailAddress>(octets),
            _ => AnySealed::from_row::<model::LinkToken>(octets),
        }
    };
    let replacements = rows.iter().filter_map(|row| {
        let values: Vec<_> = row.values().map(anew).collect();
        row.replaced_by(&values).unwrap()
    });
    store.sealed.replace(replacements.collect()).await.unwrap()
}

pub(crate) async fn values_are_sealed_anew_and_nothing_else_of_their_rows_changes(world: &World) {
    one_of_each(world).await;
    let before = everything(&world.one, 100).await;
    let rest = rest_of_credentials(world).await;
    for table in Table::ALL {
        let rows = world.one.sealed.page(table, None, 100).await.unwrap();
        let expected = rows.len() as u64;
        assert_eq!(seal_anew(&world.two, rows).await, expected, "{table:?}");
    }
    let anew = before.into_iter().map(|(table, row, texts)| {
        (table, row, texts.into_iter().map(|text| format!("anew: {text}")).collect::<Vec<_>>())
    });
    assert_eq!(everything(&world.one, 100).await, anew.collect::<Vec<_>>());
    assert_eq!(rest_of_credentials(world).await, rest);
    let id = world.texts("SELECT id FROM credentials").await.remove(0).parse().unwrap();
    let look = world.one.refreshes.look(&id).await.unwrap().unwrap();
    let orphan = &look.journal[0];
    let answer = orphan.answer.clone().unwrap();
    assert_eq!(octets(answer.access_token.as_ref()), Some("anew: access of orphan"));
    assert_eq!(answer.obtained_at, at(1), "what is not sealed of an answer stays");
}

async fn rest_of_credentials(world: &World) -> Vec<String> {
    world
        .texts(
            "SELECT id || generation || fence || tokens_fence || COALESCE(lease_until, 0) || updated_at \
             || COALESCE(due_at, 0) || COALESCE(used_at, 0) FROM credentials ORDER BY id",
        )
        .await
}

pub(crate) async fn what_was_written_meanwhile_is_not_sealed_anew(world: &World) {
    one_of_each(world).await;
    let (one, two) = (&world.one, &world.two);
    let rows = one.sealed.page(Table::Credentials, None, 100).await.unwrap();
    let id = rows[0].sealed_to().parse().unwrap();
    assert!(put_tokens(two, &id, 1, &tokens("fresh", 60)).await);
    assert_eq!(seal_anew(one, rows).await, 0);
    let found = one.credentials.get(&id).await.unwrap().unwrap();
    assert_eq!(octets(found.tokens.access_token.as_ref()), Some("access of fresh"));

    let rows = one.sealed.page(Table::Mails, None, 100).await.unwrap();
    world.sql("UPDATE mails SET link_token = NULL").await;
    assert_eq!(seal_anew(one, rows).await, 0, "a mail that was sent has no link again");

    let rows = one.sealed.page(Table::SigningKeys, None, 100).await.unwrap();
    world.sql("DELETE FROM signing_keys").await;
    assert_eq!(seal_anew(one, rows).await, 0, "nor comes a key back");
}

pub(crate) async fn a_page_of_many_rows_ends_where_the_next_begins(world: &World) {
    for number in 0..25 {
        let key = key(&format!("subject{number}"), "github");
        world.one.connections.connect(&new_connection(&key, &number.to_string(), 0)).await.unwrap();
    }
    let mut met = BTreeMap::new();
    for (_, row, _) in everything(&world.two, 7).await {
        *met.entry(row).or_insert(0) += 1;
    }
    assert_eq!((met.len(), met.values().all(|times| *times == 1)), (25, true));
}

pub(crate) async fn an_answer_that_is_none_is_met_and_stays(world: &World) {
    one_of_each(world).await;
    world.sql("UPDATE refresh_journal SET answer = '{\"access_token\":1}'").await;
    let rows = world.one.sealed.page(Table::RefreshJournal, None, 100).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].values().all(|value| value.version().is_none()));
    assert!(rows[0].name().starts_with("crd_"));
    assert_eq!(seal_anew(&world.one, rows).await, 0);
}

pub(crate) async fn calls_without_an_end_are_counted_by_their_beginning(world: &World) {
    let connected = new_connection(&key("anna", "github"), "anna", 0);
    world.one.connections.connect(&connected).await.unwrap();
    let open = |from, until| world.two.sealed.open_calls(at(from), at(until));
    world.one.refreshes.claim(&new_claim(&connected.credential.id, 1)).await.unwrap().unwrap();
    world.sql(&format!("UPDATE refresh_journal SET started_at = {}", at(10).as_unix_ms())).await;
    for (from, until, expected) in [(0, 10, 0), (0, 11, 1), (10, 11, 1), (11, 99, 0)] {
        assert_eq!(open(from, until).await.unwrap(), expected, "{from} to {until}");
    }
    assert!(put_tokens(&world.one, &connected.credential.id, 1, &tokens("fresh", 60)).await);
    world.sql("DELETE FROM refresh_journal").await;
    assert_eq!(open(0, 11).await.unwrap(), 0);
}
