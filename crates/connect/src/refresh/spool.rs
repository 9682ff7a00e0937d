//! Answers on their way to the store, kept where they survive a crash and a database that is away.
//!
//! One file an answer, sealed as it will stand in the store: `CREDENTIAL.GENERATION.FENCE`. Room for it is made before
//! the call, so that a full disk is noticed while the refresh token is still unspent. With SQLite the commit itself is
//! the spool. The directory may be shared by several processes of one machine: files never change owners, and adopting
//! is safe whoever does it.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::{CredentialId, Timestamp};
use store::credentials::SealedTokens;
use store::refreshes::Claim;
use tracing::{error, warn};

/// Room that is made for an answer, in octets: ten times what providers send. A larger answer needs more when it comes.
const ROOM: usize = 64 * 1024;

/// Room that nobody has used for so long belongs to nobody: no call takes that time.
const ROOM_LIVES: Duration = Duration::from_hours(1);

/// How often it is looked for what other processes have left.
const LOOKS_EVERY: Duration = Duration::from_secs(30);

/// The end of a file that was written to its end.
const END: u8 = b'\n';

/// The spool of this process; cheap to clone.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    kept: Mutex<HashMap<CredentialId, Vec<Kept>>>,
    /// When the directory was last read.
    looked: Mutex<Instant>,
}

/// An answer of the spool.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) claim: Claim,
    pub(crate) tokens: Arc<SealedTokens>,
    /// Since when the store has it; `None`: it may not.
    pub(crate) durable_since: Option<Timestamp>,
}

