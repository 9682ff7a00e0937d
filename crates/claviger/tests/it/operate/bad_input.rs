//! What stops a command, and how it says so.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::rig::{Rig, Said};
use crate::harness::Program;
use crate::harness::process::{command, run};

const KEY: (&str, &str) = ("CLAVIGER_KEY", "p2kPrqnc2IwqTtKX3J9TMV6wWd2FMqZ4hbMWBsLDp8o=");
const URL: (&str, &str) = ("CLAVIGER__PUBLIC_URL", "http://127.0.0.1:1");

#[track_caller]
fn fails(arguments: &[&str], folder: &Path, code: i32, part: &str) {
    let said = Said::from(run(arguments, &[KEY, URL], folder));
    assert!(said.code == code && said.err.contains(part), "{part:?}, {code}: {said:?}");
    assert_eq!(said.out, "");
    let said = Said::from(run(&[arguments, &["--json"]].concat(), &[KEY, URL], folder));
    let told = said.json();
    let detail = told["error"]["detail"].as_str().unwrap_or_default();
    assert!(told["version"] == 1 && said.code == code && detail.contains(part), "{part:?}, {code}: {said:?}");
}

#[test]
fn a_data_directory_that_is_missing_foreign_or_no_directory_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let missing = at("missing");
    fails(&["status", "--data-dir", &missing], folder.path(), 3, "there is no store at");
    assert!(!Path::new(&missing).exists(), "a command makes no data directory");
    fs::write(at("file"), "").unwrap();
    fails(&["status", "--data-dir", &at("file")], folder.path(), 3, "file/claviger.db");

    fs::create_dir(at("text")).unwrap();
    fs::write(at("text/claviger.db"), "this is a diary\n".repeat(500)).unwrap();
    fails(&["status", "--data-dir", &at("text")], folder.path(), 3, "not a SQLite database");

    fs::create_dir(at("foreign")).unwrap();
    let database = rusqlite::Connection::open(at("foreign/claviger.db")).unwrap();
    database.execute_batch("CREATE TABLE diary (day TEXT)").unwrap();
    drop(database);
    fails(&["status", "--data-dir", &at("foreign")], folder.path(), 3, "claviger migrate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_key_than_the_stores_is_told() {
    let rig = Rig::new(None).await;
    let text = fs::read_to_string(&rig.config).unwrap();
    let line = text.lines().find(|line| line.starts_with("key = ")).unwrap();
    let other = rig.folder.path().join("other.toml");
    fs::write(&other, text.replace(line, &format!("key = \"{}\"", KEY.1))).unwrap();
    let said = Said::from(run(&["status", "--config", other.to_str().unwrap()], &[], rig.folder.path()));
    assert!(said.code == 3 && said.err.contains("the store was sealed with the key"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_key_of_the_configuration_takes_the_place_of_the_old_one() {
    let rig = Rig::new(None).await;
    rig.connect("anna", "github").await;
    let new = rig.folder.path().join("new-key");
    fs::write(&new, KEY.1).unwrap();
    let source = format!("file:{}", new.display());
    for (wrong, part) in
        [("file:/nowhere", "--new-key"), (KEY.1, "command line"), (&rig.config, "command line")]
    {
        rig.beside(&["key", "rotate", "--new-key", wrong]).expect_err_with(3, part);
    }
    rig.beside(&["key", "rotate", "--new-key", &format!("file:{}", rig.config)])
        .expect_err_with(3, "--new-key");
    assert_eq!(rig.through(&["key", "rotate", "--new-key", &source]).code, 2, "never over the network");

    rig.beside(&["key", "rotate", "--new-key", &source]).expect_err_with(3, "try again in a minute");
    let rows = rusqlite::Connection::open(rig.folder.path().join("data/claviger.db")).unwrap();
    rows.execute("UPDATE keyring SET created_at = created_at - 60000", []).unwrap();
    let changed = rig.beside(&["key", "rotate", "--new-key", &source]).expect(0);
    assert!(changed.contains("set `key` to it now"), "{changed}");
    rig.token("anna", "github").await.expect(200);
    rig.beside(&["status"]).expect_err_with(3, "the store was sealed with the key");
    let text = fs::read_to_string(&rig.config).unwrap();
    let line = text.lines().find(|line| line.starts_with("key = ")).unwrap();
    fs::write(&rig.config, text.replace(line, &format!("key = \"{source}\""))).unwrap();
    rig.beside(&["token", "github", "--user", "anna"]).expect(0);
    let again = rig.beside(&["key", "rotate", "--new-key", &source]).expect(0);
    assert!(again.contains("The store has this key already."), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_somebody_else_has_locked_is_told_and_nothing_hangs() {
    let mut rig = Rig::new(None).await;
    let database = rig.folder.path().join("data/claviger.db");
    rig.stop();
    let holder = rusqlite::Connection::open(&database).unwrap();
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE held (x)").unwrap();
    let said = rig.beside(&["status"]);
    assert!(said.code == 3 && said.err.contains("locked"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_address_or_a_key_that_is_wrong_is_told_and_the_key_never_repeated() {
    let rig = Rig::new(None).await;
    let through = |url: &str, key: &str| {
        Said::from(
            command(&["status", "--json", "--url", url], &[("CLAVIGER_API_KEY", key)]).output().unwrap(),
        )
    };
    let wrong = through(&rig.url, "cvk_wrong");
    assert_eq!((wrong.code, &wrong.json()["error"]["code"]), (3, &json!("invalid_api_key")));
    for key in ["wrong\u{1}key", "õun"] {
        let odd = through(&rig.url, key);
        assert!(odd.code == 3 && !odd.out.contains(key), "{odd:?}");
    }
    for (url, part) in [
        ("http://127.0.0.1:1", "refused"),
        ("ftp://127.0.0.1", "http or https"),
        ("http://anna:secret@127.0.0.1", "bare http or https"),
        ("http://1.1.1.1:8081", "public ones need https"),
        (&*rig.sandbox, "none of Claviger's"),
    ] {
        let said = through(url, "cvk_x");
        let detail = said.json()["error"]["detail"].as_str().unwrap_or_default().to_owned();
        assert!(said.code == 3 && detail.contains(part) && !detail.contains("secret"), "{url}: {said:?}");
    }
    let none = Said::from(command(&["status", "--url", &rig.url], &[]).output().unwrap());
    assert!(none.code == 3 && none.err.contains("CLAVIGER_API_KEY"), "{none:?}");
    let literal = ["status", "--url", &rig.url, "--api-key", "cvk_secret"];
    let literal = Said::from(command(&literal, &[]).output().unwrap());
    assert!(literal.code == 3 && !literal.err.contains("cvk_secret"), "{literal:?}");
}

#[test]
fn a_command_line_that_can_not_be_understood_is_usage() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["inspect", "github"][..],
        &["inspect", "git hub", "--user", "anna"],
        &["status", "--user", "<b>anna</b>"],
        &["status", "--url", "http://127.0.0.1:1", "--data-dir", "x"],
        &["nonsense"],
    ] {
        assert_eq!(run(arguments, &[], folder.path()).status.code(), Some(2), "{arguments:?}");
        let told: Value =
            serde_json::from_slice(&run(&[arguments, &["--json"]].concat(), &[], folder.path()).stdout)
                .unwrap();
        assert_eq!((&told["version"], &told["error"]["code"]), (&json!(1), &json!("usage")), "{arguments:?}");
    }
}

/// What the command shows on a terminal of so many columns.
fn on_terminal(rig: &Rig, columns: u32, arguments: &str, variables: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_claviger");
    let line = format!("stty cols {columns} rows 50; exec {program} {arguments} --config {}", rig.config);
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env_clear();
    script
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm")
        .envs(variables.iter().copied());
    String::from_utf8(script.stdin(std::process::Stdio::null()).output().unwrap().stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_columns_are_enough_and_colours_are_for_terminals_that_want_them() {
    let rig = Rig::new(None).await;
    rig.connect("anna", "github").await;
    for arguments in
        ["status", "status --user anna", "inspect github --user anna", "validate-all", "api-key list"]
    {
        let text = on_terminal(&rig, 60, arguments, &[("NO_COLOR", "1")]);
        for line in text.lines() {
            // Progress is written over.
            let line = line.rsplit("\u{1b}[K").next().unwrap();
            let width = line.trim_end().chars().count();
            let is_one_word = !line.trim().contains(' ');
            assert!(width <= 60 || is_one_word, "{width} columns in {arguments}: {line:?}");
        }
        assert!(!text.contains("\u{1b}[3"), "{text:?}");
    }
    let coloured = on_terminal(&rig, 100, "status --user anna", &[]);
    assert!(coloured.contains("\u{1b}[32m✓"), "{coloured:?}");
    let plain = rig.beside(&["status", "--user", "anna"]).expect(0);
    assert!(plain.contains("✓ github") && !plain.contains('\u{1b}'), "{plain:?}");
    let ascii = on_terminal(&rig, 100, "status --user anna", &[("LANG", "C"), ("NO_COLOR", "1")]);
    assert!(ascii.contains("+ github"), "{ascii:?}");
    let refused = on_terminal(&rig, 100, "token github --user anna", &[]);
    assert!(refused.contains("add --show"), "{refused:?}");
    let shown = on_terminal(&rig, 100, "token github --user anna --show", &[]);
    assert!(shown.contains("sbx_"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn new_entries_of_the_trail_are_shown_once_each_until_somebody_has_had_enough() {
    let rig = Rig::new(None).await;
    let follow = ["audit", "tail", "--follow", "--event", "subject_of_nobody", "--config", &rig.config];
    let quiet = Program::start(&follow, &[]);
    let follow = ["audit", "tail", "--follow", "--event", "connection", "--json", "--config", &rig.config];
    let program = Program::start(&follow, &[]);
    for subject in ["anna", "bert", "carl"] {
        rig.connect(subject, "github").await;
    }
    program.said(&["connection.created", "carl"]).await;
    rig.beside(&["disconnect", "github", "--user", "anna"]).expect(0);
    program.said(&["connection.disconnected", "anna"]).await;
    let (status, printed) = program.terminate();
    assert_eq!(status.code(), Some(3), "it was stopped: {printed}");
    for subject in ["anna", "bert", "carl"] {
        let created =
            printed.lines().filter(|line| line.contains("connection.created") && line.contains(subject));
        assert_eq!(created.count(), 1, "{printed}");
    }
    let (_, printed) = quiet.terminate();
    assert!(!printed.contains("connection"), "{printed}");

    let pipe = format!("{} api-key list --config {} | true", env!("CARGO_BIN_EXE_claviger"), rig.config);
    let said = Said::from(Command::new("bash").args(["-o", "pipefail", "-c", &pipe]).output().unwrap());
    assert!(said.code == 0 && said.err.is_empty(), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_command_leaves_no_mark_on_a_store_that_is_not_of_its_data_directory() {
    let rig = Rig::new(None).await;
    // As another store's server has left it.
    let mark = rig.folder.path().join("data/trail.mark");
    let foreign =
        json!({"writer": "wrt_00000000000000000000000000000000", "sequence": 7, "hash": "00".repeat(32)});
    fs::write(&mark, foreign.to_string()).unwrap();
    rig.beside(&["api-key", "create", "--name", "x", "--scope", "admin"]).expect(0);
    assert_eq!(fs::read_to_string(&mark).unwrap(), foreign.to_string());
    let held = rig.backend().get(format!("{}/api/refreshing", rig.url)).await.expect(200).json();
    assert_eq!(held["state"], "on", "{held}");
    let said = rig.beside(&["status", "--verbose"]);
    assert!(said.err.starts_with("GET /api/subjects?limit=200: 200 after "), "{said:?}");
}
