//! Requests that are under way to upstreams. An answer may last as long as a connection does, and a token may not: when it is over,
//! withdrawn or no longer known, what it opened ends with it.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use vault::TokenHash;

use super::OF_ONE_CALLER;
use crate::App;

impl App {
    /// Ends what is under way by tokens that are no longer good.
    pub async fn end_streams(&self) -> ::grant::Result<()> {
        for token in self.streams.tokens() {
            if !self.grant.is_good(&token).await? {
                self.streams.end(&token);
            }
        }
        Ok(())
    }
}

/// What is under way.
#[derive(Default)]
pub struct Streams(Mutex<Open>);

#[derive(Default)]
struct Open {
    streams: HashMap<u64, Noted>,
    next: u64,
    is_closed: bool,
}

struct Noted {
    token: TokenHash,
    /// Whose it is, whichever of their tokens let it in.
    caller: String,
    /// Whether it has no end of its own.
    lasts: bool,
    /// Whoever holds the other end reads of it when this one is gone.
    _end: oneshot::Sender<()>,
}

impl Streams {
    /// Notes a request; `None` when one caller has too many under way, or the process stops.
    pub(super) fn open(
        self: &Arc<Self>,
        token: TokenHash,
        caller: String,
        room: OwnedSemaphorePermit,
    ) -> Option<Stream> {
        let mut open = self.lock();
        let of_caller = open.streams.values().filter(|own| own.caller == caller).count();
        if open.is_closed || of_caller >= OF_ONE_CALLER {
            return None;
        }
        let id = open.next;
        open.next += 1;
        let (end, over) = oneshot::channel();
        open.streams.insert(id, Noted { token, caller, lasts: false, _end: end });
        drop(open);
        Some(Stream { streams: Arc::clone(self), id, over, _room: room })
    }

    /// The tokens by which something is under way.
    pub fn tokens(&self) -> Vec<TokenHash> {
        let mut tokens: Vec<_> = self.lock().streams.values().map(|own| own.token).collect();
        tokens.sort_unstable_by_key(|token| *token.as_bytes());
        tokens.dedup();
        tokens
    }

    /// Ends what is under way by a token.
    pub fn end(&self, token: &TokenHash) {
        self.lock().streams.retain(|_, own| own.token != *token);
    }

    /// Lets nothing begin, and ends what has no end of its own; the rest has the time that a stop has.
    pub fn close(&self) {
        let mut open = self.lock();
        open.is_closed = true;
        open.streams.retain(|_, own| !own.lasts);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way, as long as this is kept.
pub(super) struct Stream {
    streams: Arc<Streams>,
    id: u64,
    over: oneshot::Receiver<()>,
    _room: OwnedSemaphorePermit,
}

impl Stream {
    /// Resolves when it has to end.
    pub(super) async fn over(&mut self) {
        // Nothing is ever sent; the other end goes.
        let _gone = (&mut self.over).await;
    }

    /// Its answer has no end of its own.
    fn lasts(&self) {
        let mut open = self.streams.lock();
        if open.is_closed {
            open.streams.remove(&self.id);
        } else if let Some(own) = open.streams.get_mut(&self.id) {
            own.lasts = true;
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.lock().streams.remove(&self.id);
    }
}

/// The body of an answer, as long as it may last. It is read beside the connection to the caller, so that it ends also while they take
/// nothing.
pub(super) fn body(body: Incoming, stream: Stream) -> Body {
    if body.is_end_stream() {
        return Body::new(body);
    }
    let size = body.size_hint();
    if size.exact().is_none() {
        stream.lasts();
    }
    let (sender, frames) = mpsc::channel(1);
    tokio::spawn(read(body, stream, sender));
    Body::new(Answer { frames, size, is_whole: false })
}

/// `None` is the end of the body.
async fn read(mut body: Incoming, mut stream: Stream, sender: mpsc::Sender<Option<Frame<Bytes>>>) {
    let passed = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return };
            if sender.send(Some(frame)).await.is_err() {
                return;
            }
        }
        let _left = sender.send(None).await;
    };
    tokio::select! {
        () = passed => {}
        () = stream.over() => {}
        () = sender.closed() => {}
    }
}

struct Answer {
    frames: mpsc::Receiver<Option<Frame<Bytes>>>,
    size: SizeHint,
    is_whole: bool,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_whole {
            return Poll::Ready(None);
        }
        self.frames.poll_recv(context).map(|next| match next {
            Some(Some(frame)) => Some(Ok(frame)),
            Some(None) => {
                self.is_whole = true;
                None
            }
            // Not the end of the body: nobody shall take a part for the whole.
            None => Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the answer was cut off"))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
