//! The least that an answer can cost here: axum, and a JSON body of `--bytes N` octets that never changes. The benches
//! compare the server with it. The first line that it prints is its address.

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

/// As much as the server takes for an answer.
const MAX_BYTES: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [option, bytes] = arguments.as_slice() else { bail!("usage: bare_axum --bytes N") };
    let bytes: usize = bytes
        .parse()
        .ok()
        .filter(|bytes| (2..=MAX_BYTES).contains(bytes))
        .with_context(|| format!("{option} takes a number from 2 to {MAX_BYTES}, not {bytes}"))?;
    let body: &'static str = format!("\"{}\"", "x".repeat(bytes - 2)).leak();

    let listener = TcpListener::bind("127.0.0.1:0").await.context("binding a port")?;
    println!("http://{}", listener.local_addr()?);
    let answers = Router::new().fallback(move || async move { ([(CONTENT_TYPE, "application/json")], body) });
    axum::serve(listener, answers).await.context("serving")
}
