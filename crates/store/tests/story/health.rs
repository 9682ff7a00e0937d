//! A look at the database itself.

use std::fs;

use store::health::{EngineHealth, Health, PostgresHealth, SqliteHealth, look};
use store::{Error, Store, testing};
use vault::{MasterKey, WrappedKey};

use crate::behind;
use crate::postgres_server::grant_role;
use crate::world::{World, key, new_connection, options};

fn sqlite(health: &Health) -> &SqliteHealth {
    let EngineHealth::Sqlite(sqlite) = &health.engine else { panic!("{health:?}") };
    sqlite
}

fn postgres(health: &Health) -> &PostgresHealth {
    let EngineHealth::Postgres(postgres) = &health.engine else { panic!("{health:?}") };
    postgres
}

pub(crate) async fn a_sound_database_is_found_so_beside_a_running_store(world: &World) {
    for thorough in [false, true] {
        let health = look(&options(&world.url), thorough).await.unwrap();
        assert_eq!(health.schema, health.known);
        assert!(health.schema_error().is_none() && !health.foreign, "{health:?}");
        assert_eq!(health.read_only, None);
        if world.is_sqlite() {
            let sqlite = sqlite(&health);
            assert_eq!((sqlite.journal_mode.as_str(), sqlite.orphans), ("wal", 0));
            assert!(sqlite.damage.is_empty() && sqlite.synchronous_full && sqlite.foreign_keys, "{sqlite:?}");
        } else {
            let postgres = postgres(&health);
            assert!(postgres.server_version >= 150_000 && postgres.connections_free > 0, "{postgres:?}");
            assert_eq!(postgres.connections_wanted, 5);
            assert!(postgres.lacking.is_empty(), "{postgres:?}");
        }
    }
    world.one.ping().await.unwrap();
}

pub(crate) async fn a_look_makes_and_migrates_nothing(world: &World) {
    let url = world.elsewhere().await;
    if world.is_sqlite() {
        let error = look(&options(&url), false).await.unwrap_err();
        assert!(matches!(error, Error::NotMigrated { found: 0, .. }), "{error}");
        let path = url.trim_start_matches("sqlite:");
        fs::write(path, "").unwrap();
    }
    for _ in 0..2 {
        let health = look(&options(&url), false).await.unwrap();
        assert_eq!(health.schema, 0);
        assert!(!health.foreign && health.keyring.is_empty(), "{health:?}");
        assert!(matches!(health.schema_error(), Some(Error::NotMigrated { found: 0, .. })));
    }
    if world.is_sqlite() {
        let path = url.trim_start_matches("sqlite:");
        assert_eq!(fs::metadata(path).unwrap().len(), 0);
        for suffix in ["-wal", "-shm", ".lock", "-journal"] {
            assert!(!fs::exists(format!("{path}{suffix}")).unwrap(), "{suffix} is left");
        }
        world.end().await;
        let before = files(world);
        look(&options(&world.url), true).await.unwrap();
        assert_eq!(files(world), before);
    }
}

fn files(world: &World) -> Vec<String> {
    let names = fs::read_dir(world.directory.path()).unwrap();
    let mut names: Vec<_> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) async fn a_newer_and_a_foreign_schema_are_told_apart(world: &World) {
    world
        .sql(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
             VALUES (9000, 'from_the_future', '2030-01-01T00:00:00Z', '1')",
        )
        .await;
    let health = look(&options(&world.url), false).await.unwrap();
    assert!(matches!(health.schema_error(), Some(Error::NewerSchema { found: 9000, .. })));
    assert!(!health.foreign);

    let url = world.elsewhere().await;
    if world.is_sqlite() {
        fs::write(url.trim_start_matches("sqlite:"), "").unwrap();
    }
    behind::run(&url, "CREATE TABLE books (title TEXT)").await;
    let health = look(&options(&url), false).await.unwrap();
    assert!(health.foreign && health.schema_error().is_some(), "{health:?}");
    if world.is_sqlite() {
        assert_ne!(sqlite(&health).journal_mode, "wal", "another program's file stays as it is");
    }
}

