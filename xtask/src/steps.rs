//! The steps of `cargo xtask test` and `cargo xtask check`.
//!
//! 1. What the chosen steps need is installed, where it is absent.
//! 2. Every step runs, also after another has failed, so that one run tells everything.
//! 3. A table says how each ended and how long it took; a failed one is named with the command that runs it alone.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::empty_root;
use crate::install::{self, Need};
use crate::process;
use crate::screenshots;
use crate::services::Services;
use crate::soak;
use crate::style;

struct Step {
    name: &'static str,
    what: &'static str,
    needs: &'static [Need],
    run: fn(&Run) -> Result<Outcome>,
}

/// How a step ended that did not fail.
pub(crate) enum Outcome {
    /// It found nothing wrong.
    Passed,
    /// It can't run on this machine, and why.
    Skipped(&'static str),
}

struct Run<'a> {
    root: &'a Path,
    scratch: &'a Path,
    filter: &'a [String],
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        what: "the code is formatted",
        needs: &[Need::Rustfmt],
        run: |run| run.cargo(&["fmt", "--all", "--check"]),
    },
    Step {
        name: "style",
        what: "names, links and lists in the docs are those of the code",
        needs: &[Need::Git],
        run: |run| style::check(run.root),
    },
    Step {
        name: "clippy",
        what: "no lint of the workspace is broken",
        needs: &[Need::Clippy],
        run: |run| {
            run.cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"])
        },
    },
    Step {
        name: "deny",
        what: "every dependency is allowed (deny.toml)",
        needs: &[Need::CargoDeny],
        // Advisories need the network of the day and are a command of their own: cargo deny check advisories.
        run: |run| run.cargo(&["deny", "check", "bans", "licenses", "sources"]),
    },
    Step {
        name: "tests",
        what: "all tests, with PostgreSQL, Redis, Chromium, Node and Python",
        needs: &[Need::Postgres, Need::Redis, Need::Chromium, Need::Node, Need::Python, Need::Curl],
        run: |run| run.tests(),
    },
    Step {
        name: "doctests",
        what: "the examples in the docs",
        needs: &[],
        run: |run| run.cargo(&["test", "--workspace", "--locked", "--doc"]),
    },
    Step { name: "rustdoc", what: "the docs build without warnings", needs: &[], run: |run| run.rustdoc() },
    Step {
        name: "readme",
        what: "cargo run, as the README has it, starts the program",
        needs: &[],
        run: |run| run.cargo(&["run", "--quiet", "--locked", "--", "--version"]),
    },
    Step {
        name: "empty-root",
        what: "the binary as process 1 of an empty root",
        needs: &[],
        run: |run| empty_root::check(run.root, run.scratch),
    },
    Step {
        name: "soak",
        what: "replicas are killed, and nothing is lost that had reached them",
        needs: &[Need::Postgres],
        run: |run| soak::short(run.root).map(|()| Outcome::Passed),
    },
];

/// `cargo xtask test [--only STEP]… [-- FILTER…]`
pub(crate) fn test(root: &Path, arguments: &[String]) -> Result<()> {
    let (options, filter) = match arguments.iter().position(|argument| argument == "--") {
        Some(end) => (&arguments[..end], &arguments[end + 1..]),
        None => (arguments, &[][..]),
    };
    let mut only = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match (option.as_str(), options.next()) {
            ("--only", Some(name)) if STEPS.iter().any(|step| step.name == name) => only.push(name.as_str()),
            ("--only", Some(name)) => bail!("there is no step {name}\n\n{}", crate::USAGE),
            _ => bail!("{}", crate::USAGE),
        }
    }
    // A filter names tests; no other step knows what to do with it.
    if !filter.is_empty() && only.is_empty() {
        only.push("tests");
    }
    run(root, |step| only.is_empty() || only.contains(&step.name), filter)
}

/// `cargo xtask check`
pub(crate) fn check(root: &Path) -> Result<()> {
    run(root, |step| ["fmt", "style", "clippy"].contains(&step.name), &[])
}

