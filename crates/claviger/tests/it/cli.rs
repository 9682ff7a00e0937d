//! The program at the command line: what stops it, and how it says so.

mod config_check;
mod config_show;
mod db_check;
mod dev;
mod doctor;
mod generated;
mod init;
mod shape;

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::Program;
use crate::harness::process::{command, run};
use crate::harness::world::configuration;

const KEY: (&str, &str) = ("CLAVIGER_KEY", "p2kPrqnc2IwqTtKX3J9TMV6wWd2FMqZ4hbMWBsLDp8o=");
const OTHER_KEY: (&str, &str) = ("CLAVIGER_KEY", "mE8Cbo4cm2jhVbZrEYhZtRnTC0FSgnEtsGJCgW1UmEk=");
const URL: (&str, &str) = ("CLAVIGER__PUBLIC_URL", "http://127.0.0.1:1");
const PUBLIC: (&str, &str) = ("CLAVIGER__PUBLIC__LISTEN", "127.0.0.1:0");
const BACKEND: (&str, &str) = ("CLAVIGER__BACKEND__LISTEN", "127.0.0.1:0");

#[track_caller]
fn fails(arguments: &[&str], variables: &[(&str, &str)], folder: &Path, code: i32, parts: &[&str]) {
    let output = run(arguments, variables, folder);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_key_that_is_missing_short_or_a_placeholder_stops_the_start_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let mend = "openssl rand -base64 32";
    fails(&["serve"], &[URL], folder.path(), 3, &["key", "is missing", mend]);
    fails(&["serve"], &[URL, ("CLAVIGER_KEY", "deadbeef")], folder.path(), 3, &["key", "4 octets", mend]);
    fails(&["serve"], &[URL, ("CLAVIGER_KEY", "change-me")], folder.path(), 3, &["key", "placeholder", mend]);
    let zeros = "00".repeat(32);
    fails(&["serve"], &[URL, ("CLAVIGER_KEY", &zeros)], folder.path(), 3, &["key", "placeholder", mend]);
}

#[test]
fn a_public_url_that_is_missing_or_http_outside_loopback_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fails(&["serve"], &[KEY], folder.path(), 3, &["public_url", "is not set", "mend: "]);
    let url = ("CLAVIGER__PUBLIC_URL", "http://auth.example.com");
    fails(&["serve"], &[KEY, url], folder.path(), 3, &["public_url", "http outside loopback"]);
    let redirect = ("CLAVIGER__INTEGRATIONS__GITHUB__REDIRECT_URI", "http://auth.example.com/cb");
    fails(
        &["config", "check"],
        &[KEY, URL, redirect],
        folder.path(),
        1,
        &["integrations.github.redirect_uri", "https"],
    );
}

#[test]
fn a_data_directory_that_can_not_be_written_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let inside = file.join("data");
    fails(
        &["serve", "--data-dir", inside.to_str().unwrap()],
        &[KEY, URL],
        folder.path(),
        3,
        &["data_dir", "mend: "],
    );
}

#[test]
fn a_port_in_use_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let public = ("CLAVIGER__PUBLIC__LISTEN", address.as_str());
    fails(&["serve"], &[KEY, URL, public, BACKEND], folder.path(), 3, &["public.listen", &address, "mend: "]);
    let port = address.rsplit(':').next().unwrap();
    fails(&["dev", "--port", port], &[], folder.path(), 3, &["--port", "mend: "]);
}

#[test]
fn a_configuration_with_a_mistake_is_told_with_file_line_key_and_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.toml");
    fs::write(&path, "public_url = 'http://127.0.0.1:1'\n\n[connect]\natempt_ttl = '5m'\n").unwrap();
    fails(
        &["serve", "--config", "claviger.toml"],
        &[KEY],
        folder.path(),
        3,
        &["claviger.toml:4: connect.atempt_ttl", "did you mean attempt_ttl?"],
    );
    fs::write(&path, "public_url = 'http://127.0.0.1:1'\n[subjects]\nmust_exist = 'maybe'\n").unwrap();
    fails(
        &["config", "check"],
        &[KEY],
        folder.path(),
        1,
        &["claviger.toml:3: subjects.must_exist", "mend: "],
    );
    fs::write(&path, "[integrations.nothing]\nclient_id = 'x'\n").unwrap();
    fails(
        &["config", "check"],
        &[KEY, URL],
        folder.path(),
        1,
        &["integrations.nothing.provider", "no entry nothing"],
    );
    fails(&["config", "check", "--config", "missing.toml"], &[KEY], folder.path(), 1, &["missing.toml"]);
}

