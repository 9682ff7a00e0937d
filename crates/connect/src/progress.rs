//! Long work tells whoever listens how it goes.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Where the steps of one piece of work are told. Its steps are few, so that a slow listener holds nothing up.
pub struct Progress<S>(Option<UnboundedSender<S>>);

impl<S> Progress<S> {
    /// For work that nobody listens to.
    pub const fn unheard() -> Self {
        Self(None)
    }

    /// For work that somebody listens to.
    pub fn heard() -> (Self, UnboundedReceiver<S>) {
        let (sender, receiver) = unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// Tells a step. A listener who has gone away does not stop the work.
    pub fn tell(&self, step: S) {
        if let Some(listener) = &self.0 {
            let _ = listener.send(step);
        }
    }
}
