//! What may be called, and how placeholders are filled.
//!
//! An address is https, or http to this very machine. A value that fills a placeholder is an origin at the beginning of
//! the address and a plain name elsewhere, so that it can't bring a path, a query, a user or another host.

use url::Url;

use super::template::{Part, Template};

/// The longest address that is called.
const MAX_ADDRESS: usize = 2048;
/// The longest value of a placeholder.
const MAX_VALUE: usize = 255;

/// An address that can't be made or may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Placeholders without a value.
    #[error("no value for {}; set it under `parameters` of the integration", names(.0))]
    Unfilled(Vec<String>),
    /// The value must be an origin (RFC 6454 §6.2) and is not written as one.
    #[error("the value of {{{0}}} must be an origin like https://crm.example.com: https, host and port only")]
    NotAnOrigin(String),
    /// The value must be a name and is not.
    #[error("the value of {{{0}}} must consist of A-Z a-z 0-9 . - and begin and end with a letter or digit")]
    NotAName(String),
    /// The whole is no address that may be called.
    #[error("{address}: {rule}")]
    NotCallable {
        /// The address.
        address: String,
        /// The rule that it breaks, as advice.
        rule: &'static str,
    },
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
}

/// Fills every placeholder but `{client_id}`, which only the caller of `revoke` and `introspect` knows.
pub fn fill<'a>(
    template: &Template,
    value: impl Fn(&str) -> Option<&'a str>,
) -> Result<String, AddressError> {
    let mut address = String::new();
    let mut unfilled = Vec::new();
    for part in template.parts() {
        match part {
            Part::Text(text) => address.push_str(text),
            Part::Name("client_id") => address.push_str("{client_id}"),
            Part::Origin(name) => match value(name) {
                Some(origin) if is_origin(origin) => address.push_str(origin),
                Some(_) => return Err(AddressError::NotAnOrigin(name.to_owned())),
                None => unfilled.push(name.to_owned()),
            },
            Part::Name(name) => match value(name) {
                Some(value) if is_name(value) => address.push_str(value),
                Some(_) => return Err(AddressError::NotAName(name.to_owned())),
                None => unfilled.push(name.to_owned()),
            },
        }
    }
    if !unfilled.is_empty() {
        return Err(AddressError::Unfilled(unfilled));
    }
    match callable(&address) {
        Ok(_) => Ok(address),
        Err(rule) => Err(AddressError::NotCallable { address, rule }),
    }
}

/// The address, when it is one that may be called.
pub fn callable(address: &str) -> Result<Url, &'static str> {
    if address.len() > MAX_ADDRESS {
        return Err("an address has at most 2048 characters");
    }
    let url = Url::parse(address).map_err(|_| "not an address; write it as https://host/path")?;
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err("an address must be https; http only for 127.0.0.1, [::1] and localhost");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address must not carry a user or a password");
    }
    if url.fragment().is_some() {
        return Err("an address must not have a fragment (RFC 6749 §3.1 and §3.2)");
    }
    Ok(url)
}

/// Whether the text is an origin, written exactly as RFC 6454 §6.2 does: no slash at the end, a lower-case host, no
/// default port.
pub fn is_origin(text: &str) -> bool {
    text.len() <= MAX_VALUE && callable(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

/// Whether the text is a host name, a label of one, or one segment of a path.
pub fn is_name(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
    text.len() <= MAX_VALUE
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && ends(text.bytes().next())
        && ends(text.bytes().last())
        && !text.contains("..")
}
