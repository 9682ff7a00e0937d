//! What `claviger dev` leaves for the other commands.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use toml::Table;

use crate::harness::Program;
use crate::harness::process::run;

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
