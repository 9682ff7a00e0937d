//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document), and what the Model Context Protocol asks of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::rig::{Ask, CALLBACK, EMAIL, LOOPBACK, PASSWORD, Rig, VERIFIER, error, hidden, text};
use crate::harness::{Answer, Browser};

/// What lies at the address.
#[derive(Clone)]
struct Lies {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    after: Duration,
}

/// Whoever makes an application, with a server on loopback.
struct Maker {
    host: String,
    id: String,
    lies: Arc<Mutex<Lies>>,
    read: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Maker {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let id = format!("http://{host}/client.json");
        let body = document(&id).to_string();
        let json = ("content-type", "application/json".to_owned());
        let lies = Lies { status: 200, headers: vec![json], body, after: Duration::ZERO };
        let lies = Arc::new(Mutex::new(lies));
        let read = Arc::<Mutex<Vec<_>>>::default();
        let (own, noted) = (Arc::clone(&lies), Arc::clone(&read));
        let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| async move {
            noted.lock().unwrap().push((uri.to_string(), headers));
            let lies = own.lock().unwrap().clone();
            tokio::time::sleep(lies.after).await;
            let mut response =
                axum::http::Response::builder().status(StatusCode::from_u16(lies.status).unwrap());
            for (name, value) in lies.headers {
                response = response.header(name, value);
            }
            response.body(Body::from(lies.body)).unwrap()
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { host, id, lies, read }
    }

    fn change(&self, change: impl FnOnce(&mut Lies)) {
        change(&mut self.lies.lock().unwrap());
    }

    /// Puts a document there in which these members are different.
    fn says(&self, more: Value) {
        let mut document = document(&self.id);
        let Value::Object(more) = more else { panic!("{more} is no object") };
        for (name, value) in more {
            document[name] = value;
        }
        self.change(|lies| lies.body = document.to_string());
    }

    fn reads(&self) -> usize {
        self.read.lock().unwrap().len()
    }

    /// A server that may read here.
    async fn rig(&self, lines: &str) -> Rig {
        Rig::open(&format!("allow_private = [\"{}\"]\n{lines}", self.host)).await
    }

    fn ask(&self) -> Ask {
        Ask::of("app").with("client_id", &self.id)
    }
}

fn document(id: &str) -> Value {
    json!({
        "client_id": id,
        "client_name": "Foreign",
        "redirect_uris": [CALLBACK, LOOPBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
}

/// The page that a person sees whose application has no good document.
async fn refused(rig: &Rig, ask: &Ask) -> Answer {
    let page = rig.authorize(&Browser::new(), ask).await.expect(400);
    assert!(page.headers.get("location").is_none());
    page
}

async fn redeem(rig: &Rig, id: &str, code: &str, uri: &str) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", uri),
        ("code_verifier", VERIFIER),
        ("client_id", id),
    ];
    rig.post("/oauth/token", &fields).await
}

async fn refresh(rig: &Rig, id: &str, token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", id)];
    rig.post("/oauth/token", &fields).await
}

#[tokio::test]
async fn cimd_is_off_until_the_operator_turns_it_on() {
    let maker = Maker::new().await;
    let off = format!(
        "[grant.mcp]\nenabled = true\nclient_id_metadata_documents = false\nallow_private = [\"{}\"]\n",
        maker.host
    );
    for lines in ["", &off] {
        let rig = Rig::with_more(lines).await;
        refused(&rig, &maker.ask()).await;
        assert_eq!(rig.metadata().await.get("client_id_metadata_document_supported"), None);
    }
    assert_eq!(maker.reads(), 0);
    let rig = maker.rig("").await;
    assert_eq!(rig.metadata().await["client_id_metadata_document_supported"], true);
}

#[tokio::test]
async fn cimd_an_application_that_nobody_registered_gets_tokens_and_refreshes() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    let code = rig.code(&maker.ask()).await;
    let tokens = redeem(&rig, &maker.id, &code, CALLBACK).await.expect(200).json();
    let next = refresh(&rig, &maker.id, text(&tokens, "refresh_token")).await.expect(200).json();
    rig.userinfo(text(&next, "access_token")).await.expect(200);
    assert_eq!(maker.reads(), 1);
    let (uri, headers) = maker.read.lock().unwrap()[0].clone();
    assert_eq!(uri, "/client.json");
    for name in ["cookie", "authorization", "referer"] {
        assert!(headers.get(name).is_none(), "{name}");
    }
    let listed = rig.world.api("/api/applications").await.expect(200).json();
    let own =
        listed["applications"].as_array().unwrap().iter().find(|own| own["clientId"] == maker.id.as_str());
    assert_eq!(own.unwrap()["source"], "document");
}

#[tokio::test]
async fn cimd_the_consent_page_shows_the_host_of_the_document_and_where_the_answer_goes() {
    let maker = Maker::new().await;
    maker.says(json!({"client_name": "Zapier"}));
    let rig = maker.rig("").await;
    let browser = Browser::new();
    let page = rig.authorize(&browser, &maker.ask()).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await.expect(200), "csrf");
    let fields = [("csrf", &*csrf), ("email", EMAIL), ("password", PASSWORD)];
    let page = browser.bare_form(&page, &fields).await.expect(303).location();
    let page = browser.get(page).await.expect(200).body;
    assert!(page.contains("(127.0.0.1)") && page.contains("It chose its name itself"), "{page}");
    assert!(page.contains("The answer goes somewhere else") && page.contains("app.example.com"), "{page}");
}

