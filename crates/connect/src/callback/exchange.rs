//! Steps 5 and 6: the code becomes tokens, and the tokens a connection.

use std::time::Duration;

use model::{Account, Actor, AuditEvent, CredentialId, Outcome, Scopes, Secret, Timestamp};
use provider::catalog::{Entry, Region};
use provider::exchange::{CodeExchange, TokenAnswer, exchange_code};
use provider::identity::fetch_account;
use serde_json::Map;
use store::attempts::Attempt;
use store::connections::{ConnectionKey, NewConnection};
use store::credentials::{Credential, SealedTokens};
use tracing::warn;

use crate::integrations::Integration;
use crate::{Connect, Error, Result};

/// How long the person who has just consented waits for the account's name.
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(10);

impl Connect {
    /// Steps 5 and 6.
    pub(super) async fn exchange(
        &self,
        attempt: &Attempt,
        code: &Secret<String>,
        region: Option<Region>,
    ) -> Result<Scopes> {
        let integration = self.integration(&attempt.integration, &attempt.subject).await?;
        if integration.app.client_id != attempt.client_id {
            // The app was exchanged while the person consented; its secret must not meet another app's code.
            let missing = "the app that the attempt began with".to_owned();
            return Err(Error::IntegrationNotConfigured {
                integration: attempt.integration.clone(),
                missing,
            });
        }
        // A region of the entry's fixed table moves the exchange; text of the browser never does.
        let endpoints = integration.endpoints(region.as_ref())?;
        let token_url = if region.is_some() { endpoints.token.clone() } else { attempt.token_url.clone() };
        let verifier = self.open_verifier(attempt)?;
        let answer = exchange_code(
            &self.parts.http,
            CodeExchange {
                entry: &integration.entry,
                token_url: &token_url,
                app: &integration.app,
                code,
                redirect_uri: &attempt.redirect_uri,
                code_verifier: verifier.as_ref(),
            },
        )
        .await
        .map_err(|error| Error::ExchangeFailed(Box::new(error)))?;

        let granted = answer.granted(&integration.entry, &attempt.scopes);
        let id = vault::random::id();
        let tokens = self.seal_tokens(&id, &integration.entry, &answer, granted.clone());
        let now = self.now();
        let credential = Credential {
            id,
            subject: attempt.subject.clone(),
            integration: attempt.integration.clone(),
            provider: attempt.provider.clone(),
            client_id: attempt.client_id.clone(),
            token_url: endpoints.refresh,
            generation: 1,
            account: None,
            due_at: self.first_due(&integration.entry, &tokens),
            tokens,
            refreshed_at: None,
            broken: None,
            last_error: None,
            failures: 0,
            used_at: Some(now),
            grant_started_at: Some(now),
            grant_ends_at: integration.entry.refresh.fixed_end.map(|life| now + life),
        };
        self.stand_on(attempt, credential).await?;
        if let Some(account) = self.account(&integration, endpoints.userinfo.as_deref(), &answer).await {
            self.store().credentials.set_account(&id, &account).await?;
        }
        Ok(attempt.scopes.missing_in(&granted))
    }

    async fn stand_on(&self, attempt: &Attempt, credential: Credential) -> Result<()> {
        let now = self.now();
        let connected = self
            .store()
            .connections
            .connect(&NewConnection {
                id: vault::random::id(),
                key: key(attempt),
                metadata: Map::new(),
                requested_scopes: attempt.scopes.clone(),
                by: attempt.started_by.clone(),
                at: now,
                credential,
            })
            .await?;
        let name = if connected.created { "connection.created" } else { "connection.reconnected" };
        self.audit(
            AuditEvent::new(now, name, Outcome::Success, Actor::Browser(Some(attempt.subject.clone())))
                .subject(&attempt.subject)
                .target(connected.id)
                .fact("integration", attempt.integration.as_str())
                .fact("attempt", attempt.id.to_string()),
        )
        .await
    }

    /// Whose account it is. Best effort: a connection without a name is a connection.
    async fn account(
        &self,
        integration: &Integration,
        userinfo: Option<&str>,
        answer: &TokenAnswer,
    ) -> Option<Account> {
        let userinfo = userinfo?;
        let found = fetch_account(
            &self.parts.http,
            &integration.entry,
            userinfo,
            &answer.access_token,
            answer.scopes.as_ref(),
            IDENTITY_TIMEOUT,
        )
        .await;
        found
            .inspect_err(|error| warn!(integration = %integration.id, outcome = "failure", error = %error, "identity.failed"))
            .ok()
            .flatten()
    }

    /// When the background refreshes tokens that a consent or an import has brought.
    pub(crate) fn first_due(&self, entry: &Entry, tokens: &SealedTokens) -> Option<Timestamp> {
        tokens.refresh_token.as_ref()?;
        self.rules(entry).due_at(tokens, false, vault::random::share())
    }

    /// Seals what a provider answered to the credential's id.
    pub(crate) fn seal_tokens(
        &self,
        id: &CredentialId,
        entry: &Entry,
        answer: &TokenAnswer,
        scopes: Scopes,
    ) -> SealedTokens {
        let keyring = &self.parts.keyring;
        let now = self.now();
        let lifetime = answer.expires_in.or(entry.refresh.access_token_lifetime);
        SealedTokens {
            access_token: Some(keyring.seal(id, &answer.access_token)),
            refresh_token: answer.refresh_token.as_ref().map(|token| keyring.seal(id, token)),
            extra: answer.extra.as_ref().map(|extra| keyring.seal(id, extra)),
            token_type: answer.token_type.clone(),
            scopes,
            expires_at: lifetime.map(|lifetime| now + lifetime),
            obtained_at: now,
        }
    }
}

fn key(attempt: &Attempt) -> ConnectionKey {
    ConnectionKey {
        subject: attempt.subject.clone(),
        integration: attempt.integration.clone(),
        label: attempt.label.clone(),
    }
}
