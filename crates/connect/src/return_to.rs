//! Where a browser may be sent after an attempt: only to places that the operator listed.

use url::Url;

/// The longest `returnTo` that is looked at.
const MAX_LEN: usize = 2048;

/// What the operator listed, each an `http` or `https` origin with an optional path below which everything is allowed.
#[derive(Debug, Clone, Default)]
pub struct AllowList(Vec<Url>);

/// An item of the list that is no address to return to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{item:?} is not an address to return to: write https://host/path, without query, fragment or user name"
)]
pub struct InvalidItem {
    /// The item.
    pub item: String,
}

impl AllowList {
    /// Reads the list.
    pub fn parse<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidItem> {
        let parse = |item: &str| {
            let url = Url::parse(item).ok().filter(is_plain_web_address);
            url.filter(|url| url.query().is_none() && url.fragment().is_none())
                .ok_or_else(|| InvalidItem { item: item.to_owned() })
        };
        items.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Adds an address of our own.
    pub fn push(&mut self, url: Url) {
        self.0.push(url);
    }

    /// The address as the browser will read it, if the list allows it. It is parsed by the rules that browsers follow,
    /// so what is compared here is what will be visited.
    pub fn check(&self, return_to: &str) -> Option<Url> {
        let clean = return_to.len() <= MAX_LEN
            && !return_to.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\');
        let url = Url::parse(return_to).ok().filter(|url| clean && is_plain_web_address(url))?;
        self.0.iter().any(|allowed| is_below(&url, allowed)).then_some(url)
    }
}

/// A redirect URI of the operator's choice: https, or http on loopback (RFC 8252 §8.3), without fragment (RFC 6749
/// §3.1.2). Answers the rule that it breaks.
pub fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    let url = Url::parse(uri).ok().filter(|url| uri.len() <= MAX_LEN && is_plain_web_address(url));
    let url = url.ok_or("expected an absolute https URI")?;
    if url.fragment().is_some() {
        return Err("expected a URI without fragment");
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err("expected https; http is for loopback addresses only");
    }
    Ok(())
}

/// Whether the address can't leave this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_plain_web_address(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
}

fn is_below(url: &Url, allowed: &Url) -> bool {
    let folder = allowed.path().trim_end_matches('/');
    // An encoded dot or slash may be decoded by whoever serves the path, and then leave the folder.
    let encoded = url.path().to_ascii_lowercase();
    let evasive = ["%2e", "%2f", "%5c"].iter().any(|sequence| encoded.contains(sequence));
    let below = url.path().strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    url.origin() == allowed.origin() && below && (folder.is_empty() || !evasive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> AllowList {
        AllowList::parse(["https://app.example.com", "http://127.0.0.1:3000/admin/"]).unwrap()
    }

    #[test]
    fn what_lies_below_a_listed_address_is_allowed() {
        for good in [
            "https://app.example.com",
            "https://app.example.com/",
            "https://app.example.com/deep/path?tab=1#top",
            "https://APP.example.com:443/x",
            "http://127.0.0.1:3000/admin",
            "http://127.0.0.1:3000/admin/clients/7?x=y",
        ] {
            assert!(list().check(good).is_some(), "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "/relative",
            "//evil.example/x",
            "https:evil.example",
            "https://app.example.com.evil.example/",
            "https://app.example.com@evil.example/",
            "https://user@app.example.com/",
            "https://app.example.com:8443/",
            "http://app.example.com/",
            "https://evil.example/https://app.example.com/",
            "https://app.example.com\\@evil.example/",
            "https://app.example.com/\n",
            "https://app.example.com/ x",
            "\thttps://app.example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://127.0.0.1:3000/administrator",
            "http://127.0.0.1:3000/admin/../other",
            "http://127.0.0.1:3000/admin/%2e%2e/other",
            "http://127.0.0.1:3000/",
            &format!("https://app.example.com/{}", "x".repeat(MAX_LEN)),
        ] {
            assert!(list().check(bad).is_none(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn an_item_that_is_no_address_is_named() {
        for bad in ["app.example.com", "ftp://x/", "https://u@x/", "https://x/?q", "https://x/#f", "*", ""] {
            assert_eq!(AllowList::parse([bad]).unwrap_err().item, bad);
        }
    }
}
