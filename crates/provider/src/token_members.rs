//! The members of a successful token answer (RFC 6749 §5.1), read by an entry's recipe.
//!
//! Tokens must be right. What stands around them is taken where it makes sense and left out where it does not: an odd
//! lifetime is no reason to lose a refresh token that the provider has just rotated.

use std::time::Duration;

use model::{AccessToken, RefreshToken, Scopes, TokenExtra};
use serde_json::{Map, Value};
use tracing::warn;

use crate::exchange::{PartAnswer, TokenAnswer};
use crate::format::entry::{Entry, TokenRecipe};
use crate::format::template::MemberPath;
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
    let extra = extra(entry, recipe, body);
    let first = Members {
        part: None,
        access_token: &recipe.access_token,
        refresh_token: Some(&recipe.refresh_token),
        token_type: Some(&recipe.token_type),
        expires_in: Some(&recipe.expires_in),
        scope: Some(&recipe.scope),
    };
    let missing = match first.read(entry, body) {
        Ok(pair) => {
            let parts = parts(entry, body, Some(&pair));
            return Ok(pair.into_answer(extra, parts));
        }
        Err(fault) => fault,
    };
    if missing != NO_ACCESS_TOKEN {
        return Err(missing);
    }
    // A consent for a part alone, or the refresh of a part that answers where the consent did.
    let mut parts = parts(entry, body, None);
    if parts.is_empty() {
        return Err(missing);
    }
    let pair = parts.remove(0);
    Ok(pair.into_answer(extra, parts))
}

const NO_ACCESS_TOKEN: &str = "there is no access token";

/// Where the members of one pair stand.
struct Members<'a> {
    part: Option<&'a str>,
    access_token: &'a MemberPath,
    refresh_token: Option<&'a MemberPath>,
    token_type: Option<&'a MemberPath>,
    expires_in: Option<&'a MemberPath>,
    scope: Option<&'a MemberPath>,
}

impl Members<'_> {
    fn read(&self, entry: &Entry, body: &Value) -> Result<PartAnswer, &'static str> {
        let member = |path: Option<&MemberPath>| path.and_then(|path| find(path, body));
        let access_token = match find(self.access_token, body) {
            Some(Value::String(token)) if is_token(token) => AccessToken::from(token.as_str()),
            None | Some(Value::Null) => return Err(NO_ACCESS_TOKEN),
            Some(_) => return Err("the access token is not usable"),
        };
        let refresh_token = match member(self.refresh_token) {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) if token.is_empty() => None,
            Some(Value::String(token)) if is_token(token) => Some(RefreshToken::from(token.as_str())),
            Some(_) => return Err("the refresh token is not usable"),
        };
        let token_type = match member(self.token_type) {
            Some(Value::String(kind)) if is_visible(kind, MAX_TOKEN_TYPE) => kind.clone(),
            // As good as unsaid: the tokens around it may be the only copy.
            _ => "Bearer".to_owned(),
        };
        let prefix = self.part.map_or_else(String::new, |name| format!("{name}/"));
        Ok(PartAnswer {
            name: self.part.unwrap_or_default().to_owned(),
            access_token,
            refresh_token,
            token_type,
            expires_in: member(self.expires_in).and_then(lifetime),
            scopes: member(self.scope).and_then(|scope| scopes(entry, scope, &prefix)),
        })
    }
}

impl PartAnswer {
    fn into_answer(self, extra: Option<TokenExtra>, parts: Vec<Self>) -> TokenAnswer {
        TokenAnswer {
            access_token: self.access_token,
            refresh_token: self.refresh_token,
            token_type: self.token_type,
            expires_in: self.expires_in,
            scopes: self.scopes,
            extra,
            parts,
        }
    }
}

/// The parts' pairs. One that can't be used, or that is a pair which is there already, is left out: the others may be the
/// only copy, and a refresh token that two pairs held would be spent twice.
fn parts(entry: &Entry, body: &Value, first: Option<&PartAnswer>) -> Vec<PartAnswer> {
    let mut pairs: Vec<PartAnswer> = Vec::new();
    for (name, part) in &entry.parts {
        let members = Members {
            part: Some(name),
            access_token: &part.access_token,
            refresh_token: part.refresh_token.as_ref(),
            token_type: part.token_type.as_ref(),
            expires_in: part.expires_in.as_ref(),
            scope: part.scope.as_ref(),
        };
        match members.read(entry, body) {
            Err(NO_ACCESS_TOKEN) => {}
            Err(fault) => warn!(provider = %entry.id, part = name, fault, "answer.part_unusable"),
            Ok(pair) if first.into_iter().chain(&pairs).any(|other| is_same(other, &pair)) => {
                warn!(provider = %entry.id, part = name, fault = "its tokens are another pair's", "answer.part_unusable");
            }
            Ok(pair) => pairs.push(pair),
        }
    }
    pairs
}

fn is_same(one: &PartAnswer, other: &PartAnswer) -> bool {
    let refresh = |pair: &PartAnswer| pair.refresh_token.as_ref().map(|token| token.expose().to_owned());
    one.access_token.expose() == other.access_token.expose()
        || one.refresh_token.is_some() && refresh(one) == refresh(other)
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
fn scopes(entry: &Entry, value: &Value, prefix: &str) -> Option<Scopes> {
    let named = match value {
        Value::String(text) => Scopes::parse(text, &entry.scope_separator),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return None,
    };
    let well_formed =
        |scope: &&str| !scope.is_empty() && Scopes::from(vec![(*scope).to_owned()]).is_well_formed();
    let own = |scope| entry.scope_aliases.get(scope).map_or(scope, String::as_str);
    let named = named.iter().filter(well_formed).take(MAX_SCOPES);
    Some(named.map(|scope| format!("{prefix}{}", own(scope))).collect())
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
