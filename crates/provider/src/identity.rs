//! Whose account a token is for, as the provider's userinfo endpoint tells it (OpenID Connect Core §5.3, or what the
//! provider has instead).

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use model::{AccessToken, Account, Scopes};
use serde_json::Value;

use crate::api::api_call;
use crate::client::{ClientError, HttpClient};
use crate::format::entry::Entry;
use crate::format::template::MemberPath;
use crate::member::{find, says_success, text_of};

/// The longest id and the longest name that are taken, in characters.
const MAX_TEXT: usize = 256;

/// Why the account is not known.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No answer.
    #[error("no answer of the userinfo endpoint")]
    Transport(#[from] ClientError),
    /// Something else than 2xx, or an answer that tells no success.
    #[error("the userinfo endpoint answered {status}")]
    Refused {
        /// The status.
        status: u16,
    },
    /// The answer does not have what the entry's recipe reads.
    #[error("the userinfo endpoint's answer is not usable: {0}")]
    Malformed(&'static str),
    /// The token has characters that no header can carry.
    #[error("the access token can't be put into a header")]
    UnusableToken,
}

/// Asks whose account it is. `None` where the entry has no recipe, or where the scope that it needs is not among the
/// `granted` ones, if these are known. Call it only when the tokens are durable: at some providers the first use of a
/// token retires the one before it.
pub async fn fetch_account(
    http: &HttpClient,
    entry: &Entry,
    userinfo: &str,
    access_token: &AccessToken,
    granted: Option<&Scopes>,
    timeout: Duration,
) -> Result<Option<Account>, IdentityError> {
    let Some(identity) = &entry.identity else { return Ok(None) };
    let lacks = |needed: &String| granted.is_some_and(|granted| !granted.contains(needed));
    if identity.needs_scope.as_ref().is_some_and(lacks) {
        return Ok(None);
    }
    let mut call =
        api_call(entry, identity.method, userinfo, access_token).ok_or(IdentityError::UnusableToken)?;
    if let Some(body) = &identity.body {
        call = call.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.clone());
    }
    let response = http.send(call.timeout(timeout)).await?;
    if !(200..300).contains(&response.status) {
        return Err(IdentityError::Refused { status: response.status });
    }
    let body: Value =
        serde_json::from_slice(&response.body).map_err(|_| IdentityError::Malformed("it is not JSON"))?;
    if !says_success(identity.success.as_ref(), &body) {
        return Err(IdentityError::Refused { status: response.status });
    }
    let text = |path: &MemberPath| find(path, &body).and_then(text_of).and_then(|text| clean(&text));
    let id: Option<Vec<String>> = identity.id.paths().iter().map(text).collect();
    Ok(Some(Account {
        id: id
            .and_then(|parts| clean(&parts.join(":")))
            .ok_or(IdentityError::Malformed("it has no usable id"))?,
        name: identity.name.as_ref().and_then(text),
    }))
}

/// Nothing at all, control characters and whole novels are not taken.
fn clean(text: &str) -> Option<String> {
    let fits =
        !text.trim().is_empty() && text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}