#[test]
fn a_good_configuration_is_told_to_be_good_and_literal_secrets_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        configuration("http://127.0.0.1:1", "http://127.0.0.1:2", folder.path().to_str().unwrap(), None, "");
    fs::write(folder.path().join("claviger.toml"), text).unwrap();
    let output = run(&["config", "check"], &[], folder.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("warning: key stands in the configuration")
            && text.ends_with("The configuration is good.\n"),
        "{text}"
    );
    assert!(!text.contains("sandbox-secret"));
}

#[test]
fn what_could_not_serve_is_not_good() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("[outbound]\nallow_private = ['http://x/y']", "outbound.allow_private"),
        ("[outbound]\nconnect_timeout = '0s'", "outbound.connect_timeout"),
        ("[outbound]\ntimeout = '0s'", "outbound.timeout"),
        ("[connect]\nattempt_ttl = '0m'", "connect.attempt_ttl"),
        ("[integrations.github]\nattempt_ttl = '0m'", "integrations.github.attempt_ttl"),
        ("[database]\nurl = 'env:NO_SUCH_VARIABLE'", "database.url"),
        ("[database]\nurl = 'mysql://u:hunter2@h/d'", "database.url"),
        ("[database]\nmigrate_url = 'postgres:hunter2'", "database.migrate_url"),
        ("[mail]\nfrom = 'a@rowan.example'", "mail.host"),
        ("[mail]\nhost = 'smtp.example'", "mail.from"),
        ("[mail]\nhost = 'smtp.example'\nfrom = 'Rowan <nowhere>'", "mail.from"),
        ("[mail]\nhost = 'smtp.example'\nfrom = \"a@rowan.example\\r\\nBcc: b@c.example\"", "mail.from"),
        ("[mail]\nhost = 'smtp.example:25'\nfrom = 'a@rowan.example'", "mail.host"),
        ("[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\nport = 0", "mail.port"),
        ("[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\ntls = 'none'", "mail.tls"),
        ("[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\nreply_to = 'x'", "mail.reply_to"),
        ("[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\nca_file = 'absent.pem'", "mail.ca_file"),
        (
            "[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\nca_file = 'claviger.toml'",
            "mail.ca_file",
        ),
        ("[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\nusername = 'x'", "mail.password"),
        ("[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\npassword = 'hunter2'", "mail.username"),
        (
            "[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\nusername = 'x'\npassword = 'env:NO_SUCH'",
            "mail.password",
        ),
        (
            "[mail]\nhost = 'smtp.example'\nfrom = 'a@rowan.example'\nusername = 'x'\npassword = \"hunter2\\n\"",
            "mail.password",
        ),
        ("[mail]\ntimeout = '0s'", "mail.timeout"),
        ("[mail]\nper_subject_and_hour = 0", "mail.per_subject_and_hour"),
        ("[mail]\nper_subject_and_hour = 1001", "mail.per_subject_and_hour"),
        ("[stripe]\nwebhook_secrets = ['hunter2']", "stripe.secret_key"),
        ("[stripe]\nsuccess_url = 'https://app.rowan.example/paid'", "stripe.secret_key"),
        ("[stripe]\nsecret_key = 'env:NO_SUCH_VARIABLE'", "stripe.secret_key"),
        ("[stripe]\nsecret_key = ''", "stripe.secret_key"),
        ("[stripe]\nsecret_key = \"hunter2\\n\"", "stripe.secret_key"),
        ("[stripe]\nsecret_key = 'hunter2õ'", "stripe.secret_key"),
        ("[stripe]\nsecret_key = 'hunter2'\nwebhook_secrets = ['']", "stripe.webhook_secrets"),
        (
            "[stripe]\nsecret_key = 'hunter2'\nwebhook_secrets = ['env:NO_SUCH_VARIABLE']",
            "stripe.webhook_secrets",
        ),
        (
            "[stripe]\nsecret_key = 'x'\nwebhook_secrets = ['1','2','3','4','5','6','7','8','9','a','b']",
            "stripe.webhook_secrets",
        ),
        ("[stripe]\nsecret_key = 'hunter2'\nwebhook_tolerance = '0s'", "stripe.webhook_tolerance"),
        ("[stripe]\nsecret_key = 'hunter2'\nwebhook_tolerance = '61m'", "stripe.webhook_tolerance"),
        ("[stripe]\nsecret_key = 'hunter2'\ntimeout = '0s'", "stripe.timeout"),
        ("[stripe]\nsecret_key = 'hunter2'\naccount_type = 'custom'", "stripe.account_type"),
        ("[stripe]\nsecret_key = 'hunter2'\ncountry = 'ee'", "stripe.country"),
        ("[stripe]\nsecret_key = 'hunter2'\ncountry = 'EST'", "stripe.country"),
        ("[stripe]\nsecret_key = 'hunter2'\napi_base = 'api.stripe.com'", "stripe.api_base"),
        ("[stripe]\nsecret_key = 'hunter2'\napi_base = 'http://stripe.example'", "stripe.api_base"),
        ("[stripe]\nsecret_key = 'x'\napi_base = 'https://u:hunter2@stripe.example'", "stripe.api_base"),
        ("[stripe]\nsecret_key = 'x'\napi_base = 'https://:hunter2@stripe.example'", "stripe.api_base"),
        ("[stripe]\nsecret_key = 'x'\napi_base = 'https://stripe.example?key=hunter2'", "stripe.api_base"),
        ("[stripe]\nsecret_key = 'hunter2'\nsuccess_url = '/paid'", "stripe.success_url"),
        ("[stripe]\nsecret_key = 'hunter2'\nsuccess_url = 'javascript:alert(1)'", "stripe.success_url"),
        ("[integrations.sandbox]\nclient_id = 'x'", "integrations.sandbox.parameters"),
        ("[integrations.github]\nparameters = { host = 'x' }", "integrations.github.parameters"),
    ];
    for (text, key) in cases {
        fs::write(folder.path().join("claviger.toml"), text).unwrap();
        for (command, code) in [(&["config", "check"][..], 1), (&["serve"], 3)] {
            let output = run(command, &[KEY, URL, PUBLIC, BACKEND], folder.path());
            let printed = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{text}: {printed}");
            assert!(printed.contains(&format!(": {key}: ")) && printed.contains("mend: "), "{printed}");
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
    fs::write(folder.path().join("claviger.toml"), "[integrations.sandbox]\nscopes = ['profile']").unwrap();
    let unconfigured = run(&["config", "check"], &[KEY, URL], folder.path());
    assert!(
        unconfigured.status.success(),
        "without app credentials there is nothing to fill: {unconfigured:?}"
    );
}

#[test]
fn a_mail_server_is_good_with_a_sender_and_a_literal_password_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[mail]\nhost = 'smtp.example'\nfrom = 'Rowan <hello@rowan.example>'\nreply_to = 'help@rowan.example'\n\
                tls = 'implicit'\nusername = 'rowan'\npassword = 'hunter2'\n";
    for (text, warned) in [(text.to_owned(), true), (text.replace("'hunter2'", "'env:MAIL_PASSWORD'"), false)]
    {
        fs::write(folder.path().join("claviger.toml"), &text).unwrap();
        let output = run(&["config", "check"], &[KEY, URL, ("MAIL_PASSWORD", "hunter2")], folder.path());
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && printed.ends_with("The configuration is good.\n"), "{printed}");
        assert_eq!(
            printed.contains("warning: mail.password stands in the configuration"),
            warned,
            "{printed}"
        );
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn stripe_is_good_with_a_key_and_what_is_unwise_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [KEY, URL, ("STRIPE_KEY", "hunter2"), ("STRIPE_SIGNS", "hunter3")];
    for (text, warnings) in [
        ("[stripe]\nsecret_key = 'env:STRIPE_KEY'\nwebhook_secrets = ['env:STRIPE_SIGNS']", &[][..]),
        ("[stripe]\nsecret_key = 'env:STRIPE_KEY'", &["stripe.webhook_secrets is empty"]),
        (
            "[stripe]\nsecret_key = 'hunter2'\nwebhook_secrets = ['hunter3']\nwebhook_tolerance = '1h'\ncountry = 'EE'\n\
             account_type = 'express'\nsuccess_url = 'https://app.rowan.example/paid'",
            &[
                "stripe.secret_key stands in the configuration",
                "stripe.webhook_secrets stands in the configuration",
            ],
        ),
    ] {
        fs::write(folder.path().join("claviger.toml"), text).unwrap();
        let output = run(&["config", "check"], &variables, folder.path());
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && printed.ends_with("The configuration is good.\n"), "{printed}");
        assert_eq!(printed.matches("warning: stripe.").count(), warnings.len(), "{printed}");
        assert!(warnings.iter().all(|warning| printed.contains(warning)), "{printed}");
        assert!(!printed.contains("hunter"), "{printed}");
    }
}

