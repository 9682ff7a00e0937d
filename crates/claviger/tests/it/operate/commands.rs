//! The commands beside the six of requirement 004.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::on_both_databases;
use super::rig::Rig;
use crate::harness::process::command;

on_both_databases! {
    async fn a_token_goes_into_a_pipe_and_works(rig: Rig) {
        rig.connect("anna", "github").await;
        let said = rig.both(&["token", "github", "--user", "anna"]);
        let token = said.expect(0);
        let known = rig.token("anna", "github").await.expect(200).json();
        assert_eq!(token.trim_end(), known["access_token"].as_str().unwrap());
        let missing = rig.both(&["token", "jira", "--user", "anna", "--json"]);
        assert_eq!((missing.code, &missing.json()["error"]["code"]), (1, &json!("connection_not_found")));
    }

    async fn an_api_key_is_made_shown_once_rotated_and_removed(rig: Rig) {
        let made = rig.through(&["api-key", "create", "--name", "shop", "--scope", "connections:read", "--json"]).json();
        let (id, key) = (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned());
        let with = |key: &str| {
            let variables = [("CLAVIGER_API_KEY", key)];
            command(&["status", "--url", &rig.url], &variables).output().unwrap().status.code()
        };
        assert_eq!(with(&key), Some(0));
        let shown = rig.both(&["api-key", "show", &id]).expect(0);
        assert!(shown.contains("shop") && shown.contains("connections:read") && !shown.contains(&key), "{shown}");
        let fresh = rig.beside(&["api-key", "rotate", &id, "--json"]).json();
        assert_eq!((&fresh["name"], &fresh["scopes"]), (&made["name"], &made["scopes"]));
        assert_eq!((with(&key), with(fresh["key"].as_str().unwrap())), (Some(3), Some(0)));
        rig.both(&["api-key", "rotate", &id]).expect_err_with(3, "is revoked already");
        rig.through(&["api-key", "remove", fresh["id"].as_str().unwrap()]).expect(0);
        assert_eq!(with(fresh["key"].as_str().unwrap()), Some(3));
        let list = rig.both(&["api-key", "list"]).expect(0);
        assert_eq!(list.matches("revoked").count(), 2, "{list}");
        rig.both(&["api-key", "show", "key_00000000000000000000000000000000"]).expect_err_with(1, "(api_key_not_found)");
        rig.both(&["api-key", "create", "--name", "x", "--scope", "nonsense"]).expect_err_with(2, "(validation_failed)");
    }

    async fn an_integration_takes_its_secret_from_a_file_or_standard_input_and_never_from_an_argument(rig: Rig) {
        let secret = rig.folder.path().join("secret");
        std::fs::write(&secret, "first-secret\n").unwrap();
        let from = format!("file:{}", secret.display());
        let create = ["integration", "create", "linear", "--client-id", "app-1", "--client-secret-from"];
        let made = rig.through(&[&create[..], &[&from, "--scope", "read", "--scope", "write"]].concat()).expect(0);
        assert!(made.contains("app-1") && made.contains("read write") && !made.contains("first-secret"), "{made}");
        rig.both(&[&create[..], &["plain-secret"]].concat()).expect_err_with(3, "everybody on this machine");
        let shown = rig.both(&["integration", "show", "linear"]).expect(0);
        assert!(shown.contains("available") && shown.contains("api"), "{shown}");

        let arguments = ["integration", "rotate", "linear", "--client-secret-from", "-", "--config", &rig.config];
        let mut child = command(&arguments, &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"second-secret\n").unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
        let list = rig.both(&["integration", "list"]).expect(0);
        assert_eq!(list.lines().filter(|line| line.starts_with("linear ")).count(), 1, "{list}");
        rig.both(&["integration", "remove", "github"]).expect_err_with(1, "(integration_in_configuration)");
        rig.beside(&["integration", "remove", "linear"]).expect(0);
        rig.both(&["integration", "show", "linear"]).expect_err_with(1, "(integration_not_found)");
    }

    async fn a_subject_gets_and_loses_its_own_app_credentials(rig: Rig) {
        let create = ["integration", "create", "github", "--user", "anna", "--client-id", "annas-app"];
        rig.beside(&create).expect(0);
        let shown = rig.both(&["integration", "show", "github", "--user", "anna"]).expect(0);
        assert!(shown.contains("annas-app") && shown.contains("subject"), "{shown}");
        let instance = rig.both(&["integration", "show", "github"]).expect(0);
        assert!(instance.contains("configuration") && !instance.contains("annas-app"), "{instance}");
        rig.through(&["integration", "remove", "github", "--user", "anna"]).expect(0);
        rig.both(&["integration", "show", "github", "--user", "anna"]).expect_err_with(1, "(integration_not_found)");
    }

    async fn providers_are_listed_and_shown(rig: Rig) {
        let list = rig.both(&["provider", "list"]).expect(0);
        assert!(list.lines().any(|line| line.starts_with("zoho_crm ")), "{list}");
        let shown = rig.both(&["provider", "show", "zoho_crm"]).expect(0);
        assert!(shown.contains("ZohoCRM.modules.ALL") && shown.contains("Not verified:\n- "), "{shown}");
        rig.both(&["provider", "show", "nothing"]).expect_err_with(1, "(provider_not_found)");
    }

    async fn a_link_is_made_listed_and_withdrawn(rig: Rig) {
        let made = rig.through(&["portal", "create", "--user", "anna", "--integration", "github", "--json"]).json();
        let id = made["id"].as_str().unwrap();
        assert!(made["url"].as_str().unwrap().contains("/portal/start/"), "{made}");
        let link = rig.beside(&["portal", "create", "--user", "bert"]).expect(0);
        assert!(link.starts_with("http://127.0.0.1:1/portal/start/"), "{link}");
        let list = rig.both(&["portal", "list", "--user", "anna", "--json"]).json();
        let rows = list["portalSessions"].as_array().unwrap();
        assert_eq!((rows.len(), rows[0]["id"].as_str(), rows[0].get("url")), (1, Some(id), None));
        let gone = rig.through(&["portal", "remove", id]).expect(0);
        assert!(gone.contains("withdrawn"), "{gone}");
        rig.both(&["portal", "resend", id]).expect_err_with(1, "(nothing_to_mail)");
        rig.both(&["portal", "create", "--user", "anna", "--page", "nonsense"]).expect_err_with(2, "(validation_failed)");
    }

    async fn a_second_account_is_named_by_its_label(rig: Rig) {
        rig.connect("anna", "github").await;
        let body = json!({"refreshToken": "sbx_rt_unknown"});
        let path = format!("{}/api/connections/anna/github?label=work", rig.url);
        rig.backend().json(axum::http::Method::PUT, path, &body).await.expect(200);
        let text = rig.both(&["status", "--subject", "anna"]).expect(0);
        assert!(text.contains("✓ github (work)"), "{text}");
        let label = ["inspect", "github", "--user", "anna", "--label", "work", "--json"];
        let found: Value = rig.both(&label).json();
        assert_eq!(found["connection"]["label"], "work");
        rig.beside(&["disconnect", "github", "--user", "anna", "--label", "work"]).expect(0);
        rig.token("anna", "github").await.expect(200);
    }

    async fn the_data_key_is_rotated_with_everything_sealed_anew_and_checked(rig: Rig) {
        for tool in ["github", "jira"] {
            rig.connect("anna", tool).await;
        }
        let checked = rig.both(&["key", "check"]).expect(0);
        assert!(checked.ends_with("Every sealed value opens.\n"), "{checked}");
        let rotated = rig.beside(&["key", "rotate"]).expect(0);
        assert!(rotated.contains("Everything is sealed with data key 2 from now on.\n"), "{rotated}");
        assert!(rotated.contains("Data key 1 stays: another process may still seal with it"), "{rotated}");
        // The server that runs has not been told: it finds out by the values.
        rig.token("anna", "github").await.expect(200);
        rig.through(&["refresh", "jira", "--user", "anna"]).expect(0);
        let found = rig.both(&["key", "check", "--json"]).json();
        let tables = found["tables"].as_array().unwrap();
        let credentials = tables.iter().find(|table| table["table"] == "credentials").unwrap();
        assert_eq!(credentials["versions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["2"], "{found}");
        let list = rig.both(&["key", "list"]).expect(0);
        assert!(list.contains("\n1        opens  ") && list.contains("\n2        seals  "), "{list}");
    }

    async fn the_audit_trail_is_shown_exported_and_verified(rig: Rig) {
        rig.connect("anna", "github").await;
        rig.through(&["disconnect", "github", "--user", "anna"]).expect(0);
        let shown = rig.both(&["audit", "tail", "--user", "anna", "--event", "connection"]).expect(0);
        assert!(shown.contains("connection.created") && shown.contains("connection.disconnected"), "{shown}");
        assert!(!shown.contains("attempt."), "{shown}");
        let one = rig.both(&["audit", "tail", "--count", "1", "--json"]).json();
        assert_eq!(one["entries"].as_array().unwrap().len(), 1);
        assert!(rig.beside(&["audit", "verify"]).expect(0).contains("all of them stand as they were written."));
        let exported = rig.beside(&["audit", "export", "--event", "nothing"]).expect(0);
        assert_eq!(exported, "");
        let exported = rig.beside(&["audit", "export", "--user", "anna", "--event", "connection"]).expect(0);
        let events: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let names: Vec<&str> = events.iter().map(|entry| entry["event"]["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["connection.created", "connection.disconnected"], "oldest first, the last one too");
        rig.both(&["audit", "tail", "--count", "0"]).expect_err_with(2, "0 is not in 1..=200");
    }
}

/// A page of the trail passes over ten thousand entries at most, and is empty when none of them is meant.
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_behind_ten_thousand_others_is_found() {
    let rig = Rig::new(None).await;
    rig.connect("anna", "github").await;
    let file = rusqlite::Connection::open(rig.folder.path().join("data/claviger.db")).unwrap();
    file.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    let other = r#"{"at":"2026-01-01T00:00:00.000Z","event":"api_key.created","outcome":"success","actor":{"type":"system"}}"#;
    let written = file.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 10001) \
         INSERT INTO audit (writer, sequence, at, event, previous, hash) \
         SELECT 'wrt_' || printf('%032x', 1), i, (SELECT max(at) FROM audit), ?1, zeroblob(32), zeroblob(32) FROM n",
        [other],
    );
    assert_eq!(written.unwrap(), 10_002);
    let one = rig.both(&["audit", "tail", "--event", "connection.created", "--count", "1", "--json"]).json();
    assert_eq!(one["entries"][0]["event"]["event"], "connection.created");
    let exported = rig.beside(&["audit", "export", "--event", "connection.created"]).expect(0);
    assert_eq!(exported.lines().count(), 1, "{exported}");
}
