//! Applications: found by their client id, registered, changed, given another secret, removed.
//!
//! An application of the configuration file lies in memory and can be changed only there; all others are rows.

use std::time::Duration;

use model::{
    AccessTokenFormat, Actor, ApplicationSettings, AuditEvent, ClientAuthentication, ClientId, GrantType,
    Outcome, ProblemCode, RedirectUri, Scopes, Secret, Timestamp,
};
use serde::Deserialize;
use store::applications::{Application, ApplicationSecret, Registrar};
use url::Url;
use vault::TokenHash;

use crate::scope::STANDARD;
use crate::signing::LONGEST_SIGNED;
use crate::{Error, Grant, Result, Settings};

/// The longest name and the longest consent text, in characters.
const MAX_NAME: usize = 80;
const MAX_TEXT: usize = 500;
/// How many redirect URIs, scopes and origins an application may have.
const MAX_LIST: usize = 50;
/// The longest origin, in octets: a name of DNS with scheme and port.
const MAX_ORIGIN: usize = 300;
/// The longest and shortest lives, in seconds: ten seconds and ten years.
const LIVES: std::ops::RangeInclusive<u32> = 10..=315_360_000;
/// The longest leeway, in seconds. Beyond that an answer is kept too long.
const MAX_LEEWAY: u32 = 300;
/// The shortest secret that may be imported, in characters.
const MIN_SECRET: usize = 16;
/// How many secrets are live at once.
const MAX_SECRETS: usize = 2;

/// An application of the configuration file.
#[derive(Debug, Clone)]
pub struct Configured {
    /// What it may do.
    pub settings: ApplicationSettings,
    /// Its secrets, by their hashes.
    pub secrets: Vec<TokenHash>,
}

/// An application that was found, wherever it is registered.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name for itself.
    pub id: ClientId,
    /// How it came to be.
    pub registrar: Registrar,
    /// What it may do.
    pub settings: ApplicationSettings,
    /// Its secrets that are good now, by their hashes.
    pub(crate) secrets: Vec<TokenHash>,
}

/// An application that is to be registered.
#[derive(Debug, Clone)]
pub struct NewApplication {
    /// The client id, where it exists already; else one is made.
    pub client_id: Option<ClientId>,
    /// The secret, where it exists already.
    pub secret: Option<Secret<String>>,
    /// What it may do.
    pub settings: ApplicationSettings,
}

/// An application with its secret: this once.
#[derive(Debug)]
pub struct Registered {
    /// The application.
    pub application: Application,
    /// Its secret, where it was made here.
    pub secret: Option<Secret<String>>,
}

/// What an application is, where little is said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// What every client library can do.
    #[default]
    Plain,
    /// What Zapier's scaffold needs.
    Zapier,
}

impl Profile {
    /// The settings of such an application.
    pub fn settings(self, name: &str, redirect_uris: Vec<RedirectUri>) -> ApplicationSettings {
        match self {
            Self::Plain => plain(name, redirect_uris),
            Self::Zapier => zapier(name, redirect_uris),
        }
    }
}

/// The settings of an application about which nothing is said.
pub fn plain(name: &str, redirect_uris: Vec<RedirectUri>) -> ApplicationSettings {
    ApplicationSettings {
        name: name.to_owned(),
        redirect_uris,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        authentication: ClientAuthentication::Secret,
        jwks: None,
        scopes: Scopes::default(),
        access_token_format: AccessTokenFormat::Opaque,
        access_token_ttl: None,
        refresh_token_idle: None,
        refresh_token_ttl: None,
        refresh_leeway: None,
        access_token_prefix: "cat_".to_owned(),
        refresh_token_prefix: "crt_".to_owned(),
        require_pkce: true,
        redirect_uri_optional: false,
        consent_text: None,
        homepage: None,
        cors_origins: Vec::new(),
        login: None,
        serves: Vec::new(),
    }
}

/// The same for Zapier: its scaffold uses no PKCE and leaves the redirect URI out of its token request, and its editor calls from
/// the browser.
pub fn zapier(name: &str, redirect_uris: Vec<RedirectUri>) -> ApplicationSettings {
    ApplicationSettings {
        access_token_prefix: "zat_".to_owned(),
        refresh_token_prefix: "zrt_".to_owned(),
        require_pkce: false,
        redirect_uri_optional: true,
        homepage: Some("https://zapier.com".to_owned()),
        cors_origins: vec!["https://zapier.com".to_owned()],
        ..plain(name, redirect_uris)
    }
}

