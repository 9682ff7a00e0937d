//! `portal`: links to pages.

use clap::{Args, Subcommand};
use hyper::Method;
use model::{Clock as _, IntegrationId, PortalSessionId, SubjectId, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::{Desk, End};
use crate::cli::door::DoorArgs;
use crate::cli::times;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Make a link, and mail it with --email
    Create(CreateArgs),
    /// List the links, without the links themselves
    List(ListArgs),
    /// Show one
    Show(IdArgs),
    /// Mail an invitation again, with a new link in place of the old one
    Resend(IdArgs),
    /// Withdraw a link: it works no more
    Remove(IdArgs),
}

#[derive(Args)]
pub(in crate::cli) struct CreateArgs {
    /// Whose page
    #[arg(long, visible_alias = "subject", value_name = "ID")]
    user: SubjectId,
    /// Which page: onboarding, settings, stripe
    #[arg(long, default_value = "onboarding")]
    page: String,
    /// What may be connected there; may be repeated; everything without
    #[arg(long = "integration", value_name = "NAME")]
    integrations: Vec<IntegrationId>,
    /// Where the browser goes in the end; must be on the list of connect.return_to
    #[arg(long, value_name = "URL")]
    return_to: Option<String>,
    /// Mail the link to this address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The language of the mail: en or et
    #[arg(long)]
    language: Option<String>,
    /// How long the link works, such as 10m or 2d
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<String>,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    /// Of this subject alone
    #[arg(long, visible_alias = "subject", value_name = "ID")]
    user: Option<SubjectId>,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct IdArgs {
    /// The portal session's id
    id: PortalSessionId,
    #[command(flatten)]
    door: DoorArgs,
}

impl Command {
    pub(super) const fn door(&self) -> &DoorArgs {
        match self {
            Self::Create(args) => &args.door,
            Self::List(args) => &args.door,
            Self::Show(args) | Self::Resend(args) | Self::Remove(args) => &args.door,
        }
    }
}

pub(super) async fn run(desk: &Desk, command: &Command) -> anyhow::Result<End> {
    let one = |id: &PortalSessionId| format!("/api/portal-sessions/{id}");
    match command {
        Command::Create(args) => {
            let made = desk.door.call(Method::POST, "/api/portal-sessions", Some(&body(args))).await?;
            desk.screen.object(made.clone())?;
            desk.screen.line(made["url"].as_str().unwrap_or_default())?;
        }
        Command::List(args) => {
            let of = args.user.as_ref().map(|user| format!("?subject={user}")).unwrap_or_default();
            let found = desk.all(&format!("/api/portal-sessions{of}"), "portalSessions").await?;
            let rows: Vec<Vec<String>> = found.iter().map(row).collect();
            desk.screen.object(json!({ "portalSessions": found }))?;
            if rows.is_empty() {
                desk.screen.line("No link yet: `claviger portal create` makes one.")?;
            } else {
                desk.screen.table(&["ID", "SUBJECT", "PAGE", "STATE", "EXPIRES", "MAIL"], &rows)?;
            }
        }
        Command::Show(args) => {
            let found = desk.door.get(&one(&args.id)).await?;
            show(desk, &found)?;
        }
        Command::Resend(args) => {
            let path = format!("{}/resend", one(&args.id));
            let found = desk.door.call(Method::POST, &path, None).await?;
            show(desk, &found)?;
        }
        Command::Remove(args) => {
            let found = desk.door.call(Method::DELETE, &one(&args.id), None).await?;
            show(desk, &found)?;
        }
    }
    Ok(End::Done)
}

fn body(args: &CreateArgs) -> Value {
    let mut body = json!({ "subject": args.user, "page": args.page });
    if !args.integrations.is_empty() {
        body["integrations"] = json!(args.integrations);
    }
    let optional = [
        ("returnTo", &args.return_to),
        ("email", &args.email),
        ("language", &args.language),
        ("expiresIn", &args.expires_in),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value.as_str().into();
        }
    }
    body
}

fn show(desk: &Desk, found: &Value) -> anyhow::Result<()> {
    desk.screen.object(found.clone())?;
    let names = ["id", "subject", "page", "state", "expires", "mail"];
    desk.screen.facts(&names.into_iter().zip(row(found)).collect::<Vec<_>>())
}

fn row(found: &Value) -> Vec<String> {
    let text = |name: &str| found[name].as_str().unwrap_or("-").to_owned();
    let expires: Option<Timestamp> = serde_json::from_value(found["expiresAt"].clone()).ok();
    let expires = expires.map_or_else(String::new, |at| times::relative(SystemClock.now(), at));
    vec![text("id"), text("subject"), text("page"), text("status"), expires, text("mail")]
}
