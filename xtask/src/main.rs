//! `cargo xtask`: what a developer or the CI runs, with everything that it needs.
//!
//! - [`process`], [`service`]: children that never outlive the run
//! - [`install`], [`services`]: what comes onto the machine, and what runs beside the tests
//! - [`steps`]: the steps of `test` and `check`, their times and the summary
//! - [`style`]: what no compiler checks
//! - [`empty_root`]: the binary as process 1 of an empty root; [`http`]: how it is asked
//! - [`screenshots`]: the pictures of all pages, for the docs
//! - [`mod@bench`]: what it costs, beside what it could cost
//! - [`simulate`]: what is lost in a world of faults, by the failure table
//! - [`soak`]: what is lost when replicas are killed again and again

mod bench;
mod empty_root;
mod http;
mod install;
mod process;
mod screenshots;
mod service;
mod services;
mod simulate;
mod soak;
mod steps;
mod style;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask test [--only STEP]… [-- FILTER…]   everything, with real services
       cargo xtask check                              what needs no services: format, lints, style
       cargo xtask screenshots                        takes the pictures of docs/screenshots anew
       cargo xtask bench NAME [--connections N] [--seconds N] [--store sqlite|postgres]
       cargo xtask simulate [--trials N] [--seed N] [--class CLASS] [--mode spool|commit] [--only-seed N] [--write]
       cargo xtask soak kill [--minutes N] [--credentials N] [--every N] [--seed N] [--store sqlite|postgres|both]

steps of test: fmt style clippy deny tests doctests rustdoc readme empty-root soak
benches: token-read token-read-cold";

fn main() -> ExitCode {
    let result = process::watch().and_then(|()| dispatch(env::args().skip(1).collect()));
    process::kill_orphans();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            // 130 is what shells give for a command that was interrupted.
            if process::interrupted() { ExitCode::from(130) } else { ExitCode::FAILURE }
        }
    }
}

fn dispatch(arguments: Vec<String>) -> Result<()> {
    let mut arguments = arguments.into_iter();
    let command = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    match command.as_str() {
        "test" => steps::test(&root()?, &arguments),
        "check" if arguments.is_empty() => steps::check(&root()?),
        "screenshots" if arguments.is_empty() => screenshots::take(&root()?),
        "bench" => bench::run(&root()?, &arguments),
        "simulate" => simulate::run(&root()?, &arguments),
        "soak" => soak::run(&root()?, &arguments),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

/// The folder of the workspace.
fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(Path::to_owned).context("xtask has no parent folder")
}

/// Where cargo puts what it builds.
fn target(root: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root);
    let metadata = process::output(&mut cargo).context("cargo metadata failed")?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .context("cargo metadata names no target directory")
}
