//! What only a server does: roles, and connections that it ends.

use std::sync::Arc;

use store::credentials::SealedTokens;
use store::{Error, Store, testing};
use tokio_postgres::NoTls;

use crate::rows::subject;
use crate::world::{World, at, eventually, key, new_connection, options, put_tokens, tokens};

const END_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_ends_are_replaced_and_nothing_stale_is_read() {
    let Some(world) = World::postgres().await else { return };
    let (one, two, key) = (&world.one, &world.two, key("anna", "github"));
    let new = new_connection(&key, "first", 1);
    one.connections.connect(&new).await.unwrap();
    let generation = async || one.connections.standing(&key).await.map(|s| s.unwrap().generation);
    for current in 1..=5 {
        world.sql(END_ALL).await;
        // Each connection of the pool may be found dead once; whoever finds it is told to come again.
        let mut tries = 0;
        while let Err(error) = two.ping().await {
            assert!(matches!(error, Error::Unavailable(_)), "{error}");
            tries += 1;
            assert!(tries < 10, "{error}");
        }
        let set = tokens("next", current);
        assert!(put_tokens(two, &new.credential.id, current, &set).await);
        eventually("the other replica sees it", async || generation().await.is_ok_and(|g| g == current + 1))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_listens_nothing_in_memory_counts() {
    let Some(world) = World::postgres().await else { return };
    let (one, two, key) = (&world.one, &world.two, key("anna", "github"));
    let new = new_connection(&key, "first", 1);
    one.connections.connect(&new).await.unwrap();
    two.ping().await.unwrap();
    let standing = async || one.connections.standing(&key).await.unwrap().unwrap();
    let is_in_memory = async || Arc::ptr_eq(&standing().await, &standing().await);
    eventually("the cache is in use", is_in_memory).await;

    // The connections of the pools stay; no listener gets a new one. A database can't say that of itself.
    let admin = std::env::var("CLAVIGER_TEST_POSTGRES").unwrap();
    let (client, connection) = tokio_postgres::connect(&admin, NoTls).await.unwrap();
    tokio::spawn(connection);
    let database = world.url.rsplit('/').next().unwrap();
    let listeners =
        "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'claviger listener'";
    let both_listen = async || client.query(listeners, &[&database]).await.unwrap().len() == 2;
    eventually("both replicas listen", both_listen).await;
    client.batch_execute(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false")).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = $1 AND application_name = 'claviger listener'";
    assert_eq!(client.query(end, &[&database]).await.unwrap().len(), 2);
    assert!(put_tokens(two, &new.credential.id, 1, &tokens("next", 2)).await);
    eventually("the other replica sees it", async || standing().await.generation == 2).await;

    client.batch_execute(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true")).await.unwrap();
    eventually("the cache is in use again", is_in_memory).await;
}

/// A drill begins while an answer that was kept is adopted: the token that was set aside stays, not the one that stands in.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waits_for_a_drill_to_begin_sees_it() {
    let Some(world) = World::postgres().await else { return };
    let new = new_connection(&key("anna", "github"), "first", 1);
    world.one.connections.connect(&new).await.unwrap();
    let id = new.credential.id;
    let connect = async || {
        let (client, connection) = tokio_postgres::connect(&world.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    let (drills, watcher) = (connect().await, connect().await);
    let begin = format!(
        "BEGIN; SELECT 1 FROM credentials WHERE id = '{id}' FOR UPDATE; \
         INSERT INTO drills (credential, generation, fence, refresh_token, failures, updated_at, began_at, began_by) \
         SELECT id, generation, fence + 1, refresh_token, 0, updated_at, 0, 'operator' FROM credentials; \
         UPDATE credentials SET refresh_token = 'stands in', fence = fence + 1"
    );
    drills.batch_execute(&begin).await.unwrap();
    let brought = SealedTokens { refresh_token: None, ..tokens("next", 2) };
    let adopt = tokio::spawn({
        let one = world.one.clone();
        async move { one.refreshes.adopt(&id, 1, 1, &brought, None).await }
    });
    let waiting =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("it waits", async || !watcher.query(waiting, &[]).await.unwrap().is_empty()).await;
    drills.batch_execute("COMMIT").await.unwrap();
    assert!(adopt.await.unwrap().unwrap());
    let now = world.one.credentials.get(&id).await.unwrap().unwrap();
    let octets = |tokens: &SealedTokens| tokens.refresh_token.as_ref().map(|token| token.as_bytes().to_vec());
    assert_eq!(octets(&now.tokens), octets(&new.credential.tokens));
    assert_eq!(world.count("drills").await, 0);
}

/// A role that may read and write and nothing else, as the owner of the database grants it.
pub(crate) async fn grant_role(url: &str) -> (String, String) {
    let role = format!("app_{}", &vault::random::token().expose()[..16]);
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'hunter2'; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
         ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
    );
    client.batch_execute(&sql).await.unwrap();
    let mut own = url::Url::parse(url).unwrap();
    own.set_username(&role).unwrap();
    own.set_password(Some("hunter2")).unwrap();
    (role, own.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_migrate_is_told_so_and_works_once_another_has() {
    let Some(url) = testing::fresh_postgres().await else { return };
    let (role, own) = grant_role(&url).await;
    let mut options = options(&own);
    let error = Store::open(&options).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Privilege(_)), "{error}");
    let told = Store::migrate(&options).await.unwrap_err().to_string();
    assert!(told.contains("database.migrate_url") && !told.contains("claviger migrate"), "{told}");

    options.migrate_url = Some(url.clone());
    let store = Store::open(&options).await.unwrap();
    store.subjects.put(&subject("anna")).await.unwrap();
    store.connections.connect(&new_connection(&key("anna", "github"), "first", 1)).await.unwrap();
    store.connections.disconnect(&key("anna", "github"), "operator", at(2), None).await.unwrap();
    store.close().await;
    options.migrate_url = None;
    Store::open(&options).await.unwrap().close().await;

    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")).await.unwrap();
    let error = Store::open(&options).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Privilege(_)), "{error}");
    let (_, grants) =
        error.to_string().split_once("owner: ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    client.batch_execute(&grants).await.unwrap();
    Store::open(&options).await.unwrap().close().await;
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_a_wrong_database_too() {
    // Port 1 is nobody's.
    let url = "postgres://anna:hunter2@127.0.0.1:1/claviger";
    let error = Store::open(&options(url)).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
    let Some(url) = testing::fresh_postgres().await else { return };
    let mut wrong = url::Url::parse(&url).unwrap();
    wrong.set_path("no_such_database");
    let error = Store::open(&options(wrong.as_str())).await.map(drop).unwrap_err();
    assert!(
        matches!(error, Error::Unavailable(_)) && error.to_string().contains("no_such_database"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_stopped() {
    let Some(world) = World::postgres().await else { return };
    let (client, connection) = tokio_postgres::connect(&world.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE subjects").await.unwrap();
    let error = world.one.subjects.put(&subject("anna")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)) && error.to_string().contains("57014"), "{error}");
    client.batch_execute("ROLLBACK").await.unwrap();
    world.one.subjects.put(&subject("anna")).await.unwrap();
}
