//! Passwords that are kept here, as argon2id hashes.
//!
//! Hashing takes a core for some 20 ms and 19 MiB, so a few are under way at a time, on threads of their own, and few more may
//! wait: beyond that the answer is "not just now" and not a server that does nothing else. An address that nobody has costs the
//! same as a wrong password.

use std::sync::Arc;
use std::time::Duration;

use model::Secret;
use store::users::User;
use tokio::sync::Semaphore;

use crate::{Error, Grant, Result};

/// The name of this back end.
pub const NAME: &str = "local";

/// How long a hashing may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// The turns of hashing.
pub(crate) struct Hashing(Arc<Semaphore>);

impl Hashing {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once.max(1))))
    }

    /// Does the work on a thread of its own when it is its turn.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let not_now = || Error::NotNow { what: "hashing passwords" };
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        let turn = turn.ok().and_then(std::result::Result::ok).ok_or_else(not_now)?;
        let work = tokio::task::spawn_blocking(move || {
            // Held until it is done, also when nobody waits any more.
            let _turn = turn;
            work()
        });
        work.await.map_err(|_| not_now())
    }
}

/// How an address is known: without case, as people type it, and with the domain in the form of DNS, as some browsers send it.
pub(crate) fn login_of(email: &str) -> String {
    let email = email.trim().to_lowercase();
    let Some((local, domain)) = email.rsplit_once('@') else { return email };
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(domain)) => format!("{local}@{domain}"),
        _ => email,
    }
}

impl Grant {
    /// Finds the user who has this address and this password here.
    pub(super) async fn check_own(&self, email: &str, password: &Secret<String>) -> Result<Option<User>> {
        let user = self.store().users.of_login(NAME, &login_of(email)).await?;
        let stored = user.as_ref().and_then(|user| user.password.clone()).map(|hash| hash.0);
        let password = password.clone();
        let is_right =
            self.hashing.run(move || vault::password::verify(&password, stored.as_deref())).await?;
        let is_right = is_right.map_err(|error| Error::Keys(error.into()))?;
        Ok(user.filter(|user| is_right && user.disabled_at.is_none()))
    }

    /// Hashes a new password.
    pub(crate) async fn hash_password(&self, password: &Secret<String>) -> Result<String> {
        if let Err(error) = vault::password::check(password) {
            return Err(Error::field("password", error.to_string()));
        }
        let password = password.clone();
        let hashed = self.hashing.run(move || vault::password::hash(&password)).await?;
        hashed.map_err(|error| Error::Keys(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Work that tells when it begins, and is done when it is told to.
    fn held(hashing: &Arc<Hashing>) -> (tokio::task::JoinHandle<Result<()>>, Receiver<()>, Sender<()>) {
        let (begun, begins) = channel();
        let (release, released) = channel();
        let hashing = Arc::clone(hashing);
        let work = move || {
            begun.send(()).unwrap();
            released.recv().unwrap();
        };
        (tokio::spawn(async move { hashing.run(work).await }), begins, release)
    }

    #[tokio::test]
    async fn no_more_are_hashed_at_once_than_may_be_and_nobody_waits_for_ever() {
        let hashing = Arc::new(Hashing::new(2));
        let (first, begun, release) = held(&hashing);
        let (second, also_begun, release_too) = held(&hashing);
        for begun in [begun, also_begun] {
            tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
        }
        tokio::time::pause();
        let third = tokio::spawn({
            let hashing = Arc::clone(&hashing);
            async move { hashing.run(|| ()).await }
        });
        tokio::task::yield_now().await;
        // By hand: work on another thread keeps the clock from going on by itself.
        tokio::time::advance(PATIENCE + Duration::from_secs(1)).await;
        assert!(matches!(third.await.unwrap(), Err(Error::NotNow { .. })), "there is no turn for a third");
        release.send(()).unwrap();
        release_too.send(()).unwrap();
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        hashing.run(|| ()).await.unwrap();
    }

    #[tokio::test]
    async fn a_turn_lasts_as_long_as_the_work_though_nobody_waits_for_it() {
        let hashing = Arc::new(Hashing::new(1));
        let (gone, begun, release) = held(&hashing);
        tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
        gone.abort();
        gone.await.unwrap_err();
        assert_eq!(hashing.0.available_permits(), 0);
        release.send(()).unwrap();
        hashing.run(|| ()).await.unwrap();
    }
}
