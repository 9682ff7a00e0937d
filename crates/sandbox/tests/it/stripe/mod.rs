//! The simulator of Stripe, over real HTTP.

mod api;
mod control;
mod foreign;
mod idempotency;
mod intents;
mod onboarding;
mod webhooks;

use axum::http::header;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::harness::{Answer, Bench, encode};

const KEY: &str = "sk_test_sandbox";
const RETURN: &str = "https://shop.example/return?state=a%20b&x=[1]";
const REFRESH: &str = "https://shop.example/refresh";

/// A sandbox and the platform that is there from the start.
struct Stripe {
    bench: Bench,
    key: &'static str,
}

impl Stripe {
    async fn start() -> Self {
        Self { bench: Bench::start(json!({})).await, key: KEY }
    }

    fn authorized(&self, request: Builder) -> Builder {
        request.header(header::AUTHORIZATION, format!("Bearer {}", self.key))
    }

    async fn post_with(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut request = self.authorized(self.bench.form(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.bench.send(request, encode(fields)).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[]).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.bench.open(path, self.key).await
    }

    /// A new account of the type express, by its id.
    async fn account(&self) -> String {
        let answer = self.post("/v1/accounts", &[("type", "express"), ("country", "EE")]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// An account link: the path of its address.
    async fn link(&self, account: &str) -> String {
        let fields = [
            ("account", account),
            ("type", "account_onboarding"),
            ("return_url", RETURN),
            ("refresh_url", REFRESH),
        ];
        let answer = self.post("/v1/account_links", &fields).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["url"].as_str().unwrap().strip_prefix(&self.bench.base).unwrap().to_owned()
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.bench.send(self.bench.request(method, &format!("/control/stripe{path}")), body).await
    }

    /// A change of the settings that must succeed.
    async fn set(&self, change: Value) {
        let answer = self.control(Method::PUT, "", change).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// A receiver of webhooks that answers with these statuses in turn, then with 200.
    async fn listen(&self, statuses: &[u16]) -> mpsc::UnboundedReceiver<Delivery> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let statuses = std::sync::Arc::new(std::sync::Mutex::new(statuses.to_vec()));
        let hook = axum::routing::post(move |headers: HeaderMap, body: String| async move {
            sender.send(Delivery { signature: Delivery::signature(&headers), body }).unwrap();
            let mut statuses = statuses.lock().unwrap();
            let status = if statuses.is_empty() { 200 } else { statuses.remove(0) };
            axum::http::StatusCode::from_u16(status).unwrap()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, axum::Router::new().route("/hook", hook)).await });
        self.set(json!({"webhook": {"url": url, "retryDelay": 1}})).await;
        receiver
    }
}

/// A webhook that came.
#[derive(Debug, Clone)]
struct Delivery {
    signature: Option<String>,
    body: String,
}

impl Delivery {
    fn signature(headers: &HeaderMap) -> Option<String> {
        headers.get("stripe-signature").map(|value| value.to_str().unwrap().to_owned())
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn id(&self) -> String {
        self.event()["id"].as_str().unwrap().to_owned()
    }
}

/// Status, type and code of an error.
fn error(answer: &Answer) -> (u16, String, Value) {
    let error = &answer.json()["error"];
    (answer.status.as_u16(), error["type"].as_str().unwrap_or_default().to_owned(), error["code"].clone())
}

fn invalid(status: u16, code: impl Into<Value>) -> (u16, String, Value) {
    (status, "invalid_request_error".to_owned(), code.into())
}
