//! Steps 5 and 6: the code becomes tokens, and the tokens a connection.

use std::time::Duration;

use model::{Account, Actor, AuditEvent, CredentialId, IntegrationId, Outcome, Scopes, Secret, Timestamp};
use provider::catalog::{Entry, Region};
use provider::exchange::{CodeExchange, TokenAnswer, exchange_code};
use provider::identity::fetch_account;
use serde_json::Map;
use store::attempts::{Attempt, Member};
use store::connections::{ConnectionKey, NewConnection};
use store::credentials::{Credential, SealedTokens};
use tracing::warn;
use vault::TokenHash;

use crate::integrations::Integration;
use crate::{Connect, Error, Result};

/// How long a person may think about an account that is another one than before.
const TIME_TO_ANSWER: Duration = Duration::from_mins(30);

/// What an exchange has led to.
pub(super) enum Exchanged {
    /// The connections stand on the new credential.
    Connected {
        /// What was asked for and not granted.
        missing: Scopes,
    },
    /// It is another account than before: the link of the question to the person.
    AnotherAccount(Secret<String>),
}

/// How long the person who has just consented waits for the account's name.
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(10);

impl Connect {
    /// Steps 5 and 6.
    pub(super) async fn exchange(
        &self,
        attempt: &Attempt,
        code: &Secret<String>,
        region: Option<Region>,
    ) -> Result<Exchanged> {
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
        let verifier = self.open_verifier(attempt).await?;
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
            part: None,
        };
        let parts = self.parts_of(&credential, &integration.entry, &answer);
        let before = self.accounts_before(attempt).await?;
        let account = if before.is_empty() {
            self.stand_on(attempt, &credential, &parts).await?;
            self.learn_account(&integration, endpoints.userinfo.as_deref(), &answer, &id).await?
        } else {
            // Durable before its token is used, and nobody's before we know whose it is.
            let link = vault::random::token();
            let (question, answer_by) = (TokenHash::of(link.expose()), now + TIME_TO_ANSWER);
            let all: Vec<Credential> = [&credential].into_iter().chain(&parts).cloned().collect();
            self.store().attempts.ask(&attempt.id, &all, &question, answer_by).await?;
            let account =
                self.learn_account(&integration, endpoints.userinfo.as_deref(), &answer, &id).await?;
            if account.as_ref().is_some_and(|account| before.iter().any(|before| before.id != account.id)) {
                return Ok(Exchanged::AnotherAccount(link));
            }
            self.store().attempts.answer(&question, self.now()).await?;
            self.stand_on(attempt, &credential, &[]).await?;
            self.store().attempts.settle_question(&attempt.id).await?;
            account
        };
        if let Some(account) = account {
            self.gather_or_say(attempt, &id, &granted, &account).await;
        }
        Ok(Exchanged::Connected { missing: attempt.scopes.missing_in(&granted) })
    }

    /// The accounts of the connections whose place the new consent would take.
    async fn accounts_before(&self, attempt: &Attempt) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        for member in attempt.members() {
            let connection = self.store().connections.get(&key(attempt, member.integration)).await?;
            let live = connection.filter(|connection| connection.credential.is_some());
            accounts.extend(live.and_then(|connection| connection.account));
        }
        Ok(accounts)
    }

    /// Lets every member that the consent was asked for stand on its credential, which is written with its parts if it is
    /// not there yet.
    pub(super) async fn stand_on(
        &self,
        attempt: &Attempt,
        credential: &Credential,
        parts: &[Credential],
    ) -> Result<()> {
        let mut events = Vec::new();
        for member in attempt.members() {
            events.push(self.connect_member(attempt, member, credential, parts).await?);
        }
        // Afterwards: a trail that can't be written leaves no group connected by half.
        for event in events {
            self.audit(event).await?;
        }
        Ok(())
    }

    async fn connect_member(
        &self,
        attempt: &Attempt,
        member: Member,
        credential: &Credential,
        parts: &[Credential],
    ) -> Result<AuditEvent> {
        let now = self.now();
        let integration = member.integration.clone();
        let connected = self
            .store()
            .connections
            .connect(&NewConnection {
                id: vault::random::id(),
                key: key(attempt, member.integration),
                metadata: Map::new(),
                requested_scopes: member.scopes,
                by: attempt.started_by.clone(),
                at: now,
                credential: credential.clone(),
                parts: parts.to_vec(),
            })
            .await?;
        let name = if connected.created { "connection.created" } else { "connection.reconnected" };
        let by = Actor::Browser(Some(attempt.subject.clone()));
        Ok(AuditEvent::new(now, name, Outcome::Success, by)
            .subject(&attempt.subject)
            .target(connected.id)
            .fact("integration", integration.as_str())
            .fact("label", attempt.label.as_str())
            .fact("attempt", attempt.id.to_string()))
    }

    /// Asks whose account it is, and writes it down.
    async fn learn_account(
        &self,
        integration: &Integration,
        userinfo: Option<&str>,
        answer: &TokenAnswer,
        credential: &CredentialId,
    ) -> Result<Option<Account>> {
        let account = self.account(integration, userinfo, answer).await;
        if let Some(account) = &account {
            self.store().credentials.set_account(credential, account).await?;
        }
        Ok(account)
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
        let keys = &self.parts.keys;
        let now = self.now();
        let lifetime = answer.expires_in.or(entry.refresh.access_token_lifetime);
        SealedTokens {
            access_token: Some(keys.seal_answer(id, &answer.access_token)),
            refresh_token: answer.refresh_token.as_ref().map(|token| keys.seal_answer(id, token)),
            extra: answer.extra.as_ref().map(|extra| keys.seal_answer(id, extra)),
            token_type: answer.token_type.clone(),
            scopes,
            expires_at: lifetime.map(|lifetime| now + lifetime),
            obtained_at: now,
        }
    }
}

fn key(attempt: &Attempt, integration: IntegrationId) -> ConnectionKey {
    ConnectionKey { subject: attempt.subject.clone(), integration, label: attempt.label.clone() }
}
