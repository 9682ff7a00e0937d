//! One catalog file: a company's entries and groups.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::{self, Fault};
use super::entry::{Entry, Group};

/// A file that is no catalog file, with the place and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}, {key}: {problem}")]
pub struct FileError {
    /// The file's name as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
    /// What is wrong and how to mend it.
    pub problem: String,
}

/// Something of a file and where it stands.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    /// The file's name as it was given.
    pub file: String,
    /// The line at which it begins, from 1.
    pub line: usize,
    /// What stands there.
    pub item: T,
}

impl<T> Placed<T> {
    /// An error about what stands here.
    pub fn error(&self, key: impl Into<String>, problem: impl Into<String>) -> FileError {
        FileError { file: self.file.clone(), line: self.line, key: key.into(), problem: problem.into() }
    }
}

/// What a file says.
#[derive(Debug, Clone)]
pub struct File {
    /// Its entries, in order.
    pub entries: Vec<Placed<Entry>>,
    /// Its groups, in order.
    pub groups: Vec<Placed<Group>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    #[serde(default)]
    provider: Vec<Spanned<Entry>>,
    #[serde(default)]
    group: Vec<Spanned<Group>>,
}

/// Reads and checks a file; `file` is its name in errors.
pub fn parse(file: &str, text: &str) -> Result<File, FileError> {
    let at = |offset: usize, key: String, problem: String| FileError {
        file: file.to_owned(),
        line: line_of(text, offset),
        key,
        problem,
    };
    let tables: Tables = toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        at(offset, key_of_line(text, offset), error.message().to_owned())
    })?;
    let faulty = |table: &str, index: usize, id: &str, fault: Fault| {
        let offset = offset_of(text, table, index, &fault.key);
        at(offset, format!("{table} `{id}`, {}", fault.key), fault.problem)
    };
    let placed = |offset: usize| (file.to_owned(), line_of(text, offset));
    let mut read = File { entries: Vec::new(), groups: Vec::new() };
    for (index, entry) in tables.provider.into_iter().enumerate() {
        let ((file, line), item) = (placed(entry.span().start), entry.into_inner());
        check::entry(&item).map_err(|fault| faulty("provider", index, item.id.as_str(), fault))?;
        read.entries.push(Placed { file, line, item });
    }
    for (index, group) in tables.group.into_iter().enumerate() {
        let ((file, line), item) = (placed(group.span().start), group.into_inner());
        check::group(&item).map_err(|fault| faulty("group", index, item.id.as_str(), fault))?;
        read.groups.push(Placed { file, line, item });
    }
    Ok(read)
}

/// Checks what entries owe to groups and to one another. Ids must be unique by now.
pub fn check_groups(entries: &[&Placed<Entry>], groups: &[&Placed<Group>]) -> Result<(), FileError> {
    for (index, placed) in entries.iter().enumerate() {
        let Some(id) = &placed.item.group else { continue };
        if !groups.iter().any(|group| group.item.id == *id) {
            let problem = format!("no group `{id}`; add a [[group]] table with this id");
            return Err(placed.error(format!("provider `{}`, group", placed.item.id), problem));
        }
        let first = entries.iter().take(index).find(|other| other.item.group.as_ref() == Some(id));
        if let Some(first) = first {
            check::members(&first.item, &placed.item).map_err(|fault| {
                placed.error(format!("provider `{}`, {}", placed.item.id, fault.key), fault.problem)
            })?;
        }
    }
    Ok(())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

/// The key on the line, as far as it can be told: what stands before `=`, or the table's header.
fn key_of_line(text: &str, offset: usize) -> String {
    let line = text.lines().nth(line_of(text, offset) - 1).unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().trim();
    if key.is_empty() { "(the file)".to_owned() } else { key.chars().take(64).collect() }
}

/// Where the key of a table of the file stands, or the innermost table around it that is there.
fn offset_of(text: &str, table: &str, index: usize, key: &str) -> usize {
    let Ok(document) = DeTable::parse(text) else { return 0 };
    let Some(mut value) = document.get_ref().get(table).and_then(|tables| tables.get_ref().get(index)) else {
        return 0;
    };
    let mut offset = value.span().start;
    for step in key.split('.') {
        let next = match value.get_ref() {
            DeValue::Table(table) => table.get_key_value(step).map(|(key, value)| (key.span().start, value)),
            DeValue::Array(items) => step
                .parse()
                .ok()
                .and_then(|index: usize| items.get(index))
                .map(|item| (item.span().start, item)),
            _ => None,
        };
        let Some((start, inner)) = next else { break };
        (offset, value) = (start, inner);
    }
    offset
}
