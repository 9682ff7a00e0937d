//! `[grant.login]`: the back ends at which people sign in to our own authorization server.

use std::collections::BTreeMap;
use std::time::Duration;

use connect::return_to::is_loopback;
use grant::login::LoginSettings;
use grant::login::claims::TeamClaims;
use grant::login::gotrue::GotrueLogin;
use grant::login::handoff::HandoffLogin;
use grant::login::http::HttpLogin;
use grant::login::oidc::{ClaimNames, EMAIL, OidcLogin};
use grant::login::{gotrue, handoff, http, local};
use model::{Scopes, Secret};
use serde::Deserialize;
use url::Url;
use vault::shared::MIN_SECRET;

use super::ConfigError;
use super::duration::HumanDuration;
use super::secret::SecretSource;

/// The longest that passwords may be hashed at the same time.
const MOST_HASHES: usize = 64;
/// The longest that a person may be kept waiting for a back end.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Names that other ways have.
const RESERVED: [&str; 5] = [local::NAME, gotrue::NAME, http::NAME, handoff::NAME, "link"];
/// Claims that say who somebody is just now, and may say it of somebody else later.
const PASSED_ON: [&str; 7] =
    ["email", "mail", "preferred_username", "upn", "unique_name", "nickname", "name"];
/// How long the product's check may take that says nothing else.
const USUAL_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Login {
    pub local: bool,
    pub hashes_at_once: Option<usize>,
    pub gotrue: Option<Gotrue>,
    pub http: Option<HttpCheck>,
    pub handoff: Option<Handoff>,
    #[serde(default)]
    pub oidc: BTreeMap<String, Oidc>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Handoff {
    pub url: String,
    pub secret: SecretSource,
    pub label: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Oidc {
    pub issuer: String,
    pub client_id: SecretSource,
    pub client_secret: Option<SecretSource>,
    pub scopes: Option<Vec<String>>,
    pub label: Option<String>,
    #[serde(default)]
    pub claims: Claims,
    pub trust_email: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Claims {
    pub id: Option<String>,
    pub email: Option<String>,
    pub name: Option<String>,
    pub teams: Option<Teams>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Gotrue {
    pub url: String,
    pub api_key: SecretSource,
    pub teams: Option<Teams>,
    pub magic_link: Option<bool>,
}

/// Where teams stand: the name of a claim, or that and the names of what stands in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "the name of a claim, or { claim = \"teams\", id = \"id\", name = \"name\", role = \"role\" }"
)]
pub enum Teams {
    /// A claim with the usual names in it.
    Claim(String),
    /// A claim with other names in it.
    Named(NamedTeams),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct NamedTeams {
    pub claim: String,
    pub id: Option<String>,
    pub name: Option<String>,
    pub role: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct HttpCheck {
    pub url: String,
    pub secret: SecretSource,
    pub timeout: Option<HumanDuration>,
}

/// What the plane needs.
pub fn settings(own: &Login, warnings: &mut Vec<String>) -> Result<LoginSettings, ConfigError> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let hashes_at_once = own.hashes_at_once.unwrap_or(cores);
    if !(1..=MOST_HASHES).contains(&hashes_at_once) {
        let mend = "write a number from 1 to 64; each takes a core and 19 MiB";
        return Err(ConfigError::setting("grant.login.hashes_at_once", format!("is {hashes_at_once}"), mend));
    }
    let settings = LoginSettings {
        local: own.local,
        hashes_at_once,
        gotrue: own.gotrue.as_ref().map(|own| supabase(own, warnings)).transpose()?,
        http: own.http.as_ref().map(|own| product(own, warnings)).transpose()?,
        handoff: own.handoff.as_ref().map(|own| takes_over(own, warnings)).transpose()?,
        oidc: own.oidc.iter().map(|(name, own)| provider(name, own, warnings)).collect::<Result<_, _>>()?,
    };
    if settings.names().is_empty() {
        warnings.push("nobody can sign in: grant.login.local is off, and no other way is on".to_owned());
    }
    Ok(settings)
}

fn supabase(own: &Gotrue, warnings: &mut Vec<String>) -> Result<GotrueLogin, ConfigError> {
    let mend = "write the address of its API, such as \"https://….supabase.co/auth/v1\"";
    let url = plain_address("grant.login.gotrue.url", &own.url, mend)?;
    Ok(GotrueLogin {
        url: url.trim_end_matches('/').to_owned(),
        api_key: header("grant.login.gotrue.api_key", &own.api_key, warnings)?,
        teams: own.teams.as_ref().map(|own| teams("grant.login.gotrue.teams", own)).transpose()?,
        magic_link: own.magic_link.unwrap_or(false),
    })
}

fn takes_over(own: &Handoff, warnings: &mut Vec<String>) -> Result<HandoffLogin, ConfigError> {
    label_of("grant.login.handoff.label", &own.label)?;
    Ok(HandoffLogin {
        url: address("grant.login.handoff.url", &own.url)?,
        secret: shared_secret("grant.login.handoff.secret", &own.secret, warnings)?,
        label: own.label.clone(),
    })
}

fn provider(name: &str, own: &Oidc, warnings: &mut Vec<String>) -> Result<OidcLogin, ConfigError> {
    let key = |field: &str| format!("grant.login.oidc.{name}{field}");
    let is_name = (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if !is_name || RESERVED.contains(&name) {
        let mend = format!("use up to 40 of a-z 0-9 _ -, and none of {}", RESERVED.join(", "));
        return Err(ConfigError::setting(&key(""), "is no name for a login back end", mend));
    }
    let mend = "write it as the provider's document does (OpenID Connect Discovery §3)";
    let issuer = plain_address(&key(".issuer"), &own.issuer, mend)?;
    let scopes = match &own.scopes {
        None => ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        Some(scopes) => scopes.clone(),
    };
    if !scopes.iter().any(|scope| scope == "openid") || !Scopes::from(scopes.clone()).is_well_formed() {
        let mend = "list scope tokens of RFC 6749 §3.3, openid among them";
        return Err(ConfigError::setting(&key(".scopes"), "is not what such a provider can be asked", mend));
    }
    let label = own.label.clone().unwrap_or_else(|| name.to_owned());
    label_of(&key(".label"), &label)?;
    let usual = |field: &str, own: Option<&String>, usual: &str| {
        let claim = own.map_or(usual, String::as_str).to_owned();
        claim_name(&key(&format!(".claims.{field}")), &claim).map(|()| claim)
    };
    let claims = ClaimNames {
        id: usual("id", own.claims.id.as_ref(), "sub")?,
        email: usual("email", own.claims.email.as_ref(), "email")?,
        name: usual("name", own.claims.name.as_ref(), "name")?,
        teams: own.claims.teams.as_ref().map(|own| teams(&key(".claims.teams"), own)).transpose()?,
    };
    // Their names may be addresses, or lead inwards.
    let last = claims.id.rsplit(['.', '/']).next().unwrap_or_default();
    if PASSED_ON.contains(&last) || claims.id == claims.email {
        let mend = "leave it at \"sub\"; addresses and names pass from one person to another, and people change them";
        return Err(ConfigError::setting(&key(".claims.id"), "does not stay with one person", mend));
    }
    if claims.email != EMAIL && own.trust_email != Some(true) {
        let mend = "leave it at \"email\", or set trust_email = true if nobody can write somebody else's address there";
        let problem = "is a claim of which email_verified says nothing";
        return Err(ConfigError::setting(&key(".claims.email"), problem, mend));
    }
    let client_id = own.client_id.resolve().map_err(|error| {
        ConfigError::setting(&key(".client_id"), error, "write the client id that the provider gave")
    })?;
    let secret = own.client_secret.as_ref().map(|own| resolve(&key(".client_secret"), own, warnings));
    Ok(OidcLogin {
        name: name.to_owned(),
        label,
        issuer,
        client_id: client_id.secret.expose().clone(),
        client_secret: secret.transpose()?,
        scopes,
        claims,
        trust_email: own.trust_email.unwrap_or(false),
    })
}

/// What a button says.
fn label_of(key: &str, label: &str) -> Result<(), ConfigError> {
    let length = label.trim().chars().count();
    if !(1..=50).contains(&length) || label.chars().any(char::is_control) {
        let mend = "write up to 50 characters, such as \"Google\"; the button says \"Continue with Google\"";
        return Err(ConfigError::setting(key, "is empty or too long", mend));
    }
    Ok(())
}

fn teams(key: &str, own: &Teams) -> Result<TeamClaims, ConfigError> {
    let named = match own.clone() {
        Teams::Claim(claim) => NamedTeams { claim, id: None, name: None, role: None },
        Teams::Named(named) => named,
    };
    let usual = |own: Option<String>, usual: &str| own.unwrap_or_else(|| usual.to_owned());
    let (id, name) = (usual(named.id, "id"), usual(named.name, "name"));
    let claims = TeamClaims { claim: named.claim, id, name, role: usual(named.role, "role") };
    for claim in [&claims.claim, &claims.id, &claims.name, &claims.role] {
        claim_name(key, claim)?;
    }
    Ok(claims)
}

fn claim_name(key: &str, name: &str) -> Result<(), ConfigError> {
    if name.is_empty() || name.len() > 200 {
        let mend = "write the name of a claim in up to 200 characters";
        return Err(ConfigError::setting(key, format!("{name:?} is none"), mend));
    }
    Ok(())
}

/// A secret that goes into a header.
fn header(
    key: &str,
    source: &SecretSource,
    warnings: &mut Vec<String>,
) -> Result<Secret<String>, ConfigError> {
    let secret = resolve(key, source, warnings)?;
    let is_good = !secret.expose().is_empty() && secret.expose().bytes().all(|b| b.is_ascii_graphic());
    if is_good {
        Ok(secret)
    } else {
        Err(ConfigError::setting(key, "is empty, or has other characters than such a key has", "correct it"))
    }
}

fn product(own: &HttpCheck, warnings: &mut Vec<String>) -> Result<HttpLogin, ConfigError> {
    Ok(HttpLogin {
        url: plain_address("grant.login.http.url", &own.url, "what proves that we call is `secret`")?,
        secret: shared_secret("grant.login.http.secret", &own.secret, warnings)?,
        timeout: timeout("grant.login.http.timeout", own.timeout)?,
    })
}

/// The same without a query.
fn plain_address(key: &str, text: &str, mend: &str) -> Result<String, ConfigError> {
    let url = address(key, text)?;
    if url.contains('?') { Err(ConfigError::setting(key, "has a query", mend)) } else { Ok(url) }
}

/// An address that people's secrets may be sent to. What is wrong with it is told without it: it may have a secret where none belongs.
fn address(key: &str, text: &str) -> Result<String, ConfigError> {
    let mend = "write an https address, or http on loopback; without user, password and fragment";
    let refused = |problem: &str| ConfigError::setting(key, problem, mend);
    let url = Url::parse(text).map_err(|error| refused(&format!("is no address: {error}")))?;
    if !url.has_host() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(refused("has no host, or more than an address here may have"));
    }
    match url.scheme() {
        "https" => Ok(text.to_owned()),
        "http" if is_loopback(&url) => Ok(text.to_owned()),
        _ => Err(refused("is not https")),
    }
}

fn resolve(
    key: &str,
    source: &SecretSource,
    warnings: &mut Vec<String>,
) -> Result<Secret<String>, ConfigError> {
    let mend = "name its place: \"env:NAME\" or \"file:PATH\"";
    let resolved = source.resolve().map_err(|error| ConfigError::setting(key, error, mend))?;
    if resolved.literal {
        warnings.push(format!("{key} stands in the configuration itself; move it to env: or file:"));
    }
    Ok(resolved.secret)
}

/// A secret that messages are signed with.
fn shared_secret(
    key: &str,
    source: &SecretSource,
    warnings: &mut Vec<String>,
) -> Result<Secret<String>, ConfigError> {
    let secret = resolve(key, source, warnings)?;
    if secret.expose().len() < MIN_SECRET {
        let problem = format!("is shorter than {MIN_SECRET} characters");
        return Err(ConfigError::setting(key, problem, "make one with `openssl rand -hex 32`"));
    }
    Ok(secret)
}

fn timeout(key: &str, own: Option<HumanDuration>) -> Result<Duration, ConfigError> {
    let timeout = own.map_or(USUAL_TIMEOUT, |own| own.0);
    if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
        return Err(ConfigError::setting(key, "is zero or over 30 seconds", "write \"5s\", for example"));
    }
    Ok(timeout)
}
