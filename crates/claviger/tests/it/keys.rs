//! Data keys are rotated, checked and retired while tokens are in use; the master key is changed.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use claviger::keys::{MasterKeyChange, change_master_key};
use connect::keys::rotate::KeyStep;
use connect::progress::Progress;
use data_encoding::HEXLOWER;
use model::{Actor, ApiKeyScope};
use serde_json::{Value, json};
use store::credentials::SealedTokens;
use store::refreshes::NewClaim;
use store::sealed::Table;
use vault::MasterKey;

use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser, World, on_both_stores};

mod master_key;
mod outdated;

const MINUTE: Duration = Duration::from_mins(1);

/// Connections that are only read: so many that a rotation takes a while.
const MANY: usize = 1000;

fn path(subject: &str) -> String {
    format!("/api/connections/{subject}/sandbox")
}

/// A connection whose token nobody refreshes.
async fn import(world: &World, subject: &str) {
    let tokens = json!({"accessToken": format!("token-of-{subject}"), "refreshToken": "another"});
    world.call(Method::PUT, &path(subject), &tokens).await.expect(200);
}

async fn import_many(world: &World, count: usize) {
    for number in 0..count {
        import(world, &format!("client-{number}")).await;
    }
}

async fn token(world: &World, url: &str, subject: &str) -> Answer {
    world.backend.get(format!("{url}{}/token", path(subject))).await
}

/// A connection at the sandbox for another subject than the usual one.
async fn consent(world: &World, subject: &str) {
    let browser = Browser::new();
    let link = format!("/api/oauth/authorize/{subject}?provider=sandbox");
    let link = world.api(&link).await.expect(200).json()["authUrl"].as_str().unwrap().to_owned();
    let provider = browser.get(link).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    let arrived = browser.get(callback).await.expect(303).location();
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
}

async fn rotate(world: &World) -> Value {
    world.call(Method::POST, "/api/keys/rotate", &Value::Null).await.expect(200).json()
}

async fn check(world: &World) -> Value {
    world.call(Method::POST, "/api/keys/check", &Value::Null).await.expect(200).json()
}

/// How many values are sealed with each version, in all tables.
fn versions(check: &Value) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for table in check["tables"].as_array().unwrap() {
        for (version, count) in table["versions"].as_object().unwrap() {
            *all.entry(version.clone()).or_default() += count.as_u64().unwrap();
        }
    }
    all
}

/// The versions with which anything is sealed.
fn keys_in_use(check: &Value) -> Vec<String> {
    versions(check).into_keys().collect()
}

async fn known(world: &World) -> Vec<u64> {
    let keys = world.api("/api/keys").await.expect(200).json();
    keys["keys"].as_array().unwrap().iter().map(|key| key["version"].as_u64().unwrap()).collect()
}

/// Reads and refreshes until the rotation is over; everything must work. Answers how many did.
async fn use_tokens(world: &World, over: &std::cell::Cell<bool>, whose: &str) -> (usize, usize) {
    let (mut reads, mut refreshes) = (0, 0);
    while !over.get() {
        for number in [reads % MANY, (reads * 7 + 13) % MANY] {
            let subject = format!("client-{number}");
            let answer = token(world, &world.url, &subject).await.expect(200);
            assert_eq!(answer.json()["access_token"], format!("token-of-{subject}"));
            reads += 1;
        }
        world.call(Method::POST, &format!("{}/refresh", path(whose)), &Value::Null).await.expect(200);
        refreshes += 1;
    }
    (reads, refreshes)
}

