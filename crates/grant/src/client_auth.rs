//! An application proves who it is (RFC 6749 §2.3), by exactly one of:
//!
//! 1. its secret in the header (`client_secret_basic`),
//! 2. its secret in the body (`client_secret_post`),
//! 3. a signature (`private_key_jwt`, RFC 7523 §2.2),
//! 4. nothing, where it is public; then its code needs PKCE.

use std::time::Duration;

use data_encoding::BASE64;
use model::{Actor, AuditEvent, ClientAuthentication, OauthErrorCode, Outcome, Timestamp};
use serde_json::Value;
use vault::{KeySet, TokenHash};

use crate::application::Client;
use crate::form::{Form, decoded};
use crate::{Error, Grant, Refusal, Result};

/// The one type of assertion that is read (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far ahead an assertion may end: as long its use is remembered.
const LONGEST_ASSERTION: Duration = Duration::from_hours(1);

/// How far clocks may differ.
const SKEW: Duration = Duration::from_mins(1);

/// A request as it came to an endpoint that applications call.
pub struct ClientRequest<'a> {
    /// The parameters of the body.
    pub form: &'a Form,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `Origin` header, which a browser puts in where a script asks.
    pub origin: Option<&'a str>,
    /// Where it came from, as far as that can be believed.
    pub address: &'a str,
}

/// An application that has proved who it is, as far as it can.
pub struct Authenticated {
    /// Which.
    pub client: Client,
}

/// What a request brings to prove it.
enum Proof {
    Secret(String),
    Assertion(String),
    Nothing,
}

impl Grant {
    /// Finds out which application asks.
    pub async fn authenticate(&self, request: &ClientRequest<'_>) -> Result<Authenticated> {
        let (id, proof) = credentials(request)?;
        let known = self.client_that_proves(&id, request.address).await?;
        let is_known = known.is_some();
        let proved = match known {
            Some(client) => self.prove(client, proof, request.address).await?,
            None => Err("unknown_client"),
        };
        match proved {
            Ok(client) if !may_ask_from(&client, request.origin) => {
                let description = "the script's origin is not registered for the application";
                Err(Refusal::new(OauthErrorCode::UnauthorizedClient, description).into())
            }
            Ok(client) => Ok(Authenticated { client }),
            Err(reason) => {
                self.count_wrong_proof(is_known.then_some(&*id), request.address)?;
                if is_known {
                    let event = AuditEvent::new(
                        self.now(),
                        "application.authentication_failed",
                        Outcome::Denied,
                        Actor::System,
                    );
                    self.remember(event.target(&id).reason(reason)).await?;
                }
                Err(invalid_client("the application is unknown, or did not prove who it is"))
            }
        }
    }

    /// The same where an application that can't prove who it is may not ask at all.
    pub async fn authenticate_confidential(&self, request: &ClientRequest<'_>) -> Result<Client> {
        let Authenticated { client } = self.authenticate(request).await?;
        if client.settings.is_public() {
            return Err(invalid_client("the application can't prove who it is"));
        }
        Ok(client)
    }

    async fn prove(
        &self,
        client: Client,
        proof: Proof,
        address: &str,
    ) -> Result<std::result::Result<Client, &'static str>> {
        Ok(match (client.settings.authentication, proof) {
            (ClientAuthentication::Secret, Proof::Secret(secret)) if client.has_secret(&secret) => Ok(client),
            (ClientAuthentication::Secret, Proof::Secret(_)) => Err("wrong_secret"),
            (ClientAuthentication::PrivateKeyJwt, Proof::Assertion(assertion)) => {
                self.check_assertion(&client, &assertion, address).await?.map(|()| client)
            }
            (ClientAuthentication::None, Proof::Nothing) => Ok(client),
            _ => Err("wrong_method"),
        })
    }

    /// RFC 7523 §3, §3.2, and RFC 9700 §2.5: what is signed names the application twice, us as its audience, ends soon, and works
    /// once.
    async fn check_assertion(
        &self,
        client: &Client,
        assertion: &str,
        address: &str,
    ) -> Result<std::result::Result<(), &'static str>> {
        let Some(jwks) = &client.settings.jwks else { return Ok(Err("no_keys")) };
        let Ok(keys) = KeySet::new(jwks) else { return Ok(Err("no_keys")) };
        let Ok(verified) = vault::jws::verify(assertion, &keys) else { return Ok(Err("wrong_signature")) };
        // What is missing is null: a map panics where it is indexed by what it has not.
        let claims = Value::Object(verified.claims);
        let names_it = |name: &str| claims[name].as_str() == Some(client.id.as_str());
        if !names_it("iss") || !names_it("sub") {
            return Ok(Err("wrong_issuer"));
        }
        // RFC 7523 §3 allows both. No third one: an assertion for it could have been meant for somebody else.
        let token_endpoint = format!("{}/oauth/token", self.issuer());
        if !is_audience(&claims["aud"], &[self.issuer(), &token_endpoint]) {
            return Ok(Err("wrong_audience"));
        }
        let now = self.now();
        let instant = |name: &str| {
            // RFC 7519 §2: a number, perhaps with fractions, which don't matter here.
            let seconds = claims[name].as_i64().or_else(|| {
                let whole = claims[name].as_f64()?.trunc().to_string();
                whole.parse().ok()
            });
            seconds.map(|seconds| Timestamp::from_unix_ms(seconds.saturating_mul(1000)))
        };
        let Some(ends) = instant("exp") else { return Ok(Err("no_end")) };
        if ends + SKEW <= now || ends > now + LONGEST_ASSERTION + SKEW {
            return Ok(Err("over"));
        }
        if instant("nbf").is_some_and(|begins| begins > now + SKEW)
            || instant("iat").is_some_and(|made| made > now + SKEW)
        {
            return Ok(Err("not_yet"));
        }
        let Some(jti) = claims["jti"].as_str().filter(|jti| !jti.is_empty()) else { return Ok(Err("no_id")) };
        if !client.is_looked_at() {
            // Anybody can have one, and each assertion is kept until it ends.
            self.limit_assertions(address)?;
        }
        let hash = TokenHash::of(&format!("{} {jti}", client.id));
        let is_first = self.store().applications.spend_assertion(&client.id, &hash, ends + SKEW).await?;
        Ok(if is_first { Ok(()) } else { Err("replayed") })
    }
}

