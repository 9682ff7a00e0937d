//! The words of a story.

use connect::refresh::flight::Action;
use connect::refresh::flight::Answer;
use connect::refresh::flight::Event as Happened;
use model::Timestamp;

use crate::faults::Fate;
use crate::trial::access_number;

pub(crate) fn describe(action: &Action) -> String {
    match action {
        Action::Claim { generation, after } => format!("claims generation {generation}, after {after:?}"),
        Action::Spool(tokens) => format!("spools pair {:?}", access_number(tokens)),
        Action::Commit(tokens, _) => format!("commits pair {:?}", access_number(tokens)),
        Action::KeepOrphan(tokens) => format!("keeps pair {:?} as an orphan", access_number(tokens)),
        Action::Adopt { generation, fence, tokens, .. } => {
            format!("adopts pair {:?} of fence {fence} at generation {generation}", access_number(tokens))
        }
        Action::Schedule(due) => format!("schedules {:?}", due.map(Timestamp::as_unix_ms)),
        other => format!("{other:?}"),
    }
}

pub(crate) fn describe_fate(fate: &Fate) -> String {
    if *fate == Fate::default() { String::new() } else { format!("   << {fate:?}") }
}

pub(crate) fn describe_answer(event: &Happened) -> String {
    match event {
        Happened::Answered(Answer::Tokens(tokens)) => format!("hears of pair {:?}", access_number(tokens)),
        Happened::Answered(Answer::Refused { error, silent, .. }) => {
            format!("hears {error}, silent: {silent}")
        }
        other => format!("{other:?}"),
    }
}