#[tokio::test]
async fn cimd_row_36_on_loopback_asks_every_time() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    let browser = Browser::new();
    let ask = maker.ask().with("redirect_uri", LOOPBACK);
    rig.agree(&browser, &ask).await;
    let again = rig.authorize(&browser, &ask).await.expect(303).location();
    assert!(again.path().starts_with("/oauth/authorize/aut_"), "{again}");
}

#[tokio::test]
async fn cimd_redirect_uris_are_those_of_the_document() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    for uri in ["https://evil.example/cb", "https://app.example.com/callback/", "https://app.example.com/"] {
        refused(&rig, &maker.ask().with("redirect_uri", uri)).await;
    }
    rig.authorize(&Browser::new(), &maker.ask()).await.expect(303);
    rig.authorize(&Browser::new(), &maker.ask().with("redirect_uri", "http://127.0.0.1:5/callback"))
        .await
        .expect(303);
}

#[tokio::test]
async fn cimd_what_is_wrong_with_a_document_is_told_and_not_kept() {
    let maker = Maker::new().await;
    let rig = maker.rig("[grant.limits]\ndocument = \"100 per 1m\"\n").await;
    let good = maker.lies.lock().unwrap().clone();
    let id = maker.id.clone();
    let with = |name: &str, value: Value| {
        let mut document = document(&id);
        document[name] = value;
        document.to_string()
    };
    let large = with("padding", json!("x".repeat(10 * 1024)));
    for (name, status, content_type, body) in [
        ("not found", 404, "application/json", good.body.clone()),
        ("created", 201, "application/json", good.body.clone()),
        ("redirect", 302, "application/json", good.body.clone()),
        ("html", 200, "text/html", good.body.clone()),
        ("list", 200, "application/json", "[]".to_owned()),
        ("nothing", 200, "application/json", String::new()),
        ("large", 200, "application/json", large),
        ("other id", 200, "application/json", with("client_id", json!(format!("{id}?")))),
        ("no id", 200, "application/json", with("client_id", Value::Null)),
        ("secret", 200, "application/json", with("client_secret", json!("everybody knows it"))),
        ("post", 200, "application/json", with("token_endpoint_auth_method", json!("client_secret_post"))),
        ("basic", 200, "application/json", with("token_endpoint_auth_method", json!("client_secret_basic"))),
        ("hmac", 200, "application/json", with("token_endpoint_auth_method", json!("client_secret_jwt"))),
        ("no keys", 200, "application/json", with("token_endpoint_auth_method", json!("private_key_jwt"))),
        ("no uris", 200, "application/json", with("redirect_uris", json!([]))),
        ("http uri", 200, "application/json", with("redirect_uris", json!(["http://app.example.com/cb"]))),
    ] {
        maker.change(|lies| {
            *lies = Lies {
                status,
                headers: vec![
                    ("content-type", content_type.to_owned()),
                    ("location", "/good.json".to_owned()),
                ],
                body,
                after: Duration::ZERO,
            };
        });
        let before = maker.reads();
        let page = refused(&rig, &maker.ask()).await;
        assert!(page.body.contains("does not say who it is"), "{name}: {}", page.body);
        assert_eq!(maker.reads(), before + 1, "{name}");
    }
    // It was mended, and nothing of that is remembered.
    maker.change(|lies| *lies = good);
    rig.authorize(&Browser::new(), &maker.ask()).await.expect(303);
}

#[tokio::test]
async fn cimd_what_a_document_says_for_other_servers_is_passed_over() {
    let maker = Maker::new().await;
    maker.says(json!({
        "redirect_uris": ["cursor://anysphere.cursor-mcp/cb", "https://elsewhere.example/cb", CALLBACK],
        "scope": "reports.read admin",
        "jwks_uri": "https://app.example.com/jwks",
    }));
    let rig = maker.rig("redirect_hosts = [\"app.example.com\"]\n").await;
    rig.authorize(&Browser::new(), &maker.ask()).await.expect(303);
    for uri in ["cursor://anysphere.cursor-mcp/cb", "https://elsewhere.example/cb"] {
        refused(&rig, &maker.ask().with("redirect_uri", uri)).await;
    }
    let back = rig.told(&maker.ask().with("scope", "admin")).await;
    assert!(back.as_str().contains("error=invalid_scope"), "{back}");
    assert_eq!(maker.reads(), 1);
}

