//! Completions and man pages, which follow from the commands themselves.

use std::fs;

use crate::harness::process::run;

#[test]
fn every_shell_gets_completions_with_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell], &[], folder.path());
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{shell}");
        for part in ["claviger", "doctor", "data-dir", "completions"] {
            assert!(script.contains(part), "{part} is not in the completions of {shell}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"], &[], folder.path()).status.code(), Some(2));
}

#[test]
fn there_is_a_man_page_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let main = String::from_utf8(run(&["man"], &[], folder.path()).stdout).unwrap();
    assert!(main.contains(".TH claviger 1") && main.contains("doctor"), "{main}");
    let written = run(&["man", "--out", "pages/man1"], &[], folder.path());
    assert!(written.status.success(), "{written:?}");
    for (page, part) in [
        ("claviger.1", "doctor"),
        ("claviger-doctor.1", "--json"),
        ("claviger-config-show.1", "--effective"),
        ("claviger-db-check.1", "--thorough"),
    ] {
        let text = fs::read_to_string(folder.path().join("pages/man1").join(page)).unwrap();
        assert!(text.replace("\\-", "-").contains(part), "{page}: {text}");
    }
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(run(&["man", "--out", "file"], &[], folder.path()).status.code(), Some(3));
}
