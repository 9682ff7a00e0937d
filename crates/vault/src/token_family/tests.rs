use std::collections::{HashMap, HashSet};

use model::{FamilyId, Secret};
use proptest::prelude::*;

use super::*;
use crate::KeptAnswer;

const LEEWAY: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_hours(24);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_795_246_200_000 + ms)
}

#[test]
fn a_token_is_prefix_handle_and_secret() {
    let first = FamilyToken::first("zrt_");
    let text = first.token().expose();
    assert_eq!((text.len(), text.starts_with("zrt_")), (4 + 96, true));
    let next = first.next("new-prefix_");
    assert!(next.token().expose().starts_with("new-prefix_"));
    assert_eq!(next.handle_hash(), first.handle_hash());
    assert_ne!(next.hash(), first.hash());
    assert_ne!(&next.token().expose()[next.token().expose().len() - 64..], &text[text.len() - 64..]);
    assert_ne!(FamilyToken::first("zrt_").handle_hash(), first.handle_hash());
    assert_eq!(first.handle_hash(), TokenHash::of(&text[4..36]));
    assert_eq!(first.hash(), TokenHash::of(text));
    assert!(!format!("{first:?}").contains(&text[4..36]));
}

#[test]
fn what_was_issued_is_taken_apart_whatever_its_prefix() {
    for prefix in ["", "zrt_", "deadbeef", "Z9_", &"x".repeat(MAX_PREFIX)] {
        let issued = FamilyToken::first(prefix);
        let presented = FamilyToken::parse(issued.token().expose()).unwrap();
        assert_eq!((presented.handle_hash(), presented.hash()), (issued.handle_hash(), issued.hash()));
    }
}

#[test]
fn what_is_not_lower_case_hex_is_none_of_ours() {
    let hex = "0a".repeat(48);
    assert!(FamilyToken::parse(&hex).is_some());
    assert!(FamilyToken::parse(&format!("{}{hex}", "z".repeat(16))).is_some());
    let bad = [
        String::new(),
        hex[1..].to_owned(),
        hex.to_uppercase(),
        format!("zrt_{hex} "),
        format!("zrt_{hex}\n"),
        format!("zrt_{}g", &hex[1..]),
        format!("zrt_{}-{}", &hex[..32], &hex[33..]),
        format!("zrt_{}ä", &hex[1..]),
        format!("ä{}", &hex[1..]),
        format!(" zrt_{hex}"),
        format!("Bearer zrt_{hex}"),
        format!("{}{hex}", "z".repeat(17)),
    ];
    for text in bad {
        assert!(FamilyToken::parse(&text).is_none(), "{text:?}");
    }
}

#[test]
fn what_is_decided() {
    let (current, spent) = (TokenHash::of("current"), TokenHash::of("spent"));
    let family = Family { current, idle_until: at(10_000), ends_at: at(20_000) };
    let used = Family { idle_until: at(30_000), ..family };
    let cases = [
        (family, current, false, 9_999, LEEWAY, Decision::Rotate),
        (family, current, false, 10_000, LEEWAY, Decision::Ended),
        (used, current, false, 19_999, LEEWAY, Decision::Rotate),
        (used, current, false, 20_000, LEEWAY, Decision::Ended),
        (family, spent, true, 0, LEEWAY, Decision::SameAnswer),
        (family, spent, false, 0, LEEWAY, Decision::Reuse),
        (family, spent, true, 0, Duration::ZERO, Decision::Reuse),
        (family, spent, true, 10_000, LEEWAY, Decision::Ended),
        (family, spent, false, 10_000, LEEWAY, Decision::Ended),
        // Leeway and kept answers are nothing to the token that is good.
        (family, current, true, 0, Duration::ZERO, Decision::Rotate),
    ];
    for (number, (family, hash, kept_answer, ms, leeway, expected)) in cases.into_iter().enumerate() {
        let decision = decide(&family, Presented { hash, kept_answer }, at(ms), leeway);
        assert_eq!(decision, expected, "case {number}");
    }
}

/// The store that the state machine counts on: one row for the family, gone once revoked, and one for every kept
/// answer.
struct Store {
    family: Option<Family>,
    answers: HashMap<TokenHash, (KeptAnswer, Timestamp)>,
}

