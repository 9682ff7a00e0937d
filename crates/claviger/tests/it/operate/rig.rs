//! A server that runs as a process of its own, the sandbox beside it, and the commands that work on them.

use std::fmt::Write as _;
use std::process::Output;

use axum::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::harness::process::command;
use crate::harness::world::{configuration, start_sandbox};
use crate::harness::{Browser, Program};
use crate::processes::add_key;

/// Integrations that are the sandbox by other names.
const TOOLS: [&str; 3] = ["github", "jira", "figma"];

/// Our own authorization server, with an application of the configuration file.
const OWN: &str = r#"
[grant.scopes]
"reports.read" = { en = "Read your reports", et = "Lugeda sinu aruandeid" }
"reports.write" = { en = "Create reports", et = "Luua aruandeid" }
[applications.own]
client_id = "own"
public = true
redirect_uris = ["http://127.0.0.1:8976/callback"]
"#;

pub(crate) struct Rig {
    pub(crate) sandbox: String,
    pub(crate) config: String,
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) folder: TempDir,
    server: Option<Program>,
    is_shared: bool,
    _stop: oneshot::Sender<()>,
}

/// What a command said, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }
}

impl Said {
    /// The text, if it ended this way.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self.out
    }

    /// That it ended this way, and said this on standard error alone.
    #[track_caller]
    pub(crate) fn expect_err_with(self, code: i32, part: &str) {
        assert!(
            self.code == code && self.err.contains(part) && self.out.is_empty(),
            "{code}, {part:?}: {self:?}"
        );
    }

    /// That it ended this way, and said this on standard error.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32, part: &str) {
        assert!(self.code == code && self.err.contains(part), "{code}, {part:?}: {self:?}");
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// With a `#` for every number and for what only this run is called, and one space where there are more.
    pub(crate) fn shape(&self) -> Self {
        Self { out: hashed(&self.out), err: hashed(&self.err), code: self.code }
    }
}

fn hashed(text: &str) -> String {
    let mut shape = String::new();
    let text = text.replace("just now", "0 s ago");
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let number = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        // Ids are 32 hexadecimal digits.
        let length = if word >= 32 { word } else { number };
        if length > 0 {
            shape.push('#');
        } else if c != ' ' || !shape.ends_with(' ') {
            shape.push(c);
        }
        rest = &rest[length.max(c.len_utf8())..];
    }
    shape
}

impl Rig {
    pub(crate) async fn new(database: Option<&str>) -> Self {
        let (sandbox, stop) = start_sandbox().await;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut text = configuration(
            "http://127.0.0.1:1",
            &sandbox,
            data.to_str().unwrap(),
            database,
            "[log]\nformat = \"json\"\n",
        );
        for tool in TOOLS {
            let _ = write!(
                text,
                "[integrations.{tool}]\nprovider = \"sandbox\"\nclient_id = \"claviger\"\n\
                 client_secret = \"sandbox-secret\"\nparameters = {{ sandbox_url = \"{sandbox}\" }}\n"
            );
        }
        text.push_str(OWN);
        let text = text.replace("listen = \"127.0.0.1:1\"", "listen = \"127.0.0.1:0\"");
        let config = folder.path().join("claviger.toml").to_str().unwrap().to_owned();
        std::fs::write(&config, text).unwrap();
        let server = Program::start(&["serve", "--config", &config], &[]);
        let url = format!("http://{}", server.line_with("backend")["backend"].as_str().unwrap());
        let rows =
            database.map_or_else(|| format!("sqlite:{}", data.join("claviger.db").display()), str::to_owned);
        let key = add_key(&rows).await;
        let rig = Self {
            sandbox,
            config,
            url,
            key,
            folder,
            server: Some(server),
            is_shared: database.is_some(),
            _stop: stop,
        };
        rig.control(&json!({"approve": "auto"})).await;
        rig
    }

    /// The server ends; commands on the store go on.
    pub(crate) fn stop(&mut self) {
        let (status, printed) = self.server.take().unwrap().terminate();
        assert!(status.success(), "{printed}");
    }

    /// Runs a command on the store, beside the server.
    pub(crate) fn beside(&self, arguments: &[&str]) -> Said {
        command(&[arguments, &["--config", &self.config]].concat(), &[("LANG", "C.UTF-8")])
            .output()
            .unwrap()
            .into()
    }

    /// Runs a command through the server.
    pub(crate) fn through(&self, arguments: &[&str]) -> Said {
        let variables = [("LANG", "C.UTF-8"), ("CLAVIGER_API_KEY", &self.key)];
        command(&[arguments, &["--url", &self.url]].concat(), &variables).output().unwrap().into()
    }

    /// Runs a command both ways; both must say the same.
    #[track_caller]
    pub(crate) fn both(&self, arguments: &[&str]) -> Said {
        let (beside, through) = (self.beside(arguments), self.through(arguments));
        assert_eq!(beside.shape(), through.shape(), "{arguments:?}");
        beside
    }

    pub(crate) async fn control(&self, settings: &Value) {
        let steer = Browser::with_key("none");
        steer.json(Method::PUT, format!("{}/control", self.sandbox), settings).await.expect(200);
    }

    /// How many calls of this grant type the sandbox has answered.
    pub(crate) async fn calls(&self, grant_type: &str) -> usize {
        let log = Browser::with_key("none").get(format!("{}/control/log", self.sandbox)).await.json();
        let rows = log.as_array().or_else(|| log["log"].as_array()).unwrap();
        rows.iter().filter(|row| row["grantType"] == grant_type).count()
    }

    pub(crate) fn backend(&self) -> Browser {
        Browser::with_key(&self.key)
    }

    /// Somebody connects this tool for the subject.
    pub(crate) async fn connect(&self, subject: &str, tool: &str) {
        let path = format!("{}/api/oauth/authorize/{subject}?provider={tool}", self.url);
        let begun = self.backend().get(path).await.expect(200).json();
        let ticket =
            begun["authUrl"].as_str().unwrap().replace("http://127.0.0.1:1/", &format!("{}/", self.url));
        let browser = Browser::new();
        let provider = browser.get(ticket).await.expect(303).location();
        let callback = browser.get(provider).await.expect(303).location();
        let callback = callback.as_str().replace("http://127.0.0.1:1/", &format!("{}/", self.url));
        browser.get(callback).await.expect(303);
    }

    /// The token as the product's backend gets it.
    pub(crate) async fn token(&self, subject: &str, tool: &str) -> crate::harness::Answer {
        self.backend().get(format!("{}/api/connections/{subject}/{tool}/token", self.url)).await
    }

    /// The server hands out no token: on SQLite from this moment; on PostgreSQL once the notice has arrived, within a second.
    pub(crate) async fn gone(&self, subject: &str, tool: &str) {
        if !self.is_shared {
            assert_eq!(self.token(subject, tool).await.problem(), (404, "connection_not_found".to_owned()));
            return;
        }
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        // Each look is a request, so nothing here only waits.
        while self.token(subject, tool).await.status != 404 {
            assert!(std::time::Instant::now() < deadline, "the server never noticed");
        }
    }
}