/// Whether a script of this origin may act for an application; where none is registered, any may.
fn may_ask_from(client: &Client, origin: Option<&str>) -> bool {
    let registered = &client.settings.cors_origins;
    registered.is_empty() || origin.is_none_or(|origin| registered.iter().any(|own| own == origin))
}

/// RFC 7519 §4.1.3: one audience, or a list that has us.
fn is_audience(claim: &Value, own: &[&str]) -> bool {
    match claim {
        Value::String(one) => own.contains(&one.as_str()),
        Value::Array(list) => list.iter().any(|one| one.as_str().is_some_and(|one| own.contains(&one))),
        _ => false,
    }
}

pub(crate) fn invalid_client(description: &'static str) -> Error {
    Error::refused(OauthErrorCode::InvalidClient, description)
}

/// Which application a request names, and with what it proves that.
fn credentials(request: &ClientRequest<'_>) -> Result<(String, Proof)> {
    let form = request.form;
    let (id, secret) = (form.get("client_id")?, form.get("client_secret")?);
    let (assertion, assertion_type) = (form.get("client_assertion")?, form.get("client_assertion_type")?);
    // A header of another scheme is none of ours: Zapier's own examples send the old access token along with every request.
    let header = request.authorization.and_then(basic);
    let ways = [header.is_some(), secret.is_some(), assertion.is_some() || assertion_type.is_some()];
    if ways.iter().filter(|used| **used).count() > 1 {
        let description = "the application authenticates in more than one way (RFC 6749 section 2.3)";
        return Err(Refusal::new(OauthErrorCode::InvalidRequest, description).into());
    }
    if let Some(header) = header {
        let (name, secret) = header?;
        if id.is_some_and(|id| id != name) {
            let description = "client_id differs from the one in the Authorization header";
            return Err(Refusal::new(OauthErrorCode::InvalidRequest, description).into());
        }
        return Ok((name, Proof::Secret(secret)));
    }
    if let Some(assertion) = assertion {
        if assertion_type != Some(ASSERTION_TYPE) {
            return Err(invalid_client("client_assertion_type is not the one of RFC 7523"));
        }
        // RFC 7521 §4.2: client_id may be left out; the subject says it.
        let name = id.map(str::to_owned).or_else(|| vault::jws::unverified_subject(assertion));
        let name = name.ok_or_else(|| invalid_client("client_assertion is no signed JSON Web Token"))?;
        return Ok((name, Proof::Assertion(assertion.to_owned())));
    }
    if assertion_type.is_some() {
        return Err(invalid_client("client_assertion is missing"));
    }
    let id = id.ok_or_else(|| invalid_client("the request does not say which application asks"))?;
    let proof = secret.map_or(Proof::Nothing, |secret| Proof::Secret(secret.to_owned()));
    Ok((id.to_owned(), proof))
}

/// RFC 6749 §2.3.1: id and secret are form-encoded, then joined by a colon and encoded as RFC 7617 says. `None` for another scheme.
fn basic(header: &str) -> Option<Result<(String, String)>> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let read = || {
        let text = BASE64.decode(encoded.trim().as_bytes()).ok()?;
        let colon = text.iter().position(|b| *b == b':')?;
        let (id, secret) = (decoded(&text[..colon]).ok()?, decoded(&text[colon + 1..]).ok()?);
        (!id.is_empty()).then_some((id, secret))
    };
    Some(
        read().ok_or_else(|| {
            invalid_client("the Authorization header is not the one of RFC 6749 section 2.3.1")
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_2_3_1_id_and_secret_are_form_encoded_in_the_header() {
        let header = |text: &str| format!("Basic {}", BASE64.encode(text.as_bytes()));
        let read = |text: &str| basic(&header(text)).unwrap().unwrap();
        assert_eq!(read("app:secret"), ("app".to_owned(), "secret".to_owned()));
        assert_eq!(read("a%3Ab:se%2Bc+ret"), ("a:b".to_owned(), "se+c ret".to_owned()));
        assert_eq!(read("app:"), ("app".to_owned(), String::new()));
        assert!(basic("Bearer x").is_none() && basic("Basic").is_none());
        for bad in ["app", ":secret", "a%zz:b", "a:%ff"] {
            assert!(basic(&header(bad)).unwrap().is_err(), "{bad}");
        }
        assert!(basic("Basic ***").unwrap().is_err());
    }
}