#[test]
fn variables_that_are_not_text_are_named_where_they_matter_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &[u8]| {
        let mut check = command(&["config", "check"], &[KEY, URL]);
        check.env(OsStr::from_bytes(name), OsStr::from_bytes(b"hunter2\xff")).current_dir(folder.path());
        let output = check.output().unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert!(!printed.contains("hunter2"), "{printed}");
        (output.status.code(), printed)
    };
    assert_eq!(check(b"SOMETHING_ELSE"), (Some(0), String::new()));
    assert_eq!(check(b"\xff"), (Some(0), String::new()));
    let (code, printed) = check(b"CLAVIGER__PRODUCT_NAME");
    assert!(
        code == Some(1) && printed.contains("variable CLAVIGER__PRODUCT_NAME: product_name"),
        "{printed}"
    );
    let (code, printed) = check(b"CLAVIGER_KEY");
    assert!(code == Some(1) && printed.contains("can't be read from the environment variable"), "{printed}");
}

#[test]
fn a_crash_while_the_key_is_written_does_not_stop_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["dev", "--port", "0", "--json", "--data-dir", data.to_str().unwrap()];
    // Files may have no octets, so that the system kills the process at its first write.
    let killed = Command::new("sh")
        .args(["-c", "ulimit -c 0; ulimit -f 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_claviger")])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(killed.status.code(), None, "{killed:?}");
    assert!(data.exists());
    let program = Program::start(&arguments, &[]);
    program.line_with("apiKey");
    assert!(program.terminate().0.success());
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    fails(&["serv"], &[], folder.path(), 2, &["serv"]);
    fails(&["serve", "--nonsense"], &[], folder.path(), 2, &["--nonsense"]);
}

