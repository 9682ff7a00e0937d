//! Form parameters with Stripe's brackets: `metadata[order]=7`, `payment_method_types[]=card`.
//!
//! Which parameters an operation knows is a list of patterns: `*` stands for any name, `#` for a place in a list.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::form_urlencoded;

use super::problem::Problem;

/// No request that is played needs more parameters.
const MAX_FIELDS: usize = 256;
/// Brackets within brackets, the name before them included.
const MAX_DEPTH: usize = 5;
/// Stripe's own limit for texts.
const MAX_VALUE: usize = 5000;
const MAX_METADATA: usize = 50;
const MAX_METADATA_NAME: usize = 40;
const MAX_METADATA_VALUE: usize = 500;

/// The parameters of one request, in their order.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<Field>);

#[derive(Debug)]
struct Field {
    path: Vec<String>,
    value: String,
}

impl Form {
    /// Reads a query or a body of `application/x-www-form-urlencoded`.
    pub(super) fn parse(encoded: &[u8]) -> Result<Self, Problem> {
        let mut fields = Vec::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            if fields.len() == MAX_FIELDS {
                return Err(Problem::invalid("The request has more than 256 parameters."));
            }
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Problem::invalid("The parameters are not percent-encoded UTF-8."));
            }
            let path = path(&name).ok_or_else(|| Problem::unknown_parameter(&name))?;
            if value.chars().count() > MAX_VALUE {
                return Err(Problem::invalid("The value is longer than 5000 characters.").at(&name));
            }
            fields.push(Field { path, value: value.into_owned() });
        }
        Ok(Self(fields))
    }

    /// Refuses what no pattern knows.
    pub(super) fn allows_only(&self, patterns: &[&str]) -> Result<(), Problem> {
        let patterns: Vec<Vec<String>> = patterns.iter().filter_map(|pattern| path(pattern)).collect();
        for field in &self.0 {
            if !patterns.iter().any(|pattern| matches(pattern, field)) {
                return Err(Problem::unknown_parameter(&written(&field.path)));
            }
        }
        Ok(())
    }

    /// The text, if the parameter is there; the last of several.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let wanted = path(name).unwrap_or_default();
        match self.0.iter().rev().find(|field| field.path == wanted) {
            Some(field) if field.value.is_empty() => Err(Problem::empty(name)),
            found => Ok(found.map(|field| field.value.as_str())),
        }
    }

    /// The text, or Stripe's refusal of its absence.
    pub(super) fn required(&self, name: &str) -> Result<&str, Problem> {
        self.text(name)?.ok_or_else(|| Problem::missing(name))
    }

    /// The whole number, if the parameter is there.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let parsed = text.parse().map_err(|_| {
            Problem::invalid(format!("Not a whole number: {}", shortened(text)))
                .with_code("parameter_invalid_integer")
                .at(name)
        });
        parsed.map(Some)
    }

    /// `true` or `false`, if the parameter is there.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, Problem> {
        Ok(self.choice(name, &["true", "false"])?.map(|text| text == "true"))
    }

    /// One of these, if the parameter is there.
    pub(super) fn choice(
        &self,
        name: &str,
        choices: &'static [&'static str],
    ) -> Result<Option<&'static str>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let found = choices.iter().copied().find(|choice| *choice == text);
        let refused = || Problem::invalid(format!("{name} must be one of {}", choices.join(", "))).at(name);
        found.ok_or_else(refused).map(Some)
    }

    /// The values of a list, `name[]=…` or `name[0]=…`.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let below = self.0.iter().filter(|field| field.path.len() == 2 && field.path[0] == name);
        below.map(|field| field.value.clone()).collect()
    }

    /// The names directly below this one, each with its value.
    pub(super) fn below<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter(move |field| field.path.len() >= 2 && field.path[0] == name)
            .map(|field| (field.path[1].as_str(), field.value.as_str()))
    }

    /// Changes metadata as Stripe does: an empty value takes a name away, `metadata=` takes all.
    pub(super) fn change_metadata(&self, metadata: &mut BTreeMap<String, String>) -> Result<(), Problem> {
        if self.0.iter().any(|field| field.path == ["metadata"]) {
            metadata.clear();
        }
        let mut changed = metadata.clone();
        for (name, value) in self.below("metadata") {
            let limit = if name.is_empty() || name.chars().count() > MAX_METADATA_NAME {
                Some("A name of metadata has 1 to 40 characters.")
            } else if value.chars().count() > MAX_METADATA_VALUE {
                Some("A value of metadata has at most 500 characters.")
            } else {
                None
            };
            if let Some(limit) = limit {
                return Err(Problem::invalid(limit).at("metadata"));
            }
            if value.is_empty() {
                changed.remove(name);
            } else {
                changed.insert(name.to_owned(), value.to_owned());
            }
        }
        if changed.len() > MAX_METADATA {
            return Err(Problem::invalid("Metadata has at most 50 names.").at("metadata"));
        }
        *metadata = changed;
        Ok(())
    }

    /// All of it in one order, to compare two requests.
    pub(super) fn canonical(&self) -> Value {
        let mut all: Vec<_> = self.0.iter().map(|field| (&field.path, &field.value)).collect();
        all.sort();
        json!(all)
    }
}

