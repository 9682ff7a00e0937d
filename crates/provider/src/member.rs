//! Members of JSON answers, by the paths of an entry.

use serde_json::Value;

use crate::format::entry::{Entry, Literal, SuccessMember};
use crate::format::template::MemberPath;

/// What stands at the path.
pub(crate) fn find<'a>(path: &MemberPath, value: &'a Value) -> Option<&'a Value> {
    path.steps().try_fold(value, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// A text or a number, as text.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether an answer has the member that tells success, where the entry names one.
pub(crate) fn says_success(success: Option<&SuccessMember>, body: &Value) -> bool {
    success.is_none_or(|success| {
        find(&success.member, body).is_some_and(|value| match &success.equals {
            Literal::Flag(flag) => value == flag,
            Literal::Number(number) => value == number,
            Literal::Text(text) => value == text,
        })
    })
}

/// The error code of an answer that is JSON: where the entry's token answers have it, else where RFC 6749 §5.2 does.
pub(crate) fn error_code(entry: &Entry, body: &Value) -> Option<String> {
    let named = find(&entry.token_answer.error, body).and_then(text_of);
    named.or_else(|| body.get("error").and_then(text_of)).filter(|code| !code.is_empty())
}