#[test]
fn migrate_tells_what_it_did_and_another_key_does_not_open_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data_dir = data.to_str().unwrap();
    let first = run(&["migrate", "--data-dir", data_dir], &[], folder.path());
    assert!(String::from_utf8_lossy(&first.stdout).starts_with("Applied "), "{first:?}");
    let second = run(&["migrate", "--data-dir", data_dir], &[], folder.path());
    assert!(String::from_utf8(second.stdout).unwrap().contains("up to date"));
    let mode = fs::metadata(data.join("claviger.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "only its owner may read the database");
    let serve = ["serve", "--data-dir", data_dir];
    let server = Program::start(&serve, &[KEY, URL, PUBLIC, BACKEND]);
    server.line_with("public");
    let (status, printed) = server.terminate();
    assert!(status.success() && printed.contains("server.stopped"), "{printed}");
    fails(
        &serve,
        &[OTHER_KEY, URL, PUBLIC, BACKEND],
        folder.path(),
        3,
        &["the store was sealed with the key"],
    );
}

#[test]
fn a_store_that_may_not_be_migrated_names_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let never = ("CLAVIGER__DATABASE__MIGRATE", "false");
    let serve = ["serve", "--data-dir", "data"];
    fails(&serve, &[KEY, URL, PUBLIC, BACKEND, never], folder.path(), 3, &["claviger migrate"]);
}

#[test]
fn the_sandbox_runs_alone() {
    let program = Program::start(&["sandbox", "--json"], &[]);
    let url = program.line_with("sandboxUrl")["sandboxUrl"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let (status, _) = program.terminate();
    assert!(status.success());
}

#[test]
fn logs_are_one_json_object_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server =
        Program::start(&["serve", "--data-dir", data.to_str().unwrap()], &[KEY, URL, PUBLIC, BACKEND]);
    let line = server.line_with("backend");
    assert_eq!((line["message"].as_str(), line["level"].as_str()), (Some("server.started"), Some("INFO")));
    let (_, printed) = server.terminate();
    for line in printed.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
}
