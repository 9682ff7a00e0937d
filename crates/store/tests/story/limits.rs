//! Counters: in memory, in PostgreSQL and in Redis, each time from two replicas where there can be two.

use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use store::limits::{Limits, Quota, Verdict};
use store::{Store, testing};
use tokio::sync::Barrier;
use vault::{LimitKey, random};

use crate::world::{World, at, options};

/// Two replicas' counters; one and the same where they are in memory.
pub(crate) struct Counters {
    pub(crate) one: Arc<dyn Limits>,
    pub(crate) two: Arc<dyn Limits>,
    world: World,
}

impl Counters {
    pub(crate) async fn memory() -> Option<Self> {
        let world = World::sqlite().await;
        Some(Self { one: world.one.limits.clone(), two: world.one.limits.clone(), world })
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let world = World::postgres().await?;
        Some(Self { one: world.one.limits.clone(), two: world.two.limits.clone(), world })
    }

    pub(crate) async fn redis() -> Option<Self> {
        let address = testing::redis()?;
        let world = World::sqlite().await;
        let (one, two) = (at_redis(&world, &address).await, at_redis(&world, &address).await);
        Some(Self { one, two, world })
    }

    pub(crate) async fn end(&self) {
        self.world.end().await;
    }

    /// A hit on both replicas in turn, so many times at once; whose passed.
    async fn passed_of(&self, callers: usize, asked: impl Fn(usize) -> Vec<(LimitKey, Quota)>) -> Vec<usize> {
        let barrier = Arc::new(Barrier::new(callers));
        let called: Vec<_> = (0..callers)
            .map(|caller| {
                let counters = if caller % 2 == 0 { self.one.clone() } else { self.two.clone() };
                let (barrier, asked) = (Arc::clone(&barrier), asked(caller));
                tokio::spawn(async move {
                    barrier.wait().await;
                    counters.hit_all(&asked, at(0)).await.unwrap().is_allowed()
                })
            })
            .collect();
        let mut passed = Vec::new();
        for (caller, call) in called.into_iter().enumerate() {
            passed.extend(call.await.unwrap().then_some(caller));
        }
        passed
    }
}

/// The counters of a store that has them in this Redis.
pub(crate) async fn at_redis(world: &World, address: &str) -> Arc<dyn Limits> {
    let mut options = options(&world.url);
    options.limits = Some(address.to_owned());
    Store::open(&options).await.unwrap().limits
}

pub(crate) fn new_key() -> LimitKey {
    LimitKey::from_octets(random::octets())
}

pub(crate) fn quota(hits: u32, seconds: u64) -> Quota {
    Quota::new(hits, Duration::from_secs(seconds)).unwrap()
}

fn allowed(left: u32, seconds: u64) -> Verdict {
    Verdict::Allowed { left, resets_in: Duration::from_secs(seconds) }
}

fn refused(seconds: u64) -> Verdict {
    Verdict::Refused { retry_after: Duration::from_secs(seconds) }
}

fn ms(at: Timestamp, more: i64) -> Timestamp {
    Timestamp::from_unix_ms(at.as_unix_ms() + more)
}

/// Tells each chapter to all counters.
macro_rules! told {
    ($($counters:ident),*: $chapters:tt) => { $( told!(@ $counters $chapters); )* };
    (@ $counters:ident { $($chapter:ident),* $(,)? }) => {
        mod $counters {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $chapter() {
                if let Some(counters) = super::Counters::$counters().await {
                    super::$chapter(&counters).await;
                    counters.end().await;
                }
            }
        )*}
    };
}

told! {
    memory, postgres, redis: {
        one_hit_too_many_is_refused_until_the_first_leaves_the_window,
        a_refused_hit_does_not_count,
        of_more_hits_at_once_than_the_quota_exactly_the_quota_passes,
        the_largest_quota_is_exact,
        of_several_keys_all_count_or_none,
        keys_that_are_asked_for_at_once_in_any_order_count_exactly,
        a_key_that_stands_twice_counts_once,
        a_hit_that_is_given_back_does_not_count,
        guesses_that_come_at_once_do_not_get_past_the_limit,
        clocks_that_differ_let_nobody_through_twice,
        a_clock_that_was_wrong_by_more_than_a_window_is_forgotten,
        a_quota_that_changes_holds_at_once,
    }
}

