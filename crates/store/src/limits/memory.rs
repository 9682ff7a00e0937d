//! Counters in the memory of this process, gone with it.

use std::array;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::Timestamp;
use vault::LimitKey;

use super::{Limits, Quota, Seen, Verdict, distinct, verdict};
use crate::Result;

/// So many callers count at once without waiting for each other.
const SHARDS: usize = 16;

/// How long a full shard waits until it looks again for windows that are over.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// A bounded number of keys. When it is full, windows that are over make room; where there are none, a hit of a new key is
/// refused until one is: nobody who is being counted is forgotten, and nobody passes uncounted.
pub struct Memory {
    shards: [Mutex<Shard>; SHARDS],
    keys_per_shard: usize,
    is_full: AtomicBool,
}

#[derive(Default)]
struct Shard {
    windows: HashMap<LimitKey, Window>,
    /// When it was last found full, and when the first of its windows will be over.
    found_full: Option<(Timestamp, i64)>,
}

struct Window {
    /// Oldest first.
    hits: Vec<i64>,
    ends_at: i64,
}

impl Default for Memory {
    /// 100,000 keys: some 20 MB at ten hits each, 130 MB at the very most.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Memory {
    /// Counts about so many keys.
    pub fn new(keys: usize) -> Self {
        Self {
            shards: array::from_fn(|_| Mutex::default()),
            keys_per_shard: keys.div_ceil(SHARDS).max(1),
            is_full: AtomicBool::new(false),
        }
    }

    /// What a hit would be told, without counting it: for what only counts when it fails, and is over in a moment.
    pub fn look(&self, asked: &[(LimitKey, Quota)], now: Timestamp) -> Verdict {
        let seen = distinct(asked).map(|(key, quota)| {
            let shard = self.lock(shard_of(key));
            let window = shard.windows.get(key);
            (quota, window.map_or(Seen { counting: 0, oldest: 0 }, |window| window.seen(quota, now)))
        });
        verdict(seen, now)
    }

    /// [`Limits::hit_all`], which never fails here.
    pub fn count(&self, asked: &[(LimitKey, Quota)], now: Timestamp) -> Verdict {
        // All that are needed at once, in the one order in which everybody takes them.
        let mut shards: Shards = array::from_fn(|shard| {
            asked.iter().any(|(key, _)| shard_of(key) == shard).then(|| self.lock(shard))
        });
        let seen = distinct(asked).map(|(key, quota)| {
            let window = locked(&mut shards, key).windows.get(key);
            (quota, window.map_or(Seen { counting: 0, oldest: 0 }, |window| window.seen(quota, now)))
        });
        let said = verdict(seen, now);
        if !said.is_allowed() {
            return said;
        }
        for (key, _) in distinct(asked) {
            if let Err(retry_after) = self.make_room(locked(&mut shards, key), key, now) {
                return Verdict::Refused { retry_after };
            }
        }
        for (key, quota) in distinct(asked) {
            let windows = &mut locked(&mut shards, key).windows;
            windows.entry(*key).or_insert(Window { hits: Vec::new(), ends_at: 0 }).add(quota, now);
        }
        said
    }

    /// [`Limits::give_back`], which never fails here.
    pub(super) fn take_back(&self, keys: &[LimitKey], at: Timestamp) {
        for key in keys {
            if let Some(window) = self.lock(shard_of(key)).windows.get_mut(key)
                && let Ok(place) = window.hits.binary_search(&at.as_unix_ms())
            {
                window.hits.remove(place);
            }
        }
    }

