//! `claviger doctor`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use store::testing::fresh_postgres;

use super::shape::{answer, found, on_a_terminal, pretty};
use crate::harness::Program;
use crate::harness::process::run;
use crate::harness::smtp::{Smtp, SmtpOptions};

fn doctor(folder: &Path, variables: &[(&str, &str)]) -> (Output, Value) {
    let output = run(&["doctor", "--json"], variables, folder);
    let answer = answer(&output, folder);
    (output, answer)
}

fn init(folder: &Path) {
    let done = run(&["init", "--public-url", "http://127.0.0.1:1"], &[], folder);
    assert!(done.status.success(), "{done:?}");
}

fn add(folder: &Path, lines: &str) {
    let file = folder.join("claviger.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("{text}\n{lines}")).unwrap();
}

/// A provider whose clock says this, for so many calls.
fn provider_at(date: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The whole request is in the first segment; whoever asked may have gone away again.
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n");
        }
    });
    address.to_string()
}

fn sandbox_at(host: &str) -> String {
    format!(
        "[outbound]\nallow_private = ['{host}']\n[integrations.sandbox]\nclient_id = 'x'\n\
         client_secret = 'env:SANDBOX'\nparameters = {{ sandbox_url = 'http://{host}' }}\n"
    )
}

#[test]
fn a_fresh_start_has_only_what_is_still_to_come() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let (output, answer) = doctor(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{answer:#}");
    insta::assert_snapshot!(pretty(&answer));
    let made: Vec<_> = fs::read_dir(folder.path().join("data")).unwrap().collect();
    assert_eq!(made.len(), 1, "the key, and no database");
}

#[test]
fn nothing_at_all_is_told_item_by_item_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (output, answer) = doctor(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(found(&answer, "public_url"), ("bad", "is not set"));
    assert_eq!(found(&answer, "key").0, "bad");
    assert_eq!(found(&answer, "data_dir"), ("attention", "data does not exist yet"));
    assert_eq!(found(&answer, "integrations").0, "attention");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let text = run(&["doctor"], &[("COLUMNS", "60"), ("LANG", "et_EE.UTF-8")], folder.path());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    assert!(text.contains("✗ bad       public_url: is not set") && text.contains("mend: "), "{text}");
}

#[test]
fn what_is_wrong_hides_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    add(
        folder.path(),
        "[stripe]\nsecret_key = 'env:STRIPE'\n[integrations.github]\nclient_id = 'x'\nclient_secret = 'env:NO_SUCH'\n\
         [integrations.figma]\n[integrations.nobody]\n[integrations.slack]\nclient_id = 'x'\n",
    );
    let (output, answer) = doctor(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(found(&answer, "stripe.secret_key").0, "bad");
    let (state, what) = found(&answer, "integrations.github.client_secret");
    assert!(state == "bad" && what.contains("NO_SUCH"), "{what}");
    assert_eq!(found(&answer, "integrations.figma.client_id").0, "attention");
    assert_eq!(found(&answer, "integrations.slack.client_secret").0, "attention");
    assert_eq!(found(&answer, "integrations.nobody.provider").0, "bad");
    assert_eq!(found(&answer, "key").0, "good");

    fs::write(folder.path().join("claviger.toml"), "nonsense = 1\n").unwrap();
    let (output, answer) = doctor(folder.path(), &[]);
    assert_eq!((output.status.code(), found(&answer, "nonsense").0), (Some(1), "bad"));
    assert!(found(&answer, "nonsense").1.starts_with("claviger.toml:1"), "{answer:#}");
}

#[test]
fn files_that_others_may_read_and_a_key_of_another_store_are_bad() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let (data, key) = (folder.path().join("data"), folder.path().join("data/key"));
    let listen = [("CLAVIGER__PUBLIC__LISTEN", "127.0.0.1:0"), ("CLAVIGER__BACKEND__LISTEN", "127.0.0.1:0")];
    let file = folder.path().join("claviger.toml");
    let server = Program::start(&["serve", "--config", file.to_str().unwrap()], &listen);
    server.line_with("public");
    let (_, beside) = doctor(folder.path(), &[]);
    assert_eq!(found(&beside, "store key"), ("good", "the key is the store's"));
    assert!(server.terminate().0.success());

    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o770)).unwrap();
    let (output, answer) = doctor(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(found(&answer, "key file").0, "bad");
    assert_eq!(found(&answer, "data_dir").0, "bad");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o640, "a check mends nothing");

    fs::write(&key, "mE8Cbo4cm2jhVbZrEYhZtRnTC0FSgnEtsGJCgW1UmEk=\n").unwrap();
    let (_, answer) = doctor(folder.path(), &[]);
    let (state, what) = found(&answer, "store key");
    assert!(state == "bad" && what.contains("was sealed with the key"), "{what}");
}