async fn one_hit_too_many_is_refused_until_the_first_leaves_the_window(counters: &Counters) {
    let (key, quota) = (new_key(), quota(3, 60));
    let hit = async |at| counters.one.hit(&key, &quota, at).await.unwrap();
    assert_eq!(hit(at(0)).await, allowed(2, 60));
    assert_eq!(hit(at(10)).await, allowed(1, 50));
    assert_eq!(hit(at(10)).await, allowed(0, 50));
    assert_eq!(hit(at(10)).await, refused(50));
    let just_before = Verdict::Refused { retry_after: Duration::from_millis(1) };
    assert_eq!(hit(ms(at(60), -1)).await, just_before);
    assert_eq!(hit(at(60)).await, allowed(0, 10));
    assert_eq!(hit(at(69)).await, refused(1));
    assert_eq!(hit(at(70)).await, allowed(1, 50));
    let other = new_key();
    assert_eq!(counters.two.hit(&other, &quota, at(70)).await.unwrap(), allowed(2, 60));
}

async fn a_refused_hit_does_not_count(counters: &Counters) {
    let (key, quota) = (new_key(), quota(1, 60));
    assert!(counters.one.hit(&key, &quota, at(0)).await.unwrap().is_allowed());
    for second in 1..60 {
        assert!(!counters.two.hit(&key, &quota, at(second)).await.unwrap().is_allowed());
    }
    assert_eq!(counters.two.hit(&key, &quota, at(60)).await.unwrap(), allowed(0, 60));
}

async fn of_more_hits_at_once_than_the_quota_exactly_the_quota_passes(counters: &Counters) {
    for hits in [1, 7, 40] {
        let asked = vec![(new_key(), quota(hits, 60))];
        assert_eq!(counters.passed_of(60, |_| asked.clone()).await.len(), hits as usize);
    }
}

async fn the_largest_quota_is_exact(counters: &Counters) {
    let (key, quota) = (new_key(), quota(128, 60));
    for hit in 0..128 {
        let left = 127 - u32::try_from(hit).unwrap();
        let resets_in = Duration::from_millis(60_000 - u64::try_from(hit).unwrap());
        let verdict = counters.one.hit(&key, &quota, ms(at(0), hit)).await.unwrap();
        assert_eq!(verdict, Verdict::Allowed { left, resets_in });
    }
    assert!(!counters.two.hit(&key, &quota, ms(at(60), -1)).await.unwrap().is_allowed());
    assert!(counters.two.hit(&key, &quota, at(60)).await.unwrap().is_allowed());
    assert!(!counters.two.hit(&key, &quota, at(60)).await.unwrap().is_allowed());
}

async fn of_several_keys_all_count_or_none(counters: &Counters) {
    let (account, address) = ((new_key(), quota(2, 900)), (new_key(), quota(3, 60)));
    let both = [account, address];
    assert_eq!(counters.one.hit_all(&both, at(0)).await.unwrap(), allowed(1, 900), "what has least left");
    assert_eq!(counters.two.hit_all(&both, at(10)).await.unwrap(), allowed(0, 890));
    assert_eq!(counters.one.hit_all(&both, at(20)).await.unwrap(), refused(880));
    assert_eq!(counters.one.hit(&address.0, &address.1, at(20)).await.unwrap(), allowed(0, 40));
    assert_eq!(counters.two.hit_all(&both, at(20)).await.unwrap(), refused(880), "what takes longest");
    assert_eq!(counters.two.hit_all(&[address], at(20)).await.unwrap(), refused(40));
    let nothing = Verdict::Allowed { left: u32::MAX, resets_in: Duration::ZERO };
    assert_eq!(counters.one.hit_all(&[], at(20)).await.unwrap(), nothing);
}

async fn keys_that_are_asked_for_at_once_in_any_order_count_exactly(counters: &Counters) {
    let (account, address, other) =
        ((new_key(), quota(9, 60)), (new_key(), quota(20, 60)), (new_key(), quota(100, 60)));
    let asked = |caller: usize| match caller % 4 {
        0 => vec![account, address],
        1 => vec![address, account],
        2 => vec![other, account, address],
        _ => vec![address, other],
    };
    let passed = counters.passed_of(60, asked).await;
    assert_eq!(passed.len(), 20, "each of them counts at the address");
    for one in [account, address, other] {
        let verdict = counters.one.hit_all(&[one], at(0)).await.unwrap();
        let left = if let Verdict::Allowed { left, .. } = verdict { left + 1 } else { 0 };
        let counted = passed.iter().filter(|caller| asked(**caller).contains(&one)).count();
        assert_eq!(one.1.hits() - left, u32::try_from(counted).unwrap(), "none counts that was refused");
    }
}

async fn a_key_that_stands_twice_counts_once(counters: &Counters) {
    let (key, quota) = (new_key(), quota(2, 60));
    let twice = [(key, quota), (key, self::quota(1, 60))];
    assert_eq!(counters.one.hit_all(&twice, at(0)).await.unwrap(), allowed(1, 60));
    assert_eq!(counters.one.hit_all(&twice, at(0)).await.unwrap(), allowed(0, 60));
    assert_eq!(counters.one.hit_all(&twice, at(0)).await.unwrap(), refused(60));
}

