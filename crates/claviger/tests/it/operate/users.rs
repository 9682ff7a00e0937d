//! Users, as an operator looks after them.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::json;

use super::on_both_databases;
use super::rig::{Rig, Said};
use crate::harness::Browser;

const EMAIL: &str = "anna@example.com";
const PASSWORD: &str = "a long enough password";

impl Rig {
    /// Signs in at a person's own page; whether that went well.
    async fn signs_in(&self, browser: &Browser, email: &str, password: &str) -> bool {
        let url = format!("{}/oauth/access", self.url);
        let page = browser.get(&url).await.expect(200).body;
        let csrf = page.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
        let form = [("csrf", csrf), ("email", email), ("password", password)];
        // The page's own origin is the public address, which is another one here.
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        browser.send(axum::http::Method::POST, &url, &headers, body.into()).await.status == 303
    }

    fn add_user(&self) -> Said {
        let source = self.file("password", &format!("{PASSWORD}\n"));
        self.beside(&["user", "create", "--email", EMAIL, "--name", "Anna Tamm", "--password-from", &source])
    }
}

on_both_databases! {
    async fn a_user_is_made_shown_changed_and_removed(rig: Rig) {
        let source = rig.file("password", PASSWORD);
        let create = ["user", "create", "--email", EMAIL, "--name", "Anna Tamm", "--team", "rowan=Rowan OÜ:owner",
            "--team", "birch=Birch: the tree:", "--password-from", &source];
        let made = rig.through(&create).expect(0);
        assert!(made.contains("rowan, Rowan OÜ (owner)") && made.contains("birch, Birch: the tree\n"), "{made}");
        rig.both(&create).expect_err_with(1, "(user_exists)");
        let id = rig.both(&["user", "show", "ANNA@example.com", "--json"]).json()["id"].as_str().unwrap().to_owned();
        let by_id = rig.both(&["user", "show", &id]).expect(0);
        assert_eq!(by_id, rig.both(&["user", "show", EMAIL]).expect(0));
        assert!(by_id.contains("good") && by_id.contains("local") && !by_id.contains("argon2"), "{by_id}");
        assert!(rig.signs_in(&Browser::new(), EMAIL, PASSWORD).await);

        let set = rig.fed(&["user", "set-password", EMAIL, "--password-from", "-"], "another password\n").expect(0);
        assert!(set.contains("is signed out. Browsers: 1; applications with tokens: 0."), "{set}");
        let browser = Browser::new();
        assert!(!rig.signs_in(&browser, EMAIL, PASSWORD).await && rig.signs_in(&browser, EMAIL, "another password").await);
        let out = rig.through(&["user", "sign-out", &id, "--json"]).json();
        assert_eq!((&out["signIns"], &out["families"]), (&json!(1), &json!(0)));

        let disabled = rig.beside(&["user", "disable", EMAIL]).expect(0);
        assert!(disabled.contains("can no longer sign in"), "{disabled}");
        assert!(!rig.signs_in(&Browser::new(), EMAIL, "another password").await);
        let list = rig.both(&["user", "list"]).expect(0);
        assert!(list.contains(EMAIL) && list.contains("disabled"), "{list}");
        rig.through(&["user", "enable", EMAIL]).expect(0);
        assert!(rig.signs_in(&Browser::new(), EMAIL, "another password").await);

        let joined = rig.through(&["user", "join", EMAIL, "--team", "alder=Alder:member"]).expect(0);
        assert!(joined.contains("belongs to alder, Alder (member)."), "{joined}");
        rig.beside(&["user", "leave", EMAIL, "--team", "rowan"]).expect(0);
        rig.both(&["user", "leave", EMAIL, "--team", "rowan"]).expect_err_with(1, "(membership_not_found)");
        let teams = rig.both(&["user", "show", EMAIL, "--json"]).json()["teams"].clone();
        let names: Vec<&str> = teams.as_array().unwrap().iter().map(|team| team["id"].as_str().unwrap()).collect();
        assert_eq!(names, ["alder", "birch"]);

        rig.beside(&["user", "remove", EMAIL]).expect(0);
        for (command, who) in [("show", EMAIL), ("remove", &*id), ("sign-out", EMAIL), ("disable", &*id)] {
            rig.both(&["user", command, who]).expect_err_with(1, "(user_not_found)");
        }
        let list = rig.both(&["user", "list"]).expect(0);
        assert!(list.contains("claviger user create"), "{list}");
    }

    async fn a_password_comes_from_a_place_and_is_no_argument(rig: Rig) {
        let create = ["user", "create", "--email", EMAIL];
        let from = |source: &str| rig.both(&[&create[..], &["--password-from", source]].concat());
        from("a plain password").expect_err_with(3, "everybody on this machine");
        from("env:NOBODY_SET_THIS").expect_err_with(3, "--password-from");
        from("file:/nowhere").expect_err_with(3, "--password-from");
        let short = rig.file("short", "seven 7");
        from(&short).expect_err_with(2, "(validation_failed)");
        rig.both(&create).expect_err_with(3, "--password-from: name env:NAME");
        let teams = |team: &str| rig.both(&[&create[..], &["--password-from", &short, "--team", team]].concat());
        for bad in ["rowan", "a b=Rowan", "=Rowan"] {
            teams(bad).expect_err_with(2, "--team");
        }
        assert!(rig.both(&["user", "list", "--json"]).json()["users"].as_array().unwrap().is_empty());
    }
}

/// What is typed at a terminal: each answer when its question has come.
fn typed(rig: &Rig, arguments: &str, answers: &[(&str, &str)]) -> (String, i32) {
    let line = format!("{} {arguments} --config {}", env!("CARGO_BIN_EXE_claviger"), rig.config);
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env_clear();
    script.envs([("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("TERM", "xterm")]);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    for (question, answer) in answers {
        while !String::from_utf8_lossy(&shown).ends_with(question) {
            let mut octet = [0];
            output.read_exact(&mut octet).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&shown)));
            shown.push(octet[0]);
        }
        input.write_all(answer.as_bytes()).unwrap();
    }
    output.read_to_end(&mut shown).unwrap();
    (String::from_utf8(shown).unwrap(), child.wait().unwrap().code().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_a_terminal_a_password_is_typed_twice_and_never_shown() {
    let rig = Rig::new(None).await;
    let line = format!("{PASSWORD}\n");
    let create = format!("user create --email {EMAIL}");
    let (shown, code) =
        typed(&rig, &create, &[("Password: ", &line), ("The same again: ", "a different password\n")]);
    assert!(code == 3 && shown.contains("are not the same") && !shown.contains("different"), "{shown}");
    let (shown, code) = typed(&rig, &create, &[("Password: ", &line), ("The same again: ", &line)]);
    assert!(code == 0 && shown.contains("usr_") && !shown.contains(PASSWORD), "{shown}");
    assert!(rig.signs_in(&Browser::new(), EMAIL, PASSWORD).await);
    // Nobody is asked for a password that nobody gets.
    let (shown, code) = typed(&rig, "user set-password bert@example.com", &[]);
    assert!(code == 1 && shown.contains("Nobody signs in as bert@example.com."), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_command_did_stands_in_the_trail_without_the_password() {
    let rig = Rig::new(None).await;
    rig.add_user().expect(0);
    let told = rig.beside(&["audit", "tail", "--event", "user", "--json"]).expect(0);
    assert!(told.contains("user.created") && told.contains("\"operator\""), "{told}");
    assert!(!told.contains(PASSWORD) && !told.contains("argon2") && !told.contains(EMAIL), "{told}");
}
