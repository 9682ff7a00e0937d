//! Calls to a provider's API with an access token of ours.

use hyper::header::{ACCEPT, HeaderName, HeaderValue};
use model::AccessToken;

use crate::client::Call;
use crate::format::entry::{Entry, Method};

/// A call with the access token in the entry's access header, `Accept: application/json` and the entry's own headers.
/// `None` for a token that no header can carry.
pub fn api_call(entry: &Entry, method: Method, url: &str, token: &AccessToken) -> Option<Call<'static>> {
    let method = match method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
        Method::Delete => hyper::Method::DELETE,
    };
    let (name, value) = access_header(entry, token)?;
    let call = Call::new(method, url)
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(name, value);
    Some(own_headers(entry).fold(call, |call, (name, value)| call.header(name, value)))
}

/// The headers that the entry adds to every call of its API.
pub fn own_headers(entry: &Entry) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let headers = entry.api_headers.iter();
    // The format's checks let only headers pass.
    headers.filter_map(|(name, value)| Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?)))
}

/// The header with which the entry's API takes a token, marked as sensitive. `None` for a token that no header can
/// carry.
pub fn access_header(entry: &Entry, token: &AccessToken) -> Option<(HeaderName, HeaderValue)> {
    let (before, after) = entry.access_header.around();
    let name = entry.access_header.name().parse().ok()?;
    let mut value = HeaderValue::from_str(&format!("{before}{}{after}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
