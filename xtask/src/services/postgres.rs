//! A PostgreSQL cluster of our own: fresh, on a free port of loopback, gone afterwards.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, getuid};
use tempfile::TempDir;

use super::bound_to_us;
use crate::process;
use crate::service::Service;

/// Another program may take the port between our look and the server's start.
const ATTEMPTS: usize = 5;

/// Whether a commit survives a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing is flushed: for tests.
    None,
    /// As in production: for benches.
    Full,
}

/// A running cluster, superuser `postgres` without a password.
pub(crate) struct Postgres {
    port: u16,
    _service: Service,
    // Removed after the server has stopped: fields are dropped in this order.
    _directory: TempDir,
}

/// The folder of `initdb` and `postgres`, of the newest version that is installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| *version >= 15)
        .max()?;
    let programs = PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"));
    (programs.join("initdb").exists() && programs.join("postgres").exists()).then_some(programs)
}

impl Postgres {
    /// Makes a cluster under `scratch` and starts it.
    pub(crate) fn start(scratch: &Path, durability: Durability) -> Result<Self> {
        let programs = programs().context("PostgreSQL is absent")?;
        // A short name: the path of the socket must fit into 107 bytes.
        let directory = tempfile::Builder::new().prefix("pg").tempdir_in(scratch)?;
        if getuid().is_root() {
            process::run(Command::new("chown").arg("postgres").arg(directory.path()))?;
        }
        let mut initdb = as_database_user("TERM", &programs.join("initdb"));
        initdb
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(directory.path().join("data"))
            .stdout(fs::File::create(directory.path().join("initdb.log"))?);
        process::run(&mut initdb)?;

        for attempt in 1..=ATTEMPTS {
            let port = free_port()?;
            let command = server(&programs, directory.path(), port, durability);
            match Service::start("PostgreSQL", command, Signal::QUIT, |lines| {
                lines.iter().any(|line| line.contains("ready to accept connections")).then_some(())
            }) {
                Ok((service, ())) => return Ok(Self { port, _service: service, _directory: directory }),
                Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains("already in use") => {}
                Err(error) => return Err(error),
            }
        }
        bail!("no port for PostgreSQL stayed free, {ATTEMPTS} times in a row")
    }

    /// The URL of a database of the cluster, for its superuser.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

fn server(programs: &Path, directory: &Path, port: u16, durability: Durability) -> Command {
    let mut command = as_database_user("QUIT", &programs.join("postgres"));
    command.arg("-D").arg(directory.join("data"));
    let mut set = |name: &str, value: &str| {
        command.args(["-c", &format!("{name}={value}")]);
    };
    set("listen_addresses", "127.0.0.1");
    set("port", &port.to_string());
    set("unix_socket_directories", &directory.to_string_lossy());
    set("max_connections", "300");
    if durability == Durability::None {
        set("fsync", "off");
        set("synchronous_commit", "off");
        set("full_page_writes", "off");
    }
    command
}

fn as_database_user(death_signal: &str, program: &Path) -> Command {
    // PostgreSQL refuses root.
    let user = getuid().is_root().then_some("postgres");
    let mut command = bound_to_us(death_signal, user, program);
    // Root's home is closed to that user, and initdb wants to stand somewhere.
    command.current_dir("/");
    command
}

/// A port of loopback that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_cluster_answers_and_leaves_nothing_behind() {
        if programs().is_none() {
            eprintln!("skipped: PostgreSQL is absent");
            return;
        }
        let scratch = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o711))
            .tempdir_in("/tmp")
            .unwrap();
        let postgres = Postgres::start(scratch.path(), Durability::None).unwrap();
        let address = (Ipv4Addr::LOCALHOST, postgres.port);
        assert!(TcpStream::connect(address).is_ok());
        drop(postgres);
        assert!(TcpStream::connect(address).is_err());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
