//! `app`: applications that ask our users for access.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hyper::Method;
use model::{ClientId, Clock as _, SystemClock, Timestamp};
use serde_json::{Map, Value, json};

use super::{Desk, End, encoded};
use crate::cli::door::{DoorArgs, secret_from};
use crate::cli::times;
use crate::config::HumanDuration;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Register an application; its secret is shown this once
    Create(Box<CreateArgs>),
    /// List the applications
    List(ListArgs),
    /// Show one application, without its secret
    Show(IdArgs),
    /// Give an application another secret; the one before goes on for a while
    Rotate(RotateArgs),
    /// Remove an application with every consent and token that it was given
    Remove(IdArgs),
}

#[derive(Args)]
pub(in crate::cli) struct CreateArgs {
    /// What people call it
    #[arg(long)]
    name: String,
    /// What it is: plain, or zapier [default: plain]
    #[arg(long)]
    profile: Option<String>,
    /// Where answers may go; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// What it may ask for; may be repeated [default: all of grant.scopes]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How it gets tokens, such as client_credentials; may be repeated
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<String>,
    /// Whether every request must have a code challenge (RFC 7636)
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    require_pkce: Option<bool>,
    /// It can't keep a secret: it runs in browsers or on people's machines
    #[arg(long)]
    public: bool,
    /// It signs (private_key_jwt) and has no secret: the file of its public keys (RFC 7517)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["public", "client_secret_from"])]
    jwks: Option<PathBuf>,
    /// The client id that it has already
    #[arg(long, value_name = "ID")]
    client_id: Option<ClientId>,
    /// Where the secret is that it has already: env:NAME, file:PATH, or - for standard input
    #[arg(long, value_name = "SOURCE")]
    client_secret_from: Option<String>,
    /// What the consent page says about it besides
    #[arg(long, value_name = "TEXT")]
    consent_text: Option<String>,
    /// Where people find out about it
    #[arg(long, value_name = "URL")]
    homepage: Option<String>,
    /// An origin whose scripts may call the token endpoint; may be repeated
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    cors_origins: Vec<String>,
    /// A resource that it answers for, and may introspect tokens of; may be repeated
    #[arg(long = "serves", value_name = "RESOURCE")]
    serves: Vec<String>,
    /// Its access tokens are JSON Web Tokens (RFC 9068)
    #[arg(long)]
    jwt: bool,
    /// How long access tokens live, such as 1h [default: grant.access_token_ttl]
    #[arg(long, value_name = "DURATION")]
    access_token_ttl: Option<String>,
    /// How long a refresh token lives that is not used [default: grant.refresh_token_idle]
    #[arg(long, value_name = "DURATION")]
    refresh_token_idle: Option<String>,
    /// How long refresh tokens live at most [default: grant.refresh_token_ttl]
    #[arg(long, value_name = "DURATION")]
    refresh_token_ttl: Option<String>,
    /// How long a used refresh token brings the same answer again; 0s for not at all [default: grant.refresh_leeway]
    #[arg(long, value_name = "DURATION")]
    refresh_leeway: Option<String>,
    /// What access tokens begin with
    #[arg(long, value_name = "TEXT")]
    access_token_prefix: Option<String>,
    /// What refresh tokens begin with
    #[arg(long, value_name = "TEXT")]
    refresh_token_prefix: Option<String>,
    /// The token request may leave out the redirect URI that the authorization request named
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    redirect_uri_optional: Option<bool>,
    /// A login back end that its users may come from; may be repeated [default: all]
    #[arg(long = "login", value_name = "BACKEND")]
    login: Vec<String>,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct IdArgs {
    /// The application's client id
    id: ClientId,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct RotateArgs {
    #[command(flatten)]
    id: IdArgs,
    /// How long the secret before goes on, such as 90m or 7d [default: 24h]
    #[arg(long, value_name = "DURATION")]
    overlap: Option<String>,
    /// Where the new secret is, if there is one already: env:NAME, file:PATH, or - for standard input
    #[arg(long, value_name = "SOURCE")]
    client_secret_from: Option<String>,
}

impl IdArgs {
    fn path(&self) -> String {
        format!("/api/applications/{}", encoded(self.id.as_str()))
    }
}

impl Command {
    pub(super) const fn door(&self) -> &DoorArgs {
        match self {
            Self::Create(args) => &args.door,
            Self::List(args) => &args.door,
            Self::Show(args) | Self::Remove(args) => &args.door,
            Self::Rotate(args) => &args.id.door,
        }
    }
}

pub(super) async fn run(desk: &Desk, command: &Command) -> anyhow::Result<End> {
    match command {
        Command::Create(args) => {
            let made = desk.door.call(Method::POST, "/api/applications", Some(&body(args)?)).await?;
            show(desk, &made)?;
        }
        Command::List(_) => {
            let found = desk.all("/api/applications", "applications").await?;
            let rows: Vec<Vec<String>> = found.iter().map(row).collect();
            desk.screen.object(json!({ "applications": found }))?;
            if rows.is_empty() {
                desk.screen.line("No application yet: `claviger app create` registers one.")?;
            } else {
                desk.screen.table(&["CLIENT ID", "NAME", "FROM", "PROVES ITSELF BY", "SCOPES"], &rows)?;
            }
        }
        Command::Show(args) => show(desk, &desk.door.get(&args.path()).await?)?,
        Command::Rotate(args) => {
            let mut body = Map::new();
            if let Some(overlap) = &args.overlap {
                body.insert("overlap".to_owned(), overlap.as_str().into());
            }
            if let Some(from) = &args.client_secret_from {
                let secret = secret_from("--client-secret-from", from)?;
                body.insert("clientSecret".to_owned(), secret.expose().as_str().into());
            }
            let path = format!("{}/secret", args.id.path());
            let rotated = desk.door.call(Method::POST, &path, Some(&Value::Object(body))).await?;
            show(desk, &rotated)?;
        }
        Command::Remove(args) => {
            desk.door.call(Method::DELETE, &args.path(), None).await?;
            desk.screen.object(json!({ "clientId": args.id }))?;
            let told = format!("{} is removed, with every consent and token that it was given.", args.id);
            desk.screen.line(&told)?;
        }
    }
    Ok(End::Done)
}

fn body(args: &CreateArgs) -> anyhow::Result<Value> {
    let mut body = json!({ "name": args.name });
    let list = |list: &Vec<String>| (!list.is_empty()).then(|| json!(list));
    let secret = args.client_secret_from.as_deref().map(|from| secret_from("--client-secret-from", from));
    let jwks = args.jwks.as_ref().map(|file| {
        let text = std::fs::read_to_string(file).with_context(|| format!("--jwks: {}", file.display()))?;
        serde_json::from_str::<Value>(&text).context("--jwks: the file is not JSON")
    });
    let optional = [
        ("profile", args.profile.as_deref().map(Value::from)),
        ("redirectUris", list(&args.redirect_uris)),
        ("scopes", list(&args.scopes)),
        ("grantTypes", list(&args.grant_types)),
        ("requirePkce", args.require_pkce.map(Value::from)),
        ("public", args.public.then_some(true.into())),
        ("authentication", jwks.is_some().then(|| "private_key_jwt".into())),
        ("jwks", jwks.transpose()?),
        ("clientId", args.client_id.as_ref().map(|id| id.as_str().into())),
        ("clientSecret", secret.transpose()?.map(|secret| secret.expose().as_str().into())),
        ("consentText", args.consent_text.as_deref().map(Value::from)),
        ("homepage", args.homepage.as_deref().map(Value::from)),
        ("corsOrigins", list(&args.cors_origins)),
        ("serves", list(&args.serves)),
        ("accessTokenFormat", args.jwt.then(|| "jwt".into())),
        ("accessTokenTtl", life("--access-token-ttl", args.access_token_ttl.as_deref())?),
        ("refreshTokenIdle", life("--refresh-token-idle", args.refresh_token_idle.as_deref())?),
        ("refreshTokenTtl", life("--refresh-token-ttl", args.refresh_token_ttl.as_deref())?),
        ("refreshLeeway", life("--refresh-leeway", args.refresh_leeway.as_deref())?),
        ("accessTokenPrefix", args.access_token_prefix.as_deref().map(Value::from)),
        ("refreshTokenPrefix", args.refresh_token_prefix.as_deref().map(Value::from)),
        ("redirectUriOptional", args.redirect_uri_optional.map(Value::from)),
        ("login", list(&args.login)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    Ok(body)
}

/// A life as the API has it, in seconds.
fn life(flag: &'static str, text: Option<&str>) -> anyhow::Result<Option<Value>> {
    let Some(text) = text else { return Ok(None) };
    let life = HumanDuration::try_from(text.to_owned()).context(flag)?;
    Ok(Some(life.0.as_secs().into()))
}

fn show(desk: &Desk, found: &Value) -> anyhow::Result<()> {
    desk.screen.object(found.clone())?;
    let text = |name: &str| found[name].as_str().unwrap_or("none").to_owned();
    let pkce = if found["requirePkce"] == true { "required" } else { "not required" };
    let mut facts = vec![("client id", text("clientId"))];
    if let Some(secret) = found["clientSecret"].as_str() {
        facts.push(("client secret", secret.to_owned()));
    }
    facts.extend([
        ("name", text("name")),
        ("from", text("source")),
        ("redirect uris", words(&found["redirectUris"])),
        ("scopes", words(&found["scopes"])),
        ("grant types", words(&found["grantTypes"])),
        ("proves itself by", proof(found)),
        ("code challenge", pkce.to_owned()),
        ("access tokens", text("accessTokenFormat")),
    ]);
    for (name, seconds) in [
        ("access token life", &found["accessTokenTtl"]),
        ("refresh token idle", &found["refreshTokenIdle"]),
        ("refresh token life", &found["refreshTokenTtl"]),
        ("refresh leeway", &found["refreshLeeway"]),
    ] {
        if let Some(seconds) = seconds.as_u64() {
            facts.push((name, format!("{seconds} s")));
        }
    }
    for (name, value) in [("consent text", text("consentText")), ("homepage", text("homepage"))] {
        if value != "none" {
            facts.push((name, value));
        }
    }
    for (name, list) in [("cors origins", words(&found["corsOrigins"])), ("serves", words(&found["serves"]))]
    {
        if list != "none" {
            facts.push((name, list));
        }
    }
    for secret in found["secrets"].as_array().into_iter().flatten() {
        facts.push(("secret", secret_said(secret)));
    }
    desk.screen.facts(&facts)?;
    if found["clientSecret"].is_string() {
        desk.screen.line("The secret is shown this once.")?;
    }
    Ok(())
}

/// `made 3 min ago, good until it is rotated`.
fn secret_said(secret: &Value) -> String {
    let now = SystemClock.now();
    let time = |name: &str| serde_json::from_value::<Timestamp>(secret[name].clone()).ok();
    let made = time("createdAt").map_or_else(|| "unknown".to_owned(), |at| times::relative(now, at));
    match time("expiresAt") {
        Some(end) => format!("made {made}, ends {}", times::with_exact(now, end)),
        None => format!("made {made}, good until it is rotated"),
    }
}

fn words(list: &Value) -> String {
    let words: Vec<String> =
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    super::view::scopes(&words)
}

fn proof(found: &Value) -> String {
    match found["authentication"].as_str().unwrap_or_default() {
        "client_secret" => "its secret".to_owned(),
        "private_key_jwt" => "its signature".to_owned(),
        _ => "nothing (public)".to_owned(),
    }
}

fn row(found: &Value) -> Vec<String> {
    let text = |name: &str| found[name].as_str().unwrap_or("-").to_owned();
    vec![text("clientId"), text("name"), text("source"), proof(found), words(&found["scopes"])]
}