pub(crate) async fn every_key_of_the_store_is_found(world: &World) {
    let master = MasterKey::parse(MasterKey::generate().expose()).unwrap();
    let keys = [WrappedKey::generate(1, &master), WrappedKey::generate(2, &master)];
    for key in &keys {
        world.one.keyring.add(key, crate::world::at(0)).await.unwrap();
    }
    let health = look(&options(&world.url), false).await.unwrap();
    assert_eq!(health.keyring, keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_and_rows_without_their_parents_are_found_in_the_file() {
    let world = World::sqlite().await;
    let new = new_connection(&key("anna", "github"), "first", 1);
    world.one.connections.connect(&new).await.unwrap();
    world.sql("PRAGMA foreign_keys = OFF; DELETE FROM credentials").await;
    let health = look(&options(&world.url), false).await.unwrap();
    assert!(sqlite(&health).orphans > 0 && sqlite(&health).damage.is_empty(), "{health:?}");
    let page =
        world.texts("SELECT rootpage || '' FROM sqlite_schema WHERE name = 'connections'").await.remove(0);
    world.end().await;
    let path = world.url.trim_start_matches("sqlite:");
    // The schema stays; the connections do not.
    let mut damaged = fs::read(path).unwrap();
    let begin = (page.parse::<usize>().unwrap() - 1) * 4096;
    damaged[begin..begin + 4096].fill(0x5a);
    fs::write(path, damaged).unwrap();
    let health = look(&options(&world.url), false).await.unwrap();
    assert!(!sqlite(&health).damage.is_empty() && sqlite(&health).damage.len() <= 10, "{health:?}");

    fs::write(path, "This is a letter, and no database at all. ".repeat(100)).unwrap();
    let error = look(&options(&world.url), false).await.unwrap_err();
    assert!(error.to_string().contains("not a SQLite database"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_may_and_lacks_is_told_privilege_by_privilege() {
    let Some(url) = testing::fresh_postgres().await else { return };
    let (role, own) = grant_role(&url).await;
    let error = look(&options(&own), false).await.map(|health| health.schema);
    assert_eq!(error.unwrap(), 0, "nothing is there, and nothing is made");
    Store::migrate(&options(&url)).await.unwrap();

    let owner = look(&options(&url), false).await.unwrap();
    assert!(postgres(&owner).may_change_schema && postgres(&owner).superuser, "{owner:?}");
    assert_eq!(postgres(&owner).audit_rewrites, ["DELETE", "TRUNCATE", "UPDATE"]);

    let health = look(&options(&own), false).await.unwrap();
    let found = postgres(&health);
    assert_eq!(found.role, role);
    assert!(!found.superuser && found.attributes.is_empty() && !found.may_change_schema, "{found:?}");
    assert!(found.lacking.is_empty() && found.is_this_machine && !found.tls, "{found:?}");
    assert_eq!(found.audit_rewrites, ["DELETE", "UPDATE"]);

    let sql = format!(
        "REVOKE UPDATE, DELETE ON audit FROM {role}; REVOKE INSERT ON attempts FROM {role}; \
         REVOKE SELECT ON keyring FROM {role}; ALTER ROLE {role} CREATEDB CONNECTION LIMIT 3"
    );
    behind::run(&url, &sql).await;
    let health = look(&options(&own), false).await.unwrap();
    let found = postgres(&health);
    assert!(found.audit_rewrites.is_empty());
    assert_eq!(found.lacking, ["INSERT ON attempts", "SELECT ON keyring"]);
    assert_eq!(found.attributes, ["CREATEDB"]);
    assert!(found.connections_free <= 3, "{found:?}");

    behind::run(&url, &format!("REVOKE USAGE ON SCHEMA public FROM PUBLIC, {role}")).await;
    let hidden = look(&options(&own), false).await;
    let hidden = hidden.unwrap();
    assert!(hidden.schema == 0 && !hidden.foreign, "{hidden:?}");
    assert_eq!(postgres(&hidden).lacking, ["USAGE ON SCHEMA public"]);
    behind::run(&url, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
