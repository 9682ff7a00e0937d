//! Counters, each a text under a key that goes by itself when its window is over. One script does a whole call.

use async_trait::async_trait;
use model::Timestamp;
use redis::ScriptInvocation;
use vault::LimitKey;

use super::Valkey;
use crate::limits::{Limits, Quota, Seen, Verdict, distinct, verdict};
use crate::{Error, Result};

#[async_trait]
impl Limits for Valkey {
    async fn hit_all(&self, asked: &[(LimitKey, Quota)], now: Timestamp) -> Result<Verdict> {
        if asked.is_empty() {
            return Ok(verdict(std::iter::empty(), now));
        }
        let mut call = self.hit.prepare_invoke();
        call.arg(now.as_unix_ms());
        for (key, quota) in distinct(asked) {
            name(&mut call, key).arg(quota.hits()).arg(quota.window_ms());
        }
        let seen: Vec<(u32, i64)> = call.invoke_async(&mut self.connection.clone()).await?;
        if seen.len() != distinct(asked).count() {
            return Err(Error::no_answer());
        }
        let seen = seen.into_iter().map(|(counting, oldest)| Seen { counting, oldest });
        Ok(verdict(distinct(asked).map(|(_, quota)| quota).zip(seen), now))
    }

    async fn give_back(&self, keys: &[LimitKey], at: Timestamp) -> Result<()> {
        let mut call = self.give_back.prepare_invoke();
        call.arg(at.as_unix_ms());
        for key in keys {
            name(&mut call, key);
        }
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Keys go by themselves.
    async fn sweep(&self, _now: Timestamp, _limit: u32) -> Result<u64> {
        Ok(0)
    }
}

fn name<'a, 'script>(
    call: &'a mut ScriptInvocation<'script>,
    key: &LimitKey,
) -> &'a mut ScriptInvocation<'script> {
    call.key(format!("claviger:limit:{}", key.to_hex()))
}