#[tokio::test]
async fn cimd_what_an_application_is_can_be_changed_in_its_document_alone() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    rig.authorize(&Browser::new(), &maker.ask()).await.expect(303);
    let id: String = url::form_urlencoded::byte_serialize(maker.id.as_bytes()).collect();
    let path = format!("/api/applications/{id}");
    let answer = rig.world.call(Method::PATCH, &path, &json!({"name": "Ours"})).await;
    assert_eq!(answer.problem(), (409, "application_has_document".to_owned()));
}

#[tokio::test]
async fn cimd_people_are_asked_every_time_also_about_one_that_signs() {
    let maker = Maker::new().await;
    let keys = json!({"keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]});
    maker.says(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}));
    let rig = maker.rig("").await;
    let browser = Browser::new();
    rig.agree(&browser, &maker.ask()).await;
    let asked = rig.authorize(&browser, &maker.ask()).await.expect(303).location();
    assert!(asked.path().starts_with("/oauth/authorize/aut_"), "{asked}");
    rig.world.pass(Duration::from_hours(2));
    rig.authorize(&browser, &maker.ask()).await.expect(303);
    assert_eq!(maker.reads(), 2, "it is read again when it is no longer fresh");
}

#[tokio::test]
async fn cimd_strangers_fill_no_table_with_documents() {
    let maker = Maker::new().await;
    let rig = maker.rig("max_unused = 2\n").await;
    let grant = &rig.world.server.app.grant;
    let ids: Vec<_> = (0..4).map(|n| format!("{}?{n}", maker.id)).collect();
    for id in &ids {
        maker.says(json!({"client_id": id}));
        rig.world.pass(Duration::from_secs(1));
        refused(&rig, &maker.ask().with("client_id", id).with("redirect_uri", "https://evil.example/")).await;
    }
    let mut there = Vec::new();
    for id in &ids {
        there.push(grant.client(id).await.unwrap().is_some());
    }
    assert_eq!(there, [false, false, true, true]);
}

#[tokio::test]
async fn cimd_addresses_that_are_none_are_never_read() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    let host = &maker.host;
    for id in [
        format!("http://{host}"),
        format!("http://{host}/"),
        format!("http://{host}/a/../client.json"),
        format!("http://user@{host}/client.json"),
        format!("http://{host}/client.json#x"),
        format!("HTTP://{host}/client.json"),
        "http://app.example.com/client.json".to_owned(),
    ] {
        refused(&rig, &maker.ask().with("client_id", &id)).await;
    }
    assert_eq!(maker.reads(), 0);
}

#[tokio::test]
async fn cimd_nobody_makes_us_read_in_private_networks() {
    // Whoever speaks no TLS never hears of a request, so what counts is who was called at all.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let six = TcpListener::bind(("::1", port)).await.ok();
    let called = Arc::new(AtomicUsize::new(0));
    for listener in [Some(listener), six].into_iter().flatten() {
        let called = Arc::clone(&called);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                called.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let ask = |id: &str| Ask::of("app").with("client_id", id);
    // What providers may reach is not what anybody may make us reach.
    let rig = Rig::open("").await;
    for id in [
        format!("http://127.0.0.1:{port}/client.json"),
        format!("https://127.0.0.1:{port}/client.json"),
        format!("https://localhost:{port}/client.json"),
        format!("https://[::1]:{port}/client.json"),
        format!("https://[::ffff:7f00:1]:{port}/client.json"),
        "https://10.0.0.1/client.json".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[fd00::1]/client.json".to_owned(),
    ] {
        refused(&rig, &ask(&id)).await;
    }
    assert_eq!(called.load(Ordering::SeqCst), 0);
    let rig = Rig::open(&format!("allow_private = [\"127.0.0.1:{port}\"]\n")).await;
    refused(&rig, &ask(&format!("https://127.0.0.1:{port}/client.json"))).await;
    assert_eq!(called.load(Ordering::SeqCst), 1, "a call would have been seen");
}

#[tokio::test]
async fn cimd_a_document_is_believed_as_long_as_its_headers_say() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    let arrive = async || {
        rig.authorize(&Browser::new(), &maker.ask()).await.expect(303);
        maker.reads()
    };
    assert_eq!((arrive().await, arrive().await), (1, 1));
    rig.world.pass(Duration::from_mins(59));
    assert_eq!(arrive().await, 1, "an hour, where it says nothing");
    maker.change(|lies| lies.headers.push(("cache-control", "max-age=600".to_owned())));
    rig.world.pass(Duration::from_mins(1));
    assert_eq!(arrive().await, 2);
    rig.world.pass(Duration::from_mins(9));
    assert_eq!(arrive().await, 2);
    rig.world.pass(Duration::from_mins(1));
    // On a line of its own, beside the other (RFC 9110 §5.3).
    maker.change(|lies| lies.headers.push(("cache-control", "no-store".to_owned())));
    assert_eq!((arrive().await, arrive().await), (3, 3), "never at every request");
    rig.world.pass(Duration::from_mins(1));
    // What the document says now counts.
    maker.says(json!({"redirect_uris": ["https://app.example.com/second"]}));
    refused(&rig, &maker.ask()).await;
    assert_eq!(maker.reads(), 4);
}

