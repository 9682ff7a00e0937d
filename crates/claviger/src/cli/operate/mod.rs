//! The commands that work on connections and what belongs to them: each is a few requests to the backend's API, and what
//! a person or a script is shown of the answers.

mod api_key;
mod app;
mod audit;
mod disconnect;
mod inspect;
mod integration;
mod key;
mod portal;
mod provider;
mod refresh;
mod simulate_failure;
mod status;
mod token;
mod user;
mod validate_all;
mod view;

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use model::{IntegrationId, Label, SubjectId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer;
use super::door::{Door, DoorArgs, Refused};
use super::screen::Screen;
use super::{End, block_on, told_to_stop};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show all subjects, or one with everything that it has connected
    Status(status::StatusArgs),
    /// Show one connection: expiry, scopes, history; never its token
    Inspect(ToolArgs),
    /// Refresh a connection's token now, even when it is not due
    Refresh(ToolArgs),
    /// Ask the providers whether the tokens work; exit code 1 when one does not
    ValidateAll(validate_all::ValidateAllArgs),
    /// Disconnect: give the grant back to the provider, and erase the tokens
    Disconnect(ToolArgs),
    /// Play the death of a grant, for real; afterwards everything is as before
    SimulateFailure(simulate_failure::SimulateFailureArgs),
    /// Print a token that works, for scripts
    Token(token::TokenArgs),
    /// Applications that ask our users for access
    #[command(subcommand)]
    App(app::Command),
    /// People who sign in here, and their teams
    #[command(subcommand)]
    User(user::Command),
    /// Keys of the product's backend
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// App credentials at providers
    #[command(subcommand)]
    Integration(integration::Command),
    /// The providers that the catalog knows
    #[command(subcommand)]
    Provider(provider::Command),
    /// Links to the onboarding, settings and Stripe pages
    #[command(subcommand)]
    Portal(portal::Command),
    /// The keys that seal what is stored
    #[command(subcommand)]
    Key(key::Command),
    /// The audit trail
    #[command(subcommand)]
    Audit(audit::Command),
}

/// One connection.
#[derive(Args)]
pub(super) struct ToolArgs {
    /// The integration, such as github
    tool: IntegrationId,
    /// Whose
    #[arg(long, visible_alias = "subject", value_name = "ID")]
    user: SubjectId,
    /// Which of several accounts
    #[arg(long, default_value = "default")]
    label: Label,
    #[command(flatten)]
    door: DoorArgs,
}

impl ToolArgs {
    /// The connection's path in the API.
    fn path(&self, rest: &str) -> String {
        let Self { tool, user, label, .. } = self;
        match label.as_str() {
            "default" => format!("/api/connections/{user}/{tool}{rest}"),
            label => format!("/api/connections/{user}/{tool}{rest}?label={label}"),
        }
    }

    /// `github of anna`.
    fn name(&self) -> String {
        format!("{} of {}", view::named(self.tool.as_str(), self.label.as_str()), self.user)
    }
}

/// A door that is open, and the screen.
struct Desk {
    door: Door,
    screen: Screen,
}

impl Command {
    const fn door(&self) -> &DoorArgs {
        match self {
            Self::Status(args) => &args.door,
            Self::Inspect(args) | Self::Refresh(args) | Self::Disconnect(args) => &args.door,
            Self::ValidateAll(args) => &args.door,
            Self::Token(args) => &args.tool.door,
            Self::App(command) => command.door(),
            Self::User(command) => command.door(),
            Self::ApiKey(command) => command.door(),
            Self::Integration(command) => command.door(),
            Self::Provider(command) => command.door(),
            Self::Portal(command) => command.door(),
            Self::Key(command) => command.door(),
            Self::Audit(command) => command.door(),
            Self::SimulateFailure(args) => &args.tool.door,
        }
    }

    async fn work(&self, desk: &Desk) -> anyhow::Result<End> {
        match self {
            Self::Status(args) => status::run(desk, args).await,
            Self::Inspect(args) => inspect::run(desk, args).await,
            Self::Refresh(args) => refresh::run(desk, args).await,
            Self::ValidateAll(args) => validate_all::run(desk, args).await,
            Self::Disconnect(args) => disconnect::run(desk, args).await,
            Self::Token(args) => token::run(desk, args).await,
            Self::App(command) => app::run(desk, command).await,
            Self::User(command) => user::run(desk, command).await,
            Self::ApiKey(command) => api_key::run(desk, command).await,
            Self::Integration(command) => integration::run(desk, command).await,
            Self::Provider(command) => provider::run(desk, command).await,
            Self::Portal(command) => portal::run(desk, command).await,
            Self::Key(command) => key::run(desk, command).await,
            Self::Audit(command) => audit::run(desk, command).await,
            Self::SimulateFailure(args) => simulate_failure::run(desk, args).await,
        }
    }
}

/// Opens the door, does the work, closes it, and tells how it went wrong if it did.
pub(super) fn run(command: &Command) -> ExitCode {
    let args = command.door();
    let done = block_on(async {
        let screen = Screen::new(args.json, args.verbose);
        let desk = Desk { door: Door::open(args).await?, screen };
        // What a provider has begun is finished when the door closes.
        let stop = told_to_stop()?;
        let done = tokio::select! {
            done = command.work(&desk) => done,
            () = stop => Err(anyhow!("stopped")),
        };
        desk.screen.progress_over();
        desk.door.close().await;
        done
    });
    match done {
        Ok(end) => end.exit_code(),
        Err(error) => fail(&error, args.json),
    }
}

/// Tells an error in the way that was asked for.
pub(super) fn fail(error: &anyhow::Error, as_json: bool) -> ExitCode {
    if super::is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let refused = error.downcast_ref::<Refused>();
    let told = if as_json { answer::failure(error) } else { super::complain(error) };
    // Nobody may be reading.
    drop(told);
    ExitCode::from(refused.map_or(3, Refused::exit_code))
}

impl Desk {
    /// An answer as the command reads it; the object stays for `--json`.
    fn read<T: DeserializeOwned>(value: &Value) -> anyhow::Result<T> {
        serde_json::from_value(value.clone())
            .context("the server's answer has another form: is it of this version?")
    }

    /// Every page of a list, one after the other.
    async fn each_page(
        &self,
        path: &str,
        mut page: impl FnMut(&Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut cursor: Option<String> = None;
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let from =
                cursor.as_ref().map(|cursor| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
            let answer = self.door.get(&format!("{path}{join}limit=200{from}")).await?;
            page(&answer)?;
            match answer["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(()),
            }
        }
    }

    /// All rows of a list.
    async fn all(&self, path: &str, member: &str) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        self.each_page(path, |page| {
            rows.extend(page[member].as_array().into_iter().flatten().cloned());
            Ok(())
        })
        .await?;
        Ok(rows)
    }
}

/// A part of a path or a query.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What an answer of the server lacks, told as it would have told it.
fn missing(code: &str, detail: &str) -> anyhow::Error {
    Refused { problem: json!({ "code": code, "status": 404, "detail": detail }) }.into()
}
