//! Disconnecting gives the grant back to its provider, and never depends on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use store::connections::{ConnectionKey, NewConnection};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::harness::{Answer, ThirdParty, World, on_both_stores};
use crate::refresh::{key, metric, text, until_called, works};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Disconnects `client-7` from the integration.
pub(crate) async fn disconnect(world: &World, integration: &str) -> Answer {
    world.call(Method::DELETE, &format!("/api/connections/client-7/{integration}"), &Value::Null).await
}

/// Disconnects, and tells what became of the grant.
async fn disconnected(world: &World, integration: &str) -> String {
    let body = disconnect(world, integration).await.expect(200).json();
    assert_eq!(body["connection"]["status"], "disconnected", "{body}");
    body["revocation"].as_str().unwrap().to_owned()
}

/// Lets the provider's revocation endpoint fail.
async fn fail(world: &World, kind: &str, times: u64, retry_after: Option<u64>) {
    let mut fail = json!({"kind": kind, "times": times, "endpoints": ["revoke"]});
    if let Some(seconds) = retry_after {
        fail["retryAfter"] = seconds.into();
    }
    world.control(&json!({ "fail": fail })).await;
}

/// What the timer does, and the end of all that follows from it.
async fn round(world: &World) {
    let connect = &world.server.app.connect;
    while connect.revoke_due().await.unwrap() {}
    connect.drain().await;
    connect.measure_revocations().await.unwrap();
}

async fn round_after(world: &World, time: Duration) {
    world.pass(time);
    round(world).await;
}

async fn waiting(world: &World) -> i64 {
    world.server.app.store.revocations.backlog().await.unwrap().count
}

async fn revocations(world: &World) -> usize {
    world.calls("revoke", None).await
}

