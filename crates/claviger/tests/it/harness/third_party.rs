//! A third party that answers as it is told, and remembers what it was asked. Only its token endpoint is always kind.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;

/// What it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// It listens as long as the test runs.
pub(crate) struct ThirdParty {
    pub(crate) url: String,
    answer: Arc<Mutex<Option<u16>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ThirdParty {
    /// One that answers everything with this status and nothing else.
    pub(crate) async fn answering(status: u16) -> Self {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answer, asked) = (Arc::new(Mutex::new(Some(status))), Arc::new(Mutex::new(Vec::new())));
        let (answers, notes) = (Arc::clone(&answer), Arc::clone(&asked));
        let app = Router::new().fallback(move |request: Request| async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            notes.lock().unwrap().push(Asked {
                method: head.method.to_string(),
                path: head.uri.to_string(),
                headers: head.headers.clone(),
                body: String::from_utf8(body.to_vec()).unwrap(),
            });
            let status = *answers.lock().unwrap();
            match status {
                _ if head.uri.path() == "/token" => fresh(&notes),
                Some(status) => Response::builder().status(status).body(Body::empty()).unwrap(),
                None => std::future::pending().await,
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, answer, asked }
    }

    /// From here on it answers with this status; with none it never answers.
    pub(crate) fn answer(&self, status: Option<u16>) {
        *self.answer.lock().unwrap() = status;
    }

    /// Everything that it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Its host, as the operator allows it.
    pub(crate) fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

/// Tokens with the number of the call.
fn fresh(asked: &Mutex<Vec<Asked>>) -> Response<Body> {
    let number = asked.lock().unwrap().len();
    let body = format!("{{\"access_token\":\"fresh-{number}\",\"refresh_token\":\"next-{number}\"}}");
    Response::builder().header("content-type", "application/json").body(body.into()).unwrap()
}
