//! The master key is changed, and the audit trail knows, whatever happens in between.

use claviger::keys::{MasterKeyChange, change_master_key};
use serde_json::Value;
use vault::MasterKey;

use crate::harness::{World, on_both_stores};

/// What the trail says of the master key, the oldest first.
async fn trail(world: &World) -> Vec<Value> {
    let mut events = world.audit().await;
    events.reverse();
    events.retain(|event| event["event"].as_str().unwrap().starts_with("master_key."));
    events.into_iter().map(|event| event["event"].clone()).collect()
}

/// Lets the trail refuse an event.
async fn refuse(world: &World, event: &str) {
    let sql = if world.text().contains("postgres") {
        format!("ALTER TABLE audit ADD CONSTRAINT refused CHECK (event NOT LIKE '%{event}%') NOT VALID")
    } else {
        format!(
            "CREATE TRIGGER refused BEFORE INSERT ON audit WHEN NEW.event LIKE '%{event}%' \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    };
    world.sql(&sql).await;
}

on_both_stores! {
    async fn a_change_that_was_cut_off_has_left_a_trace(world: World) {
        let text = world.text();
        let old = text.lines().find_map(|line| line.strip_prefix("key = ")).unwrap().trim_matches('"').to_owned();
        let old = MasterKey::parse(&old).unwrap();
        let new = MasterKey::parse(MasterKey::generate().expose()).unwrap();
        let (store, now) = (&world.server.app.store, world.server.app.clock.now());
        refuse(&world, "master_key.changed").await;
        let told = format!("{:#}", change_master_key(store, &old, &new, now).await.unwrap_err());
        assert!(told.contains("the master key IS changed"), "{told}");
        assert_eq!(trail(&world).await, ["master_key.changing"]);
        assert_eq!(change_master_key(store, &old, &new, now).await.unwrap(), MasterKeyChange::AlreadyChanged);
    }

    async fn a_change_that_would_leave_no_trace_does_not_happen(world: World) {
        let text = world.text();
        let old = text.lines().find_map(|line| line.strip_prefix("key = ")).unwrap().trim_matches('"').to_owned();
        let old = MasterKey::parse(&old).unwrap();
        let new = MasterKey::parse(MasterKey::generate().expose()).unwrap();
        let store = &world.server.app.store;
        refuse(&world, "master_key.changing").await;
        let told = change_master_key(store, &old, &new, world.server.app.clock.now()).await.unwrap_err();
        assert!(format!("{told:#}").contains("nothing was changed"), "{told:#}");
        assert!(store.keyring.all().await.unwrap().iter().all(|row| row.key.master_key_id == old.id()));
    }
}