on_both_stores! {
    async fn the_provider_ends_the_grant_and_the_row_tells_who_and_when(world: World) {
        world.connect().await;
        let token = text(&world.token().await.expect(200));
        let credential = world.server.app.store.connections.get(&key("sandbox")).await.unwrap().unwrap().credential;
        world.pass(MINUTE);
        let body = disconnect(&world, "sandbox").await.expect(200).json();
        assert_eq!(body["revocation"], "succeeded");
        let row = &body["connection"];
        assert_eq!((row["status"].as_str(), row["hasRefreshToken"].as_bool()), (Some("disconnected"), Some(false)));
        assert_eq!(row["disconnectedAt"], model::Clock::now(&*world.clock).to_string());
        assert!(row["disconnectedBy"].as_str().unwrap().starts_with("key_"), "{row}");
        assert_eq!(*row, world.api("/api/connections/client-7/sandbox").await.expect(200).json());
        assert_eq!((revocations(&world).await, works(&world, &token).await), (1, false));
        let store = &world.server.app.store;
        assert!(store.credentials.get(&credential.unwrap()).await.unwrap().is_none());
        assert_eq!(waiting(&world).await, 0, "no token is left");
        assert_eq!(world.audited("connection.disconnected").await["facts"]["integration"], "sandbox");
        let event = world.audited("revocation.succeeded").await;
        assert_eq!((event["subject"].as_str(), event["reason"].as_str()), (Some("client-7"), Some("succeeded")));
        let counted = "claviger_revocations_total{integration=\"sandbox\",outcome=\"succeeded\"}";
        assert_eq!(metric(&world, counted).await, 1);
        round_after(&world, HOUR * 80).await;
        assert_eq!(revocations(&world).await, 1, "it is not given back twice");
        assert_eq!(disconnect(&world, "sandbox").await.problem(), (404, "connection_not_found".to_owned()));
    }

    async fn a_provider_that_fails_is_asked_again_later_and_the_disconnect_stands(world: World) {
        for kind in ["500", "503", "reset_before", "reset_after", "redirect", "huge", "403_invalid_grant", "invalid_client"] {
            world.connect().await;
            let token = text(&world.token().await.expect(200));
            let before = revocations(&world).await;
            fail(&world, kind, 1, None).await;
            assert_eq!(disconnected(&world, "sandbox").await, "pending", "{kind}");
            assert_eq!(world.token().await.problem().0, 404, "{kind}");
            assert_eq!(works(&world, &token).await, kind != "reset_after", "the provider still honours it: {kind}");
            world.audited("revocation.failed").await;
            round_after(&world, Duration::from_secs(59)).await;
            assert_eq!((revocations(&world).await, waiting(&world).await), (before + 1, 1), "not yet: {kind}");
            round_after(&world, Duration::from_secs(1)).await;
            assert_eq!((revocations(&world).await, waiting(&world).await), (before + 2, 0), "{kind}");
            assert!(!works(&world, &token).await, "{kind}");
        }
        assert_eq!(metric(&world, "claviger_revocations_total{integration=\"sandbox\",outcome=\"failed\"}").await, 8);
    }

    async fn a_provider_that_knows_nothing_of_the_grant_has_nothing_left_to_end(world: World) {
        world.connect().await;
        fail(&world, "invalid_grant", 1, None).await;
        assert_eq!(disconnected(&world, "sandbox").await, "already_gone");
        assert_eq!((revocations(&world).await, waiting(&world).await), (1, 0));
        assert_eq!(world.audited("revocation.succeeded").await["reason"], "already_gone");
    }

    async fn a_provider_that_wants_to_be_left_alone_is(world: World) {
        world.connect().await;
        fail(&world, "429", 1, Some(600)).await;
        assert_eq!(disconnected(&world, "sandbox").await, "pending");
        round_after(&world, MINUTE * 9).await;
        assert_eq!(metric(&world, "claviger_revocations_waiting").await, 1);
        assert_eq!(metric(&world, "claviger_revocation_oldest_seconds").await, 540);
        assert_eq!(revocations(&world).await, 1);
        round_after(&world, MINUTE).await;
        assert_eq!((revocations(&world).await, waiting(&world).await), (2, 0));
    }

    async fn while_the_revocation_hangs_nobody_gets_the_token(world: World) {
        world.connect().await;
        fail(&world, "hang", 1, None).await;
        let began = Instant::now();
        let answered = std::cell::Cell::new(false);
        let (revocation, ()) = tokio::join!(
            async {
                let revocation = disconnected(&world, "sandbox").await;
                answered.set(true);
                revocation
            },
            async {
                while world.token().await.status != 404 {
                    assert!(began.elapsed() < Duration::from_secs(10), "the token is still handed out");
                }
                assert!(!answered.get(), "the provider is still waited for");
            }
        );
        assert_eq!(revocation, "pending");
        assert!(began.elapsed() < Duration::from_secs(10));
        round_after(&world, MINUTE).await;
        assert_eq!((revocations(&world).await, waiting(&world).await), (2, 0));
    }

    async fn after_three_days_it_is_given_up_and_the_tokens_are_erased(world: World) {
        world.connect().await;
        fail(&world, "500", 1000, None).await;
        assert_eq!(disconnected(&world, "sandbox").await, "pending");
        for _ in 0..71 {
            round_after(&world, HOUR).await;
        }
        assert_eq!((revocations(&world).await, waiting(&world).await), (11, 1));
        round_after(&world, HOUR).await;
        assert_eq!((revocations(&world).await, waiting(&world).await), (12, 0));
        assert_eq!(world.audited("revocation.abandoned").await["reason"], "http_500");
        assert_eq!(metric(&world, "claviger_revocations_total{integration=\"sandbox\",outcome=\"abandoned\"}").await, 1);
        round_after(&world, HOUR * 24).await;
        assert_eq!(revocations(&world).await, 12);
    }

    async fn rounds_at_the_same_time_give_a_grant_back_once(world: World) {
        world.connect().await;
        fail(&world, "500", 1, None).await;
        assert_eq!(disconnected(&world, "sandbox").await, "pending");
        world.pass(MINUTE);
        world.control(&json!({"latency": 300})).await;
        tokio::join!(round(&world), round(&world), round(&world), round(&world));
        assert_eq!((revocations(&world).await, waiting(&world).await), (2, 0));
    }

    async fn of_disconnects_at_the_same_time_one_is_told_so(world: World) {
        world.connect().await;
        let world = Arc::new(world);
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let world = world.clone();
            callers.spawn(async move { disconnect(&world, "sandbox").await.status.as_u16() });
        }
        let mut statuses = callers.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404, 404, 404, 404, 404, 404, 404]);
        assert_eq!(revocations(&world).await, 1);
    }

    async fn what_a_refresh_brings_after_the_disconnect_is_given_back_too(world: World) {
        world.connect().await;
        world.pass(HOUR * 2);
        world.control(&json!({"latency": 800})).await;
        let (read, revocation) = tokio::join!(world.token(), async {
            until_called(&world, 1).await;
            world.control(&json!({"latency": 0})).await;
            disconnected(&world, "sandbox").await
        });
        assert_eq!((read.problem().0, revocation.as_str()), (404, "succeeded"));
        round(&world).await;
        assert_eq!((revocations(&world).await, waiting(&world).await), (2, 0));
    }

    async fn a_new_consent_gives_the_one_before_not_back(world: World) {
        world.connect().await;
        world.connect().await;
        round(&world).await;
        assert_eq!(revocations(&world).await, 0);
        world.token().await.expect(200);
    }

    async fn a_provider_that_left_the_catalog_does_not_stand_in_the_way(world: World) {
        world.connect().await;
        let store = &world.server.app.store;
        let id = store.connections.get(&key("sandbox")).await.unwrap().unwrap().credential.unwrap();
        let mut credential = store.credentials.get(&id).await.unwrap().unwrap();
        credential.id = vault::random::id();
        credential.provider = "no_longer_there".parse().unwrap();
        let new = NewConnection {
            id: vault::random::id(),
            key: ConnectionKey { integration: "gone".parse().unwrap(), ..key("sandbox") },
            metadata: serde_json::Map::new(),
            requested_scopes: model::Scopes::default(),
            by: "operator".to_owned(),
            at: credential.tokens.obtained_at,
            credential,
            parts: Vec::new(),
        };
        store.connections.connect(&new).await.unwrap();
        assert_eq!(disconnected(&world, "gone").await, "unsupported");
        assert_eq!((revocations(&world).await, waiting(&world).await), (0, 0));
    }
}

