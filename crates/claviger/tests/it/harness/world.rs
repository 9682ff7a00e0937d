//! A server in this process, the sandbox beside it, and a clock that the test moves.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use claviger::config::{Config, Flags};
use claviger::server::{Listeners, Server};
use model::{ApiKeyScope, ApiKeyScopes, Clock, FixedClock, SystemClock, Timestamp};
use sandbox::Sandbox;
use serde_json::{Value, json};
use store::api_keys::ApiKey;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Url;
use vault::{MasterKey, TokenHash};

use super::browser::{Answer, Browser, parameter};

/// A server in this process with everything that it needs.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) sandbox: String,
    pub(crate) clock: Arc<FixedClock>,
    /// The product's backend, with an admin key.
    pub(crate) backend: Browser,
    folder: TempDir,
    pub(crate) server: Server,
    _sandbox: oneshot::Sender<()>,
}

impl World {
    pub(crate) async fn on_sqlite() -> Self {
        Self::with(None, &[], no_entries, "").await
    }

    pub(crate) async fn on_postgresql() -> Option<Self> {
        Some(Self::with(Some(store::testing::fresh_postgres().await?), &[], no_entries, "").await)
    }

    /// A server on the embedded store whose configuration has these lines besides the usual ones.
    pub(crate) async fn configured(lines: &str) -> Self {
        Self::with(None, &[], no_entries, lines).await
    }

    /// The same, and it may reach these hosts too.
    pub(crate) async fn reaching(hosts: &[&str], lines: &str) -> Self {
        Self::with(None, hosts, no_entries, lines).await
    }

    /// A server that knows these catalog entries too; `{sandbox}` in the lines stands for the sandbox's address.
    pub(crate) async fn knowing(database: Option<String>, entries: &str, lines: &str) -> Self {
        Self::knowing_at(database, |_| entries.to_owned(), lines).await
    }

    /// The same, where the entries depend on the sandbox's address.
    pub(crate) async fn knowing_at(
        database: Option<String>,
        entries: impl FnOnce(&str) -> String,
        lines: &str,
    ) -> Self {
        Self::with(database, &[], entries, lines).await
    }

    /// The same at this instant, where the sandbox's time stands still as well.
    pub(crate) async fn standing_at(
        instant: Timestamp,
        entries: impl FnOnce(&str) -> String,
        lines: &str,
    ) -> Self {
        let clock = Arc::new(FixedClock::at(instant));
        let sandbox = sandbox_by(SandboxClock(clock.clone())).await;
        Box::pin(Self::around(sandbox, clock, None, &[], entries, lines)).await
    }

    async fn with(
        database: Option<String>,
        hosts: &[&str],
        entries: impl FnOnce(&str) -> String,
        lines: &str,
    ) -> Self {
        let clock = Arc::new(FixedClock::at(SystemClock.now()));
        Box::pin(Self::around(start_sandbox().await, clock, database, hosts, entries, lines)).await
    }

    async fn around(
        (sandbox, stop_sandbox): (String, oneshot::Sender<()>),
        clock: Arc<FixedClock>,
        database: Option<String>,
        hosts: &[&str],
        entries: impl FnOnce(&str) -> String,
        lines: &str,
    ) -> Self {
        let entries = entries(&sandbox);
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut lines = lines.replace("{sandbox}", &sandbox);
        // Settings outside of all tables come before them.
        let tables = if lines.starts_with('[') { None } else { lines.find("\n[").map(|end| end + 1) };
        let setting: String = lines.drain(..tables.unwrap_or(0)).collect();
        if !entries.is_empty() {
            let catalog = folder.path().join("catalog");
            std::fs::create_dir(&catalog).unwrap();
            std::fs::write(catalog.join("own.toml"), entries).unwrap();
            lines = format!("[catalog]\ndirectory = \"{}\"\n{lines}", catalog.display());
        }
        let mut text =
            configuration(&url, &sandbox, folder.path().to_str().unwrap(), database.as_deref(), &lines);
        text.insert_str(0, &setting);
        for host in hosts {
            text = text.replace("allow_private = [", &format!("allow_private = [\"{host}\", "));
        }
        let path = folder.path().join("claviger.toml");
        std::fs::write(&path, text).unwrap();
        let flags = Flags { config: Some(path), data_dir: None };
        let config: Config = claviger::config::load(&flags, std::iter::empty()).unwrap();
        let listeners = Listeners { public: listener, backend: None };
        let server = Server::start(&config, listeners, clock.clone(), None).await.unwrap();
        let key = add_key(&server, &clock, ApiKeyScope::Admin).await;
        let world = Self {
            url,
            sandbox,
            clock,
            backend: Browser::with_key(&key),
            folder,
            server,
            _sandbox: stop_sandbox,
        };
        world.control(&json!({ "approve": "auto" })).await;
        world
    }

