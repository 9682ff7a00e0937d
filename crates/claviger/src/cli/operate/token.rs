//! `token`: a token that works, for scripts.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use clap::Args;

use super::{Desk, End, ToolArgs};

#[derive(Args)]
pub(in crate::cli) struct TokenArgs {
    #[command(flatten)]
    pub(super) tool: ToolArgs,
    /// Print it although this is a terminal
    #[arg(long)]
    show: bool,
}

pub(super) async fn run(desk: &Desk, args: &TokenArgs) -> anyhow::Result<End> {
    if std::io::stdout().is_terminal() && !args.show {
        bail!(
            "a token would stay on the screen and in its history; send it into a pipe or a file, or add --show"
        );
    }
    let answer = desk.door.get(&args.tool.path("/token")).await?;
    desk.screen.object(answer.clone())?;
    desk.screen.line(answer["access_token"].as_str().context("the answer has no token")?)?;
    Ok(End::Done)
}
