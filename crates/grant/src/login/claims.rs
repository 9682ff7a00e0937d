//! What claims say of a person, where others have chosen their names and shapes. What is only shown (name, address) is left out where
//! it can't be used; a team that can't be one is left out too, and the operator's log says so.

use model::{TeamId, Timestamp};
use serde_json::{Map, Value};
use store::users::ToldMembership;
use tracing::warn;

use crate::users::{check_email, check_name};

/// Where the teams of a person stand, and what stands where in one of them. A team may also be its id alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamClaims {
    /// The claim: a list of teams, or one.
    pub claim: String,
    /// The member of a team that has its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What the person is there.
    pub role: String,
}

/// Names the claims that somebody else tells, or that are too many for the token.
pub(super) const ELSEWHERE: &str = "_claim_names";

/// A claim by its name, or by the names from the outside in with dots between. Names may have dots themselves, as addresses do.
pub(super) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value).filter(|value| !value.is_null());
    }
    name.match_indices('.').find_map(|(dot, _)| {
        let inner = claims.get(&name[..dot])?.as_object()?;
        find(inner, &name[dot + 1..])
    })
}

/// Whether a claim is one that stands elsewhere (OpenID Connect Core §5.6.2), by its name or by one of those around it.
pub(super) fn is_elsewhere(claims: &Map<String, Value>, name: &str) -> bool {
    let Some(elsewhere) = claims.get(ELSEWHERE).and_then(Value::as_object) else { return false };
    let around = name.match_indices('.').map(|(dot, _)| &name[..dot]);
    around.chain([name]).any(|name| elsewhere.contains_key(name))
}

/// Whom claims are for (RFC 7519 §4.1.3).
pub(super) fn audience(claims: &Map<String, Value>) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// RFC 7519 §2, `NumericDate`.
pub(super) fn instant(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_i64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e11)?;
        #[expect(clippy::cast_possible_truncation, reason = "its size was looked at")]
        Some(seconds as i64)
    })?;
    Some(Timestamp::from_unix_ms(seconds.checked_mul(1000)?))
}

/// An id: a text, or a whole number. What is longer than 64 bits was rounded when it was read, and would be somebody else's too.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// A name that can be shown.
pub(super) fn name(value: Option<&Value>) -> Option<String> {
    let name = value?.as_str()?;
    check_name("name", Some(name)).ok()?;
    Some(name.to_owned())
}

/// A mail address that can be shown.
pub(super) fn email(value: Option<&Value>) -> Option<String> {
    let email = value?.as_str()?;
    check_email(email).ok()?;
    Some(email.to_owned())
}

/// The teams that claims tell of; none where the claim is missing.
pub(super) fn teams(backend: &str, claims: &Map<String, Value>, own: &TeamClaims) -> Vec<ToldMembership> {
    let told = match find(claims, &own.claim) {
        None => &[],
        Some(Value::Array(several)) => several.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let mut teams: Vec<ToldMembership> = Vec::new();
    let mut left_out = 0;
    for told in told {
        match team(told, own) {
            Some(team) if teams.iter().any(|known| known.team == team.team) => {}
            Some(team) => teams.push(team),
            None => left_out += 1,
        }
    }
    if left_out > 0 {
        warn!(backend, left_out, "login.teams_left_out");
    }
    teams
}

fn team(told: &Value, own: &TeamClaims) -> Option<ToldMembership> {
    let member = |name: &str| told.as_object().and_then(|told| told.get(name));
    let team: TeamId = id(member(&own.id).unwrap_or(told))?.parse().ok()?;
    Some(ToldMembership { name: name(member(&own.name)), role: name(member(&own.role)), team })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(claims: &Value, claim: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let [claim, id, name, role] = [claim, "id", "name", "role"].map(str::to_owned);
        let own = TeamClaims { claim, id, name, role };
        let teams = teams("x", claims.as_object().unwrap(), &own);
        teams.into_iter().map(|team| (team.team.to_string(), team.name, team.role)).collect()
    }

    #[test]
    fn a_claim_that_stands_elsewhere_is_known_by_any_of_its_names() {
        for (claims, claim, expected) in [
            (json!({"_claim_names": {"groups": "src1"}}), "groups", true),
            (json!({"_claim_names": {"realm": "src1"}}), "realm.roles", true),
            (json!({"_claim_names": {"https://x.example/t": "src1"}}), "https://x.example/t", true),
            (json!({"_claim_names": {"groups": "src1"}}), "teams", false),
            (json!({"_claim_names": {"roles": "src1"}}), "realm.roles", false),
            (json!({"_claim_names": ["groups"]}), "groups", false),
            (json!({"groups": []}), "groups", false),
        ] {
            assert_eq!(is_elsewhere(claims.as_object().unwrap(), claim), expected, "{claims} {claim}");
        }
    }

    #[test]
    fn teams_are_found_in_the_shapes_that_there_are() {
        let row = |id: &str, name: Option<&str>, role: Option<&str>| {
            (id.to_owned(), name.map(str::to_owned), role.map(str::to_owned))
        };
        for (claims, claim, expected) in [
            (json!({"teams": ["a", "b", "a"]}), "teams", vec![row("a", None, None), row("b", None, None)]),
            (json!({"team": {"id": "a", "name": "A"}}), "team", vec![row("a", Some("A"), None)]),
            (json!({"teams": [{"id": 7, "role": "owner"}]}), "teams", vec![row("7", None, Some("owner"))]),
            (json!({"realm": {"roles": ["a"]}}), "realm.roles", vec![row("a", None, None)]),
            (json!({"https://x.example/t": "a"}), "https://x.example/t", vec![row("a", None, None)]),
            (json!({"https://x.example": {"t": "a"}}), "https://x.example.t", vec![row("a", None, None)]),
            (json!({"teams": [{"name": "A"}, "a b", 1.5, null, {"id": "c", "name": "\n"}]}), "teams", {
                vec![row("c", None, None)]
            }),
            (json!({"teams": null}), "teams", vec![]),
            (json!({}), "a.b.c", vec![]),
            (json!({"a": "b"}), "a.b", vec![]),
        ] {
            assert_eq!(found(&claims, claim), expected, "{claims} {claim}");
        }
    }

    #[test]
    fn an_id_is_a_text_or_a_number_that_nobody_else_has() {
        for (written, expected) in [
            ("\"u-1\"", Some("u-1")),
            ("7", Some("7")),
            ("-7", Some("-7")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("18446744073709551616", None),
            ("98765432109876543210987", None),
            ("1.5", None),
            ("1e3", None),
            ("true", None),
            ("{}", None),
        ] {
            let value = serde_json::from_str(written).unwrap();
            assert_eq!(id(&value).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn an_instant_is_a_number_of_seconds() {
        for (value, expected) in [
            (json!(1_780_000_000), Some(1_780_000_000_000)),
            (json!(1_780_000_000.75), Some(1_780_000_000_000)),
            (json!(1e300), None),
            (json!(i64::MAX), None),
            (json!("1780000000"), None),
            (Value::Null, None),
        ] {
            assert_eq!(instant(&value).map(Timestamp::as_unix_ms), expected, "{value}");
        }
    }
}
