//! `key`: the keys that seal what is stored.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use hyper::Method;
use model::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use vault::MasterKey;

use super::{Desk, End};
use crate::cli::door::{DoorArgs, Way, secret_from};
use crate::cli::screen::Mark;
use crate::cli::times;
use crate::keys::{MasterKeyChange, change_master_key};
use crate::wiring;

/// By when every server that runs has read a new data key; they look every 15 seconds.
const READ_BY_ALL: Duration = Duration::from_mins(1);

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List the data keys
    List(KeyArgs),
    /// Make a new data key, seal everything anew with it, and retire what nothing uses
    Rotate(RotateArgs),
    /// Prove that every sealed value opens; exit code 1 when one does not
    Check(KeyArgs),
}

#[derive(Args)]
pub(in crate::cli) struct KeyArgs {
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct RotateArgs {
    /// Change the key of the configuration instead, to the one that is there: env:NAME, file:PATH, or - for standard
    /// input; on the store alone
    #[arg(long, value_name = "SOURCE", conflicts_with = "url")]
    new_key: Option<String>,
    #[command(flatten)]
    door: DoorArgs,
}

impl Command {
    pub(super) const fn door(&self) -> &DoorArgs {
        match self {
            Self::List(args) | Self::Check(args) => &args.door,
            Self::Rotate(args) => &args.door,
        }
    }
}

pub(super) async fn run(desk: &Desk, command: &Command) -> anyhow::Result<End> {
    match command {
        Command::List(_) => list(desk).await,
        Command::Rotate(args) => rotate(desk, args).await,
        Command::Check(_) => check(desk).await,
    }
}

async fn list(desk: &Desk) -> anyhow::Result<End> {
    let found = desk.door.get("/api/keys").await?;
    desk.screen.object(found.clone())?;
    let now = SystemClock.now();
    let time = |value: &Value| {
        let at: Option<Timestamp> = serde_json::from_value(value.clone()).ok().flatten();
        at.map_or_else(|| "-".to_owned(), |at| times::relative(now, at))
    };
    let row = |key: &Value| {
        let state = if key["current"] == true { "seals" } else { "opens" };
        vec![key["version"].to_string(), state.to_owned(), time(&key["createdAt"]), time(&key["spreadAt"])]
    };
    let rows: Vec<Vec<String>> = found["keys"].as_array().into_iter().flatten().map(row).collect();
    desk.screen.table(&["VERSION", "STATE", "MADE", "EVERYWHERE SINCE"], &rows)?;
    Ok(End::Done)
}

async fn rotate(desk: &Desk, args: &RotateArgs) -> anyhow::Result<End> {
    if let Some(source) = &args.new_key {
        return change(desk, args, &master_key("--new-key", source)?).await;
    }
    let done = desk.door.follow(Method::POST, "/api/keys/rotate", None, |step| show(desk, step)).await;
    desk.screen.progress_over();
    let done = done?;
    desk.screen.object(done.clone())?;
    let unreadable = tables(desk, &done, "resealed")?;
    desk.screen.line(&format!("Everything is sealed with data key {} from now on.", done["version"]))?;
    for version in done["retired"].as_array().into_iter().flatten() {
        desk.screen.line(&format!("Data key {version} is retired: nothing used it any more."))?;
    }
    for kept in done["kept"].as_array().into_iter().flatten() {
        desk.screen.line(&format!("Data key {} stays: {}", kept["version"], why(kept)))?;
    }
    if unreadable > 0 {
        let text = format!("{unreadable} values do not open; `claviger key check` names them.");
        desk.screen.verdict(Mark::Bad, &text)?;
        return Ok(End::BadNews);
    }
    Ok(End::Done)
}

fn master_key(option: &str, source: &str) -> anyhow::Result<MasterKey> {
    let secret = secret_from(option, source)?;
    MasterKey::parse(secret.expose()).with_context(|| option.to_owned())
}

/// Wraps the data keys with another key of the configuration.
async fn change(desk: &Desk, args: &RotateArgs, new: &MasterKey) -> anyhow::Result<End> {
    let Way::Here(here) = &desk.door.way else {
        bail!("--new-key works on the store alone: name it with --config or --data-dir");
    };
    let (store, now) = (&here.wired.store, SystemClock.now());
    let made = store.keyring.all().await?.last().and_then(|newest| newest.created_at);
    if let Some(age) = made.map(|made| now.since(made)).filter(|age| *age < READ_BY_ALL) {
        // Wrapped with the new key, a server that has not read it yet could open nothing that is sealed with it.
        bail!(
            "the newest data key is {} old, and servers that run may not have read it yet; try again in a minute",
            times::span(age)
        );
    }
    let old = wiring::check(&args.door.config.load()?)?.master;
    let done = change_master_key(store, &old, new, now).await?;
    let changed = matches!(done, MasterKeyChange::Changed { .. });
    desk.screen.object(json!({ "keyChanged": changed }))?;
    desk.screen.line(if changed {
        "The store has the new key: set `key` to it now. Servers that run go on with what they hold, and do not start again \
         with the old one."
    } else {
        "The store has this key already."
    })?;
    Ok(End::Done)
}

/// Why an older key stays.
fn why(kept: &Value) -> String {
    match kept["reason"].as_str().unwrap_or_default() {
        "too_recent" => {
            let until: Option<Timestamp> = serde_json::from_value(kept["until"].clone()).ok().flatten();
            let until = until.map(|until| times::with_exact(SystemClock.now(), until)).unwrap_or_default();
            format!(
                "another process may still seal with it; it is retired by a running server, or by this command, {until}."
            )
        }
        "in_use" => format!("{} values are sealed with it.", kept["count"]),
        "calls_open" => {
            format!("{} calls of providers are open whose answers may be sealed with it.", kept["count"])
        }
        other => format!("{other}."),
    }
}

async fn check(desk: &Desk) -> anyhow::Result<End> {
    let found = desk.door.follow(Method::POST, "/api/keys/check", None, |step| show(desk, step)).await;
    desk.screen.progress_over();
    let found = found?;
    desk.screen.object(found.clone())?;
    let unreadable = tables(desk, &found, "versions")?;
    for value in found["values"].as_array().into_iter().flatten() {
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        let why = match value["why"].as_str().unwrap_or_default() {
            "format" => "was never sealed, or is cut".to_owned(),
            "unknown_key" => format!("names data key {}, which is not there", value["version"]),
            _ => "was changed, or moved here from another row".to_owned(),
        };
        desk.screen.item(
            Mark::Bad,
            &format!("{} {} {}", text("table"), text("row"), text("field")),
            0,
            &why,
        )?;
    }
    if unreadable > 0 {
        desk.screen.line(&format!("{unreadable} values do not open."))?;
        return Ok(End::BadNews);
    }
    desk.screen.line("Every sealed value opens.")?;
    Ok(End::Done)
}

/// How far it has come.
fn show(desk: &Desk, step: &Value) {
    if step["step"] == "table" {
        let of = step["total"].as_u64().map(|total| format!(" of {total}")).unwrap_or_default();
        let table = step["table"].as_str().unwrap_or_default();
        desk.screen.progress(&format!("{table}: {}{of} rows", step["done"]));
    }
}

/// What was found in each table; answers how many values do not open.
fn tables(desk: &Desk, found: &Value, member: &str) -> anyhow::Result<u64> {
    let mut unreadable = 0;
    let mut rows = Vec::new();
    for table in found["tables"].as_array().into_iter().flatten() {
        let bad = table["unreadable"].as_u64().unwrap_or_default();
        unreadable += bad;
        let said = match &table[member] {
            Value::Object(versions) if versions.is_empty() => "-".to_owned(),
            Value::Object(versions) => versions
                .iter()
                .map(|(version, count)| format!("{count} by {version}"))
                .collect::<Vec<_>>()
                .join(", "),
            other => other.to_string(),
        };
        let name = table["table"].as_str().unwrap_or_default();
        rows.push(vec![name.to_owned(), table["rows"].to_string(), said, bad.to_string()]);
    }
    let third = if member == "versions" { "VALUES BY KEY" } else { "SEALED ANEW" };
    desk.screen.table(&["TABLE", "ROWS", third, "DO NOT OPEN"], &rows)?;
    Ok(unreadable)
}
