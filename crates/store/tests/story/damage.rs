//! What the store says when something is wrong.

use store::Error;
use store::stripe::StripeAttempt;
use vault::random;

use crate::applications::application;
use crate::portal::{mailed, make};
use crate::rows::{api_key, subject};
use crate::sign_ins::sign_in;
use crate::signing_keys::signing_key;
use crate::users::{made, member};
use crate::world::{World, at, attempt, hash, key, new_connection};

/// The table that the error names; it quotes nothing of the row.
fn table<T: std::fmt::Debug>(outcome: store::Result<T>) -> &'static str {
    match outcome {
        Err(Error::Corrupt { table, what }) => {
            assert!(!what.contains("hunter2"), "{what}");
            table
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_damaged_row_is_an_error_that_names_its_table(world: &World) {
    let store = &world.one;
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 1);
    store.connections.connect(&new).await.unwrap();
    store.subjects.put(&subject("anna")).await.unwrap();
    store.attempts.create_started(&attempt(0), &hash("state")).await.unwrap();
    store.api_keys.create(&api_key("first"), &hash("first")).await.unwrap();
    let session = make(store, &mailed(0), "link").await;
    store.stripe.reserve(&new.key.subject, "nonce", at(0)).await.unwrap();

    world.sql("UPDATE subjects SET metadata = '{\"hunter2'").await;
    assert_eq!(table(store.subjects.get(&new.key.subject).await), "subjects");
    world.sql("UPDATE attempts SET origin = 'hunter2'").await;
    assert_eq!(table(store.attempts.find(&hash("state")).await), "attempts");
    assert_eq!(table(store.attempts.consume(&hash("state"), at(1)).await), "attempts");
    world.sql("UPDATE api_keys SET scopes = '[\"hunter2\"]'").await;
    assert_eq!(table(world.two.api_keys.find(&hash("first")).await), "api_keys");
    world.sql("UPDATE credentials SET broken_at = 5").await;
    assert_eq!(table(store.credentials.get(&new.credential.id).await), "credentials");
    assert_eq!(table(world.two.connections.standing(&key).await), "connections");
    world.sql("UPDATE connections SET metadata = '\"hunter2'").await;
    assert_eq!(table(store.connections.get(&key).await), "connections");
    assert_eq!(table(store.connections.list(&<_>::default(), None, 10).await), "connections");
    world.sql("UPDATE portal_sessions SET integrations = '[\"hunter2'").await;
    assert_eq!(table(store.portal.get(&session.id).await), "portal_sessions");
    assert_eq!(table(store.portal.open(&hash("link"), None, at(1)).await), "portal_sessions");
    assert_eq!(table(store.portal.take_mails(at(2_000_000), at(9_000_000), 10).await), "mails");
    world.sql("UPDATE stripe_accounts SET facts = '{\"hunter2'").await;
    assert_eq!(table(store.stripe.account(&new.key.subject).await), "stripe_accounts");
}

pub(crate) async fn a_damaged_row_and_its_column_are_named(world: &World) {
    let store = &world.one;
    let new = new_connection(&key("anna", "github"), "first", 1);
    store.connections.connect(&new).await.unwrap();
    let id = new.id.to_string();
    for (damage, id, column) in [
        ("UPDATE connections SET requested_scopes = 'what'", id.as_str(), "c.requested_scopes"),
        ("UPDATE credentials SET account = '{'", id.as_str(), "c.requested_scopes"),
        ("UPDATE connections SET requested_scopes = '[]'", id.as_str(), "k.account"),
        ("UPDATE connections SET id = 'con_damaged'", "con_damaged", "c.id"),
    ] {
        world.sql(damage).await;
        let error = store.connections.list(&<_>::default(), None, 10).await.map(drop).unwrap_err();
        let expected = format!("row \"{id}\", column {column}:");
        assert!(error.to_string().contains(&expected), "{error}; wanted {expected}");
    }
}

pub(crate) async fn a_damaged_row_of_the_portal_and_its_column_are_named(world: &World) {
    let store = &world.one;
    let session = make(store, &mailed(0), "link").await;
    let anna = &session.subject;
    store.stripe.reserve(anna, "nonce", at(0)).await.unwrap();
    let attempt = StripeAttempt {
        id: random::id(),
        session: session.id,
        subject: anna.clone(),
        account: "acct_1".parse().unwrap(),
        created_at: at(0),
        expires_at: at(600),
        consumed_at: None,
    };
    store.stripe.begin(&attempt, &hash("state")).await.unwrap();
    let mail = world.texts("SELECT id FROM mails").await.remove(0);
    let (id, attempt) = (session.id.to_string(), attempt.id.to_string());
    for (damage, row, column) in [
        ("UPDATE portal_sessions SET page = 'what'", &id, "page"),
        ("UPDATE portal_sessions SET page = 'stripe', mail = 'what'", &id, "mail"),
        ("UPDATE mails SET attempts = attempts", &mail, "s.mail"),
        ("UPDATE stripe_accounts SET account = 'a b'", &anna.to_string(), "account"),
        ("UPDATE stripe_accounts SET account = NULL, linked_at = 5", &anna.to_string(), "linked_by"),
        ("UPDATE stripe_attempts SET session = 'what'", &attempt, "session"),
    ] {
        world.sql(damage).await;
        let error = match damage.split(' ').nth(1).unwrap() {
            "portal_sessions" => store.portal.of_link(&hash("link")).await.map(drop),
            "mails" => store.portal.take_mails(at(2_000_000), at(2_000_000), 10).await.map(drop),
            "stripe_accounts" => store.stripe.account(anna).await.map(drop),
            _ => store.stripe.find(&hash("state")).await.map(drop),
        };
        let error = error.unwrap_err().to_string();
        let expected = format!("row \"{row}\", column {column}:");
        assert!(error.contains(&expected), "{error}; wanted {expected}");
    }
}

pub(crate) async fn a_damaged_row_of_the_authorization_server_and_its_column_are_named(world: &World) {
    let store = &world.one;
    let zap = application("zap");
    store.applications.create(&zap).await.unwrap();
    let anna = made(world, "anna").await;
    sign_in(world, "phone", &anna.id, 60).await;
    assert!(store.users.join(&anna.id, &member("rowan", "Rowan", None)).await.unwrap());
    let key = signing_key("EdDSA", 0);
    assert!(store.signing_keys.add(&key, None, at(0)).await.unwrap());
    let key = key.id.to_string();
    let (id, octets) = (anna.id.to_string(), if world.is_sqlite() { "X'00'" } else { "'\\x00'" });
    for (damage, row, column) in [
        ("UPDATE applications SET registration_token = octets", "zap", "registration_token"),
        ("UPDATE applications SET registrar = 'hunter2'", "zap", "registrar"),
        ("UPDATE applications SET secrets = '[{\"hunter2\": 1}]'", "zap", "secrets"),
        ("UPDATE applications SET settings = '{\"name\": \"hunter2\"}'", "zap", "settings"),
        (
            "INSERT INTO teams (id, name) VALUES ('a b', 'hunter2'); UPDATE memberships SET team = 'a b'",
            "a b",
            "t.id",
        ),
        (
            "INSERT INTO users SELECT 'usr_x', 'x', login, email, name, password, 1, 1, NULL FROM users; \
          UPDATE sign_ins SET \"user\" = 'usr_x'",
            "usr_x",
            "u.id",
        ),
        ("UPDATE users SET name = 'hunter2'", "usr_x", "id"),
        ("UPDATE signing_keys SET public_key = '{\"hunter2'", &key, "public_key"),
    ] {
        world.sql(&damage.replace("octets", octets)).await;
        let outcomes = match column {
            "public_key" => vec![store.signing_keys.list().await.map(drop)],
            "t.id" => vec![store.users.teams(&anna.id).await.map(drop)],
            "u.id" => vec![store.users.signed_in(&hash("phone"), at(1)).await.map(drop)],
            "id" => vec![
                store.users.of_login("x", "anna").await.map(drop),
                store.users.list(None, 10).await.map(drop),
            ],
            _ => vec![
                store.applications.get(&zap.client_id).await.map(drop),
                store.applications.list(None, 10).await.map(drop),
            ],
        };
        for outcome in outcomes {
            let error = outcome.unwrap_err().to_string();
            let expected = format!("row \"{row}\", column {column}:");
            assert!(error.contains(&expected) && !error.contains("hunter2"), "{error}; wanted {expected}");
        }
    }
    assert_eq!(store.users.get(&anna.id).await.unwrap().unwrap().id.to_string(), id, "others are read");
}

pub(crate) async fn a_closed_store_says_so(world: &World) {
    world.one.subjects.put(&subject("anna")).await.unwrap();
    world.one.close().await;
    world.one.close().await;
    let error = world.one.subjects.put(&subject("anna")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(matches!(world.one.ping().await, Err(Error::Unavailable(_))));
    let other = world.two.subjects.get(&"anna".parse().unwrap()).await.unwrap();
    assert!(other.is_some(), "another store on the same database goes on");
}

pub(crate) async fn the_store_answers_a_ping(world: &World) {
    world.one.ping().await.unwrap();
    world.two.ping().await.unwrap();
}
