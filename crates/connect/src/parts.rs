//! Further tokens of one consent.
//!
//! A provider may give several token pairs at once (Slack: the app's own and the person's), or another access token for
//! another resource from the same refresh token (Microsoft: the API of a site beside Graph). Each is a credential of its
//! own, with the consent's as its parent: refreshed by itself, with its own lease and journal, and gone with its parent.

use std::sync::Arc;

use model::{CredentialId, RefreshToken, Scopes};
use provider::catalog::Entry;
use provider::exchange::{PartAnswer, TokenAnswer};
use provider::format::tokens::UnknownResource;
use store::connections::{ConnectionKey, Standing};
use store::credentials::{Credential, Part, SealedTokens};

use crate::{Connect, Error};

type Result<T, E = Error> = std::result::Result<T, E>;

/// The most tokens that one consent has beside its own.
const MAX_PARTS: usize = 20;

/// Which of a connection's tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Which {
    /// The connection's own.
    #[default]
    Own,
    /// A part that the entry names.
    Part(String),
    /// The one for a resource.
    Resource(String),
}

impl Connect {
    /// The parts that a code exchange has yielded beside `main`.
    pub(crate) fn parts_of(&self, main: &Credential, entry: &Entry, answer: &TokenAnswer) -> Vec<Credential> {
        let part = |part: &PartAnswer| {
            let id = vault::random::id();
            let answer = TokenAnswer {
                access_token: part.access_token.clone(),
                refresh_token: part.refresh_token.clone(),
                token_type: part.token_type.clone(),
                expires_in: part.expires_in,
                scopes: part.scopes.clone(),
                extra: None,
                parts: Vec::new(),
            };
            let asked = &main.tokens.scopes;
            let own = asked.iter().filter(|scope| entry.part_of(scope).0 == Some(part.name.as_str()));
            let scopes = part.scopes.clone().unwrap_or_else(|| own.map(str::to_owned).collect());
            let tokens = self.seal_tokens(&id, entry, &answer, scopes);
            let due_at = self.first_due(entry, &tokens);
            Credential { due_at, ..child(main, id, part.name.clone(), tokens) }
        };
        answer.parts.iter().map(part).collect()
    }

    /// The part, as the hot path needs it. One for a resource comes to be at its first read, from the consent's refresh
    /// token.
    pub(crate) async fn standing_of_part(
        &self,
        key: &ConnectionKey,
        main: &Standing,
        which: &Which,
    ) -> Result<Option<Arc<Standing>>> {
        let (name, is_resource) = match which {
            Which::Own => return Ok(None),
            Which::Part(name) => (name, false),
            Which::Resource(resource) => (resource, true),
        };
        let found = self.store().connections.standing_of(key, name).await?;
        if found.is_some() {
            return Ok(found);
        }
        let Some(credential) = self.store().credentials.get(&main.credential).await? else {
            return Err(Self::not_found(key));
        };
        // The connection's own entry: of a group's members only some have resources.
        let integration = self.integration(&key.integration, &key.subject).await?;
        let entry = &integration.entry;
        if !is_resource {
            let invalid = |rule: String| Error::InvalidParameter { name: "part", rule };
            return Err(if entry.parts.contains_key(name) {
                Error::TokenNotGranted { part: name.clone() }
            } else {
                invalid(format!("{} gives no such tokens", entry.display_name))
            });
        }
        let invalid = |rule: String| Error::InvalidParameter { name: "resource", rule };
        let scopes = entry.resource_scopes(name).map_err(|error| invalid(error.to_string()))?;
        let parts = self.store().credentials.parts(&credential.id).await?;
        if parts.len() >= MAX_PARTS {
            return Err(invalid(format!("{MAX_PARTS} resources of one consent are in use already")));
        }
        let main =
            Credential { integration: integration.id.clone(), provider: entry.id.clone(), ..credential };
        self.add_resource(&main, name, scopes).await?;
        Ok(self.store().connections.standing_of(key, name).await?)
    }

    async fn add_resource(&self, main: &Credential, resource: &str, scopes: Scopes) -> Result<()> {
        let Some(sealed) = &main.tokens.refresh_token else { return Err(Error::NoRefreshToken) };
        let keys = &self.parts.keys;
        let refresh_token: RefreshToken = keys.open(&main.id, sealed).await?;
        let id = vault::random::id();
        let tokens = SealedTokens {
            access_token: None,
            refresh_token: Some(keys.seal(&id, &refresh_token)?),
            extra: None,
            token_type: main.tokens.token_type.clone(),
            scopes,
            expires_at: None,
            obtained_at: self.now(),
        };
        Ok(self.store().credentials.add_part(&child(main, id, resource.to_owned(), tokens)).await?)
    }
}

/// What a refresh of a credential asks for, where it must say so: the scopes of its resource.
pub(crate) fn scopes_to_ask(
    credential: &Credential,
    entry: &Entry,
) -> Result<Option<Scopes>, UnknownResource> {
    match &credential.part {
        Some(part) if !entry.parts.contains_key(&part.name) => entry.resource_scopes(&part.name).map(Some),
        _ => Ok(None),
    }
}

/// What a refresh has granted. An answer speaks of its own tokens alone; with a consent's main tokens stand the scopes of
/// its parts.
pub(crate) fn granted(credential: &Credential, entry: &Entry, answer: &TokenAnswer) -> Scopes {
    let before = &credential.tokens.scopes;
    let granted = answer.granted(entry, before);
    match credential.part.as_ref().map(|part| part.name.as_str()) {
        None => {
            let of_parts = before.iter().filter(|scope| entry.part_of(scope).0.is_some());
            granted.with(&of_parts.map(str::to_owned).collect())
        }
        Some(name) if entry.parts.contains_key(name) => {
            let named = |scope: &str| match entry.part_of(scope).0 {
                Some(_) => scope.to_owned(),
                None => format!("{name}/{scope}"),
            };
            granted.iter().map(named).collect()
        }
        Some(_) => granted,
    }
}

/// A part of `main` with tokens of its own. What connections show stays with `main`.
fn child(main: &Credential, id: CredentialId, name: String, tokens: SealedTokens) -> Credential {
    Credential {
        id,
        generation: 1,
        account: None,
        tokens,
        refreshed_at: None,
        broken: None,
        last_error: None,
        failures: 0,
        due_at: None,
        // Its consent's end is announced once.
        grant_ends_at: None,
        part: Some(Part { of: main.id, name }),
        ..main.clone()
    }
}