#[test]
fn a_file_in_place_of_the_data_directory_is_bad() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for data in ["file", "file/below"] {
        let output = run(&["doctor", "--json", "--data-dir", data], &[], folder.path());
        assert_eq!(found(&answer(&output, folder.path()), "data_dir").0, "bad");
    }
}

#[test]
fn a_clock_that_is_wrong_is_told_by_the_providers() {
    for (date, state) in [("Sun, 06 Nov 1994 08:49:37 GMT", "bad"), ("soon", "skipped")] {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path());
        add(folder.path(), &sandbox_at(&provider_at(date)));
        let (_, answer) = doctor(folder.path(), &[("SANDBOX", "hunter2")]);
        assert_eq!(found(&answer, "clock").0, state, "{answer:#}");
        assert!(!answer.to_string().contains("hunter2"));
    }
}

#[test]
fn beside_a_running_dev_everything_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("dev");
    let data_dir = data.to_str().unwrap();
    let program =
        Program::start(&["dev", "--json", "--port", "0", "--data-dir", data_dir, "--as", "github"], &[]);
    program.line_with("onboardingUrl");
    let output = run(&["doctor", "--json", "--data-dir", data_dir], &[], folder.path());
    let answer = answer(&output, folder.path());
    assert_eq!(output.status.code(), Some(0), "{answer:#}");
    for name in ["public_url", "clock", "database", "schema", "store key", "stripe", "integrations.github"] {
        assert_eq!(found(&answer, name).0, "good", "{answer:#}");
    }
    let show = run(&["config", "show", "--data-dir", data_dir], &[], folder.path());
    let text = String::from_utf8(show.stdout).unwrap();
    assert!(show.status.success() && text.contains("integrations.github.client_id"), "{text}");
    let check = run(&["db", "check", "--data-dir", data_dir], &[], folder.path());
    assert!(check.status.success(), "{check:?}");
}

#[tokio::test]
async fn a_mail_server_is_greeted_and_gets_no_letter() {
    let Some(mut smtp) = Smtp::start(SmtpOptions::default()).await else { return };
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &smtp.authority).unwrap();
    let mail = |more: &str| {
        format!("[mail]\nhost = 'localhost'\nport = {}\nfrom = 'a@rowan.example'\n{more}", smtp.port)
    };
    add(folder.path(), &mail(&format!("ca_file = '{}'", ca.display())));
    let text =
        fs::read_to_string(folder.path().join("claviger.toml")).unwrap().replacen("\n[mail]\n", "\n", 1);
    fs::write(folder.path().join("claviger.toml"), &text).unwrap();
    let (_, answer) = doctor(folder.path(), &[]);
    assert_eq!(found(&answer, "mail"), ("good", "the mail server answers"));
    let heard: String = smtp.conversation().await.iter().map(|heard| heard.text.as_str()).collect();
    assert!(heard.contains("QUIT") && !heard.contains("MAIL FROM"), "{heard}");
    fs::write(folder.path().join("claviger.toml"), text.replace("ca_file", "# ca_file")).unwrap();
    let (_, answer) = doctor(folder.path(), &[]);
    assert_eq!(found(&answer, "mail").0, "bad", "nobody vouches for its certificate");
}

#[tokio::test]
async fn the_spool_and_the_server_are_looked_at_on_postgresql() {
    let Some(url) = fresh_postgres().await else { return };
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let database = ("CLAVIGER__DATABASE__URL", url.as_str());
    let (output, answer) = doctor(folder.path(), &[database]);
    assert_eq!(output.status.code(), Some(1), "the schema is not there yet");
    assert_eq!(found(&answer, "schema").0, "bad");
    assert_eq!(found(&answer, "connect.refresh.spool").0, "attention");
    assert!(!folder.path().join("data/spool").exists());
    assert!(run(&["migrate"], &[database], folder.path()).status.success());
    fs::write(folder.path().join("data/spool"), "").unwrap();
    let (_, answer) = doctor(folder.path(), &[database]);
    assert_eq!(found(&answer, "schema").0, "good");
    assert_eq!(found(&answer, "connect.refresh.spool").0, "bad");

    let nobody = "postgres://rowan:hunter2@127.0.0.1:1/claviger";
    let (_, answer) = doctor(folder.path(), &[("CLAVIGER__DATABASE__URL", nobody)]);
    assert_eq!(found(&answer, "database").0, "bad");
    assert!(!answer.to_string().contains("hunter2"));
}

#[test]
fn a_terminal_gets_its_width_and_colours_unless_it_wants_none() {
    let folder = tempfile::tempdir().unwrap();
    let Some(colourful) = on_a_terminal("doctor", "", &[], folder.path()) else { return };
    assert!(colourful.contains("\u{1b}["), "{colourful}");
    let plain = on_a_terminal("doctor", "", &[("NO_COLOR", "1")], folder.path()).unwrap();
    assert!(!plain.contains('\u{1b}') && plain.contains("✗ bad"), "{plain}");
    let widest = plain.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| (50..=60).contains(&widest)), "{widest:?}: {plain}");
}
