//! A Redis of our own on a socket in the scratch folder: nothing is kept, and it is gone afterwards.

use std::path::Path;

use anyhow::Result;
use rustix::process::Signal;
use tempfile::TempDir;

use super::bound_to_us;
use crate::service::Service;

/// The server's name, in the path and in Debian.
pub(crate) const PROGRAM: &str = "redis-server";

/// A running server.
pub(crate) struct Redis {
    _service: Service,
    // Removed after the server has stopped: fields are dropped in this order.
    directory: TempDir,
}

impl Redis {
    /// Starts it, its files under `scratch`.
    pub(crate) fn start(scratch: &Path) -> Result<Self> {
        // A short name: the path of the socket must fit into 107 bytes.
        let directory = tempfile::Builder::new().prefix("redis").tempdir_in(scratch)?;
        let mut command = bound_to_us("TERM", None, PROGRAM);
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"]);
        command.arg(directory.path()).arg("--unixsocket").arg(socket(directory.path()));
        let (service, ()) = Service::start("Redis", command, Signal::TERM, |lines| {
            // Also "Ready to accept connections unix", as later versions have it.
            lines.iter().any(|line| line.contains("eady to accept connections")).then_some(())
        })?;
        Ok(Self { _service: service, directory })
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", socket(self.directory.path()).display())
    }
}

fn socket(directory: &Path) -> std::path::PathBuf {
    directory.join("s")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_redis_answers_and_leaves_nothing_behind() {
        if crate::process::output(Command::new(PROGRAM).arg("--version")).is_none() {
            eprintln!("skipped: Redis is absent");
            return;
        }
        let scratch = tempfile::tempdir_in("/tmp").unwrap();
        let redis = Redis::start(scratch.path()).unwrap();
        let path = redis.url().strip_prefix("unix://").unwrap().to_owned();
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"PING\r\n").unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+PONG\r\n");
        drop(redis);
        assert!(UnixStream::connect(&path).is_err());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
