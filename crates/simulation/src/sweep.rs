//! What each replica does with its spool every few seconds: `Connect::sweep_spool`.

use connect::refresh::Trigger;

use crate::faults::Sabotage;
use crate::replica::Kept;
use crate::trial::Event;
use crate::trial::SPOOL_RETENTION_MS;
use crate::trial::SWEEP_EVERY_MS;
use crate::trial::World;

impl World {
    /// Looks into the spool after so long, if that is sooner than was planned.
    pub(crate) fn arm_sweep(&mut self, replica: usize, after: i64) {
        let at = self.now + after;
        let process = &mut self.replicas[replica];
        if process.sweep_at.is_none_or(|planned| planned > at || planned <= self.now) {
            process.sweep_at = Some(at);
            let life = process.life;
            self.push_at(at, Event::Sweep(replica, life));
        }
    }

    /// `Connect::sweep_spool`.
    pub(crate) fn sweep(&mut self, replica: usize, life: u32) {
        let now = self.now;
        let process = &mut self.replicas[replica];
        if process.life != life || !process.is_up {
            return;
        }
        process.sweep_at = None;
        let late = self.setup.sabotage == Some(Sabotage::LateSweep);
        let wanted = |kept: &&Kept| !late || kept.age(now).is_none_or(|age| age >= SPOOL_RETENTION_MS);
        let wanted: Vec<Kept> = process.spool.iter().filter(wanted).cloned().collect();
        for kept in wanted {
            let under_way = self.replicas[replica].flying.as_ref().map(|flying| flying.credential);
            if under_way != Some(kept.claim.credential) && !self.sweep_one(replica, &kept) {
                break;
            }
        }
        if !self.replicas[replica].spool.is_empty() {
            self.arm_sweep(replica, SWEEP_EVERY_MS);
        }
    }

    /// `Connect::sweep_one`; `false` when the store could not be asked.
    pub(crate) fn sweep_one(&mut self, replica: usize, kept: &Kept) -> bool {
        let claim = kept.claim;
        let look = match self.store.look_now(&claim.credential) {
            Err(_) => return false,
            // It is kept for a day: this may not be the database that it belongs to.
            Ok(None) => return true,
            Ok(Some(look)) => look,
        };
        let (generation, age) = (look.credential.generation, kept.age(self.now));
        if look.tokens_fence == claim.fence {
            match age {
                Some(age) if age >= SPOOL_RETENTION_MS => self.replicas[replica].forget(claim),
                _ => self.replicas[replica].is_durable(claim, self.now),
            }
        } else if generation <= claim.generation {
            self.fly(replica, claim.credential, generation, Trigger::Recovery);
        } else if kept.durable_since.is_some() || generation > claim.generation + 1 {
            self.replicas[replica].forget(claim);
        } else if self.store.keep_orphan_now(&claim, &kept.tokens).is_ok() {
            self.tally.orphans += 1;
            self.tell(|| format!("replica {replica}: pair {} goes to the journal as an orphan", kept.number));
            self.replicas[replica].forget(claim);
        } else {
            return false;
        }
        true
    }
}
