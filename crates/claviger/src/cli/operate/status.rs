//! `status`: all subjects, or one.

use clap::Args;
use model::{Clock as _, SubjectId, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};

use super::view::Connection;
use super::{Desk, End};
use crate::cli::door::DoorArgs;
use crate::cli::screen::Mark;

#[derive(Args)]
pub(in crate::cli) struct StatusArgs {
    /// One subject, with everything that it has connected
    #[arg(long, visible_alias = "subject", value_name = "ID")]
    user: Option<SubjectId>,
    #[command(flatten)]
    pub(super) door: DoorArgs,
}

pub(super) async fn run(desk: &Desk, args: &StatusArgs) -> anyhow::Result<End> {
    match &args.user {
        Some(user) => one(desk, user).await,
        None => all(desk).await,
    }
}

/// A subject, in numbers.
#[derive(Deserialize)]
struct Overview {
    subject: String,
    active: u64,
    expiring: u64,
    expired: u64,
    broken: u64,
    disconnected: u64,
}

async fn all(desk: &Desk) -> anyhow::Result<End> {
    let found = desk.all("/api/subjects", "subjects").await?;
    desk.screen.object(json!({ "subjects": found }))?;
    let subjects: Vec<Overview> = Desk::read(&Value::Array(found))?;
    if subjects.is_empty() {
        desk.screen
            .line("No subject yet. One comes to be when the backend first asks for a link or a token.")?;
        return Ok(End::Done);
    }
    let head = ["SUBJECT", "CONNECTED", "EXPIRING", "EXPIRED", "BROKEN", "DISCONNECTED"];
    let row = |one: &Overview| {
        let counts = [one.active, one.expiring, one.expired, one.broken, one.disconnected];
        std::iter::once(one.subject.clone()).chain(counts.map(|count| count.to_string())).collect()
    };
    desk.screen.table(&head, &subjects.iter().map(row).collect::<Vec<_>>())?;
    Ok(End::Done)
}

async fn one(desk: &Desk, user: &SubjectId) -> anyhow::Result<End> {
    let found = desk.all(&format!("/api/connections?subject={user}"), "connections").await?;
    let status = desk.door.get(&format!("/api/oauth/status/{user}")).await?;
    let rows = status["tokens"].as_array().into_iter().flatten();
    let not_connected: Vec<&str> = rows
        .filter(|row| row["status"] == "not_connected")
        .filter_map(|row| row["provider"].as_str())
        .collect();
    desk.screen.object(json!({ "subject": user, "connections": found, "notConnected": not_connected }))?;
    let mut connections: Vec<Connection> = Desk::read(&Value::Array(found))?;
    connections.sort_by_key(Connection::name);
    let connected = connections.iter().filter(|one| one.is_connected()).count();
    let broken = connections.iter().filter(|one| one.status == "broken").count();
    let broken = if broken == 0 { String::new() } else { format!(", {broken} of them broken") };
    desk.screen.line(&format!("{user}: {connected} connected{broken}"))?;
    let now = SystemClock.now();
    let names =
        connections.iter().map(Connection::name).chain(not_connected.iter().map(|name| (*name).to_owned()));
    let columns = names.map(|name| name.chars().count()).max().unwrap_or_default();
    for one in &connections {
        desk.screen.item(one.mark(), &one.name(), columns, &one.state())?;
        if one.is_connected() {
            desk.screen.under(columns, &one.token(now))?;
            desk.screen.under(columns, &format!("scopes: {}", one.granted()))?;
        }
    }
    for name in not_connected {
        desk.screen.item(Mark::None, name, columns, "not connected")?;
    }
    Ok(End::Done)
}
