//! The program as it runs in production: several processes on one database.

use std::path::Path;
use std::sync::Arc;

use model::{ApiKeyScope, ApiKeyScopes, SystemClock};
use serde_json::json;
use store::api_keys::ApiKey;
use store::{Options, Store};
use tempfile::TempDir;
use tokio::task::JoinSet;
use vault::TokenHash;

use crate::harness::browser::parameter;
use crate::harness::world::{configuration, start_sandbox};
use crate::harness::{Browser, Program};

/// Writes a configuration whose listeners take any free port; the public address is fixed, as behind a balancer.
fn configure(folder: &TempDir, sandbox: &str, database: Option<&str>) -> String {
    let path = folder.path().join("claviger.toml");
    let data = folder.path().join("data");
    let text = configuration(
        "http://127.0.0.1:1",
        sandbox,
        data.to_str().unwrap(),
        database,
        "[log]\nformat = \"json\"\n",
    );
    let text = text.replace("listen = \"127.0.0.1:1\"", "listen = \"127.0.0.1:0\"");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

pub(crate) async fn add_key(url: &str) -> String {
    let store = Store::open(&Options::new(url, vault::random::id(), Arc::new(SystemClock))).await.unwrap();
    let key = format!("cvk_{}", vault::random::token().expose());
    let row = ApiKey {
        id: vault::random::id(),
        name: "test".to_owned(),
        scopes: ApiKeyScopes::from_iter([ApiKeyScope::Admin]),
        created_at: model::Clock::now(&SystemClock),
        revoked_at: None,
    };
    store.api_keys.create(&row, &TokenHash::of(&key)).await.unwrap();
    store.close().await;
    key
}

fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("data/claviger.db").display())
}

fn start(config: &str) -> (Program, String) {
    let program = Program::start(&["serve", "--config", config], &[]);
    let line = program.line_with("public");
    let url = format!("http://{}", line["public"].as_str().unwrap());
    (program, url)
}

/// Twelve callbacks with one state, spread over two processes: one exchange, one success; another browser is refused
/// by both; a disconnect at one process stops the token at the other.
async fn two_processes(database: Option<&str>) {
    let (sandbox, _stop) = start_sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let config = configure(&folder, &sandbox, database);
    let (first, one) = start(&config);
    let (second, two) = start(&config);
    let key = add_key(&database.map_or_else(|| sqlite(folder.path()), str::to_owned)).await;
    let backend = Browser::with_key(&key);
    let steer = Browser::with_key("none");
    steer
        .json(axum::http::Method::PUT, format!("{sandbox}/control"), &json!({"approve": "auto"}))
        .await
        .expect(200);

    let begun =
        backend.get(format!("{one}/api/oauth/authorize/client-7?provider=sandbox")).await.expect(200).json();
    let ticket = begun["authUrl"].as_str().unwrap().replace("http://127.0.0.1:1/", "/");
    let browser = Arc::new(Browser::new());
    let provider = browser.get(format!("{two}{ticket}")).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    browser.copy_cookies(&two, &one);
    let query = callback.query().unwrap().to_owned();
    for url in [&one, &two] {
        let foreign =
            Browser::new().get(format!("{url}/api/oauth/callback/sandbox?{query}")).await.expect(400);
        assert!(foreign.body.contains("foreign_browser"));
    }
    let mut callers = JoinSet::new();
    for number in 0..12 {
        let url = if number % 2 == 0 { &one } else { &two };
        let (browser, url) = (browser.clone(), format!("{url}/api/oauth/callback/sandbox?{query}"));
        callers.spawn(async move { browser.get(url).await });
    }
    let answers = callers.join_all().await;
    let success = |answer: &&crate::harness::Answer| {
        answer.status == 303 && parameter(&answer.location(), "oauth").as_deref() == Some("success")
    };
    assert_eq!(answers.iter().filter(success).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 400).count(), 11);
    let log = steer.get(format!("{sandbox}/control/log")).await;
    assert_eq!(log.body.matches("authorization_code").count(), 1, "{}", log.body);

    let token = |url: &str| format!("{url}/api/connections/client-7/sandbox/token");
    let seen = [
        backend.get(token(&one)).await.expect(200).json(),
        backend.get(token(&two)).await.expect(200).json(),
    ];
    assert_eq!(seen[0]["access_token"], seen[1]["access_token"]);
    let gone = backend
        .send(axum::http::Method::DELETE, &format!("{one}/api/connections/client-7/sandbox"), &[], "".into())
        .await;
    gone.expect(200);
    if database.is_none() {
        assert_eq!(backend.get(token(&two)).await.problem().0, 404, "seen at the next read");
    } else {
        // Between replicas a notice carries it, within a second; each look is a request, so nothing here only waits.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while backend.get(token(&two)).await.status != 404 {
            assert!(std::time::Instant::now() < deadline, "the other replica never noticed");
        }
    }
    for program in [first, second] {
        let (status, printed) = program.terminate();
        assert!(status.success(), "{printed}");
    }
}

#[tokio::test]
async fn the_log_can_be_asked_with_the_id_of_an_answer_at_every_level() {
    let (sandbox, _stop) = start_sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let config = configure(&folder, &sandbox, None);
    let text = std::fs::read_to_string(&config).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = text.replace("127.0.0.1:0", &port.to_string()).replace("[log]\n", "[log]\nlevel = \"warn\"\n");
    std::fs::write(&config, text).unwrap();
    let program = Program::start(&["serve", "--config", &config], &[]);
    let answer = loop {
        // At this level it does not say when it is there.
        if std::net::TcpStream::connect(port).is_ok() {
            break Browser::new().get(format!("http://{port}/api/oauth/callback?state=x")).await.expect(400);
        }
    };
    let line = program.line_with("reason");
    assert_eq!(line["message"], "attempt.refused");
    assert_eq!(line["span"]["request_id"].as_str(), Some(answer.header("x-request-id")), "{line}");
    let (status, _) = program.terminate();
    assert!(status.success());
}

#[tokio::test]
async fn two_processes_share_one_sqlite_file() {
    two_processes(None).await;
}

#[tokio::test]
async fn two_processes_share_one_postgresql_database() {
    if let Some(database) = store::testing::fresh_postgres().await {
        two_processes(Some(&database)).await;
    }
}
