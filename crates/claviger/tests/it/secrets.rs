//! Nothing secret in clear: neither in what the process prints at its most talkative, nor in the data directory, nor in
//! a row of the database, nor in the metrics.
//!
//! A recorder stands between Claviger and the sandbox and notes every code, verifier and token that passes; the
//! browser's side adds tickets, states, cookies and the links of invitations, whose addresses are no less secret.

mod grant;
mod stripe;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::browser::parameter;
use crate::harness::world::{configuration, start_sandbox};
use crate::harness::{Browser, Program, Smtp, SmtpOptions};

type Secrets = Arc<Mutex<BTreeSet<String>>>;

/// The names under which secrets travel, in forms and in JSON.
const NAMES: [&str; 6] = ["code", "code_verifier", "client_secret", "refresh_token", "access_token", "token"];

#[derive(Clone)]
struct Recorder {
    target: String,
    secrets: Secrets,
}

/// Passes everything on, and notes what is secret in it.
async fn record(State(recorder): State<Recorder>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    note_form(&recorder.secrets, &body);
    let uri = format!("{}{}", recorder.target, parts.uri.path_and_query().unwrap());
    let mut outgoing = axum::http::Request::builder().method(parts.method).uri(uri);
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != "host") {
        outgoing = outgoing.header(name, value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(outgoing.body(Full::new(body)).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    note_json(&recorder.secrets, &body);
    Response::from_parts(parts, Body::from(body))
}

fn note_form(secrets: &Secrets, body: &Bytes) {
    let pairs = url::form_urlencoded::parse(body).filter(|(name, _)| NAMES.contains(&&**name));
    secrets.lock().unwrap().extend(pairs.map(|(_, value)| value.into_owned()));
}

fn note_json(secrets: &Secrets, body: &Bytes) {
    if let Ok(Value::Object(members)) = serde_json::from_slice(body) {
        let found = NAMES.iter().filter_map(|name| members.get(*name)?.as_str());
        secrets.lock().unwrap().extend(found.map(str::to_owned));
    }
}

/// Every spelling in which a secret could lie somewhere.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let octets = secret.as_bytes();
    [
        secret.to_owned(),
        encoded,
        BASE64.encode(octets),
        BASE64URL_NOPAD.encode(octets),
        HEXLOWER.encode(octets),
    ]
    .map(String::into_bytes)
    .into()
}

#[track_caller]
fn search(place: &str, content: &[u8], secrets: &BTreeSet<String>) {
    for secret in secrets {
        for spelling in spellings(secret) {
            let found = content.windows(spelling.len()).any(|window| window == spelling);
            assert!(!found, "{place} holds a secret that begins with {:?}", &secret[..secret.len().min(9)]);
        }
    }
}

fn search_folder(folder: &Path, secrets: &BTreeSet<String>) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += search_folder(&path, secrets);
        } else {
            search(&path.display().to_string(), &std::fs::read(&path).unwrap(), secrets);
            files += 1;
        }
    }
    files
}

/// Every row of every table as text, octets as hex.
async fn dump(url: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let tables =
        client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
    let mut text = String::new();
    for table in tables {
        let table: String = table.get(0);
        for row in client.query(&format!("SELECT t::text FROM \"{table}\" t"), &[]).await.unwrap() {
            text.push_str(&row.get::<_, String>(0));
        }
    }
    text
}

/// With what the program signs in at the mail server.
const SIGN_IN: (&str, &str) = ("mail-user-0455", "mail-password-0456");

/// A mail server that takes letters for Anna alone.
async fn post_office(folder: &Path) -> Option<(Smtp, String)> {
    let options = SmtpOptions { credentials: Some(SIGN_IN), ..SmtpOptions::default() };
    let smtp = Smtp::start(options).await?;
    let authority = folder.join("mail-ca.pem");
    std::fs::write(&authority, &smtp.authority).unwrap();
    let lines = format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {}\nfrom = \"hello@rowan.example\"\nca_file = \"{}\"\n\
         username = \"{}\"\npassword = \"{}\"\n",
        smtp.port,
        authority.display(),
        SIGN_IN.0,
        SIGN_IN.1
    );
    Some((smtp, lines))
}

