//! What begins a flight: the queue, the sweeper of abandoned ones, and readers of tokens.

use std::time::Duration;

use connect::refresh::Trigger;
use model::Timestamp;

use crate::random::PERCENT;
use crate::replica::Replica;
use crate::trial::Event;
use crate::trial::SWEEP_EVERY_MS;
use crate::trial::World;
use crate::trial::access_number;
use crate::trial::milliseconds;

/// For how long a credential that was taken from the queue is left alone, as in the product.
const TAKEN_FOR_MS: i64 = 30_000;

impl World {
    /// Reads that meet the tokens near and after their end.
    pub(crate) fn expect_reads(&mut self) {
        let end = self.lifetime_ms;
        if self.random.strikes(30 * PERCENT) {
            let before = self.random.between(0, 290_000.min(end / 5));
            self.push(end - before, Event::Read);
        }
        if self.random.strikes(50 * PERCENT) {
            let after = self.random.between(600, 10_000);
            self.push(end + after, Event::Read);
        }
    }

    /// The queue looks once a second; it is asked when there is something.
    pub(crate) fn arm_due(&mut self, due: Option<Timestamp>) {
        let Some(due) = due else { return };
        let at = due.as_unix_ms().max(self.now);
        if self.due_armed.is_none_or(|armed| armed > at + 1_000) {
            let at = at + self.random.between(1, 1_000);
            self.due_armed = Some(at);
            self.push_at(at, Event::Due);
        }
    }

    pub(crate) fn arm_due_now(&mut self) {
        let due = self.store.credential(&self.credential).and_then(|credential| credential.due_at);
        self.arm_due(due);
    }

    pub(crate) fn take_due(&mut self) {
        if self.due_armed != Some(self.now) {
            // Another time was set since.
            return;
        }
        self.due_armed = None;
        let now = Timestamp::from_unix_ms(self.now);
        let Some(replica) = self.somebody() else {
            return self.arm_due(Some(now + Duration::from_secs(1)));
        };
        let Ok(taken) = self.store.take_due_now(now, now + milliseconds(TAKEN_FOR_MS), &[], 1) else {
            return self.arm_due(Some(now + Duration::from_secs(1)));
        };
        if let Some(due) = taken.first() {
            self.fly(replica, due.credential, due.generation, Trigger::Background);
        }
        let Some(credential) = self.store.credential(&self.credential) else { return };
        if credential.broken.is_none() {
            self.arm_due(credential.due_at.map(|due| due.max(now + Duration::from_millis(900))));
        }
    }

    /// Each replica looks every five seconds; it is asked from the time when a lease may have run out.
    pub(crate) fn arm_recover(&mut self, after: i64) {
        if !self.recover_armed {
            self.recover_armed = true;
            let spread = self.random.between(0, SWEEP_EVERY_MS / self.count());
            self.push(after + spread, Event::Recover);
        }
    }

    pub(crate) fn count(&self) -> i64 {
        i64::try_from(self.replicas.len()).unwrap_or(1)
    }

    pub(crate) fn recover(&mut self) {
        self.recover_armed = false;
        let Some(replica) = self.somebody() else { return self.arm_recover(1_000) };
        match self.store.abandoned_now(1) {
            Err(_) => self.arm_recover(1_000),
            Ok(found) => {
                if let Some(due) = found.first() {
                    self.fly(replica, due.credential, due.generation, Trigger::Recovery);
                    self.arm_recover(SWEEP_EVERY_MS / self.count());
                } else if self.leased_until > self.now {
                    self.arm_recover(self.leased_until - self.now);
                }
            }
        }
    }

    /// A product asks for the token, by the table of `connect::access_token`.
    pub(crate) fn read(&mut self) {
        let Some(replica) = self.somebody() else { return self.push(1_000, Event::Read) };
        let Some(credential) = self.store.credential(&self.credential) else { return };
        if credential.broken.is_some() {
            return;
        }
        let now = self.now + self.replicas[replica].skew;
        let Some(end) = credential.tokens.expires_at.map(Timestamp::as_unix_ms) else { return };
        let works =
            access_number(&credential.tokens).is_some_and(|number| self.provider.access_works(number));
        if end <= now || !works {
            if !self.is_store_down() {
                let trigger = if end <= now { Trigger::Read } else { Trigger::Rejected };
                self.fly(replica, credential.id, credential.generation, trigger);
            }
            let again = self.random.between(5_000, 60_000);
            self.push(again, Event::Read);
        } else if end - now <= 300_000.min(self.lifetime_ms / 5)
            && self.replicas[replica].resting_until <= self.now
            && !self.is_store_down()
        {
            self.fly(replica, credential.id, credential.generation, Trigger::Near);
        }
    }

    /// A replica that is up and awake.
    pub(crate) fn somebody(&mut self) -> Option<usize> {
        let awake = |replica: &Replica| replica.is_up && replica.asleep_until <= self.now;
        let count = self.replicas.iter().filter(|replica| awake(replica)).count();
        let chosen = if count > 1 { self.random.below(count) } else { 0 };
        let mut awake = (0..self.replicas.len()).filter(|index| awake(&self.replicas[*index]));
        awake.nth(chosen)
    }
}
