//! An app at a provider that the sandbox plays.

use std::collections::HashMap;

use axum::http::request::Builder;
use axum::http::{Method, header};
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::harness::{Answer, Bench, CALLBACK, CHALLENGE, VERIFIER, encode};

/// Where the provider's endpoints are, and how its app authenticates.
pub(crate) struct Player {
    pub(crate) bench: Bench,
    pub(crate) app: &'static str,
    pub(crate) authorize: &'static str,
    pub(crate) token: &'static str,
    pub(crate) basic: bool,
    /// What each authorization request has.
    pub(crate) asks: &'static [(&'static str, &'static str)],
}

/// `/at/` and what follows `https://`.
pub(crate) fn at(url: &str) -> String {
    format!("/at/{url}")
}

pub(crate) fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_else(|| panic!("{member} in {answer}")).to_owned()
}

impl Player {
    /// Settings of this app alone.
    pub(crate) async fn control(&self, change: Value) {
        let answer = self.bench.put_control(&format!("?app={}", self.app), change).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The path of an authorization request; a field given here replaces or adds one, an empty one leaves it out.
    pub(crate) fn path(&self, fields: &[(&str, &str)]) -> String {
        let mut all = vec![
            ("response_type", "code"),
            ("client_id", self.app),
            ("redirect_uri", CALLBACK),
            ("state", "xyz"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        all.extend(self.asks);
        all.retain(|(name, _)| fields.iter().all(|(replaced, _)| replaced != name));
        all.extend(fields.iter().filter(|(_, value)| !value.is_empty()));
        format!("{}?{}", at(self.authorize), encode(&all))
    }

    /// What the browser comes back with, by `approve: auto`.
    pub(crate) async fn ask(&self, fields: &[(&str, &str)]) -> HashMap<String, String> {
        self.control(json!({"approve": "auto"})).await;
        self.bench.get(&self.path(fields)).await.redirected()
    }

    pub(crate) fn secret(&self) -> String {
        format!("{}-secret", self.app)
    }

    /// The value of an `Authorization` header.
    pub(crate) fn basic_header(&self) -> String {
        let pair = format!("{}:{}", self.app, self.secret());
        format!("Basic {}", BASE64.encode(pair.as_bytes()))
    }

    /// A form of this app.
    pub(crate) async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let secret = self.secret();
        let mut fields = fields.to_vec();
        let mut request = self.bench.form(&at(url)).header(header::ACCEPT, "application/json");
        if self.basic {
            request = request.header(header::AUTHORIZATION, self.basic_header());
        } else {
            fields.extend([("client_id", self.app), ("client_secret", secret.as_str())]);
        }
        self.bench.send(request, encode(&fields)).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Answer {
        self.post(self.token, &exchange_fields(code)).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.post(self.token, &fields).await
    }

    /// The answer to a fresh code.
    pub(crate) async fn connect(&self, fields: &[(&str, &str)]) -> Value {
        let back = self.ask(fields).await;
        let answer = self.exchange(&back["code"]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub(crate) fn bearer(&self, method: Method, url: &str, token: &str) -> Builder {
        self.bench
            .request(method, &at(url))
            .header(header::USER_AGENT, "tests")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
    }

    pub(crate) async fn open(&self, url: &str, token: &str) -> Answer {
        self.bench.send(self.bearer(Method::GET, url, token), "").await
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
