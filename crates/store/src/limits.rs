//! How often something may happen, counted exactly: of the hits that are let through no window holds more than the quota.
//!
//! Whoever counts keeps the newest hits of each key, as many as the quota allows. A hit passes unless the oldest of these
//! still lies within the window, whatever the order in which replicas come with their clocks. Refused hits leave nothing:
//! no count, no key, no write. Three count alike: [`Memory`] beside SQLite, PostgreSQL, and Redis or Valkey.
//!
//! **What counts only when it fails**, such as a login, is a hit before the password is checked, and is given back after a
//! success. A look before and a hit after would let any number of guesses pass that come at once.
//!
//! **Clocks**: a hit has the time of the replica that it reached. Where two clocks differ, a window is shorter or longer by as
//! much. A hit that lies a window or more ahead comes from a clock that was wrong, and is forgotten.
//!
//! **When it is away**: PostgreSQL and Redis stand behind [`OrLocal`], which goes on counting in memory: never open, never
//! locked.

use std::time::Duration;

use async_trait::async_trait;
use model::Timestamp;
use vault::LimitKey;

use crate::Result;

mod memory;
mod or_local;

pub use memory::Memory;
pub use or_local::OrLocal;

/// So many hits within a window, each of which is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    hits: u32,
    window: Duration,
}

/// Why there can't be such a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuota {
    /// None, or more than are remembered.
    #[error("a limit lets 1 to {most} hits through, not {0}", most = Quota::MOST_HITS)]
    Hits(u32),
    /// Nothing, or longer than hits are kept.
    #[error("the window of a limit is 1 ms to {days} days", days = Quota::LONGEST_WINDOW.as_secs() / 86_400)]
    Window,
}

impl Quota {
    /// As many hits are remembered one by one. More would need a count that is not exact.
    pub const MOST_HITS: u32 = 128;

    /// As long are hits remembered.
    pub const LONGEST_WINDOW: Duration = Duration::from_hours(31 * 24);

    /// At most `hits` within any `window`, which counts in whole milliseconds.
    pub const fn new(hits: u32, window: Duration) -> std::result::Result<Self, InvalidQuota> {
        if hits == 0 || hits > Self::MOST_HITS {
            return Err(InvalidQuota::Hits(hits));
        }
        if window.as_millis() == 0 || window.as_millis() > Self::LONGEST_WINDOW.as_millis() {
            return Err(InvalidQuota::Window);
        }
        Ok(Self { hits, window })
    }

    /// How many.
    pub const fn hits(&self) -> u32 {
        self.hits
    }

    /// Within which time.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// In milliseconds.
    pub(crate) fn window_ms(&self) -> i64 {
        i64::try_from(self.window.as_millis()).expect("31 days of milliseconds fit")
    }
}

/// What a limit says to a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, and counts. Of several keys, this is about the one that has least left.
    Allowed {
        /// How many more would pass now.
        left: u32,
        /// When the oldest hit that counts no longer does, so that one more passes.
        resets_in: Duration,
    },
    /// It does not pass, and does not count.
    Refused {
        /// When one would pass, if none comes between. At least a millisecond; round it up to seconds.
        retry_after: Duration,
    },
}

impl Verdict {
    /// Whether it passes.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Counters.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Counts a hit for every key, if none of them is at its quota; otherwise for none. A key that stands twice counts once,
    /// by the first quota.
    async fn hit_all(&self, asked: &[(LimitKey, Quota)], now: Timestamp) -> Result<Verdict>;

    /// Takes back the hit that was counted for each of these keys at that instant. Where there is none nothing happens.
    async fn give_back(&self, keys: &[LimitKey], at: Timestamp) -> Result<()>;

    /// Forgets at most `limit` keys whose windows are over, and tells how many it were. Nothing else depends on it.
    async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64>;

    /// The same for one key.
    async fn hit(&self, key: &LimitKey, quota: &Quota, now: Timestamp) -> Result<Verdict> {
        self.hit_all(&[(*key, *quota)], now).await
    }
}

/// What is remembered of one key when a hit comes: how many hits count, never more than its quota, and when the oldest of
/// them was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) counting: u32,
    pub(crate) oldest: i64,
}

impl Seen {
    pub(crate) const fn is_refused(self, quota: &Quota) -> bool {
        self.counting >= quota.hits
    }
}

/// Each key once.
pub(crate) fn distinct(asked: &[(LimitKey, Quota)]) -> impl Iterator<Item = &(LimitKey, Quota)> {
    asked
        .iter()
        .enumerate()
        .filter(|(place, (key, _))| asked[..*place].iter().all(|(earlier, _)| earlier != key))
        .map(|(_, one)| one)
}

/// What they say together.
pub(crate) fn verdict<'a>(seen: impl Iterator<Item = (&'a Quota, Seen)>, now: Timestamp) -> Verdict {
    let mut allowed = (u32::MAX, Duration::ZERO);
    let mut refused: Option<Duration> = None;
    for (quota, seen) in seen {
        let oldest = if seen.counting == 0 { now } else { Timestamp::from_unix_ms(seen.oldest) };
        let wait = (oldest + quota.window).since(now);
        if seen.is_refused(quota) {
            refused = refused.max(Some(wait));
        } else {
            let left = quota.hits - seen.counting - 1;
            allowed = if left < allowed.0 { (left, wait) } else { allowed };
        }
    }
    match refused {
        Some(retry_after) => Verdict::Refused { retry_after },
        None => Verdict::Allowed { left: allowed.0, resets_in: allowed.1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_can_not_be_counted_exactly_is_refused() {
        let second = Duration::from_secs(1);
        assert_eq!(Quota::new(0, second), Err(InvalidQuota::Hits(0)));
        assert_eq!(Quota::new(129, second), Err(InvalidQuota::Hits(129)));
        assert_eq!(Quota::new(1, Duration::from_micros(999)), Err(InvalidQuota::Window));
        assert_eq!(Quota::new(1, Quota::LONGEST_WINDOW + second), Err(InvalidQuota::Window));
        assert!(Quota::new(128, Quota::LONGEST_WINDOW).is_ok());
        assert_eq!(InvalidQuota::Hits(129).to_string(), "a limit lets 1 to 128 hits through, not 129");
        assert_eq!(InvalidQuota::Window.to_string(), "the window of a limit is 1 ms to 31 days");
    }
}
