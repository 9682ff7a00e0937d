//! `cargo xtask simulate`: the refresh core in a world of faults. The package `claviger-simulation` does it, in the
//! release profile, because a table is made of millions of trials.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process;

/// Where the table belongs.
const DOCUMENT: &str = "docs/refresh.md";

/// `cargo xtask simulate [--trials N] [--seed N] [--class CLASS] [--mode MODE] [--only-seed N] [--write]`
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let mut simulation = Command::new("cargo");
    simulation.args(["run", "--quiet", "--release", "--locked", "-p", "claviger-simulation", "--"]);
    for argument in arguments {
        simulation.arg(argument);
        if argument == "--write" {
            simulation.arg(root.join(DOCUMENT));
        }
    }
    process::run(simulation.current_dir(root))
}
