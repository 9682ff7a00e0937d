//! Request parameters as RFC 6749 §3.1 and §3.2 read them: form-encoded, none twice, empty means absent.

use std::collections::HashMap;

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
}

impl Parameters {
    /// Reads a query or a body of `application/x-www-form-urlencoded`.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, Unreadable> {
        let mut parameters = Self::default();
        for (count, (name, value)) in form_urlencoded::parse(encoded).enumerate() {
            if count == MAX_PARAMETERS {
                return Err(Unreadable::TooMany);
            }
            // What is not UTF-8 arrives as the replacement character, which nothing of ours contains.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Unreadable::NotUtf8);
            }
            if parameters.values.contains_key(name.as_ref()) {
                parameters.repeated.push(name.into_owned());
            } else {
                parameters.values.insert(name.into_owned(), value.into_owned());
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
    fn what_is_not_utf_8_or_too_much_is_refused() {
        assert_eq!(Parameters::parse(b"code=%ff").err(), Some(Unreadable::NotUtf8));
        assert_eq!(Parameters::parse("a=&".repeat(65).as_bytes()).err(), Some(Unreadable::TooMany));
    }
}
