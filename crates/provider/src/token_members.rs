//! The members of a successful token answer (RFC 6749 §5.1), read by an entry's recipe.
//!
//! Tokens must be right. What stands around them is taken where it makes sense and left out where it does not: an odd
//! lifetime is no reason to lose a refresh token that the provider has just rotated.

use std::time::Duration;

use model::{AccessToken, RefreshToken, Scopes, TokenExtra};
use serde_json::{Map, Value};
use tracing::warn;

use crate::exchange::TokenAnswer;
use crate::format::entry::{Entry, TokenRecipe};
use crate::member::find;

/// The longest token, in characters. JWTs of several KiB exist; headers of this size do not.
const MAX_TOKEN: usize = 64 * 1024;
/// The longest token type, in characters.
const MAX_TOKEN_TYPE: usize = 64;
/// More scopes than anybody grants.
const MAX_SCOPES: usize = 500;
/// The largest member that is kept, in octets of its JSON text.
const MAX_KEPT: usize = 4096;
/// A longer life is taken for this: ten years.
const MAX_LIFETIME: Duration = Duration::from_hours(10 * 366 * 24);

/// Reads the members; the error says what is wrong.
pub(crate) fn read(entry: &Entry, body: &Value) -> Result<TokenAnswer, &'static str> {
    let recipe = &entry.token_answer;
    let access_token = match find(&recipe.access_token, body) {
        Some(Value::String(token)) if is_token(token) => AccessToken::from(token.as_str()),
        Some(_) => return Err("the access token is not usable"),
        None => return Err("there is no access token"),
    };
    let refresh_token = match find(&recipe.refresh_token, body) {
        None | Some(Value::Null) => None,
        Some(Value::String(token)) if token.is_empty() => None,
        Some(Value::String(token)) if is_token(token) => Some(RefreshToken::from(token.as_str())),
        Some(_) => return Err("the refresh token is not usable"),
    };
    let token_type = match find(&recipe.token_type, body) {
        Some(Value::String(kind)) if is_visible(kind, MAX_TOKEN_TYPE) => kind.clone(),
        // As good as unsaid: the tokens around it may be the only copy.
        _ => "Bearer".to_owned(),
    };
    Ok(TokenAnswer {
        access_token,
        refresh_token,
        token_type,
        expires_in: find(&recipe.expires_in, body).and_then(lifetime),
        scopes: find(&recipe.scope, body).and_then(|scope| scopes(entry, scope)),
        extra: extra(entry, recipe, body),
    })
}

/// RFC 6749 appendix A.12 and A.17 without the space, which no header would carry unharmed.
fn is_token(text: &str) -> bool {
    is_visible(text, MAX_TOKEN)
}

fn is_visible(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Seconds as a number or, against RFC 6749 §5.1, as text. Nothing, zero and less say nothing: Mailchimp's 0 means for
/// ever.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if seconds < 1.0 || seconds.is_nan() {
        return None;
    }
    let whole = Duration::try_from_secs_f64(seconds.trunc()).unwrap_or(MAX_LIFETIME);
    Some(whole.min(MAX_LIFETIME))
}

/// A list in one text, or an array of texts. Items that are no scope tokens (RFC 6749 §3.3) are left out.
fn scopes(entry: &Entry, value: &Value) -> Option<Scopes> {
    let named = match value {
        Value::String(text) => Scopes::parse(text, &entry.scope_separator),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return None,
    };
    let well_formed =
        |scope: &&str| !scope.is_empty() && Scopes::from(vec![(*scope).to_owned()]).is_well_formed();
    Some(named.iter().filter(well_formed).take(MAX_SCOPES).map(str::to_owned).collect())
}

fn extra(entry: &Entry, recipe: &TokenRecipe, body: &Value) -> Option<TokenExtra> {
    let mut kept = Map::new();
    for name in &recipe.keep {
        let Some(value) = body.get(name).filter(|value| !value.is_null()) else { continue };
        if value.to_string().len() > MAX_KEPT {
            warn!(provider = %entry.id, member = name, limit = MAX_KEPT, "answer.member_too_large");
            continue;
        }
        kept.insert(name.clone(), value.clone());
    }
    (!kept.is_empty()).then(|| TokenExtra::from(Value::Object(kept).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn answer(member: &str, written: &str) -> TokenAnswer {
        let zoho = Catalog::built_in().get(&"zoho_crm".parse().unwrap()).cloned().unwrap();
        let body = format!(r#"{{"access_token":"at","{member}":{written}}}"#);
        read(&zoho, &serde_json::from_str(&body).unwrap()).unwrap()
    }

    #[test]
    fn lifetimes_are_numbers_or_texts_and_nonsense_says_nothing() {
        let hour = Some(Duration::from_hours(1));
        let cases = [
            ("3600", hour),
            ("\"3600\"", hour),
            ("3600.7", hour),
            ("0", None),
            ("-1", None),
            ("\"0\"", None),
            ("\"soon\"", None),
            ("\"NaN\"", None),
            ("null", None),
            ("true", None),
            ("[]", None),
            ("999999999999", Some(MAX_LIFETIME)),
            ("1e300", Some(MAX_LIFETIME)),
            ("\"inf\"", Some(MAX_LIFETIME)),
        ];
        for (written, lifetime) in cases {
            assert_eq!(answer("expires_in", written).expires_in, lifetime, "{written}");
        }
    }

    #[test]
    fn scopes_come_as_text_or_array_and_nonsense_falls_out() {
        let cases = [
            ("\"a b,c\"", Some("a b c")),
            ("[\"a\",\"b\",7,\"c d\"]", Some("a b")),
            ("\"\"", Some("")),
            ("7", None),
            ("null", None),
        ];
        for (written, expected) in cases {
            let scopes = answer("scope", written).scopes.map(|scopes| scopes.to_string());
            assert_eq!(scopes.as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn a_refresh_token_that_is_empty_or_null_is_none() {
        for absent in ["null", "\"\""] {
            assert!(answer("refresh_token", absent).refresh_token.is_none(), "{absent}");
        }
        assert_eq!(answer("refresh_token", "\"rt\"").refresh_token.unwrap().expose(), "rt");
    }

    #[test]
    fn a_kept_member_that_is_too_large_is_left_out_and_the_tokens_stay() {
        let large = format!("\"{}\"", "x".repeat(5000));
        assert!(answer("api_domain", &large).extra.is_none());
        let small = answer("api_domain", "\"https://api.eu\"").extra.unwrap();
        assert_eq!(small.expose(), r#"{"api_domain":"https://api.eu"}"#);
    }
}
