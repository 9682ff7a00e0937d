//! `refresh`: now, even when nothing is due.

use hyper::Method;
use model::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::view::Connection;
use super::{Desk, End, ToolArgs};
use crate::cli::times;

pub(super) async fn run(desk: &Desk, args: &ToolArgs) -> anyhow::Result<End> {
    let began = SystemClock.now();
    let mut steps = Vec::new();
    let show = |step: &Value| {
        steps.push(step.clone());
        let what = told(step);
        if desk.screen.verbose {
            let head = format!("{:>9}  ", times::millis(step["elapsedMs"].as_u64().unwrap_or_default()));
            // The refresh goes on whether or not it is watched.
            let _ = desk.screen.paragraph(&head, &" ".repeat(11), &what);
        } else {
            desk.screen.progress(&what);
        }
    };
    let done = desk.door.follow(Method::POST, &args.path("/refresh"), None, show).await;
    desk.screen.progress_over();
    let found = done?;
    let mut object = json!({ "connection": found });
    if desk.screen.verbose {
        object["steps"] = steps.into();
    }
    desk.screen.object(object)?;
    let connection: Connection = Desk::read(&found)?;
    let now = SystemClock.now();
    let end = connection.expires_at.map_or_else(
        || "its end is not known".to_owned(),
        |end| format!("it ends {}", times::with_exact(now, end)),
    );
    let took = u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX);
    desk.screen.line(&format!("{} has a new token after {}; {end}.", args.name(), times::millis(took)))?;
    Ok(End::Done)
}

/// A step in words.
pub(super) fn told(step: &Value) -> String {
    let number = |name: &str| step[name].as_u64().unwrap_or_default();
    let text = |name: &str| step[name].as_str().unwrap_or_default();
    match text("step") {
        "joined" => format!("somebody else's refresh ({}) is under way; waiting for it", text("trigger")),
        "waiting" => match text("on") {
            "lease" => "another replica holds the lease; waiting".to_owned(),
            "answer" => "the answer of an earlier call may still come; waiting".to_owned(),
            other => format!("waiting for the {other}"),
        },
        "calling" => format!("calling the provider, attempt {}", number("attempt")),
        "answered" if step["error"].is_null() => {
            format!("new tokens after {}", times::millis(number("tookMs")))
        }
        "answered" => {
            let took = times::millis(number("tookMs"));
            format!("answered {} ({}) after {took}", text("error"), text("class").replace('_', " "))
        }
        "retrying" => {
            format!("waiting {} before attempt {}", times::millis(number("pauseMs")), number("attempt"))
        }
        "durable" if step["rotated"] == true => "stored, with a new refresh token".to_owned(),
        "durable" => "stored; the refresh token stays".to_owned(),
        other => other.replace('_', " "),
    }
}
