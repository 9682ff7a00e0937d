//! Where in a file a setting stands, and what was probably meant.

use toml::de::{DeTable, DeValue};

/// Where a dotted key, or the nearest table above it, stands in the text.
pub(super) fn nearest_offset(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.into_inner();
    let mut offset = None;
    for part in key.split('.') {
        let part = part.split('[').next().unwrap_or(part);
        let Some((name, value)) = table.remove_entry(part) else { break };
        offset = Some(name.span().start);
        match value.into_inner() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    offset
}

/// Where the value at this path, and nothing above it, stands in the text.
pub(super) fn exact_offset(text: &str, path: &[&str]) -> Option<usize> {
    let (last, above) = path.split_last()?;
    let mut table = DeTable::parse(text).ok()?.into_inner();
    for part in above {
        let DeValue::Table(inner) = table.remove(*part)?.into_inner() else { return None };
        table = inner;
    }
    table.remove_entry(*last).map(|(name, _)| name.span().start)
}

/// A path and a name below it, unless the path has it already.
pub(super) fn join_once(path: &str, name: &str) -> String {
    if path.ends_with(&format!(".{name}")) || path == name {
        path.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// What to write instead, from what serde said.
pub(super) fn mend(what: &str, key: &str) -> String {
    if let Some((_, expected)) = what.split_once("expected one of ") {
        let name = key.rsplit('.').next().unwrap_or(key);
        let known: Vec<&str> = expected.split(", ").map(|word| word.trim_matches('`')).collect();
        let nearest =
            known.iter().filter(|word| distance(word, name) <= 2).min_by_key(|word| distance(word, name));
        return match nearest {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("known here: {}", known.join(", ")),
        };
    }
    if what.starts_with("missing field") {
        return "set it; claviger.default.toml describes every setting".to_owned();
    }
    "write a value of the expected kind; claviger.default.toml describes every setting".to_owned()
}

/// Levenshtein's distance, for "did you mean".
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let cost = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