fn run(root: &Path, chosen: impl Fn(&Step) -> bool, filter: &[String]) -> Result<()> {
    let steps: Vec<&Step> = STEPS.iter().filter(|step| chosen(step)).collect();
    let needs: Vec<Need> = steps.iter().flat_map(|step| step.needs).copied().collect();
    let scratch = scratch()?;
    let run = Run { root, scratch: scratch.path(), filter };

    heading("install", "what is absent");
    let began = Instant::now();
    install::install(root, &needs)?;
    let mut rows = vec![Row { name: "install", took: began.elapsed(), result: Ok(Outcome::Passed) }];
    for step in steps {
        heading(step.name, step.what);
        let began = Instant::now();
        let result = (step.run)(&run);
        rows.push(Row { name: step.name, took: began.elapsed(), result });
        if process::interrupted() {
            break;
        }
    }
    // Before the summary, so that its lines are the last ones also when something can't be removed.
    remove(scratch);
    println!("\n{}", table(&rows));
    let failed: Vec<&Row> = rows.iter().filter(|row| row.result.is_err()).collect();
    process::check_interrupted()?;
    match failed.as_slice() {
        [] => Ok(()),
        failed => {
            let lines =
                failed.iter().map(|row| format!("run it alone: cargo xtask test --only {}", row.name));
            bail!("{}", lines.collect::<Vec<_>>().join("\n"))
        }
    }
}

impl Run<'_> {
    fn cargo(&self, arguments: &[&str]) -> Result<Outcome> {
        process::run(&mut self.command(arguments))?;
        Ok(Outcome::Passed)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.args(arguments).current_dir(self.root);
        without_settings(&mut command);
        command
    }

    fn tests(&self) -> Result<Outcome> {
        let services = Services::start(self.root, self.scratch)?;
        // Whatever tests leave in the temporary directory goes with it.
        let temporary = tempfile::Builder::new().prefix("tmp").tempdir_in(self.scratch)?;
        let nextest = process::output(Command::new("cargo").args(["nextest", "--version"])).is_some();
        let mut command = if nextest {
            let mut command = self.command(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
            command.arg("--").args(self.filter);
            command
        } else {
            let arguments = ["test", "--workspace", "--locked", "--all-targets", "--no-fail-fast"];
            let mut command = self.command(&arguments);
            command.arg("--").args(self.filter);
            command
        };
        services.tell(&mut command);
        let pictures = self.scratch.join("pictures");
        std::fs::create_dir(&pictures)?;
        command
            .env("TMPDIR", temporary.path())
            .env("INSTA_UPDATE", "no")
            .env(screenshots::VARIABLE, pictures);
        process::run(&mut command)?;
        Ok(Outcome::Passed)
    }

    fn rustdoc(&self) -> Result<Outcome> {
        let mut command = self.command(&["doc", "--workspace", "--locked", "--no-deps"]);
        process::run(command.env("RUSTDOCFLAGS", "--deny warnings"))?;
        Ok(Outcome::Passed)
    }
}

/// Settings of the developer's own server must not reach the tests.
pub(crate) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CLAVIGER") {
            command.env_remove(name);
        }
    }
}

/// A folder for everything that a run writes, and that goes with it.
pub(crate) fn scratch() -> std::io::Result<TempDir> {
    // The database's user walks through the directory; nobody else needs to list it.
    let open_to_pass = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    // Not in TMPDIR, which can be closed to the database's user, or too long for a socket's path.
    tempfile::Builder::new().prefix("claviger-").permissions(open_to_pass).tempdir_in("/tmp")
}

fn remove(directory: TempDir) {
    let path = directory.path().to_owned();
    if let Err(error) = directory.close() {
        eprintln!("{} could not be removed: {error}", path.display());
    }
}

fn heading(name: &str, what: &str) {
    println!("\n── {name}: {what}");
}

struct Row {
    name: &'static str,
    took: Duration,
    result: Result<Outcome>,
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("step        time  result\n");
    for row in rows {
        let result = match &row.result {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::Skipped(why)) => format!("skipped: {why}"),
            Err(error) => format!("FAILED: {error:#}"),
        };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{:<10} {:>4} s  {result}", row.name, row.took.as_secs());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_how_each_step_ended() {
        let row = |name, result| Row { name, took: Duration::from_secs(61), result };
        let rows = [
            row("fmt", Ok(Outcome::Passed)),
            row("empty-root", Ok(Outcome::Skipped("not root"))),
            row("tests", Err(anyhow::anyhow!("cargo ended with exit status: 101"))),
        ];
        assert_eq!(
            table(&rows),
            "step        time  result\n\
             fmt          61 s  passed\n\
             empty-root   61 s  skipped: not root\n\
             tests        61 s  FAILED: cargo ended with exit status: 101\n"
        );
    }

    #[test]
    fn the_usage_names_every_step() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        assert!(crate::USAGE.contains(&format!("steps of test: {}\n", names.join(" "))));
    }

    #[test]
    fn an_unknown_step_or_option_is_refused() {
        for arguments in [&["--only", "nothing"][..], &["--only"], &["--quick", "x"]] {
            let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            assert!(test(Path::new("/"), &arguments).is_err(), "{arguments:?}");
        }
    }
}
