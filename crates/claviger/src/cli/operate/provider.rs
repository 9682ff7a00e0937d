//! `provider`: what the catalog knows.

use clap::{Args, Subcommand};
use model::ProviderId;
use serde_json::Value;

use super::{Desk, End};
use crate::cli::door::DoorArgs;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List the providers
    List(ListArgs),
    /// Show what is known of one
    Show(ShowArgs),
}

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct ShowArgs {
    /// The catalog entry, such as zoho_crm
    id: ProviderId,
    #[command(flatten)]
    door: DoorArgs,
}

impl Command {
    pub(super) const fn door(&self) -> &DoorArgs {
        match self {
            Self::List(args) => &args.door,
            Self::Show(args) => &args.door,
        }
    }
}

pub(super) async fn run(desk: &Desk, command: &Command) -> anyhow::Result<End> {
    match command {
        Command::List(_) => {
            let answer = desk.door.get("/api/providers").await?;
            desk.screen.object(answer.clone())?;
            let rows = answer["providers"].as_array().into_iter().flatten();
            let rows: Vec<Vec<String>> = rows
                .map(|row| ["id", "displayName", "category", "group"].map(|name| text(&row[name])).to_vec())
                .collect();
            desk.screen.table(&["ID", "NAME", "CATEGORY", "GROUP"], &rows)?;
        }
        Command::Show(args) => {
            let found = desk.door.get(&format!("/api/providers/{}", args.id)).await?;
            desk.screen.object(found.clone())?;
            let names = [
                ("id", "id"),
                ("name", "displayName"),
                ("category", "category"),
                ("group", "group"),
                ("documentation", "documentation"),
                ("scopes", "defaultScopes"),
                ("regions", "regions"),
            ];
            let mut facts: Vec<(&str, String)> =
                names.iter().map(|(said, name)| (*said, text(&found[*name]))).collect();
            let parameters = found["parameters"].as_object().into_iter().flatten();
            facts.extend(parameters.map(|(name, meaning)| (name.as_str(), text(meaning))));
            desk.screen.facts(&facts)?;
            let notes = found["unverified"].as_array().into_iter().flatten();
            for (index, note) in notes.enumerate() {
                if index == 0 {
                    desk.screen.line("")?;
                    desk.screen.line("Not verified:")?;
                }
                desk.screen.paragraph("- ", "  ", &text(note))?;
            }
        }
    }
    Ok(End::Done)
}

/// A member as a person reads it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}
