//! `[grant]` and `[applications.NAME]`: our own authorization server, and who may ask it.

use std::collections::BTreeMap;
use std::time::Duration;

use grant::application::{self, Configured, Profile};
use grant::limits::Policies;
use grant::protect::Protected;
use grant::signing::{LONGEST_SIGNED, SigningSettings};
use grant::{Endpoint, McpSettings, ScopeText, Settings};
use http_plane::router::TAKEN;
use model::{
    AccessTokenFormat, ApplicationSettings, ClientAuthentication, ClientId, GrantType, RedirectUri, Scopes,
};
use serde::Deserialize;
use store::limits::Quota;
use url::Url;
use vault::TokenHash;
use vault::signing::SigningAlgorithm;

use super::duration::HumanDuration;
use super::login::{self, Login};
use super::secret::SecretSource;
use super::{Config, ConfigError};

/// The longest that a code may live (RFC 6749 §4.1.2).
const LONGEST_CODE: Duration = Duration::from_mins(10);
/// The longest that an answer may be kept for whoever asks again.
const LONGEST_LEEWAY: Duration = Duration::from_mins(5);
/// The longest window of a limit.
const LONGEST_WINDOW: Duration = Duration::from_hours(24);
/// The shortest that an application is kept that came by itself: as long as a person may take to decide.
const SHORTEST_UNUSED: Duration = Duration::from_hours(1);
/// The most of these: they are gone through when another comes.
const MOST_UNUSED: u32 = 100_000;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Grant {
    pub code_ttl: HumanDuration,
    pub access_token_ttl: HumanDuration,
    pub refresh_token_idle: HumanDuration,
    pub refresh_token_ttl: HumanDuration,
    pub refresh_leeway: HumanDuration,
    pub authorization_ttl: HumanDuration,
    pub sign_in_ttl: HumanDuration,
    pub resources: Vec<String>,
    pub aliases: BTreeMap<String, Endpoint>,
    pub signing: Signing,
    pub login: Login,
    pub mcp: Mcp,
    pub limits: Limits,
    pub scopes: BTreeMap<String, ScopeWords>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Signing {
    pub algorithm: String,
    pub rotate_every: HumanDuration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Mcp {
    pub enabled: bool,
    pub registration: bool,
    pub client_id_metadata_documents: bool,
    pub allow_private: Vec<String>,
    pub redirect_hosts: Vec<String>,
    pub scopes: Option<Vec<String>>,
    pub unused_for: HumanDuration,
    pub max_unused: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Limits {
    pub login_account: HumanQuota,
    pub login_address: HumanQuota,
    pub client: HumanQuota,
    pub client_address: HumanQuota,
    pub authorize: HumanQuota,
    pub introspect: HumanQuota,
    pub register: HumanQuota,
    pub document: HumanQuota,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct ScopeWords {
    pub en: String,
    pub et: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Application {
    pub profile: Option<Profile>,
    pub name: Option<String>,
    pub client_id: SecretSource,
    pub client_secret: Option<SecretSource>,
    pub previous_client_secret: Option<SecretSource>,
    #[serde(default)]
    pub redirect_uris: Vec<RedirectUri>,
    pub grant_types: Option<Vec<GrantType>>,
    pub access_token_format: Option<AccessTokenFormat>,
    pub scopes: Option<Vec<String>>,
    pub public: Option<bool>,
    pub jwks: Option<serde_json::Map<String, serde_json::Value>>,
    pub access_token_ttl: Option<HumanDuration>,
    pub refresh_token_idle: Option<HumanDuration>,
    pub refresh_token_ttl: Option<HumanDuration>,
    pub refresh_leeway: Option<HumanDuration>,
    pub access_token_prefix: Option<String>,
    pub refresh_token_prefix: Option<String>,
    pub require_pkce: Option<bool>,
    pub redirect_uri_optional: Option<bool>,
    pub login: Option<Vec<String>>,
    pub consent_text: Option<String>,
    pub homepage: Option<String>,
    pub cors_origins: Option<Vec<String>>,
    pub serves: Option<Vec<String>>,
}

/// How often something may happen: a number, `per`, and a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HumanQuota(pub Quota);

/// A text that is no quota.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no limit; write a number from 1 to 128, per, and a duration of at most a day: \"10 per 15m\""
)]
pub struct InvalidQuota(String);

impl TryFrom<String> for HumanQuota {
    type Error = InvalidQuota;

    fn try_from(text: String) -> Result<Self, InvalidQuota> {
        let read = || {
            let (count, window) = text.split_once(" per ")?;
            let window = HumanDuration::try_from(window.to_owned()).ok()?.0;
            if window > LONGEST_WINDOW {
                return None;
            }
            Quota::new(count.parse().ok()?, window).ok()
        };
        read().map(Self).ok_or_else(|| InvalidQuota(text.clone()))
    }
}

/// What the plane needs.
pub fn settings(
    config: &Config,
    issuer: &str,
    protected: &[Protected],
    warnings: &mut Vec<String>,
) -> Result<Settings, ConfigError> {
    let own = &config.grant;
    for (key, value, longest) in [
        ("grant.code_ttl", own.code_ttl, Some(LONGEST_CODE)),
        ("grant.access_token_ttl", own.access_token_ttl, Some(LONGEST_SIGNED)),
        ("grant.refresh_token_idle", own.refresh_token_idle, None),
        ("grant.refresh_token_ttl", own.refresh_token_ttl, None),
        ("grant.authorization_ttl", own.authorization_ttl, None),
        ("grant.sign_in_ttl", own.sign_in_ttl, None),
        ("grant.signing.rotate_every", own.signing.rotate_every, None),
    ] {
        if value.0 < Duration::from_secs(10) {
            return Err(ConfigError::setting(key, "is shorter than ten seconds", "write a longer one"));
        }
        if longest.is_some_and(|longest| value.0 > longest) {
            return Err(ConfigError::setting(key, "is too long", "write a shorter one"));
        }
    }
    if own.refresh_leeway.0 > LONGEST_LEEWAY {
        let mend = "write at most \"5m\"; \"0s\" turns it off";
        return Err(ConfigError::setting("grant.refresh_leeway", "is too long", mend));
    }
    let mut resources = Vec::new();
    for resource in &own.resources {
        let is_good = Url::parse(resource).is_ok_and(|url| url.fragment().is_none()) && resource.len() <= 500;
        if !is_good {
            let mend = "write absolute addresses without fragment (RFC 8707 §2)";
            return Err(ConfigError::setting("grant.resources", format!("{resource:?} is none"), mend));
        }
        resources.push(resource.clone());
    }
    for own in protected {
        if !resources.contains(&own.resource) {
            resources.push(own.resource.clone());
        }
    }
    let algorithm = SigningAlgorithm::from_word(&own.signing.algorithm).ok_or_else(|| {
        let problem = format!("{:?} is no algorithm that is known here", own.signing.algorithm);
        ConfigError::setting("grant.signing.algorithm", problem, "write \"RS256\", \"ES256\" or \"EdDSA\"")
    })?;
    let scopes = scopes(&own.scopes)?;
    let mut settings = Settings {
        issuer: issuer.to_owned(),
        mcp: mcp(&own.mcp, &scopes)?,
        scopes,
        resources,
        aliases: aliases(&own.aliases, protected)?,
        protected: protected.to_vec(),
        applications: BTreeMap::new(),
        code_ttl: own.code_ttl.0,
        access_token_ttl: own.access_token_ttl.0,
        refresh_token_idle: own.refresh_token_idle.0,
        refresh_token_ttl: own.refresh_token_ttl.0,
        refresh_leeway: own.refresh_leeway.0,
        authorization_ttl: own.authorization_ttl.0,
        sign_in_ttl: own.sign_in_ttl.0,
        login: login::settings(&own.login, warnings)?,
        signing: SigningSettings { algorithm, rotate_every: own.signing.rotate_every.0 },
        limits: Policies {
            login_account: own.limits.login_account.0,
            login_address: own.limits.login_address.0,
            client: own.limits.client.0,
            client_address: own.limits.client_address.0,
            authorize: own.limits.authorize.0,
            introspect: own.limits.introspect.0,
            register: own.limits.register.0,
            document: own.limits.document.0,
        },
    };
    for (name, application) in &config.applications {
        let (id, configured) = configured(name, application, &settings, warnings)?;
        if settings.applications.insert(id.to_string(), configured).is_some() {
            let key = format!("applications.{name}.client_id");
            return Err(ConfigError::setting(&key, "is another application's too", "give each its own"));
        }
    }
    Ok(settings)
}

fn aliases(
    own: &BTreeMap<String, Endpoint>,
    protected: &[Protected],
) -> Result<BTreeMap<String, Endpoint>, ConfigError> {
    for path in own.keys() {
        let is_plain = path.len() <= 200
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b))
            && !path.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."));
        let is_protected =
            protected.iter().any(|own| format!("{path}/").starts_with(&format!("{}/", own.path)));
        let first = path.strip_prefix('/').and_then(|rest| rest.split('/').next());
        if !is_plain || is_protected || first.is_none_or(|first| TAKEN.contains(&first)) {
            let problem = format!("{path:?} can't be one");
            let mend =
                "write a path that nothing else here has, such as \"/functions/v1/zapier-oauth-token\"";
            return Err(ConfigError::setting("grant.aliases", problem, mend));
        }
    }
    Ok(own.clone())
}

fn mcp(own: &Mcp, known: &BTreeMap<String, ScopeText>) -> Result<McpSettings, ConfigError> {
    let scopes = own.scopes.clone().unwrap_or_else(|| known.keys().cloned().collect());
    if let Some(scope) = scopes.iter().find(|scope| !known.contains_key(*scope)) {
        let mend = "name scopes of [grant.scopes]";
        return Err(ConfigError::setting("grant.mcp.scopes", format!("{scope:?} is not there"), mend));
    }
    if own.unused_for.0 < SHORTEST_UNUSED {
        let problem = "is shorter than an hour, in which a person may still be signing in";
        return Err(ConfigError::setting("grant.mcp.unused_for", problem, "write \"1h\" or longer"));
    }
    if !(1..=MOST_UNUSED).contains(&own.max_unused) {
        let mend = format!("write a number from 1 to {MOST_UNUSED}");
        return Err(ConfigError::setting("grant.mcp.max_unused", format!("is {}", own.max_unused), mend));
    }
    let is_host = |host: &&String| {
        !host.is_empty()
            && host.len() <= 255
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.+_:[]".contains(&b))
    };
    if let Some(host) = own.redirect_hosts.iter().find(|host| !is_host(host)) {
        let mend =
            "write hosts such as \"claude.ai\" or \"127.0.0.1\", or schemes such as \"com.example.app:\"";
        return Err(ConfigError::setting("grant.mcp.redirect_hosts", format!("{host:?} is none"), mend));
    }
    Ok(McpSettings {
        enabled: own.enabled,
        registration: own.enabled && own.registration,
        documents: own.enabled && own.client_id_metadata_documents,
        redirect_hosts: own.redirect_hosts.clone(),
        scopes: Scopes::from(scopes),
        unused_for: own.unused_for.0,
        max_unused: own.max_unused,
    })
}

fn scopes(words: &BTreeMap<String, ScopeWords>) -> Result<BTreeMap<String, ScopeText>, ConfigError> {
    let mut scopes = BTreeMap::new();
    for (name, words) in words {
        let key = format!("grant.scopes.{name}");
        let is_scope = Scopes::from(vec![name.clone()]).is_well_formed() && !name.contains(',');
        if !is_scope || name.len() > 100 || grant::scope::STANDARD.contains(&name.as_str()) {
            let mend = "use a scope token of RFC 6749 §3.3 without a comma, and none of OpenID Connect's own";
            return Err(ConfigError::setting(&key, "is no name for a scope", mend));
        }
        for (language, text) in [("en", &words.en), ("et", &words.et)] {
            if text.trim().is_empty() || text.chars().count() > 200 {
                let key = format!("{key}.{language}");
                let mend = "say in up to 200 characters what it allows, as in \"Read your reports\"";
                return Err(ConfigError::setting(&key, "is empty or too long", mend));
            }
        }
        scopes.insert(name.clone(), ScopeText { en: words.en.clone(), et: words.et.clone() });
    }
    Ok(scopes)
}

fn configured(
    name: &str,
    own: &Application,
    settings: &Settings,
    warnings: &mut Vec<String>,
) -> Result<(ClientId, Configured), ConfigError> {
    let key = |field: &str| format!("applications.{name}.{field}");
    let mut resolve = |field: &str, source: &SecretSource, secret: bool| {
        let resolved = source.resolve().map_err(|error| {
            ConfigError::setting(&key(field), error, "provide it, or remove the application")
        })?;
        if secret && resolved.literal {
            warnings
                .push(format!("{} stands in the configuration itself; move it to env: or file:", key(field)));
        }
        Ok::<_, ConfigError>(resolved.secret)
    };
    let id = resolve("client_id", &own.client_id, false)?;
    let id: ClientId = id.expose().parse().map_err(|error: model::InvalidId| {
        ConfigError::setting(&key("client_id"), error, "write the client id that the application uses")
    })?;
    let refused = |error: grant::Error| match error {
        grant::Error::Problem { about: Some((field, rule)), .. } => {
            ConfigError::setting(&key(&snake(field)), rule, "correct it")
        }
        error => ConfigError::setting(&key("client_id"), error, "correct it"),
    };
    let id = application::own_id(id).map_err(refused)?;
    let secret =
        own.client_secret.as_ref().map(|source| resolve("client_secret", source, true)).transpose()?;
    let previous = own.previous_client_secret.as_ref();
    let previous = previous.map(|source| resolve("previous_client_secret", source, true)).transpose()?;
    let title = own.name.clone().unwrap_or_else(|| name.to_owned());
    let base = own.profile.unwrap_or_default().settings(&title, own.redirect_uris.clone());
    let authentication = match (own.public.unwrap_or(false), &own.jwks) {
        (false, None) => base.authentication,
        (false, Some(_)) => ClientAuthentication::PrivateKeyJwt,
        (true, None) => ClientAuthentication::None,
        (true, Some(_)) => {
            let problem = "a public application proves nothing";
            return Err(ConfigError::setting(&key("jwks"), problem, "remove it, or public"));
        }
    };
    let made = ApplicationSettings {
        authentication,
        jwks: own.jwks.clone().map(serde_json::Value::Object),
        grant_types: own.grant_types.clone().unwrap_or(base.grant_types),
        access_token_format: own.access_token_format.unwrap_or(base.access_token_format),
        scopes: own.scopes.clone().map_or_else(|| settings.all_scopes(), Scopes::from),
        access_token_ttl: own.access_token_ttl.map(whole_seconds),
        refresh_token_idle: own.refresh_token_idle.map(whole_seconds),
        refresh_token_ttl: own.refresh_token_ttl.map(whole_seconds),
        refresh_leeway: own.refresh_leeway.map(whole_seconds),
        access_token_prefix: own.access_token_prefix.clone().unwrap_or(base.access_token_prefix),
        refresh_token_prefix: own.refresh_token_prefix.clone().unwrap_or(base.refresh_token_prefix),
        require_pkce: own.require_pkce.unwrap_or(base.require_pkce),
        redirect_uri_optional: own.redirect_uri_optional.unwrap_or(base.redirect_uri_optional),
        login: own.login.clone(),
        consent_text: own.consent_text.clone(),
        homepage: own.homepage.clone().or(base.homepage),
        cors_origins: own.cors_origins.clone().unwrap_or(base.cors_origins),
        serves: own.serves.clone().unwrap_or_default(),
        ..base
    };
    settings.check_application(&made).map_err(refused)?;
    let has_secret = authentication == ClientAuthentication::Secret;
    let secrets = match (has_secret, secret) {
        (false, None) if previous.is_none() => Vec::new(),
        (false, _) => {
            let problem = "an application that is public or has keys has none";
            return Err(ConfigError::setting(&key("client_secret"), problem, "remove it, or the other"));
        }
        (true, None) => {
            let mend = "name its place: client_secret = \"env:…\"; or write its jwks; or say public = true";
            return Err(ConfigError::setting(&key("client_secret"), "is not set", mend));
        }
        (true, Some(secret)) => {
            let mut secrets = vec![secret];
            // While the application changes over, both are good.
            secrets.extend(previous);
            for secret in &secrets {
                application::check_secret(secret.expose()).map_err(refused)?;
            }
            secrets.iter().map(|secret| TokenHash::of(secret.expose())).collect()
        }
    };
    Ok((id, Configured { settings: made, secrets }))
}

/// What is too long for the number is too long for the rule too.
fn whole_seconds(duration: HumanDuration) -> u32 {
    duration.0.as_secs().try_into().unwrap_or(u32::MAX)
}

/// `redirectUris` as this file spells it.
fn snake(field: &str) -> String {
    field.chars().fold(String::new(), |mut name, c| {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_a_number_and_a_window() {
        let quota = HumanQuota::try_from("10 per 15m".to_owned()).unwrap().0;
        assert_eq!(Quota::new(10, Duration::from_mins(15)), Ok(quota));
        for bad in [
            "",
            "10",
            "10/15m",
            "0 per 1m",
            "129 per 1m",
            "-1 per 1m",
            "10 per ",
            "10 per 0s",
            "1 per 25h",
            "1 per 2d",
        ] {
            assert!(HumanQuota::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
