//! The one writer. Whatever waits while a transaction commits goes into the next one together, so that the price of a
//! durable commit is shared; each job has a savepoint, so that one that fails takes no other with it.
//!
//! 1. take the jobs that wait, at most [`GROUP`]
//! 2. `BEGIN IMMEDIATE`, each job in its savepoint, `COMMIT`
//! 3. tell the caches what has changed
//! 4. answer every job

use std::sync::Arc;
use std::thread;

use rusqlite::Connection as Database;
use tokio::sync::{mpsc, oneshot};

use super::watch::LogWatch;
use crate::audit::Head;
use crate::cache::{Epochs, Thing};
use crate::{Error, Result};

/// How many jobs may wait; then callers wait to hand theirs in.
const QUEUE: usize = 1024;

/// How many jobs share a transaction at most.
const GROUP: usize = 256;

/// A job, whatever it answers.
trait Job: Send {
    /// What it may change.
    fn things(&self) -> &[Thing];
    /// Does it; tells why not, if its writes are not to be kept.
    fn run(&mut self, database: &Database, state: &mut State) -> std::result::Result<(), String>;
    /// Answers it: with its own error, with why the transaction did not come through, or with its outcome.
    fn answer(self: Box<Self>, failure: Option<Error>);
}

/// What the writer knows beside the file; a transaction changes it when it comes through.
#[derive(Clone, Default)]
struct State {
    /// The end of our audit chain; `None` while only the table knows it.
    head: Option<Head>,
    /// Whether a write has failed since the last that was made to find out.
    in_doubt: bool,
}

