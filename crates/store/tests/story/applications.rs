//! Applications, what becomes of theirs, and the assertions that they used up.

use model::{
    AccessTokenFormat, ApplicationSettings, ClientAuthentication, ClientId, GrantType, RedirectUri, Scopes,
};
use serde_json::json;
use store::applications::{Application, ApplicationSecret, Registrar};

use crate::issued::{ask, authorization, count, issue, own_token, push, user};
use crate::world::{World, at, hash};

pub(crate) fn settings() -> ApplicationSettings {
    ApplicationSettings {
        name: "Zap \"o'clock\"\0".to_owned(),
        redirect_uris: vec!["https://zap.example/return/".parse::<RedirectUri>().unwrap()],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        authentication: ClientAuthentication::Secret,
        jwks: Some(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]})),
        scopes: Scopes::parse("orders:read orders:write", " "),
        access_token_format: AccessTokenFormat::Opaque,
        access_token_ttl: Some(600),
        refresh_token_idle: None,
        refresh_token_ttl: Some(u32::MAX),
        refresh_leeway: Some(0),
        access_token_prefix: "zat_".to_owned(),
        refresh_token_prefix: "zrt_".to_owned(),
        require_pkce: false,
        redirect_uri_optional: true,
        consent_text: Some("Reads orders.\nÕige!".to_owned()),
        homepage: None,
        cors_origins: vec!["https://zap.example".to_owned()],
        serves: vec!["https://api.zap.example".to_owned()],
        login: Some(vec!["local".to_owned()]),
    }
}

pub(crate) fn application(client_id: &str) -> Application {
    Application {
        client_id: client_id.parse().unwrap(),
        settings: settings(),
        secrets: vec![
            ApplicationSecret { hash: hash("old").to_hex(), created_at: at(0), expires_at: Some(at(60)) },
            ApplicationSecret { hash: hash("new").to_hex(), created_at: at(1), expires_at: None },
        ],
        registrar: Registrar::Operator,
        registration_token: None,
        auth_method: None,
        fresh_until: None,
        revision: 1,
        created_at: at(1),
        updated_at: at(1),
    }
}

fn zap() -> ClientId {
    "zap".parse().unwrap()
}

fn itself(client_id: &str, second: i64) -> Application {
    Application { registrar: Registrar::Itself, created_at: at(second), ..application(client_id) }
}

fn document(client_id: &str, second: i64) -> Application {
    let fresh_until = Some(at(second));
    Application { registrar: Registrar::Document, fresh_until, ..itself(client_id, second) }
}

/// The same, by the name of whoever wrote it.
fn called(application: Application, caller: usize) -> Application {
    let settings = ApplicationSettings { name: caller.to_string(), ..application.settings };
    Application { settings, ..application }
}

/// All that are left, page by page.
async fn listed(world: &World, limit: u32) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None::<ClientId>);
    loop {
        let page = world.two.applications.list(after.as_ref(), limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        let Some(last) = page.last() else { return found };
        after = Some(last.client_id.clone());
        found.extend(page.into_iter().map(|application| application.client_id.to_string()));
    }
}

pub(crate) async fn an_application_reads_back_as_it_was_written(world: &World) {
    let (one, two) = (&world.one.applications, &world.two.applications);
    let url = "https://app.example/oauth/client.json?x='1'";
    let written = Application {
        registrar: Registrar::Itself,
        registration_token: Some(hash("registration")),
        auth_method: Some("client_secret_post".to_owned()),
        fresh_until: Some(at(77)),
        secrets: Vec::new(),
        revision: 7,
        updated_at: at(9),
        ..application(url)
    };
    for application in [&written, &application("zap")] {
        assert_eq!(two.get(&application.client_id).await.unwrap(), None);
        assert!(one.create(application).await.unwrap());
        assert_eq!(two.get(&application.client_id).await.unwrap().as_ref(), Some(application));
    }
    assert!(!two.create(&Application { revision: 9, ..application(url) }).await.unwrap(), "it is taken");
    assert_eq!(one.get(&written.client_id).await.unwrap(), Some(written));
}