on_both_stores! {
    async fn a_thousand_connections_are_sealed_anew_while_their_tokens_are_read_and_refreshed(world: World) {
        import_many(&world, MANY).await;
        for subject in ["anna", "bert"] {
            consent(&world, subject).await;
        }
        let before = check(&world).await;
        assert_eq!(keys_in_use(&before), ["1"]);

        let over = std::cell::Cell::new(false);
        let rotation = async {
            let accept = [("accept", "application/jsonl"), ("content-type", "application/json")];
            let lines = world.backend.send(Method::POST, &world.path("/api/keys/rotate"), &accept, "".into()).await;
            over.set(true);
            lines.expect(200)
        };
        let (lines, anna, bert) =
            tokio::join!(rotation, use_tokens(&world, &over, "anna"), use_tokens(&world, &over, "bert"));
        assert!(anna.0 > 1 && anna.1 > 0 && bert.1 > 0, "they were in each other's way: {anna:?} {bert:?}");

        let lines: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0], json!({"step": "added", "version": 2}));
        let rows = MANY as u64 + 2;
        let done = json!({"step": "table", "table": "credentials", "done": rows, "total": rows});
        assert!(lines.contains(&done), "{lines:?}");
        let result = &lines.last().unwrap()["result"];
        assert_eq!((&result["version"], &result["added"], &result["retired"]), (&json!(2), &json!(true), &json!([])));
        assert_eq!(result["kept"][0]["reason"], "too_recent");
        let table = |name: &str| result["tables"].as_array().unwrap().iter().find(|t| t["table"] == name).unwrap().clone();
        assert_eq!(table("credentials")["older"], json!({}), "{result}");
        assert!(table("credentials")["resealed"].as_u64().unwrap() >= MANY as u64, "{result}");

        let found = check(&world).await;
        assert_eq!((keys_in_use(&found), &found["unreadable"]), (vec!["2".to_owned()], &json!(0)));
        assert_eq!(known(&world).await, [1, 2]);
        // A process that never had the first key in its memory reads them all.
        let (beside, url) = world.beside("", "").await.unwrap();
        for subject in ["anna", "bert", "client-0", "client-999"] {
            token(&world, &url, subject).await.expect(200);
        }
        beside.stop().await;
        let event = world.audited("key.rotated").await;
        assert_eq!((&event["target"], &event["facts"]["version"]), (&json!("2"), &json!(2)));
    }

    async fn a_key_is_retired_an_hour_after_another_took_its_place_and_not_before(world: World) {
        consent(&world, "anna").await;
        import(&world, "client-0").await;
        rotate(&world).await;
        let connect = &world.server.app.connect;
        world.pass(MINUTE * 59);
        connect.finish_rotation().await.unwrap();
        assert_eq!(known(&world).await, [1, 2], "another process may still seal with it");

        // A call of unknown fate: its answer may lie in the spool of a replica that is cut off.
        let credentials = world.server.app.store.sealed.page(Table::Credentials, None, 1).await.unwrap();
        let credential = credentials[0].sealed_to().parse().unwrap();
        let look = world.server.app.store.refreshes.look(&credential).await.unwrap().unwrap();
        let claim = NewClaim {
            credential, generation: look.credential.generation, fence: look.fence, again: false,
            holder: vault::random::id(), lease: MINUTE, step: 1,
        };
        world.server.app.store.refreshes.claim(&claim).await.unwrap().unwrap();
        world.sql("UPDATE refresh_journal SET started_at = started_at - 3540000").await;
        world.pass(MINUTE);
        let kept = rotate_again(&world).await;
        assert_eq!((&kept["version"], &kept["reason"], &kept["count"]), (&json!(1), &json!("calls_open"), &json!(1)));

        world.sql("DELETE FROM refresh_journal").await;
        connect.finish_rotation().await.unwrap();
        assert!(!known(&world).await.contains(&1));
        assert_eq!(world.audited("key.retired").await["target"], "1");
        assert_eq!(check(&world).await["unreadable"], 0);
        // Twice is as good as once.
        connect.finish_rotation().await.unwrap();
        assert_eq!(known(&world).await, [2, 3]);
    }

    async fn a_process_beside_reads_what_the_new_key_sealed_and_seals_with_it(world: World) {
        import(&world, "client-0").await;
        let (beside, url) = world.beside("", "").await.unwrap();
        let put = async |subject: &str| {
            let tokens = json!({"accessToken": format!("token-of-{subject}")});
            world.backend.json(Method::PUT, format!("{url}{}", path(subject)), &tokens).await.expect(200)
        };
        rotate(&world).await;
        put("before").await;
        // It does not know better yet, unless its timer came just now.
        let stale = versions(&check(&world).await).get("1").copied();
        import(&world, "client-1").await;
        for subject in ["client-0", "client-1"] {
            let answer = token(&world, &url, subject).await.expect(200);
            assert_eq!(answer.json()["access_token"], format!("token-of-{subject}"));
        }
        put("after").await;
        let found = check(&world).await;
        assert_eq!((versions(&found).get("1").copied(), &found["unreadable"]), (stale, &json!(0)));
        // What it sealed with the older key meanwhile is found before that key is retired.
        world.pass(MINUTE * 61);
        world.server.app.connect.finish_rotation().await.unwrap();
        assert_eq!(known(&world).await, [2]);
        assert_eq!(check(&world).await["unreadable"], 0);
        beside.stop().await;
    }

    async fn a_rotation_that_was_interrupted_is_gone_on_with(world: World) {
        import_many(&world, 300).await;
        let connect = &world.server.app.connect;
        for _ in 0..3 {
            let (progress, mut steps) = Progress::heard();
            tokio::select! {
                // First, so that the rotation is not driven on once it has begun.
                biased;
                step = steps.recv() => {
                    assert!(matches!(step, Some(KeyStep::Added { version: 2 } | KeyStep::Continued { version: 2 })));
                }
                _ = connect.rotate_keys(Actor::Operator, &progress) => panic!("it was to be interrupted"),
            }
            assert_eq!(known(&world).await, [1, 2], "another key would only cost more work");
            assert_eq!(check(&world).await["unreadable"], 0);
        }
        let done = rotate(&world).await;
        assert_eq!((&done["version"], &done["added"]), (&json!(2), &json!(false)));
        assert_eq!(keys_in_use(&check(&world).await), ["2"]);
        let again = rotate(&world).await;
        assert_eq!((&again["version"], &again["added"]), (&json!(3), &json!(true)));
    }

    async fn a_check_names_what_was_changed_or_copied_and_a_rotation_leaves_it(world: World) {
        for subject in ["anna", "bert", "carl"] {
            import(&world, subject).await;
        }
        world.sql("UPDATE credentials SET access_token = (SELECT access_token FROM credentials WHERE subject = 'anna') \
                   WHERE subject = 'bert'").await;
        let pages = world.server.app.store.sealed.page(Table::Credentials, None, 10).await.unwrap();
        let store = &world.server.app.store;
        let id = async |subject: &str| {
            let key = store::connections::ConnectionKey {
                subject: subject.parse().unwrap(), integration: "sandbox".parse().unwrap(), label: <_>::default(),
            };
            store.connections.get(&key).await.unwrap().unwrap().credential.unwrap().to_string()
        };
        let (bert, carl) = (id("bert").await, id("carl").await);
        let row = pages.iter().find(|row| row.sealed_to() == carl).unwrap();
        let mut octets = row.values().find(|value| value.field() == "refresh_token").unwrap().as_bytes().to_vec();
        octets[40] ^= 1;
        let hex = HEXLOWER.encode(&octets);
        let literal = if world.text().contains("postgres") { format!("'\\x{hex}'") } else { format!("X'{hex}'") };
        world.sql(&format!("UPDATE credentials SET refresh_token = {literal} WHERE id = '{carl}'")).await;

        let found = check(&world).await;
        assert_eq!(found["unreadable"], 2);
        let mut named: Vec<String> = found["values"].as_array().unwrap().iter()
            .map(|v| format!("{} {} {}", v["row"].as_str().unwrap(), v["field"].as_str().unwrap(), v["why"].as_str().unwrap()))
            .collect();
        named.sort();
        let mut expected = [format!("{bert} access_token refused"), format!("{carl} refresh_token refused")];
        expected.sort();
        assert_eq!(named, expected);
        assert!(found["values"].as_array().unwrap().iter().all(|v| v["table"] == "credentials" && v["version"] == 1));
        assert_eq!(versions(&found)["1"], 4);

        let done = rotate(&world).await;
        let credentials = done["tables"].as_array().unwrap().iter().find(|t| t["table"] == "credentials").unwrap();
        assert_eq!((&credentials["unreadable"], &credentials["older"]), (&json!(2), &json!({"1": 2})));
        world.pass(MINUTE * 61);
        world.server.app.connect.finish_rotation().await.unwrap();
        assert_eq!(known(&world).await, [1, 2], "what names it may come back from a backup");
        let kept = rotate_again(&world).await;
        assert_eq!((&kept["reason"], &kept["count"]), (&json!("in_use"), &json!(2)));
        token(&world, &world.url, "anna").await.expect(200);
        world.call(Method::DELETE, &path("bert"), &Value::Null).await.expect(200);
        world.call(Method::DELETE, &path("carl"), &Value::Null).await.expect(200);
    }

    async fn a_new_master_key_opens_the_store_and_the_old_one_no_more(world: World) {
        import(&world, "client-0").await;
        rotate(&world).await;
        let text = world.text();
        let old = text.lines().find_map(|line| line.strip_prefix("key = ")).unwrap().trim_matches('"').to_owned();
        let new = MasterKey::generate().expose().clone();
        let (old_key, new_key) = (MasterKey::parse(&old).unwrap(), MasterKey::parse(&new).unwrap());
        let store = &world.server.app.store;
        let now = world.server.app.clock.now();

        let wrong = MasterKey::parse(MasterKey::generate().expose()).unwrap();
        let refused = change_master_key(store, &wrong, &new_key, now).await.unwrap_err();
        assert!(format!("{refused:#}").contains(&old_key.id()), "{refused:#}");
        let changed = change_master_key(store, &old_key, &new_key, now).await.unwrap();
        assert_eq!(changed, MasterKeyChange::Changed { data_keys: 2 });
        assert_eq!(change_master_key(store, &old_key, &new_key, now).await.unwrap(), MasterKeyChange::AlreadyChanged);
        assert_eq!(world.audited("master_key.changed").await["facts"]["to"], new_key.id());

        // The process that runs goes on with what it has.
        world.server.app.connect.reload_keys().await.unwrap();
        token(&world, &world.url, "client-0").await.expect(200);
        import(&world, "client-1").await;
        Browser::new().get(world.path("/readyz")).await.expect(200);
        assert_eq!(check(&world).await["unreadable"], 0);
        let refused = world.call(Method::POST, "/api/keys/rotate", &Value::Null).await;
        assert_eq!(refused.problem(), (409, "master_key_changed".to_owned()));

        let error = world.beside("", "").await.map(drop).unwrap_err();
        let told = format!("{error:#}");
        assert!(told.contains("give the key that was used before") && told.contains(&new_key.id()), "{told}");
        let (beside, url) = world.beside(&old, &new).await.unwrap();
        for subject in ["client-0", "client-1"] {
            token(&world, &url, subject).await.expect(200);
        }
        let rotated = world.backend.json(Method::POST, format!("{url}/api/keys/rotate"), &Value::Null).await.expect(200);
        assert_eq!(rotated.json()["version"], 3);
        beside.stop().await;
    }

    async fn only_an_admin_may_see_rotate_and_check_keys_and_nobody_sees_one(world: World) {
        let writer = world.backend_with(ApiKeyScope::ConnectionsWrite).await;
        assert_eq!(writer.get(world.path("/api/keys")).await.problem().1, "insufficient_scope");
        for deed in ["rotate", "check"] {
            let path = world.path(&format!("/api/keys/{deed}"));
            assert_eq!(writer.json(Method::POST, path, &Value::Null).await.problem().1, "insufficient_scope");
        }
        let keys = world.api("/api/keys").await.expect(200).json();
        let key = &keys["keys"][0];
        let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["createdAt", "current", "spreadAt", "version"]);
        assert_eq!((&key["version"], &key["current"]), (&json!(1), &json!(true)));
        assert_eq!(key["createdAt"], world.server.app.clock.now().to_string());
    }
}