impl Store {
    fn answer(&self, spent: TokenHash, now: Timestamp) -> Option<KeptAnswer> {
        self.answers.get(&spent).filter(|(_, until)| now < *until).map(|(answer, _)| answer.clone())
    }

    /// Compare and set; the answer is written with it.
    fn rotate(&mut self, spent: TokenHash, next: TokenHash, answer: KeptAnswer, now: Timestamp) -> bool {
        let good = |family: &&mut Family| family.current == spent && !family.has_ended(now);
        let Some(family) = self.family.as_mut().filter(good) else { return false };
        *family = Family { current: next, idle_until: now + IDLE, ..*family };
        self.answers.insert(spent, (answer, now + LEEWAY));
        true
    }

    fn revoke(&mut self) {
        self.family = None;
        self.answers.clear();
    }
}

/// What a presentation came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Outcome {
    Answer(String),
    Refused,
}

/// A server, with any number of presentations under way.
struct World {
    id: FamilyId,
    now: Timestamp,
    store: Store,
    /// Every token that was ever issued, in order.
    issued: Vec<FamilyToken>,
    /// When each was spent.
    spent: HashMap<TokenHash, Timestamp>,
    /// Every answer that a token ever brought.
    brought: HashMap<TokenHash, HashSet<String>>,
    revoked: bool,
}

/// A presentation between its look at the store and what comes of that.
#[derive(Clone)]
struct Look {
    token: FamilyToken,
    decision: Option<Decision>,
    answer: Option<KeptAnswer>,
}

impl World {
    fn new() -> Self {
        let first = FamilyToken::first("zrt_");
        let now = at(0);
        let family = Family { current: first.hash(), idle_until: now + IDLE, ends_at: now + IDLE * 30 };
        Self {
            id: FamilyId::from([7; 16]),
            now,
            store: Store { family: Some(family), answers: HashMap::new() },
            issued: vec![first],
            spent: HashMap::new(),
            brought: HashMap::new(),
            revoked: false,
        }
    }

    fn look(&self, token: &FamilyToken) -> Look {
        let answer = self.store.answer(token.hash(), self.now);
        let presented = Presented { hash: token.hash(), kept_answer: answer.is_some() };
        let decision = self.store.family.map(|family| decide(&family, presented, self.now, LEEWAY));
        Look { token: token.clone(), decision, answer }
    }

    /// Does what the look led to; `None` when somebody was faster, and it must look again.
    fn act(&mut self, look: Look) -> Option<Outcome> {
        let hash = look.token.hash();
        let answer = match look.decision {
            Some(Decision::Rotate) => {
                let next = look.token.next("zrt_");
                // The access token is new at each try, so that two answers to one token would be seen.
                let answer = format!("{} {}", random::token().expose(), next.token().expose());
                let kept = KeptAnswer::seal(&look.token, self.id, &Secret::from(answer.as_str()));
                if !self.store.rotate(hash, next.hash(), kept, self.now) {
                    return None;
                }
                self.spent.insert(hash, self.now);
                self.issued.push(next);
                answer
            }
            Some(Decision::SameAnswer) => {
                look.answer.unwrap().open(&look.token, self.id).unwrap().expose().clone()
            }
            Some(Decision::Reuse) => {
                self.store.revoke();
                self.revoked = true;
                return Some(Outcome::Refused);
            }
            Some(Decision::Ended) | None => return Some(Outcome::Refused),
        };
        self.brought.entry(hash).or_default().insert(answer.clone());
        Some(Outcome::Answer(answer))
    }

    fn present(&mut self, token: &FamilyToken) -> Outcome {
        loop {
            if let Some(outcome) = self.act(self.look(token)) {
                return outcome;
            }
        }
    }

    /// How many tokens would be exchanged for new ones at this moment.
    fn live(&self) -> usize {
        let decisions = self.issued.iter().map(|token| self.look(token).decision);
        decisions.filter(|decision| *decision == Some(Decision::Rotate)).count()
    }
}

/// The refresh token of an answer.
fn refresh_token(answer: &str) -> FamilyToken {
    FamilyToken::parse(answer.split(' ').nth(1).unwrap()).unwrap()
}

