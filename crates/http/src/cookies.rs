//! The one place that sets a cookie. With an https address every cookie is `__Host-`, `Secure`, `HttpOnly`,
//! `SameSite=Lax`; on http, which is loopback only, the same without prefix and `Secure`, since browsers would refuse
//! them there.

use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use model::Secret;

/// How many cookies of ours are looked at in one request.
const MAX_COOKIES: usize = 100;

/// How cookies are named and guarded at our address.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    secure: bool,
}

impl Cookies {
    /// Decides by the scheme of our address.
    pub fn for_address(public_url: &str) -> Self {
        Self { secure: public_url.starts_with("https://") }
    }

    fn prefix(self) -> &'static str {
        if self.secure { "__Host-clv_" } else { "clv_" }
    }

    /// The `Set-Cookie` that keeps a value for a while.
    pub fn set(self, name: &str, value: &Secret<String>, max_age: Duration) -> HeaderValue {
        self.header(name, value.expose(), max_age.as_secs())
    }

    /// The `Set-Cookie` that forgets it.
    pub fn forget(self, name: &str) -> HeaderValue {
        self.header(name, "", 0)
    }

    fn header(self, name: &str, value: &str, max_age: u64) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!(
            "{}{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}",
            self.prefix()
        );
        let mut header =
            HeaderValue::try_from(text).expect("names and values are ours: hex, letters and underscores");
        header.set_sensitive(true);
        header
    }

    /// Our cookies that the browser sent, by name without prefix.
    pub fn read(self, headers: &HeaderMap) -> Vec<(String, Secret<String>)> {
        // By octets: cookies that others set on our host may hold anything.
        let pairs =
            headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|octet| *octet == b';'));
        pairs
            .filter_map(|pair| str::from_utf8(pair.trim_ascii().strip_prefix(self.prefix().as_bytes())?).ok())
            .take(MAX_COOKIES)
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), Secret::from(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_https_cookie_is_guarded_in_every_way() {
        let cookies = Cookies::for_address("https://auth.example.com");
        let header = cookies.set("flow_ab", &Secret::from("s3cret"), Duration::from_mins(10));
        assert_eq!(
            header.to_str().unwrap(),
            "__Host-clv_flow_ab=s3cret; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(header.is_sensitive());
    }

    #[test]
    fn only_our_own_cookies_are_read_and_a_plain_one_is_no_host_cookie() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_bytes("name=J\u{f5}e".as_bytes()).unwrap());
        headers.append(COOKIE, HeaderValue::from_static("a=1; clv_flow_ab=plain; __Host-clv_flow_ab=host"));
        let https = Cookies::for_address("https://auth.example.com").read(&headers);
        assert_eq!(https.len(), 1);
        assert_eq!((https[0].0.as_str(), https[0].1.expose().as_str()), ("flow_ab", "host"));
        let http = Cookies::for_address("http://127.0.0.1:1").read(&headers);
        assert_eq!(http[0].1.expose(), "plain");
    }
}
