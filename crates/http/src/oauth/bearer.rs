//! A token in the `Authorization` header (RFC 6750 §2.1), never in the address.

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// The one token that a request brings.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (sent.next(), sent.next()) else { return None };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// RFC 6750 §3.1: whoever brings no token is told no error.
pub(crate) fn no_token() -> Response {
    let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"claviger\""))];
    (StatusCode::UNAUTHORIZED, challenge).into_response()
}
