//! A list of checks, each with how it went, what was found, and what mends it.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::End;
use super::answer::{self, Paper, wrapped};
use crate::config::ConfigError;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Good,
    Skipped,
    Attention,
    Bad,
}

impl State {
    /// A shape beside the word, so that neither colour nor reading is needed.
    fn mark(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Good, true) => "✓",
            (Self::Good, false) => "+",
            (Self::Skipped, _) => "-",
            (Self::Attention, _) => "!",
            (Self::Bad, true) => "✗",
            (Self::Bad, false) => "x",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Skipped => "skipped",
            Self::Attention => "attention",
            Self::Bad => "bad",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Skipped => Style::new().dimmed(),
            Self::Attention => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) what: String,
    /// What to do about it.
    pub(super) mend: Option<String>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    good: bool,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn good(&mut self, name: impl Into<String>, what: impl Into<String>) {
        self.add(name.into(), State::Good, what.into(), None);
    }

    pub(super) fn skipped(&mut self, name: impl Into<String>, what: impl Into<String>) {
        self.add(name.into(), State::Skipped, what.into(), None);
    }

    pub(super) fn attention(
        &mut self,
        name: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(name.into(), State::Attention, what.into(), Some(mend.into()));
    }

    pub(super) fn bad(&mut self, name: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) {
        self.add(name.into(), State::Bad, what.into(), Some(mend.into()));
    }

    /// A setting that is wrong, by its name where it has one.
    pub(super) fn mistake(&mut self, name: &str, error: &ConfigError) {
        let place = if error.place == "configuration" { String::new() } else { format!("{}: ", error.place) };
        let name = error.key.as_deref().unwrap_or(name);
        self.bad(name, format!("{place}{}", error.what), error.mend.as_str());
    }

    /// What works and is unwise.
    pub(super) fn warning(&mut self, warning: String) {
        self.attention("configuration", warning, "claviger.default.toml says what is meant");
    }

    fn add(&mut self, name: String, state: State, what: String, mend: Option<String>) {
        self.checks.push(Check { name, state, what, mend });
    }

    fn count(&self, state: State) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }

    pub(super) fn names(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name == name)
    }

    /// Prints it; what is bad makes bad news of the whole.
    pub(super) fn print(mut self, as_json: bool) -> anyhow::Result<End> {
        self.good = self.count(State::Bad) == 0;
        let end = if self.good { End::Done } else { End::BadNews };
        if as_json {
            answer::json(&self)?;
        } else {
            answer::print(&self.text(Paper::of_stdout()))?;
        }
        Ok(end)
    }

    fn text(&self, paper: Paper) -> String {
        const INDENT: usize = 12;
        let mut text = String::new();
        for check in &self.checks {
            let (style, mark, word) =
                (check.state.style(), check.state.mark(paper.unicode), check.state.word());
            let mut head = format!("{style}{mark} {word:<9}{style:#} ");
            let mend = check.mend.as_ref().map(|mend| format!("\nmend: {mend}")).unwrap_or_default();
            let what = format!("{}: {}{mend}", check.name, check.what);
            for line in wrapped(&what, paper.width - INDENT) {
                // Writing into a text can't fail.
                let _ = writeln!(text, "{head}{line}");
                head = " ".repeat(INDENT);
            }
        }
        let closing = match (self.count(State::Bad), self.count(State::Attention)) {
            (0, 0) => "Nothing is missing.".to_owned(),
            (0, look) => format!("Nothing is broken; {look} to look at."),
            (bad, look) => format!("{bad} to mend, {look} to look at."),
        };
        let _ = writeln!(text, "\n{closing}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_has_a_shape_a_word_and_its_mend_within_the_width() {
        let mut report = Report::default();
        report.good("key", "is there");
        report.attention(
            "public_url",
            "can't be reached from this machine, which may be as it should be",
            "look",
        );
        report.bad("store", "was sealed with another key", "give the key that was used before");
        let text = report.text(Paper { width: 40, unicode: true });
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert!(plain.lines().all(|line| line.chars().count() <= 40), "{plain}");
        assert!(plain.starts_with("✓ good      key: is there\n! attention public_url: can't be"), "{plain}");
        assert!(
            plain.contains("✗ bad       store: was") && plain.contains("\n            mend: give"),
            "{plain}"
        );
        assert!(plain.ends_with("\n1 to mend, 1 to look at.\n"), "{plain}");
        let text = report.text(Paper { width: 60, unicode: false });
        assert!(
            text.is_ascii() && anstream::adapter::strip_str(&text).to_string().contains("x bad"),
            "{text}"
        );
    }
}
