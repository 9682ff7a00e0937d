//! The shapes of `--json`, version 1, as docs/cli.md promises them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::rig::Rig;

/// The shape of an object: times, ids, numbers and the test's own addresses are named, words stay.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, value)| (name.clone(), named(name, value))).collect::<Map<_, _>>(),
        ),
        Value::Array(values) => Value::Array(values.iter().map(shape).collect()),
        Value::Number(_) => "a number".into(),
        Value::String(text) if text.len() == 24 && text.ends_with('Z') => "a time".into(),
        Value::String(text) if text.split_once('_').is_some_and(|(_, rest)| rest.len() == 32) => {
            "an id".into()
        }
        Value::String(text) if text.starts_with("acct_") => "an id".into(),
        other => other.clone(),
    }
}

fn named(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("version", version) => version.clone(),
        ("url" | "access_token" | "key" | "clientSecret", Value::String(_)) => "a secret".into(),
        ("hash", Value::String(_)) => "a hash".into(),
        (_, value) => shape(value),
    }
}

fn pretty(value: &Value) -> String {
    undated(&serde_json::to_string_pretty(&shape(value)).unwrap())
}

/// The words of pages without the day on which the test runs.
fn undated(text: &str) -> String {
    let (begins, ends) = ("access on ", ", as tools do");
    let mut parts = text.split(begins);
    let mut undated = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.split_once(ends).unwrap_or_else(|| panic!("no {ends:?} in {part:?}")).1;
        undated.extend([begins, "a day", ends, rest]);
    }
    undated
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_command_keeps_its_shape() {
    let rig = Rig::new(None).await;
    rig.connect("anna", "github").await;
    let password = rig.file("password", "a long enough password");
    let mut told = String::new();
    for arguments in [
        "status",
        "status --user anna",
        "inspect github --user anna",
        "refresh github --user anna --verbose",
        "validate-all --user anna",
        "token github --user anna",
        "api-key create --name shop --scope connections:read",
        "integration create linear --client-id app-1",
        "integration remove linear",
        "provider show figma",
        "simulate-failure github --user anna --yes-really",
        "key list",
        "key rotate",
        "key check",
        "audit tail --count 1 --event api_key",
        "audit verify",
        "portal create --user anna",
        "disconnect github --user anna",
        "disconnect github --user anna",
        "app create --name Zapier --profile zapier --redirect-uri https://zapier.com/cb/ --client-id zap",
        "app list",
        "app show zap",
        "app rotate zap",
        "app remove zap",
        "user create --email anna@example.com --name Anna --team rowan=Rowan:owner --password-from FILE",
        "user list",
        "user show anna@example.com",
        "user set-password anna@example.com --password-from FILE",
        "user sign-out anna@example.com",
        "user disable anna@example.com",
        "user enable anna@example.com",
        "user join anna@example.com --team birch=Birch",
        "user leave anna@example.com --team birch",
        "user remove anna@example.com",
    ] {
        let words = arguments.split(' ').map(|word| if word == "FILE" { &*password } else { word });
        let said = rig.beside(&words.chain(["--json"]).collect::<Vec<_>>());
        assert!(said.err.is_empty(), "{said:?}");
        let _ = write!(
            told,
            "$ claviger {arguments} --json   (exit code {})\n{}\n\n",
            said.code,
            pretty(&said.json())
        );
    }
    insta::assert_snapshot!("version_1", told);
    let list = rig.beside(&["integration", "list", "--json"]).json();
    assert_eq!(list["integrations"][0]["id"], json!("figma"));
}

#[test]
fn the_docs_name_every_command() {
    let help =
        crate::operate::rig::Said::from(crate::harness::process::command(&["--help"], &[]).output().unwrap());
    let docs = include_str!("../../../../../docs/cli.md");
    let help = help.expect(0);
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 20, "{help}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let is_named = docs.contains(&format!("`{name}")) || docs.contains(&format!("claviger {name} "));
        assert!(is_named, "docs/cli.md does not name {name}");
    }
}
