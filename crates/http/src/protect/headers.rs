//! Which headers go on, and which come back.

use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, COOKIE, EXPECT, FORWARDED, HOST, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Who the caller is, for the upstream; signed.
pub(super) const IDENTITY: HeaderName = HeaderName::from_static("claviger-identity");
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What begins like this only we say.
const OURS: &str = "claviger-";

/// By names with these in them programs behind proxies are told who the caller is, or of another host, path or method than stands in the
/// request, and believe it.
const BELIEVED: [&str; 18] = [
    "authenticated-user",
    "client-ip",
    "clientip",
    "connecting-ip",
    "external-address",
    "forwarded",
    "pseudo-ipv4",
    "remote-addr",
    "remote-user",
    "user-ip",
    "webauth-user",
    "x-host",
    "x-http-method",
    "x-method-override",
    "x-original-",
    "x-real-ip",
    "x-rewrite-url",
    "x-ssl-client",
];

/// Headers that concern one connection (RFC 9110 §7.6.1), and what is not passed on besides.
const STAY: [HeaderName; 14] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    AUTHORIZATION,
    COOKIE,
    SET_COOKIE,
    FORWARDED,
];

/// Leaves of a request's headers what the caller may say.
pub(super) fn onward(headers: &mut HeaderMap) {
    clean(headers);
    remove(headers, |name| {
        // CGI and its descendants read `_` for `-`, so a name with one could stand for any of the others.
        name.starts_with(OURS) || BELIEVED.iter().any(|part| name.contains(part)) || name.contains('_')
    });
    headers.remove(HOST);
}

/// Leaves of an answer's headers what the upstream may say. It is asked with a token, and does not know that: only for whoever asked
/// may its answer be kept (RFC 9111 §3.5).
pub(super) fn back(headers: &mut HeaderMap) {
    clean(headers);
    remove(headers, |name| {
        // RFC 9213: caches in front of us would take their word before ours.
        let is_for_caches = name.ends_with("-cache-control") || name == "surrogate-control";
        name.starts_with("access-control-") || is_for_caches
    });
    if headers.contains_key(CACHE_CONTROL) {
        headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

fn remove(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let names: Vec<_> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Removes what concerns one connection alone, also what its `Connection` header names, and what is for us alone.
fn clean(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&STAY) {
        headers.remove(name);
    }
}
