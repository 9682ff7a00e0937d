//! Keeps web pages of other origins, and names that were rebound to loopback, away from what acts or tells without a
//! token.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, header};
use url::Url;

/// Whether the request may use the control: its host is ours or loopback, and no page of another origin sent it.
/// Fails with the reason.
pub(crate) fn check(method: &Method, headers: &HeaderMap, own: &str) -> Result<(), &'static str> {
    // Against DNS rebinding: a page at evil.example that resolves to 127.0.0.1 sends its own name as host.
    let host = text(headers, header::HOST.as_str())
        .and_then(|host| host.parse::<Authority>().ok())
        .ok_or("The Host header is missing or malformed.")?;
    if !host.as_str().eq_ignore_ascii_case(own) && !is_loopback(host.host()) {
        return Err("The Host header names neither the sandbox nor loopback.");
    }
    if let Some(origin) = text(headers, header::ORIGIN.as_str()) {
        let same = Url::parse(origin).is_ok_and(|url| url.authority().eq_ignore_ascii_case(host.as_str()));
        if !same {
            return Err("A page of another origin may not do this.");
        }
    }
    // A link may lead here from anywhere; what it shows stays unreadable to the page that it came from.
    let follows_link = method == Method::GET
        && text(headers, "sec-fetch-mode") == Some("navigate")
        && text(headers, "sec-fetch-dest") == Some("document");
    match text(headers, "sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) if follows_link => Ok(()),
        Some(_) => Err("A page of another origin may not do this."),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn of(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        check(method, &headers, "sandbox.example:8443").is_ok()
    }

    #[test]
    fn only_our_own_host_and_loopback_are_answered() {
        for host in ["sandbox.example:8443", "127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.9.9"] {
            assert!(of(&Method::PUT, &[("host", host)]), "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1.evil.example", "sandbox.example", "", "localhost.evil.example:1"]
        {
            assert!(!of(&Method::PUT, &[("host", host)]), "{host}");
        }
        assert!(!of(&Method::PUT, &[]));
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let host = ("host", "127.0.0.1:1");
        assert!(of(
            &Method::PUT,
            &[host, ("origin", "http://127.0.0.1:1"), ("sec-fetch-site", "same-origin")]
        ));
        for header in [
            ("origin", "http://127.0.0.1:2"),
            ("origin", "null"),
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert!(!of(&Method::GET, &[host, header]), "{header:?}");
        }
    }

    #[test]
    fn a_link_may_lead_here_but_a_frame_and_a_form_may_not() {
        let link = |method, destination| {
            of(
                method,
                &[
                    ("host", "127.0.0.1:1"),
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", destination),
                ],
            )
        };
        assert!(link(&Method::GET, "document"));
        assert!(!link(&Method::GET, "iframe"));
        assert!(!link(&Method::POST, "document"));
    }
}