    /// The data directory.
    pub(crate) fn data(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The configuration as it is written.
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("claviger.toml")).unwrap()
    }

    /// Another process of the same configuration but for these words, beside this one and with the same clock; where it
    /// listens.
    pub(crate) async fn beside(&self, from: &str, to: &str) -> anyhow::Result<(Server, String)> {
        let path = self.folder.path().join("beside.toml");
        std::fs::write(&path, self.text().replace(from, to)).unwrap();
        let flags = Flags { config: Some(path), data_dir: None };
        let config = claviger::config::load(&flags, std::iter::empty()).unwrap();
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let listeners = Listeners { public: listener, backend: None };
        Ok((Server::start(&config, listeners, self.clock.clone(), None).await?, url))
    }

    /// Runs SQL behind the server's back.
    pub(crate) async fn sql(&self, statement: &str) {
        let text = self.text();
        let database = text.lines().find_map(|line| line.strip_prefix("url = "));
        let Some(database) = database else {
            let file = rusqlite::Connection::open(self.folder.path().join("claviger.db")).unwrap();
            file.busy_timeout(Duration::from_secs(30)).unwrap();
            file.execute_batch(statement).unwrap();
            return;
        };
        let (client, connection) =
            tokio_postgres::connect(database.trim_matches('"'), tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(statement).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }

    /// The product's backend with a key that has one scope.
    pub(crate) async fn backend_with(&self, scope: ApiKeyScope) -> Browser {
        Browser::with_key(&add_key(&self.server, &self.clock, scope).await)
    }

    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) async fn api(&self, path: &str) -> Answer {
        self.backend.get(self.path(path)).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.backend.json(method, self.path(path), body).await
    }

    /// Steers the sandbox.
    pub(crate) async fn control(&self, settings: &Value) {
        Browser::with_key("none")
            .json(Method::PUT, format!("{}/control", self.sandbox), settings)
            .await
            .expect(200);
    }

    /// What the sandbox was called for, at one endpoint.
    pub(crate) async fn calls(&self, endpoint: &str, grant_type: Option<&str>) -> usize {
        let log = Browser::with_key("none").get(format!("{}/control/log", self.sandbox)).await.json();
        let rows = log.as_array().cloned().or_else(|| log["log"].as_array().cloned()).unwrap();
        let counts = |row: &&Value| {
            row["endpoint"] == endpoint && grant_type.is_none_or(|grant| row["grantType"] == grant)
        };
        rows.iter().filter(counts).count()
    }

    /// The link to open in a browser, from `authorize`.
    pub(crate) async fn auth_url(&self, query: &str) -> String {
        let answer = self.api(&format!("/api/oauth/authorize/client-7?{query}")).await.expect(200);
        answer.json()["authUrl"].as_str().unwrap().to_owned()
    }

    /// The callback's address, as the provider would send the browser there; the browser has been at the hop.
    pub(crate) async fn callback_url(&self, browser: &Browser, query: &str) -> Url {
        let link = self.auth_url(query).await;
        let provider = browser.get(link).await.expect(303).location();
        let callback = browser.get(provider).await.expect(303).location();
        assert!(parameter(&callback, "code").is_some(), "{callback}");
        callback
    }

    /// The whole flow: `client-7` connects the sandbox.
    pub(crate) async fn connect(&self) {
        let browser = Browser::new();
        let callback = self.callback_url(&browser, "provider=sandbox").await;
        let arrived = browser.get(callback).await.expect(303).location();
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
    }

    pub(crate) async fn token(&self) -> Answer {
        self.api("/api/connections/client-7/sandbox/token").await
    }

    pub(crate) fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// The audit trail's events, newest first.
    pub(crate) async fn audit(&self) -> Vec<Value> {
        let entries =
            self.server.app.store.audit.newest(&store::audit::About::Anything, None, 200).await.unwrap();
        entries.iter().map(|entry| serde_json::from_str(&entry.event).unwrap()).collect()
    }

    /// The newest audit event of this name.
    pub(crate) async fn audited(&self, event: &str) -> Value {
        let trail = self.audit().await;
        trail
            .iter()
            .find(|entry| entry["event"] == event)
            .unwrap_or_else(|| panic!("{event} in {trail:?}"))
            .clone()
    }
}

