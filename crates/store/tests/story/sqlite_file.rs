//! What only a file does: its mode, its neighbours, another process beside us.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use store::{Error, Store};

use crate::rows::{api_key, subject};
use crate::world::{World, at, hash, key, new_connection, options};

async fn refused(path: impl AsRef<Path>) -> Error {
    let url = format!("sqlite:{}", path.as_ref().display());
    Store::open(&options(&url)).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn only_its_owner_can_read_the_file_and_its_neighbours() {
    let world = World::sqlite().await;
    world.one.subjects.put(&subject("anna")).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(world.directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["claviger.db", "claviger.db-shm", "claviger.db-wal", "claviger.db.lock"]);
}

#[tokio::test]
async fn a_file_that_others_could_read_is_taken_from_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.db");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&options(&format!("sqlite:{}", path.display()))).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    store.close().await;
}

/// The other half of the next test: its files can't grow beyond a limit.
#[tokio::test]
#[ignore = "runs in a process of its own, started by the test below"]
async fn as_a_process_on_a_small_disk() {
    let Ok(url) = std::env::var("STORY_URL") else { return };
    let store = Store::open(&options(&url)).await.unwrap();
    let mut large = subject("anna");
    // First by much, then by little, until there is no room for a page.
    for length in [50_000, 1] {
        let mut failed = false;
        for n in 0..500 {
            large.name = Some(format!("{n:03}").repeat(length));
            failed = failed || store.subjects.put(&large).await.is_err();
        }
        assert!(failed, "the disk was to be full");
    }
    assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
    // Makes room: the log goes into the database.
    let other = rusqlite::Connection::open(url.strip_prefix("sqlite:").unwrap()).unwrap();
    other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    store.ping().await.unwrap();
    store.subjects.put(&subject("bert")).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_ping_on_a_full_disk_fails_until_there_is_room() {
    let world = World::sqlite().await;
    // Without the signal a write beyond the limit is an error, as on a full disk.
    let limited = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" --exact sqlite_file::as_a_process_on_a_small_disk --ignored";
    let process = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env("STORY_URL", &world.url)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&process.stdout);
    assert!(process.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
async fn what_can_be_no_database_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("letter.txt");
    std::fs::write(&text, "Dear Anna, ".repeat(500)).unwrap();
    for (path, word) in [
        (directory.path().to_owned(), "is a directory"),
        (directory.path().join("missing/x.db"), "does not exist"),
        (text.clone(), "not a SQLite database"),
        ("".into(), "name a file"),
        (":memory:".into(), "name a file"),
    ] {
        let error = refused(&path).await;
        assert!(matches!(error, Error::Address(_)) && error.to_string().contains(word), "{path:?}: {error}");
    }
    assert!(std::fs::read_to_string(text).unwrap().starts_with("Dear Anna"));
    let error = Store::open(&options("mysql://root@localhost/x")).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Address(_)), "{error}");
}

#[tokio::test]
async fn a_directory_where_nothing_can_be_written_is_an_error_that_names_the_file() {
    // Not even root makes files in sysfs.
    let error = refused("/sys/claviger.db").await;
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("/sys/claviger.db"), "{error}");
}

#[tokio::test]
async fn a_read_only_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.db");
    let url = format!("sqlite:{}", path.display());
    Store::open(&options(&url)).await.unwrap().close().await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    if std::fs::OpenOptions::new().append(true).open(&path).is_ok() {
        // Root writes to it all the same, and then so may we.
        Store::open(&options(&url)).await.unwrap().close().await;
    } else {
        let error = refused(&path).await;
        assert!(matches!(error, Error::Address(_) | Error::Unavailable(_)), "{error}");
    }
}

#[tokio::test]
async fn while_another_process_writes_for_long_reads_go_on_and_writes_are_told_to_come_again() {
    let world = World::sqlite().await;
    world.one.subjects.put(&subject("anna")).await.unwrap();
    let other = rusqlite::Connection::open(world.url.strip_prefix("sqlite:").unwrap()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let anna = "anna".parse().unwrap();
    let (write, read) = tokio::join!(world.one.ping(), world.one.subjects.get(&anna));
    assert!(matches!(write, Err(Error::Unavailable(_))), "{write:?}");
    assert!(read.unwrap().is_some());
    other.execute_batch("ROLLBACK").unwrap();
    world.one.ping().await.unwrap();
}

/// The other half of the next test: what a command line does beside a running server.
#[tokio::test]
#[ignore = "runs in a process of its own, started by the test below"]
async fn as_another_process() {
    let Ok(url) = std::env::var("STORY_URL") else { return };
    let store = Store::open(&options(&url)).await.unwrap();
    store.connections.disconnect(&key("anna", "github"), "operator", at(9), None).await.unwrap();
    for key in store.api_keys.list().await.unwrap() {
        assert!(store.api_keys.revoke(&key.id, at(9)).await.unwrap());
    }
    store.close().await;
}

#[tokio::test]
async fn what_another_process_disconnects_and_revokes_is_gone_at_the_next_read() {
    let world = World::sqlite().await;
    let key = key("anna", "github");
    world.one.connections.connect(&new_connection(&key, "first", 1)).await.unwrap();
    world.one.api_keys.create(&api_key("first"), &hash("first")).await.unwrap();
    for _ in 0..3 {
        assert!(world.one.connections.standing(&key).await.unwrap().is_some());
        assert!(world.one.api_keys.find(&hash("first")).await.unwrap().is_some());
    }
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite_file::as_another_process", "--ignored"])
        .env("STORY_URL", &world.url)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&process.stdout);
    assert!(process.status.success() && told.contains("1 passed"), "{told}");
    assert!(world.one.connections.standing(&key).await.unwrap().is_none());
    assert!(world.one.api_keys.find(&hash("first")).await.unwrap().is_none());
    // The other process left while we stay: what we write is still seen by whoever comes next.
    world.one.connections.connect(&new_connection(&key, "second", 10)).await.unwrap();
    assert!(world.two.connections.standing(&key).await.unwrap().is_some());
    let written = tokio::time::timeout(Duration::from_secs(5), world.one.ping()).await;
    written.unwrap().unwrap();
}
