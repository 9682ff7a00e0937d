//! Applications register themselves (RFC 7591), where the operator allows it, and look after their registration (RFC 7592) with a
//! token that is theirs alone. Nobody has looked at one: it can do only what a person lets it do, its name is its own claim, and
//! while nobody lets it do anything it goes by itself.

use model::{Actor, AuditEvent, ClientAuthentication, ClientId, Outcome, Secret};
use serde_json::{Map, Value, json};
use store::applications::{Application, Registrar};
use vault::TokenHash;

use crate::access::invalid_token;
use crate::application::{kept, made_id, made_secret};
use crate::client_metadata::{DEFAULT_METHOD, Said, Source, invalid, text};
use crate::scope::STANDARD;
use crate::{Error, Grant, Result};

impl Grant {
    /// Whether applications may register themselves.
    pub fn takes_registrations(&self) -> bool {
        self.parts.settings.mcp.registration
    }

    /// Whether those that registered themselves may look after that.
    pub fn keeps_registrations(&self) -> bool {
        self.parts.settings.mcp.enabled
    }

    /// RFC 7591 §3: registers an application that nobody here knows. Where too many wait for somebody to use them, the oldest of
    /// these go: strangers can't keep a newcomer out.
    pub async fn register_itself(&self, said: &Map<String, Value>, address: &str) -> Result<Value> {
        self.limit_registrations(address).await?;
        let Said { settings, auth_method } = self.parts.settings.read_metadata(said, Source::Registration)?;
        let now = self.now();
        let secret = (settings.authentication == ClientAuthentication::Secret).then(made_secret);
        let token = Secret::new(format!("cvr_{}", vault::random::token().expose()));
        let application = Application {
            client_id: made_id()?,
            settings,
            secrets: secret.iter().map(|secret| kept(secret, now)).collect(),
            registrar: Registrar::Itself,
            registration_token: Some(TokenHash::of(token.expose())),
            auth_method: Some(auth_method.to_owned()),
            fresh_until: None,
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        if !self.store().applications.create_unasked(&application, self.parts.settings.mcp.max_unused).await?
        {
            // Two ids of 128 random bits are the same; whoever asks again gets another.
            return Err(Error::NotNow { what: "a new client id" });
        }
        let actor = Actor::Application(application.client_id.clone());
        let event = AuditEvent::new(now, "application.registered_itself", Outcome::Success, actor);
        let event = event.target(&application.client_id);
        self.remember(event.fact("name", application.settings.name.clone())).await?;
        let mut answer = self.registration(&application, &token);
        if let Some(secret) = secret {
            answer.insert("client_secret".to_owned(), secret.expose().as_str().into());
            // RFC 7591 §3.2.1: it does not end by itself.
            answer.insert("client_secret_expires_at".to_owned(), 0.into());
        }
        Ok(Value::Object(answer))
    }

    /// RFC 7592 §2.1: what is registered.
    pub async fn own_registration(
        &self,
        id: &ClientId,
        token: &Secret<String>,
        address: &str,
    ) -> Result<Value> {
        let row = self.registered(id, token, address).await?;
        Ok(Value::Object(self.registration(&row, token)))
    }

    /// RFC 7592 §2.2: everything that it says about itself is replaced. What it was given stays: its secret, tokens and consents;
    /// and so does what the operator decided about it.
    pub async fn change_own_registration(
        &self,
        id: &ClientId,
        token: &Secret<String>,
        said: &Map<String, Value>,
        address: &str,
    ) -> Result<Value> {
        let row = self.registered(id, token, address).await?;
        // Each change is remembered for good.
        self.limit_registrations(address).await?;
        if text(said, "client_id")? != Some(id.as_str()) {
            return Err(invalid("client_id must be the one of this registration").into());
        }
        if let Some(secret) = text(said, "client_secret")?
            && !self.client_of(row).has_secret(secret)
        {
            return Err(invalid("client_secret must be the one of this registration").into());
        }
        let said = self.parts.settings.read_metadata(said, Source::Registration)?;
        let changed = self
            .replace(id, |row| {
                // It may have been removed, and the id is never given again; the token is looked at all the same.
                if !is_theirs(row, token) {
                    return Err(invalid_token());
                }
                if row.settings.authentication != said.settings.authentication {
                    let description =
                        "token_endpoint_auth_method can't be changed; register another application";
                    return Err(invalid(description).into());
                }
                said.replace(&mut row.settings);
                row.auth_method = Some(said.auth_method.to_owned());
                // Together with what the operator has changed.
                self.parts.settings.check_application(&row.settings).map_err(|_| {
                    Error::from(invalid("the change does not go with what the operator has decided"))
                })
            })
            .await
            .map_err(gone)?;
        let event = AuditEvent::new(
            self.now(),
            "application.changed",
            Outcome::Success,
            Actor::Application(id.clone()),
        );
        self.remember(event.target(id)).await?;
        Ok(Value::Object(self.registration(&changed, token)))
    }

    /// RFC 7592 §2.3: it goes, with everything that it was given.
    pub async fn remove_own_registration(
        &self,
        id: &ClientId,
        token: &Secret<String>,
        address: &str,
    ) -> Result<()> {
        self.registered(id, token, address).await?;
        self.remove_application(id, Actor::Application(id.clone())).await.map_err(gone)
    }

    /// The registration whose token this is. Of one that is gone nobody is told that it was there (RFC 7592 §2.1).
    async fn registered(&self, id: &ClientId, token: &Secret<String>, address: &str) -> Result<Application> {
        let row = self.store().applications.get(id).await?.filter(|row| is_theirs(row, token));
        let Some(row) = row else {
            self.count_wrong_proof(Some(id.as_str()), address)?;
            return Err(invalid_token());
        };
        Ok(row)
    }

    /// RFC 7591 §3.2.1, RFC 7592 §3.
    fn registration(&self, row: &Application, token: &Secret<String>) -> Map<String, Value> {
        let settings = &row.settings;
        let scopes: Vec<&str> = STANDARD.into_iter().chain(settings.scopes.iter()).collect();
        let grant_types: Vec<_> = settings.grant_types.iter().map(|grant_type| grant_type.word()).collect();
        let mut members = Map::new();
        let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
        add("client_id", row.client_id.as_str().into());
        add("client_id_issued_at", crate::issue::seconds(row.created_at).into());
        add("client_name", settings.name.as_str().into());
        add("redirect_uris", json!(settings.redirect_uris));
        add("grant_types", json!(grant_types));
        add("response_types", json!(["code"]));
        add("token_endpoint_auth_method", row.auth_method.as_deref().unwrap_or(DEFAULT_METHOD).into());
        add("scope", scopes.join(" ").into());
        if let Some(homepage) = &settings.homepage {
            add("client_uri", homepage.as_str().into());
        }
        if let Some(jwks) = &settings.jwks {
            add("jwks", jwks.clone());
        }
        let at = format!("{}/oauth/register/{}", self.issuer(), row.client_id);
        add("registration_client_uri", at.into());
        add("registration_access_token", token.expose().as_str().into());
        members
    }
}

fn is_theirs(row: &Application, token: &Secret<String>) -> bool {
    row.registrar == Registrar::Itself && row.registration_token == Some(TokenHash::of(token.expose()))
}

/// What was removed meanwhile is told as what it is to whoever has its token.
fn gone(error: Error) -> Error {
    match error {
        Error::Problem { .. } => invalid_token(),
        error => error,
    }
}
