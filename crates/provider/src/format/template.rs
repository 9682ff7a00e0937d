//! The small languages inside an entry: addresses with placeholders, paths into JSON, the access header.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A text of an entry that does not follow its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// An address with `{placeholders}`. A placeholder at its beginning stands for an origin (`https://crm.example.com`),
/// any other for a name (`eu-1`), so that no value can move the rest of the address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    text: String,
}

/// A part of a [`Template`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Stands as it is.
    Text(&'a str),
    /// Stands for an origin.
    Origin(&'a str),
    /// Stands for a name.
    Name(&'a str),
}

impl Template {
    /// The parts, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        // Outside and inside of braces alternate, since the text was checked when it was read.
        let pieces = self.text.split(['{', '}']).enumerate();
        pieces.filter(|(_, piece)| !piece.is_empty()).map(|(index, piece)| match index {
            1 if self.text.starts_with('{') => Part::Origin(piece),
            index if index % 2 == 1 => Part::Name(piece),
            _ => Part::Text(piece),
        })
    }

    /// The names of the placeholders.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Origin(name) | Part::Name(name) => Some(name),
        })
    }

    /// The text with its placeholders.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for Template {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        const RULE: Malformed =
            Malformed("an address of at most 1024 characters, with placeholders like {name} of a-z 0-9 _");
        if text.is_empty() || text.len() > 1024 {
            return Err(RULE);
        }
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(RULE)?;
            let named = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if before.contains('}') || !named {
                return Err(RULE);
            }
            rest = after;
        }
        if rest.contains('}') {
            return Err(RULE);
        }
        Ok(Self { text })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where a member stands in a JSON answer: names from the outside in, separated by dots; a number picks from an array.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MemberPath(String);

impl MemberPath {
    /// A member at the top of the answer.
    pub fn member(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The names, from the outside in.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl TryFrom<String> for MemberPath {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let steps = text.split('.');
        if text.len() > 256 || steps.clone().count() > 8 || steps.into_iter().any(str::is_empty) {
            return Err(Malformed("one to eight member names separated by dots, at most 256 characters"));
        }
        Ok(Self(text))
    }
}

/// Members whose values are joined with `:`, since only together they name an account. One path, or a list of up to four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMembers(Vec<MemberPath>);

impl JoinedMembers {
    /// The paths, in order; at least one.
    pub fn paths(&self) -> &[MemberPath] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for JoinedMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Paths;

        impl<'de> Visitor<'de> for Paths {
            type Value = JoinedMembers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a member, or a list of one to four paths")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                MemberPath::try_from(text.to_owned()).map(|path| JoinedMembers(vec![path])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = items.next_element()? {
                    paths.push(path);
                    if paths.len() > 4 {
                        break;
                    }
                }
                if (1..=4).contains(&paths.len()) {
                    Ok(JoinedMembers(paths))
                } else {
                    Err(de::Error::invalid_length(paths.len(), &self))
                }
            }
        }

        deserializer.deserialize_any(Paths)
    }
}

/// How an access token is presented: `Authorization: Bearer {token}` (RFC 6750 §2.1) unless the provider is different.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AccessHeader {
    name: String,
    before: String,
    after: String,
}

impl AccessHeader {
    /// The header's name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands before the token and after it.
    pub fn around(&self) -> (&str, &str) {
        (&self.before, &self.after)
    }
}

impl Default for AccessHeader {
    fn default() -> Self {
        Self { name: "authorization".to_owned(), before: "Bearer ".to_owned(), after: String::new() }
    }
}

impl FromStr for AccessHeader {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const RULE: Malformed = Malformed("a header like `Authorization: Bearer {token}`, with {token} once");
        let (name, value) = text.split_once(": ").ok_or(RULE)?;
        let (before, after) = value.split_once("{token}").ok_or(RULE)?;
        let name_fits = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let fits = |text: &str| {
            text.len() <= 64 && text.bytes().all(|b| matches!(b, b' '..=b'~') && !matches!(b, b'{' | b'}'))
        };
        if !name_fits || !fits(before) || !fits(after) {
            return Err(RULE);
        }
        Ok(Self { name: name.to_ascii_lowercase(), before: before.to_owned(), after: after.to_owned() })
    }
}

impl TryFrom<String> for AccessHeader {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}
