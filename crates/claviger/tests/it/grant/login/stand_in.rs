//! Somebody whom the server asks: they answer as they are told to, or misbehave.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::harness::third_party::Asked;

/// How they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mood {
    /// As they should be.
    Kind,
    /// With this status and nothing else.
    Status(u16),
    /// Without ever answering.
    Silent,
    /// With what is no JSON.
    Garbage,
    /// With JSON that has nothing that is expected.
    Beside,
    /// With more than anybody reads.
    Oversized,
    /// By sending whoever asks elsewhere.
    Elsewhere,
}

impl Mood {
    /// All that mean "not just now".
    pub(super) const BAD: [Self; 9] = [
        Self::Status(500),
        Self::Status(503),
        Self::Status(429),
        Self::Status(404),
        Self::Silent,
        Self::Garbage,
        Self::Beside,
        Self::Oversized,
        Self::Elsewhere,
    ];
}

/// They listen as long as the test runs.
pub(super) struct StandIn {
    pub(super) url: String,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl StandIn {
    /// Somebody who answers so when they are kind.
    pub(super) async fn answering(kind: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (mood, asked) = (Arc::new(Mutex::new(Mood::Kind)), Arc::new(Mutex::new(Vec::new())));
        let (moods, notes, kind) = (Arc::clone(&mood), Arc::clone(&asked), Arc::new(kind));
        let app = Router::new().fallback(move |request: Request| async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let asked = Asked {
                method: head.method.to_string(),
                path: head.uri.to_string(),
                headers: head.headers.clone(),
                body: String::from_utf8(body.to_vec()).unwrap(),
            };
            notes.lock().unwrap().push(asked.clone());
            let mood = *moods.lock().unwrap();
            match mood {
                Mood::Kind => {
                    let (status, json) = kind(&asked);
                    answer(status, json.to_string())
                }
                Mood::Status(status) => answer(status, String::new()),
                Mood::Silent => std::future::pending().await,
                Mood::Garbage => answer(200, "<html>".to_owned()),
                Mood::Beside => answer(200, "{\"user\": 7, \"keys\": {}}".to_owned()),
                Mood::Oversized => answer(200, format!("{{\"x\": \"{}\"}}", "x".repeat(2 * 1024 * 1024))),
                Mood::Elsewhere => Response::builder()
                    .status(307)
                    .header("location", "/somewhere/else")
                    .body(Body::empty())
                    .unwrap(),
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, mood, asked }
    }

    pub(super) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Everything that they were asked.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Their host, as the operator allows it.
    pub(super) fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

fn answer(status: u16, body: String) -> Response<Body> {
    Response::builder().status(status).header("content-type", "application/json").body(body.into()).unwrap()
}
