//! What other processes write is seen at the next read, for the price of reading 48 octets.
//!
//! SQLite's WAL-index, the file `-shm`, begins with a header of 48 octets: a change counter, the number of valid frames,
//! their checksums (<https://sqlite.org/walformat.html> §2.1). Every commit of any process writes it before the commit
//! is answered, and no two commits write the same one. So before a record in memory counts, the header is read and
//! compared with the last one seen; if it differs, anything may have changed.
//!
//! Our own commits differ too, and of those we know what they changed. So after each the writer
//!
//! 1. reads the header,
//! 2. asks `PRAGMA data_version`, which on one connection changes only by the commits of others; if it has changed,
//!    anything may have changed,
//! 3. remembers the header of step 1 as seen.
//!
//! In this order a foreign commit that the header covers is always noticed in step 2, and one that comes later makes
//! another header. A reader that looks between our commit and step 3 empties the cache for nothing, which does no harm.
//! Nor does a header that is half old and half new: it equals neither.
//!
//! The descriptor stays open for the life of the process, once per file: POSIX drops all of a process's locks on a file
//! when *any* of its descriptors is closed, and SQLite holds locks on this one
//! (<https://sqlite.org/howtocorrupt.html> §2.2).

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection as Database;

use super::file::unavailable;
use crate::Result;
use crate::cache::{Epochs, Watch};

const HEADER: usize = 48;

type Header = [u8; HEADER];

/// A file as the operating system knows it: device and inode.
type Identity = (u64, u64);

/// Every `-shm` that this process has opened.
static OPENED: LazyLock<Mutex<HashMap<Identity, Arc<File>>>> = LazyLock::new(Mutex::default);

pub(super) struct LogWatch {
    index: Arc<File>,
    epochs: Arc<Epochs>,
    seen: Mutex<Option<Header>>,
    data_version: AtomicI64,
}

impl LogWatch {
    /// Watches the log of the database `path`, which a connection of ours holds open.
    pub(super) fn of(path: &Path, epochs: Arc<Epochs>) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push("-shm");
        let index = open_once(&PathBuf::from(name))?;
        Ok(Self { index, epochs, seen: Mutex::new(None), data_version: AtomicI64::new(i64::MIN) })
    }

    /// The header as it is now; `None` if it can't be read, which then counts as a change.
    fn header(&self) -> Option<Header> {
        let mut header = [0; HEADER];
        self.index.read_exact_at(&mut header, 0).ok().map(|()| header)
    }

    /// Steps 1 to 3, on the writer's connection after its commit.
    pub(super) fn committed(&self, writer: &Database) {
        let header = self.header();
        let version = writer
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)));
        match version {
            Ok(version) if self.data_version.swap(version, Ordering::SeqCst) == version => {}
            _ => self.epochs.all_changed(),
        }
        *self.seen() = header;
    }

    fn seen(&self) -> MutexGuard<'_, Option<Header>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for LogWatch {
    fn look(&self) -> bool {
        let header = self.header();
        let mut seen = self.seen();
        if header.is_none() || *seen != header {
            self.epochs.all_changed();
            *seen = header;
        }
        true
    }
}

fn open_once(path: &Path) -> Result<Arc<File>> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    // Asked without opening: the file behind a descriptor that we would have to close again may be in use.
    let found = fs::metadata(path).map_err(|error| unavailable(path, &error))?;
    if let Some(file) = opened.get(&(found.dev(), found.ino())) {
        return Ok(Arc::clone(file));
    }
    let file = File::open(path).map_err(|error| unavailable(path, &error))?;
    let held = file.metadata().map_err(|error| unavailable(path, &error))?;
    let file = Arc::new(file);
    Ok(Arc::clone(opened.entry((held.dev(), held.ino())).or_insert(file)))
}
