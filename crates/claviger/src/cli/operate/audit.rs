//! `audit`: what was remembered of every security-relevant act.

use std::collections::VecDeque;

use anyhow::bail;
use clap::{Args, Subcommand};
use hyper::Method;
use model::{SubjectId, WriterId};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::{Desk, End, encoded};
use crate::cli::answer;
use crate::cli::door::DoorArgs;
use crate::cli::screen::Mark;

/// How many entries are asked for at once.
const FULL: u16 = 200;

/// How many of the entries that were shown last are known again.
const REMEMBERED: usize = 2000;

/// By when the newest entry is told, unless it is dated in the future.
const SETTLES_WITHIN: Duration = Duration::from_mins(1);

/// How often new entries are asked for.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Show the newest entries, and with --follow what is added
    Tail(TailArgs),
    /// Find entries that were changed, removed or reordered; exit code 1 when there is one
    Verify(VerifyArgs),
    /// Print every entry as a line of JSON, oldest first
    Export(ExportArgs),
}

/// Which entries.
#[derive(Args)]
pub(in crate::cli) struct Which {
    /// Of this subject alone
    #[arg(long, visible_alias = "subject", value_name = "ID")]
    user: Option<SubjectId>,
    /// An event such as connection.refreshed, or a noun such as connection
    #[arg(long)]
    event: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct TailArgs {
    #[command(flatten)]
    which: Which,
    /// How many entries
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    count: u16,
    /// Go on with what is added, until Ctrl-C
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct VerifyArgs {
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    door: DoorArgs,
}

impl Command {
    pub(super) const fn door(&self) -> &DoorArgs {
        match self {
            Self::Tail(args) => &args.door,
            Self::Verify(args) => &args.door,
            Self::Export(args) => &args.door,
        }
    }
}

impl Which {
    /// The list, so many at a time.
    fn path(&self, limit: u16) -> String {
        let user = self.user.as_ref().map(|user| format!("&subject={user}")).unwrap_or_default();
        let event =
            self.event.as_deref().map(encoded).map(|event| format!("&event={event}")).unwrap_or_default();
        format!("/api/audit?limit={limit}{user}{event}")
    }
}

pub(super) async fn run(desk: &Desk, command: &Command) -> anyhow::Result<End> {
    match command {
        Command::Tail(args) => tail(desk, args).await,
        Command::Verify(_) => verify(desk).await,
        Command::Export(args) => export(desk, &args.which).await,
    }
}

async fn tail(desk: &Desk, args: &TailArgs) -> anyhow::Result<End> {
    let (mut entries, mut follow) = newest(desk, &args.which, args.count).await?;
    entries.reverse();
    if !args.follow {
        desk.screen.object(json!({ "entries": entries }))?;
        for entry in &entries {
            show(desk, entry)?;
        }
        if entries.is_empty() {
            desk.screen.line("No such entry.")?;
        }
        return Ok(End::Done);
    }
    for entry in &entries {
        add(desk, entry)?;
    }
    let path = args.which.path(FULL);
    let mut shown: VecDeque<Value> = entries.iter().map(|entry| entry["hash"].clone()).collect();
    while let Some(after) = &follow {
        let page = desk.door.get(&format!("{path}&after={}", encoded(after))).await?;
        let added = self::entries(&page);
        for entry in &added {
            // The first pages tell again what was shown at the beginning.
            if !shown.contains(&entry["hash"]) {
                add(desk, entry)?;
                shown.push_back(entry["hash"].clone());
            }
        }
        shown.drain(..shown.len().saturating_sub(REMEMBERED));
        follow = page["follow"].as_str().map(str::to_owned);
        if added.len() < usize::from(FULL) {
            sleep(FOLLOW_EVERY).await;
        }
    }
    Ok(End::Done)
}

/// The newest entries, and where to follow from. Where many others lie between them, a page of the list has fewer than were
/// asked for.
async fn newest(desk: &Desk, which: &Which, count: u16) -> anyhow::Result<(Vec<Value>, Option<String>)> {
    let path = which.path(count);
    let mut page = desk.door.get(&path).await?;
    let follow = page["follow"].as_str().map(str::to_owned);
    let mut found = entries(&page);
    while found.len() < usize::from(count)
        && let Some(cursor) = page["nextCursor"].as_str()
    {
        page = desk.door.get(&format!("{path}&cursor={}", encoded(cursor))).await?;
        found.extend(entries(&page));
    }
    found.truncate(usize::from(count));
    Ok((found, follow))
}

/// An entry of a list without end: a line of text, or a line of JSON.
fn add(desk: &Desk, entry: &Value) -> anyhow::Result<()> {
    desk.screen.object(entry.clone())?;
    show(desk, entry)
}

fn entries(page: &Value) -> Vec<Value> {
    page["entries"].as_array().cloned().unwrap_or_default()
}

fn show(desk: &Desk, entry: &Value) -> anyhow::Result<()> {
    let event = &entry["event"];
    let text = |name: &str| event[name].as_str();
    let mark = match event["outcome"].as_str() {
        Some("success") => Mark::Good,
        Some(_) => Mark::Bad,
        None => Mark::None,
    };
    let whose = text("subject").map(|subject| format!(" of {subject}")).unwrap_or_default();
    let what = text("target").map(|target| format!(" {target}")).unwrap_or_default();
    let why = text("reason").map(|reason| format!(" ({reason})")).unwrap_or_default();
    let actor = match (event["actor"]["type"].as_str(), event["actor"]["id"].as_str()) {
        (Some("api_key"), Some(id)) => id.to_owned(),
        (Some("browser"), Some(id)) => format!("browser of {id}"),
        (Some(kind), _) => kind.to_owned(),
        (None, _) => "somebody".to_owned(),
    };
    let name = text("event").unwrap_or("changed entry");
    let at = text("at").unwrap_or_default();
    desk.screen.item(mark, at, 24, &format!("{name}{what}{whose}{why}, by {actor}"))
}

async fn verify(desk: &Desk) -> anyhow::Result<End> {
    let show = |step: &Value| {
        desk.screen.progress(&format!(
            "{} entries, {} of {} chains",
            step["entries"], step["chains"], step["ofChains"]
        ));
    };
    let found = desk.door.follow(Method::POST, "/api/audit/verify", None, show).await;
    desk.screen.progress_over();
    let found = found?;
    desk.screen.object(found.clone())?;
    for one in found["breaks"].as_array().into_iter().flatten() {
        let writer = one["writer"].as_str().unwrap_or_default();
        let what = match one["what"].as_str().unwrap_or_default() {
            "changed" => "was changed",
            "missing" => "is missing or out of order",
            _ => "and what followed it is gone; another chain has seen it",
        };
        desk.screen.item(Mark::Bad, &format!("entry {} of {writer}", one["sequence"]), 0, what)?;
    }
    let (entries, chains) = (&found["entries"], &found["chains"]);
    if found["broken"].as_u64().unwrap_or_default() > 0 {
        desk.screen.line(&format!("{} of {chains} chains are broken.", found["broken"]))?;
        return Ok(End::BadNews);
    }
    desk.screen.line(&format!(
        "{entries} entries in {chains} chains, and all of them stand as they were written."
    ))?;
    Ok(End::Done)
}

/// Oldest first: a line of JSON an entry, up to the newest that there is now. That one is told a few seconds after it was
/// written, when none can come before it.
async fn export(desk: &Desk, which: &Which) -> anyhow::Result<End> {
    let (newest, _) = newest(desk, which, 1).await?;
    let Some(newest) = newest.first().map(|entry| entry["hash"].clone()) else { return Ok(End::Done) };
    let path = which.path(FULL);
    let mut moved = Instant::now();
    let mut after = format!("0.{}.0", WriterId::from([0; 16]));
    loop {
        let page = desk.door.get(&format!("{path}&after={}", encoded(&after))).await?;
        for entry in &entries(&page) {
            answer::print(&format!("{entry}\n"))?;
            if entry["hash"] == newest {
                return Ok(End::Done);
            }
        }
        match page["follow"].as_str() {
            Some(follow) if follow != after => {
                follow.clone_into(&mut after);
                moved = Instant::now();
            }
            // Nothing more has settled yet.
            _ if moved.elapsed() < SETTLES_WITHIN => sleep(FOLLOW_EVERY).await,
            _ => bail!(
                "the newest entry is dated in the future, so what follows {after} is left out; set the clocks of the servers right"
            ),
        }
    }
}
