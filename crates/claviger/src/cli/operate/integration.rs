//! `integration`: app credentials at providers.

use clap::{Args, Subcommand};
use hyper::Method;
use model::{IntegrationId, ProviderId, SubjectId};
use serde_json::{Value, json};

use super::{Desk, End};
use crate::cli::door::{DoorArgs, secret_from};

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Set up app credentials, or change those that were set up this way
    Create(CreateArgs),
    /// List the integrations
    List(ListArgs),
    /// Show one integration, without its secret
    Show(NameArgs),
    /// Put a new client secret in place of the old one
    Rotate(RotateArgs),
    /// Remove app credentials; connections stay, and can't be refreshed without them
    Remove(NameArgs),
}

#[derive(Args)]
pub(in crate::cli) struct CreateArgs {
    #[command(flatten)]
    name: NameArgs,
    /// The catalog entry, where its name is another
    #[arg(long)]
    provider: Option<ProviderId>,
    /// The app's client id (RFC 6749 §2.2)
    #[arg(long)]
    client_id: String,
    /// Where its client secret is: env:NAME, file:PATH, or - for standard input
    #[arg(long, value_name = "SOURCE")]
    client_secret_from: Option<String>,
    /// A scope to ask for in place of the entry's; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A redirect URI in place of our own
    #[arg(long)]
    redirect_uri: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct NameArgs {
    /// The integration, such as github
    name: IntegrationId,
    /// This subject's own, in place of the instance's
    #[arg(long, visible_alias = "subject", value_name = "ID")]
    user: Option<SubjectId>,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct RotateArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Where the new client secret is: env:NAME, file:PATH, or - for standard input
    #[arg(long, value_name = "SOURCE")]
    client_secret_from: String,
}

impl NameArgs {
    fn path(&self) -> String {
        match &self.user {
            Some(user) => format!("/api/subjects/{user}/integrations/{}", self.name),
            None => format!("/api/integrations/{}", self.name),
        }
    }
}

impl Command {
    pub(super) const fn door(&self) -> &DoorArgs {
        match self {
            Self::Create(args) => &args.name.door,
            Self::List(args) => &args.door,
            Self::Show(args) | Self::Remove(args) => &args.door,
            Self::Rotate(args) => &args.name.door,
        }
    }
}

pub(super) async fn run(desk: &Desk, command: &Command) -> anyhow::Result<End> {
    match command {
        Command::Create(args) => create(desk, args).await,
        Command::List(_) => {
            let answer = desk.door.get("/api/integrations").await?;
            desk.screen.object(answer.clone())?;
            let rows: Vec<Vec<String>> =
                answer["integrations"].as_array().into_iter().flatten().map(row).collect();
            if rows.is_empty() {
                desk.screen.line("No integration yet: `claviger integration create` sets one up.")?;
            } else {
                desk.screen.table(&["NAME", "PROVIDER", "STATE", "FROM", "CLIENT ID"], &rows)?;
            }
            Ok(End::Done)
        }
        Command::Show(args) => show(desk, &desk.door.get(&args.path()).await?),
        Command::Rotate(args) => {
            let secret = secret_from("--client-secret-from", &args.client_secret_from)?;
            let body = json!({ "clientSecret": secret.expose() });
            let changed = desk.door.call(Method::PATCH, &args.name.path(), Some(&body)).await?;
            desk.screen.object(changed)?;
            desk.screen.line(&format!("{} has its new client secret.", args.name.name))?;
            Ok(End::Done)
        }
        Command::Remove(args) => {
            desk.door.call(Method::DELETE, &args.path(), None).await?;
            desk.screen.object(json!({ "id": args.name }))?;
            desk.screen.line(&format!("The app credentials of {} are removed.", args.name))?;
            Ok(End::Done)
        }
    }
}

async fn create(desk: &Desk, args: &CreateArgs) -> anyhow::Result<End> {
    let secret = args
        .client_secret_from
        .as_deref()
        .map(|from| secret_from("--client-secret-from", from))
        .transpose()?;
    let mut body = json!({ "clientId": args.client_id });
    let optional = [
        ("clientSecret", secret.map(|secret| secret.expose().clone().into())),
        ("provider", args.provider.as_ref().map(|id| id.as_str().into())),
        ("scopes", (!args.scopes.is_empty()).then(|| args.scopes.clone().into())),
        ("redirectUri", args.redirect_uri.clone().map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    let made = desk.door.call(Method::PUT, &args.name.path(), Some(&body)).await?;
    show(desk, &made)
}

fn show(desk: &Desk, found: &Value) -> anyhow::Result<End> {
    desk.screen.object(found.clone())?;
    let names = ["name", "provider", "state", "from", "client id"];
    let mut facts: Vec<(&str, String)> = names.into_iter().zip(row(found)).collect();
    let scopes = found["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    facts.push(("scopes", scopes.collect::<Vec<_>>().join(" ")));
    desk.screen.facts(&facts)?;
    Ok(End::Done)
}

fn row(found: &Value) -> Vec<String> {
    let text = |name: &str| found[name].as_str().unwrap_or("-").to_owned();
    let state = if found["available"] == true { "available" } else { "not configured" };
    vec![text("id"), text("provider"), state.to_owned(), text("source"), text("clientId")]
}