#[tokio::test]
async fn cimd_a_host_that_is_away_signs_nobody_out() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    let code = rig.code(&maker.ask()).await;
    let tokens = redeem(&rig, &maker.id, &code, CALLBACK).await.expect(200).json();
    maker.change(|lies| lies.status = 503);
    rig.world.pass(Duration::from_hours(2));
    refresh(&rig, &maker.id, text(&tokens, "refresh_token")).await.expect(200);
    refused(&rig, &maker.ask()).await;
}

#[tokio::test]
async fn cimd_an_application_that_signs_is_read_again_before_it_is_believed() {
    let maker = Maker::new().await;
    let key = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    maker.says(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}}));
    let rig = maker.rig("").await;
    let code = rig.code(&maker.ask()).await;
    assert_eq!(error(&redeem(&rig, &maker.id, &code, CALLBACK).await.expect(401)), "invalid_client");
    assert_eq!(maker.reads(), 1);
    maker.change(|lies| lies.status = 500);
    rig.world.pass(Duration::from_hours(2));
    let away = redeem(&rig, &maker.id, &code, CALLBACK).await.expect(503);
    assert_eq!(error(&away), "temporarily_unavailable");
    assert_eq!(maker.reads(), 2);
}

#[tokio::test]
async fn cimd_of_many_that_come_at_once_one_reads_and_all_are_told() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    maker.change(|lies| lies.after = Duration::from_millis(300));
    let one = async || rig.authorize(&Browser::new(), &maker.ask()).await.status.as_u16();
    let arrive = async || <[u16; 4]>::from(tokio::join!(one(), one(), one(), one()));
    maker.change(|lies| lies.status = 500);
    assert_eq!(arrive().await, [400; 4]);
    assert_eq!(maker.reads(), 1);
    maker.change(|lies| lies.status = 200);
    assert_eq!(arrive().await, [303; 4]);
    assert_eq!(maker.reads(), 2);
}

#[tokio::test]
async fn cimd_documents_are_read_no_more_often_than_an_address_may() {
    let maker = Maker::new().await;
    let rig = maker.rig("[grant.limits]\ndocument = \"3 per 1m\"\n").await;
    maker.change(|lies| lies.status = 500);
    for _ in 0..3 {
        refused(&rig, &maker.ask()).await;
    }
    let often = rig.authorize(&Browser::new(), &maker.ask()).await.expect(429);
    assert!(often.headers.get("retry-after").is_some());
    assert_eq!(
        error(&redeem(&rig, &format!("{}?2", maker.id), "x", CALLBACK).await.expect(429)),
        "too_many_requests"
    );
    assert_eq!(maker.reads(), 3);
    rig.world.pass(Duration::from_mins(1));
    refused(&rig, &maker.ask()).await;
    assert_eq!(maker.reads(), 4);
}

#[tokio::test]
async fn cimd_one_that_nobody_agreed_to_goes_by_itself() {
    let maker = Maker::new().await;
    let rig = maker.rig("").await;
    rig.authorize(&Browser::new(), &maker.ask()).await.expect(303);
    let grant = &rig.world.server.app.grant;
    let sweep = async || {
        for _ in 0..3 {
            while grant.sweep(1).await.unwrap() {}
        }
        grant.client(&maker.id).await.unwrap().is_some()
    };
    rig.world.pass(Duration::from_mins(59));
    assert!(sweep().await, "it is believed, and somebody is still being asked");
    rig.world.pass(Duration::from_mins(2));
    assert!(!sweep().await);
    rig.agree(&Browser::new(), &maker.ask()).await;
    rig.world.pass(Duration::from_hours(48));
    assert!(sweep().await, "somebody has agreed to it");
}
