//! What no compiler checks: that the files of the project speak of nothing outside it, and that its docs name only what
//! is there. All findings are printed, one a line, with file and line number.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::steps::Outcome;

/// Folders of the machines that the project is written on; pieced together, so that this line is no finding itself.
const MACHINE_PATHS: &[&str] = &[concat!("/wor", "k/"), concat!("/far", "m/"), concat!("/tm", "p/")];

struct File {
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }
}

/// Looks through every file that belongs to the project, committed or new.
pub(crate) fn check(root: &Path) -> Result<Outcome> {
    let files = files(root)?;
    let mut findings = Vec::new();
    for file in &files {
        findings.extend(machine_paths(file));
        if file.has_extension("md") {
            findings.extend(dead_links(root, file));
        }
    }
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let functions = functions(&files);
    if let Some(requirements) = find("docs/requirements.md") {
        findings.extend(absent_tests(requirements, &functions));
    }
    if let (Some(manifest), Some(docs)) = (find("Cargo.toml"), find("docs/dependencies.md")) {
        findings.extend(dependencies_without_reason(manifest, docs));
    }
    if let (Some(registry), Some(docs)) = (find("crates/model/src/problem.rs"), find("docs/errors.md")) {
        findings.extend(undocumented_codes(registry, docs));
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(Outcome::Passed),
        1 => bail!("1 finding"),
        count => bail!("{count} findings"),
    }
}

fn files(root: &Path) -> Result<Vec<File>> {
    let mut git = Command::new("git");
    // The folder may belong to somebody else, as in a container that mounts it; reading its list is harmless.
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = process::output(git.current_dir(root)).context("git ls-files failed: is this a clone?")?;
    Ok(listed
        .split('\0')
        .filter(|path| !path.is_empty())
        // What is deleted and not yet committed, or not text, has nothing to check.
        .filter_map(|path| {
            Some(File { path: path.to_owned(), text: fs::read_to_string(root.join(path)).ok()? })
        })
        .collect())
}

fn lines(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn machine_paths(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in lines(file) {
        for path in MACHINE_PATHS {
            // Within a word or an address it is somebody else's path.
            let absolute = line
                .match_indices(path)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}".contains(c)));
            if absolute {
                findings.push(format!("{}:{number}: {path} is a folder of somebody's machine", file.path));
            }
        }
    }
    findings
}

fn dead_links(root: &Path, file: &File) -> Vec<String> {
    let folder = root.join(&file.path).parent().map(Path::to_owned).unwrap_or_default();
    let mut findings = Vec::new();
    for (number, line) in lines(file) {
        for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !elsewhere && !folder.join(path).exists() {
                findings.push(format!("{}:{number}: the link {link} leads nowhere", file.path));
            }
        }
    }
    findings
}

/// The names of all functions in the Rust files.
fn functions(files: &[File]) -> BTreeSet<&str> {
    let rust = files.iter().filter(|file| file.has_extension("rs"));
    rust.flat_map(|file| file.text.split("fn ").skip(1))
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .collect()
}

/// In the last column of a table row every name in backticks is a test. `file::name` names its place too.
fn absent_tests(requirements: &File, functions: &BTreeSet<&str>) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in lines(requirements) {
        let Some(row) = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|')) else {
            continue;
        };
        let last = row.rsplit('|').next().unwrap_or_default();
        for name in last.split('`').skip(1).step_by(2) {
            let function = name.rsplit("::").next().unwrap_or(name);
            if !functions.contains(function) {
                findings.push(format!("{}:{number}: there is no test {name}", requirements.path));
            }
        }
    }
    findings
}

/// Every dependency of the workspace stands at the beginning of a row of the table that gives its reason.
fn dependencies_without_reason(manifest: &File, docs: &File) -> Vec<String> {
    let explained: BTreeSet<&str> =
        lines(docs).filter_map(|(_, line)| line.strip_prefix("| `")?.split('`').next()).collect();
    let declared: BTreeSet<&str> = lines(manifest)
        .skip_while(|(_, line)| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|(_, line)| !line.starts_with('['))
        .filter(|(_, line)| !line.contains("path = "))
        .filter_map(|(_, line)| Some(line.split_once('=')?.0.trim()))
        .filter(|name| !name.starts_with('#'))
        .collect();
    let unexplained =
        declared.difference(&explained).map(|name| format!("{}: {name} has no reason", docs.path));
    let gone = explained.difference(&declared).map(|name| format!("{}: {name} is no dependency", docs.path));
    unexplained.chain(gone).collect()
}

/// The registry's rows are `Variant => status, "code", Action;`.
fn undocumented_codes(registry: &File, docs: &File) -> Vec<String> {
    let codes = lines(registry)
        .filter(|(_, line)| line.contains(" => ") && line.trim_end().ends_with(';'))
        .filter_map(|(_, line)| line.split('"').nth(1));
    codes
        .filter(|code| !docs.text.contains(&format!("`{code}`")))
        .map(|code| format!("{}: the code {code} is missing", docs.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_path_of_somebodys_machine_is_found() {
        let folder = MACHINE_PATHS[0];
        let findings = machine_paths(&file("a.md", &format!("fine\nsee {folder}main\n")));
        assert_eq!(findings, [format!("a.md:2: {folder} is a folder of somebody's machine")]);
        assert!(machine_paths(&file("a.md", &format!("https://example.com{folder}x"))).is_empty());
    }

    #[test]
    fn a_link_to_a_file_that_is_not_there_is_found() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("docs")).unwrap();
        fs::write(root.path().join("docs/sealing.md"), "").unwrap();
        let text = "[a](sealing.md#format) [b](https://example.com) [c](../docs/none.md) [d](#here)";
        let findings = dead_links(root.path(), &file("docs/a.md", text));
        assert_eq!(findings, ["docs/a.md:1: the link ../docs/none.md leads nowhere"]);
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let source = file("a.rs", "#[test]\nfn a_state_works_once() {}\nasync fn two_callers() {}");
        let sources = [source];
        let table = file(
            "r.md",
            "| id | line | test |\n|---|---|---|\n| 1 | `state` | `it::a_state_works_once`, `two_callers` |\n\
             | 2 | x | `a_state_works` |\n| 3 | y | — later: grant |\n",
        );
        assert_eq!(absent_tests(&table, &functions(&sources)), ["r.md:4: there is no test a_state_works"]);
    }

    #[test]
    fn a_dependency_has_a_reason_and_a_reason_a_dependency() {
        let manifest = file(
            "Cargo.toml",
            "[workspace.dependencies]\nmodel = { path = \"m\" }\n# why\nbytes = \"1\"\nurl = \"2\"\n[lints]\nx = 1\n",
        );
        let docs = file("d.md", "| `bytes` | buffers |\n| `serde` | gone |\n");
        assert_eq!(
            dependencies_without_reason(&manifest, &docs),
            ["d.md: url has no reason", "d.md: serde is no dependency"]
        );
    }

    #[test]
    fn a_code_without_its_row_in_the_reference_is_found() {
        let registry =
            file("p.rs", "  A => 400, \"malformed_json\", None;\n  B => 404, \"route_not_found\", None;\n");
        let docs = file("e.md", "`malformed_json`");
        assert_eq!(undocumented_codes(&registry, &docs), ["e.md: the code route_not_found is missing"]);
    }
}
