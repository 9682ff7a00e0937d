//! What `claviger dev` leaves for the other commands.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use toml::Table;

use crate::harness::Program;
use crate::harness::process::run;

const README: &str = include_str!("../../../../../README.md");

fn start(data: &Path, more: &[&str]) -> (Program, Value) {
    let arguments = ["dev", "--json", "--port", "0", "--data-dir", data.to_str().unwrap()];
    let program = Program::start(&[&arguments, more].concat(), &[]);
    let line = program.line_with("onboardingUrl");
    (program, line)
}

fn written(data: &Path) -> Table {
    fs::read_to_string(data.join("claviger.toml")).unwrap().parse().unwrap()
}

#[test]
fn what_it_runs_with_is_written_anew_at_every_start_and_good_for_every_other_command() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (program, line) = start(&data, &["--as", "github"]);
    let first = written(&data);
    assert_eq!(first["public_url"].as_str(), line["publicUrl"].as_str());
    let sandbox = line["sandboxUrl"].as_str().unwrap().trim_start_matches("http://");
    assert_eq!(first["outbound"]["allow_private"][0].as_str(), Some(sandbox));
    assert_eq!(first["integrations"]["github"]["client_id"].as_str(), Some("github"));
    for path in [&first["data_dir"], &first["catalog"]["directory"]] {
        let path = Path::new(path.as_str().unwrap());
        assert!(path.is_absolute() && path.is_dir(), "{path:?}");
    }
    let file = data.join("claviger.toml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let elsewhere = tempfile::tempdir().unwrap();
    let check = ["config", "check", "--data-dir", data.to_str().unwrap()];
    let output = run(&check, &[], elsewhere.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.ends_with("The configuration is good.\n"), "{text}");
    assert!(program.terminate().0.success());

    let (program, _) = start(&data, &[]);
    let second = written(&data);
    assert!(second.get("catalog").is_none() && second["integrations"].get("github").is_none());
    assert!(program.terminate().0.success());
    let drafts = fs::read_dir(&data).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(drafts.filter(|name| name.starts_with(".draft")).count(), 0);
}

#[test]
fn a_configuration_that_it_did_not_write_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claviger.toml");
    for text in ["", "product_name = 'Rowan'\n", "\n# claviger dev makes this file"] {
        fs::write(&file, text).unwrap();
        let refused = run(&["dev", "--port", "0", "--data-dir", "."], &[], folder.path());
        let printed = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(3), "{printed}");
        assert!(printed.contains("./claviger.toml") && printed.contains("mend: name another"), "{printed}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is made");
    }
}

/// The shell commands below a heading of the README, with what `dev` printed where it leaves that out; what they print.
fn walk(heading: &str, printed: &str) -> Option<String> {
    for program in ["bash", "curl", "jq"] {
        if Command::new(program).arg("--version").output().is_err() {
            let required = std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() == Ok("1");
            assert!(!required, "CLAVIGER_TEST_REQUIRE=1, but {program} is missing");
            return None;
        }
    }
    let (_, below) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, commands) = below.split_once("```sh\n").unwrap();
    let (commands, _) = commands.split_once("```").unwrap();
    let (first, others) = commands.split_once('\n').unwrap();
    assert!(first.ends_with("# as printed"), "{first}");
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &format!("{printed}\n{others}")]).current_dir(folder.path());
    let output = shell.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    Some(said)
}

#[test]
fn the_walks_of_the_readme_work_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (program, line) = start(folder.path(), &[]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let url = text(&line["publicUrl"]);
    let printed = format!("CLAVIGER={url} KEY={}", text(&line["apiKey"]));
    if let Some(said) = walk("The same with curl (and jq) alone", &printed) {
        let (back, token) = said.split_once('\n').unwrap();
        assert!(back.starts_with("303 ") && back.contains("/connect/done/sandbox"), "{said}");
        assert!(token.contains("\"access_token\":\"sbx_at_"), "{said}");
    }
    let (secret, password) = (&line["application"]["clientSecret"], &line["user"]["password"]);
    let printed = format!("CLAVIGER={url} SECRET={} PASSWORD={}", text(secret), text(password));
    if let Some(said) = walk("An application asks for access", &printed) {
        let mut answers = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
        let person = answers.next().unwrap().unwrap();
        assert_eq!(person["email"], line["user"]["email"], "{said}");
        let tokens = answers.next().unwrap().unwrap();
        assert!(tokens["refresh_token"].as_str().unwrap().starts_with("crt_"), "{said}");
    }
    assert!(program.terminate().0.success());
}
