//! Hears what other replicas change.
//!
//! Whoever changes something that may be in memory notifies the channel of `telling!` in the same transaction; the
//! server passes that on when the transaction commits. While nobody listens (at the start, after a lost connection)
//! nothing in memory counts, and when listening begins again everything counts as changed.
//!
//! Our own notices come back too. They are taken like any other: a caller that goes away in the middle of a write leaves
//! nobody else to say that it happened.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::AsyncMessage;

use super::address::Address;
use crate::cache::{Epochs, Thing, Watch};
use crate::{Error, Result};

/// The statement that listens to the channel of [`telling`].
const LISTEN: &str = "LISTEN claviger_changes";

/// Lets a statement that writes notify of it: the parameter is [`Thing::to_notice`]. It answers a row for each row that
/// it wrote. Two other statements may go along; they see what the first wrote as `done`, and nothing of it in the tables.
macro_rules! telling {
    ($statement:expr, $parameter:literal $(, $along:literal $(, $beside:literal)?)?) => {
        concat!(
            "WITH done AS (",
            $statement,
            " RETURNING 1)",
            $(", along AS (", $along, ")", $(", beside AS (", $beside, ")",)?)?
            " SELECT pg_notify('claviger_changes', ",
            $parameter,
            ") FROM done"
        )
    };
}
pub(super) use telling;

/// How `pg_stat_activity` names the connection that listens.
const NAME: &str = "claviger listener";

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the connection is tried, and how long its answer may take: a lost one is noticed within both.
const HEARTBEAT: Duration = Duration::from_secs(5);

pub(super) struct Listener {
    hears: Arc<AtomicBool>,
    task: Mutex<Option<AbortHandle>>,
}

impl Listener {
    /// Listens until it is stopped.
    pub(super) fn start(address: Address, epochs: Arc<Epochs>) -> Self {
        let hears = Arc::new(AtomicBool::new(false));
        let ear = Ear { address, epochs, hears: Arc::clone(&hears) };
        let task = tokio::spawn(ear.listen_on()).abort_handle();
        Self { hears, task: Mutex::new(Some(task)) }
    }

    /// Hears nothing, ever.
    pub(super) fn deaf() -> Self {
        Self { hears: Arc::default(), task: Mutex::default() }
    }

    pub(super) fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        self.hears.store(false, Ordering::SeqCst);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Watch for Listener {
    fn look(&self) -> bool {
        self.hears.load(Ordering::SeqCst)
    }
}

struct Ear {
    address: Address,
    epochs: Arc<Epochs>,
    hears: Arc<AtomicBool>,
}

impl Ear {
    async fn listen_on(self) {
        loop {
            let Err(error) = self.listen().await;
            self.hears.store(false, Ordering::SeqCst);
            tracing::warn!(%error, retry_after_ms = PAUSE.as_millis(), "store.listener_lost");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Listens until the connection is lost.
    async fn listen(&self) -> Result<std::convert::Infallible> {
        let mut config = self.address.config.clone();
        config.application_name(NAME);
        let (client, mut connection) = config.connect(self.address.tls.clone()).await?;
        let hear = async {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(notice))) => self.heard(notice.payload()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(Error::Unavailable("the server closed the connection".into())),
                }
            }
        };
        let keep_alive = async {
            client.batch_execute(LISTEN).await?;
            // In this order: what changed before we listened is forgotten before anything counts.
            self.epochs.all_changed();
            self.hears.store(true, Ordering::SeqCst);
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let answer = tokio::time::timeout(HEARTBEAT, client.batch_execute("")).await;
                answer.map_err(|elapsed| Error::Unavailable(elapsed.into()))??;
            }
        };
        tokio::select! { lost = hear => lost, lost = keep_alive => lost }
    }

    fn heard(&self, notice: &str) {
        match Thing::from_notice(notice) {
            Some(thing) => self.epochs.changed(thing),
            // Of a version that says more than this one understands.
            None => self.epochs.all_changed(),
        }
    }
}
