use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, End};

#[derive(Args)]
pub(super) struct CompletionsArgs {
    /// The shell that is to complete
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<End> {
    // Into memory first: the generator takes a failed write for a fault of ours.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "claviger", &mut script);
    std::io::stdout().write_all(&script).context("standard output")?;
    Ok(End::Done)
}
