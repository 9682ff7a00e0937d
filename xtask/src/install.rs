//! What the steps need, and how it comes onto the machine: Debian's packages, rustup's components, one cargo tool.
//!
//! Only what is absent is installed. Debian's packages need root; without it the error names the command to run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::getuid;

use crate::process;
use crate::services::{chromium, node, postgres, python, redis};

/// The version that is installed where there is none.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// Something a step can't run without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// rustfmt.
    Rustfmt,
    /// Clippy.
    Clippy,
    /// cargo-deny.
    CargoDeny,
    /// Git, to know which files belong to the project.
    Git,
    /// A PostgreSQL server.
    Postgres,
    /// A Redis server.
    Redis,
    /// Chromium, its driver and fonts.
    Chromium,
    /// Node with npm, and the packages of `tests/foreign`.
    Node,
    /// Python with virtual environments, and the packages of `tests/foreign/requirements.txt`.
    Python,
    /// What the README's walks are done with.
    Curl,
    /// The HTTP load generator.
    Wrk,
}

impl Need {
    fn is_present(self) -> bool {
        match self {
            Self::Rustfmt => answers("cargo", &["fmt", "--version"]),
            Self::Clippy => answers("cargo", &["clippy", "--version"]),
            Self::CargoDeny => answers("cargo", &["deny", "--version"]),
            Self::Git => answers("git", &["--version"]),
            Self::Postgres => postgres::programs().is_some(),
            Self::Redis => answers(redis::PROGRAM, &["--version"]),
            Self::Chromium => chromium::is_present(),
            Self::Node => answers("node", &["--version"]) && answers("npm", &["--version"]),
            Self::Python => python::is_present(),
            Self::Curl => answers("curl", &["--version"]) && answers("jq", &["--version"]),
            // wrk prints its version and fails.
            Self::Wrk => Command::new("wrk").arg("--version").output().is_ok(),
        }
    }

    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Rustfmt | Self::Clippy | Self::CargoDeny => &[],
            Self::Git => &["git"],
            Self::Postgres => &["postgresql"],
            Self::Redis => &[redis::PROGRAM],
            Self::Chromium => &["chromium", "chromium-driver", "fonts-inter", "fonts-dejavu-core"],
            // Debian's Node checks certificates against the system's authorities.
            Self::Node => &["nodejs", "npm", "ca-certificates"],
            Self::Python => &["python3-venv", "ca-certificates"],
            Self::Curl => &["curl", "jq", "ca-certificates"],
            Self::Wrk => &["wrk"],
        }
    }
}

/// Brings what is absent onto the machine.
pub(crate) fn install(root: &Path, needs: &[Need]) -> Result<()> {
    let absent: Vec<Need> = needs.iter().copied().filter(|need| !need.is_present()).collect();
    let packages: Vec<&str> = absent.iter().flat_map(|need| need.packages()).copied().collect();
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    for need in &absent {
        match need {
            Need::Rustfmt => rustup_component("rustfmt")?,
            Need::Clippy => rustup_component("clippy")?,
            Need::CargoDeny => {
                println!("installing {CARGO_DENY}");
                // A shared target directory would keep the tool's 400 crates.
                twice(|| {
                    process::run(
                        Command::new("cargo")
                            .args(["install", "--quiet", "--locked", CARGO_DENY])
                            .env_remove("CARGO_TARGET_DIR"),
                    )
                })?;
            }
            _ => {}
        }
    }
    if let Some(need) = absent.iter().find(|need| !need.is_present()) {
        bail!("{need:?} is still absent after {} was installed", packages.join(" "));
    }
    if needs.contains(&Need::Node) {
        node::install_packages(root)?;
    }
    if needs.contains(&Need::Python) {
        python::install_packages(root)?;
    }
    Ok(())
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    process::output(Command::new(program).args(arguments)).is_some()
}

fn rustup_component(name: &str) -> Result<()> {
    process::run(Command::new("rustup").args(["component", "add", name]))
        .with_context(|| format!("{name} is absent; install it beside the Rust toolchain"))
}

/// Runs something that needs the network once more when it fails.
pub(crate) fn twice(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    attempt().or_else(|error| {
        process::check_interrupted()?;
        eprintln!("{error:#}; once more");
        attempt()
    })
}

fn install_packages(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !answers("apt-get", &["--version"]) {
        bail!(
            "absent: {list} (Debian's names); install them, this command can do so by itself only on Debian"
        );
    }
    if !getuid().is_root() {
        bail!(
            "absent: {list}; install them with: sudo apt-get install --no-install-recommends {list} \
             (or run this command once as root)"
        );
    }
    println!("installing {list}");
    let _no_services = NoServices::begin()?;
    twice(|| apt(&["update"]))?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    twice(|| apt(&arguments))
}

/// An interrupted dpkg leaves the machine half configured, so apt is never cut short.
fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(["-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confold"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    process::run_to_the_end(&mut command)?;
    process::check_interrupted()
}

/// While it lives, installing a package starts no service and makes no database cluster. What was on the machine
/// before is left alone, what was added is taken away again.
struct NoServices {
    added: Vec<&'static str>,
}

impl NoServices {
    fn begin() -> Result<Self> {
        let mut guard = Self { added: Vec::new() };
        guard.add("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")?;
        guard.add("/etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n")?;
        Ok(guard)
    }

    fn add(&mut self, path: &'static str, text: &str) -> Result<()> {
        if Path::new(path).exists() {
            return Ok(());
        }
        if let Some(folder) = Path::new(path).parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::write(path, text).with_context(|| format!("writing {path}"))?;
        self.added.push(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("making {path} executable"))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        for path in &self.added {
            if let Err(error) = fs::remove_file(path) {
                eprintln!("{path} could not be removed: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_the_network_is_tried_twice() {
        let mut attempts = 0;
        let result = twice(|| {
            attempts += 1;
            if attempts == 2 { Ok(()) } else { bail!("no network") }
        });
        assert!(result.is_ok());
        assert_eq!(attempts, 2);
        assert_eq!(twice(|| bail!("never")).unwrap_err().to_string(), "never");
    }
}
