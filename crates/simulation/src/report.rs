//! Many trials, and what they say together.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use model::Timestamp;
use store::credentials::{Credential, SealedTokens};

use crate::faults::{Faults, Rates, Sabotage};
use crate::provider::Class;
use crate::random::Random;
use crate::trial::{Mode, Setup, World};
use crate::verdict::{Cause, End, judge};

/// How many trials a thread takes up at a time.
const BATCH: u64 = 2_000;

/// How many seeds of each finding are remembered.
const SEEDS: usize = 5;

/// What a cell of the table is made of.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How the provider rotates.
    pub class: Class,
    /// Where the replicas keep answers.
    pub mode: Mode,
    /// How many credentials.
    pub trials: u64,
    /// What the seeds of the trials follow from.
    pub seed: u64,
    /// Whether processes may sleep for longer than the core is patient.
    pub sleepy: bool,
    /// What the driver does wrong on purpose.
    pub sabotage: Option<Sabotage>,
}

/// What all trials of one plan said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many there were.
    pub trials: u64,
    /// Losses by [`Cause::ALL`].
    pub lost: [u64; Cause::ALL.len()],
    /// Credentials that were marked as broken although a token of theirs works; they count as avoidable too.
    pub wrongly_broken: u64,
    /// Marks of broken credentials while a replica that was up, or the store, had a token that works. Those that were
    /// repaired later are no loss.
    pub hasty_marks: u64,
    /// A trial with such a mark: its index and its seed.
    pub hasty: Option<(u64, u64)>,
    /// Credentials that nobody refreshed any more; they count as avoidable too.
    pub stuck: u64,
    /// Credentials that were disconnected for good.
    pub gone: u64,
    /// Calls to the provider.
    pub calls: u64,
    /// Spent refresh tokens that were presented.
    pub reuses: u64,
    /// Calls while another replica's call with the same refresh token was under way.
    pub double_calls: u64,
    /// Refreshes whose tokens were put in place.
    pub commits: u64,
    /// Answers that were found in the spool or in the journal.
    pub adopted: u64,
    /// Trials that panicked.
    pub panics: u64,
    /// Seeds of trials with avoidable losses or panics, the lowest index first.
    pub seeds: Vec<(u64, u64)>,
    /// A trial of each cause: its index and its seed.
    pub examples: [Option<(u64, u64)>; Cause::ALL.len()],
}

impl Sum {
    /// Losses of this cause.
    pub fn lost_by(&self, cause: Cause) -> u64 {
        let index = Cause::ALL.iter().position(|one| *one == cause);
        index.and_then(|index| self.lost.get(index)).copied().unwrap_or(0)
    }

    /// All losses.
    pub fn losses(&self) -> u64 {
        self.lost.iter().sum()
    }

    /// What must be zero.
    pub fn findings(&self) -> u64 {
        self.lost_by(Cause::Avoidable) + self.panics
    }

    fn add(&mut self, other: Self) {
        self.trials += other.trials;
        for (mine, others) in self.lost.iter_mut().zip(other.lost) {
            *mine += others;
        }
        self.wrongly_broken += other.wrongly_broken;
        self.hasty_marks += other.hasty_marks;
        self.stuck += other.stuck;
        self.gone += other.gone;
        self.calls += other.calls;
        self.reuses += other.reuses;
        self.double_calls += other.double_calls;
        self.commits += other.commits;
        self.adopted += other.adopted;
        self.panics += other.panics;
        for (mine, others) in self.examples.iter_mut().zip(other.examples) {
            *mine = first(*mine, others);
        }
        self.hasty = first(self.hasty, other.hasty);
        self.seeds.extend(other.seeds);
        self.seeds.sort_unstable();
        self.seeds.truncate(SEEDS);
    }

    fn count(&mut self, world: &World, end: End, trial: (u64, u64)) {
        self.trials += 1;
        if let Some(cause) = end.cause() {
            let index = Cause::ALL.iter().position(|one| *one == cause).unwrap_or(0);
            self.lost[index] += 1;
            self.examples[index].get_or_insert(trial);
        }
        self.wrongly_broken += u64::from(end == End::WronglyBroken);
        if world.tally.hasty_marks > 0 {
            self.hasty_marks += u64::from(world.tally.hasty_marks);
            self.hasty.get_or_insert(trial);
        }
        self.stuck += u64::from(end == End::Stuck);
        self.gone += u64::from(end == End::Gone);
        self.calls += u64::from(world.tally.calls);
        self.reuses += u64::from(world.provider.reuses);
        self.double_calls += u64::from(world.tally.double_calls);
        self.commits += u64::from(world.tally.commits);
        self.adopted += u64::from(world.tally.adopted);
    }
}

