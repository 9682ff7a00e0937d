//! Processes that cannot learn of the newest key, and keys that nobody has.

use std::time::{Duration, Instant};

use axum::http::Method;
use claviger::keys::change_master_key;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use store::sealed::Table;
use vault::MasterKey;

use super::{MINUTE, check, consent, import, known, path, rotate, token};
use crate::harness::{Browser, World, on_both_stores};

/// How many codes were exchanged at the sandbox.
async fn exchanges(world: &World) -> usize {
    let log = Browser::with_key("none").get(format!("{}/control/log", world.sandbox)).await.json();
    log.as_array().unwrap().iter().filter(|row| row["grantType"] == "authorization_code").count()
}

/// Writes into every access token that it was sealed with a version that is not there.
async fn relabel_access_tokens(world: &World, version: u8) {
    for row in world.server.app.store.sealed.page(Table::Credentials, None, 100).await.unwrap() {
        let Some(value) = row.values().find(|value| value.field() == "access_token") else { continue };
        let mut octets = value.as_bytes().to_vec();
        octets[4] = version;
        let hex = HEXLOWER.encode(&octets);
        let literal =
            if world.text().contains("postgres") { format!("'\\x{hex}'") } else { format!("X'{hex}'") };
        let id = row.sealed_to();
        world.sql(&format!("UPDATE credentials SET access_token = {literal} WHERE id = '{id}'")).await;
    }
}

on_both_stores! {
    async fn a_process_that_cannot_open_the_newest_key_seals_nothing(world: World) {
        consent(&world, "anna").await;
        let browser = Browser::new();
        let link = world.api("/api/oauth/authorize/bert?provider=sandbox").await.expect(200).json();
        let provider = browser.get(link["authUrl"].as_str().unwrap().to_owned()).await.expect(303).location();
        let callback = browser.get(provider).await.expect(303).location();

        let text = world.text();
        let old = text.lines().find_map(|line| line.strip_prefix("key = ")).unwrap().trim_matches('"').to_owned();
        let new = MasterKey::generate().expose().clone();
        let (old_key, new_key) = (MasterKey::parse(&old).unwrap(), MasterKey::parse(&new).unwrap());
        let (store, connect) = (&world.server.app.store, &world.server.app.connect);
        let now = world.server.app.clock.now();
        change_master_key(store, &old_key, &new_key, now).await.unwrap();
        connect.reload_keys().await.unwrap();
        let refresh = async |subject: &str| {
            world.call(Method::POST, &format!("{}/refresh", path(subject)), &Value::Null).await
        };
        refresh("anna").await.expect(200);

        let (beside, url) = world.beside(&old, &new).await.unwrap();
        world.backend.json(Method::POST, format!("{url}/api/keys/rotate"), &Value::Null).await.expect(200);
        connect.reload_keys().await.unwrap();
        let (outdated, before) = ((503, "keys_outdated".to_owned()), exchanges(&world).await);
        assert_eq!(refresh("anna").await.problem(), outdated);
        assert_eq!(Browser::new().get(world.path("/readyz")).await.problem(), outdated);
        let tokens = json!({"accessToken": "token"});
        assert_eq!(world.call(Method::PUT, &path("carl"), &tokens).await.problem(), outdated);
        browser.get(callback.clone()).await.expect(503);
        assert_eq!(exchanges(&world).await, before, "a code was spent whose tokens could not be kept");
        assert_eq!(token(&world, &world.url, "anna").await.problem(), outdated, "sealed anew, it is whole");
        token(&world, &url, "anna").await.expect(200);
        let fit = format!("{url}{}/refresh", path("anna"));
        world.backend.json(Method::POST, fit, &Value::Null).await.expect(200);
        beside.stop().await;

        // It does all that again as soon as it can open the key; the code is still good.
        change_master_key(store, &new_key, &old_key, now).await.unwrap();
        connect.reload_keys().await.unwrap();
        Browser::new().get(world.path("/readyz")).await.expect(200);
        refresh("anna").await.expect(200);
        browser.get(callback).await.expect(303);
        assert_eq!(exchanges(&world).await, before + 1);
        assert_eq!(check(&world).await["unreadable"], 0);
    }

    async fn a_key_that_nobody_has_is_looked_for_once(world: World) {
        for subject in ["anna", "bert", "carl", "dora", "emil"] {
            import(&world, subject).await;
        }
        relabel_access_tokens(&world, 9).await;
        let began = Instant::now();
        let found = check(&world).await;
        assert_eq!(found["unreadable"], 5);
        assert_eq!((&found["values"][0]["why"], &found["values"][0]["version"]), (&json!("unknown_key"), &json!(9)));
        assert!(began.elapsed() < Duration::from_secs(3), "it took {:?}", began.elapsed());
        // A key that came to be is learnt of all the same.
        let (beside, url) = world.beside("", "").await.unwrap();
        world.backend.json(Method::POST, format!("{url}/api/keys/rotate"), &Value::Null).await.expect(200);
        let tokens = json!({"accessToken": "token"});
        world.backend.json(Method::PUT, format!("{url}{}", path("fred")), &tokens).await.expect(200);
        token(&world, &world.url, "fred").await.expect(200);
        beside.stop().await;
    }

    async fn a_key_that_must_stay_is_not_looked_at_again_for_a_day(world: World) {
        import(&world, "anna").await;
        rotate(&world).await;
        // Nothing names the first key but a value that does not open.
        relabel_access_tokens(&world, 1).await;
        world.pass(MINUTE * 61);
        let connect = &world.server.app.connect;
        connect.finish_rotation().await.unwrap();
        assert_eq!(known(&world).await, [1, 2]);
        world.call(Method::DELETE, &path("anna"), &Value::Null).await.expect(200);
        world.sql("DELETE FROM revocations").await;
        world.pass(MINUTE * 60 * 23);
        connect.finish_rotation().await.unwrap();
        assert_eq!(known(&world).await, [1, 2], "everything was gone through once more for nothing");
        world.pass(MINUTE * 61);
        connect.finish_rotation().await.unwrap();
        assert_eq!(known(&world).await, [2]);
    }
}
