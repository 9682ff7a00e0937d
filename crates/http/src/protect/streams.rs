//! Requests that are under way to upstreams. An answer may last as long as a connection does, and a token may not: when it is over,
//! withdrawn or no longer known, what it opened ends with it.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use vault::TokenHash;

use super::OF_ONE_TOKEN;
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

/// What is under way, by the token that let it in.
#[derive(Default)]
pub struct Streams(Mutex<Open>);

#[derive(Default)]
struct Open {
    of: HashMap<TokenHash, HashMap<u64, oneshot::Sender<()>>>,
    next: u64,
    is_closed: bool,
}

impl Streams {
    /// Notes a request; `None` when one token has too many under way, or the process stops.
    pub(super) fn open(self: &Arc<Self>, token: TokenHash, room: OwnedSemaphorePermit) -> Option<Stream> {
        let mut open = self.lock();
        if open.is_closed || open.of.get(&token).is_some_and(|own| own.len() >= OF_ONE_TOKEN) {
            return None;
        }
        let id = open.next;
        open.next += 1;
        let (end, over) = oneshot::channel();
        open.of.entry(token).or_default().insert(id, end);
        drop(open);
        Some(Stream { streams: Arc::clone(self), token, id, over, _room: room })
    }

    /// The tokens by which something is under way.
    pub fn tokens(&self) -> Vec<TokenHash> {
        self.lock().of.keys().copied().collect()
    }

    /// Ends what is under way by a token.
    pub fn end(&self, token: &TokenHash) {
        // Whoever holds the other ends reads of it.
        self.lock().of.remove(token);
    }

    /// Ends everything, and lets nothing begin.
    pub fn close(&self) {
        let mut open = self.lock();
        open.of.clear();
        open.is_closed = true;
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way, as long as this is kept.
pub(super) struct Stream {
    streams: Arc<Streams>,
    token: TokenHash,
    id: u64,
    over: oneshot::Receiver<()>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        if let Some(own) = open.of.get_mut(&self.token) {
            own.remove(&self.id);
            if own.is_empty() {
                open.of.remove(&self.token);
            }
        }
    }
}

/// The body of an answer, as long as it may last.
pub(super) struct Answer {
    body: Incoming,
    stream: Stream,
    is_over: bool,
}

impl Answer {
    pub(super) const fn new(body: Incoming, stream: Stream) -> Self {
        Self { body, stream, is_over: false }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.is_over = self.is_over || Pin::new(&mut self.stream.over).poll(context).is_ready();
        if self.is_over {
            // Not the end of the body: nobody shall take a part for the whole.
            let error = io::Error::new(io::ErrorKind::ConnectionAborted, "the token is no longer good");
            return Poll::Ready(Some(Err(error.into())));
        }
        Pin::new(&mut self.body).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
