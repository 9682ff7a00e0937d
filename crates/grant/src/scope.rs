//! What may be asked for: scopes (RFC 6749 §3.3) and resources (RFC 8707).

use model::{OauthErrorCode, Scopes};

use crate::application::Client;
use crate::{Grant, Refusal};

/// The scopes of OpenID Connect Core §5.4 and §11 that every application may ask for.
pub const STANDARD: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// The longest list of scopes.
const MAX: usize = 2000;

/// The scopes that are left of `held` when a request asks for these; all of them where it names none (RFC 6749 §6).
pub(crate) fn narrowed(held: &Scopes, text: Option<&str>) -> Result<Scopes, Refusal> {
    let Some(text) = text else { return Ok(held.clone()) };
    let scopes = read(text)?;
    if !scopes.missing_in(held).is_empty() {
        return Err(Refusal::new(OauthErrorCode::InvalidScope, "a scope is more than was agreed to"));
    }
    Ok(scopes)
}

/// Separated by spaces (RFC 6749 §3.3), or by commas, as people type them into Zapier's form; no scope of ours has one.
fn read(text: &str) -> Result<Scopes, Refusal> {
    let scopes = Scopes::parse(text, " ");
    if text.len() > MAX || !scopes.is_well_formed() {
        return Err(Refusal::new(OauthErrorCode::InvalidScope, "a scope has characters that no scope has"));
    }
    Ok(scopes)
}

impl Grant {
    /// The scopes that a request asks for; those of the application, where it names none (RFC 6749 §3.3).
    pub(crate) fn asked_scopes(&self, client: &Client, text: Option<&str>) -> Result<Scopes, Refusal> {
        let registered = &client.settings.scopes;
        let Some(text) = text else {
            let named: Vec<String> = registered
                .iter()
                .filter(|scope| self.may_ask_for(client, scope))
                .map(str::to_owned)
                .collect();
            return Ok(Scopes::from(named));
        };
        let scopes = read(text)?;
        if scopes.iter().all(|scope| self.may_ask_for(client, scope)) {
            return Ok(scopes);
        }
        Err(Refusal::new(
            OauthErrorCode::InvalidScope,
            "the application is not registered for one of the scopes",
        ))
    }

    /// Whether an application may ask for a scope. What the operator allows those that nobody looked at counts at every request, also
    /// for one that came when more was allowed.
    pub(crate) fn may_ask_for(&self, client: &Client, scope: &str) -> bool {
        let is_allowed = || client.is_looked_at() || self.parts.settings.mcp.scopes.contains(scope);
        STANDARD.contains(&scope)
            || (client.settings.scopes.contains(scope) && self.is_scope(scope) && is_allowed())
    }

    /// Whether there is such a scope. One that was taken out of the configuration has no words any more to ask a person with.
    fn is_scope(&self, scope: &str) -> bool {
        STANDARD.contains(&scope) || self.parts.settings.scopes.contains_key(scope)
    }

    /// The resources that an authorization request names, if we know them (RFC 8707 §2).
    pub(crate) fn known_resources(&self, named: &[String]) -> Result<Vec<String>, Refusal> {
        let is_known =
            |resource: &String| resource == self.issuer() || self.parts.settings.resources.contains(resource);
        if named.iter().all(is_known) {
            return Ok(named.to_vec());
        }
        Err(Refusal::new(
            OauthErrorCode::InvalidTarget,
            "a resource is none that this server issues tokens for",
        ))
    }
}

/// The resources that are left of `held` when a token request names these; all of them where it names none (RFC 8707 §2.2).
pub(crate) fn narrowed_resources(held: &[String], named: &[String]) -> Result<Vec<String>, Refusal> {
    if named.is_empty() {
        return Ok(held.to_vec());
    }
    if named.iter().all(|resource| held.contains(resource)) {
        return Ok(named.to_vec());
    }
    Err(Refusal::new(OauthErrorCode::InvalidTarget, "a resource is none that was agreed to"))
}
