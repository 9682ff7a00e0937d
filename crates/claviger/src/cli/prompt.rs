//! Questions to a person at the terminal.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// Asks for a secret, which is not shown while it is typed.
pub(super) fn secret(question: &str) -> anyhow::Result<String> {
    let input = std::io::stdin();
    let before = tcgetattr(&input).context("the terminal")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    // First, so that what is typed at the question is read, and not shown.
    tcsetattr(&input, OptionalActions::Flush, &silent).context("the terminal")?;
    let asked = write!(std::io::stderr(), "{question}");
    let mut answer = String::new();
    let read = asked.and_then(|()| input.lock().read_line(&mut answer));
    // Whatever was read, the terminal shows again what is typed.
    tcsetattr(&input, OptionalActions::Flush, &before).context("the terminal")?;
    eprintln!();
    read?;
    let answer = answer.trim_end_matches(['\r', '\n']);
    if answer.is_empty() {
        bail!("nothing was typed");
    }
    Ok(answer.to_owned())
}