/// The one with the lower index.
fn first(one: Option<(u64, u64)>, other: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The credential that every trial begins with, but for its tokens.
pub(crate) fn template() -> Credential {
    let named = "is a valid name";
    Credential {
        id: [7; 16].into(),
        subject: "subject".parse().expect(named),
        integration: "integration".parse().expect(named),
        provider: "provider".parse().expect(named),
        client_id: "app".to_owned(),
        token_url: "https://provider.example/token".to_owned(),
        generation: 1,
        account: None,
        tokens: SealedTokens {
            access_token: None,
            refresh_token: None,
            extra: None,
            token_type: "bearer".to_owned(),
            scopes: model::Scopes::default(),
            expires_at: None,
            obtained_at: Timestamp::from_unix_ms(0),
        },
        refreshed_at: None,
        broken: None,
        last_error: None,
        failures: 0,
        due_at: None,
        used_at: None,
        grant_started_at: None,
        grant_ends_at: None,
        part: None,
    }
}

fn setup(plan: &Plan, story: bool) -> Setup {
    let faults = Faults::Dice(if plan.sleepy { Rates::sleepy() } else { Rates::exaggerated() });
    Setup { class: plan.class, mode: plan.mode, faults, sabotage: plan.sabotage, story }
}

/// Runs all trials of a plan, on all cores. What it says does not depend on how many there are.
pub fn run(plan: &Plan) -> Sum {
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(plan, &next))).collect();
        let mut sum = Sum::default();
        for worker in workers {
            if let Ok(part) = worker.join() {
                sum.add(part);
            }
        }
        sum
    })
}

fn work(plan: &Plan, next: &AtomicU64) -> Sum {
    let (template, setup) = (template(), setup(plan, false));
    let mut sum = Sum::default();
    loop {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        if first >= plan.trials {
            return sum;
        }
        for index in first..(first + BATCH).min(plan.trials) {
            let seed = Random::seed_of(plan.seed, index);
            let ended = catch_unwind(AssertUnwindSafe(|| {
                let mut world = World::new(setup.clone(), &template, seed);
                world.run(&template);
                let end = judge(&world);
                (world, end)
            }));
            let before = sum.findings();
            if let Ok((world, end)) = ended {
                sum.count(&world, end, (index, seed));
            } else {
                sum.trials += 1;
                sum.panics += 1;
            }
            if sum.findings() > before && sum.seeds.len() < SEEDS {
                sum.seeds.push((index, seed));
            }
        }
    }
}

/// Tells the trial of one seed event by event; answers how it ended, and whether that was avoidable.
pub fn tell(plan: &Plan, seed: u64) -> (String, bool) {
    let template = template();
    let mut world = World::new(setup(plan, true), &template, seed);
    world.run(&template);
    let end = judge(&world);
    (format!("{end:?}"), end.cause() == Some(Cause::Avoidable))
}

/// The head of the table of random trials.
pub fn head() -> String {
    let mut line = String::from("| class | mode | trials | lost per 100 000 |");
    let mut rule = String::from("|---|---|--:|--:|");
    for cause in Cause::ALL {
        let _ = write!(line, " {} |", cause.word());
        rule.push_str("--:|");
    }
    line.push_str(" calls per trial | reuse per 100 000 | double calls per 100 000 |\n");
    rule.push_str("--:|--:|--:|\n");
    line + &rule
}

/// A row of it.
pub fn row(plan: &Plan, sum: &Sum) -> String {
    let rate = |count: u64| hundredths(count, 100_000, sum.trials, 1);
    let mut line =
        format!("| {} | {} | {} | {} |", plan.class.word(), plan.mode.word(), sum.trials, rate(sum.losses()));
    for cause in Cause::ALL {
        let count = sum.lost_by(cause);
        let cell = if cause == Cause::Avoidable { format!("**{count}**") } else { rate(count) };
        let _ = write!(line, " {cell} |");
    }
    let calls = hundredths(sum.calls, 1, sum.trials, 2);
    let _ = writeln!(line, " {calls} | {} | {} |", rate(sum.reuses), rate(sum.double_calls));
    line
}

