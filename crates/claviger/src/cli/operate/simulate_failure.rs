//! `simulate-failure`: how it looks when a grant dies, for real, and everything is as before.

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::{Desk, End, ToolArgs};
use crate::cli::screen::Mark;
use crate::cli::times;

#[derive(Args)]
pub(in crate::cli) struct SimulateFailureArgs {
    #[command(flatten)]
    pub(super) tool: ToolArgs,
    /// Do it although the provider may end the whole grant for it
    #[arg(long)]
    yes_really: bool,
}

pub(super) async fn run(desk: &Desk, args: &SimulateFailureArgs) -> anyhow::Result<End> {
    desk.screen.line(&format!("Playing the death of the grant of {}.", args.tool.name()))?;
    let mut steps = Vec::new();
    let show = |step: &Value| {
        let head = format!("{:>9}  ", times::millis(step["elapsedMs"].as_u64().unwrap_or_default()));
        // It goes on, and restores, whether or not it is watched.
        let _ = desk.screen.paragraph(&head, &" ".repeat(11), &told(step));
        steps.push(step.clone());
    };
    let order = json!({ "yesReally": args.yes_really });
    let path = args.tool.path("/simulate-failure");
    let played = desk.door.follow(Method::POST, &path, Some(&order), show).await?;
    let mut object = played.clone();
    object["steps"] = steps.into();
    desk.screen.object(object)?;
    let (mark, verdict) = verdict(&played);
    desk.screen.verdict(mark, verdict)?;
    if played["restored"] != true {
        desk.screen.verdict(
            Mark::Bad,
            "Not everything is as before yet; a running server puts it back within a minute.",
        )?;
        return Ok(End::BadNews);
    }
    Ok(if mark == Mark::Good { End::Done } else { End::BadNews })
}

/// What it showed, in a sentence.
fn verdict(played: &Value) -> (Mark, &'static str) {
    match played["outcome"].as_str().unwrap_or_default() {
        "dead" if played["attempts"] == 1 => (
            Mark::Good,
            "The provider refused, nothing was retried, nothing crashed, and everything is as before.",
        ),
        "dead" => {
            (Mark::Good, "The provider refused in the end, nothing crashed, and everything is as before.")
        }
        "tokens" => (
            Mark::Bad,
            "The provider gave tokens for a refresh token that it never issued; they were dropped.",
        ),
        "unavailable" => {
            (Mark::Waiting, "The provider said nothing of the grant; try again when it answers.")
        }
        "configuration" => (Mark::Bad, "The provider refuses our app, so nothing can be said of the grant."),
        "overtaken" => (Mark::Waiting, "New tokens came from elsewhere meanwhile; they stay."),
        _ => (Mark::Waiting, "It ended otherwise than this version knows."),
    }
}

fn told(step: &Value) -> String {
    let text = |name: &str| step[name].as_str().unwrap_or_default();
    match step["step"].as_str().unwrap_or_default() {
        "set_aside" => "the refresh token is set aside; an invalid one stands in its place".to_owned(),
        "backend_gets" => match step["code"].as_str() {
            Some(code) => {
                let reason = step["reason"].as_str().map(|reason| format!(", {reason}"));
                format!("the backend gets: {} {}{}", step["status"], code, reason.unwrap_or_default())
            }
            None => format!("the backend gets: {} and a token", step["status"]),
        },
        "page_says" => format!("the page says: {}", text("page")),
        "restored" => "token and state are as before".to_owned(),
        _ => super::refresh::told(step),
    }
}
