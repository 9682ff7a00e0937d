//! The authorization response (RFC 6749 §4.1.2, §4.1.2.1; RFC 9207): the way back to the application, with a code or an error.

use model::{Actor, AuditEvent, Outcome, ProblemCode, TeamId};
use store::families::Code;
use store::grants::Grant as Consent;
use url::form_urlencoded;
use vault::TokenHash;

use super::{AuthorizationRequest, Browser, Open, Person};
use crate::application::Client;
use crate::{Error, Grant, Refusal, Result};

/// Where a browser goes. It may carry a code, so it does not print itself.
pub struct Redirect(String);

impl Redirect {
    pub(crate) const fn to(address: String) -> Self {
        Self(address)
    }

    /// The address.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Adds parameters to a redirect URI, which may have some of its own (RFC 6749 §3.1.2).
fn with(redirect_uri: &str, parameters: &[(&str, Option<&str>)]) -> Redirect {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    Redirect(format!("{redirect_uri}{separator}{}", query.finish()))
}

impl Grant {
    /// RFC 6749 §4.1.2.1, with `iss` (RFC 9207 §2).
    pub(super) fn refusal(&self, redirect_uri: &str, state: Option<&str>, refusal: &Refusal) -> Redirect {
        with(
            redirect_uri,
            &[
                ("error", Some(refusal.code.word())),
                ("error_description", Some(&refusal.description)),
                ("state", state),
                ("iss", Some(self.issuer())),
            ],
        )
    }

    /// The same for a request that was read.
    pub(super) fn refuse(&self, request: &AuthorizationRequest, refusal: &Refusal) -> Redirect {
        self.refusal(request.redirect_uri.as_str(), request.state.as_deref(), refusal)
    }

    /// The resources that a person agrees to: a request that names none is about the product itself, and the issuer stands for
    /// that.
    pub(super) fn agreed_resources(&self, request: &AuthorizationRequest) -> Vec<String> {
        match request.resources.as_slice() {
            [] => vec![self.issuer().to_owned()],
            named => named.to_vec(),
        }
    }

    /// Writes what a person has agreed to.
    pub(super) async fn agree(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
        person: &Person,
        team: Option<TeamId>,
    ) -> Result<Consent> {
        let now = self.now();
        let agreed = Consent {
            id: vault::random::id(),
            user: person.user.id,
            team,
            client_id: client.id.clone(),
            scopes: request.scopes.clone(),
            resources: self.agreed_resources(request),
            created_at: now,
            updated_at: now,
            used_at: None,
        };
        let consent = self.store().grants.agree(&agreed).await?;
        // Read after it was written: whoever removes the application from here on finds it.
        if self.client(client.id.as_str()).await?.is_none() {
            self.store().grants.withdraw(&consent.id).await?;
            return Err(Error::problem(ProblemCode::AuthorizationOver));
        }
        let event = if agreed.id == consent.id { "grant.created" } else { "grant.changed" };
        let event = AuditEvent::new(now, event, Outcome::Success, Actor::User(person.user.id));
        let event = event.target(consent.id).fact("application", client.id.as_str());
        self.remember(event.fact("scopes", request.scopes.to_string())).await?;
        Ok(consent)
    }

    /// Makes a code on a consent (RFC 6749 §4.1.2).
    pub(super) async fn issue_code(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
        person: &Person,
        browser: Browser<'_>,
        consent: &Consent,
    ) -> Result<Redirect> {
        let now = self.now();
        let code = vault::random::token();
        let record = Code {
            grant: consent.id,
            client_id: client.id.clone(),
            user: person.user.id,
            team: consent.team.clone(),
            redirect_uri: request.redirect_uri.to_string(),
            redirect_uri_named: request.redirect_uri_named,
            code_challenge: request.code_challenge.clone(),
            scopes: request.scopes.clone(),
            resources: request.resources.clone(),
            nonce: request.nonce.clone(),
            auth_time: person.auth_time,
            issued_at: now,
            expires_at: now + self.parts.settings.code_ttl,
            redeemed: None,
        };
        let is_standing = self.store().families.add_code(&TokenHash::of(code.expose()), &record).await?;
        // Read after the code was written: whatever ends the person's access later ends the code too.
        if !is_standing || !self.is_still_there(person, browser, consent).await? {
            return Ok(self.refuse(request, &super::request::access_denied()));
        }
        let event = AuditEvent::new(now, "grant.used", Outcome::Success, Actor::User(person.user.id));
        let event = event.target(consent.id).fact("application", client.id.as_str());
        self.remember(event.fact("scopes", request.scopes.to_string())).await?;
        Ok(with(
            request.redirect_uri.as_str(),
            &[
                ("code", Some(code.expose())),
                ("state", request.state.as_deref()),
                ("iss", Some(self.issuer())),
            ],
        ))
    }

    /// Whether somebody is still signed in, and of the team that a consent acts for.
    async fn is_still_there(&self, person: &Person, browser: Browser<'_>, consent: &Consent) -> Result<bool> {
        let is_signed_in = self.signed_in(browser).await?.is_some_and(|now| now.user.id == person.user.id);
        let Some(team) = &consent.team else { return Ok(is_signed_in) };
        let teams = self.store().users.teams(&person.user.id).await?;
        Ok(is_signed_in && teams.iter().any(|own| own.team == *team))
    }

    /// Remembers that a person did not agree.
    pub(super) async fn refused_by_person(&self, open: &Open, browser: Browser<'_>) -> Result<()> {
        let person = self.signed_in(browser).await?;
        let actor = person.map_or(Actor::Browser(None), |person| Actor::User(person.user.id));
        let event = AuditEvent::new(self.now(), "grant.refused", Outcome::Denied, actor);
        self.remember(event.target(&open.client.id)).await
    }

    /// RFC 9700 §2.1.1: a challenge belongs to one request. An application that sends the same again and again protects nobody,
    /// and its developer should hear of it; the operator sees it in the audit trail.
    pub(super) async fn notice_challenge(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
    ) -> Result<()> {
        let Some(challenge) = &request.code_challenge else { return Ok(()) };
        if !self.is_constant_challenge(client.id.as_str(), challenge) {
            return Ok(());
        }
        let event =
            AuditEvent::new(self.now(), "application.constant_challenge", Outcome::Failure, Actor::System);
        self.remember(event.target(&client.id)).await
    }
}