/// `count * unit / of` with so many decimals, without a float, so that every machine writes the same.
fn hundredths(count: u64, unit: u64, of: u64, decimals: u32) -> String {
    let scale = 10_u64.pow(decimals);
    let of = u128::from(of.max(1));
    let scaled = (u128::from(count) * u128::from(unit) * u128::from(scale) + of / 2) / of;
    let scale = u128::from(scale);
    let width = usize::try_from(decimals).unwrap_or(0);
    format!("{}.{:0width$}", scaled / scale, scaled % scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trials in each of the twelve cells: more than a hundred thousand in all.
    const TRIALS: u64 = 8_400;

    const fn plan(class: Class, mode: Mode) -> Plan {
        Plan { class, mode, trials: TRIALS, seed: 1, sleepy: false, sabotage: None }
    }

    /// The sabotage is noticed, and the seed that is printed shows the loss again.
    fn is_noticed(plan: &Plan) {
        let sum = run(plan);
        let Some((_, seed)) = sum.seeds.first() else { panic!("nobody noticed {:?}", plan.sabotage) };
        let template = template();
        let mut world = World::new(setup(plan, false), &template, *seed);
        world.run(&template);
        assert_eq!(judge(&world).cause(), Some(Cause::Avoidable), "seed {seed}");
        let control = Plan { sabotage: None, ..*plan };
        let mut world = World::new(setup(&control, false), &template, *seed);
        world.run(&template);
        assert_ne!(judge(&world).cause(), Some(Cause::Avoidable), "seed {seed} loses without sabotage too");
    }

    #[test]
    fn a_hundred_thousand_credentials_lose_nothing_that_could_be_kept() {
        for class in Class::ALL {
            for mode in Mode::ALL {
                let sum = run(&plan(class, mode));
                let cell = format!("{} {}", class.word(), mode.word());
                assert_eq!(sum.trials, TRIALS);
                assert_eq!(sum.findings(), 0, "{cell}: seeds {:?}", sum.seeds);
                assert!(sum.calls > 3 * TRIALS, "{cell}: hardly anything happened");
                let losses = sum.losses();
                match class {
                    Class::A => assert_eq!(losses, 0, "{cell}"),
                    // Whoever comes back when the leeway is over.
                    Class::B | Class::BUntilUse => assert!(losses < TRIALS / 1_000, "{cell}: {:?}", sum.lost),
                    // Answers are lost that nobody could keep: a simulation that loses none would be blind.
                    Class::C | Class::CFamily | Class::CKillsAccess => {
                        assert!(losses > TRIALS / 100, "{cell}: {:?}", sum.lost);
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_seed_tells_the_same_story_however_many_threads_tell_it() {
        let plan = Plan { trials: 3 * BATCH, ..plan(Class::CFamily, Mode::Spool) };
        let other = Plan { seed: 2, ..plan };
        assert_eq!(run(&plan), run(&plan));
        assert_ne!(run(&plan), run(&other));
    }

    #[test]
    fn an_answer_that_is_not_spooled_is_missed() {
        is_noticed(&Plan { sabotage: Some(Sabotage::SkipSpool), ..plan(Class::C, Mode::Spool) });
    }

    #[test]
    fn an_answer_that_is_dropped_after_a_failed_commit_is_missed() {
        is_noticed(&Plan { sabotage: Some(Sabotage::SkipReread), ..plan(Class::C, Mode::Commit) });
    }

    #[test]
    fn a_token_that_is_sent_without_asking_the_lease_ends_grants() {
        let sleepy = Plan { sleepy: true, ..plan(Class::CFamily, Mode::Spool) };
        is_noticed(&Plan { sabotage: Some(Sabotage::SkipLeaseGate), ..sleepy });
    }

    #[test]
    fn a_first_refusal_that_is_believed_breaks_what_lives() {
        let sleepy = Plan { sleepy: true, trials: 2 * TRIALS, ..plan(Class::C, Mode::Spool) };
        is_noticed(&Plan { sabotage: Some(Sabotage::FirstRefusalIsFinal), ..sleepy });
    }

    #[test]
    fn a_commit_that_is_not_compared_soon_with_a_store_that_forgot_it_is_missed() {
        let many = Plan { trials: 3 * TRIALS, ..plan(Class::CFamily, Mode::Spool) };
        is_noticed(&Plan { sabotage: Some(Sabotage::LateSweep), ..many });
    }
}
