//! What a command answers: lines for a person, or one JSON object for a program, whose first member is the version of
//! its shape. Errors have that shape too.

use std::io::{self, Write as _};

use anyhow::Context as _;
use rustix::termios::tcgetwinsize;
use serde::Serialize;
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use super::door::Refused;
use super::{End, say};
use crate::config::ConfigError;

/// The version of every shape; a member that is added does not change it.
const VERSION: u32 = 1;

/// The widths that text is wrapped to, and the one where nothing tells.
const NARROWEST: usize = 40;
const USUAL: usize = 80;
const WIDEST: usize = 100;

#[derive(Serialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    answer: T,
}

/// Prints an answer for a program.
pub(super) fn json(answer: impl Serialize) -> anyhow::Result<()> {
    say(serde_json::to_string(&Versioned { version: VERSION, answer })?)
}

/// Prints an error for a program: a server's problem document as it came, or a code of our own and what went wrong.
pub(super) fn failure(error: &anyhow::Error) -> anyhow::Result<()> {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return json(json!({ "error": refused.problem }));
    }
    let code = if error.is::<ConfigError>() { "configuration_invalid" } else { "could_not_run" };
    json(json!({ "error": { "code": code, "detail": format!("{error:#}") } }))
}

/// Runs a command; with `as_json` its error becomes an answer as well.
pub(super) fn answered(as_json: bool, command: impl FnOnce() -> anyhow::Result<End>) -> anyhow::Result<End> {
    match command() {
        Err(error) if as_json => {
            failure(&error)?;
            Ok(End::CouldNotRun)
        }
        ended => ended,
    }
}

/// What standard output can show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paper {
    /// In columns.
    pub(super) width: usize,
    /// Whether more than ASCII.
    pub(super) unicode: bool,
}

impl Paper {
    pub(super) fn of_stdout() -> Self {
        let terminal = tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
        let told = || std::env::var("COLUMNS").ok()?.parse().ok();
        let width = terminal.filter(|width| *width > 0).or_else(told).unwrap_or(USUAL);
        Self { width: width.clamp(NARROWEST, WIDEST), unicode: is_utf8(|name| std::env::var(name).ok()) }
    }
}

/// POSIX: the first of these that is set and not empty decides.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|text| !text.is_empty());
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Prints text that may hold colours, which only a terminal gets to see.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output")
}

/// Text from outside on a terminal: what could steer it, or turn the direction of what follows, is shown as a replacement
/// character.
pub(super) fn visible(text: &str) -> String {
    let steers = |c: char| c.is_control() || is_direction(c);
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Unicode's bidirectional formatting characters.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
}

/// Breaks text between words, so that no line is wider than `width`; a longer word stays whole, since it may be an address.
/// Lines of the text stay lines. What a terminal would take for a command is replaced.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let word = visible(word);
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_nothing_reaches_the_terminal_as_a_command() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("  one\ntwo", 80), ["one", "two"]);
        assert_eq!(wrapped("a https://rowan.example b", 5), ["a", "https://rowan.example", "b"]);
        assert_eq!(wrapped("\u{1b}[2Jx \u{202e}y", 80), ["\u{fffd}[2Jx \u{fffd}y"]);
        assert_eq!(visible("Õ 🍎 سلام\n"), "Õ 🍎 سلام\u{fffd}");
        assert_eq!(wrapped("", 80), [""]);
    }

    #[test]
    fn the_first_locale_that_is_set_decides() {
        let with = |set: &'static [(&str, &str)]| {
            is_utf8(|name| set.iter().find(|(n, _)| *n == name).map(|(_, text)| (*text).to_owned()))
        };
        assert!(!with(&[]));
        assert!(with(&[("LANG", "et_EE.UTF-8")]));
        assert!(with(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!with(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]));
    }
}
