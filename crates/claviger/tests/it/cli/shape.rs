//! What the commands print for programs, with what differs from run to run replaced.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The one object on standard output, with the folder of the test replaced; its first member is the version.
pub(super) fn answer(output: &Output, folder: &Path) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.starts_with(r#"{"version":1,"#) && text.lines().count() == 1, "{output:?}");
    let text = text.replace(folder.to_str().unwrap(), "[folder]");
    serde_json::from_str(&text).unwrap()
}

/// It as it is kept in a file.
pub(super) fn pretty(answer: &Value) -> String {
    serde_json::to_string_pretty(answer).unwrap()
}

/// The check of that name.
#[track_caller]
pub(super) fn check<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let checks = answer["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {answer:#}"))
}

/// How it went and what was found, after looking that it has a mend where one is needed.
#[track_caller]
pub(super) fn found<'a>(answer: &'a Value, name: &str) -> (&'a str, &'a str) {
    let check = check(answer, name);
    let state = check["state"].as_str().unwrap();
    let needed = matches!(state, "attention" | "bad");
    assert_eq!(check["mend"].as_str().is_some_and(|mend| !mend.is_empty()), needed, "{check}");
    (state, check["what"].as_str().unwrap())
}

/// What the program prints on a terminal of 60 columns while this is typed, by `script` of util-linux; without that the
/// test says that it is skipped.
pub(super) fn on_a_terminal(
    arguments: &str,
    typed: &str,
    variables: &[(&str, &str)],
    folder: &Path,
) -> Option<String> {
    let line = format!("stty cols 60; exec '{}' {arguments}", env!("CARGO_BIN_EXE_claviger"));
    let started = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env_remove("NO_COLOR")
        .envs([("TERM", "xterm"), ("LC_ALL", "C.UTF-8")])
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        let _ = writeln!(std::io::stderr(), "skipped: a test on a terminal (there is no `script`)");
        return None;
    };
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap().replace('\r', ""))
}
