//! What a provider does to refresh tokens, and the times that follow from it. No clock and no dice: both are arguments.

use std::time::Duration;

use model::Timestamp;
use provider::catalog::Entry;
use provider::format::entry::Rotation;
use store::credentials::{Credential, SealedTokens};
use store::refreshes::{JournalRow, Look, Phase};

/// How long a lease lives without being renewed.
pub const LEASE: Duration = Duration::from_secs(20);

/// How often it is renewed meanwhile.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);

/// How much of the lease must be left when a request is sent.
pub const LEASE_MARGIN: Duration = Duration::from_secs(3);

/// How long a holder that gives no sign of life may be asleep with an answer in its hands, beyond the longest call, where
/// nothing that it holds survives its end.
pub const STALL: Duration = Duration::from_mins(1);

/// How long a flight watches an abandoned call before it replays it: a holder whose store was away comes first.
pub const OBSERVE: Duration = Duration::from_secs(5);

/// The last part of an access token's life, in which a strict provider's refresh token is replayed: the replay may
/// revoke the access token with the whole family, so it is used up first.
pub const LAST_PART: Duration = Duration::from_mins(1);

/// Calls of one flight for what was certainly not processed, and for what may be repeated.
pub const ATTEMPTS: u32 = 3;

/// Calls of one flight of a strict provider that answered something unclear.
pub const STRICT_ATTEMPTS: u32 = 2;

/// A provider that wants to be left alone for longer than this gets its wish without a flight waiting for it.
pub const LONGEST_RETRY_WAIT: Duration = Duration::from_secs(10);

/// The longest pause between two tries of the background.
pub const LONGEST_REST: Duration = Duration::from_mins(5);

/// The background renews no token sooner than this after it came, whatever its lifetime: no loop can be tighter.
const SHORTEST_LIFE: Duration = Duration::from_secs(2);

/// Keep-alive of refresh tokens that die of inactivity: a week is enough for every provider that documents one.
const KEEP_ALIVE: Duration = Duration::from_hours(7 * 24);

/// Whether a refresh token may be sent again when nobody knows what became of the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Class a: always; it is not rotated, or the old one stays valid.
    Free,
    /// Class b: the old one is accepted for this long after its first use, or until the new tokens are used.
    Within(Option<Duration>),
    /// Class c: it works once. If the first call was processed, its answer was the only copy.
    Once,
}

impl Replay {
    /// What an entry says.
    pub fn of(entry: &Entry) -> Self {
        match entry.refresh.rotation {
            Rotation::None => Self::Free,
            Rotation::Leeway => Self::Within(entry.refresh.reuse_leeway),
            Rotation::UntilUse => Self::Within(None),
            Rotation::Strict => Self::Once,
        }
    }
}

/// The rules of one flight.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whether a refresh token may be sent again.
    pub replay: Replay,
    /// The longest that a call takes.
    pub call_limit: Duration,
    /// The pause before the second call; it doubles before each further one.
    pub first_retry: Duration,
    /// How long before its end a token is refreshed.
    pub refresh_before: Duration,
    /// How long a credential may be unused before it is left to refresh on demand.
    pub idle_after: Duration,
    /// How long a grant lives without being used.
    pub inactivity: Option<Duration>,
    /// How long the holder of an abandoned call may take to come back with its answer, beyond the longest call: awake
    /// again, or started again with what its spool holds.
    pub holder_returns: Duration,
    /// Whether answers go to a spool before they are committed.
    pub spool: bool,
}

impl Rules {
    /// How long before its end a token of this lifetime is due; longer for strict providers, where a call that fails
    /// takes longer to mend, and never more than a fifth of the lifetime.
    pub fn buffer(&self, lifetime: Duration) -> Duration {
        let before = if self.replay == Replay::Once { self.refresh_before * 2 } else { self.refresh_before };
        before.min(lifetime / 5)
    }

    /// When tokens that were just obtained are due. `dice` is from 0 to 1 and spreads those that came together.
    pub fn due_at(&self, tokens: &SealedTokens, idle: bool, dice: f64) -> Option<Timestamp> {
        let renewal = tokens.expires_at.map(|end| {
            let lifetime = end.since(tokens.obtained_at);
            let early = self.buffer(lifetime) + (lifetime / 10).mul_f64(dice);
            tokens.obtained_at + lifetime.saturating_sub(early).max(SHORTEST_LIFE)
        });
        let keep_alive = self.inactivity.map(|inactivity| {
            let pause = KEEP_ALIVE.min(inactivity / 3);
            tokens.obtained_at + pause.saturating_sub((pause / 10).mul_f64(dice))
        });
        match (renewal.filter(|_| !idle), keep_alive) {
            (Some(renewal), Some(keep_alive)) => Some(renewal.min(keep_alive)),
            (renewal, keep_alive) => renewal.or(keep_alive),
        }
    }

    /// Whether nobody has asked for its tokens for so long that they are refreshed on demand only.
    pub fn is_idle(&self, credential: &Credential, now: Timestamp) -> bool {
        credential.used_at.is_some_and(|used| now.since(used) > self.idle_after)
    }