/// One thing that happens among several presentations.
#[derive(Debug, Clone)]
enum Step {
    /// Someone sends a token: the newest but so many.
    Send { who: usize, back: usize },
    /// Someone's presentation goes one step on.
    Go { who: usize },
    /// Time passes.
    Wait { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_usize, prop_oneof![4 => Just(0_usize), 1 => 1..4_usize])
            .prop_map(|(who, back)| Step::Send { who, back }),
        6 => (0..3_usize).prop_map(|who| Step::Go { who }),
        1 => (0..40_000_u64).prop_map(|ms| Step::Wait { ms }),
        1 => prop_oneof![9 => Just(Step::Wait { ms: 30_000 }), 1 => Just(Step::Wait { ms: 86_400_000 })],
    ]
}

proptest! {
    /// Two clients and a thief, each with whatever tokens it has seen, at any time and in any order.
    #[test]
    fn there_is_one_live_branch_and_none_after_a_reuse(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        let mut under_way: [Option<Look>; 3] = [None, None, None];
        for step in steps {
            match step {
                Step::Wait { ms } => world.now = world.now + Duration::from_millis(ms),
                Step::Send { who, back } => {
                    let token = world.issued[world.issued.len().saturating_sub(1 + back)].clone();
                    under_way[who] = Some(world.look(&token));
                }
                Step::Go { who } => {
                    let Some(look) = under_way[who].take() else { continue };
                    let (token, was_revoked) = (look.token.clone(), world.revoked);
                    if world.act(look).is_none() {
                        under_way[who] = Some(world.look(&token));
                    }
                    // Only one that outlived the leeway may end the family.
                    if world.revoked && !was_revoked {
                        prop_assert!(world.now.since(world.spent[&token.hash()]) >= LEEWAY);
                    }
                }
            }
            prop_assert!(world.live() <= 1);
            prop_assert!(world.brought.values().all(|answers| answers.len() == 1), "an answer was not the same");
            let last_used = world.spent.values().max().copied().unwrap_or(at(0));
            for token in &world.issued {
                let decision = world.look(token).decision;
                let age = world.spent.get(&token.hash()).map(|spent| world.now.since(*spent));
                let expected = match age {
                    _ if world.revoked => None,
                    _ if world.now.since(last_used) >= IDLE => Some(Decision::Ended),
                    None => Some(Decision::Rotate),
                    Some(age) if age < LEEWAY => Some(Decision::SameAnswer),
                    Some(_) => Some(Decision::Reuse),
                };
                prop_assert_eq!(decision, expected);
            }
        }
        // And then somebody replays the first token after its leeway.
        let first = world.issued[0].clone();
        if world.spent.contains_key(&first.hash()) {
            world.now = world.now + LEEWAY;
            prop_assert_eq!(world.present(&first), Outcome::Refused);
            for token in world.issued.clone() {
                prop_assert_eq!(world.present(&token), Outcome::Refused);
            }
        }
    }

    /// Two workers refresh at once, round after round, and answers are lost; each retries within the leeway.
    #[test]
    fn who_retries_within_the_leeway_is_never_signed_out(
        rounds in prop::collection::vec(prop::collection::vec((0..2_usize, any::<bool>(), 0..3_000_u64), 0..10), 1..8),
        rest in 0..80_000_000_u64,
    ) {
        let mut world = World::new();
        let mut token = world.issued[0].clone();
        for round in rounds {
            let mut under_way: [Option<Look>; 2] = [None, None];
            let mut answers = HashSet::new();
            for (who, begins_anew, ms) in round {
                world.now = world.now + Duration::from_millis(ms);
                match under_way[who].take() {
                    // Its answer is lost, or it was never sent.
                    Some(look) if !begins_anew => answers.extend(world.act(look)),
                    _ => under_way[who] = Some(world.look(&token)),
                }
            }
            // In the end each gets through: 30 seconds have not passed.
            for look in under_way.into_iter().flatten() {
                answers.extend(world.act(look));
            }
            answers.insert(world.present(&token));
            answers.insert(world.present(&token));
            prop_assert_eq!(answers.len(), 1, "the workers of a round were answered differently");
            let Some(Outcome::Answer(answer)) = answers.into_iter().next() else {
                return Err(TestCaseError::fail("signed out"));
            };
            token = refresh_token(&answer);
            prop_assert_eq!(world.live(), 1);
            world.now = world.now + Duration::from_millis(rest);
        }
    }

    #[test]
    fn any_text_is_taken_apart_without_panic(text in ".{0,120}") {
        if let Some(token) = FamilyToken::parse(&text) {
            prop_assert_eq!(token.token().expose(), &text);
        }
    }
}
