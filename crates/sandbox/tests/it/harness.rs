//! A sandbox on a free port with a clock of the test's own, and a plain HTTP client that follows nothing.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Bytes;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use claviger_sandbox::{Clock, Sandbox};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use url::{Url, form_urlencoded};

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) const CALLBACK: &str = "http://127.0.0.1:8976/callback";
/// `claviger:sandbox-secret`.
pub(crate) const BASIC: &str = "Basic Y2xhdmlnZXI6c2FuZGJveC1zZWNyZXQ=";

#[derive(Clone)]
struct TestClock(Arc<AtomicI64>);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A running sandbox and its client.
pub(crate) struct Bench {
    pub(crate) base: String,
    clock: TestClock,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What a code or a refresh token yielded.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Bench {
    /// Starts a sandbox with settings of the test's own.
    pub(crate) async fn start(settings: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let clock = TestClock(Arc::new(AtomicI64::new(1_795_246_200_000)));
        let sandbox = Sandbox::new(&Url::parse(&base).unwrap(), clock.clone()).unwrap();
        tokio::spawn(sandbox.serve(listener, std::future::pending()));
        let bench = Self { clock, ..Self::at(base) };
        bench.control(settings).await;
        bench
    }

    /// A client of a sandbox that runs already.
    pub(crate) fn at(base: String) -> Self {
        let clock = TestClock(Arc::default());
        Self { base, clock, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.base))
    }

    pub(crate) async fn send(&self, request: Builder, body: impl Into<Bytes>) -> Answer {
        self.try_send(request, body).await.unwrap()
    }

    /// A request that may have no answer.
    pub(crate) async fn try_send(&self, request: Builder, body: impl Into<Bytes>) -> Result<Answer, Error> {
        let request = request.body(Full::new(body.into())).unwrap();
        let (parts, body) = self.client.request(request).await?.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path), "").await
    }

    /// A GET with a bearer token.
    pub(crate) async fn open(&self, path: &str, token: &str) -> Answer {
        let request =
            self.request(Method::GET, path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request, "").await
    }

    /// A form with these fields alone.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.form(path), encode(fields)).await
    }

    pub(crate) fn form(&self, path: &str) -> Builder {
        self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    /// A form of the client `claviger`, which authenticates in the header.
    pub(crate) async fn client_post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.form(path).header(header::AUTHORIZATION, BASIC), encode(fields)).await
    }

    pub(crate) async fn put_control(&self, query: &str, change: Value) -> Answer {
        self.send(self.request(Method::PUT, &format!("/control{query}")), change.to_string()).await
    }

    /// A change of the settings that must succeed.
    pub(crate) async fn control(&self, change: Value) {
        let answer = self.put_control("", change).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub(crate) async fn log(&self) -> Vec<Value> {
        serde_json::from_slice(&self.get("/control/log").await.body).unwrap()
    }

    /// The totals: refreshes, rotated, reuse, families revoked, answers lost.
    pub(crate) async fn totals(&self) -> [u64; 5] {
        let totals = self.get("/control/totals").await.json();
        assert_eq!(totals.as_object().unwrap().len(), 5, "{totals}");
        ["refreshes", "rotated", "reuse", "familiesRevoked", "answersLost"]
            .map(|name| totals[name].as_u64().unwrap())
    }

    /// A refresh that ends without an answer: how the connection ended. Nothing was written to it.
    pub(crate) async fn refresh_in_vain(&self, refresh_token: &str) -> io::Result<()> {
        let body = encode(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]);
        let url = Url::parse(&self.base).unwrap();
        let request = format!(
            "POST {}/oauth/token HTTP/1.1\r\nHost: {}\r\nAuthorization: {BASIC}\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            url.path().trim_end_matches('/'),
            url.authority(),
            body.len(),
        );
        let stream = TcpStream::connect(url.authority()).await.unwrap();
        stream.writable().await.unwrap();
        assert_eq!(stream.try_write(request.as_bytes()).unwrap(), request.len());
        let mut octet = [0];
        loop {
            stream.readable().await.unwrap();
            match stream.try_read(&mut octet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                ended => return ended.map(|octets| assert_eq!(octets, 0, "an answer came")),
            }
        }
    }

    /// The outcomes of all calls to one endpoint.
    pub(crate) async fn outcomes(&self, endpoint: &str) -> Vec<String> {
        let rows = self.log().await;
        let rows = rows.iter().filter(|row| row["endpoint"] == endpoint);
        rows.map(|row| row["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// The path of an authorization request, with PKCE; a field given here replaces or adds one.
    pub(crate) fn authorize_path(fields: &[(&str, &str)]) -> String {
        let mut all = vec![
            ("response_type", "code"),
            ("client_id", "claviger"),
            ("redirect_uri", CALLBACK),
            ("scope", "profile notes:read"),
            ("state", "xyz"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        all.retain(|(name, _)| fields.iter().all(|(replaced, _)| replaced != name));
        all.extend(fields.iter().filter(|(_, value)| !value.is_empty()));
        format!("/oauth/authorize?{}", encode(&all))
    }

    /// What the browser is sent back with, by `approve: auto`.
    pub(crate) async fn authorize(&self, fields: &[(&str, &str)]) -> HashMap<String, String> {
        self.control(json!({"approve": "auto"})).await;
        self.get(&Self::authorize_path(fields)).await.redirected()
    }

    pub(crate) async fn code(&self) -> String {
        self.authorize(&[]).await["code"].clone()
    }

    pub(crate) async fn exchange(&self, code: &str) -> Answer {
        self.client_post("/oauth/token", &exchange_fields(code)).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.client_post("/oauth/token", &fields).await
    }

    /// A connection: authorized at once, and exchanged.
    pub(crate) async fn connect(&self) -> Tokens {
        self.exchange(&self.code().await).await.tokens()
    }

    /// Whether the access token opens the API.
    pub(crate) async fn opens(&self, token: &str) -> bool {
        self.open("/api/me", token).await.status == 200
    }
}

pub(crate) fn exchange_fields(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The query of the redirect back to the app.
    pub(crate) fn redirected(&self) -> HashMap<String, String> {
        assert_eq!(self.status, 303, "{self:?}");
        let location = self.header("location");
        assert!(location.starts_with(CALLBACK), "{location}");
        Url::parse(location).unwrap().query_pairs().into_owned().collect()
    }

    pub(crate) fn tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "{self:?}");
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token") }
    }

    /// The OAuth error with its status.
    pub(crate) fn error(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"].as_str().unwrap_or_default().to_owned())
    }
}

/// An error as [`Answer::error`] tells it.
pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
