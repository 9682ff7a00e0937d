//! Authorization servers that nobody here wrote. Claviger knows them by an entry file and credentials alone.

use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use url::Url;

use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser, World};

mod django;
mod emulate;
mod oidc_provider;

/// The client that each of them knows: id and secret.
const CLIENT: (&str, &str) = ("claviger-foreign", "foreign secret/with:odd+characters");

/// A redirect URI must be registered there first, so it is fixed: nobody listens on it, and the test carries what comes
/// for it to the server.
fn redirect_uri(integration: &str) -> String {
    format!("http://127.0.0.1:9/api/oauth/callback/{integration}")
}

/// A program of `tests/foreign`.
struct Foreign {
    child: Child,
    orders: ChildStdin,
    lines: BufReader<ChildStdout>,
    /// Its address, without a slash at the end.
    url: String,
}

impl Foreign {
    /// Starts a script in Node, or says on a line that the test is skipped.
    fn node(script: &str, arguments: &[&str]) -> Option<Self> {
        Self::start("CLAVIGER_TEST_NODE", script, arguments)
    }

    /// The same in Python.
    fn python(script: &str, arguments: &[&str]) -> Option<Self> {
        Self::start("CLAVIGER_TEST_PYTHON", script, arguments)
    }

    fn start(program: &str, script: &str, arguments: &[&str]) -> Option<Self> {
        let variables = [program, "CLAVIGER_TEST_FOREIGN"].map(std::env::var);
        let [Ok(interpreter), Ok(folder)] = variables else {
            let required = std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() == Ok("1");
            assert!(!required, "CLAVIGER_TEST_REQUIRE=1, but {program} or CLAVIGER_TEST_FOREIGN is missing");
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            let _ = writeln!(std::io::stderr(), "skipped: {test} (no {program}; run `cargo xtask test`)");
            return None;
        };
        let mut child = Command::new(interpreter)
            .arg(PathBuf::from(folder).join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut foreign = Self { child, orders, lines, url: String::new() };
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

/// A server that knows `foreign` by this catalog file and these credentials.
async fn world_of(foreign: &Foreign, integration: &str, catalog: &str, client: (&str, &str)) -> World {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("foreign.toml"), catalog).unwrap();
    let lines = format!(
        "[catalog]\ndirectory = \"{}\"\n[integrations.{integration}]\nclient_id = \"{}\"\nclient_secret = \"{}\"\n\
         redirect_uri = \"{}\"\n",
        folder.path().display(),
        client.0,
        client.1,
        redirect_uri(integration),
    );
    World::reaching(&[foreign.host()], &lines).await
}

/// Clicks through whatever pages the server shows, as Anna would, until it sends the browser to `home`.
async fn click_through(browser: &Browser, start: &str, home: &str) -> Url {
    let mut answer = browser.get(start).await;
    for _ in 0..12 {
        if answer.status.is_redirection() {
            let next = answer.location();
            if next.as_str().starts_with(home) {
                return next;
            }
            answer = browser.get(next).await;
        } else {
            answer = submit(browser, &answer, "anna").await;
        }
    }
    panic!("no end: {answer:?}");
}

/// Carries what came for the redirect URI to the server, and tells where it sends the browser.
async fn arrive(world: &World, browser: &Browser, integration: &str, back: &Url) -> Url {
    let callback = format!("/api/oauth/callback/{integration}?{}", back.query().unwrap());
    browser.get(world.path(&callback)).await.expect(303).location()
}

/// Connects Anna's account for `client-7`, and gives what came back to the redirect URI.
async fn connect(world: &World, browser: &Browser, integration: &str) -> Url {
    let link = world.auth_url(&format!("provider={integration}")).await;
    let back = click_through(browser, &link, &redirect_uri(integration)).await;
    let arrived = arrive(world, browser, integration, &back).await;
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
    back
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
