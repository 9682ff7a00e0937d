//! `--json` of `claviger config check` and `claviger migrate`.

use std::fs;

use super::shape::{answer, found, pretty};
use crate::harness::process::run;

const KEY: (&str, &str) = ("CLAVIGER_KEY", "p2kPrqnc2IwqTtKX3J9TMV6wWd2FMqZ4hbMWBsLDp8o=");
const URL: (&str, &str) = ("CLAVIGER__PUBLIC_URL", "http://127.0.0.1:1");

#[test]
fn a_check_of_the_configuration_is_an_object_good_or_bad() {
    let folder = tempfile::tempdir().unwrap();
    let check = ["config", "check", "--json"];
    let literal = ("CLAVIGER__KEY", KEY.1);
    let good = run(&check, &[literal, URL], folder.path());
    assert_eq!(good.status.code(), Some(0));
    insta::assert_snapshot!("config_check_good", pretty(&answer(&good, folder.path())));
    assert!(!String::from_utf8_lossy(&good.stdout).contains(KEY.1));

    fs::write(folder.path().join("claviger.toml"), "[connect]\natempt_ttl = '5m'\n").unwrap();
    let bad = run(&check, &[KEY, URL], folder.path());
    assert_eq!((bad.status.code(), bad.stderr.len()), (Some(1), 0));
    let answer = answer(&bad, folder.path());
    assert_eq!(found(&answer, "connect.atempt_ttl").0, "bad");
    assert!(answer.to_string().contains("did you mean attempt_ttl?"), "{answer}");
}

#[test]
fn a_migration_tells_its_number_and_its_failure() {
    let folder = tempfile::tempdir().unwrap();
    let migrate = ["migrate", "--json", "--data-dir", "data"];
    let first = answer(&run(&migrate, &[], folder.path()), folder.path());
    assert!(first["applied"].as_u64().is_some_and(|applied| applied > 0), "{first}");
    let second = answer(&run(&migrate, &[], folder.path()), folder.path());
    assert_eq!((second["applied"].as_u64(), &second["schema"]), (Some(0), &first["schema"]));
    fs::write(folder.path().join("file"), "").unwrap();
    let failed = run(&["migrate", "--json", "--data-dir", "file/data"], &[], folder.path());
    assert_eq!(failed.status.code(), Some(3));
    assert_eq!(answer(&failed, folder.path())["error"]["code"], "configuration_invalid");
}
