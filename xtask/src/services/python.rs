//! Python and the packages of `tests/foreign/requirements.txt`, in a virtual environment: what nobody here wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::install::twice;
use crate::process;

/// The Python of the virtual environment that [`install_packages`] made.
pub(crate) fn find(root: &Path) -> Result<PathBuf> {
    let program = program(root);
    if !program.exists() {
        bail!("{} is absent", program.display());
    }
    Ok(program)
}

/// Whether the machine's Python is new enough for the packages, and can make virtual environments: Debian has that in a
/// package of its own.
pub(crate) fn is_present() -> bool {
    let script = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    process::output(Command::new("python3").args(["-c", script])).is_some()
}

/// Makes the virtual environment anew where it is absent or made of other packages than those that are asked for now.
pub(crate) fn install_packages(root: &Path) -> Result<()> {
    let requirements = root.join("tests/foreign/requirements.txt");
    let wanted = fs::read(&requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let folder = folder(root);
    // Written last, so an interrupted installation is done again.
    let installed = folder.join("installed.txt");
    if program(root).exists() && fs::read(&installed).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    println!("installing the packages of tests/foreign/requirements.txt");
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    twice(|| {
        let mut pip = Command::new(program(root));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        // Nothing of theirs runs before the tests start it.
        pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(&requirements);
        process::run(&mut pip)
    })?;
    fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))
}

fn folder(root: &Path) -> PathBuf {
    root.join("target/tools/python")
}

fn program(root: &Path) -> PathBuf {
    folder(root).join("bin/python")
}