/// A world with an integration `own` that gives grants back to a third party by this recipe.
pub(crate) struct Own {
    pub(crate) world: World,
    pub(crate) provider: ThirdParty,
    _folder: TempDir,
}

impl Own {
    pub(crate) async fn with(id: &str, revoke: &str, tables: &str, lines: &str) -> Self {
        let provider = ThirdParty::answering(200).await;
        let folder = tempfile::tempdir().unwrap();
        let url = &provider.url;
        let entry = format!(
            "[[provider]]\nid = \"{id}\"\ndisplay_name = \"Own\"\nlogo = \"OW\"\ncategory = \"sandbox\"\n\
             documentation = \"https://www.rfc-editor.org/rfc/rfc7009\"\nflow = \"oauth2_code\"\n\
             client_authentication = \"post\"\n[provider.endpoints]\nauthorize = \"{url}/authorize\"\n\
             token = \"{url}/token\"\n{revoke}\n{tables}\n"
        );
        std::fs::write(folder.path().join("own.toml"), entry.replace("{url}", url)).unwrap();
        let lines = format!("{lines}\n[catalog]\ndirectory = \"{}\"\n", folder.path().display());
        let world = World::reaching(&[provider.host()], &lines).await;
        Self { world, provider, _folder: folder }
    }

    /// Tokens that the product has had before, with the account that they act for.
    pub(crate) async fn import(&self, path: &str, account: Option<&str>) {
        let mut body = json!({"accessToken": "access-1", "refreshToken": "refresh-1"});
        if let Some(account) = account {
            body["account"] = json!({ "id": account });
        }
        self.world.call(Method::PUT, &format!("/api/connections/client-7/{path}"), &body).await.expect(200);
    }
}

