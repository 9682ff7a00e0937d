//! Where an application's answer goes (RFC 6749 §3.1.2): compared byte for byte, but for the port of a loopback address
//! (RFC 8252 §7.3, RFC 9700 §2.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest redirect URI.
const MAX: usize = 2000;

/// The literals that mean this machine. `localhost` is a name, which a resolver may take elsewhere (RFC 8252 §8.3), but it is
/// what most native applications register.
const LOOPBACK_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// A text that can't be registered as a redirect URI, and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a redirect URI: {0}")]
pub struct InvalidRedirectUri(pub &'static str);

/// A registered redirect URI: absolute, without fragment; https, http on loopback, or a scheme of an application's own
/// (`com.example.app:/callback`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// Scheme, host without port, and what comes after the authority.
struct Parts<'a> {
    scheme: &'a str,
    /// `None` where there is no authority.
    authority: Option<&'a str>,
    rest: &'a str,
}

impl RedirectUri {
    /// The text, exactly as it was registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request that names `asked` means this one.
    pub fn admits(&self, asked: &str) -> bool {
        if self.0 == asked {
            return true;
        }
        let (own, other) = (parts(&self.0), parts(asked));
        let (Some(own), Some(other)) = (own, other) else { return false };
        let (Some(host), Some(other_host)) = (loopback(&own), loopback(&other)) else { return false };
        host == other_host && own.rest == other.rest && asked.len() <= MAX
    }

    /// Whether it leads to this machine: then whoever listens there is no application that anybody could know again.
    pub fn is_loopback(&self) -> bool {
        parts(&self.0).is_some_and(|parts| loopback(&parts).is_some())
    }

    /// Whether only the operating system decides who gets the answer: a scheme of an application's own, or loopback.
    pub fn is_native(&self) -> bool {
        !self.0.starts_with("https://")
    }

    /// What a person recognises it by: the host of an address of the web, else the scheme with its colon (`com.example.app:`), so
    /// that nobody takes the one for the other. What looks like a host after a scheme of an application's own is one to nobody:
    /// whichever application has the scheme gets the answer.
    pub fn place(&self) -> &str {
        match parts(&self.0) {
            Some(Parts { scheme: "https" | "http", authority: Some(authority), .. }) => host_of(authority).0,
            Some(Parts { scheme, .. }) => &self.0[..=scheme.len()],
            None => &self.0,
        }
    }
}

/// The host of an http address on loopback.
fn loopback<'a>(parts: &Parts<'a>) -> Option<&'a str> {
    let authority = parts.authority.filter(|_| parts.scheme == "http")?;
    let (host, port) = host_of(authority);
    let is_port =
        port.is_none_or(|port| port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit()));
    (is_port && LOOPBACK_HOSTS.contains(&host)).then_some(host)
}

/// Splits `host:port`. User information stays in the host, which then is none that we know.
fn host_of(authority: &str) -> (&str, Option<&str>) {
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority.get(end..).and_then(|tail| tail.rfind(':')) {
        Some(colon) => (&authority[..end + colon], authority.get(end + colon + 1..)),
        None => (authority, None),
    }
}

fn parts(uri: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = uri.split_once(':')?;
    let Some(after) = rest.strip_prefix("//") else {
        return Some(Parts { scheme, authority: None, rest });
    };
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    Some(Parts { scheme, authority: Some(authority), rest })
}

impl FromStr for RedirectUri {
    type Err = InvalidRedirectUri;

    fn from_str(text: &str) -> Result<Self, InvalidRedirectUri> {
        let refuse = |rule| Err(InvalidRedirectUri(rule));
        if text.is_empty() || text.len() > MAX {
            return refuse("use 1 to 2000 characters");
        }
        // RFC 3986 §2: everything else has to be percent-encoded. Browsers mend it, each in its own way.
        if !text.bytes().all(|b| matches!(b, 0x21..=0x7e) && !b"\"<>\\^`{|}".contains(&b)) {
            return refuse("it has characters that must be percent-encoded");
        }
        if text.contains('#') {
            return refuse("it must have no fragment (RFC 6749 §3.1.2)");
        }
        let Some(parts) = parts(text) else { return refuse("it must be absolute (RFC 6749 §3.1.2)") };
        match (parts.scheme, parts.authority) {
            ("https" | "http", None | Some("")) => refuse("it must have a host"),
            ("https" | "http", Some(authority)) if authority.contains('@') => {
                refuse("it must have no user information")
            }
            ("https", Some(_)) => Ok(Self(text.to_owned())),
            ("http", Some(_)) if loopback(&parts).is_some() => Ok(Self(text.to_owned())),
            ("http", Some(_)) => refuse("http is for 127.0.0.1, [::1] and localhost alone (RFC 9700 §2.6)"),
            // RFC 8252 §7.1: a domain name turned round, so that javascript: and data: are none.
            (scheme, _) if scheme.contains('.') && is_scheme(scheme) => Ok(Self(text.to_owned())),
            (scheme, _) if is_scheme(scheme) => refuse(
                "a scheme of an application's own must be a domain name turned round, such as com.example.app: anybody may \
                 take one without a dot (RFC 8252 §7.1)",
            ),
            _ => refuse("its scheme must be https, or a domain name of yours turned round (RFC 8252 §7.1)"),
        }
    }
}

