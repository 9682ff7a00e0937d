//! Whose account a token is for, as the provider's userinfo endpoint tells it (OpenID Connect Core §5.3, or what the
//! provider has instead).

use hyper::header::{ACCEPT, HeaderName, HeaderValue};
use model::{AccessToken, Account};
use serde_json::Value;

use crate::client::{Call, ClientError, HttpClient};
use crate::exchange::TokenAnswer;
use crate::format::entry::Entry;
use crate::format::template::MemberPath;
use crate::member::{find, text_of};

/// The longest id and the longest name that are taken, in characters.
const MAX_TEXT: usize = 256;

/// Why the account is not known.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No answer.
    #[error("no answer of the userinfo endpoint")]
    Transport(#[from] ClientError),
    /// Something else than 2xx.
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

/// Asks whose account it is. `None` where the entry has no recipe, or where the scope that it needs was not granted.
/// Call it only when the tokens are durable: at some providers the first use of a token retires the one before it.
pub async fn fetch_account(
    http: &HttpClient,
    entry: &Entry,
    userinfo: &str,
    answer: &TokenAnswer,
) -> Result<Option<Account>, IdentityError> {
    let Some(identity) = &entry.identity else { return Ok(None) };
    let lacks_scope =
        |needed: &String| answer.scopes.as_ref().is_some_and(|granted| !granted.contains(needed));
    if identity.needs_scope.as_ref().is_some_and(lacks_scope) {
        return Ok(None);
    }
    let (name, value) = access_header(entry, &answer.access_token).ok_or(IdentityError::UnusableToken)?;
    let call =
        Call::get(userinfo).header(ACCEPT, HeaderValue::from_static("application/json")).header(name, value);
    let response = http.send(call).await?;
    if !(200..300).contains(&response.status) {
        return Err(IdentityError::Refused { status: response.status });
    }
    let body: Value =
        serde_json::from_slice(&response.body).map_err(|_| IdentityError::Malformed("it is not JSON"))?;
    let text = |path: &MemberPath| find(path, &body).and_then(text_of).and_then(|text| clean(&text));
    Ok(Some(Account {
        id: text(&identity.id).ok_or(IdentityError::Malformed("it has no usable id"))?,
        name: identity.name.as_ref().and_then(text),
    }))
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

/// Nothing at all, control characters and whole novels are not taken.
fn clean(text: &str) -> Option<String> {
    let fits =
        !text.trim().is_empty() && text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}