pub(crate) async fn of_many_that_register_one_client_id_at_once_one_does(world: &World) {
    for round in 0..10 {
        let name = format!("app{round}");
        let created = world
            .at_once(8, |replica, caller| {
                let own = called(application(&name), caller);
                async move { replica.applications.create(&own).await.unwrap() }
            })
            .await;
        assert_eq!(created.iter().filter(|created| **created).count(), 1, "round {round}");
        let winner = created.iter().position(|created| *created).unwrap();
        let read = world.two.applications.get(&name.parse().unwrap()).await.unwrap();
        assert_eq!(read, Some(called(application(&name), winner)), "round {round}");
    }
}

pub(crate) async fn applications_are_listed_page_by_page(world: &World) {
    let mut ids = Vec::new();
    for name in ["b", "a", "C", "https://app.example/x", "_", "~", "A", "aa", "0"] {
        assert!(world.one.applications.create(&application(name)).await.unwrap());
        ids.push(name.to_owned());
    }
    ids.sort();
    for limit in [1, 2, 4, 100] {
        // Engines may differ about which letter is first.
        let mut found = listed(world, limit).await;
        found.sort();
        assert_eq!(found, ids, "{limit}");
    }
    assert_eq!(listed(world, 2).await, listed(world, 3).await);
}

pub(crate) async fn an_application_is_replaced_only_from_the_revision_before(world: &World) {
    let (one, two) = (&world.one.applications, &world.two.applications);
    let first = application("zap");
    let second = Application {
        settings: ApplicationSettings { name: "Another".to_owned(), require_pkce: true, ..settings() },
        secrets: Vec::new(),
        registrar: Registrar::Itself,
        registration_token: Some(hash("registration")),
        auth_method: Some("none".to_owned()),
        fresh_until: Some(at(78)),
        revision: 2,
        updated_at: at(2),
        ..first.clone()
    };
    assert!(!one.replace(&second).await.unwrap(), "there is none");
    assert!(one.create(&first).await.unwrap());
    assert!(one.create(&application("another")).await.unwrap());
    for revision in [1, 3] {
        assert!(!two.replace(&Application { revision, ..second.clone() }).await.unwrap(), "{revision}");
    }
    assert_eq!(one.get(&first.client_id).await.unwrap(), Some(first));
    assert!(two.replace(&second).await.unwrap());
    assert!(!one.replace(&second).await.unwrap(), "somebody was faster");
    assert_eq!(one.get(&second.client_id).await.unwrap(), Some(second.clone()));
    let other = one.get(&"another".parse().unwrap()).await.unwrap();
    assert_eq!(other, Some(application("another")), "others stay as they were");

    for revision in 3..13 {
        let replaced = world
            .at_once(8, |replica, caller| {
                let own = called(Application { revision, ..second.clone() }, caller);
                async move { replica.applications.replace(&own).await.unwrap() }
            })
            .await;
        assert_eq!(replaced.iter().filter(|replaced| **replaced).count(), 1, "revision {revision}");
        let winner = replaced.iter().position(|replaced| *replaced).unwrap();
        let read = one.get(&second.client_id).await.unwrap();
        assert_eq!(read, Some(called(Application { revision, ..second.clone() }, winner)));
    }
}

pub(crate) async fn an_application_goes_with_all_that_is_its(world: &World) {
    let (one, two) = (&world.one.applications, &world.two.applications);
    let requests = async || (world.count("authorizations").await, world.count("pushed_requests").await);
    let other = "zap2".parse().unwrap();
    let (anna, bert) = (user(world, 1).await, user(world, 2).await);
    for (number, user, team, client_id) in [
        (1, &anna, "", "zap"),
        (2, &anna, "rowan", "zap"),
        (3, &bert, "rowan", "zap"),
        (4, &anna, "", "zap2"),
        (5, &bert, "", "zap2"),
    ] {
        issue(world, number, user, team, client_id).await;
    }
    for (number, client_id) in [(1, "zap"), (2, "zap"), (3, "zap2")] {
        ask(world, number, client_id, Some(&anna)).await;
    }
    for client_id in [&zap(), &other] {
        assert!(one.spend_assertion(client_id, &hash("assertion"), at(60)).await.unwrap());
    }
    // The settings of one may stand in the configuration: then it is none that could be removed.
    assert!(!one.remove(&zap()).await.unwrap());
    assert_eq!((count(world).await, requests().await), ([5, 5, 5, 5, 8], (3, 3)));

    for client_id in ["zap", "zap2"] {
        assert!(one.create(&application(client_id)).await.unwrap());
    }
    let removed =
        world.at_once(8, |replica, _| async move { replica.applications.remove(&zap()).await.unwrap() });
    assert_eq!(removed.await.into_iter().filter(|removed| *removed).count(), 1);
    assert_eq!(two.get(&zap()).await.unwrap(), None);
    assert_eq!((count(world).await, requests().await), ([2, 2, 2, 2, 3], (1, 1)));
    for table in ["grants", "codes", "families", "access_tokens", "authorizations", "pushed_requests"] {
        assert_eq!(world.count(&format!("{table} WHERE client_id = 'zap'")).await, 0, "{table}");
    }
    assert_eq!(two.get(&other).await.unwrap(), Some(application("zap2")));

    // Whoever has its name next can't be spoken for with what was used up.
    assert!(two.create(&application("zap")).await.unwrap());
    assert!(!two.spend_assertion(&zap(), &hash("assertion"), at(60)).await.unwrap());
}

