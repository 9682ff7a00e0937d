//! `claviger init`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use toml::Table;

use super::shape::{answer, on_a_terminal, pretty};
use crate::harness::process::{command, run};

const URL: &str = "https://auth.rowan.example";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_it_writes_can_be_served() {
    let folder = tempfile::tempdir().unwrap();
    let done = run(&["init", "--public-url", URL], &[], folder.path());
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{text}");
    for part in ["/api/oauth/callback/github", "claviger doctor", "claviger serve", "[integrations.github]"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let data = folder.path().join("data");
    assert_eq!((mode(&data), mode(&data.join("key"))), (0o700, 0o600));
    assert_eq!(mode(&folder.path().join("claviger.toml")), 0o600);
    let check = run(&["config", "check"], &[], folder.path());
    assert_eq!(String::from_utf8(check.stdout).unwrap(), "The configuration is good.\n");
    let written: Table = fs::read_to_string(folder.path().join("claviger.toml")).unwrap().parse().unwrap();
    assert_eq!(written["public_url"].as_str(), Some(URL));
    assert!(written["data_dir"].as_str().unwrap().starts_with('/'), "it is found from everywhere");
}

#[test]
fn without_a_terminal_nobody_is_asked_and_what_is_open_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["init", "--json", "--data-dir", "keys", "--config", "rowan.toml"], &[], folder.path());
    insta::assert_snapshot!(pretty(&answer(&output, folder.path())));
    let check = run(&["config", "check", "--config", "rowan.toml"], &[], folder.path());
    let text = String::from_utf8(check.stderr).unwrap();
    assert_eq!(check.status.code(), Some(1));
    assert!(text.contains("public_url: is not set") && text.matches("mend:").count() == 1, "{text}");
    let complete = ("CLAVIGER__PUBLIC_URL", URL);
    assert!(run(&["config", "check", "--config", "rowan.toml"], &[complete], folder.path()).status.success());
    let text = fs::read_to_string(folder.path().join("rowan.toml")).unwrap();
    assert_eq!(text.matches("To be filled in").count(), 2);
}

#[test]
fn nothing_is_ever_overwritten() {
    for there in ["claviger.toml", "data/key", "data/claviger.db"] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let file = folder.path().join(there);
        fs::write(&file, "mine").unwrap();
        let refused = run(&["init", "--public-url", URL], &[], folder.path());
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(3), "{text}");
        assert!(text.contains(there) && text.contains("mend: "), "{text}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        let files = fs::read_dir(folder.path()).unwrap().count();
        let inside = fs::read_dir(folder.path().join("data")).unwrap().count();
        assert_eq!(files + inside, 2, "one file and its directory");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("claviger.toml"), "mine").unwrap();
    let refused = run(&["init", "--json"], &[], folder.path());
    assert_eq!(refused.status.code(), Some(3));
    insta::assert_snapshot!(pretty(&answer(&refused, folder.path())));
}

#[test]
fn a_public_url_that_could_not_be_served_is_a_usage_error_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for url in
        ["http://auth.rowan.example", "auth.rowan.example", "https://rowan.example/auth", "https://u:p@x"]
    {
        let refused = run(&["init", "--public-url", url], &[], folder.path());
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(text.contains("--public-url"), "{text}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_can_not_be_made_leaves_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for arguments in [&["--data-dir", "file/data"][..], &["--config", "file/claviger.toml"]] {
        let refused = run(&[&["init", "--public-url", URL], arguments].concat(), &[], folder.path());
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        assert!(!folder.path().join("claviger.toml").exists());
        assert!(!folder.path().join("data/key").exists(), "a key without its configuration is in the way");
    }
}

#[test]
fn a_narrow_page_gets_narrow_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut init = command(&["init", "--public-url", URL], &[("COLUMNS", "60")]);
    let done = init.current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    for line in text.lines() {
        assert!(line.len() <= 60 || !line.trim().contains(' '), "{line}");
    }
}

#[test]
fn on_a_terminal_the_address_is_asked_for_until_it_can_be_served() {
    let folder = tempfile::tempdir().unwrap();
    let typed = "http://auth.rowan.example\nhttps://auth.rowan.example/\n";
    let Some(text) = on_a_terminal("init", typed, &[], folder.path()) else { return };
    assert_eq!(text.matches("Public URL, such as").count(), 2, "{text}");
    assert!(text.contains("is http outside loopback") && text.contains("What comes next:"), "{text}");
    let written = fs::read_to_string(folder.path().join("claviger.toml")).unwrap();
    assert!(written.contains("public_url = \"https://auth.rowan.example\"\n"), "{written}");
    let given = tempfile::tempdir().unwrap();
    let text = on_a_terminal("init --public-url https://auth.rowan.example", "", &[], given.path()).unwrap();
    assert!(!text.contains("Public URL, such as"), "{text}");
}
