//! Whether an access token works, as the provider's own API tells it.

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use model::AccessToken;
use serde_json::Value;

use crate::api::api_call;
use crate::client::HttpClient;
use crate::format::entry::Entry;
use crate::member::{error_code, says_success};

/// What the provider said of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It works.
    Works {
        /// The status of the answer.
        status: u16,
    },
    /// The provider does not take it.
    Refused {
        /// The status of the answer.
        status: u16,
    },
    /// Nobody knows: the provider did not answer, or said something else.
    Unknown {
        /// The status, where there was an answer.
        status: Option<u16>,
        /// Why, as a stable word.
        reason: &'static str,
    },
}

/// Asks once. 2xx (with the entry's sign of success) means that it works; 401 and the entry's error codes mean that it
/// does not; anything else means nothing.
pub async fn validate(
    http: &HttpClient,
    entry: &Entry,
    url: &str,
    access_token: &AccessToken,
    timeout: Duration,
) -> Validity {
    let unknown = |status, reason| Validity::Unknown { status, reason };
    let Some(recipe) = &entry.validation else { return unknown(None, "no_recipe") };
    let Some(mut call) = api_call(entry, recipe.method, url, access_token) else {
        return unknown(None, "unusable_token");
    };
    if let Some(body) = &recipe.body {
        call = call.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.clone());
    }
    let Ok(response) = http.send(call.timeout(timeout)).await else { return unknown(None, "no_answer") };
    let status = response.status;
    let body = serde_json::from_slice::<Value>(&response.body).unwrap_or(Value::Null);
    let error = error_code(entry, &body);
    if status == 401 || error.is_some_and(|error| recipe.refused_errors.contains(&error)) {
        return Validity::Refused { status };
    }
    if !(200..300).contains(&status) {
        return unknown(Some(status), "other_status");
    }
    if says_success(recipe.success.as_ref(), &body) {
        Validity::Works { status }
    } else {
        unknown(Some(status), "no_sign_of_success")
    }
}
