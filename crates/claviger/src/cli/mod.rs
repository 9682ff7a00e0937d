//! The commands. Exit codes: 0 done, 1 the answer is bad news, 2 usage, 3 could not run.

#![expect(clippy::doc_markdown, reason = "the help shows these comments as they are")]

mod answer;
mod completions;
mod config_check;
mod config_show;
mod db_check;
mod dev;
mod doctor;
mod door;
mod files;
mod init;
mod man;
mod migrate;
mod operate;
mod prompt;
mod report;
mod sandbox;
mod screen;
mod serve;
mod times;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::config::layers::{self, Layers};
use crate::config::{self, Config, ConfigError, Flags};

/// Both ends of OAuth for a product, in one binary.
#[derive(Parser)]
#[command(name = "claviger", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve, with the configuration
    Serve(ConfigArgs),
    /// Try it out: everything on loopback, with a sandbox provider and a demo subject
    Dev(dev::DevArgs),
    /// Run the sandbox provider alone
    Sandbox(sandbox::SandboxArgs),
    /// Bring the schema of the store up to date
    Migrate(migrate::MigrateArgs),
    /// Begin: write a configuration and a key
    Init(init::InitArgs),
    /// Tell what is still missing, and how to mend it
    Doctor(doctor::DoctorArgs),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the database
    #[command(subcommand)]
    Db(DbCommand),
    /// Print what makes a shell complete these commands
    Completions(completions::CompletionsArgs),
    /// Print the man page, or write one for each command
    Man(man::ManArgs),
    #[command(flatten)]
    Operate(Box<operate::Command>),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Tell whether the configuration could be served, without opening anything
    Check(config_check::CheckArgs),
    /// Show what differs from the defaults, and where it came from; no secrets
    Show(config_show::ShowArgs),
}

#[derive(Subcommand)]
enum DbCommand {
    /// Tell whether the database is sound and lets nobody do more than they need
    Check(db_check::CheckArgs),
}

/// Where the configuration is.
#[derive(Args)]
struct ConfigArgs {
    /// The configuration file [default: claviger.toml in the data directory or here, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the embedded database lies
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, ConfigError> {
        config::load(&self.flags(), std::env::vars_os())
    }

    fn load_with_origins(&self) -> Result<(Config, Layers), ConfigError> {
        layers::load_with_origins(&self.flags(), std::env::vars_os())
    }

    fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data_dir: self.data_dir.clone() }
    }
}

/// How a command ended.
enum End {
    Done,
    BadNews,
    /// The answer itself has said why.
    CouldNotRun,
}

impl End {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::BadNews => ExitCode::from(1),
            Self::CouldNotRun => ExitCode::from(3),
        }
    }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ended = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Dev(args) => dev::run(&args),
        Command::Sandbox(args) => sandbox::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Config(ConfigCommand::Check(args)) => config_check::run(&args),
        Command::Config(ConfigCommand::Show(args)) => config_show::run(&args),
        Command::Db(DbCommand::Check(args)) => db_check::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Operate(command) => return operate::run(&command),
    };
    match ended {
        Ok(end) => end.exit_code(),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be reading.
            let _ = complain(&error);
            ExitCode::from(3)
        }
    }
}

/// A command line that can't be understood, or one that asks for help.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let detail = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        // Nobody may be reading.
        let _ = answer::json(serde_json::json!({ "error": { "code": "usage", "detail": detail } }));
        return ExitCode::from(2);
    }
    // The same.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Whether whoever read our output has had enough, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Says on standard error what went wrong.
fn complain(error: &anyhow::Error) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "claviger: {error:#}").context("standard error")
}

/// Prints a line; a reader that has gone away is an error and no panic.
fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output")
}

/// The runtime of the long-running commands.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Resolves at SIGINT or SIGTERM; as process 1 these have no default action, so they are always handled.
fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
