//! The `claviger` program.

use std::process::ExitCode;

/// An eighth fewer instructions for a token that is read than with the C library's: docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    claviger::cli::run()
}
