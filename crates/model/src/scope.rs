//! Scopes (RFC 6749 §3.3).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of scope tokens in the order in which they were first named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads a list as providers write it: separated by `separator`, by spaces or by commas, since some ask with the
    /// one and answer with the other (GitHub). Empty items and repetitions are dropped.
    pub fn parse(text: &str, separator: &str) -> Self {
        let separators: Vec<char> = separator.chars().chain([' ', ',']).collect();
        text.split(separators.as_slice()).filter(|token| !token.is_empty()).map(str::to_owned).collect()
    }

    /// Writes the list with the provider's separator.
    pub fn join(&self, separator: &str) -> String {
        self.0.join(separator)
    }

    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether the token is in the set.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|own| own == token)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens of `self` that `granted` lacks.
    #[must_use]
    pub fn missing_in(&self, granted: &Self) -> Self {
        self.iter().filter(|token| !granted.contains(token)).map(str::to_owned).collect()
    }

    /// The tokens of both.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).map(str::to_owned).collect()
    }

    /// The tokens that are in both.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Self {
        self.iter().filter(|token| other.contains(token)).map(str::to_owned).collect()
    }

    /// Whether every token consists of the characters that RFC 6749 §3.3 allows: printable ASCII but `"` and `\`.
    pub fn is_well_formed(&self) -> bool {
        self.iter().all(|token| token.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)))
    }
}

impl FromIterator<String> for Scopes {
    fn from_iter<I: IntoIterator<Item = String>>(tokens: I) -> Self {
        let mut own: Vec<String> = Vec::new();
        for token in tokens {
            if !own.contains(&token) {
                own.push(token);
            }
        }
        Self(own)
    }
}

impl From<Vec<String>> for Scopes {
    fn from(tokens: Vec<String>) -> Self {
        tokens.into_iter().collect()
    }
}

impl From<Scopes> for Vec<String> {
    fn from(scopes: Scopes) -> Self {
        scopes.0
    }
}

impl fmt::Display for Scopes {
    /// The RFC's form: separated by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_spaces_both_separate_and_repetitions_fall_out() {
        let scopes = Scopes::parse("ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,,ZohoCRM.modules.ALL", ",");
        assert_eq!(scopes.join(","), "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL");
        assert_eq!(Scopes::parse("repo,read:user", " "), Scopes::parse("repo read:user", " "));
    }

    #[test]
    fn what_was_not_granted_is_named() {
        let asked = Scopes::parse("read write admin", " ");
        assert_eq!(asked.missing_in(&Scopes::parse("write read", " ")).to_string(), "admin");
    }

    #[test]
    fn control_characters_and_quotes_are_not_scope_tokens() {
        assert!(Scopes::parse("read:user https://x/y", " ").is_well_formed());
        for bad in ["a\"b", "a\\b", "a\u{1}b", "ä"] {
            assert!(!Scopes::from(vec![bad.to_owned()]).is_well_formed(), "{bad:?}");
        }
    }
}
