//! Which path of the upstream a request is for, and the way back from an address of the upstream to one of ours.

use axum::http::HeaderValue;
use axum::http::uri::PathAndQuery;
use url::Position;

use super::Upstream;

/// Where a request goes: below the upstream's own path, and written as it came. A path that others would read differently goes
/// nowhere.
pub(super) fn destination(upstream: &Upstream, path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    let rest = path.strip_prefix(&*upstream.protected.path)?;
    let is_written = |text: &str| text.bytes().all(|octet| octet.is_ascii_graphic());
    if !is_written(rest) || !query.is_none_or(is_written) || !rest.split('/').all(means_one_thing) {
        return None;
    }
    let base = upstream.url.path().trim_end_matches('/');
    let path = if base.is_empty() && rest.is_empty() { "/".to_owned() } else { format!("{base}{rest}") };
    // RFC 3986 §3.3: it would be read as a host.
    if path.starts_with("//") {
        return None;
    }
    let to = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    to.parse().ok()
}

/// Whether a part of a path is one part and no way up, also to whoever decodes it first or takes a backslash for a slash, or leaves
/// out what follows a semicolon (RFC 3986 §3.3).
fn means_one_thing(segment: &str) -> bool {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut octets = segment.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'%' {
            decoded.push(octet);
            continue;
        }
        let digit = |octet: Option<u8>| octet.and_then(|octet| char::from(octet).to_digit(16));
        let (Some(high), Some(low)) = (digit(octets.next()), digit(octets.next())) else { return false };
        decoded.extend(u8::try_from(high * 16 + low));
    }
    let name = decoded.split(|octet| *octet == b';').next().unwrap_or_default();
    !decoded.iter().any(|octet| matches!(octet, b'/' | b'\\' | 0)) && !matches!(name, b"." | b"..")
}

/// An address in an answer to a request for `to`, as the caller knows it; `None` where the caller can't get there. The upstream's own
/// address stays with us.
pub(super) fn address_here(
    upstream: &Upstream,
    public_url: &str,
    to: &PathAndQuery,
    address: &HeaderValue,
) -> Option<HeaderValue> {
    // RFC 9110 §10.2.2: it may be relative to what was asked for.
    let address = upstream.url.join(to.as_str()).ok()?.join(address.to_str().ok()?).ok()?;
    let is_upstream = address.host() == upstream.url.host();
    // The same place by another scheme, or something else beside it.
    let is_same =
        address.port_or_known_default() == upstream.url.port_or_known_default() || address.port().is_none();
    if is_upstream && !is_same {
        return None;
    }
    let here = if is_upstream {
        let base = upstream.url.path().trim_end_matches('/');
        let rest =
            address.path().strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let tail = &address[Position::AfterPath..];
        format!("{public_url}{}{rest}{tail}", upstream.protected.path)
    } else {
        address.to_string()
    };
    here.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_means_one_thing_to_everybody() {
        for good in
            ["", "a", "a%20b", "a'b", "...", ".a", "%2e%2e%2e", "a;v=1", "%C3%B5", "a%252Fb", "@", ":", "~"]
        {
            assert!(means_one_thing(good), "{good}");
        }
        for bad in [
            ".", "..", "%2e", "%2E%2e", ".%2e", "..;", "..;x=1", ".%3B", "%2e.%3bx", "a%2Fb", "%2f", "a%5Cb",
            "a\\b", "%00", "%", "%2", "%zz", "%+1",
        ] {
            assert!(!means_one_thing(bad), "{bad}");
        }
    }
}
