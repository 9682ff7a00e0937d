//! What a command shows: text for a person, or one JSON object for a script.
//!
//! Text goes to standard output, colours only to a terminal and not with `NO_COLOR`; what is told on the way goes to
//! standard error, and only to a terminal. With `--json` standard output has exactly one object, whose first member is
//! the version of its shape, also when something went wrong.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr as _;

/// The version of the JSON that commands print; see docs/cli.md.
const SHAPE: u32 = 1;

/// The narrowest that text is made for.
const NARROWEST: usize = 40;

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
    width: usize,
    unicode: bool,
}

impl Screen {
    pub(super) fn new(json: bool, verbose: bool) -> Self {
        Self { json, verbose, width: width(), unicode: speaks_unicode() }
    }

    /// The one object of `--json`; nothing otherwise.
    pub(super) fn object(&self, members: Value) -> anyhow::Result<()> {
        if !self.json {
            return Ok(());
        }
        print(&format!("{}\n", versioned(members)))
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
        let room = self.width.saturating_sub(indent.width()).max(NARROWEST / 2);
        let mut lines = wrap(text, room).into_iter();
        print(&format!("{head}{}\n", lines.next().unwrap_or_default()))?;
        for line in lines {
            print(&format!("{indent}{line}\n"))?;
        }
        Ok(())
    }

    /// A line with its mark: `✓ name  text`.
    pub(super) fn item(&self, mark: Mark, name: &str, columns: usize, text: &str) -> anyhow::Result<()> {
        let style = mark.style();
        let gap = " ".repeat(columns.saturating_sub(name.width()));
        let head = format!("{style}{}{style:#} {name}{gap}  ", mark.shape(self.unicode));
        self.paragraph(&head, &" ".repeat(columns.max(name.width()) + 4), text)
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
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
                cells.chain([head[column].width()]).max().unwrap_or_default()
            })
            .collect();
        if widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > self.width {
            for row in rows {
                let facts: Vec<(&str, String)> = head.iter().copied().zip(row.iter().cloned()).collect();
                self.facts(&facts)?;
                print("\n")?;
            }
            return Ok(());
        }
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        for (index, row) in std::iter::once(&head).chain(rows).enumerate() {
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
            let text: String = text.chars().take(self.width.saturating_sub(1)).collect();
            // Nobody may be looking.
            let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
        }
    }

    /// Takes the last word of `progress` away.
    pub(super) fn progress_over(&self) {
        self.progress("");
    }
}

/// A failure, in the shape that `--json` promises.
pub(super) fn failure(error: &Value) -> anyhow::Result<()> {
    print(&format!("{}\n", versioned(json!({ "error": error }))))
}

fn versioned(members: Value) -> Value {
    let mut object = Map::from_iter([("version".to_owned(), SHAPE.into())]);
    match members {
        Value::Object(members) => object.extend(members),
        other => {
            object.insert("result".to_owned(), other);
        }
    }
    Value::Object(object)
}

/// A reader that has gone away is an error and no panic.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output")
}

/// The width of the terminal; what is no terminal has all the room.
fn width() -> usize {
    if !std::io::stdout().is_terminal() {
        return usize::MAX;
    }
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(80).max(NARROWEST)
}

/// Whether the locale has more than ASCII, in the order in which POSIX asks.
fn speaks_unicode() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    named.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Breaks text at its spaces, into lines of at most `room` columns; a longer word has a line of its own.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Text from outside on a terminal: what could steer it is shown as a replacement character.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || is_direction(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// Characters that turn the direction of what follows (Unicode's bidirectional formatting characters).
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_breaks_at_spaces_and_long_words_stay_whole() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("https://example.com/long x", 5), ["https://example.com/long", "x"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("õun õun", 3), ["õun", "õun"], "columns are counted, not octets");
    }

    #[test]
    fn what_steers_a_terminal_is_made_visible() {
        assert_eq!(visible("a\x1b[2Jb\u{202e}c\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(visible("Õ 🍎 سلام"), "Õ 🍎 سلام");
    }

    #[test]
    fn the_version_comes_first() {
        let text = versioned(json!({"a": 1})).to_string();
        assert_eq!(text, r#"{"version":1,"a":1}"#);
        assert_eq!(versioned(json!([1])).to_string(), r#"{"version":1,"result":[1]}"#);
    }
}