/// RFC 3986 §3.1, in lower case, which is how it is compared.
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

impl TryFrom<String> for RedirectUri {
    type Error = InvalidRedirectUri;

    fn try_from(text: String) -> Result<Self, InvalidRedirectUri> {
        text.parse()
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        text.parse().unwrap()
    }

    #[test]
    fn what_can_be_registered() {
        for good in [
            "https://zapier.com/dashboard/auth/oauth/return/App235737CLIAPI/",
            "https://app.example.com",
            "https://app.example.com:8443/cb?x=1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8976/callback",
            "http://[::1]:1/cb",
            "http://localhost:3000/",
            "com.example.app:/oauth",
            "com.example.app://host/oauth",
        ] {
            assert_eq!(uri(good).as_str(), good);
        }
        for bad in [
            "",
            "/callback",
            "example.com/cb",
            "http://example.com/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://x@127.0.0.1/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:+80/cb",
            "https://user:pass@example.com/cb",
            "https:///cb",
            "https://example.com/cb#fragment",
            "https://example.com/a b",
            "https://example.com/\\evil",
            "https://example.com/\n",
            "https://exämple.com/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "HTTPS://example.com/cb",
            "myapp:/cb",
        ] {
            assert!(bad.parse::<RedirectUri>().is_err(), "{bad:?} must be refused");
        }
        let refused = "cursor://anysphere.cursor-mcp/oauth/callback".parse::<RedirectUri>().unwrap_err();
        assert!(refused.to_string().contains("com.example.app"), "{refused}");
        assert!(format!("https://example.com/{}", "x".repeat(2000)).parse::<RedirectUri>().is_err());
    }

    #[test]
    fn a_request_means_it_byte_for_byte() {
        let registered = uri("https://example.com/Cb/");
        assert!(registered.admits("https://example.com/Cb/"));
        for other in [
            "https://example.com/Cb",
            "https://example.com/cb/",
            "https://example.com/Cb/?x",
            "https://example.com/Cb%2F",
            "https://sub.example.com/Cb/",
            "https://example.com:443/Cb/",
            "https://EXAMPLE.com/Cb/",
            "https://example.com/Cb/#",
            "http://example.com/Cb/",
            "",
        ] {
            assert!(!registered.admits(other), "{other}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let registered = uri("http://127.0.0.1:8976/cb");
        for same in ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"] {
            assert!(registered.admits(same), "{same}");
        }
        for other in [
            "http://x@127.0.0.1:1/cb",
            "http://127.0.0.1:1@evil.example/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:/cb/",
            "http://127.0.0.1:1/cb?x=1",
            "http://127.0.0.1:1/CB",
            "http://localhost:1/cb",
            "https://127.0.0.1:1/cb",
            "http://[::1]:1/cb",
        ] {
            assert!(!registered.admits(other), "{other}");
        }
        assert!(uri("http://[::1]/cb").admits("http://[::1]:5/cb"));
        assert!(!uri("https://127.0.0.1/cb").admits("https://127.0.0.1:5/cb"));
        assert!(!uri("com.example.app:/cb").admits("com.example.app:/cb2"));
    }

    #[test]
    fn a_person_recognises_it_by_its_place() {
        assert_eq!(uri("https://zapier.com/x").place(), "zapier.com");
        assert_eq!(uri("https://zapier.com:8443/x").place(), "zapier.com");
        assert_eq!(uri("http://[::1]:5/x").place(), "[::1]");
        assert_eq!(uri("com.example.app:/cb").place(), "com.example.app:");
        // Whoever wrote it may have put any host there.
        assert_eq!(uri("com.example.app://claude.ai/cb").place(), "com.example.app:");
        assert!(uri("http://localhost/cb").is_loopback() && !uri("https://localhost/cb").is_loopback());
        assert!(uri("com.example.app:/cb").is_native() && !uri("https://a.example/").is_native());
    }
}
