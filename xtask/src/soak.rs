//! `cargo xtask soak kill`: replicas that are killed again and again while credentials of the strictest provider are
//! refreshed every few seconds. The example `soak` of the package does it; here it gets its programs and its database.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::getpid;

use crate::install::{self, Need};
use crate::process;
use crate::services::postgres::{Durability, Postgres};

/// As many as the issue of a soak needs; more would only make it longer.
const MOST: u64 = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// One file has one process; PostgreSQL has three replicas.
    const fn replicas(self) -> u64 {
        match self {
            Self::Sqlite => 1,
            Self::Postgres => 3,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    seconds: u64,
    credentials: u64,
    every: u64,
    latency: u64,
    seed: u64,
    databases: Vec<Database>,
    /// Whether patience is shortened by moving the times of rows.
    hasten: bool,
}

/// `cargo xtask soak kill [--minutes N] [--credentials N] [--every N] [--seed N] [--store sqlite|postgres|both]`
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let options = match arguments.split_first() {
        Some((name, options)) if name == "kill" => parse(options)?,
        _ => bail!("{}", crate::USAGE),
    };
    if options.databases.contains(&Database::Postgres) {
        install::install(root, &[Need::Postgres])?;
    }
    let mut build = Command::new("cargo");
    build.args([
        "build",
        "--release",
        "--locked",
        "-p",
        "claviger",
        "--bin",
        "claviger",
        "--example",
        "soak",
    ]);
    process::run(build.current_dir(root))?;
    soak(&crate::target(root)?.join("release"), &options)
}

/// The short one of the tests, with the programs that they have built.
pub(crate) fn short(root: &Path) -> Result<()> {
    let mut build = Command::new("cargo");
    build.args(["test", "--workspace", "--locked", "--no-run", "--quiet"]);
    process::run(build.current_dir(root))?;
    let databases = vec![Database::Sqlite, Database::Postgres];
    // Slow answers, so that some are under way whenever a replica is killed.
    let options =
        Options { seconds: 20, credentials: 20, every: 2, latency: 500, seed: 1, databases, hasten: true };
    soak(&crate::target(root)?.join("debug"), &options)
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        seconds: 600,
        credentials: 500,
        every: 2,
        latency: 5,
        // Another one each time; it is printed.
        seed: u64::from(getpid().as_raw_nonzero().get().unsigned_abs()),
        databases: vec![Database::Sqlite, Database::Postgres],
        hasten: false,
    };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value\n\n{}", crate::USAGE))?;
        let number = || {
            let number = value.parse().ok().filter(|number| (1..=MOST).contains(number));
            number.with_context(|| format!("{name} takes a number from 1 to {MOST}, not {value}"))
        };
        match (name.as_str(), value.as_str()) {
            ("--minutes", _) => options.seconds = number()? * 60,
            ("--credentials", _) => options.credentials = number()?,
            ("--every", _) => options.every = number()?,
            ("--seed", _) => options.seed = value.parse().with_context(|| format!("{value} is no seed"))?,
            ("--store", "sqlite") => options.databases = vec![Database::Sqlite],
            ("--store", "postgres") => options.databases = vec![Database::Postgres],
            ("--store", "both") => {}
            _ => bail!("{name} {value} is unknown\n\n{}", crate::USAGE),
        }
    }
    Ok(options)
}

fn soak(programs: &Path, options: &Options) -> Result<()> {
    for database in &options.databases {
        soak_one(programs, options, *database)?;
    }
    Ok(())
}

fn soak_one(programs: &Path, options: &Options, database: Database) -> Result<()> {
    // Outside TMPDIR for the database's user, as in the steps.
    let scratch = tempfile::Builder::new()
        .prefix("claviger-")
        .permissions(PermissionsExt::from_mode(0o711))
        .tempdir_in("/tmp")?;
    let postgres = match database {
        Database::Sqlite => None,
        Database::Postgres => Some(Postgres::start(scratch.path(), Durability::Full)?),
    };
    let address = postgres.as_ref().map_or_else(|| "sqlite".to_owned(), |postgres| postgres.url("postgres"));
    let folder = tempfile::Builder::new().prefix("soak").tempdir_in(scratch.path())?;
    let mut command = Command::new(programs.join("examples/soak"));
    command.arg("--binary").arg(programs.join("claviger")).arg("--folder").arg(folder.path());
    command.args(["--database", &address]);
    for (name, value) in [
        ("--replicas", database.replicas()),
        ("--credentials", options.credentials),
        ("--seconds", options.seconds),
        ("--every", options.every),
        ("--latency", options.latency),
        ("--seed", options.seed),
    ] {
        command.args([name, &value.to_string()]);
    }
    if options.hasten {
        command.arg("--hasten");
    }
    process::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options> {
        parse(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_bad_ones_refused() {
        let options = parsed(&["--minutes", "2", "--store", "postgres", "--seed", "9"]).unwrap();
        assert_eq!((options.seconds, options.credentials, options.every, options.seed), (120, 500, 2, 9));
        assert_eq!(options.databases, [Database::Postgres]);
        assert_eq!(parsed(&["--store", "both"]).unwrap().databases, [Database::Sqlite, Database::Postgres]);
        for bad in [&["--minutes"][..], &["--minutes", "0"], &["--store", "mysql"], &["--fast", "1"]] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }
}
