//! `claviger db check`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use store::testing::fresh_postgres;

use super::shape::{answer, found, pretty};
use crate::harness::process::run;

fn migrate(folder: &Path, variables: &[(&str, &str)]) {
    let output = run(&["migrate", "--data-dir", "data"], variables, folder);
    assert!(output.status.success(), "{output:?}");
}

fn check(folder: &Path, variables: &[(&str, &str)]) -> Output {
    run(&["db", "check", "--json", "--data-dir", "data"], variables, folder)
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_sound_file_is_good_and_one_that_others_may_read_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    migrate(folder.path(), &[]);
    let output = check(folder.path(), &[]);
    let mut good = answer(&output, folder.path());
    assert_eq!(output.status.code(), Some(0), "{good:#}");
    for check in good["checks"].as_array_mut().unwrap() {
        match check["name"].as_str() {
            Some("schema") => check["what"] = "[varies]".into(),
            Some("disk space") => *check = "[varies]".into(),
            _ => {}
        }
    }
    insta::assert_snapshot!(pretty(&good));
    let thorough =
        run(&["db", "check", "--thorough", "--data-dir", "data"], &[("COLUMNS", "60")], folder.path());
    let text = String::from_utf8(thorough.stdout).unwrap();
    assert!(text.contains("integrity_check") && !text.contains("x bad"), "{text}");
    assert!(text.is_ascii() && !text.contains('\u{1b}'), "no colours where nobody sees them: {text}");

    open(&data.join("claviger.db"), 0o644);
    open(&data, 0o755);
    let output = check(folder.path(), &[]);
    let bad = answer(&output, folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(found(&bad, "file permissions"), ("bad", "others may read data/claviger.db"));
    assert_eq!(found(&bad, "directory permissions").0, "attention");
    let mode = fs::metadata(data.join("claviger.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "a check mends nothing");
    open(&data, 0o777);
    assert_eq!(found(&answer(&check(folder.path(), &[]), folder.path()), "directory permissions").0, "bad");
}

#[test]
fn somebody_elses_file_is_not_ours_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/claviger.db");
    fs::create_dir(folder.path().join("data")).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE books (title TEXT)").unwrap();
    let before = fs::read(&file).unwrap();
    let output = check(folder.path(), &[]);
    let bad = answer(&output, folder.path());
    assert_eq!((output.status.code(), found(&bad, "schema").0), (Some(1), "bad"));
    assert!(found(&bad, "schema").1.contains("not ours"), "{bad:#}");
    assert_eq!(found(&bad, "journal").0, "attention");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path().join("data")).unwrap().count(), 1);

    fs::write(&file, "This is a letter, and no database at all. ".repeat(100)).unwrap();
    let output = check(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        answer(&output, folder.path())["error"]["detail"].as_str().unwrap().contains("not a SQLite database")
    );
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    insta::assert_snapshot!(pretty(&answer(&output, folder.path())));
    assert!(!folder.path().join("data").exists());
    fs::write(folder.path().join("data"), "").unwrap();
    assert_eq!(check(folder.path(), &[]).status.code(), Some(3), "a file in place of the directory");
}

#[tokio::test]
async fn a_server_tells_what_our_role_may_do() {
    let Some(url) = fresh_postgres().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = [("CLAVIGER__DATABASE__URL", url.as_str())];
    migrate(folder.path(), &database);
    let output = check(folder.path(), &database);
    let answer = answer(&output, folder.path());
    assert_eq!(output.status.code(), Some(1), "the tests' role is a superuser");
    assert_eq!(found(&answer, "role").0, "bad");
    assert_eq!(found(&answer, "server").0, "good");
    assert_eq!(found(&answer, "encryption"), ("good", "the server is this machine; nothing leaves it"));
    assert_eq!(found(&answer, "schema rights").0, "attention");
    assert_eq!(found(&answer, "audit trail").0, "attention");
    assert_eq!(found(&answer, "privileges").0, "good");
    assert_eq!(found(&answer, "schema").0, "good");
}

#[test]
fn a_server_that_can_not_be_reached_is_told_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("postgres://rowan:hunter2@{address}/claviger");
    let output = check(folder.path(), &[("CLAVIGER__DATABASE__URL", &url)]);
    assert_eq!(output.status.code(), Some(3));
    let answer = answer(&output, folder.path());
    assert_eq!(answer["error"]["code"], "could_not_run");
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
}