async fn no_secret_lies_in_clear(database: Option<&str>) {
    let (sandbox, _stop) = start_sandbox().await;
    let secrets: Secrets = Arc::default();
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let recorder = format!("http://{}", listener.local_addr().unwrap());
    let state = Recorder { target: sandbox.clone(), secrets: secrets.clone() };
    tokio::spawn(
        async move { axum::serve(listener, Router::new().fallback(record).with_state(state)).await },
    );

    // The browser talks to the sandbox itself; only the token endpoint and what follows pass the recorder.
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let catalog = folder.path().join("catalog");
    std::fs::create_dir(&catalog).unwrap();
    std::fs::write(catalog.join("recorded.toml"), entry(&sandbox, &recorder)).unwrap();
    let mut post = post_office(folder.path()).await;
    let mail = post.as_ref().map_or("", |(_, lines)| lines);
    let lines = format!(
        "{mail}[log]\nformat = \"json\"\nlevel = \"trace\"\n[catalog]\ndirectory = \"{}\"\n\
         [integrations.recorded]\nclient_id = \"claviger\"\nclient_secret = \"sandbox-secret\"\n",
        catalog.display()
    );
    let text = configuration("http://127.0.0.1:1", &sandbox, data.to_str().unwrap(), database, &lines);
    let recorder_host = recorder.trim_start_matches("http://");
    let text = text
        .replace("listen = \"127.0.0.1:1\"", "listen = \"127.0.0.1:0\"")
        .replace("allow_private = [", &format!("allow_private = [\"{recorder_host}\", "));
    let master = text.split("key = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let config = folder.path().join("claviger.toml");
    std::fs::write(&config, text).unwrap();
    let program = Program::start(&["serve", "--config", config.to_str().unwrap()], &[]);
    let url = format!("http://{}", program.line_with("public")["public"].as_str().unwrap());

    let sqlite = format!("sqlite:{}", data.join("claviger.db").display());
    let key = super::processes::add_key(database.unwrap_or(&sqlite)).await;
    let note = |secret: &str| secrets.lock().unwrap().insert(secret.to_owned());
    note(&key);
    note(&master);
    let backend = Browser::with_key(&key);
    backend.json(Method::PUT, format!("{sandbox}/control"), &json!({"approve": "auto"})).await.expect(200);

    live(&backend, &url, &sandbox, &note).await;
    if let Some((smtp, _)) = &mut post {
        invite(&backend, &url, smtp, &note).await;
    }
    let metrics = backend.get(format!("{url}/metrics")).await.expect(200).body;

    let noted = secrets.lock().unwrap().clone();
    assert!(noted.len() >= 25, "the recorder saw {} secrets", noted.len());
    assert!(noted.contains("sandbox-secret"), "the token endpoint was recorded");
    search("the metrics", metrics.as_bytes(), &noted);
    // While it runs, with the write-ahead log still full; and when everything is written.
    assert!(database.is_some() || search_folder(&data, &noted) >= 3);
    if let Some(database) = database {
        search("PostgreSQL", dump(database).await.as_bytes(), &noted);
    }
    let (status, printed) = program.terminate();
    assert!(status.success(), "{printed}");
    assert!(
        [
            "attempt.completed",
            "refresh.succeeded",
            "drill.ended",
            "revocation.succeeded",
            "revocation.failed"
        ]
        .iter()
        .all(|event| printed.contains(event)),
        "it was talkative: {printed}"
    );
    assert!(
        post.is_none()
            || ["mail.sent", "mail.retrying", "mail.refused"].iter().all(|event| printed.contains(event)),
        "of mails too: {printed}"
    );
    search("the log", printed.as_bytes(), &noted);
    // Whatever a request led to, also what goes on without it, is found by the request's id.
    for event in ["attempt.completed", "attempt.refused", "request.answered"] {
        let lines: Vec<&str> =
            printed.lines().filter(|line| line.contains(&format!("\"{event}\""))).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("req_")), "{event}: {lines:?}");
    }
    if database.is_none() {
        search_folder(&data, &noted);
    }
    // The search itself finds what lies there.
    let planted = std::panic::catch_unwind(|| search("here", format!("x{master}x").as_bytes(), &noted));
    assert!(planted.is_err());
}

