//! What a command shows: text for a person, or one JSON object for a script.
//!
//! Text goes to standard output, colours only to a terminal and not with `NO_COLOR`; what is told on the way goes to
//! standard error, and only to a terminal. With `--json` standard output has exactly one object, whose first member is
//! the version of its shape, also when something went wrong.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::answer::{self, Paper, print, visible};

/// The least room for text that is indented.
const LEAST: usize = 20;

/// What a line means, by shape and by word; the colour only repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    Waiting,
    Bad,
    None,
}

impl Mark {
    const fn shape(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Good, true) => "✓",
            (Self::Waiting, true) => "◷",
            (Self::Bad, true) => "✗",
            (Self::None, true) => "○",
            (Self::Good, false) => "+",
            (Self::Waiting, false) => "~",
            (Self::Bad, false) => "x",
            (Self::None, false) => "-",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Waiting => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::None => Style::new().dimmed(),
        }
    }
}

/// Where a command shows what it found.
pub(super) struct Screen {
    json: bool,
    pub(super) verbose: bool,
    paper: Paper,
}

impl Screen {
    pub(super) fn new(json: bool, verbose: bool) -> Self {
        let mut paper = Paper::of_stdout();
        if !std::io::stdout().is_terminal() {
            // Lines that another program reads stay whole.
            paper.width = usize::MAX;
        }
        Self { json, verbose, paper }
    }

    /// The one object of `--json`; nothing otherwise.
    pub(super) fn object(&self, members: Value) -> anyhow::Result<()> {
        if !self.json {
            return Ok(());
        }
        answer::json(members)
    }

    /// A line of text.
    pub(super) fn line(&self, text: &str) -> anyhow::Result<()> {
        self.paragraph("", "", text)
    }

    /// Text that begins after `head`, and goes on under its beginning where it is too long for the terminal.
    pub(super) fn paragraph(&self, head: &str, indent: &str, text: &str) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        let room = self.paper.width.saturating_sub(indent.width()).max(LEAST);
        let mut lines = answer::wrapped(text, room).into_iter();
        print(&format!("{head}{}\n", lines.next().unwrap_or_default()))?;
        for line in lines {
            print(&format!("{indent}{line}\n"))?;
        }
        Ok(())
    }

    /// A line with its mark: `✓ name  text`.
    pub(super) fn item(&self, mark: Mark, name: &str, columns: usize, text: &str) -> anyhow::Result<()> {
        let name = &*visible(name);
        let style = mark.style();
        let gap = " ".repeat(columns.saturating_sub(name.width()));
        let shape = mark.shape(self.paper.unicode);
        let head = format!("{style}{shape}{style:#} {name}{gap}  ");
        self.paragraph(&head, &" ".repeat(columns.max(name.width()) + 4), text)
    }

    /// What it comes to, with its mark: `✓ text`.
    pub(super) fn verdict(&self, mark: Mark, text: &str) -> anyhow::Result<()> {
        let (style, shape) = (mark.style(), mark.shape(self.paper.unicode));
        self.paragraph(&format!("{style}{shape}{style:#} "), "  ", text)
    }

    /// What belongs to the item before.
    pub(super) fn under(&self, columns: usize, text: &str) -> anyhow::Result<()> {
        let indent = " ".repeat(columns + 4);
        self.paragraph(&indent, &indent, text)
    }

    /// Names and values, one below the other.
    pub(super) fn facts(&self, facts: &[(&str, String)]) -> anyhow::Result<()> {
        let columns = facts.iter().map(|(name, _)| name.width()).max().unwrap_or_default() + 2;
        for (name, value) in facts {
            let name = &*visible(name);
            let gap = " ".repeat(columns - name.width());
            self.paragraph(&format!("{name}{gap}"), &" ".repeat(columns), value)?;
        }
        Ok(())
    }

    /// A table; where the terminal is too narrow for it, each row becomes a list of names and values.
    pub(super) fn table(&self, head: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
                cells.chain([head[column].width()]).max().unwrap_or_default()
            })
            .collect();
        if widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > self.paper.width {
            for row in &rows {
                let facts: Vec<(&str, String)> = head.iter().copied().zip(row.iter().cloned()).collect();
                self.facts(&facts)?;
                print("\n")?;
            }
            return Ok(());
        }
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        for (index, row) in std::iter::once(&head).chain(&rows).enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width + 2 - cell.width()));
            }
            let style = if index == 0 { Style::new().bold() } else { Style::new() };
            print(&format!("{style}{}{style:#}\n", line.trim_end()))?;
        }
        Ok(())
    }

    /// How far long work has come: one line of a terminal's standard error, written over by the next.
    pub(super) fn progress(&self, text: &str) {
        let mut err = std::io::stderr();
        if !self.json && err.is_terminal() {
            let text: String = visible(text).chars().take(self.paper.width.saturating_sub(1)).collect();
            // Nobody may be looking.
            let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
        }
    }

    /// Takes the last word of `progress` away.
    pub(super) fn progress_over(&self) {
        self.progress("");
    }
}
