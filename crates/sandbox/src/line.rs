//! The connection below a call, so that a failure can end it without an answer.
//!
//! 1. [`Lines`] accepts connections; each has a [`Line`], which its requests carry as connect-info.
//! 2. A handler answers with [`no_answer`].
//! 3. [`hang_up`] sees that and cuts the line: the answer's first octet is refused, and the connection is reset
//!    (RFC 9293 §3.10.5).
//!
//! A router that is served by somebody else has no line. Then the answer's body breaks off before its first octet, and
//! hyper closes the connection in the ordinary way; nothing of an answer is sent either.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use http_body_util::{Full, Limited};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A handle to a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(Arc<AtomicBool>);

impl Line {
    fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().line.clone()
    }
}

/// A listener whose connections can be reset.
pub(crate) struct Lines(pub(crate) TcpListener);

impl Listener for Lines {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (socket, address) = Listener::accept(&mut self.0).await;
        // A small answer in two segments would otherwise wait for the client's delayed acknowledgement.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "sandbox.nodelay_refused");
        }
        (Stream { socket, line: Line::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that takes nothing more once its line is cut.
pub(crate) struct Stream {
    socket: TcpStream,
    line: Line,
}

impl Stream {
    /// The socket, unless the line is cut: then closing it will reset the connection.
    fn writable(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.line.is_cut() {
            self.socket.set_zero_linger()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(Pin::new(&mut self.socket))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.writable()?.poll_write(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writable()?.poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writable()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writable()?.poll_shutdown(cx)
    }
}

/// Marks an answer that must not be sent.
#[derive(Clone, Copy)]
struct NoAnswer;

/// In place of an answer: the connection ends.
pub(crate) fn no_answer() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(NoAnswer);
    response
}

/// The layer that does what [`no_answer`] asks for.
pub(crate) async fn hang_up(request: Request, next: Next) -> Response {
    let line = request.extensions().get::<ConnectInfo<Line>>().map(|ConnectInfo(line)| line.clone());
    let mut response = next.run(request).await;
    if response.extensions().get::<NoAnswer>().is_some() {
        match line {
            Some(line) => line.cut(),
            None => *response.body_mut() = breaking_off(),
        }
    }
    response
}

/// A body whose first octet is one too many.
fn breaking_off() -> Body {
    Body::new(Limited::new(Full::new(Bytes::from_static(b"..")), 1))
}
