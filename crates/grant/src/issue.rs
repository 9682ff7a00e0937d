//! Tokens are made: access tokens, opaque or as RFC 9068 has them, ID tokens (OpenID Connect Core §2), and the answer that carries
//! them (RFC 6749 §5.1).

use std::fmt;

use model::{AccessTokenFormat, FamilyId, RefreshToken, Scopes, Secret, TeamId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::families::{AccessToken, Family};
use vault::TokenHash;

use crate::application::Client;
use crate::login::known_time;
use crate::signing::LONGEST_SIGNED;
use crate::{Grant, Result};

/// RFC 6749 §5.1. It does not print itself.
#[derive(Serialize, Deserialize)]
pub struct TokenAnswer {
    access_token: String,
    token_type: String,
    /// In seconds.
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenAnswer([secret])")
    }
}

impl TokenAnswer {
    /// What its access token may do.
    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }
}

/// For whom a token is.
pub(crate) enum Subject {
    /// An application acts for itself.
    Application,
    /// An application acts for a person.
    Person { family: FamilyId, user: UserId, team: Option<TeamId>, auth_time: Option<i64> },
}

impl Subject {
    pub(crate) fn of_family(family: &Family) -> Self {
        Self::Person {
            family: family.id,
            user: family.user,
            team: family.team.clone(),
            auth_time: known_time(family.auth_time).map(seconds),
        }
    }
}

/// An access token with what is kept of it.
pub(crate) struct Issued {
    pub(crate) token: Secret<String>,
    pub(crate) record: AccessToken,
}

impl Issued {
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(self.token.expose())
    }

    pub(crate) fn answer(
        &self,
        refresh_token: Option<&RefreshToken>,
        id_token: Option<String>,
    ) -> TokenAnswer {
        TokenAnswer {
            access_token: self.token.expose().clone(),
            token_type: "Bearer".to_owned(),
            expires_in: self.record.expires_at.since(self.record.issued_at).as_secs(),
            refresh_token: refresh_token.map(|token| token.expose().to_owned()),
            scope: self.record.scopes.to_string(),
            id_token,
        }
    }
}

impl Grant {
    /// Makes an access token; the caller writes its record.
    pub(crate) async fn make_access_token(
        &self,
        client: &Client,
        subject: &Subject,
        scopes: &Scopes,
        audience: Vec<String>,
    ) -> Result<Issued> {
        let now = self.now();
        let (family, user, team) = match subject {
            Subject::Application => (None, None, None),
            Subject::Person { family, user, team, .. } => (Some(*family), Some(*user), team.clone()),
        };
        let record = AccessToken {
            family,
            client_id: client.id.clone(),
            user,
            team,
            scopes: scopes.clone(),
            audience,
            issued_at: now,
            expires_at: now + client.access_token_ttl(self),
        };
        let token = match client.settings.access_token_format {
            AccessTokenFormat::Opaque => {
                let random = vault::random::token();
                Secret::new(format!("{}{}", client.settings.access_token_prefix, random.expose()))
            }
            AccessTokenFormat::Jwt => Secret::new(self.sign_access_token(&record, subject).await?),
        };
        Ok(Issued { token, record })
    }

    /// RFC 9068 §2.
    async fn sign_access_token(&self, record: &AccessToken, subject: &Subject) -> Result<String> {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), self.issuer().into());
        let (sub, auth_time) = match subject {
            Subject::Application => (record.client_id.to_string(), None),
            Subject::Person { user, auth_time, .. } => (user.to_string(), *auth_time),
        };
        claims.insert("sub".to_owned(), sub.into());
        claims.insert("aud".to_owned(), self.audience(&record.audience));
        claims.insert("client_id".to_owned(), record.client_id.as_str().into());
        claims.insert("iat".to_owned(), seconds(record.issued_at).into());
        claims.insert("exp".to_owned(), seconds(record.expires_at).into());
        claims
            .insert("jti".to_owned(), data_encoding::HEXLOWER.encode(&vault::random::octets::<16>()).into());
        if !record.scopes.is_empty() {
            claims.insert("scope".to_owned(), record.scopes.to_string().into());
        }
        if let Some(auth_time) = auth_time {
            claims.insert("auth_time".to_owned(), auth_time.into());
        }
        if let Some(team) = &record.team {
            claims.insert("team".to_owned(), team.as_str().into());
        }
        Ok(self.signing_key().await?.sign("at+jwt", &Value::Object(claims)))
    }

    /// What a token without resource is good for is the product itself; the issuer stands for it.
    pub(crate) fn audience(&self, audience: &[String]) -> Value {
        match audience {
            [] => self.issuer().into(),
            [only] => only.as_str().into(),
            several => several.into(),
        }
    }

    /// OpenID Connect Core §2, §3.1.3.6.
    pub(crate) async fn make_id_token(
        &self,
        client: &Client,
        family: &Family,
        nonce: Option<&str>,
        access_token: &str,
    ) -> Result<String> {
        let now = self.now();
        let mut claims = self.person_claims(family.user, family.team.as_ref(), &family.scopes).await?;
        claims.insert("iss".to_owned(), self.issuer().into());
        claims.insert("aud".to_owned(), client.id.as_str().into());
        claims.insert("iat".to_owned(), seconds(now).into());
        // However long the access token lives, the key is published no longer.
        let life = client.access_token_ttl(self).min(LONGEST_SIGNED);
        claims.insert("exp".to_owned(), seconds(now + life).into());
        if let Some(auth_time) = known_time(family.auth_time) {
            claims.insert("auth_time".to_owned(), seconds(auth_time).into());
        }
        let key = self.signing_key().await?;
        claims.insert("at_hash".to_owned(), key.algorithm().half_hash(access_token).into());
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        Ok(key.sign("JWT", &Value::Object(claims)))
    }

    /// What is told about a person, as far as the scopes go (OpenID Connect Core §5.4). An application that does not speak OpenID
    /// Connect gets what its connection is labelled with; its consent page says so.
    pub(crate) async fn person_claims(
        &self,
        user: UserId,
        team: Option<&TeamId>,
        scopes: &Scopes,
    ) -> Result<Map<String, Value>> {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), user.to_string().into());
        let Some(known) = self.store().users.get(&user).await? else { return Ok(claims) };
        let teams = self.store().users.teams(&user).await?;
        let id = team.map_or_else(|| user.to_string(), ToString::to_string);
        let speaks_openid = scopes.contains("openid");
        if !speaks_openid || scopes.contains("profile") {
            claims.insert("id".to_owned(), id.into());
        }
        if tells_email(scopes) {
            claims.insert("email".to_owned(), known.email.into());
        }
        if !speaks_openid || scopes.contains("profile") {
            claims.insert("name".to_owned(), known.name.into());
            let own = team.and_then(|team| teams.iter().find(|own| own.team == *team));
            if let Some(own) = own {
                claims.insert("team".to_owned(), json!({"id": own.team, "name": own.name}));
            }
        }
        claims.retain(|_, value| !value.is_null());
        Ok(claims)
    }
}

/// Whether these scopes bring the address of the person; the consent page says so.
pub(crate) fn tells_email(scopes: &Scopes) -> bool {
    !scopes.contains("openid") || scopes.contains("email")
}

/// RFC 7519 §2, `NumericDate`.
pub(crate) fn seconds(instant: model::Timestamp) -> i64 {
    instant.as_unix_ms().div_euclid(1000)
}
