//! One refresh at a time, and nothing lost: as the product's backend sees it, with a provider that misbehaves on
//! command and a clock that the test moves.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use store::connections::{Connection, ConnectionKey};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::harness::browser::parameter;
use crate::harness::world::start_sandbox;
use crate::harness::{Answer, Browser, World};

mod answers;
mod background;
mod burst;
mod flights;
mod operator;
mod records;

/// How long a test waits for what must come; only a broken product needs it.
const DEADLINE: Duration = Duration::from_secs(30);

/// Refreshes that reached the sandbox, probes of the circuit among them.
pub(crate) async fn refreshes(world: &World) -> usize {
    world.calls("token", Some("refresh_token")).await
}

/// Waits until nothing is under way. Meanwhile the clock goes on, five times as fast as ours: a flight may be waiting
/// for it.
pub(crate) async fn settle(world: &World) {
    let real = Duration::from_millis(50);
    while tokio::time::timeout(real, world.server.app.connect.drain()).await.is_err() {
        world.pass(real * 5);
    }
}

/// What the timers do each second, and the end of all that follows from it.
pub(crate) async fn tick(world: &World) {
    let connect = &world.server.app.connect;
    connect.probe_circuits();
    while connect.refresh_due().await.unwrap() {}
    connect.recover().await.unwrap();
    settle(world).await;
}

/// Lets the clock go on in steps, with the timers' work at each.
pub(crate) async fn tick_for(world: &World, duration: Duration, step: Duration) {
    let end = world.server.app.clock.now() + duration;
    while world.server.app.clock.now() < end {
        world.pass(step);
        tick(world).await;
    }
}

/// Waits until the sandbox has worked on so many refreshes; their answers may still be held back.
pub(crate) async fn until_called(world: &World, times: usize) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while refreshes(world).await < times {
        assert!(std::time::Instant::now() < deadline, "the provider was never called");
        tokio::task::yield_now().await;
    }
}

pub(crate) fn key(integration: &str) -> ConnectionKey {
    ConnectionKey {
        subject: "client-7".parse().unwrap(),
        integration: integration.parse().unwrap(),
        label: "default".parse().unwrap(),
    }
}

/// What the store has of `client-7`'s connection.
pub(crate) async fn row(world: &World, integration: &str) -> Connection {
    world.server.app.store.connections.get(&key(integration)).await.unwrap().unwrap()
}

/// The token as the backend gets it.
pub(crate) async fn token_of(world: &World, integration: &str) -> Answer {
    world.api(&format!("/api/connections/client-7/{integration}/token")).await
}

pub(crate) fn text(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// Whether the sandbox takes it.
pub(crate) async fn works(world: &World, token: &str) -> bool {
    Browser::with_key(token).get(format!("{}/api/me", world.sandbox)).await.status == 200
}

/// Connects `client-7` through any integration.
pub(crate) async fn connect(world: &World, integration: &str) {
    let browser = Browser::new();
    let callback = world.callback_url(&browser, &format!("provider={integration}")).await;
    let arrived = browser.get(callback).await.expect(303).location();
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
}

/// The sum of the lines of a metric whose name and labels begin like this.
pub(crate) async fn metric(world: &World, start: &str) -> u64 {
    let text = Browser::new().get(world.path("/metrics")).await.expect(200).body;
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(start)).collect();
    lines.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

pub(crate) async fn force(world: &World, integration: &str) -> Answer {
    world.call(Method::POST, &format!("/api/connections/client-7/{integration}/refresh"), &Value::Null).await
}

/// A world with an integration `own`: the sandbox, under an entry with other words about refreshing.
pub(crate) struct Own {
    pub(crate) world: World,
    _folder: TempDir,
    _stop: oneshot::Sender<()>,
}

impl Own {
    pub(crate) async fn with(refresh: &str, lines: &str) -> Self {
        let (sandbox, stop) = start_sandbox().await;
        let folder = tempfile::tempdir().unwrap();
        let lines = own_lines(folder.path(), &sandbox, refresh, lines);
        let mut world = World::reaching(&[sandbox.trim_start_matches("http://")], &lines).await;
        world.sandbox = sandbox;
        world.control(&json!({"approve": "auto"})).await;
        connect(&world, "own").await;
        Self { world, _folder: folder, _stop: stop }
    }
}

/// The lines of a configuration with the integration `own`, whose entry file lies in the folder.
pub(crate) fn own_lines(folder: &std::path::Path, sandbox: &str, refresh: &str, lines: &str) -> String {
    let entry = format!(
        r#"[[provider]]
id = "own"
display_name = "Own"
logo = "OW"
category = "sandbox"
documentation = "https://www.rfc-editor.org/rfc/rfc6749"
flow = "oauth2_code"
client_authentication = "basic"
pkce = "s256"
default_scopes = ["profile", "offline_access"]
access_header = "Authorization: Bearer {{token}}"
api_origins = ["{sandbox}"]

[provider.endpoints]
authorize = "{sandbox}/oauth/authorize"
token = "{sandbox}/oauth/token"
userinfo = "{sandbox}/oauth/userinfo"

[provider.refresh]
{refresh}

[provider.identity]
id = "sub"
name = "email"
"#
    );
    std::fs::write(folder.join("own.toml"), entry).unwrap();
    format!(
        "{lines}\n[catalog]\ndirectory = \"{}\"\n[integrations.own]\nclient_id = \"claviger\"\n\
         client_secret = \"sandbox-secret\"\n",
        folder.display()
    )
}
