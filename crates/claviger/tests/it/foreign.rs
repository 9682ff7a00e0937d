//! Authorization servers that nobody here wrote. Claviger knows them by an entry file and credentials alone.

use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser, World};

/// A program of `tests/foreign`, or a line that says what was skipped.
struct Foreign {
    child: Child,
    issuer: String,
}

impl Foreign {
    fn start(script: &str, arguments: &[&str]) -> Option<Self> {
        let variables = ["CLAVIGER_TEST_NODE", "CLAVIGER_TEST_FOREIGN"].map(std::env::var);
        let [Ok(node), Ok(folder)] = variables else {
            let required = std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() == Ok("1");
            assert!(
                !required,
                "CLAVIGER_TEST_REQUIRE=1, but CLAVIGER_TEST_NODE or CLAVIGER_TEST_FOREIGN is missing"
            );
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            let _ = writeln!(std::io::stderr(), "skipped: {test} (no Node packages; run `cargo xtask test`)");
            return None;
        };
        let mut child = Command::new(node)
            .arg(PathBuf::from(folder).join(script))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut issuer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        assert!(issuer.starts_with("http://127.0.0.1:"), "{script} printed {issuer:?}");
        Some(Self { child, issuer: issuer.trim().to_owned() })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn entry(issuer: &str) -> String {
    format!(
        r#"[[provider]]
id = "foreign"
display_name = "Foreign"
logo = "FO"
category = "identity"
documentation = "https://github.com/panva/node-oidc-provider"
flow = "oauth2_code"
issuer = "{issuer}"
callback_carries_issuer = true
client_authentication = "basic"
pkce = "s256"
default_scopes = ["openid", "email", "offline_access"]
access_header = "Authorization: Bearer {{token}}"
api_origins = ["{issuer}"]

[provider.authorize_parameters]
prompt = "consent"

[provider.endpoints]
authorize = "{issuer}/auth"
token = "{issuer}/token"
userinfo = "{issuer}/me"

[provider.refresh]
rotation = "strict"

[provider.identity]
id = "sub"
name = "email"
"#
    )
}

/// Clicks through whatever pages the server shows, as a person would, until it sends the browser to `home`.
async fn click_through(browser: &Browser, start: &str, home: &str) -> Answer {
    let mut answer = browser.get(start).await;
    for _ in 0..12 {
        if answer.status.is_redirection() {
            if answer.location().as_str().starts_with(home) {
                return answer;
            }
            answer = browser.get(answer.location()).await;
            continue;
        }
        let action =
            between(&answer.body, "action=\"", "\"").unwrap_or_else(|| panic!("no form in {answer:?}"));
        let prompt = between(&answer.body, "name=\"prompt\" value=\"", "\"").unwrap_or_default();
        let mut fields = vec![("prompt", prompt.as_str())];
        if prompt == "login" {
            fields.extend([("login", "anna"), ("password", "any")]);
        }
        let action = answer.url.join(&action).unwrap();
        answer = browser.form(action, &fields).await;
    }
    panic!("no end: {answer:?}");
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    Some(text.split_once(before)?.1.split_once(after)?.0.to_owned())
}

#[tokio::test]
async fn oidc_provider_from_npm_is_connected_by_an_entry_file_and_credentials() {
    // The redirect URI must be registered there first, so an address is fixed for it: nobody listens on it, and the
    // test carries what comes for it to the server.
    let redirect_uri = "http://127.0.0.1:9/api/oauth/callback/foreign";
    let Some(foreign) = Foreign::start("oidc-provider.mjs", &[redirect_uri]) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("foreign.toml"), entry(&foreign.issuer)).unwrap();
    let host = foreign.issuer.trim_start_matches("http://");
    let lines = format!(
        "[catalog]\ndirectory = \"{}\"\n[integrations.foreign]\nclient_id = \"claviger-foreign\"\n\
         client_secret = \"foreign secret/with:odd+characters\"\nredirect_uri = \"{redirect_uri}\"\n",
        folder.path().display()
    );
    let world = World::reaching(&[host], &lines).await;

    let browser = Browser::new();
    let link = world.auth_url("provider=foreign").await;
    let back = click_through(&browser, &link, redirect_uri).await.location();
    assert_eq!(parameter(&back, "iss").as_deref(), Some(foreign.issuer.as_str()), "RFC 9207");
    let callback = world.path(&format!("/api/oauth/callback/foreign?{}", back.query().unwrap()));
    let arrived = browser.get(callback).await.expect(303).location();
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");

    let row = world.api("/api/connections/client-7/foreign").await.expect(200).json();
    assert_eq!(row["account"], json!({"id": "anna", "name": "anna@foreign.example"}));
    assert_eq!(row["scopesMissing"], json!([]));
    let first = world.api("/api/connections/client-7/foreign/token").await.expect(200).json();
    let me = |token: &Value| Browser::with_key(token["access_token"].as_str().unwrap());
    me(&first).get(format!("{}/me", foreign.issuer)).await.expect(200);

    // It rotates its refresh token at every use and ends the grant at a reuse: three in a row prove that each new one
    // was kept.
    for _ in 0..3 {
        world.pass(Duration::from_hours(2));
        let next = world.api("/api/connections/client-7/foreign/token").await.expect(200).json();
        me(&next).get(format!("{}/me", foreign.issuer)).await.expect(200);
        assert_ne!(next["access_token"], first["access_token"]);
    }
    world.call(Method::DELETE, "/api/connections/client-7/foreign", &Value::Null).await.expect(200);
}
