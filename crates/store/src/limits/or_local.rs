//! What counts while those that count for everybody are away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use model::Timestamp;
use vault::LimitKey;

use super::{Limits, Memory, Quota, Verdict};
use crate::Result;

/// How long those that are away are not asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Shared counters, and some of our own for as long as they do not answer.
///
/// Ours have the same quotas, and begin with nothing. So while the others are away every replica lets a quota through, and
/// in the window in which they go or come back one quota more passes for each of them.
pub struct OrLocal {
    shared: Arc<dyn Limits>,
    local: Memory,
    is_away: AtomicBool,
    /// When they were last found away, or asked whether they still are.
    asked_at: AtomicI64,
}

impl OrLocal {
    /// Counts with `shared`.
    pub fn new(shared: Arc<dyn Limits>) -> Self {
        Self {
            shared,
            local: Memory::default(),
            is_away: AtomicBool::new(false),
            asked_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether to ask the shared ones. While they are away one caller a second does, and the others do not wait for it.
    fn is_worth_asking(&self, now: Timestamp) -> bool {
        if !self.is_away.load(Ordering::Relaxed) {
            return true;
        }
        let asked_at = self.asked_at.load(Ordering::Relaxed);
        let last = Timestamp::from_unix_ms(asked_at);
        // On both sides: a clock that was set back must not keep us from asking.
        let too_early = last - PAUSE < now && now < last + PAUSE;
        !too_early
            && self
                .asked_at
                .compare_exchange(asked_at, now.as_unix_ms(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// What the shared ones answer; `None` when they do not. Of an outage the log tells when it begins and when it is over.
    async fn ask<T>(&self, now: Timestamp, answer: impl Future<Output = Result<T>>) -> Option<T> {
        if !self.is_worth_asking(now) {
            return None;
        }
        match answer.await {
            Ok(answer) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    tracing::info!("limits.shared_again");
                }
                Some(answer)
            }
            Err(error) => {
                self.asked_at.store(now.as_unix_ms(), Ordering::Relaxed);
                if !self.is_away.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "limits.counted_locally");
                }
                None
            }
        }
    }
}

#[async_trait]
impl Limits for OrLocal {
    async fn hit_all(&self, asked: &[(LimitKey, Quota)], now: Timestamp) -> Result<Verdict> {
        match self.ask(now, self.shared.hit_all(asked, now)).await {
            Some(verdict) => Ok(verdict),
            None => Ok(self.local.count(asked, now)),
        }
    }

    /// Wherever it was counted: what is not there stays untouched. What was counted by those that are away stays counted.
    async fn give_back(&self, keys: &[LimitKey], at: Timestamp) -> Result<()> {
        self.local.take_back(keys, at);
        if !self.is_away.load(Ordering::Relaxed) {
            self.ask(at, self.shared.give_back(keys, at)).await;
        }
        Ok(())
    }

    async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let local = self.local.forget(now, limit);
        Ok(local + self.ask(now, self.shared.sweep(now, limit)).await.unwrap_or(0))
    }
}
