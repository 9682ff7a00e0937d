//! The `claviger` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    claviger::cli::run()
}
