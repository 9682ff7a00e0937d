//! Begins an attempt (RFC 6749 §4.1.1).
//!
//! 1. The subject, the integration and its app credentials are found.
//! 2. `returnTo` is checked against the operator's list.
//! 3. Token URL, redirect URI and issuer are computed, and pinned in the attempt's row.
//! 4. A PKCE verifier is made and sealed (RFC 7636 §4.1).
//! 5. The product gets a one-time link to our own hop, which binds the browser; or, with `binding=none`, the
//!    provider's URL itself.

use std::time::Duration;

use model::pkce::Pkce;
use model::{
    Actor, AttemptId, AuditEvent, Binding, CodeVerifier, GroupId, IntegrationId, Label, Origin, Outcome,
    Scopes, Secret, SubjectId, Timestamp,
};
use provider::catalog::AuthorizeRequest;
use store::attempts::Attempt;
use tracing::info;
use url::Url;
use vault::TokenHash;

use crate::integrations::Integration;
use crate::{Connect, Error, Result, groups};

/// The longest `loginHint` that is passed on.
const MAX_LOGIN_HINT: usize = 320;
/// The longest list of scopes that is asked for, in characters.
const MAX_SCOPES: usize = 4096;

/// What the product asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who will own the connection.
    pub subject: SubjectId,
    /// At which integration; `None` for the group, or without one for the configured default.
    pub integration: Option<IntegrationId>,
    /// At every integration of this group, with one consent.
    pub group: Option<GroupId>,
    /// Only at these members of the group; `None` for all.
    pub only: Option<Vec<IntegrationId>>,
    /// Under which label.
    pub label: Label,
    /// Scopes instead of the integration's.
    pub scopes: Option<Scopes>,
    /// Where the browser goes afterwards.
    pub return_to: Option<String>,
    /// Who the provider should expect to sign in.
    pub login_hint: Option<String>,
    /// Whether the browser is bound.
    pub binding: Binding,
    /// Where the person stands.
    pub origin: Origin,
    /// Who asks.
    pub by: Actor,
}

/// Where to send the browser.
#[derive(Debug)]
pub struct Authorization {
    /// Our hop, or with `binding=none` the provider.
    pub auth_url: Secret<String>,
    /// When the attempt ends.
    pub expires_at: Timestamp,
}

impl Connect {
    /// Begins an attempt.
    pub async fn authorize(&self, request: Request) -> Result<Authorization> {
        let settings = &self.parts.settings;
        let return_to = request.return_to.as_deref().map(|url| self.check_return_to(url)).transpose()?;
        let own_scopes = check_scopes(request.scopes.clone())?;
        check_login_hint(request.login_hint.as_deref())?;
        let integrations = self.to_connect(&request).await?;
        let Some(integration) = integrations.first() else { return Err(Error::Interrupted) };
        let members = groups::asked(&integrations, own_scopes.as_ref());
        let held = self.held_beside(&integrations, &request.subject, &request.label).await?;
        let scopes =
            members.iter().fold(Scopes::default(), |all, member| all.with(&member.scopes)).with(&held);
        self.admit(&request.subject).await?;

        let id: AttemptId = vault::random::id();
        let endpoints = integration.endpoints(None)?;
        let redirect_uri = integration.redirect_uri(&settings.public_url);
        let authorize_url = integration.entry.authorize_url(&AuthorizeRequest {
            client_id: &integration.app.client_id,
            redirect_uri: &redirect_uri,
            scopes: &scopes,
            login_hint: request.login_hint.as_deref(),
            endpoints: &endpoints,
        });
        let verifier = (integration.entry.pkce == Pkce::S256)
            .then(|| CodeVerifier::from_random(&vault::random::octets()))
            .map(|verifier| self.parts.keys.seal(&id, &verifier))
            .transpose()?;
        let ttl = self.attempt_ttl(&integration.id);
        let now = self.now();
        let attempt = Attempt {
            id,
            subject: request.subject,
            integration: integration.id.clone(),
            label: request.label,
            provider: integration.entry.id.clone(),
            origin: request.origin,
            return_to,
            binding: request.binding,
            scopes,
            client_id: integration.app.client_id.clone(),
            redirect_uri,
            token_url: endpoints.token,
            issuer: endpoints.issuer,
            authorize_url: authorize_url.into(),
            code_verifier: verifier,
            started_by: request.by.to_string(),
            issued_at: now,
            expires_at: now + ttl,
            consumed_at: None,
            binding_hash: None,
            members: if integration.entry.group.is_some() { members } else { Vec::new() },
        };

        let secret = vault::random::token();
        let auth_url = match attempt.binding {
            Binding::Cookie => {
                self.store().attempts.create(&attempt, &TokenHash::of(secret.expose())).await?;
                Secret::new(format!("{}/connect/start/{}", settings.public_url, secret.expose()))
            }
            Binding::None => {
                self.store().attempts.create_started(&attempt, &TokenHash::of(secret.expose())).await?;
                self.provider_url(&attempt, &secret).await?
            }
        };
        self.audit(
            AuditEvent::new(now, "attempt.started", Outcome::Success, request.by)
                .subject(&attempt.subject)
                .target(&attempt.integration)
                .fact("attempt", attempt.id.to_string())
                .fact("origin", attempt.origin.word()),
        )
        .await?;
        info!(
            subject = %attempt.subject, integration = %attempt.integration, attempt = %attempt.id,
            origin = attempt.origin.word(), outcome = "success", "attempt.started"
        );
        Ok(Authorization { auth_url, expires_at: attempt.expires_at })
    }