    /// The pause before the call after `attempts` calls. `dice` is from 0 to 1.
    pub fn retry_wait(&self, attempts: u32, dice: f64) -> Duration {
        let doubled = self.first_retry.saturating_mul(1 << attempts.saturating_sub(1).min(10));
        doubled.mul_f64(0.8 + 0.4 * dice)
    }

    /// The pause before the background tries again, after this many flights that failed in a row.
    pub fn rest(&self, failures: u32, dice: f64) -> Duration {
        self.retry_wait(failures.saturating_add(ATTEMPTS - 1).min(20), dice).min(LONGEST_REST)
    }

    /// From when the refresh token of `look` may be sent, given the calls whose fate is unknown; `None`: now.
    /// `watched_since` is since when the caller has seen the newest of them abandoned; `rejected` tells that the access
    /// token is worth nothing any more.
    pub fn replay_at(&self, look: &Look, watched_since: Timestamp, rejected: bool) -> Option<Timestamp> {
        let unknown = || look.journal.iter().filter(|row| row.generation == look.credential.generation);
        let first = unknown().filter(|row| row.phase != Phase::Orphan).map(|row| row.started_at).min()?;
        let holder_may_wake = |row: &JournalRow| {
            let asleep = row.started_at + self.call_limit + self.holder_returns;
            asleep.max(watched_since + OBSERVE)
        };
        let abandoned = unknown().filter(|row| row.phase == Phase::Sent).map(holder_may_wake).max();
        let ends_at = look.credential.tokens.expires_at;
        match self.replay {
            Replay::Free => return None,
            // A replay ends the pair that an abandoned call may still bring. Its holder comes first, as long as nobody
            // waits and the leeway is not at stake.
            Replay::Within(leeway) if leeway.is_none_or(|leeway| look.now < first + leeway) => {
                let last = leeway.map(|leeway| first + leeway.saturating_sub(self.call_limit * 2));
                let at = [ends_at, last].into_iter().flatten().chain(abandoned).min();
                return at.filter(|at| abandoned.is_some() && *at > look.now);
            }
            // Beyond the leeway it would be a reuse as at a strict provider.
            Replay::Within(_) | Replay::Once => {}
        }
        let silent = unknown().any(|row| row.phase == Phase::Sent || row.silent);
        let used_up = ends_at.map(|end| end - LAST_PART).filter(|_| silent && !rejected);
        abandoned.max(used_up).filter(|at| *at > look.now)
    }

    /// Whether a later call, whose fate is unknown, may have ended the pair that the call `fence` brought, while the token
    /// that it spent still brings a newer one.
    pub fn may_be_superseded(&self, look: &Look, fence: i64, tokens: &SealedTokens) -> bool {
        let Replay::Within(leeway) = self.replay else { return false };
        let calls = || look.journal.iter().filter(|row| row.generation == look.credential.generation);
        let first = calls().map(|row| row.started_at).fold(tokens.obtained_at, Timestamp::min);
        let is_open = leeway.is_none_or(|leeway| look.now + self.call_limit * 4 < first + leeway);
        let is_later = |row: &JournalRow| row.fence > fence && row.phase != Phase::Orphan;
        is_open && look.credential.broken.is_none() && calls().any(is_later)
    }

    /// Until when somebody may still come with the answer to another call than `fence`.
    pub fn answer_may_come_until(&self, look: &Look, fence: i64) -> Option<Timestamp> {
        if self.replay == Replay::Free {
            return None;
        }
        let others = look.journal.iter().filter(|row| row.fence != fence && row.phase == Phase::Sent);
        others
            .map(|row| row.started_at + self.call_limit + self.holder_returns)
            .max()
            .filter(|until| *until > look.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            replay: Replay::Once,
            call_limit: Duration::from_mins(1),
            first_retry: Duration::from_secs(1),
            refresh_before: Duration::from_mins(5),
            idle_after: Duration::from_hours(24),
            inactivity: None,
            holder_returns: STALL,
            spool: false,
        }
    }

    #[test]
    fn waits_grow_from_one_to_two_to_four_seconds_with_jitter() {
        let rules = rules();
        for (attempts, seconds) in [(1, 1.0), (2, 2.0), (3, 4.0)] {
            let wait = |dice| rules.retry_wait(attempts, dice).as_secs_f64();
            assert!((wait(0.0) - seconds * 0.8).abs() < 0.001, "{attempts}: {}", wait(0.0));
            assert!((wait(0.5) - seconds).abs() < 0.001, "{attempts}: {}", wait(0.5));
            assert!((wait(1.0) - seconds * 1.2).abs() < 0.001, "{attempts}: {}", wait(1.0));
        }
    }

    #[test]
    fn the_rest_after_a_failed_flight_goes_on_where_its_waits_ended() {
        let rules = rules();
        let rests: Vec<u64> = (1..=10).map(|failures| rules.rest(failures, 0.5).as_secs()).collect();
        assert_eq!(rests, [4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    }

    #[test]
    fn no_number_of_failures_is_too_large() {
        for failures in [20, 1000, u32::MAX] {
            assert_eq!(rules().rest(failures, 1.0), LONGEST_REST);
            assert!(rules().retry_wait(failures, 1.0) < Duration::from_mins(21));
        }
    }
}
