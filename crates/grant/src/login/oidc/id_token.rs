//! What an ID token must say (OpenID Connect Core §3.1.3.7), once its signature is known to be the provider's.

use model::Timestamp;
use serde_json::{Map, Value};

use crate::login::claims::{audience, instant};
use crate::login::elsewhere::SKEW;

/// What it must be about.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

impl Expected<'_> {
    /// Tells when the person proved who they are, if the token does.
    pub(super) fn check(&self, claims: &Map<String, Value>) -> Result<Option<Timestamp>, &'static str> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(self.issuer) {
            return Err("iss is somebody else");
        }
        let audience = audience(claims);
        if !audience.contains(&self.client_id) {
            return Err("aud is not us");
        }
        let authorized = claims.get("azp");
        if authorized.map_or(audience.len() > 1, |party| party != self.client_id) {
            return Err("azp is not us");
        }
        let time =
            |name: &str| claims.get(name).map(|value| instant(value).ok_or("a time is none")).transpose();
        if time("exp")?.ok_or("exp is missing")? + SKEW <= self.now {
            return Err("exp is over");
        }
        if time("iat")?.ok_or("iat is missing")? > self.now + SKEW {
            return Err("iat is in the future");
        }
        if time("nbf")?.is_some_and(|from| from > self.now + SKEW) {
            return Err("nbf is in the future");
        }
        if text("nonce") != Some(self.nonce) {
            return Err("nonce is not that of the request");
        }
        if text("sub").is_none_or(str::is_empty) {
            return Err("sub is missing");
        }
        time("auth_time")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_780_000_000;

    fn check(change: impl FnOnce(&mut Value)) -> Result<Option<Timestamp>, &'static str> {
        let mut claims = json!({
            "iss": "https://op.example", "sub": "u", "aud": "us", "exp": NOW + 300, "iat": NOW, "nonce": "n",
            "auth_time": NOW - 5,
        });
        change(&mut claims);
        let now = Timestamp::from_unix_ms(NOW * 1000);
        let expected = Expected { issuer: "https://op.example", client_id: "us", nonce: "n", now };
        expected.check(claims.as_object().unwrap())
    }

    #[test]
    fn a_token_that_says_everything_right_is_good() {
        assert_eq!(check(|_| ()), Ok(Some(Timestamp::from_unix_ms((NOW - 5) * 1000))));
        assert!(check(|c| c["aud"] = json!(["us"])).is_ok());
        assert!(check(|c| (c["aud"], c["azp"]) = (json!(["us", "other"]), json!("us"))).is_ok());
        assert!(check(|c| c["exp"] = json!(NOW - 59)).is_ok(), "clocks differ");
        assert!(check(|c| c["iat"] = json!(NOW + 60)).is_ok());
        assert_eq!(check(|c| drop(c.as_object_mut().unwrap().remove("auth_time"))), Ok(None));
    }

    #[test]
    fn a_token_that_is_about_something_else_is_refused() {
        for (name, value) in [
            ("iss", json!("https://op.example/")),
            ("iss", Value::Null),
            ("aud", json!("other")),
            ("aud", json!([])),
            ("aud", json!(["us", "other"])),
            ("azp", json!("other")),
            ("azp", Value::Null),
            ("exp", json!(NOW - 60)),
            ("exp", json!("soon")),
            ("exp", Value::Null),
            ("iat", json!(NOW + 61)),
            ("nbf", json!(NOW + 61)),
            ("nonce", json!("m")),
            ("nonce", Value::Null),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("auth_time", json!("now")),
        ] {
            assert!(check(|c| c[name] = value.clone()).is_err(), "{name} {value}");
        }
        for name in ["iss", "aud", "exp", "iat", "nonce", "sub"] {
            assert!(check(|c| drop(c.as_object_mut().unwrap().remove(name))).is_err(), "{name}");
        }
    }
}
