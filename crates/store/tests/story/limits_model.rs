//! Whatever is asked: all counters say what a list of everything that ever passed says.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::limits::{Limits, Memory, Quota, Verdict};
use tokio::runtime::Handle;
use vault::LimitKey;

use crate::limits::{Counters, new_key, quota};
use crate::world::at;

/// How many keys there are.
const KEYS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// Hits these keys, one by one or together.
    Hit(Vec<usize>),
    /// Gives the hit back that passed so many hits ago.
    GiveBack(usize),
}

/// A step, and how many milliseconds later it is made.
type Timed = (i64, Step);

/// Few different lengths, so that hits meet the ends of windows to the millisecond.
fn pause() -> impl Strategy<Value = i64> {
    let length = prop::sample::select(vec![0, 0, 0, 1, 999, 1000, 5000, 20_000, 30_000, 59_999, 60_000]);
    length.boxed()
}

fn quotas() -> impl Strategy<Value = Vec<Quota>> {
    let hits = prop_oneof![4 => 1..5_u32, 1 => Just(20_u32)];
    let window = prop::sample::select(vec![60, 90, 300]);
    prop::collection::vec((hits, window).prop_map(|(hits, seconds)| quota(hits, seconds)), KEYS)
}

fn hits() -> impl Strategy<Value = Step> {
    prop::collection::vec(0..KEYS, 1..4).prop_map(Step::Hit)
}

/// Everything that ever passed: for every key when.
struct Naive([Vec<i64>; KEYS]);

impl Naive {
    fn hit(&mut self, asked: &[(usize, Quota)], now: Timestamp) -> Verdict {
        let now = now.as_unix_ms();
        let (mut refused, mut tightest) = (None, (u32::MAX, 0));
        for (key, quota) in asked {
            let window = i64::try_from(quota.window().as_millis()).unwrap();
            let mut within: Vec<i64> =
                self.0[*key].iter().copied().filter(|hit| hit + window > now).collect();
            within.sort_unstable();
            let most = quota.hits() as usize;
            if within.len() >= most {
                refused = refused.max(Some(within[within.len() - most] + window - now));
            } else {
                let left = u32::try_from(most - within.len() - 1).unwrap();
                let resets_in = within.first().unwrap_or(&now) + window - now;
                tightest = if left < tightest.0 { (left, resets_in) } else { tightest };
            }
        }
        let duration = |ms: i64| Duration::from_millis(ms.try_into().unwrap());
        if let Some(ms) = refused {
            return Verdict::Refused { retry_after: duration(ms) };
        }
        for (key, _) in asked {
            self.0[*key].push(now);
        }
        Verdict::Allowed { left: tightest.0, resets_in: duration(tightest.1) }
    }

    fn give_back(&mut self, keys: &[usize], at: Timestamp) {
        for key in keys {
            let place = self.0[*key].iter().position(|hit| *hit == at.as_unix_ms()).unwrap();
            self.0[*key].remove(place);
        }
    }
}

/// The counters that there are here.
async fn all() -> Vec<(&'static str, Arc<dyn Limits>, Option<Counters>)> {
    let mut all: Vec<(_, Arc<dyn Limits>, _)> = vec![("memory", Arc::new(Memory::default()), None)];
    if let Some(postgres) = Counters::postgres().await {
        all.push(("PostgreSQL", postgres.two.clone(), Some(postgres)));
    }
    if let Some(redis) = Counters::redis().await {
        all.push(("Redis", redis.two.clone(), Some(redis)));
    }
    all
}

/// Asks all of them, each step with the quotas that `quotas` has for it; without a model they are held against the first.
async fn walk(
    counters: &[(&'static str, Arc<dyn Limits>, Option<Counters>)],
    quotas: &[Vec<Quota>],
    steps: &[Timed],
    mut naive: Option<Naive>,
) {
    let keys: [LimitKey; KEYS] = std::array::from_fn(|_| new_key());
    let mut now = at(0);
    let mut passed: Vec<(Vec<usize>, Timestamp)> = Vec::new();
    for (place, (later, step)) in steps.iter().enumerate() {
        now = Timestamp::from_unix_ms(now.as_unix_ms() + later);
        let quotas = &quotas[place % quotas.len()];
        match step {
            Step::Hit(chosen) => {
                let mut distinct = chosen.clone();
                distinct.sort_unstable();
                distinct.dedup();
                // In an order of its own: the first of the tightest is what the verdict is about.
                let places: Vec<_> = distinct.iter().map(|key| (*key, quotas[*key])).collect();
                let asked: Vec<_> = places.iter().map(|(key, quota)| (keys[*key], *quota)).collect();
                let mut expected = naive.as_mut().map(|naive| naive.hit(&places, now));
                for (name, limits, _) in counters {
                    let verdict = limits.hit_all(&asked, now).await.unwrap();
                    let expected = *expected.get_or_insert(verdict);
                    assert_eq!(verdict, expected, "{name}, step {place}: {chosen:?} at {now}");
                }
                if expected.is_some_and(|verdict| verdict.is_allowed()) {
                    passed.push((distinct, now));
                }
            }
            Step::GiveBack(ago) => {
                if *ago >= passed.len() {
                    continue;
                }
                let (chosen, at) = passed.remove(passed.len() - 1 - ago);
                let keys: Vec<_> = chosen.iter().map(|key| keys[*key]).collect();
                if let Some(naive) = &mut naive {
                    naive.give_back(&chosen, at);
                }
                for (_, limits, _) in counters {
                    limits.give_back(&keys, at).await.unwrap();
                }
            }
        }
    }
}

/// Tells so many stories of the strategy.
fn tell<T: Debug>(cases: u32, strategy: impl Strategy<Value = T>, told: &impl AsyncFn(&T)) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let handle = Handle::current();
    let result = tokio::task::block_in_place(|| {
        runner.run(&strategy, |story| {
            handle.block_on(told(&story));
            Ok(())
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_say_what_a_list_of_all_that_passed_says() {
    let counters = all().await;
    let step = prop_oneof![5 => hits(), 1 => (0..4_usize).prop_map(Step::GiveBack)];
    let steps = prop::collection::vec((pause(), step), 1..50);
    tell(60, (quotas(), steps), &async |(quotas, steps)| {
        walk(&counters, std::slice::from_ref(quotas), steps, Some(Naive(Default::default()))).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_exact_with_clocks_that_differ_by_less_than_a_window() {
    let counters = all().await;
    let steps = prop::collection::vec((pause(), hits(), 0..29_999_i64), 1..50);
    tell(60, (quotas(), steps), &async |(quotas, steps)| {
        // Each step's clock is ahead by its last number, which the next one has not.
        let ahead = |place: usize| place.checked_sub(1).map_or(0, |before| steps[before].2);
        let timed = steps.iter().enumerate();
        let steps: Vec<Timed> =
            timed.map(|(place, (pause, step, skew))| (pause + skew - ahead(place), step.clone())).collect();
        walk(&counters, std::slice::from_ref(quotas), &steps, Some(Naive(Default::default()))).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_agree_when_quotas_change_and_clocks_jump() {
    let counters = all().await;
    let step = prop_oneof![5 => hits(), 1 => (0..4_usize).prop_map(Step::GiveBack)];
    let jump = prop_oneof![6 => pause(), 1 => prop::sample::select(vec![-500_000, -60_000, -1000, 400_000])];
    let steps = prop::collection::vec((jump, step), 1..50);
    tell(60, (prop::collection::vec(quotas(), 1..4), steps), &async |(quotas, steps)| {
        walk(&counters, quotas, steps, None).await;
    });
}
