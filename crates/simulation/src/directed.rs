//! The rows of the failure table, one by one: a script forces exactly one failure at exactly one step, and the outcome
//! must be the documented one.

use std::fmt::Write as _;

use crate::faults::{Fate, Faults, Network, Point, Says, Script, When};
use crate::provider::Class;
use crate::report::template;
use crate::trial::{Mode, Setup, World};
use crate::verdict::{Cause, End, judge};

/// The life of an access token in these trials.
const LIFETIME_MS: i64 = 3_600_000;

/// What the documentation says becomes of the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Lives,
    Dead(Cause),
    Gone,
}

use Expected::{Dead, Gone, Lives};

struct Row {
    number: &'static str,
    what: &'static str,
    script: Script,
    /// By [`Class::ALL`].
    expected: [Expected; Class::ALL.len()],
}

/// What stands in the table where an outcome is another than the documented one.
pub const UNEXPECTED: &str = "(not as documented)";

const ALL_LIVE: [Expected; 6] = [Lives; 6];

/// Only a strict provider's refresh token is lost.
const fn strict(cause: Cause) -> [Expected; 6] {
    [Lives, Lives, Lives, Dead(cause), Dead(cause), Dead(cause)]
}

const ROWS: &[Row] = &[
    Row { number: "0", what: "nothing", script: |_, _, _| Fate::default(), expected: ALL_LIVE },
    Row {
        number: "1",
        what: "crash before the claim",
        script: |point, count, _| on((point, count) == (Point::Claim, 1), crash(When::Before)),
        expected: ALL_LIVE,
    },
    Row {
        number: "2",
        what: "crash after the claim, before sending",
        script: |point, count, _| on((point, count) == (Point::Claim, 1), crash(When::After)),
        expected: ALL_LIVE,
    },
    Row {
        number: "3",
        what: "sent, and never arrived",
        script: |point, count, _| on((point, count) == (Point::Call, 1), network(Network::LostBefore(false))),
        expected: ALL_LIVE,
    },
    Row {
        number: "4",
        what: "processed, answer lost",
        script: |point, count, _| on((point, count) == (Point::Call, 1), network(Network::LostAfter(false))),
        expected: strict(Cause::AnswerLost),
    },
    Row {
        number: "4",
        what: "processed, crash before the answer",
        script: |point, count, _| on((point, count) == (Point::Call, 1), crash(When::After)),
        expected: strict(Cause::AnswerLost),
    },
    Row {
        number: "4",
        what: "processed, answer lost, then no connection for longer than a leeway",
        script: |point, count, now| {
            let first = (point, count) == (Point::Call, 1);
            let later = point == Point::Call && count > 1 && now < LIFETIME_MS + 700_000;
            let fate = on(first, network(Network::LostAfter(false)));
            if later { network(Network::NotSent) } else { fate }
        },
        expected: [
            Lives,
            Dead(Cause::AnswerLost),
            Lives,
            Dead(Cause::AnswerLost),
            Dead(Cause::AnswerLost),
            Dead(Cause::AnswerLost),
        ],
    },
    Row {
        number: "5",
        what: "answer in memory, crash before the spool",
        script: |point, count, _| on((point, count) == (Point::Spool, 1), crash(When::Before)),
        expected: strict(Cause::InMemory),
    },
    Row {
        number: "6",
        what: "answer in the spool, crash before the commit",
        script: |point, count, _| on((point, count) == (Point::Commit, 1), crash(When::Before)),
        expected: ALL_LIVE,
    },
    Row {
        number: "6",
        what: "the same, and the disk is gone",
        script: |point, count, _| {
            on((point, count) == (Point::Commit, 1), Fate { disk_gone: true, ..crash(When::Before) })
        },
        expected: strict(Cause::DiskGone),
    },
    Row {
        number: "7",
        what: "committed, acknowledgement lost",
        script: |point, count, _| {
            let fate = Fate { unacknowledged: true, outage_after: Some(20_000), ..Fate::default() };
            on((point, count) == (Point::Commit, 1), fate)
        },
        expected: ALL_LIVE,
    },
    Row {
        number: "8",
        what: "crash after the commit",
        script: |point, count, _| on((point, count) == (Point::Commit, 1), crash(When::After)),
        expected: ALL_LIVE,
    },
    Row {
        number: "9",
        what: "the holder stands still for 40 s, its lease ends",
        script: |point, count, _| on((point, count) == (Point::Call, 1), stall(40_000)),
        expected: ALL_LIVE,
    },
    Row {
        number: "9",
        what: "the holder stands still for half an hour",
        script: |point, count, _| on((point, count) == (Point::Call, 1), stall(1_800_000)),
        expected: [Lives, Lives, Lives, Lives, Dead(Cause::Asleep), Lives],
    },
    Row {
        number: "10",
        what: "disconnect during the call",
        script: |point, count, _| on((point, count) == (Point::Call, 1), disconnect(false)),
        expected: [Gone, Gone, Gone, Gone, Gone, Gone],
    },
    Row {
        number: "11",
        what: "disconnect and reconnect during the call",
        script: |point, count, _| {
            let fate = Fate { delay: (0, 30_000), ..disconnect(true) };
            on((point, count) == (Point::Call, 1), fate)
        },
        expected: ALL_LIVE,
    },
    Row {
        number: "12",
        what: "the store fails over and forgets the commit",
        script: |point, count, _| on((point, count) == (Point::Commit, 1), forget(1_000)),
        expected: ALL_LIVE,
    },
    Row {
        number: "12",
        what: "the store fails over and forgets claim and commit",
        script: |point, count, _| on((point, count) == (Point::Claim, 1), forget(1_500)),
        expected: ALL_LIVE,
    },
    Row {
        number: "12",
        what: "the store forgets the commit, and the replica's disk is gone",
        script: |point, count, _| {
            let fate = Fate { disk_gone: true, crash: Some(When::After), away_ms: 30_000, ..forget(1_000) };
            on((point, count) == (Point::Commit, 1), fate)
        },
        // Until-use: the new access token was used, and with that the former pair retired.
        expected: [
            Lives,
            Lives,
            Dead(Cause::StoreForgot),
            Dead(Cause::StoreForgot),
            Dead(Cause::StoreForgot),
            Dead(Cause::StoreForgot),
        ],
    },
    Row {
        number: "13",
        what: "a backup of half a minute ago is restored",
        script: |point, count, _| on((point, count) == (Point::Commit, 1), forget(30_000)),
        expected: ALL_LIVE,
    },
    Row {
        number: "13",
        what: "a backup of a quarter of an hour ago is restored, all is held for ten minutes",
        script: |point, count, _| on((point, count) == (Point::Commit, 1), forget(900_000)),
        expected: [
            Lives,
            Dead(Cause::StoreForgot),
            Dead(Cause::StoreForgot),
            Dead(Cause::StoreForgot),
            Dead(Cause::StoreForgot),
            Dead(Cause::StoreForgot),
        ],
    },
    Row {
        number: "14",
        what: "a wrong client secret for six calls",
        script: |point, count, _| {
            on(
                point == Point::Call && count <= 6,
                Fate { says: Some(Says::InvalidClient), ..Fate::default() },
            )
        },
        expected: ALL_LIVE,
    },
];

