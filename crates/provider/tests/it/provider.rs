//! Third parties on loopback that answer as they are told.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use claviger_provider::catalog::Entry;
use claviger_provider::client::{ClientSettings, HttpClient};
use claviger_provider::format::file;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A client that may call loopback and is impatient.
pub(crate) fn client() -> HttpClient {
    client_with(ClientSettings { allow_private: vec!["127.0.0.1".to_owned()], ..impatient() })
}

pub(crate) fn client_with(settings: ClientSettings) -> HttpClient {
    HttpClient::new(settings).unwrap()
}

pub(crate) fn impatient() -> ClientSettings {
    ClientSettings {
        connect_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(5),
        ..ClientSettings::default()
    }
}

/// An entry whose facts beyond the necessary are `more`: keys first, then tables.
pub(crate) fn entry(more: &str) -> Entry {
    entry_with("", more)
}

/// The same, with more `endpoints`, each after a comma.
pub(crate) fn entry_with(endpoints: &str, more: &str) -> Entry {
    let text = format!(
        r#"
        [[provider]]
        id = "acme"
        display_name = "Acme"
        logo = "AC"
        category = "test"
        documentation = "https://acme.example/docs"
        flow = "oauth2_code"
        endpoints = {{ authorize = "https://acme.example/authorize", token = "https://acme.example/token", userinfo = "https://acme.example/me"{endpoints} }}
        identity = {{ id = "account.id", name = "account.mail", needs_scope = "profile" }}
        {more}
        "#
    );
    file::parse("acme.toml", &text).unwrap().entries.remove(0).item
}

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A provider that speaks HTTP.
pub(crate) struct Provider {
    pub(crate) origin: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Provider {
    /// Answers everything in the same way.
    pub(crate) async fn answering(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let body = body.into();
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let calls = Arc::clone(&received);
        let app = Router::new().fallback(move |request: Request| async move {
            let (head, incoming) = request.into_parts();
            let incoming = axum::body::to_bytes(incoming, usize::MAX).await.unwrap();
            calls.lock().unwrap().push(Received {
                method: head.method.to_string(),
                path: head.uri.to_string(),
                headers: head.headers,
                body: String::from_utf8(incoming.to_vec()).unwrap(),
            });
            let answer = Response::builder().status(status);
            let answer = headers.iter().fold(answer, |answer, (name, value)| answer.header(name, value));
            answer.body(Body::from(body)).unwrap()
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { origin, received }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Received {
        self.received().pop().expect("a call came in")
    }
}

/// A provider that answers everything with `body`, but not before the semaphore is closed.
pub(crate) async fn held(body: &'static str) -> (String, Arc<Semaphore>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let hold = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&hold);
    let app = Router::new().fallback(async move || {
        drop(waiting.acquire().await);
        body
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    (origin, hold)
}

/// What a provider does that does not keep to HTTP.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rudeness {
    /// Closes as soon as somebody connects.
    ClosesAtOnce,
    /// Reads the request, then closes.
    ClosesAfterReading,
    /// Reads the request, then says nothing.
    Hangs,
    /// Begins an answer and closes in its midst.
    ClosesInTheMidst,
    /// Begins an answer and never ends it.
    Trickles,
    /// Answers with something else than HTTP.
    SpeaksOtherwise,
    /// Sends a head without end.
    EndlessHead,
    /// Sends a body without end, and without saying its length.
    EndlessBody,
}

/// A provider that misbehaves, and its origin.
pub(crate) async fn rude(rudeness: Rudeness) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(misbehave(stream, rudeness));
        }
    });
    origin
}

/// A provider that takes one connection and never answers: its origin, and how many octets came before it was closed.
pub(crate) async fn counting() -> (String, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let counted = tokio::spawn(async move {
        let mut octets = Vec::new();
        listener.accept().await.unwrap().0.read_to_end(&mut octets).await.unwrap()
    });
    (origin, counted)
}

async fn misbehave(mut stream: TcpStream, rudeness: Rudeness) -> std::io::Result<()> {
    if matches!(rudeness, Rudeness::ClosesAtOnce) {
        return Ok(());
    }
    let mut buffer = vec![0; 64 * 1024];
    let _length = stream.read(&mut buffer).await?;
    match rudeness {
        Rudeness::ClosesAtOnce | Rudeness::ClosesAfterReading => {}
        Rudeness::Hangs => pending().await,
        Rudeness::ClosesInTheMidst => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await?;
        }
        Rudeness::Trickles => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await?;
            pending::<()>().await;
        }
        Rudeness::SpeaksOtherwise => stream.write_all(b"220 mail.example ESMTP\r\n").await?,
        Rudeness::EndlessBody => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
        }
        Rudeness::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            while stream
                .write_all(b"x-more: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
                .await
                .is_ok()
            {}
        }
    }
    Ok(())
}
