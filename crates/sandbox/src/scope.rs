//! Scopes (RFC 6749 §3.3), with the separator that the control chose.

/// What is granted to a client that names no scope.
pub(crate) const DEFAULT: &str = "profile";

/// What the API for notes asks for.
pub(crate) const NOTES_READ: &str = "notes:read";

/// The scopes that mean something here. Others are granted as well, since a test may call them what its provider does.
pub(crate) const KNOWN: [&str; 5] = ["profile", "email", NOTES_READ, "notes:write", "offline_access"];

/// No client asks for more at once.
const MAX_SCOPES: usize = 100;

/// Reads a list; `None` when a token has a character that RFC 6749 §3.3 forbids, or there are more than 100.
pub(crate) fn parse(text: &str, separator: &str) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    for token in text.split(separator).filter(|token| !token.is_empty()) {
        if !is_token(token) || scopes.len() == MAX_SCOPES {
            return None;
        }
        if !scopes.iter().any(|scope| scope == token) {
            scopes.push(token.to_owned());
        }
    }
    Some(scopes)
}

/// Whether this is a scope token: printable ASCII but space, `"` and `\`.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_decides_what_one_scope_is() {
        assert_eq!(parse("a,b a", ","), None);
        assert_eq!(parse("a,b,a", ",").unwrap(), ["a", "b"]);
        assert_eq!(parse("a,b", " ").unwrap(), ["a,b"]);
        assert_eq!(parse("", " ").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn quotes_and_controls_are_no_scope() {
        for bad in ["a\"b", "a\\b", "a\tb", "ä"] {
            assert_eq!(parse(bad, " "), None, "{bad:?}");
        }
    }
}