fn on(strikes: bool, fate: Fate) -> Fate {
    if strikes { fate } else { Fate::default() }
}

fn crash(when: When) -> Fate {
    Fate { crash: Some(when), away_ms: 30_000, ..Fate::default() }
}

fn network(network: Network) -> Fate {
    Fate { network, ..Fate::default() }
}

fn stall(ms: i64) -> Fate {
    Fate { stall: Some((When::After, ms)), ..Fate::default() }
}

fn disconnect(anew: bool) -> Fate {
    Fate { disconnect: Some(anew), ..Fate::default() }
}

fn forget(after: i64) -> Fate {
    Fate { forgotten_after: Some(after), ..Fate::default() }
}

/// How it ended, and in the table's words.
fn outcome(row: &Row, class: Class, story: bool) -> (Expected, String) {
    let setup = Setup { class, mode: Mode::Spool, faults: Faults::Script(row.script), sabotage: None, story };
    let template = template();
    let mut world = World::new(setup, &template, 14);
    world.live_for(LIFETIME_MS, &template);
    world.run(&template);
    let tally = world.tally;
    match judge(&world) {
        End::Gone => (Gone, "gone".to_owned()),
        End::Alive => {
            let mut text = String::from("lives");
            match tally.calls.saturating_sub(tally.commits) {
                0 => {}
                1 => text.push_str(", 1 more call"),
                more => {
                    let _ = write!(text, ", {more} more calls");
                }
            }
            if tally.adopted > 0 {
                text.push_str(", answer adopted");
            }
            (Lives, text)
        }
        ended => {
            let cause = ended.cause().unwrap_or(Cause::Avoidable);
            (Dead(cause), format!("**dead**: {}", cause.word()))
        }
    }
}

/// The outcome in the table's words, with a mark where it is another than the documented one.
fn told(row: &Row, class: Class) -> String {
    let (found, text) = outcome(row, class, false);
    let expected = Class::ALL.iter().zip(row.expected).find(|(one, _)| **one == class);
    if expected.is_some_and(|(_, expected)| expected == found) {
        text
    } else {
        format!("{text} {UNEXPECTED}")
    }
}

fn cell(row: &Row, classes: &[Class]) -> String {
    let texts: Vec<String> = classes.iter().map(|class| told(row, *class)).collect();
    if texts.iter().all(|text| Some(text) == texts.first()) {
        return texts.into_iter().next().unwrap_or_default();
    }
    let named = classes.iter().zip(&texts).map(|(class, text)| format!("`{}`: {text}", class.word()));
    named.collect::<Vec<_>>().join("; ")
}

/// The failure table as the simulation finds it.
pub fn table() -> String {
    let mut table = String::from("| # | what fails | class a | class b | class c |\n|---|---|---|---|---|\n");
    for row in ROWS {
        let a = cell(row, &[Class::A]);
        let b = cell(row, &[Class::B, Class::BUntilUse]);
        let c = cell(row, &[Class::C, Class::CFamily, Class::CKillsAccess]);
        let _ = writeln!(table, "| {} | {} | {a} | {b} | {c} |", row.number, row.what);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_the_documented_outcome() {
        for row in ROWS {
            for (class, expected) in Class::ALL.into_iter().zip(row.expected) {
                let (found, text) = outcome(row, class, false);
                if found != expected {
                    // The story of what went wrong stands before the assertion.
                    outcome(row, class, true);
                }
                assert_eq!(found, expected, "{} {}, {}: {text}", row.number, row.what, class.word());
            }
        }
    }

    #[test]
    fn the_documents_table_is_what_the_simulation_finds() {
        let document = include_str!("../../../docs/refresh.md");
        assert!(document.contains(&table()), "docs/refresh.md is stale: run `cargo xtask simulate --write`");
    }
}
