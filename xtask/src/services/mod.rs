//! The real programs that tests talk to.

pub(crate) mod chromium;
pub(crate) mod node;
pub(crate) mod postgres;
pub(crate) mod python;
pub(crate) mod redis;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use postgres::Durability;

/// Everything that runs beside the tests; dropping it stops all of it.
pub(crate) struct Services {
    postgres: postgres::Postgres,
    redis: redis::Redis,
    pages: Pages,
    python: PathBuf,
}

/// What the tests of pages need of that; dropping it stops it.
pub(crate) struct Pages {
    chromedriver: chromium::Chromedriver,
    node: node::Node,
}

impl Services {
    /// Starts them on free ports, their files under `scratch`.
    pub(crate) fn start(root: &Path, scratch: &Path) -> Result<Self> {
        Ok(Self {
            python: python::find(root)?,
            postgres: postgres::Postgres::start(scratch, Durability::None)?,
            redis: redis::Redis::start(scratch)?,
            pages: Pages::start(root, scratch)?,
        })
    }

    /// Tells the tests where the services are, and that none of them may be skipped.
    pub(crate) fn tell(&self, command: &mut Command) {
        self.pages.tell(command);
        command
            .env("CLAVIGER_TEST_POSTGRES", self.postgres.url("postgres"))
            .env("CLAVIGER_TEST_REDIS", self.redis.url())
            .env("CLAVIGER_TEST_PYTHON", &self.python);
    }
}

impl Pages {
    /// Starts it on a free port, its files under `scratch`.
    pub(crate) fn start(root: &Path, scratch: &Path) -> Result<Self> {
        Ok(Self { node: node::Node::find(root)?, chromedriver: chromium::Chromedriver::start(scratch)? })
    }

    /// Tells the tests where it is, and that none of them may be skipped.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("CLAVIGER_TEST_REQUIRE", "1")
            .env("CLAVIGER_TEST_CHROMEDRIVER", self.chromedriver.url())
            .env("CLAVIGER_TEST_CHROMIUM", chromium::PROGRAM)
            .env("CLAVIGER_TEST_NODE", &self.node.program)
            .env("CLAVIGER_TEST_FOREIGN", &self.node.packages);
    }
}

/// A command that runs as `user` (as ourselves without one), and that the kernel ends with `signal` (its name without
/// `SIG`) when this process dies without cleaning up. It must be spawned from the main thread: the kernel looks at the
/// thread.
pub(crate) fn bound_to_us(signal: &str, user: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command
}
