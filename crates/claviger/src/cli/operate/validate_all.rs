//! `validate-all`: do the providers take the tokens?

use clap::Args;
use hyper::Method;
use model::SubjectId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::view::named;
use super::{Desk, End};
use crate::cli::door::DoorArgs;
use crate::cli::screen::Mark;

/// How many are asked with one request: small, so that the progress moves.
const PAGE: usize = 25;

#[derive(Args)]
pub(in crate::cli) struct ValidateAllArgs {
    /// Of this subject alone
    #[arg(long, visible_alias = "subject", value_name = "ID")]
    user: Option<SubjectId>,
    #[command(flatten)]
    pub(super) door: DoorArgs,
}

/// What a provider said.
#[derive(Deserialize)]
struct Row {
    subject: String,
    integration: String,
    label: String,
    outcome: String,
    status: Option<u16>,
}

impl Row {
    fn name(&self) -> String {
        format!("{} of {}", named(&self.integration, &self.label), self.subject)
    }

    fn mark(&self) -> Mark {
        match self.outcome.as_str() {
            "valid" => Mark::Good,
            "unsupported" => Mark::None,
            _ => Mark::Bad,
        }
    }

    fn said(&self) -> String {
        let status = self.status.map(|status| format!(" ({status})")).unwrap_or_default();
        match self.outcome.as_str() {
            "valid" => format!("valid{status}"),
            "invalid" => format!("refused by the provider{status}, and a fresh one too"),
            "unknown" => format!("the provider did not say{status}"),
            "unsupported" => "the provider can't be asked".to_owned(),
            "reconnect_required" => "broken; the person must connect again".to_owned(),
            other => other.to_owned(),
        }
    }
}

pub(super) async fn run(desk: &Desk, args: &ValidateAllArgs) -> anyhow::Result<End> {
    let of = args.user.as_ref().map(|user| format!("&subject={user}")).unwrap_or_default();
    let mut found: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    let mut ended = None;
    loop {
        desk.screen.progress(&format!("asking the providers… {} done", found.len()));
        let from = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/api/connections/validate?limit={PAGE}{of}{from}");
        let mut page = match desk.door.call(Method::POST, &path, None).await {
            Ok(page) => page,
            Err(error) if found.is_empty() => return Err(error),
            Err(error) => {
                ended = Some(error);
                break;
            }
        };
        if let Some(Value::Array(rows)) = page.get_mut("validations").map(Value::take) {
            found.extend(rows);
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    desk.screen.progress_over();
    let mut rows: Vec<Row> = Desk::read(&Value::Array(found.clone()))?;
    rows.sort_by_key(|row| (row.subject.clone(), row.integration.clone(), row.label.clone()));
    let bad = rows.iter().filter(|row| row.mark() == Mark::Bad).count();
    desk.screen.object(json!({ "validations": found, "bad": bad, "complete": ended.is_none() }))?;
    if rows.is_empty() {
        desk.screen.line("Nothing is connected.")?;
    }
    let columns = rows.iter().map(|row| row.name().chars().count()).max().unwrap_or_default();
    for row in &rows {
        desk.screen.item(row.mark(), &row.name(), columns, &row.said())?;
    }
    if let Some(error) = ended {
        desk.screen.line(&format!("The rest was not asked: {error:#}"))?;
        return Ok(End::CouldNotRun);
    }
    if bad > 0 {
        desk.screen.line(&format!("{bad} of {} did not pass.", rows.len()))?;
        return Ok(End::BadNews);
    }
    Ok(End::Done)
}