/// The server's clock, for the sandbox.
struct SandboxClock(Arc<FixedClock>);

impl sandbox::Clock for SandboxClock {
    fn now_ms(&self) -> i64 {
        self.0.now().as_unix_ms()
    }
}

fn no_entries(_: &str) -> String {
    String::new()
}

async fn add_key(server: &Server, clock: &FixedClock, scope: ApiKeyScope) -> String {
    let key = format!("cvk_{}", vault::random::token().expose());
    let row = ApiKey {
        id: vault::random::id(),
        name: "test".to_owned(),
        scopes: ApiKeyScopes::from_iter([scope]),
        created_at: clock.now(),
        revoked_at: None,
    };
    server.app.store.api_keys.create(&row, &TokenHash::of(&key)).await.unwrap();
    key
}

/// What a configuration with these lines is refused for.
pub(crate) fn refused(lines: &str) -> String {
    refused_at("http://127.0.0.1:1", lines)
}

/// The same of one with this `public_url`.
pub(crate) fn refused_at(public_url: &str, lines: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (url, sandbox) = ("http://127.0.0.1:1", "http://127.0.0.1:2");
    let path = folder.path().join("claviger.toml");
    let text = configuration(url, sandbox, folder.path().to_str().unwrap(), None, lines);
    let text =
        text.replacen(&format!("public_url = \"{url}\""), &format!("public_url = \"{public_url}\""), 1);
    std::fs::write(&path, text).unwrap();
    let flags = Flags { config: Some(path), data_dir: None };
    let config = claviger::config::load(&flags, std::iter::empty()).unwrap();
    claviger::wiring::check(&config).err().map_or_else(String::new, |error| format!("{error:?} {error}"))
}

/// The sandbox on a free port; it ends when the sender is dropped.
pub(crate) async fn start_sandbox() -> (String, oneshot::Sender<()>) {
    sandbox_by(sandbox::SystemClock).await
}

/// The same by this clock.
async fn sandbox_by(clock: impl sandbox::Clock) -> (String, oneshot::Sender<()>) {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let sandbox = Sandbox::new(&url.parse().unwrap(), clock).unwrap();
    tokio::spawn(sandbox.serve(listener, async {
        let _ = stopped.await;
    }));
    (url, stop)
}

/// A configuration with the sandbox as an integration.
pub(crate) fn configuration(
    url: &str,
    sandbox: &str,
    folder: &str,
    database: Option<&str>,
    lines: &str,
) -> String {
    let listen = url.trim_start_matches("http://");
    let host = sandbox.trim_start_matches("http://");
    let key = MasterKey::generate();
    let database = database.map(|url| format!("url = \"{url}\"\n")).unwrap_or_default();
    // Quick about its retries, and quiet unless somebody reads: most tests count calls.
    let refresh = if lines.contains("[connect.refresh]") {
        ""
    } else {
        "[connect.refresh]\nbackground = false\nfirst_retry = \"10ms\"\ncall_limit = \"3s\"\n"
    };
    format!(
        "public_url = \"{url}\"\nfrontend_url = \"https://app.example.com\"\nkey = \"{}\"\ndata_dir = \"{folder}\"\n\
         [public]\nlisten = \"{listen}\"\n[backend]\nlisten = \"{listen}\"\n\
         [database]\n{database}[outbound]\nallow_private = [\"{host}\"]\nconnect_timeout = \"2s\"\ntimeout = \"3s\"\n\
         [integrations.sandbox]\nclient_id = \"claviger\"\nclient_secret = \"sandbox-secret\"\n\
         parameters = {{ sandbox_url = \"{sandbox}\" }}\n\
         {refresh}{lines}",
        key.expose()
    )
}
