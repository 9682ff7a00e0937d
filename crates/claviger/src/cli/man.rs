use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use super::{Cli, End, say};

#[derive(Args)]
pub(super) struct ManArgs {
    /// Where to write one page a command; without it the main page is printed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs) -> anyhow::Result<End> {
    let Some(directory) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        std::io::stdout().write_all(&page).context("standard output")?;
        return Ok(End::Done);
    };
    let written =
        fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
    written.with_context(|| directory.display().to_string())?;
    say(format_args!("The pages are in {}; read one with man -l FILE.", directory.display()))?;
    Ok(End::Done)
}
