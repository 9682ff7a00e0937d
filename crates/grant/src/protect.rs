//! Resources that we stand before: APIs and MCP servers that know nothing of tokens.
//!
//! 1. Whoever comes without a good token is told where to find out how to get one (RFC 9728 §5.1, RFC 6750 §3).
//! 2. A good one is for exactly this resource (RFC 8707, RFC 9700 §2.3), and has all that the resource needs.
//! 3. The upstream is told who it is by a short assertion that our own keys sign, never by the token.

use std::time::Duration;

use model::{ClientId, OauthErrorCode, Scopes, Secret, TeamId, UserId};
use serde_json::{Map, Value, json};
use vault::TokenHash;

use crate::access::invalid_token;
use crate::issue::seconds;
use crate::scope::STANDARD;
use crate::{Error, Grant, Result};

/// The type of the assertion (RFC 8725 §3.11), so that nobody takes it for an access token, nor the other way round.
const IDENTITY: &str = "claviger-identity+jwt";

/// How long it is good: as long as a request may take to be read.
const IDENTITY_LIFE: Duration = Duration::from_mins(1);

/// A resource that we stand before.
#[derive(Debug, Clone)]
pub struct Protected {
    /// Below which path of ours: `/mcp`, without a slash at its end.
    pub path: String,
    /// Its name in tokens (RFC 8707).
    pub resource: String,
    /// What a token must be good for.
    pub scopes: Scopes,
}

/// Whoever was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// By which application.
    pub client_id: ClientId,
    /// For whom; `None` where an application acts for itself.
    pub user: Option<UserId>,
    /// For which team.
    pub team: Option<TeamId>,
    /// What the token is good for.
    pub scopes: Scopes,
    /// By which token.
    pub token: TokenHash,
}

impl Grant {
    /// RFC 9728 §2: what clients find out about a resource; of the product itself where the path is empty.
    pub fn protected_resource(&self, path: &str) -> Option<Value> {
        let settings = &self.parts.settings;
        let (resource, scopes): (&str, Vec<&str>) = if path.is_empty() {
            let own = settings.scopes.keys().map(String::as_str);
            (&settings.issuer, STANDARD.into_iter().chain(own).collect())
        } else {
            let protected = settings.protected.iter().find(|protected| protected.path == path)?;
            (&protected.resource, protected.scopes.iter().collect())
        };
        let mut members = Map::new();
        let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
        add("resource", resource.into());
        add("authorization_servers", json!([settings.issuer]));
        add("bearer_methods_supported", json!(["header"]));
        if !scopes.is_empty() {
            add("scopes_supported", json!(scopes));
        }
        Some(Value::Object(members))
    }

    /// Lets a request in, or says why not.
    pub async fn admit(&self, protected: &Protected, token: &str) -> Result<Admitted> {
        let record = self.access_token(token).await?.ok_or_else(invalid_token)?;
        if !self.is_for(&record, &protected.resource) {
            return Err(Error::refused(
                OauthErrorCode::InvalidToken,
                "the access token is for another resource",
            ));
        }
        if !protected.scopes.missing_in(&record.scopes).is_empty() {
            return Err(Error::refused(
                OauthErrorCode::InsufficientScope,
                "the access token is good for less",
            ));
        }
        Ok(Admitted {
            client_id: record.client_id,
            user: record.user,
            team: record.team,
            scopes: record.scopes,
            token: TokenHash::of(token),
        })
    }

    /// Whether what was let in by a token may go on.
    pub async fn is_good(&self, token: &TokenHash) -> Result<bool> {
        Ok(self.store().families.access_token(token, self.now()).await?.is_some())
    }

    /// Says to the upstream who it is: a JSON Web Token that is verified with our key set.
    pub async fn identity(&self, protected: &Protected, admitted: &Admitted) -> Result<Secret<String>> {
        let now = self.now();
        let mut claims = Map::new();
        let mut add = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        add("iss", self.issuer().into());
        add("aud", protected.resource.as_str().into());
        add("iat", seconds(now).into());
        add("exp", seconds(now + IDENTITY_LIFE).into());
        add("jti", data_encoding::HEXLOWER.encode(&vault::random::octets::<16>()).into());
        add("client_id", admitted.client_id.as_str().into());
        add("scope", admitted.scopes.to_string().into());
        let sub = admitted.user.map_or_else(|| admitted.client_id.to_string(), |user| user.to_string());
        add("sub", sub.into());
        if let Some(team) = &admitted.team {
            add("team", team.as_str().into());
        }
        if let Some(user) = admitted.user
            && let Some(user) = self.store().users.get(&user).await?
        {
            if let Some(email) = user.email {
                add("email", email.into());
            }
            if let Some(name) = user.name {
                add("name", name.into());
            }
        }
        Ok(Secret::new(self.signing_key().await?.sign(IDENTITY, &Value::Object(claims))))
    }
}