impl Spool {
    /// Opens the spool, making the directory for its owner alone, and reads what an earlier process has left.
    pub fn open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut kept: HashMap<_, Vec<_>> = HashMap::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if let Some(one) = read(&path) {
                kept.entry(one.claim.credential).or_default().push(one);
            }
        }
        let spool = Self(Arc::new(Inner {
            directory: directory.to_owned(),
            kept: Mutex::new(kept),
            looked: Mutex::new(Instant::now()),
        }));
        // A spool that can't be written stops the start, not the first refresh.
        let probe = directory.join(format!(".write-probe-{}", std::process::id()));
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe))?;
        Ok(spool)
    }

    /// Reads what other processes of this machine have left since: one that was killed before it could bring its answer to
    /// the store leaves it here.
    pub(crate) async fn look_again(&self) -> io::Result<()> {
        {
            let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.elapsed() < LOOKS_EVERY {
                return Ok(());
            }
            *looked = Instant::now();
        }
        let known: HashSet<Claim> = self.all().iter().map(|one| one.claim).collect();
        let directory = self.0.directory.clone();
        let found = blocking(move || {
            let mut found = Vec::new();
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                let claim = path.file_name().and_then(|name| name.to_str()).and_then(claim_of);
                if claim.is_some_and(|claim| !known.contains(&claim)) {
                    found.extend(read(&path));
                }
            }
            Ok(found)
        });
        let found = found.await?;
        let mut kept = self.lock();
        for one in found {
            let of_this = kept.entry(one.claim.credential).or_default();
            if !of_this.iter().any(|known| known.claim == one.claim) {
                of_this.push(one);
            }
        }
        Ok(())
    }

    /// Makes room for the answer to a call.
    pub(crate) async fn reserve(&self, claim: Claim) -> io::Result<()> {
        let (path, directory) = (self.path(&claim), self.0.directory.clone());
        blocking(move || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            // Written, not merely allocated: what a file system promises differs.
            let made = file.write_all(&vec![0; ROOM]).and_then(|()| file.sync_all());
            let made = made.and_then(|()| File::open(directory)?.sync_all());
            if made.is_err() {
                discard(&path);
            }
            made
        })
        .await
    }

    /// Keeps an answer; when this returns it survives a crash.
    pub(crate) async fn keep(&self, claim: Claim, tokens: &SealedTokens) -> io::Result<()> {
        let tokens = Arc::new(tokens.clone());
        let kept = Kept { claim, tokens: tokens.clone(), durable_since: None };
        self.lock().entry(claim.credential).or_default().push(kept);
        let path = self.path(&claim);
        blocking(move || {
            let mut text = serde_json::to_vec(tokens.as_ref())?;
            text.push(END);
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
            file.write_all(&text)?;
            file.sync_data()?;
            // Only tidiness: a reader stops at the end mark.
            file.set_len(text.len() as u64)
        })
        .await
    }

    /// The newest answer to a call that spent this generation's refresh token, or that of a later one, which a store that
    /// went back in time has forgotten; unless it has the store's present tokens, of this fence.
    pub(crate) fn find(
        &self,
        credential: &CredentialId,
        generation: i64,
        tokens_fence: i64,
    ) -> Option<(i64, SealedTokens)> {
        let kept = self.lock();
        let newer = kept.get(credential)?.iter().filter(|one| one.claim.generation >= generation);
        let newest = newer.max_by_key(|one| (one.claim.generation, one.claim.fence))?;
        let is_new = newest.claim.fence != tokens_fence;
        is_new.then(|| (newest.claim.fence, newest.tokens.as_ref().clone()))
    }

    /// The store has it.
    pub(crate) fn is_durable(&self, claim: &Claim, now: Timestamp) {
        for one in self.lock().get_mut(&claim.credential).into_iter().flatten() {
            if one.claim == *claim {
                one.durable_since.get_or_insert(now);
            }
        }
    }

    /// Everything that lies here.
    pub(crate) fn all(&self) -> Vec<Kept> {
        self.lock().values().flatten().cloned().collect()
    }

    /// Drops an answer that the store has, or the room of a call that brought none.
    pub(crate) async fn forget(&self, claim: Claim) {
        {
            let mut kept = self.lock();
            if let Some(of_this) = kept.get_mut(&claim.credential) {
                of_this.retain(|one| one.claim != claim);
                if of_this.is_empty() {
                    kept.remove(&claim.credential);
                }
            }
        }
        let path = self.path(&claim);
        let gone = blocking(move || {
            discard(&path);
            Ok(())
        });
        // It only fails when the process ends.
        let _ = gone.await;
    }

    fn path(&self, claim: &Claim) -> PathBuf {
        self.0.directory.join(format!("{}.{}.{}", claim.credential, claim.generation, claim.fence))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CredentialId, Vec<Kept>>> {
        // Whole after every statement, so a panic elsewhere does not spoil it.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn discard(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(%error, path = %path.display(), "spool.file_stays");
        }
        _ => {}
    }
}

/// Reads one file. Room that has no answer yet is left alone while its call may be under way in another process.
fn read(path: &Path) -> Option<Kept> {
    let claim = claim_of(path.file_name()?.to_str()?)?;
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) => {
            error!(%error, path = %path.display(), "spool.unreadable");
            return None;
        }
    };
    let end = content.iter().position(|octet| *octet == END);
    let Some(end) = end else {
        let is_room = content.iter().all(|octet| *octet == 0);
        let age =
            fs::metadata(path).and_then(|found| found.modified()).map(|at| at.elapsed().unwrap_or_default());
        match age {
            Ok(age) if is_room && age > ROOM_LIVES => discard(path),
            _ if is_room => {}
            _ => error!(path = %path.display(), "spool.damaged"),
        }
        return None;
    };
    match serde_json::from_slice(&content[..end]) {
        Ok(tokens) => Some(Kept { claim, tokens: Arc::new(tokens), durable_since: None }),
        Err(error) => {
            // The position alone: the text is sealed, and still nobody's business.
            error!(line = error.line(), column = error.column(), path = %path.display(), "spool.damaged");
            None
        }
    }
}

fn claim_of(name: &str) -> Option<Claim> {
    let mut parts = name.split('.');
    let claim = Claim {
        credential: parts.next()?.parse().ok()?,
        generation: parts.next()?.parse().ok()?,
        fence: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(claim)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
