//! The binary as a container runs it: process 1 of its own process namespace, an ordinary user, a root with nothing in
//! it but the binary and its libraries, and one folder that can be written.
//!
//! 1. The root is put together from the binary and what `ldd` names.
//! 2. `migrate`, then `serve` until `/healthz` answers.
//! 3. SIGTERM: process 1 ignores signals that it has no handler for, so only a handled one ends it, with code 0.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, getuid, kill_process};

use crate::http;
use crate::process;
use crate::service::Service;
use crate::services::postgres::free_port;
use crate::steps::Outcome;

/// The user of the Containerfile.
const USER: u32 = 10001;
/// 32 octets in hex, without a pattern that the vault would refuse; it seals nothing that outlives the step.
const KEY: &str = "b7e0c1959f3a4d62880d51f6ce27a90b4c3e7d18f2a65b90de6134c8075f9a2d";

/// Runs the whole story.
pub(crate) fn check(root: &Path, scratch: &Path) -> Result<Outcome> {
    if !getuid().is_root() {
        return Ok(Outcome::Skipped("only root can change the root directory"));
    }
    if process::output(&mut unshare(&["true"])).is_none() {
        return Ok(Outcome::Skipped("this machine allows no new namespaces"));
    }
    // The build of the tests has made the binary; a build of the package alone would compile half the crates anew,
    // with other features.
    process::run(
        Command::new("cargo")
            .args(["test", "--workspace", "--locked", "--no-run", "--quiet"])
            .current_dir(root),
    )?;
    let binary = crate::target(root)?.join("debug/claviger");
    let jail = tempfile::Builder::new().prefix("root").tempdir_in(scratch)?;
    let jail = Jail { root: jail.path(), ports: [free_port()?, free_port()?] };
    jail.furnish(&binary)?;
    jail.run(&["migrate", "--data-dir", "/data"])?;
    jail.serve()?;
    Ok(Outcome::Passed)
}

struct Jail<'a> {
    root: &'a Path,
    ports: [u16; 2],
}

impl Jail<'_> {
    fn furnish(&self, binary: &Path) -> Result<()> {
        // A mode of 0700 would close the root to its user.
        fs::set_permissions(self.root, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        copy(binary, &self.root.join("claviger"))?;
        let listed = process::output(Command::new("ldd").arg(binary)).context("ldd failed")?;
        for library in libraries(&listed) {
            let inside = self.root.join(library.strip_prefix("/").unwrap_or(&library));
            copy(&library, &inside)?;
        }
        let data = self.root.join("data");
        fs::create_dir(&data).context("making /data")?;
        chown(&data, Some(USER), Some(USER)).context("giving /data to its user")
    }

    /// `chroot` and not a mount namespace of our own making: the step shows what the binary needs, not how engines jail.
    fn command(&self, arguments: &[&str]) -> Command {
        let root = self.root.to_string_lossy();
        let user = format!("--userspec={USER}:{USER}");
        let mut command = unshare(&["chroot", &user, &root, "/claviger"]);
        let [public, backend] = self.ports;
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("CLAVIGER_KEY", KEY)
            .env("CLAVIGER__KEY", "env:CLAVIGER_KEY")
            .env("CLAVIGER__PUBLIC_URL", format!("http://127.0.0.1:{public}"))
            .env("CLAVIGER__PUBLIC__LISTEN", format!("127.0.0.1:{public}"))
            .env("CLAVIGER__BACKEND__LISTEN", format!("127.0.0.1:{backend}"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        process::run(&mut self.command(arguments))
    }

    fn serve(&self) -> Result<()> {
        let healthz = format!("http://127.0.0.1:{}/healthz", self.ports[1]);
        let command = self.command(&["serve", "--data-dir", "/data"]);
        let (mut service, ()) = Service::start("claviger in an empty root", command, Signal::KILL, |_| {
            http::get(&healthz, None).ok().filter(|answer| answer.status == 200).map(|_| ())
        })?;
        println!("{healthz} answers from an empty root");
        let unshare = service.id().context("the service has stopped")?;
        let [server] = process::children_of(unshare)[..] else { bail!("unshare has not exactly one child") };
        kill_process(server, Signal::TERM).context("sending SIGTERM")?;
        let status = service.wait()?;
        if !status.success() {
            bail!("after SIGTERM the server ended with {status}; it said:\n{}", service.last_lines());
        }
        println!("SIGTERM ended it with code 0");
        Ok(())
    }
}

fn unshare(command: &[&str]) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--pid", "--fork", "--kill-child", "--"]).args(command);
    unshare
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

/// The paths in what `ldd` prints: `libc.so.6 => /lib/libc.so.6 (0x…)`, and the loader without an arrow.
fn libraries(listed: &str) -> Vec<PathBuf> {
    listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_are_those_with_a_path() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffc)\n\
                      \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)\n\
                      \t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries(listed), expected.map(PathBuf::from));
        assert!(libraries("\tstatically linked\n").is_empty());
    }
}