/// Rotates, and tells why the first of the older keys stays.
async fn rotate_again(world: &World) -> Value {
    rotate(world).await["kept"][0].clone()
}

#[tokio::test]
async fn an_answer_in_the_spool_keeps_its_key() {
    let Some(world) = World::on_postgresql().await else { return };
    import(&world, "anna").await;
    // The answer of a call whose credential is gone, as a replica keeps it for a while.
    let credentials = world.server.app.store.sealed.page(Table::Credentials, None, 1).await.unwrap();
    let id = credentials[0].sealed_to().parse().unwrap();
    let tokens: SealedTokens = world.server.app.store.credentials.get(&id).await.unwrap().unwrap().tokens;
    let gone = id.to_string();
    world.call(Method::DELETE, &path("anna"), &Value::Null).await.expect(200);
    world.sql("DELETE FROM revocations").await;
    let mut text = serde_json::to_string(&tokens).unwrap();
    text.push('\n');
    std::fs::write(world.data().join("spool").join(format!("{gone}.1.1")), text).unwrap();

    let (beside, url) = world.beside("", "").await.unwrap();
    let ask = async |deed: &str| {
        world
            .backend
            .json(Method::POST, format!("{url}/api/keys/{deed}"), &Value::Null)
            .await
            .expect(200)
            .json()
    };
    let found = ask("check").await;
    let spool = found["tables"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&spool["table"], &spool["rows"], &spool["versions"]),
        (&json!("spool"), &json!(1), &json!({"1": 2}))
    );
    ask("rotate").await;
    world.pass(MINUTE * 61);
    let done = ask("rotate").await;
    assert_eq!(done["kept"][0], json!({"version": 1, "reason": "in_use", "count": 2}));
    beside.stop().await;
}