async fn a_hit_that_is_given_back_does_not_count(counters: &Counters) {
    let (one, two) = ((new_key(), quota(2, 60)), (new_key(), quota(2, 60)));
    let keys = [one.0, two.0];
    assert!(counters.one.hit_all(&[one, two], at(0)).await.unwrap().is_allowed());
    assert!(counters.one.hit_all(&[one, two], at(5)).await.unwrap().is_allowed());
    counters.two.give_back(&keys, at(0)).await.unwrap();
    counters.two.give_back(&keys, at(0)).await.unwrap();
    counters.two.give_back(&[new_key()], at(5)).await.unwrap();
    assert_eq!(counters.one.hit_all(&[one, two], at(6)).await.unwrap(), allowed(0, 59));
    assert_eq!(counters.one.hit_all(&[one, two], at(7)).await.unwrap(), refused(58));
    counters.one.give_back(&keys[1..], at(5)).await.unwrap();
    assert_eq!(counters.one.hit_all(&[one, two], at(8)).await.unwrap(), refused(57));
    assert_eq!(counters.one.hit_all(&[two], at(8)).await.unwrap(), allowed(0, 58));
    // Of two at the same instant one goes.
    let same = (new_key(), quota(2, 60));
    for _ in 0..2 {
        assert!(counters.one.hit_all(&[same], at(0)).await.unwrap().is_allowed());
    }
    counters.one.give_back(&[same.0], at(0)).await.unwrap();
    assert_eq!(counters.one.hit_all(&[same], at(0)).await.unwrap(), allowed(0, 60));
}

async fn guesses_that_come_at_once_do_not_get_past_the_limit(counters: &Counters) {
    let asked = [(new_key(), quota(10, 900)), (new_key(), quota(20, 900))];
    let keys = [asked[0].0, asked[1].0];
    let barrier = Arc::new(Barrier::new(60));
    let guesses: Vec<_> = (0..60)
        .map(|guess| {
            let limits = if guess % 2 == 0 { counters.one.clone() } else { counters.two.clone() };
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                if !limits.hit_all(&asked, at(0)).await.unwrap().is_allowed() {
                    return false;
                }
                // The person who knows the password comes among those who guess.
                if guess % 6 == 0 {
                    limits.give_back(&keys, at(0)).await.unwrap();
                    return false;
                }
                true
            })
        })
        .collect();
    let mut failed = 0;
    for guess in guesses {
        failed += usize::from(guess.await.unwrap());
    }
    assert!(failed <= 10, "{failed} guesses");
    // What was given back is there for the next.
    for guess in failed..11 {
        let verdict = counters.one.hit_all(&asked, at(1)).await.unwrap();
        assert_eq!(verdict.is_allowed(), guess < 10, "{verdict:?} after {guess}");
    }
}

async fn clocks_that_differ_let_nobody_through_twice(counters: &Counters) {
    let (key, quota) = (new_key(), quota(3, 60));
    for second in [30, 0, 50] {
        assert!(counters.one.hit(&key, &quota, at(second)).await.unwrap().is_allowed());
    }
    // All three lie less than a window from each of these.
    for second in [0, 20, 55, 59] {
        assert!(!counters.two.hit(&key, &quota, at(second)).await.unwrap().is_allowed(), "{second}");
    }
    assert_eq!(counters.two.hit(&key, &quota, at(60)).await.unwrap(), allowed(0, 30));
    assert_eq!(counters.two.hit(&key, &quota, at(45)).await.unwrap(), refused(45), "behind the others");
}

async fn a_clock_that_was_wrong_by_more_than_a_window_is_forgotten(counters: &Counters) {
    let (key, quota) = (new_key(), quota(2, 60));
    for _ in 0..2 {
        assert!(counters.one.hit(&key, &quota, at(86_400)).await.unwrap().is_allowed());
    }
    for left in [1, 0] {
        assert_eq!(counters.one.hit(&key, &quota, at(0)).await.unwrap(), allowed(left, 60));
    }
    assert_eq!(counters.one.hit(&key, &quota, at(1)).await.unwrap(), refused(59));
}

async fn a_quota_that_changes_holds_at_once(counters: &Counters) {
    let key = new_key();
    for second in 0..4 {
        assert!(counters.one.hit(&key, &quota(4, 60), at(second)).await.unwrap().is_allowed());
    }
    assert_eq!(counters.one.hit(&key, &quota(2, 60), at(4)).await.unwrap(), refused(58), "the second newest");
    assert_eq!(counters.one.hit(&key, &quota(6, 60), at(4)).await.unwrap(), allowed(1, 56));
    assert_eq!(counters.one.hit(&key, &quota(2, 3), at(5)).await.unwrap(), refused(1));
    assert_eq!(counters.one.hit(&key, &quota(3, 2), at(5)).await.unwrap(), allowed(1, 1));
}
