//! Opening and migrating, where both engines behave alike.

use model::SystemClock;
use store::{Error, Migrate, Migrated, Store};

use crate::world::{World, options};

pub(crate) async fn a_newer_schema_is_refused(world: &World) {
    world
        .sql(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
             VALUES (9000, 'from_the_future', '2030-01-01T00:00:00Z', '1')",
        )
        .await;
    for migrate in [Migrate::AtStart, Migrate::Never] {
        let mut options = options(&world.url);
        options.migrate = migrate;
        let error = Store::open(&options).await.map(drop).unwrap_err();
        assert!(matches!(error, Error::NewerSchema { found: 9000, .. }), "{error}");
    }
    let error = Store::migrate(&options(&world.url)).await.unwrap_err();
    assert!(matches!(error, Error::NewerSchema { found: 9000, .. }), "{error}");
}

pub(crate) async fn an_old_schema_is_not_touched_when_migrating_is_forbidden(world: &World) {
    let url = world.elsewhere().await;
    let mut options = options(&url);
    options.migrate = Migrate::Never;
    let error = Store::open(&options).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::NotMigrated { found: 0, .. }), "{error}");
    assert!(error.to_string().contains("claviger migrate"), "{error}");

    let migrated = Store::migrate(&options).await.unwrap();
    assert!(migrated.applied > 0 && migrated.version > 0);
    let store = Store::open(&options).await.unwrap();
    store.subjects.ensure(&"anna".parse().unwrap(), model::Clock::now(&SystemClock)).await.unwrap();
    store.close().await;
}

pub(crate) async fn eight_processes_that_start_at_once_all_come_up(world: &World) {
    let url = world.elsewhere().await;
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let mut options = options(&url);
            options.connections = Some(2);
            tokio::spawn(async move { Store::open(&options).await })
        })
        .collect();
    let mut stores = Vec::new();
    for start in starts {
        stores.push(start.await.unwrap().unwrap());
    }
    for (n, store) in stores.iter().enumerate() {
        let at = crate::world::at(i64::try_from(n).unwrap());
        store.subjects.ensure(&format!("subject{n}").parse().unwrap(), at).await.unwrap();
    }
    for store in &stores {
        assert!(store.subjects.get(&"subject7".parse().unwrap()).await.unwrap().is_some());
        store.close().await;
    }
}

pub(crate) async fn migrating_twice_does_nothing(world: &World) {
    let Migrated { applied, version } = Store::migrate(&options(&world.url)).await.unwrap();
    assert_eq!((applied, version), (0, world.count("refinery_schema_history").await));
}
