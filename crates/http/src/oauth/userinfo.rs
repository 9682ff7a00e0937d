//! `GET /oauth/userinfo`, also as `/oauth/test`.

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Refused;
use super::answer::fresh;
use crate::App;

/// OpenID Connect Core §5.3. The token comes in the header (RFC 6750 §2.1), never in the address.
pub async fn userinfo(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refused> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let token = match (sent.next(), sent.next()) {
        (Some(header), None) => header.to_str().ok().and_then(|header| header.split_once(' ')),
        _ => None,
    };
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(fresh(&app.grant.userinfo(token.trim()).await?))
        }
        // RFC 6750 §3.1: whoever brings no token is told no error.
        _ => {
            let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"claviger\""))];
            Ok((StatusCode::UNAUTHORIZED, challenge).into_response())
        }
    }
}