    /// [`Limits::sweep`], which never fails here.
    pub fn forget(&self, now: Timestamp, limit: u32) -> u64 {
        let mut left = limit;
        for shard in 0..SHARDS {
            self.lock(shard).windows.retain(|_, window| {
                let goes = left > 0 && window.ends_at <= now.as_unix_ms();
                left -= u32::from(goes);
                !goes
            });
        }
        u64::from(limit - left)
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the key has a place. `Err` tells how long there will be none.
    fn make_room(
        &self,
        shard: &mut Shard,
        key: &LimitKey,
        now: Timestamp,
    ) -> std::result::Result<(), Duration> {
        if shard.windows.len() < self.keys_per_shard || shard.windows.contains_key(key) {
            return Ok(());
        }
        let until = |first: i64| Timestamp::from_unix_ms(first).since(now).max(Duration::from_millis(1));
        if let Some((when, first)) = shard.found_full
            && when <= now
            && now < when + LOOK_PAUSE
        {
            return Err(until(first));
        }
        shard.windows.retain(|_, window| window.ends_at > now.as_unix_ms());
        if shard.windows.len() < self.keys_per_shard {
            self.is_full.store(false, Ordering::Relaxed);
            return Ok(());
        }
        let first = shard.windows.values().map(|window| window.ends_at).min().unwrap_or(0);
        shard.found_full = Some((now, first));
        if !self.is_full.swap(true, Ordering::Relaxed) {
            let keys = self.keys_per_shard * SHARDS;
            tracing::warn!(keys, "limits.memory_full");
        }
        Err(until(first))
    }
}

/// The shards of one call.
type Shards<'a> = [Option<MutexGuard<'a, Shard>>; SHARDS];

fn locked<'a>(shards: &'a mut Shards<'_>, key: &LimitKey) -> &'a mut Shard {
    shards[shard_of(key)].as_mut().expect("the shard of each key of the call is locked")
}

/// Keys are as good as random.
fn shard_of(key: &LimitKey) -> usize {
    usize::from(key.as_bytes()[0]) % SHARDS
}

impl Window {
    /// Where the hits end that a clock can have made which is right.
    fn end(&self, quota: &Quota, now: Timestamp) -> usize {
        self.hits.partition_point(|hit| *hit < (now + quota.window).as_unix_ms())
    }

    fn seen(&self, quota: &Quota, now: Timestamp) -> Seen {
        let end = self.end(quota, now);
        let newest = &self.hits[end.saturating_sub(quota.hits as usize)..end];
        let past = newest.partition_point(|hit| *hit <= (now - quota.window).as_unix_ms());
        let counting = u32::try_from(newest.len() - past).expect("at most as many as the quota has");
        Seen { counting, oldest: newest.get(past).copied().unwrap_or_default() }
    }

    fn add(&mut self, quota: &Quota, now: Timestamp) {
        self.hits.truncate(self.end(quota, now));
        self.hits.drain(..(self.hits.len() + 1).saturating_sub(quota.hits as usize));
        let place = self.hits.partition_point(|hit| *hit <= now.as_unix_ms());
        self.hits.insert(place, now.as_unix_ms());
        let newest = self.hits.last().copied().unwrap_or_default();
        self.ends_at = newest.saturating_add(quota.window_ms());
    }
}

#[async_trait]
impl Limits for Memory {
    async fn hit_all(&self, asked: &[(LimitKey, Quota)], now: Timestamp) -> Result<Verdict> {
        Ok(self.count(asked, now))
    }

    async fn give_back(&self, keys: &[LimitKey], at: Timestamp) -> Result<()> {
        self.take_back(keys, at);
        Ok(())
    }

