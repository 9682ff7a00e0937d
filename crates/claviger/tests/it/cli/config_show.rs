//! `claviger config show`.

use std::fs;
use std::path::Path;
use std::process::Output;

use super::shape::{answer, pretty};
use crate::harness::process::run;

const FILE: &str = "public_url = 'https://auth.rowan.example'\nproduct_name = 'Claviger'\nkey = 'hunter2'\n\n[database]\n\
    url = 'postgres://rowan:hunter2@db.example/claviger?password=hunter2&sslmode=verify-full'\n\
    [connect]\nreturn_to = [\n  'https://app.rowan.example',\n]\n\
    [integrations.github]\nclient_id = 'Iv1.x'\nclient_secret = ['env:GITHUB', 'hunter2']\n\
    scopes = ['repo']\n[groups.atlassian]\nclient_id = 'a'\nclient_secret = 'cmd:pass hunter2'\n";

const VARIABLES: [(&str, &str); 3] = [
    ("CLAVIGER__LOG__LEVEL", "debug"),
    ("CLAVIGER__STRIPE__SECRET_KEY", "hunter2"),
    ("CLAVIGER__PRODUCT_NAME", "1984"),
];

fn show(folder: &Path, more: &[&str]) -> Output {
    fs::write(folder.join("claviger.toml"), FILE).unwrap();
    let arguments = [&["config", "show", "--data-dir", "keys"], more].concat();
    let output = run(&arguments, &VARIABLES, folder);
    assert!(output.status.success(), "{output:?}");
    for stream in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(stream).contains("hunter2"), "{output:?}");
    }
    output
}

#[test]
fn what_differs_is_shown_with_its_place_and_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let text = String::from_utf8(show(folder.path(), &[]).stdout).unwrap();
    insta::assert_snapshot!("config_show_text", text);
    let output = show(folder.path(), &["--json"]);
    insta::assert_snapshot!("config_show_json", pretty(&answer(&output, folder.path())));
}

#[test]
fn what_is_in_force_holds_every_default_too() {
    let folder = tempfile::tempdir().unwrap();
    let output = show(folder.path(), &["--effective", "--json"]);
    let answer = answer(&output, folder.path());
    let settings = answer["settings"].as_array().unwrap();
    let origin = |path: &str| {
        let path: Vec<&str> = path.split('.').collect();
        let setting = settings.iter().find(|setting| setting["path"] == serde_json::json!(path));
        let origin = &setting.unwrap_or_else(|| panic!("{path:?} is not in {answer:#}"))["origin"];
        (origin["kind"].as_str().unwrap(), origin["place"].as_str())
    };
    assert_eq!(origin("connect.attempt_ttl"), ("default", None));
    assert_eq!(origin("connect.return_to"), ("file", Some("claviger.toml:8")));
    assert_eq!(origin("log.level"), ("environment", Some("CLAVIGER__LOG__LEVEL")));
    assert_eq!(origin("data_dir"), ("flag", Some("--data-dir")));
    assert!(settings.len() > 40);
}

#[test]
fn nothing_special_is_said_in_one_line_and_a_mistake_is_an_answer_too() {
    let folder = tempfile::tempdir().unwrap();
    let plain = run(&["config", "show"], &[], folder.path());
    assert_eq!(
        String::from_utf8(plain.stdout).unwrap(),
        "Everything is as by default; --effective shows it.\n"
    );
    fs::write(folder.path().join("claviger.toml"), "nonsense = 'hunter2'\n").unwrap();
    let output = run(&["config", "show", "--json"], &[], folder.path());
    assert_eq!(output.status.code(), Some(3));
    insta::assert_snapshot!(pretty(&answer(&output, folder.path())));
}