impl Client {
    /// Whether this is one of its secrets; each comparison takes the same time (and it is one of hashes).
    pub(crate) fn has_secret(&self, secret: &str) -> bool {
        let hash = TokenHash::of(secret);
        self.secrets.contains(&hash)
    }

    /// Whether people are asked every time it comes by this address, though they agreed before: the application can't prove who it
    /// is, and the address is not one that only its owner can answer at (RFC 8252 §8.6). One that the operator has not looked at may
    /// change itself, and with that who is answered, as often as it likes.
    pub fn is_asked_about_every_time(&self, redirect_uri: &str) -> bool {
        let own = self.settings.redirect_uris.iter().find(|own| own.admits(redirect_uri));
        let may_be_anybody = self.settings.is_public() && own.is_none_or(RedirectUri::is_native);
        may_be_anybody || !self.is_looked_at()
    }

    /// Whether the operator has registered it.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.registrar == Registrar::Operator
    }

    /// Its access tokens' life.
    pub(crate) fn access_token_ttl(&self, grant: &Grant) -> Duration {
        seconds(self.settings.access_token_ttl).unwrap_or(grant.parts.settings.access_token_ttl)
    }

    /// Its refresh tokens' life when they are not used.
    pub(crate) fn refresh_token_idle(&self, grant: &Grant) -> Duration {
        seconds(self.settings.refresh_token_idle).unwrap_or(grant.parts.settings.refresh_token_idle)
    }

    /// Its families' life.
    pub(crate) fn refresh_token_ttl(&self, grant: &Grant) -> Duration {
        seconds(self.settings.refresh_token_ttl).unwrap_or(grant.parts.settings.refresh_token_ttl)
    }

    /// How long a spent refresh token brings the same answer again.
    pub(crate) fn refresh_leeway(&self, grant: &Grant) -> Duration {
        seconds(self.settings.refresh_leeway).unwrap_or(grant.parts.settings.refresh_leeway)
    }
}

fn seconds(number: Option<u32>) -> Option<Duration> {
    number.map(|number| Duration::from_secs(number.into()))
}

impl Grant {
    /// The application of that client id.
    pub async fn client(&self, id: &str) -> Result<Option<Client>> {
        let Ok(id) = id.parse::<ClientId>() else { return Ok(None) };
        if let Some(configured) = self.parts.settings.applications.get(id.as_str()) {
            let Configured { settings, secrets } = configured.clone();
            return Ok(Some(Client { id, registrar: Registrar::Operator, settings, secrets }));
        }
        let Some(row) = self.store().applications.get(&id).await? else { return Ok(None) };
        // What the operator does not take any more is unknown: it gets nothing more, and what it has ends by itself.
        let mcp = &self.parts.settings.mcp;
        let is_taken = match row.registrar {
            Registrar::Operator => true,
            Registrar::Itself => mcp.enabled,
            Registrar::Document => mcp.documents,
        };
        Ok(is_taken.then(|| self.client_of(row)))
    }

    pub(crate) fn client_of(&self, row: Application) -> Client {
        let secrets = live_secrets(&row.secrets, self.now());
        Client { id: row.client_id, registrar: row.registrar, settings: row.settings, secrets }
    }

