//! `api-key`: keys of the product's backend.

use clap::{Args, Subcommand};
use hyper::Method;
use model::ApiKeyId;
use serde_json::{Value, json};

use super::{Desk, End};
use crate::cli::door::DoorArgs;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Make a key; it is shown this once
    Create(CreateArgs),
    /// List the keys
    List(ListArgs),
    /// Show one key, without the key itself
    Show(IdArgs),
    /// Make a new key with the same name and scopes, and revoke this one
    Rotate(IdArgs),
    /// Revoke a key
    Remove(IdArgs),
}

#[derive(Args)]
pub(in crate::cli) struct CreateArgs {
    /// What it is for
    #[arg(long)]
    name: String,
    /// What it may do, such as connections:token; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<String>,
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
    /// The key's id, `key_…`
    id: ApiKeyId,
    #[command(flatten)]
    door: DoorArgs,
}

impl Command {
    pub(super) const fn door(&self) -> &DoorArgs {
        match self {
            Self::Create(args) => &args.door,
            Self::List(args) => &args.door,
            Self::Show(args) | Self::Rotate(args) | Self::Remove(args) => &args.door,
        }
    }
}

pub(super) async fn run(desk: &Desk, command: &Command) -> anyhow::Result<End> {
    match command {
        Command::Create(args) => {
            let made = create(desk, &json!({ "name": args.name, "scopes": args.scopes })).await?;
            desk.screen.object(made)?;
        }
        Command::List(_) => {
            let answer = desk.door.get("/api/api-keys").await?;
            desk.screen.object(answer.clone())?;
            let rows = answer["apiKeys"].as_array().into_iter().flatten();
            let rows: Vec<Vec<String>> = rows.map(row).collect();
            if rows.is_empty() {
                desk.screen.line("No key yet: `claviger api-key create` makes one.")?;
            } else {
                desk.screen.table(&["ID", "NAME", "STATE", "SCOPES"], &rows)?;
            }
        }
        Command::Show(args) => {
            let key = find(desk, &args.id).await?;
            desk.screen.object(key.clone())?;
            let names = ["id", "name", "state", "scopes"];
            desk.screen.facts(&names.into_iter().zip(row(&key)).collect::<Vec<_>>())?;
        }
        Command::Rotate(args) => {
            let old = find(desk, &args.id).await?;
            if !old["revokedAt"].is_null() {
                anyhow::bail!(
                    "{} is revoked already; make a new one with `claviger api-key create`",
                    args.id
                );
            }
            let made = create(desk, &json!({ "name": old["name"], "scopes": old["scopes"] })).await?;
            let revoked = desk.door.call(Method::DELETE, &format!("/api/api-keys/{}", args.id), None).await;
            // The new key is told whatever became of the old one: it is shown this once.
            let mut told = made;
            told["oldRevoked"] = revoked.is_ok().into();
            desk.screen.object(told)?;
            if let Err(error) = revoked {
                desk.screen.line(&format!("{} could not be revoked, and still works: {error:#}", args.id))?;
                return Ok(End::BadNews);
            }
            desk.screen.line(&format!("{} is revoked.", args.id))?;
        }
        Command::Remove(args) => {
            desk.door.call(Method::DELETE, &format!("/api/api-keys/{}", args.id), None).await?;
            desk.screen.object(json!({ "id": args.id }))?;
            desk.screen.line(&format!("{} is revoked.", args.id))?;
        }
    }
    Ok(End::Done)
}

/// Makes a key, and shows a person the one time that it is shown.
async fn create(desk: &Desk, body: &Value) -> anyhow::Result<Value> {
    let made = desk.door.call(Method::POST, "/api/api-keys", Some(body)).await?;
    desk.screen.line(made["key"].as_str().unwrap_or_default())?;
    Ok(made)
}

async fn find(desk: &Desk, id: &ApiKeyId) -> anyhow::Result<Value> {
    let answer = desk.door.get("/api/api-keys").await?;
    let mut rows = answer["apiKeys"].as_array().into_iter().flatten();
    let found = rows.find(|row| row["id"] == id.to_string());
    found.cloned().ok_or_else(|| super::missing("api_key_not_found", &format!("No API key is named {id}.")))
}

fn row(key: &Value) -> Vec<String> {
    let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let scopes = key["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let state = if key["revokedAt"].is_null() { "good" } else { "revoked" };
    vec![text("id"), text("name"), state.to_owned(), scopes.collect::<Vec<_>>().join(" ")]
}