pub(crate) async fn an_assertion_is_used_up_once(world: &World) {
    let (one, two) = (&world.one.applications, &world.two.applications);
    for round in 0..10 {
        let used = world
            .at_once(12, |replica, _| async move {
                let assertion = hash(&round.to_string());
                replica.applications.spend_assertion(&zap(), &assertion, at(60)).await.unwrap()
            })
            .await;
        assert_eq!(used.into_iter().filter(|used| *used).count(), 1, "round {round}");
    }
    let other = "zap2".parse().unwrap();
    assert!(one.spend_assertion(&other, &hash("0"), at(60)).await.unwrap(), "it is another's");
    assert!(!two.spend_assertion(&other, &hash("0"), at(90)).await.unwrap());
}

pub(crate) async fn the_sweep_takes_the_assertions_that_ended_first_and_no_more(world: &World) {
    let (one, two) = (&world.one.applications, &world.two.applications);
    for second in [3, 0, 4, 1, 2] {
        let assertion = hash(&second.to_string());
        assert!(one.spend_assertion(&zap(), &assertion, at(second)).await.unwrap());
    }
    assert_eq!(two.sweep_assertions(at(0), 10).await.unwrap(), 0, "none ended before");
    assert_eq!(two.sweep_assertions(at(4), 2).await.unwrap(), 2);
    assert_eq!(world.count("assertions").await, 3);
    for second in [2, 3, 4] {
        let assertion = hash(&second.to_string());
        assert!(!one.spend_assertion(&zap(), &assertion, at(second)).await.unwrap(), "{second}");
    }
    let swept = world
        .at_once(
            4,
            |replica, _| async move { replica.applications.sweep_assertions(at(4), 10).await.unwrap() },
        )
        .await;
    assert_eq!((swept.iter().sum::<u64>(), world.count("assertions").await), (2, 1));
}

pub(crate) async fn the_sweep_takes_what_registered_itself_and_was_never_used(world: &World) {
    let (one, two) = (&world.one.applications, &world.two.applications);
    for (name, second) in [("third", 3), ("first", 1), ("young", 9), ("used", 0)] {
        assert!(one.create(&itself(name, second)).await.unwrap());
    }
    assert!(one.create(&document("second", 20)).await.unwrap());
    for (name, second) in [("seen", 0), ("pushed", 0)] {
        assert!(one.create(&itself(name, second)).await.unwrap());
    }
    assert!(one.create(&application("ours")).await.unwrap());
    let anna = user(world, 1).await;
    issue(world, 1, &anna, "", "used").await;
    authorization(world, 1, "seen", None).await;
    push(world, 1, "pushed").await;
    for (number, name) in [(1, "first"), (2, "third"), (3, "young")] {
        own_token(world, number, name).await;
    }
    let left = async || {
        let mut left = listed(world, 100).await;
        left.sort();
        left
    };
    assert_eq!(two.sweep_unused(at(1), 10).await.unwrap(), 0, "none is old enough");
    assert_eq!(two.sweep_unused(at(9), 1).await.unwrap(), 1);
    assert_eq!(left().await, ["ours", "pushed", "second", "seen", "third", "used", "young"]);
    let tokens = async || world.count("access_tokens WHERE family IS NULL").await;
    assert_eq!(tokens().await, 2, "what one got for itself goes with it");
    let swept = world
        .at_once(4, |replica, _| async move { replica.applications.sweep_unused(at(9), 10).await.unwrap() })
        .await;
    assert_eq!(swept.into_iter().sum::<u64>(), 1);
    assert_eq!(
        left().await,
        ["ours", "pushed", "second", "seen", "used", "young"],
        "its document is believed"
    );
    assert_eq!((tokens().await, count(world).await), (1, [1, 1, 1, 1, 2]));
}

