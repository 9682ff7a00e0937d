//! Node and the npm packages of `tests/foreign`: OAuth servers and clients that nobody here wrote.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::install::twice;
use crate::process;

/// The oldest Node that the packages run on.
const OLDEST: u32 = 22;
/// What npm fetches where the machine's Node is older (Debian 12 has 18).
const FETCHED: &str = "22.23.3";

/// A Node, and the folder whose `node_modules` are installed.
pub(crate) struct Node {
    /// The program.
    pub(crate) program: PathBuf,
    /// The folder with `package.json`.
    pub(crate) packages: PathBuf,
}

impl Node {
    /// The machine's Node, or the fetched one where that is too old.
    pub(crate) fn find(root: &Path) -> Result<Self> {
        let program = match machine_node() {
            Some((program, major)) if major >= OLDEST => program,
            _ => fetched(root)?,
        };
        if !program.exists() {
            bail!("Node {OLDEST} or newer is absent");
        }
        Ok(Self { program, packages: packages(root) })
    }
}

/// Runs `npm ci` where the packages are absent or the lockfile is newer, and fetches a newer Node where it is needed.
pub(crate) fn install_packages(root: &Path) -> Result<()> {
    if machine_node().is_none_or(|(_, major)| major < OLDEST) && !fetched(root)?.exists() {
        let package = format!("node-linux-{}@{FETCHED}", architecture()?);
        println!("fetching {package}");
        let folder = fetched_folder(root);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        twice(|| process::run(npm().args(["install", "--no-save", &package, "--prefix"]).arg(&folder)))?;
    }
    let folder = packages(root);
    // npm writes this copy of the lockfile last, so an interrupted installation is done again.
    let installed = modified(&folder.join("node_modules/.package-lock.json"));
    if installed.is_none() || installed < modified(&folder.join("package-lock.json")) {
        println!("installing the packages of tests/foreign");
        twice(|| process::run(npm().arg("ci").current_dir(&folder)))?;
    }
    Ok(())
}

fn npm() -> Command {
    let mut command = Command::new("npm");
    command.args(["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    command
}

fn packages(root: &Path) -> PathBuf {
    root.join("tests/foreign")
}

fn fetched_folder(root: &Path) -> PathBuf {
    root.join("target/tools/node")
}

fn fetched(root: &Path) -> Result<PathBuf> {
    Ok(fetched_folder(root).join(format!("node_modules/node-linux-{}/bin/node", architecture()?)))
}

/// npm's word for this machine's processor.
fn architecture() -> Result<&'static str> {
    match env::consts::ARCH {
        "x86_64" => Ok("x64"),
        "aarch64" => Ok("arm64"),
        other => bail!("npm has no Node for {other}: install Node {OLDEST} or newer"),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn machine_node() -> Option<(PathBuf, u32)> {
    let script = "console.log(process.execPath + '\\n' + process.versions.node)";
    let printed = process::output(Command::new("node").args(["-e", script]))?;
    let (program, version) = printed.split_once('\n')?;
    Some((program.into(), version.split('.').next()?.parse().ok()?))
}
