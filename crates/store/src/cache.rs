//! Hot records in memory, as sealed as they are in the database, and never older than the last change.
//!
//! A record is kept with the two things that it depends on (a connection and its credential, say) and with the sum of
//! their epochs. Whoever changes one of them raises its epoch after the commit and before the change is answered; a
//! record counts only while the sum is still the one that it was kept with. Epochs only rise, so equal sums mean that
//! nothing happened.
//!
//! A reader that loads a record while it is being changed must not keep the old one under the new epoch. What a record
//! depends on is known only once it is loaded, so the last changes are remembered in order: a record is kept only if
//! none of those since its loading began was about it.
//!
//! Things share epochs by their hash, so a change now and then reloads a record that it was not about, and a record
//! that it was about never stays.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{ApiKeyId, CredentialId};

use crate::Result;
use crate::connections::ConnectionKey;

/// How many epochs there are: 128 KiB, and at 100,000 records one change reloads about six others.
const EPOCHS: usize = 1 << 14;

/// How many of the last changes are remembered. A load that sees more of them pass is not kept.
const REMEMBERED: u64 = 1024;

/// Something that records depend on, by its hash: the same in every process and every version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thing(u64);

impl Thing {
    pub(crate) fn connection(key: &ConnectionKey) -> Self {
        Self::hash("connection", &[key.subject.as_str(), key.integration.as_str(), key.label.as_str()])
    }

    pub(crate) fn credential(id: &CredentialId) -> Self {
        Self::hash("credential", &[&id.to_string()])
    }

    pub(crate) fn api_key(id: &ApiKeyId) -> Self {
        Self::hash("api_key", &[&id.to_string()])
    }

    /// FNV-1a over the parts, each ended by an octet that no name contains.
    fn hash(kind: &str, parts: &[&str]) -> Self {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(PRIME);
        let hash = std::iter::once(&kind)
            .chain(parts)
            .fold(OFFSET, |hash, part| step(part.bytes().fold(hash, step), 0));
        Self(hash)
    }

    /// The hash as other processes read it.
    pub(crate) fn to_notice(self) -> String {
        format!("{:016x}", self.0)
    }

    /// Reads it back.
    pub(crate) fn from_notice(notice: &str) -> Option<Self> {
        u64::from_str_radix(notice, 16).ok().map(Self)
    }

    fn epoch(self) -> usize {
        usize::try_from(self.0 % EPOCHS as u64).expect("less than the number of epochs")
    }
}

/// What the caches of one store share.
pub(crate) struct Epochs {
    each: Box<[AtomicU64]>,
    /// Raised when anything may have changed.
    whole: AtomicU64,
    changes: Mutex<Changes>,
}

/// The last changes, the n-th at `n % REMEMBERED`; `None` when anything may have changed.
struct Changes {
    count: u64,
    last: Box<[Option<usize>]>,
}

/// A point in the order of changes.
#[derive(Clone, Copy)]
pub(crate) struct Point(u64);

impl Epochs {
    pub(crate) fn new() -> Self {
        let last = vec![None; usize::try_from(REMEMBERED).expect("a small number")];
        Self {
            each: (0..EPOCHS).map(|_| AtomicU64::new(0)).collect(),
            whole: AtomicU64::new(0),
            changes: Mutex::new(Changes { count: 0, last: last.into_boxed_slice() }),
        }
    }

    /// Says that a thing has changed.
    pub(crate) fn changed(&self, thing: Thing) {
        let mut changes = self.changes();
        changes.remember(Some(thing.epoch()));
        self.each[thing.epoch()].fetch_add(1, Ordering::SeqCst);
    }

    /// Says that anything may have changed.
    pub(crate) fn all_changed(&self) {
        let mut changes = self.changes();
        changes.remember(None);
        self.whole.fetch_add(1, Ordering::SeqCst);
    }

    /// Where the order of changes stands; to be asked before a record is loaded.
    pub(crate) fn now(&self) -> Point {
        Point(self.changes().count)
    }

    /// The sum for a record that was loaded after `before`; `None` when one of its things has changed since then.
    fn sum_if_unchanged(&self, before: Point, things: [usize; 2]) -> Option<u64> {
        let changes = self.changes();
        changes.none_since(before, things).then(|| self.sum(things))
    }

    fn sum(&self, things: [usize; 2]) -> u64 {
        things.iter().fold(self.whole.load(Ordering::SeqCst), |sum, thing| {
            sum.wrapping_add(self.each[*thing].load(Ordering::SeqCst))
        })
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        // No code in here panics halfway through a change.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    fn slot(change: u64) -> usize {
        usize::try_from(change % REMEMBERED).expect("less than the number of slots")
    }

    fn remember(&mut self, change: Option<usize>) {
        let slot = Self::slot(self.count);
        self.last[slot] = change;
        self.count += 1;
    }

    fn none_since(&self, before: Point, things: [usize; 2]) -> bool {
        self.count - before.0 <= REMEMBERED
            && (before.0..self.count)
                .all(|change| self.last[Self::slot(change)].is_some_and(|changed| !things.contains(&changed)))
    }
}

/// How a store learns what other processes have changed.
pub(crate) trait Watch: Send + Sync {
    /// Raises the epochs for what others changed before this call. `false` while that can't be known: then nothing in
    /// memory counts.
    fn look(&self) -> bool;
}