/// `a[b][c]` as `a`, `b`, `c`; `None` where the brackets are not right or too deep.
fn path(name: &str) -> Option<Vec<String>> {
    let (first, mut rest) = match name.split_once('[') {
        Some((first, _)) => (first, &name[first.len()..]),
        None => (name, ""),
    };
    let mut path = vec![first.to_owned()];
    while !rest.is_empty() {
        let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
        path.push(inside.to_owned());
        rest = after;
    }
    (!first.is_empty() && path.len() <= MAX_DEPTH).then_some(path)
}

fn written(path: &[String]) -> String {
    let (first, rest) = path.split_first().map_or(("", path), |(first, rest)| (first.as_str(), rest));
    rest.iter().fold(shortened(first), |name, part| format!("{name}[{}]", shortened(part)))
}

/// Enough of what a client sent to recognise it.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

fn matches(pattern: &[String], field: &Field) -> bool {
    // `metadata=` empties what has names below it.
    let empties = field.value.is_empty() && pattern.len() == field.path.len() + 1 && pattern[1..] == ["*"];
    (empties || pattern.len() == field.path.len())
        && pattern.iter().zip(&field.path).all(|(expected, given)| match expected.as_str() {
            "*" => !given.is_empty(),
            "#" => given.chars().all(|c| c.is_ascii_digit()),
            exact => exact == given,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_read_and_what_no_pattern_knows_is_named() {
        let form = Form::parse(b"metadata[a]=1&list[]=x&list[1]=y&transfer_data%5Bamount%5D=07").unwrap();
        let patterns = ["metadata[*]", "list[#]", "transfer_data[amount]"];
        form.allows_only(&patterns).unwrap();
        assert_eq!(form.list("list"), ["x", "y"]);
        assert_eq!(form.integer("transfer_data[amount]").unwrap(), Some(7));
        for bad in ["nope=1", "metadata[a][b]=1", "list[x]=1", "list=1", "metadata=x"] {
            assert!(Form::parse(bad.as_bytes()).unwrap().allows_only(&patterns).is_err(), "{bad}");
        }
        for bad in ["a[=1", "a[b=1", "[a]=1", "a[b]c=1", "a[b][c][d][e][f]=1", "a=%ff"] {
            assert!(Form::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_is_changed_name_by_name_and_bounded() {
        let mut metadata =
            BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        Form::parse(b"metadata[a]=&metadata[c]=3").unwrap().change_metadata(&mut metadata).unwrap();
        assert_eq!(metadata.keys().collect::<Vec<_>>(), ["b", "c"]);
        let long = format!("metadata[{}]=1", "x".repeat(41));
        assert!(Form::parse(long.as_bytes()).unwrap().change_metadata(&mut metadata).is_err());
        let many = (0..51).map(|n| format!("metadata[n{n}]=1")).collect::<Vec<_>>().join("&");
        assert!(Form::parse(many.as_bytes()).unwrap().change_metadata(&mut metadata).is_err());
        Form::parse(b"metadata=").unwrap().change_metadata(&mut metadata).unwrap();
        assert!(metadata.is_empty());
    }
}
