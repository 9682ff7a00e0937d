//! `inspect`: one connection, with its history.

use model::{Clock as _, SystemClock, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::view::{Account, Connection, scopes};
use super::{Desk, End, ToolArgs};
use crate::cli::times;

/// How much of the history is shown, and with `--verbose`.
const SHOWN: usize = 10;
const SHOWN_VERBOSE: usize = 200;

/// What happened to the connection.
#[derive(Deserialize)]
struct Event {
    at: Timestamp,
    #[serde(rename = "event")]
    name: String,
    outcome: String,
    reason: Option<String>,
    actor: String,
}

pub(super) async fn run(desk: &Desk, args: &ToolArgs) -> anyhow::Result<End> {
    let found = desk.door.get(&args.path("")).await?;
    let history = args.path("/history");
    let join = if history.contains('?') { '&' } else { '?' };
    let limit = if desk.screen.verbose { SHOWN_VERBOSE } else { SHOWN };
    let history = desk.door.get(&format!("{history}{join}limit={limit}")).await?;
    let history = history["events"].clone();
    desk.screen.object(json!({ "connection": found, "history": history }))?;
    let connection: Connection = Desk::read(&found)?;
    let now = SystemClock.now();
    desk.screen.item(connection.mark(), &args.name(), 0, &connection.state())?;
    desk.screen.line("")?;
    desk.screen.facts(&facts(&connection, now))?;
    let events: Vec<Event> = Desk::read(&history)?;
    if !events.is_empty() {
        desk.screen.line("")?;
        desk.screen.line("History, newest first")?;
    }
    for event in events {
        let at = times::relative(now, event.at);
        let head = format!("  {at:<12}");
        desk.screen.paragraph(&head, &" ".repeat(14), &event.said(desk.screen.verbose))?;
    }
    Ok(End::Done)
}

fn facts(connection: &Connection, now: Timestamp) -> Vec<(&'static str, String)> {
    let time = |at: Timestamp| times::with_exact(now, at);
    let account = connection.account.as_ref().map_or_else(|| "not known".to_owned(), Account::said);
    let mut facts = vec![("account", account)];
    facts.push(("connected", format!("{} by {}", time(connection.connected_at), &connection.connected_by)));
    if let Some(at) = connection.disconnected_at {
        let by = connection.disconnected_by.as_deref().unwrap_or("somebody");
        facts.push(("disconnected", format!("{} by {}", time(at), by)));
        return facts;
    }
    let refreshed = connection.refreshed_at.map_or_else(|| "not yet".to_owned(), time);
    let end = connection.expires_at.map_or_else(|| "not known".to_owned(), time);
    facts.push(("access token", format!("ends: {end}")));
    facts.push(("refresh token", if connection.has_refresh_token { "yes" } else { "no" }.to_owned()));
    facts.push(("refreshed", refreshed));
    if let Some(due) = connection.refresh_due_at {
        facts.push(("due", time(due)));
    }
    if let Some(end) = connection.grant_ends_at {
        facts.push(("grant ends", time(end)));
    }
    facts.push(("scopes", connection.granted()));
    if !connection.scopes_missing.is_empty() {
        facts.push(("not granted", scopes(&connection.scopes_missing)));
    }
    if !connection.scopes_drift.is_empty() {
        facts.push(("newly asked", scopes(&connection.scopes_drift)));
    }
    facts.push(("last error", connection.last_error.as_deref().unwrap_or("none").to_owned()));
    facts
}

impl Event {
    fn said(&self, verbose: bool) -> String {
        let what = self.name.split_once('.').map_or(&*self.name, |(_, deed)| deed).replace('_', " ");
        let why = self.reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        let outcome = if self.outcome == "success" { String::new() } else { format!(", {}", &self.outcome) };
        let when = if verbose { format!("  {}", self.at) } else { String::new() };
        format!("{what}{why}{outcome}, by {}{when}", &self.actor)
    }
}
