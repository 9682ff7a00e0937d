//! `cargo xtask bench NAME`: what a request costs, beside the least that it could cost on the same machine in the same
//! minute.
//!
//! 1. The server, its reference and the programs that seed are built in the release profile.
//! 2. A store is filled; server and reference run side by side.
//! 3. wrk asks both in turn, A B A B, after a warm-up of each; CPU time is the server process's own, from /proc.
//! 4. A Markdown table: CPU per request is the figure to trust, throughput stands beside it. No timing is an error.

mod load;
mod report;
mod servers;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::install::{self, Need};
use crate::process;
use load::{Distribution, Load};
use report::{Measured, Row};
use servers::{Database, Reference, Setting};

/// Rounds of A B.
const ROUNDS: u32 = 2;
const WARM_UP_SECONDS: u32 = 2;

struct Options {
    connections: u32,
    seconds: u32,
    databases: Vec<Database>,
}

/// `cargo xtask bench NAME [--connections N] [--seconds N] [--store sqlite|postgres]`
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let (name, options) = arguments.split_first().context(crate::USAGE)?;
    let (reference, cached) = match name.as_str() {
        "token-read" => (Reference::BareAxum, true),
        "token-read-cold" => (Reference::BareRead, false),
        other => bail!("there is no bench {other}\n\n{}", crate::USAGE),
    };
    let options = parse(options)?;
    let mut needs = vec![Need::Wrk];
    if options.databases.contains(&Database::Postgres) {
        needs.push(Need::Postgres);
    }
    install::install(root, &needs)?;
    build(root)?;
    let mut rows = Vec::new();
    for database in &options.databases {
        let setting = Setting { database: *database, connections: options.connections, cached, reference };
        rows.extend(measure(root, &setting, options.seconds)?);
    }
    println!("\n{}", report::table(name, &rows));
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options> {
    let databases = vec![Database::Sqlite, Database::Postgres];
    let mut options = Options { connections: 100_000, seconds: 10, databases };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value\n\n{}", crate::USAGE))?;
        let number = || {
            let number = value.parse().ok().filter(|number| (1..=10_000_000).contains(number));
            number.with_context(|| format!("{name} takes a number from 1 to 10000000, not {value}"))
        };
        match (name.as_str(), value.as_str()) {
            ("--connections", _) => options.connections = number()?,
            ("--seconds", _) => options.seconds = number()?,
            ("--store", "sqlite") => options.databases = vec![Database::Sqlite],
            ("--store", "postgres") => options.databases = vec![Database::Postgres],
            _ => bail!("{name} {value} is unknown\n\n{}", crate::USAGE),
        }
    }
    Ok(options)
}

fn build(root: &Path) -> Result<()> {
    let programs =
        ["--bin", "claviger", "--example", "seed", "--example", "bare_axum", "--example", "bare_read"];
    process::run(
        Command::new("cargo")
            .args(["build", "--release", "--locked", "-p", "claviger"])
            .args(programs)
            .current_dir(root),
    )
}

fn measure(root: &Path, setting: &Setting, seconds: u32) -> Result<Vec<Row>> {
    println!("filling {} with {} connections", setting.database.name(), setting.connections);
    let bench = servers::start(root, setting)?;
    let mut rows = Vec::new();
    for distribution in [Distribution::Uniform, Distribution::Zipf] {
        for clients in [16, 64] {
            let load =
                Load { clients, distribution, connections: setting.connections, target: &bench.target };
            let [mut reference, mut server] = [Measured::default(); 2];
            for program in [&bench.reference, &bench.server] {
                load.run(program, WARM_UP_SECONDS)?;
            }
            for _ in 0..ROUNDS {
                reference.add(&load.run(&bench.reference, seconds)?);
                server.add(&load.run(&bench.server, seconds)?);
            }
            println!("{}, {clients} clients: done", distribution.name());
            rows.push(Row {
                load: format!("{}, {}, {clients} clients", setting.database.name(), distribution.name()),
                reference: (setting.reference.name(), reference),
                server,
            });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options> {
        parse(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_bad_ones_refused() {
        let options = parsed(&["--connections", "500", "--store", "postgres"]).unwrap();
        assert_eq!((options.connections, options.seconds), (500, 10));
        assert_eq!(options.databases, [Database::Postgres]);
        for bad in [&["--connections"][..], &["--seconds", "0"], &["--store", "mysql"], &["--fast", "1"]] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }
}
