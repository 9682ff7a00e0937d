//! Authorization servers that nobody here wrote. Claviger knows them by an entry file and credentials alone.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use axum::http::Method;
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser, World};

mod django;
mod emulate;
mod oidc_provider;

/// The client that each of them knows: id and secret.
const CLIENT: (&str, &str) = ("claviger-foreign", "foreign secret/with:odd+characters");

/// A redirect URI must be registered there first, so this place is fixed: nobody listens on it, and the test carries
/// what comes for it to the server.
const HOME: &str = "http://127.0.0.1:9";

/// What the operator writes about one of them.
#[derive(Clone, Copy)]
struct Integration {
    id: &'static str,
    /// What its redirect URI ends in: its id, or its group's.
    callback: &'static str,
    client: (&'static str, &'static str),
    /// More lines of its table.
    lines: &'static str,
}

impl Integration {
    const fn new(id: &'static str) -> Self {
        Self { id, callback: id, client: CLIENT, lines: "" }
    }

    fn redirect_uri(&self) -> String {
        format!("{HOME}/api/oauth/callback/{}", self.callback)
    }

    /// A server that knows it by this catalog file.
    async fn world(&self, foreign: &Foreign, catalog: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("foreign.toml"), catalog).unwrap();
        let lines = format!(
            "[catalog]\ndirectory = \"{}\"\n[integrations.{}]\nclient_id = \"{}\"\nclient_secret = \"{}\"\n\
             redirect_uri = \"{}\"\n{}",
            folder.path().display(),
            self.id,
            self.client.0,
            self.client.1,
            self.redirect_uri(),
            self.lines,
        );
        World::reaching(&[foreign.host()], &lines).await
    }

    /// Anna's consent, as far as the redirect URI.
    async fn consent(&self, world: &World, browser: &Browser) -> Url {
        let mut answer = browser.get(world.auth_url(&format!("provider={}", self.id)).await).await;
        for _ in 0..12 {
            if answer.status.is_redirection() {
                let next = answer.location();
                if next.as_str().starts_with(HOME) {
                    return next;
                }
                answer = browser.get(next).await;
            } else {
                answer = submit(browser, &answer, "anna").await;
            }
        }
        panic!("no end: {answer:?}");
    }

    /// Connects Anna's account for `client-7`, and gives what came back to the redirect URI.
    async fn connect(&self, world: &World, browser: &Browser) -> Url {
        let back = self.consent(world, browser).await;
        let arrived = arrive(world, browser, &back).await;
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
        back
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/connections/client-7/{}{rest}", self.id)
    }

    async fn row(&self, world: &World) -> Value {
        world.api(&self.path("")).await.expect(200).json()
    }

    async fn token(&self, world: &World) -> String {
        let answer = world.api(&self.path("/token")).await.expect(200).json();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Asks for a refresh, due or not.
    async fn refresh(&self, world: &World) -> Answer {
        world.call(Method::POST, &self.path("/refresh"), &Value::Null).await
    }
}

/// Carries what came for the redirect URI to the server, and tells where it sends the browser.
async fn arrive(world: &World, browser: &Browser, back: &Url) -> Url {
    let callback = back.as_str().replace(HOME, &world.url);
    browser.get(callback).await.expect(303).location()
}

/// A program of `tests/foreign`.
pub(crate) struct Foreign {
    child: Child,
    orders: ChildStdin,
    lines: BufReader<ChildStdout>,
    /// Its address, without a slash at the end.
    pub(crate) url: String,
    // What it leaves behind when it is killed.
    _folder: TempDir,
}

impl Foreign {
    /// Starts a script in Node, or says on a line that the test is skipped.
    pub(crate) fn node(script: &str, arguments: &[&str]) -> Option<Self> {
        Self::start("CLAVIGER_TEST_NODE", script, arguments)
    }

    /// The same in Python.
    fn python(script: &str, arguments: &[&str]) -> Option<Self> {
        Self::start("CLAVIGER_TEST_PYTHON", script, arguments)
    }

    fn start(program: &str, script: &str, arguments: &[&str]) -> Option<Self> {
        let mut command = crate::harness::script(program, script)?;
        let temporary = tempfile::tempdir().unwrap();
        let mut child = command
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut foreign = Self { child, orders, lines, url: String::new(), _folder: temporary };
        foreign.url = foreign.line();
        assert!(foreign.url.starts_with("http://127.0.0.1:"), "{script} printed {:?}", foreign.url);
        Some(foreign)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Lets it forget every code and every refresh token: `emulate.mjs` alone can.
    fn forget(&mut self) {
        self.orders.write_all(b"forget\n").unwrap();
        assert_eq!(self.line(), "forgotten");
    }

    /// Its host and port.
    fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the page's form that names `what`, or the only one, filled in.
async fn submit(browser: &Browser, page: &Answer, what: &str) -> Answer {
    let forms: Vec<&str> =
        page.body.split("<form").skip(1).map(|form| form.split("</form>").next().unwrap()).collect();
    let form = forms.iter().find(|form| form.contains(what)).or(forms.first());
    let form = form.unwrap_or_else(|| panic!("no form in {page:?}"));
    let (head, inside) = form.split_once('>').unwrap();
    let mut fields = Vec::new();
    for tag in inside.split("<input").skip(1).map(|tag| tag.split('>').next().unwrap()) {
        let Some(name) = attribute(tag, "name") else { continue };
        let value = match (attribute(tag, "type").as_deref(), name.as_str()) {
            (Some("text"), "login" | "username") => "anna".to_owned(),
            (Some("password"), _) => "any".to_owned(),
            _ => attribute(tag, "value").unwrap_or_default(),
        };
        fields.push((name, value));
    }
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let action = page.url.join(&attribute(head, "action").unwrap_or_default()).unwrap();
    browser.form(action, &fields).await
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = between(tag, &format!(" {name}=\""), "\"")?;
    let plain =
        value.replace("&quot;", "\"").replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">");
    Some(plain.replace("&amp;", "&"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}