const CONFIGURED: &str = "[integrations.own]\nclient_id = \"app\"\nclient_secret = \"secret\"\n";
const REVOKE: &str = "revoke = \"{url}/revoke\"";

fn recipe(authentication: &str, ends: &str) -> String {
    format!(
        "[provider.revocation]\ncall = {{ method = \"POST\", authentication = \"{authentication}\", body = \"form\" }}\n\
         takes = \"refresh_token\"\nends = \"{ends}\"\n"
    )
}

#[tokio::test]
async fn where_the_provider_has_no_way_to_give_it_back_nothing_is_asked() {
    let own = Own::with("own", "", "", CONFIGURED).await;
    own.import("own", None).await;
    assert_eq!(disconnected(&own.world, "own").await, "unsupported");
    assert_eq!((own.provider.asked().len(), waiting(&own.world).await), (0, 0));
}

#[tokio::test]
async fn a_grant_that_ends_as_a_whole_stays_while_the_same_account_is_connected_elsewhere() {
    let own = Own::with("own", REVOKE, &recipe("post", "grant"), CONFIGURED).await;
    let world = &own.world;
    own.import("own", Some("17")).await;
    own.import("own?label=twin", Some("17")).await;
    own.import("own?label=other", Some("18")).await;
    assert_eq!(disconnected(world, "own?label=twin").await, "shared");
    assert_eq!(own.provider.asked().len(), 0);
    assert_eq!(disconnected(world, "own").await, "succeeded");
    assert_eq!(own.provider.asked().len(), 1);
    assert_eq!(disconnected(world, "own?label=other").await, "succeeded");
    assert_eq!(own.provider.asked().len(), 2);
}

#[tokio::test]
async fn a_grant_stays_while_anybody_has_connected_the_same_account_or_one_that_nobody_knows() {
    for account in [json!({"id": "17"}), Value::Null] {
        let own = Own::with("own", REVOKE, &recipe("post", "grant"), CONFIGURED).await;
        let world = &own.world;
        own.import("own", Some("17")).await;
        let body = json!({"accessToken": "a", "refreshToken": "r", "account": account});
        world.call(Method::PUT, "/api/connections/client-8/own", &body).await.expect(200);
        assert_eq!(disconnected(world, "own").await, "shared", "{account}");
        assert_eq!((own.provider.asked().len(), waiting(world).await), (0, 0));
    }
}

#[tokio::test]
async fn of_two_who_leave_the_same_account_at_once_the_grant_goes_with_the_last() {
    let own = Own::with("own", REVOKE, &recipe("post", "grant"), CONFIGURED).await;
    let world = &own.world;
    for _ in 0..5 {
        let before = own.provider.asked().len();
        own.import("own", Some("17")).await;
        own.import("own?label=twin", Some("17")).await;
        let (one, two) = tokio::join!(disconnected(world, "own"), disconnected(world, "own?label=twin"));
        assert!(one == "succeeded" || two == "succeeded", "{one} and {two}");
        assert!(own.provider.asked().len() > before);
        assert_eq!(waiting(world).await, 0);
    }
}

#[tokio::test]
async fn while_refreshing_is_held_as_after_a_restore_nothing_old_is_given_back() {
    let own = Own::with("own", REVOKE, &recipe("post", "token_family"), CONFIGURED).await;
    let world = &own.world;
    own.import("own", Some("17")).await;
    own.provider.answer(Some(503));
    assert_eq!(disconnected(world, "own").await, "pending");
    own.provider.answer(Some(200));
    world
        .call(Method::PUT, "/api/refreshing", &json!({"state": "held", "reason": "a backup was restored"}))
        .await
        .expect(200);
    round_after(world, MINUTE).await;
    assert_eq!((own.provider.asked().len(), waiting(world).await), (1, 1));
    world.call(Method::PUT, "/api/refreshing", &json!({"state": "on"})).await.expect(200);
    round(world).await;
    assert_eq!((own.provider.asked().len(), waiting(world).await), (2, 0));
}