    async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64> {
        Ok(self.forget(now, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_795_000_000_000 + second * 1000)
    }

    fn quota(hits: u32, seconds: u64) -> Quota {
        Quota::new(hits, Duration::from_secs(seconds)).unwrap()
    }

    /// The keys with this first octet lie in one shard.
    fn key(shard: u8, number: u8) -> LimitKey {
        let mut octets = [number; 32];
        octets[0] = shard;
        LimitKey::from_octets(octets)
    }

    fn hit(memory: &Memory, key: LimitKey, quota: Quota, second: i64) -> Verdict {
        memory.count(&[(key, quota)], at(second))
    }

    fn keys(memory: &Memory) -> usize {
        (0..SHARDS).map(|shard| memory.lock(shard).windows.len()).sum()
    }

    #[test]
    fn a_full_memory_refuses_who_is_new_and_forgets_nobody_who_is_counted() {
        let memory = Memory::new(2 * SHARDS);
        assert!(hit(&memory, key(0, 1), quota(2, 60), 0).is_allowed());
        assert!(hit(&memory, key(0, 2), quota(1, 90), 0).is_allowed());
        for number in 3..100 {
            let verdict = hit(&memory, key(0, number), quota(1, 60), 1);
            assert_eq!(verdict, Verdict::Refused { retry_after: Duration::from_secs(59) });
        }
        assert_eq!(keys(&memory), 2);
        assert!(hit(&memory, key(0, 1), quota(2, 60), 2).is_allowed(), "who is counted goes on");
        assert!(!hit(&memory, key(0, 1), quota(2, 60), 3).is_allowed());
        assert!(!hit(&memory, key(0, 2), quota(1, 90), 3).is_allowed());
        assert!(hit(&memory, key(1, 1), quota(1, 60), 3).is_allowed(), "elsewhere there is room");
    }

    #[test]
    fn windows_that_are_over_make_room() {
        let memory = Memory::new(2 * SHARDS);
        assert!(hit(&memory, key(0, 1), quota(1, 60), 0).is_allowed());
        assert!(hit(&memory, key(0, 2), quota(1, 90), 0).is_allowed());
        assert!(!hit(&memory, key(0, 3), quota(1, 60), 59).is_allowed());
        assert!(hit(&memory, key(0, 3), quota(1, 60), 60).is_allowed());
        assert_eq!(keys(&memory), 2);
        assert!(!hit(&memory, key(0, 2), quota(1, 90), 89).is_allowed(), "the other is still counted");
    }

    #[test]
    fn a_clock_that_is_set_back_finds_room_that_has_come() {
        let memory = Memory::new(SHARDS);
        assert!(hit(&memory, key(0, 1), quota(1, 60), 0).is_allowed());
        assert!(!hit(&memory, key(0, 2), quota(1, 60), 59).is_allowed());
        memory.take_back(&[key(0, 1)], at(0));
        memory.forget(at(60), 10);
        assert!(hit(&memory, key(0, 2), quota(1, 60), 1).is_allowed());
    }

    #[test]
    fn of_several_keys_none_is_counted_where_one_has_no_place() {
        let memory = Memory::new(SHARDS);
        assert!(hit(&memory, key(0, 1), quota(1, 60), 0).is_allowed());
        let both = [(key(1, 1), quota(1, 60)), (key(0, 2), quota(1, 60))];
        assert!(!memory.count(&both, at(1)).is_allowed());
        assert!(hit(&memory, key(1, 1), quota(1, 60), 1).is_allowed());
    }

    #[test]
    fn the_sweep_takes_windows_that_are_over_and_no_more_than_it_is_told() {
        let memory = Memory::default();
        for number in 0..50 {
            let seconds = if number < 40 { 60 } else { 90 };
            assert!(hit(&memory, key(number, number), quota(1, seconds), 0).is_allowed());
        }
        assert_eq!(memory.forget(at(59), 100), 0);
        assert_eq!(memory.forget(at(60), 30), 30);
        assert_eq!(memory.forget(at(60), 30), 10);
        assert_eq!((memory.forget(at(60), 30), keys(&memory)), (0, 10));
    }

    #[test]
    fn no_more_is_remembered_than_the_quota_needs() {
        let memory = Memory::default();
        for second in 0..1000 {
            assert!(hit(&memory, key(0, 0), quota(10, 1), second).is_allowed());
        }
        assert!(memory.lock(0).windows[&key(0, 0)].hits.len() <= 10);
    }
}
