//! Request parameters as RFC 6749 §3.1 and §3.2 read them: form-encoded, none twice, empty means absent.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::form_urlencoded;

/// No request of this protocol needs more parameters.
const MAX_PARAMETERS: usize = 64;

/// The parameters of one request.
#[derive(Default)]
pub(crate) struct Parameters {
    values: HashMap<String, String>,
    repeated: Vec<String>,
}

/// Why parameters could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the request has more than 64 parameters")]
    TooMany,
    #[error("the parameters are not percent-encoded UTF-8")]
    NotUtf8,
    #[error("the body is not a JSON object whose members are texts")]
    NotJson,
}

impl Parameters {
    /// Reads a query or a body of `application/x-www-form-urlencoded`.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, Unreadable> {
        let pairs = form_urlencoded::parse(encoded).take(MAX_PARAMETERS + 1);
        Self::collect(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// Reads a JSON object whose members are texts.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Unreadable> {
        let Pairs(pairs) = serde_json::from_slice(body).map_err(|_| Unreadable::NotJson)?;
        Self::collect(pairs)
    }

    fn collect(pairs: Vec<(String, String)>) -> Result<Self, Unreadable> {
        if pairs.len() > MAX_PARAMETERS {
            return Err(Unreadable::TooMany);
        }
        let mut parameters = Self::default();
        for (name, value) in pairs {
            // What is not UTF-8 arrives as the replacement character, which nothing of ours contains.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Unreadable::NotUtf8);
            }
            match parameters.values.entry(name) {
                Entry::Occupied(first) => parameters.repeated.push(first.key().clone()),
                Entry::Vacant(entry) => drop(entry.insert(value)),
            }
        }
        Ok(parameters)
    }

    /// The value, unless it is absent or empty; of a repeated parameter the first.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether any parameter came twice, which RFC 6749 §3.1 forbids.
    pub(crate) fn any_repeated(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// Whether this parameter came twice.
    pub(crate) fn is_repeated(&self, name: &str) -> bool {
        self.repeated.iter().any(|repeated| repeated == name)
    }

    /// Every parameter, by name, for a form that asks again.
    pub(crate) fn sorted(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<_> =
            self.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.sort_unstable();
        all
    }
}

/// The members of a JSON object in their order; a map would hide that one came twice.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        input.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_parameter_is_an_absent_one() {
        let parameters = Parameters::parse(b"state=&scope=a+b%20c").unwrap();
        assert_eq!(parameters.get("state"), None);
        assert_eq!(parameters.get("scope"), Some("a b c"));
        assert!(!parameters.any_repeated());
    }

    #[test]
    fn a_repeated_parameter_is_noticed_even_when_one_of_the_two_is_empty() {
        let parameters = Parameters::parse(b"code=1&code=").unwrap();
        assert!(parameters.is_repeated("code"));
        assert!(!parameters.is_repeated("state"));
    }

    #[test]
    fn a_json_object_is_read_like_a_form() {
        let parameters = Parameters::from_json(br#"{"code": "a b", "code": "", "state": ""}"#).unwrap();
        assert_eq!((parameters.get("code"), parameters.get("state")), (Some("a b"), None));
        assert!(parameters.is_repeated("code"));
        for bad in ["", "[]", "{\"code\": 1}", "{\"code\": {}}", "{\"code\""] {
            assert_eq!(Parameters::from_json(bad.as_bytes()).err(), Some(Unreadable::NotJson), "{bad}");
        }
    }

    #[test]
    fn what_is_not_utf_8_or_too_much_is_refused() {
        assert_eq!(Parameters::parse(b"code=%ff").err(), Some(Unreadable::NotUtf8));
        assert_eq!(Parameters::parse("a=&".repeat(65).as_bytes()).err(), Some(Unreadable::TooMany));
    }
}
