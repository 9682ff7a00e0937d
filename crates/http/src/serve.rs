//! One listener: HTTP/1.1 connections with limits on how slowly a head may come, closed in order when the process
//! stops.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::extract::Peer;

/// How long the head of a request may take, and an idle connection may stay.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long to pause when the system has no more descriptors: to accept at once would only burn a core.
const BREATH: Duration = Duration::from_millis(50);

/// Answers until `stop` resolves; then takes no new connection, finishes within `grace` what is under way, and returns.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> io::Result<()> {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(64 * 1024);
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(outcome = "failure", %error, "listener.accept_failed");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        // Small answers leave at once; a stream that is gone already needs no option.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer.ip()));
            let answer = router.clone().oneshot(request);
            async move { answer.await.map_err(|error: Infallible| match error {}) }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "connection.ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        warn!(outcome = "failure", "listener.grace_exceeded");
    }
    Ok(())
}