    /// Registers an application.
    pub async fn register(&self, new: NewApplication, by: Actor) -> Result<Registered> {
        let settings = new.settings;
        self.parts.settings.check_application(&settings)?;
        if new.secret.is_some() && settings.authentication != ClientAuthentication::Secret {
            return Err(Error::field("clientSecret", "an application of this kind has none"));
        }
        if let Some(secret) = &new.secret {
            check_secret(secret.expose())?;
        }
        let client_id = match new.client_id {
            Some(id) => own_id(id)?,
            None => made_id()?,
        };
        let now = self.now();
        let (secret, made) = match (settings.authentication, new.secret) {
            (ClientAuthentication::Secret, Some(secret)) => (Some(secret), false),
            (ClientAuthentication::Secret, None) => (Some(made_secret()), true),
            _ => (None, false),
        };
        let application = Application {
            client_id: client_id.clone(),
            settings,
            secrets: secret.iter().map(|secret| kept(secret, now)).collect(),
            registrar: Registrar::Operator,
            registration_token: None,
            auth_method: None,
            fresh_until: None,
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        let is_configured = self.parts.settings.applications.contains_key(client_id.as_str());
        if is_configured || !self.store().applications.create(&application).await? {
            return Err(Error::problem(ProblemCode::ClientIdTaken));
        }
        let event = AuditEvent::new(now, "application.created", Outcome::Success, by).target(&client_id);
        self.remember(event.fact("name", application.settings.name.clone())).await?;
        Ok(Registered { application, secret: secret.filter(|_| made) })
    }

    /// One that is a row.
    pub async fn application(&self, id: &ClientId) -> Result<Application> {
        if self.parts.settings.applications.contains_key(id.as_str()) {
            return Err(Error::problem(ProblemCode::ApplicationInConfiguration));
        }
        let found = self.store().applications.get(id).await?;
        found.ok_or_else(|| Error::problem(ProblemCode::ApplicationNotFound))
    }

    /// Changes what an application may do. What it has been given stays: tokens and consents.
    pub async fn change(
        &self,
        id: &ClientId,
        change: impl Fn(&mut ApplicationSettings) + Send + Sync,
        by: Actor,
    ) -> Result<Application> {
        let changed = self
            .replace(id, |row| {
                if row.registrar == Registrar::Document {
                    return Err(Error::problem(ProblemCode::ApplicationHasDocument));
                }
                let before = row.settings.authentication;
                change(&mut row.settings);
                self.parts.settings.check_application(&row.settings)?;
                if row.settings.authentication != before {
                    return Err(Error::field(
                        "authentication",
                        "can't be changed; register another application",
                    ));
                }
                Ok(())
            })
            .await?;
        let event = AuditEvent::new(self.now(), "application.changed", Outcome::Success, by).target(id);
        self.remember(event).await?;
        Ok(changed)
    }

    /// Gives an application another secret; the one before goes on for `overlap`.
    pub async fn rotate_secret(
        &self,
        id: &ClientId,
        secret: Option<Secret<String>>,
        overlap: Duration,
        by: Actor,
    ) -> Result<Registered> {
        let made = secret.is_none();
        if let Some(secret) = &secret {
            check_secret(secret.expose())?;
        }
        let secret = secret.unwrap_or_else(made_secret);
        let now = self.now();
        let application = self
            .replace(id, |row| {
                if row.settings.authentication != ClientAuthentication::Secret {
                    return Err(Error::problem(ProblemCode::ApplicationHasNoSecret));
                }
                let ends = now + overlap;
                row.secrets.retain(|secret| is_live(secret, now));
                for secret in &mut row.secrets {
                    secret.expires_at = Some(secret.expires_at.map_or(ends, |own| own.min(ends)));
                }
                row.secrets.retain(|secret| is_live(secret, now));
                row.secrets.insert(0, kept(&secret, now));
                row.secrets.truncate(MAX_SECRETS);
                Ok(())
            })
            .await?;
        let event = AuditEvent::new(now, "application.secret_rotated", Outcome::Success, by).target(id);
        self.remember(event).await?;
        Ok(Registered { application, secret: made.then_some(secret) })
    }

    /// Removes an application with everything that it was given.
    pub async fn remove_application(&self, id: &ClientId, by: Actor) -> Result<()> {
        self.application(id).await?;
        if !self.store().applications.remove(id).await? {
            return Err(Error::problem(ProblemCode::ApplicationNotFound));
        }
        let event = AuditEvent::new(self.now(), "application.removed", Outcome::Success, by).target(id);
        self.remember(event).await
    }

    /// Changes a row; begins anew when somebody was faster.
    pub(crate) async fn replace(
        &self,
        id: &ClientId,
        change: impl Fn(&mut Application) -> Result<()> + Send + Sync,
    ) -> Result<Application> {
        loop {
            let mut row = self.application(id).await?;
            change(&mut row)?;
            row.revision += 1;
            row.updated_at = self.now();
            if self.store().applications.replace(&row).await? {
                return Ok(row);
            }
        }
    }
}

impl Settings {
    /// All scopes of the product.
    pub fn all_scopes(&self) -> Scopes {
        self.scopes.keys().cloned().collect()
    }