struct Deed<T, W> {
    things: Vec<Thing>,
    work: Option<W>,
    outcome: Result<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T: Send, W: FnOnce(&Database, &mut State) -> Result<T> + Send> Job for Deed<T, W> {
    fn things(&self) -> &[Thing] {
        &self.things
    }

    fn run(&mut self, database: &Database, state: &mut State) -> std::result::Result<(), String> {
        if let Some(work) = self.work.take() {
            self.outcome = work(database, state);
        }
        self.outcome.as_ref().map(drop).map_err(|error| match error {
            Error::Unavailable(cause) => cause.to_string(),
            error => error.to_string(),
        })
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        let has_run = self.work.is_none();
        let outcome = match failure {
            Some(failure) if self.outcome.is_ok() || !has_run => Err(failure),
            _ => self.outcome,
        };
        // Nobody listens when the caller has gone away.
        let _ = self.answer.send(outcome);
    }
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
}

impl Writer {
    pub(super) fn start(database: Database, epochs: Arc<Epochs>, watch: Arc<LogWatch>) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || Loop { database, epochs, watch, state: State::default() }.run(jobs))
            .map_err(|error| Error::Unavailable(error.into()))?;
        Ok(Self { queue })
    }

    /// Does `work` in a transaction and answers when it is durable. `things` is what it may change.
    ///
    /// A caller that goes away does not stop it.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        things: &[Thing],
        work: impl FnOnce(&Database) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.hand_in(things, |database, _| work(database)).await
    }

    /// Does `work`, which adds to our audit chain, with the chain's end.
    pub(super) async fn append(
        &self,
        work: impl FnOnce(&Database, &mut Option<Head>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.hand_in(&[], |database, state| work(database, &mut state.head)).await
    }

    /// Takes the write lock; writes too if the last write failed, for a disk may be full all the time.
    pub(super) async fn ping(&self) -> Result<()> {
        let work = |database: &Database, state: &mut State| {
            if state.in_doubt {
                // Goes through the log like any write, and means nothing to anybody.
                database.execute_batch("PRAGMA user_version = 0")?;
                state.in_doubt = false;
            }
            Ok(())
        };
        self.hand_in(&[], work).await
    }

    async fn hand_in<T: Send + 'static>(
        &self,
        things: &[Thing],
        work: impl FnOnce(&Database, &mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let deed = Deed { things: things.to_vec(), work: Some(work), outcome: Err(closed()), answer };
        let job = Message::Job(Box::new(deed));
        self.queue.send(job).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Does what waits, then stops.
    pub(super) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Message::Close(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

fn closed() -> Error {
    Error::Unavailable("the store is closed".into())
}

struct Loop {
    database: Database,
    epochs: Arc<Epochs>,
    watch: Arc<LogWatch>,
    state: State,
}

impl Loop {
    fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut group = Vec::with_capacity(GROUP);
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = queue.blocking_recv() else { break };
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Job(job) => group.push(job),
                    Message::Close(answer) => closing = Some(answer),
                }
                next = if group.len() < GROUP && closing.is_none() { queue.try_recv().ok() } else { None };
            }
            self.commit(&mut group);
        }
        queue.close();
        if let Err(error) = self.database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "store.checkpoint_failed");
        }
        drop(self.database);
        if let Some(answer) = closing {
            let _ = answer.send(());
        }
    }

    /// Steps 2 to 4.
    fn commit(&mut self, group: &mut Vec<Box<dyn Job>>) {
        if group.is_empty() {
            return;
        }
        let outcome = self.transact(group);
        self.watch.committed(&self.database);
        for thing in group.iter().flat_map(|job| job.things()) {
            self.epochs.changed(*thing);
        }
        let failure = outcome.err();
        self.state.in_doubt |= failure.is_some();
        for job in group.drain(..) {
            job.answer(failure.as_deref().map(|why| Error::Unavailable(why.into())));
        }
    }

    fn transact(&mut self, group: &mut [Box<dyn Job>]) -> std::result::Result<(), String> {
        self.run_sql("BEGIN IMMEDIATE")?;
        let mut state = self.state.clone();
        let outcome = group.iter_mut().try_for_each(|job| self.run_job(job.as_mut(), &mut state));
        let outcome = outcome.and_then(|()| {
            // A commit that fails may be in the log all the same.
            self.state.head = None;
            self.run_sql("COMMIT")
        });
        if outcome.is_ok() {
            self.state = state;
        } else if !self.database.is_autocommit() {
            // SQLite has rolled back by itself after some errors, not after all.
            let _ = self.run_sql("ROLLBACK");
        }
        outcome
    }

    /// Does a job in its savepoint. An error here means that the whole transaction is gone: SQLite rolls it back by
    /// itself when the disk is full or can't be read.
    fn run_job(&self, job: &mut dyn Job, state: &mut State) -> std::result::Result<(), String> {
        self.run_sql("SAVEPOINT job")?;
        if let Err(why) = job.run(&self.database, state) {
            if self.database.is_autocommit() {
                return Err(why);
            }
            state.in_doubt = true;
            self.run_sql("ROLLBACK TO job")?;
        }
        self.run_sql("RELEASE job")
    }

    fn run_sql(&self, sql: &'static str) -> std::result::Result<(), String> {
        let done = self.database.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(drop).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::file;

    /// A writer on the directory's file.
    fn writer(directory: &tempfile::TempDir, setup: &str) -> Writer {
        let path = directory.path().join("x.db");
        file::bring_up_to_date(&path, crate::Migrate::AtStart).unwrap();
        let database = file::connect(&path).unwrap();
        database.execute_batch("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, b BLOB)").unwrap();
        database.execute_batch(setup).unwrap();
        let epochs = Arc::new(Epochs::new());
        let watch = Arc::new(LogWatch::of(&path, Arc::clone(&epochs)).unwrap());
        Writer::start(database, epochs, watch).unwrap()
    }

    async fn insert(writer: &Writer, number: i64, octets: i64) -> Result<()> {
        let sql = "INSERT INTO t VALUES (?1, zeroblob(?2))";
        writer.write(&[], move |database| Ok(database.execute(sql, [number, octets]).map(drop)?)).await
    }

    async fn numbers(writer: &Writer) -> Vec<i64> {
        let read = |database: &Database| {
            let mut statement = database.prepare("SELECT n FROM t ORDER BY n")?;
            let numbers = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(numbers)
        };
        writer.write(&[], read).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_fails_leaves_nothing_and_takes_no_other_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Arc::new(writer(&directory, ""));
        let jobs: Vec<_> = (0..100)
            .map(|job| {
                let writer = Arc::clone(&writer);
                tokio::spawn(async move {
                    let fails = job % 2 == 1;
                    let work = move |database: &Database| {
                        database.execute("INSERT INTO t (n) VALUES (?1)", [job])?;
                        if fails { Err(Error::no_answer()) } else { Ok(()) }
                    };
                    assert_eq!(writer.write(&[], work).await.is_err(), fails);
                })
            })
            .collect();
        for job in jobs {
            job.await.unwrap();
        }
        assert_eq!(numbers(&writer).await, (0..100).step_by(2).collect::<Vec<i64>>());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_is_told_to_everyone_and_passes() {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(&directory, "PRAGMA max_page_count = 60");
        let mut outcomes = Vec::new();
        for number in 0..40 {
            outcomes.push(insert(&writer, number, 8000).await.is_ok());
        }
        let kept: Vec<i64> = (0..).zip(&outcomes).filter(|(_, kept)| **kept).map(|(n, _)| n).collect();
        assert!(kept.len() < outcomes.len(), "the disk was to be full");
        assert_eq!(numbers(&writer).await, kept, "what was answered is there, and nothing else");
        writer.write(&[], |database| Ok(database.execute_batch("DELETE FROM t")?)).await.unwrap();
        insert(&writer, 1000, 1).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_ended_a_transaction_is_told_to_all_who_were_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(&directory, "PRAGMA max_page_count = 60");
        let too_much = insert(&writer, 1, 1_000_000);
        // Takes the writer's time, so that the others share a transaction.
        let wait = writer.write(&[], |database| {
            let count = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000) SELECT max(n) FROM c";
            Ok(database.query_row(count, [], |_| Ok(()))?)
        });
        let (_, before, full, after) =
            tokio::join!(wait, insert(&writer, 0, 1), too_much, insert(&writer, 2, 1));
        let full = full.unwrap_err().to_string();
        assert!(full.contains("full"), "{full}");
        for outcome in [before, after] {
            let told = outcome.map_or_else(|error| error.to_string(), |()| "it came through".to_owned());
            assert!(told == full || told == "it came through", "{told}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_handed_in_is_written_before_the_writer_stops() {
        let directory = tempfile::tempdir().unwrap();
        let closing = Arc::new(writer(&directory, ""));
        let (first, ()) = tokio::join!(insert(&closing, 1, 1), closing.close());
        first.unwrap();
        assert!(matches!(insert(&closing, 2, 1).await, Err(Error::Unavailable(_))));
        assert_eq!(numbers(&writer(&directory, "")).await, [1]);
    }
}