    /// The integrations that are meant: one, or the members of a group.
    async fn to_connect(&self, request: &Request) -> Result<Vec<Integration>> {
        let invalid = |name, rule: &str| Err(Error::InvalidParameter { name, rule: rule.to_owned() });
        let Some(group) = &request.group else {
            let id = request.integration.as_ref().or(self.parts.settings.default_provider.as_ref());
            return match id {
                Some(id) => Ok(vec![self.integration(id, &request.subject).await?]),
                None => invalid("provider", "name the integration to connect"),
            };
        };
        if request.integration.is_some() {
            return invalid("group", "name a provider or a group, not both");
        }
        if request.scopes.is_some() {
            return invalid("scopes", "leave them out: each member of the group asks for its own");
        }
        let mut members = self.members(group, &request.subject).await?;
        if let Some(only) = &request.only {
            members.retain(|member| only.contains(&member.id));
        }
        if members.is_empty() {
            return Err(Error::GroupNotConfigured { group: group.clone() });
        }
        Ok(members)
    }

    /// How long an attempt at this integration may take.
    pub fn attempt_ttl(&self, integration: &IntegrationId) -> Duration {
        let settings = &self.parts.settings;
        let own = settings.integrations.get(integration).and_then(|configured| configured.attempt_ttl);
        own.unwrap_or(settings.attempt_ttl)
    }

    /// The authorization request with its state (RFC 6749 §4.1.1) and its challenge (RFC 7636 §4.3).
    pub(crate) async fn provider_url(
        &self,
        attempt: &Attempt,
        state: &Secret<String>,
    ) -> Result<Secret<String>> {
        let mut url = Url::parse(&attempt.authorize_url)
            .map_err(|error| corrupt(&format!("attempt {}: authorize_url: {error}", attempt.id)))?;
        url.query_pairs_mut().append_pair("state", state.expose());
        if let Some(verifier) = self.open_verifier(attempt).await? {
            let challenge = vault::code_challenge(&verifier);
            url.query_pairs_mut()
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256");
        }
        Ok(Secret::new(url.into()))
    }

    pub(crate) async fn open_verifier(&self, attempt: &Attempt) -> Result<Option<CodeVerifier>> {
        match &attempt.code_verifier {
            Some(sealed) => self.parts.keys.open(&attempt.id, sealed).await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn check_return_to(&self, return_to: &str) -> Result<String> {
        self.parts.settings.return_to.check(return_to).map(String::from).ok_or(Error::ReturnToNotAllowed)
    }
}

fn corrupt(what: &str) -> Error {
    Error::Store(store::Error::Corrupt { table: "attempts", what: what.to_owned() })
}

fn check_scopes(scopes: Option<Scopes>) -> Result<Option<Scopes>> {
    let invalid = |rule: &str| Error::InvalidParameter { name: "scopes", rule: rule.to_owned() };
    match scopes {
        Some(scopes) if scopes.is_empty() => Err(invalid("name at least one, or leave it out")),
        Some(scopes) if !scopes.is_well_formed() => {
            Err(invalid("use printable ASCII but \" and \\ (RFC 6749 §3.3)"))
        }
        Some(scopes) if scopes.join(" ").len() > MAX_SCOPES => Err(invalid("use at most 4096 characters")),
        scopes => Ok(scopes),
    }
}

fn check_login_hint(hint: Option<&str>) -> Result<()> {
    if hint.is_some_and(|hint| hint.len() > MAX_LOGIN_HINT || hint.chars().any(char::is_control)) {
        let rule = format!("use at most {MAX_LOGIN_HINT} characters and no control characters");
        return Err(Error::InvalidParameter { name: "loginHint", rule });
    }
    Ok(())
}
