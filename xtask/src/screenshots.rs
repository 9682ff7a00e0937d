//! `cargo xtask screenshots`: the pictures of all pages, for the docs.
//!
//! 1. The tests of `look` take them, each after everything else that they ask of the page.
//! 2. When all have passed, the folder gets what is new and loses what is no page's any more. A picture whose octets are
//!    the same stays untouched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::install::{self, Need};
use crate::process;
use crate::services::Pages;
use crate::steps::{scratch, without_settings};

/// Where they are kept.
const FOLDER: &str = "docs/screenshots";

/// Where the tests keep a picture, by the environment.
pub(crate) const VARIABLE: &str = "CLAVIGER_TEST_SCREENSHOTS";

/// The test that compares the folder with the list of pages; it would find the old folder.
const COMPARISON: &str = "look::the_docs_have_the_picture_of_every_page_and_no_other";

/// Takes all pictures anew.
pub(crate) fn take(root: &Path) -> Result<()> {
    install::install(root, &[Need::Chromium, Need::Node])?;
    let scratch = scratch()?;
    let taken = scratch.path().join("pictures");
    fs::create_dir(&taken)?;
    let pages = Pages::start(root, scratch.path())?;
    let mut command = Command::new("cargo");
    command
        .args([
            "test",
            "--package",
            "claviger",
            "--locked",
            "--test",
            "it",
            "--",
            "look::",
            "--skip",
            COMPARISON,
        ])
        .current_dir(root);
    without_settings(&mut command);
    pages.tell(&mut command);
    process::run(command.env(VARIABLE, &taken).env("TMPDIR", scratch.path()))?;
    let changed = replace(&taken, &root.join(FOLDER))?;
    println!("{changed} pictures of {FOLDER} have changed");
    Ok(())
}

/// Makes `folder` have the pictures of `taken` and no other. How many were written or removed.
fn replace(taken: &Path, folder: &Path) -> Result<usize> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let (new, mut old) = (pictures(taken)?, pictures(folder)?);
    let mut changed = 0;
    for (name, path) in new {
        let picture = fs::read(&path)?;
        let kept = old.remove(&name).map(fs::read).transpose()?;
        if kept.as_ref() != Some(&picture) {
            let path = folder.join(name);
            fs::write(&path, picture).with_context(|| path.display().to_string())?;
            changed += 1;
        }
    }
    for path in old.values() {
        fs::remove_file(path).with_context(|| path.display().to_string())?;
    }
    Ok(changed + old.len())
}

/// The PNG files of a folder, by name.
fn pictures(folder: &Path) -> Result<BTreeMap<std::ffi::OsString, PathBuf>> {
    let mut pictures = BTreeMap::new();
    for file in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let file = file?;
        if file.path().extension().is_some_and(|extension| extension == "png") {
            pictures.insert(file.file_name(), file.path());
        }
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_gets_what_is_new_and_loses_what_is_no_pages_any_more() {
        let root = tempfile::tempdir().unwrap();
        let [taken, folder] = ["taken", "docs/screenshots"].map(|name| root.path().join(name));
        fs::create_dir(&taken).unwrap();
        for (name, text) in [("same.png", "1"), ("other.png", "2"), ("new.png", "3"), ("log.txt", "x")] {
            fs::write(taken.join(name), text).unwrap();
        }
        assert_eq!(replace(&taken, &folder).unwrap(), 3);
        for (name, text) in [("other.png", "0"), ("gone.png", "4"), ("README.md", "y")] {
            fs::write(folder.join(name), text).unwrap();
        }
        fs::remove_file(folder.join("new.png")).unwrap();
        assert_eq!(replace(&taken, &folder).unwrap(), 3);
        let mut there: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(there, ["README.md", "new.png", "other.png", "same.png"]);
        assert_eq!(fs::read_to_string(folder.join("other.png")).unwrap(), "2");
        assert_eq!(replace(&taken, &folder).unwrap(), 0);
    }
}