pub(crate) async fn the_sweep_takes_documents_that_are_believed_no_longer(world: &World) {
    let (one, two) = (&world.one.applications, &world.two.applications);
    for (name, second) in [("third", 3), ("first", 1), ("young", 9), ("used", 0), ("seen", 0), ("pushed", 0)]
    {
        assert!(one.create(&document(name, second)).await.unwrap());
    }
    assert!(one.create(&itself("itself", 0)).await.unwrap());
    let anna = user(world, 1).await;
    issue(world, 1, &anna, "", "used").await;
    authorization(world, 1, "seen", None).await;
    push(world, 1, "pushed").await;
    assert_eq!(two.sweep_documents(at(1), 10).await.unwrap(), 0, "all are believed");
    assert_eq!(two.sweep_documents(at(9), 1).await.unwrap(), 1);
    assert!(one.get(&"first".parse().unwrap()).await.unwrap().is_none());
    let swept = world
        .at_once(
            4,
            |replica, _| async move { replica.applications.sweep_documents(at(9), 10).await.unwrap() },
        )
        .await;
    assert_eq!(swept.into_iter().sum::<u64>(), 1);
    let mut left = listed(world, 100).await;
    left.sort();
    assert_eq!(left, ["itself", "pushed", "seen", "used", "young"]);
}

pub(crate) async fn the_oldest_that_came_by_itself_makes_room(world: &World) {
    let (one, two) = (&world.one.applications, &world.two.applications);
    for (name, second) in [("used", 1), ("seen", 1), ("pushed", 1), ("old", 1), ("older", 0)] {
        assert!(one.create(&itself(name, second)).await.unwrap());
    }
    assert!(one.create(&document("document", 0)).await.unwrap());
    assert!(one.create(&application("ours")).await.unwrap());
    let anna = user(world, 1).await;
    issue(world, 1, &anna, "", "used").await;
    authorization(world, 1, "seen", None).await;
    push(world, 1, "pushed").await;
    own_token(world, 1, "older").await;
    let left = async || {
        let mut left = listed(world, 100).await;
        left.sort();
        left
    };
    let tokens = async || world.count("access_tokens WHERE family IS NULL").await;
    assert!(two.create_unasked(&itself("third", 2), 3).await.unwrap());
    assert_eq!((left().await.len(), tokens().await), (8, 1), "three are not too many");
    assert!(!two.create_unasked(&itself("third", 3), 1).await.unwrap(), "its id is taken, and nobody goes");
    assert_eq!(left().await.len(), 8);
    assert!(two.create_unasked(&itself("fourth", 2), 3).await.unwrap());
    assert_eq!(left().await, ["document", "fourth", "old", "ours", "pushed", "seen", "third", "used"]);
    assert_eq!(tokens().await, 0);
    // The one that comes stays, also where the clocks of others are ahead.
    assert!(two.create_unasked(&itself("fifth", 0), 1).await.unwrap());
    assert_eq!(left().await, ["document", "fifth", "ours", "pushed", "seen", "used"]);
    assert!(two.create_unasked(&document("another", 5), 1).await.unwrap());
    assert_eq!(left().await, ["another", "fifth", "ours", "pushed", "seen", "used"], "each kind by itself");
    let made = world
        .at_once(8, |replica, caller| async move {
            replica.applications.create_unasked(&itself(&format!("many{caller}"), 6), 2).await.unwrap()
        })
        .await;
    assert!(made.into_iter().all(|made| made));
    assert!(two.create_unasked(&itself("last", 7), 2).await.unwrap());
    assert_eq!(left().await.len(), 7, "{:?}", left().await);
}
