//! Connections that read. A point read takes 5 µs, less than a hop to another thread, so it happens where it is asked
//! for.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use rusqlite::Connection as Database;

use super::file;
use crate::Result;

pub(super) struct Readers {
    connections: Box<[Mutex<Database>]>,
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self> {
        let connections = (0..count.max(1))
            .map(|_| {
                let database = file::connect(path)?;
                database.execute_batch("PRAGMA query_only = ON")?;
                Ok(Mutex::new(database))
            })
            .collect::<Result<_>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    /// Reads with the first connection that is free.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Database) -> Result<T>) -> Result<T> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let (after, before) = self.connections.split_at(first);
        for connection in after.iter().chain(before) {
            match connection.try_lock() {
                Ok(database) => return read(&database),
                // A read that panicked left nothing half done.
                Err(TryLockError::Poisoned(poisoned)) => return read(&poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        read(&self.connections[first].lock().unwrap_or_else(PoisonError::into_inner))
    }
}