    /// What every application must keep to, and that it names only what there is.
    pub fn check_application(&self, settings: &ApplicationSettings) -> Result<()> {
        check(settings)?;
        let is_known = |resource: &String| *resource == self.issuer || self.resources.contains(resource);
        if !settings.serves.iter().all(is_known) || settings.serves.len() > MAX_LIST {
            return Err(Error::field("serves", "names a resource that is not in grant.resources"));
        }
        let backends = self.login.names();
        let are_on = |names: &Vec<String>| {
            !names.is_empty()
                && names.len() <= backends.len()
                && names.iter().all(|name| backends.contains(&name.as_str()))
        };
        if !settings.login.as_ref().is_none_or(are_on) {
            let rule =
                format!("names something else than the login back ends that are on: {}", backends.join(", "));
            return Err(Error::field("login", rule));
        }
        let unknown = |scope: &&str| !self.scopes.contains_key(*scope);
        if let Some(scope) = settings.scopes.iter().find(unknown) {
            return Err(Error::field("scopes", format!("{scope:?} is not in [grant.scopes]")));
        }
        Ok(())
    }
}

/// Whether a secret is still good.
pub fn is_live(secret: &ApplicationSecret, now: Timestamp) -> bool {
    secret.expires_at.is_none_or(|end| end > now)
}

fn live_secrets(secrets: &[ApplicationSecret], now: Timestamp) -> Vec<TokenHash> {
    secrets
        .iter()
        .filter(|secret| is_live(secret, now))
        .filter_map(|s| TokenHash::from_hex(&s.hash))
        .collect()
}

pub(crate) fn kept(secret: &Secret<String>, now: Timestamp) -> ApplicationSecret {
    ApplicationSecret { hash: TokenHash::of(secret.expose()).to_hex(), created_at: now, expires_at: None }
}

pub(crate) fn made_secret() -> Secret<String> {
    Secret::new(format!("cvs_{}", vault::random::token().expose()))
}

pub(crate) fn made_id() -> Result<ClientId> {
    let text = format!("app_{}", data_encoding::HEXLOWER.encode(&vault::random::octets::<16>()));
    text.parse().map_err(|error: model::InvalidId| Error::field("clientId", error.rule))
}

/// A client id that somebody else made. One that looks like a user's id would make tokens that can be taken for a user's (RFC 9700
/// §4.15), one that looks like an address is that of a document, and a path of the API can't end in dots.
pub fn own_id(id: ClientId) -> Result<ClientId> {
    let text = id.as_str();
    if matches!(text, "." | "..") {
        return Err(Error::field("clientId", "must be more than dots"));
    }
    if text.starts_with("usr_") || text.contains(':') {
        let rule = "must neither look like a user's id nor like an address, and have no colon";
        return Err(Error::field("clientId", rule));
    }
    Ok(id)
}

/// An imported secret is kept like one that was made here, by one fast hash, so it must not be guessable.
pub fn check_secret(secret: &str) -> Result<()> {
    let length = secret.chars().count();
    let visible = secret.bytes().all(|b| matches!(b, 0x20..=0x7e));
    if !(MIN_SECRET..=255).contains(&length) || !visible {
        return Err(Error::field("clientSecret", "use 16 to 255 visible ASCII characters, random ones"));
    }
    Ok(())
}

/// What every application must keep to, wherever it is registered.
fn check(settings: &ApplicationSettings) -> Result<()> {
    let refuse = |field, rule: &str| Err(Error::field(field, rule));
    let text_is_bad = |text: &str, max: usize| {
        text.trim().is_empty() || text.chars().count() > max || text.chars().any(char::is_control)
    };
    if text_is_bad(&settings.name, MAX_NAME) {
        return refuse("name", "use 1 to 80 characters");
    }
    if settings.consent_text.as_deref().is_some_and(|text| text_is_bad(text, MAX_TEXT)) {
        return refuse("consentText", "use 1 to 500 characters");
    }
    let code = settings.allows(GrantType::AuthorizationCode);
    if settings.grant_types.is_empty() {
        return refuse("grantTypes", "name at least one");
    }
    if settings.grant_types.len() > GrantType::ALL.len() {
        return refuse("grantTypes", "name each once");
    }
    if settings.redirect_uris.len() > MAX_LIST {
        return refuse("redirectUris", "name at most 50");
    }
    if code && settings.redirect_uris.is_empty() {
        return refuse("redirectUris", "name at least one, or leave authorization_code out of grantTypes");
    }
    if settings.allows(GrantType::RefreshToken) && !code {
        return refuse("grantTypes", "refresh_token goes with authorization_code");
    }
    if settings.is_public() {
        if settings.allows(GrantType::ClientCredentials) {
            return refuse(
                "grantTypes",
                "client_credentials needs an application that proves who it is (RFC 6749 §4.4)",
            );
        }
        if !settings.require_pkce {
            return refuse("requirePkce", "a public application can't do without (RFC 9700 §2.1.1)");
        }
        if settings.redirect_uri_optional {
            return refuse("redirectUriOptional", "is for applications that prove who they are");
        }
    }
    match (settings.authentication, &settings.jwks) {
        (ClientAuthentication::PrivateKeyJwt, Some(jwks)) => {
            if let Err(error) = vault::check_jwks(jwks) {
                return refuse("jwks", &error.to_string());
            }
        }
        (ClientAuthentication::PrivateKeyJwt, None) => {
            return refuse("jwks", "private_key_jwt needs public keys");
        }
        (_, Some(_)) => return refuse("jwks", "goes with private_key_jwt"),
        (_, None) => {}
    }
    let scopes_are_good = settings.scopes.is_well_formed()
        && settings.scopes.iter().count() <= MAX_LIST
        && settings.scopes.iter().all(|scope| !scope.contains(',') && !STANDARD.contains(&scope));
    if !scopes_are_good {
        return refuse("scopes", "name the product's own scopes, at most 50, without commas");
    }
    for (field, life) in [
        ("accessTokenTtl", settings.access_token_ttl),
        ("refreshTokenIdle", settings.refresh_token_idle),
        ("refreshTokenTtl", settings.refresh_token_ttl),
    ] {
        if life.is_some_and(|life| !LIVES.contains(&life)) {
            return refuse(field, "use 10 seconds to 10 years");
        }
    }
    let life = settings.access_token_ttl.map(|life| Duration::from_secs(life.into()));
    if settings.access_token_format == AccessTokenFormat::Jwt && life > Some(LONGEST_SIGNED) {
        return refuse(
            "accessTokenTtl",
            "use at most a day where tokens are signed: keys are published no longer",
        );
    }
    if settings.refresh_leeway.is_some_and(|leeway| leeway > MAX_LEEWAY) {
        return refuse("refreshLeeway", "use at most 300 seconds");
    }
    for (field, prefix) in [
        ("accessTokenPrefix", &settings.access_token_prefix),
        ("refreshTokenPrefix", &settings.refresh_token_prefix),
    ] {
        if !vault::token_family::is_prefix(prefix) {
            return refuse(field, "use at most 16 characters of A-Z a-z 0-9 _");
        }
    }
    if settings.access_token_prefix == settings.refresh_token_prefix
        && !settings.refresh_token_prefix.is_empty()
    {
        return refuse("refreshTokenPrefix", "must differ from accessTokenPrefix");
    }
    if settings.homepage.as_deref().is_some_and(|homepage| !is_https(homepage)) {
        return refuse("homepage", "must be an https address");
    }
    if settings.cors_origins.len() > MAX_LIST || !settings.cors_origins.iter().all(|origin| is_origin(origin))
    {
        return refuse("corsOrigins", "name at most 50 origins such as https://app.example.com");
    }
    Ok(())
}

fn is_https(text: &str) -> bool {
    text.len() <= 2000 && Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host())
}

/// An origin as browsers send it (RFC 6454 §6.2).
fn is_origin(text: &str) -> bool {
    let is_own =
        |url: Url| matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == text;
    text.len() <= MAX_ORIGIN && Url::parse(text).is_ok_and(is_own)
}