#[tokio::test]
async fn a_revocation_that_waits_never_ends_a_new_consent() {
    let own = Own::with("own", REVOKE, &recipe("post", "grant"), CONFIGURED).await;
    let world = &own.world;
    own.import("own", Some("17")).await;
    own.provider.answer(Some(503));
    assert_eq!(disconnected(world, "own").await, "pending");
    own.import("own", Some("17")).await;
    own.provider.answer(Some(200));
    round_after(world, MINUTE).await;
    assert_eq!((own.provider.asked().len(), waiting(world).await), (1, 0));
    world.audited("revocation.superseded").await;
    assert_eq!(disconnected(world, "own").await, "succeeded");
}

#[tokio::test]
async fn without_its_own_app_a_grant_is_not_given_back_until_the_app_returns() {
    let own = Own::with("own", REVOKE, &recipe("basic", "token_family"), "").await;
    let world = &own.world;
    let app = |id: &str| json!({"clientId": id, "clientSecret": "secret"});
    world.call(Method::PUT, "/api/integrations/own", &app("first")).await.expect(200);
    own.import("own", None).await;
    world.call(Method::DELETE, "/api/integrations/own", &Value::Null).await.expect(204);
    assert_eq!(disconnected(world, "own").await, "pending");
    assert_eq!(world.audited("revocation.failed").await["reason"], "no_app_credentials");
    world.call(Method::PUT, "/api/integrations/own", &app("second")).await.expect(200);
    round_after(world, MINUTE).await;
    assert_eq!(
        (own.provider.asked().len(), waiting(world).await),
        (0, 1),
        "another app's secret is never sent"
    );
    // The subject's own app is the one by now.
    world.call(Method::PUT, "/api/subjects/client-7/integrations/own", &app("first")).await.expect(200);
    round_after(world, MINUTE * 5).await;
    assert_eq!((own.provider.asked().len(), waiting(world).await), (1, 0));
    let asked = own.provider.asked().remove(0);
    assert_eq!((asked.path.as_str(), asked.body.as_str()), ("/revoke", "token=refresh-1"));
    let pair = data_encoding::BASE64.encode(b"first:secret");
    assert_eq!(asked.headers["authorization"], format!("Basic {pair}"));
}

#[tokio::test]
async fn a_disconnect_goes_on_when_its_caller_hangs_up() {
    let own = Own::with("own", REVOKE, &recipe("post", "token"), CONFIGURED).await;
    let world = &own.world;
    own.import("own", None).await;
    own.provider.answer(None);
    let began = Instant::now();
    tokio::select! {
        _ = disconnect(world, "own") => panic!("it was answered too soon"),
        () = async {
            while own.provider.asked().is_empty() {
                assert!(began.elapsed() < Duration::from_secs(10), "the provider was never asked");
                tokio::task::yield_now().await;
            }
        } => {}
    }
    own.provider.answer(Some(200));
    world.server.app.connect.drain().await;
    world.audited("connection.disconnected").await;
    assert_eq!(waiting(world).await, 1, "the call that hung has failed");
    round_after(world, MINUTE).await;
    assert_eq!((own.provider.asked().len(), waiting(world).await), (2, 0));
}

/// Nobody calls a round here: the job's own timer, of five seconds, does.
#[tokio::test]
async fn the_job_gives_back_what_is_due() {
    let world = World::on_sqlite().await;
    world.connect().await;
    fail(&world, "500", 1, None).await;
    assert_eq!(disconnected(&world, "sandbox").await, "pending");
    world.pass(MINUTE);
    let began = Instant::now();
    while waiting(&world).await > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "the job never came");
        tokio::task::yield_now().await;
    }
    assert_eq!(revocations(&world).await, 2);
}
