//! What the commands print for programs, with what differs from run to run replaced.

use std::path::Path;
use std::process::Output;

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
