//! What befalls the world: the store, the provider, and whoever consents.

use model::Timestamp;
use store::refreshes::Hold;
use store::testing::Snapshot;

use crate::faults::Fate;
use crate::faults::Faults;
use crate::faults::Point;
use crate::random::PERCENT;
use crate::trial::BEGIN_MS;
use crate::trial::Event;
use crate::trial::World;

/// A store that forgets more than this was restored from a backup.
const BACKUP_MS: i64 = 60_000;

/// How long the operator takes to look at a restored backup.
const HELD_FOR_MS: i64 = 600_000;

impl World {
    /// What befalls the next step of this kind.
    pub(crate) fn fate(&mut self, point: Point) -> Fate {
        if !self.faulty {
            return Fate::default();
        }
        match &self.setup.faults {
            Faults::Dice(rates) => rates.draw(point, self.rules.spool, &mut self.random),
            Faults::Script(script) => {
                let count = &mut self.steps[point as usize];
                *count += 1;
                script(point, *count, self.now - BEGIN_MS)
            }
        }
    }

    /// What befalls the world while a flight begins.
    pub(crate) fn strike_flight(&mut self) {
        let Faults::Dice(rates) = &self.setup.faults else { return };
        if !self.faulty {
            return;
        }
        let random = &mut self.random;
        if random.strikes(rates.outage) {
            let (after, ms) = (random.between(0, 600), random.between(1_000, 60_000));
            self.push(after, Event::StoreDown(ms));
        }
        let Faults::Dice(rates) = &self.setup.faults else { return };
        if self.rules.spool && self.random.strikes(rates.fail_over) {
            let first = self.random.between(0, 500);
            let lag = self.random.between(20, 3_000);
            self.push(first, Event::Remember);
            self.push(first + lag, Event::FailOver);
        }
        let Faults::Dice(rates) = &self.setup.faults else { return };
        let (provider_down, disconnect) = (rates.provider_down, rates.disconnect);
        if self.random.strikes(provider_down) {
            let (after, ms) = (self.random.between(0, 500), self.random.between(5_000, 400_000));
            self.push(after, Event::ProviderDown(ms));
        }
        if self.random.strikes(disconnect) {
            let (after, anew) = (self.random.between(0, 600), self.random.strikes(75 * PERCENT));
            self.push(after, Event::Disconnect(anew));
        }
    }

    /// Whether a dead grant is believed to be dead, where the circuit might doubt it.
    pub(crate) fn believes(&mut self) -> bool {
        match &self.setup.faults {
            Faults::Dice(rates) if self.faulty => !self.random.strikes(rates.doubted),
            _ => true,
        }
    }

    /// How long the store takes for a renewal beside the usual.
    pub(crate) fn renewal_delay(&mut self) -> i64 {
        let Faults::Dice(rates) = &self.setup.faults else { return 0 };
        let strikes = self.faulty && self.random.strikes(rates.slow_store);
        if strikes { self.random.between(500, 30_000) } else { 0 }
    }

    pub(crate) fn is_provider_down(&self) -> bool {
        self.provider_down_until > self.now
    }

    pub(crate) fn is_store_down(&self) -> bool {
        self.store_down_until > self.now
    }

    pub(crate) fn store_down(&mut self, ms: i64) {
        if self.faulty {
            self.tell(|| format!("store: down for {ms} ms"));
            self.store.set_down(true);
            self.store_down_until = self.store_down_until.max(self.now + ms);
            self.push_at(self.store_down_until, Event::StoreUp);
        }
    }

    pub(crate) fn store_up(&mut self) {
        self.store_down_until = 0;
        self.store.set_down(false);
        self.store_up_since = self.now;
        self.tell(|| "store: up".to_owned());
        self.arm_due_now();
        self.arm_recover(0);
    }

    /// The store forgets what it was told since it was remembered.
    pub(crate) fn forget_since(&mut self, snapshot: Snapshot, after: i64) {
        self.remembered = Some((self.now, snapshot));
        self.push(after, Event::FailOver);
    }

    pub(crate) fn fail_over(&mut self) {
        let Some((since, snapshot)) = self.remembered.take() else { return };
        if !self.faulty {
            return;
        }
        let had = self.stored_number();
        self.store.restore(snapshot);
        let has = self.stored_number();
        self.tell(|| "store: fails over, and forgets its last commits".to_owned());
        if let Some(number) = had.filter(|number| has != Some(*number)) {
            self.paths[number].forgotten = true;
        }
        let was_down = self.is_store_down();
        self.store.set_down(false);
        if self.now - since > BACKUP_MS {
            // Not a fail-over but a backup: the product starts on it with refreshing held.
            let since = Timestamp::from_unix_ms(self.now);
            let hold = Hold { since, reason: "a restored backup".to_owned(), by: "operator".to_owned() };
            // It is up, as of the line above.
            let _ = self.store.hold_now(&hold);
            self.push(HELD_FOR_MS, Event::Resume);
        }
        if let Ok(Some(look)) = self.store.look_now(&self.credential) {
            let known = look.fence;
            for call in self.calls.iter_mut().filter(|call| call.credential == self.credential) {
                call.forgotten |= call.fence > known;
            }
        }
        self.store.set_down(was_down);
        let ms = if self.random.strikes(50 * PERCENT) { 1 } else { self.random.between(1_000, 30_000) };
        self.store_down(ms);
    }

    pub(crate) fn disconnect(&mut self, anew: bool) {
        if !self.faulty {
            return;
        }
        self.tell(|| "the credential is disconnected".to_owned());
        self.store.remove(&self.credential);
        self.due_armed = None;
        if anew {
            let after = self.random.between(1, 20_000);
            self.push(after, Event::Consent);
        }
    }
}