/// A record in memory.
struct Entry<T> {
    record: Arc<T>,
    things: [usize; 2],
    sum: u64,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { record: Arc::clone(&self.record), things: self.things, sum: self.sum }
    }
}

/// Records by their key.
pub(crate) struct Cache<K, T> {
    entries: Option<moka::sync::Cache<K, Entry<T>>>,
    epochs: Arc<Epochs>,
    watch: Arc<dyn Watch>,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static, T: Send + Sync + 'static> Cache<K, T> {
    /// A cache of at most `capacity` records; none at all with 0. A record older than `lifetime` is loaded again.
    pub(crate) fn new(
        capacity: u64,
        lifetime: Option<Duration>,
        epochs: Arc<Epochs>,
        watch: Arc<dyn Watch>,
    ) -> Self {
        let entries = (capacity > 0).then(|| {
            let builder = moka::sync::Cache::builder().max_capacity(capacity);
            match lifetime {
                Some(lifetime) => builder.time_to_live(lifetime).build(),
                None => builder.build(),
            }
        });
        Self { entries, epochs, watch }
    }

    /// The record of `key`: from memory, or from `load`, which also tells what the record depends on.
    pub(crate) async fn read(
        &self,
        key: &K,
        load: impl Future<Output = Result<Option<(T, [Thing; 2])>>>,
    ) -> Result<Option<Arc<T>>> {
        let entries = self.entries.as_ref().filter(|_| self.watch.look());
        let Some(entries) = entries else {
            return Ok(load.await?.map(|(record, _)| Arc::new(record)));
        };
        if let Some(entry) = entries.get(key)
            && entry.sum == self.epochs.sum(entry.things)
        {
            return Ok(Some(entry.record));
        }
        let before = self.epochs.now();
        let Some((record, things)) = load.await? else {
            return Ok(None);
        };
        let record = Arc::new(record);
        let things = things.map(Thing::epoch);
        if let Some(sum) = self.epochs.sum_if_unchanged(before, things) {
            entries.insert(key.clone(), Entry { record: Arc::clone(&record), things, sum });
        }
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Alone;

    impl Watch for Alone {
        fn look(&self) -> bool {
            true
        }
    }

    fn cache(epochs: &Arc<Epochs>) -> Cache<&'static str, u32> {
        Cache::new(10, None, Arc::clone(epochs), Arc::new(Alone))
    }

    /// Two things that share no epoch with each other.
    const THINGS: [Thing; 2] = [Thing(1), Thing(2)];

    async fn read(cache: &Cache<&'static str, u32>, loaded: u32) -> u32 {
        *cache.read(&"key", async { Ok(Some((loaded, THINGS))) }).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_record_stays_until_one_of_its_things_changes() {
        let epochs = Arc::new(Epochs::new());
        let cache = cache(&epochs);
        assert_eq!(read(&cache, 1).await, 1);
        epochs.changed(Thing(3));
        assert_eq!(read(&cache, 2).await, 1);
        for (thing, next) in THINGS.into_iter().zip(2..) {
            epochs.changed(thing);
            assert_eq!(read(&cache, next).await, next);
            assert_eq!(read(&cache, 99).await, next);
        }
        epochs.all_changed();
        assert_eq!(read(&cache, 5).await, 5);
    }

    /// What changes, how, and which of two loads is read afterwards.
    type Case<'a> = (&'a str, &'a dyn Fn(&Epochs), u32);

    #[tokio::test]
    async fn a_record_that_changes_while_it_is_loaded_is_not_kept() {
        let more_than_remembered = u32::try_from(REMEMBERED).unwrap() + 1;
        let changes: [Case<'_>; 4] = [
            ("of its own", &|epochs| epochs.changed(THINGS[1]), 2),
            ("of anything", &Epochs::all_changed, 2),
            (
                "of others, too many",
                &|epochs| (0..more_than_remembered).for_each(|_| epochs.changed(Thing(9))),
                2,
            ),
            ("of another", &|epochs| epochs.changed(Thing(9)), 1),
        ];
        for (what, change, expected) in changes {
            let epochs = Arc::new(Epochs::new());
            let cache = cache(&epochs);
            let load = async {
                change(&epochs);
                Ok(Some((1, THINGS)))
            };
            cache.read(&"key", load).await.unwrap();
            assert_eq!(read(&cache, 2).await, expected, "{what}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_asked_for_again() {
        let cache = cache(&Arc::new(Epochs::new()));
        assert_eq!(cache.read(&"key", async { Ok(None) }).await.unwrap(), None);
        assert_eq!(read(&cache, 1).await, 1);
    }

    /// Replicas of two versions understand each other only while these values stay. Computed with Python.
    #[test]
    fn a_thing_has_the_same_hash_in_every_version() {
        let key = ConnectionKey {
            subject: "anna".parse().unwrap(),
            integration: "github".parse().unwrap(),
            label: <_>::default(),
        };
        let things = [
            Thing::connection(&key),
            Thing::credential(&CredentialId::from([1; 16])),
            Thing::api_key(&ApiKeyId::from([1; 16])),
        ];
        let notices = things.map(Thing::to_notice);
        assert_eq!(notices, ["32265f6b32cf10bf", "5768e816d41888f8", "1eaaca2a0b63a75b"]);
        assert_eq!(Thing::from_notice(&notices[0]), Some(things[0]));
        assert_eq!(Thing::from_notice("what?"), None);
    }
}
