//! The two programs that a bench compares, on one filled store.
//!
//! - `claviger serve --config FILE`
//! - the reference, an example program that prints its address as its first line: `bare_axum --bytes N` answers with
//!   so many octets, `bare_read --config FILE` reads the row that the path names, and answers with it
//!
//! The example `seed --config FILE --connections N` fills the store and prints one line of JSON: `apiKey`, and `path`
//! with `{n}` for 0 to N−1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::http;
use crate::process;
use crate::service::Service;
use crate::services::bound_to_us;
use crate::services::postgres::{Durability, Postgres, free_port};

/// 32 octets in hex, without a pattern that the vault would refuse; the store is removed after the bench.
const KEY: &str = "4f0d8a63c7e1925bb46f20d98e17a35c90e2fb7416cd83a5f3790e64b12c5d8a";

/// Which engine keeps the connections; both flush as in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// What the server is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// axum, and an answer of the same length that never changes.
    BareAxum,
    /// axum, and one read of the row.
    BareRead,
}

impl Reference {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BareAxum => "bare axum",
            Self::BareRead => "bare read",
        }
    }
}

/// What is set up.
pub(crate) struct Setting {
    pub(crate) database: Database,
    pub(crate) connections: u32,
    /// Whether the server may keep all of them in memory, or none.
    pub(crate) cached: bool,
    pub(crate) reference: Reference,
}

/// A running program and where it listens.
pub(crate) struct Program {
    /// `http://HOST:PORT`
    pub(crate) url: String,
    pub(crate) service: Service,
}

/// What is asked for.
pub(crate) struct Target {
    pub(crate) api_key: String,
    /// With `{n}` for the number of the connection.
    pub(crate) path: String,
}

/// Everything that runs; fields are dropped in this order.
pub(crate) struct Bench {
    pub(crate) server: Program,
    pub(crate) reference: Program,
    pub(crate) target: Target,
    _postgres: Option<Postgres>,
    _directory: TempDir,
}

/// Fills a store and starts both programs.
pub(crate) fn start(root: &Path, setting: &Setting) -> Result<Bench> {
    // Outside TMPDIR for the database's user, as in the steps.
    let directory = tempfile::Builder::new()
        .prefix("claviger-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .tempdir_in("/tmp")?;
    let postgres = match setting.database {
        Database::Sqlite => None,
        Database::Postgres => Some(Postgres::start(directory.path(), Durability::Full)?),
    };
    let files = Files {
        programs: crate::target(root)?.join("release"),
        config: directory.path().join("claviger.toml"),
        backend: format!("127.0.0.1:{}", free_port()?),
    };
    let database = match &postgres {
        Some(postgres) => postgres.url("postgres"),
        None => format!("sqlite:{}", directory.path().join("claviger.db").display()),
    };
    fs::write(&files.config, files.config_text(&database, setting)?).context("writing the configuration")?;

    process::run(&mut files.with_config("claviger", &["migrate"]))?;
    let target = files.seed(setting.connections)?;
    let server = files.server()?;
    let asked = format!("{}{}", server.url, target.path.replace("{n}", "0"));
    let answer = http::get(&asked, Some(&target.api_key))?;
    if answer.status != 200 {
        bail!("{asked} answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    let reference = files.reference(setting.reference, answer.body.len())?;
    Ok(Bench { server, reference, target, _postgres: postgres, _directory: directory })
}

struct Files {
    programs: PathBuf,
    config: PathBuf,
    /// The address of the backend's listener.
    backend: String,
}

impl Files {
    fn config_text(&self, database: &str, setting: &Setting) -> Result<String> {
        // Twice as many, so that the cache's own bookkeeping evicts nothing.
        let cache_entries = if setting.cached { 2 * setting.connections } else { 0 };
        let public = format!("127.0.0.1:{}", free_port()?);
        let backend = &self.backend;
        let data = self.config.with_extension("data");
        let data = data.display();
        Ok(format!(
            "public_url = \"http://{public}\"\n\
             key = \"env:CLAVIGER_KEY\"\n\
             data_dir = \"{data}\"\n\n\
             [public]\nlisten = \"{public}\"\n\n\
             [backend]\nlisten = \"{backend}\"\n\n\
             [database]\nurl = \"{database}\"\ncache_entries = {cache_entries}\n\n\
             [log]\nlevel = \"warn\"\nformat = \"json\"\n"
        ))
    }

    fn program(&self, name: &str) -> PathBuf {
        let examples = if name == "claviger" { "" } else { "examples" };
        self.programs.join(examples).join(name)
    }

    fn with_config(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program(program));
        command.args(arguments).arg("--config").arg(&self.config).env("CLAVIGER_KEY", KEY);
        command
    }

    fn seed(&self, connections: u32) -> Result<Target> {
        let mut seed = self.with_config("seed", &["--connections", &connections.to_string()]);
        let printed = process::output(&mut seed).context("the example seed failed")?;
        let printed: Value = serde_json::from_str(&printed).context("seed printed no JSON")?;
        let text = |name: &str| printed[name].as_str().map(str::to_owned).context("seed printed no target");
        Ok(Target { api_key: text("apiKey")?, path: text("path")? })
    }

    fn server(&self) -> Result<Program> {
        let url = format!("http://{}", self.backend);
        let mut command = bound_to_us("TERM", None, self.program("claviger"));
        command.arg("serve").arg("--config").arg(&self.config).env("CLAVIGER_KEY", KEY);
        let (service, ()) = Service::start("claviger serve", command, Signal::TERM, |_| {
            http::get(&format!("{url}/healthz"), None).ok().filter(|answer| answer.status == 200).map(|_| ())
        })?;
        Ok(Program { url, service })
    }

    fn reference(&self, reference: Reference, bytes: usize) -> Result<Program> {
        let mut command;
        match reference {
            Reference::BareAxum => {
                command = bound_to_us("TERM", None, self.program("bare_axum"));
                command.args(["--bytes", &bytes.to_string()]);
            }
            Reference::BareRead => {
                command = bound_to_us("TERM", None, self.program("bare_read"));
                command.arg("--config").arg(&self.config).env("CLAVIGER_KEY", KEY);
            }
        }
        let (service, url) = Service::start(reference.name(), command, Signal::TERM, |lines| {
            lines.front().filter(|line| line.starts_with("http://")).cloned()
        })?;
        Ok(Program { url, service })
    }
}