/// Twice the whole way, once from a foreign browser, once refused; a refresh, an import, app credentials, mistakes; two
/// disconnects, of which one leaves tokens that are still to be given back.
async fn live(backend: &Browser, url: &str, sandbox: &str, note: &impl Fn(&str) -> bool) {
    let browser = Browser::new();
    for round in 0..4 {
        let begun = backend
            .get(format!("{url}/api/oauth/authorize/client-7?provider=recorded"))
            .await
            .expect(200)
            .json();
        let ticket = begun["authUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        note(&ticket);
        let provider = browser.get(format!("{url}/connect/start/{ticket}")).await.expect(303).location();
        note(&parameter(&provider, "state").unwrap());
        for value in browser.cookies_of(url).into_values() {
            note(&value);
        }
        let callback = browser.get(provider).await.expect(303).location();
        note(&parameter(&callback, "code").unwrap());
        let query = callback.query().unwrap();
        let callback = format!("{url}/api/oauth/callback/recorded?{query}");
        match round {
            2 => drop(Browser::new().get(&callback).await.expect(400)),
            3 => {
                browser.get(format!("{callback}&state=x")).await.expect(400);
                browser.get(format!("{callback}&error=server_error")).await.expect(400);
            }
            _ => drop(browser.get(&callback).await.expect(303)),
        }
    }
    let token = format!("{url}/api/connections/client-7/recorded");
    note(backend.get(format!("{token}/token")).await.expect(200).json()["access_token"].as_str().unwrap());
    backend.json(Method::POST, format!("{token}/refresh"), &Value::Null).await.expect(200);
    note(backend.get(format!("{token}/token")).await.expect(200).json()["access_token"].as_str().unwrap());
    let order = json!({"yesReally": true});
    let played = backend.json(Method::POST, format!("{token}/simulate-failure"), &order).await.expect(200);
    assert_eq!(played.json()["outcome"], "dead", "what stood in for the token was recorded too");
    let import = json!({"accessToken": "imported-access-token-9f2c", "refreshToken": "imported-refresh-token-77aa",
                        "extra": {"instance_secret": "extra-secret-5150"}});
    backend.json(Method::PUT, format!("{url}/api/connections/client-8/recorded"), &import).await.expect(200);
    let app = json!({"clientId": "Iv1", "clientSecret": "github-app-secret-0451"});
    backend.json(Method::PUT, format!("{url}/api/integrations/github"), &app).await.expect(200);
    let wrong = json!({"clientId": "Iv1", "clientSecret": {"x": "mistyped-secret-0452"}});
    backend.json(Method::PUT, format!("{url}/api/integrations/github"), &wrong).await.expect(422);
    Browser::with_key("cvk_guessed-key-0453").get(format!("{url}/api/connections")).await.expect(401);
    backend.get(format!("{token}/token?x=query-secret-0454")).await.expect(400);
    for (subject, kind, revocation) in [
        ("client-8", Value::Null, "succeeded"),
        ("client-7", json!({"kind": "500", "endpoints": ["revoke"]}), "pending"),
    ] {
        backend.json(Method::PUT, format!("{sandbox}/control"), &json!({ "fail": kind })).await.expect(200);
        let path = format!("{url}/api/connections/{subject}/recorded");
        let gone = backend.json(Method::DELETE, path, &Value::Null).await.expect(200).json();
        assert_eq!(gone["revocation"], revocation);
    }
    for secret in [
        "imported-access-token-9f2c",
        "imported-refresh-token-77aa",
        "extra-secret-5150",
        "github-app-secret-0451",
        "mistyped-secret-0452",
        "cvk_guessed-key-0453",
        "query-secret-0454",
    ] {
        note(secret);
    }
}

/// Mailed and not, opened and not; one mail that waits, one that is refused, and one address that is none.
async fn invite(backend: &Browser, url: &str, smtp: &mut Smtp, note: &impl Fn(&str) -> bool) {
    let sessions = format!("{url}/api/portal-sessions");
    let mut links = Vec::new();
    for (address, answer, mail) in [
        (Some("anna.tamm.0457@rowan.example"), None, "sent"),
        (
            Some("bert.0458@rowan.example"),
            Some("451 4.7.1 <bert.0458@rowan.example>: come back later"),
            "pending",
        ),
        (
            Some("carl.0459@rowan.example"),
            Some("550 5.1.1 <carl.0459@rowan.example>: no such user"),
            "refused",
        ),
        (None, None, ""),
    ] {
        smtp.refuse(answer.map(|answer| ("RCPT", answer)).as_slice()).await;
        let body = json!({"subject": "client-7", "page": "onboarding", "email": address});
        let session = backend.json(Method::POST, &sessions, &body).await.expect(201).json();
        assert_eq!(session["mail"].as_str().unwrap_or_default(), mail);
        if let Some(address) = address {
            note(address);
        }
        let token = session["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        note(&token);
        links.push(format!("{url}/portal/start/{token}"));
    }
    let wrong = json!({"subject": "client-7", "page": "onboarding", "email": "mistyped.0460@rowan..example"});
    backend.json(Method::POST, &sessions, &wrong).await.expect(422);
    note("mistyped.0460");
    for link in &links {
        let browser = Browser::new();
        browser.get(link).await;
        browser.form(link, &[]).await;
        browser.get(format!("{url}/portal/onboarding")).await.expect(200);
        for cookie in browser.cookies_of(url).values() {
            note(cookie);
        }
    }
    note(SIGN_IN.1);
}

/// The sandbox, whose browser side is reached directly and whose token endpoint through the recorder.
fn entry(sandbox: &str, recorder: &str) -> String {
    format!(
        r#"[[provider]]
id = "recorded"
display_name = "Recorded"
logo = "RE"
category = "sandbox"
documentation = "https://www.rfc-editor.org/rfc/rfc6749"
flow = "oauth2_code"
client_authentication = "post"
pkce = "s256"
default_scopes = ["profile", "email", "offline_access"]
access_header = "Authorization: Bearer {{token}}"
api_origins = ["{recorder}"]

[provider.endpoints]
authorize = "{sandbox}/oauth/authorize"
token = "{recorder}/oauth/token"
revoke = "{recorder}/oauth/revoke"
userinfo = "{recorder}/oauth/userinfo"

[provider.revocation]
call = {{ method = "POST", authentication = "post", body = "form" }}
takes = "refresh_token"
ends = "token_family"

[provider.refresh]
rotation = "strict"

[provider.identity]
id = "sub"
name = "email"
"#
    )
}

#[tokio::test]
async fn no_secret_lies_in_clear_with_sqlite() {
    no_secret_lies_in_clear(None).await;
}

#[tokio::test]
async fn no_secret_lies_in_clear_with_postgresql() {
    if let Some(database) = store::testing::fresh_postgres().await {
        no_secret_lies_in_clear(Some(&database)).await;
    }
}
