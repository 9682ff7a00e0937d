//! Requirement 004, "CLI Integration Tests": one test a row of its table.

use axum::http::Method;
use serde_json::json;

use super::on_both_databases;
use crate::harness::Browser;

on_both_databases! {
    async fn status_lists_all_users_with_integration_counts(rig: Rig) {
        for (subject, tool) in [("anna", "github"), ("anna", "jira"), ("bert", "github")] {
            rig.connect(subject, tool).await;
        }
        rig.beside(&["disconnect", "jira", "--user", "anna"]).expect(0);
        let text = rig.both(&["status"]).expect(0);
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["SUBJECT", "CONNECTED", "EXPIRING", "EXPIRED", "BROKEN", "DISCONNECTED"]);
        assert_eq!(rows[1..], [["anna", "1", "0", "0", "0", "1"], ["bert", "1", "0", "0", "0", "0"]]);
    }

    async fn status_of_one_user_tells_state_token_age_and_expiry_of_each_tool(rig: Rig) {
        rig.connect("anna", "github").await;
        let old = json!({"accessToken": "old", "refreshToken": "older", "expiresAt": "2026-01-01T00:00:00Z"});
        let path = format!("{}/api/connections/anna/jira", rig.url);
        rig.backend().json(Method::PUT, path, &old).await.expect(200);
        rig.control(&json!({"expiresIn": "missing", "omitRefreshToken": true})).await;
        rig.connect("anna", "figma").await;
        let text = rig.both(&["status", "--user", "anna"]).expect(0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "anna: 3 connected");
        assert!(lines[1].starts_with("✓ figma    connected as anna@example.com"), "{text}");
        assert!(lines[2].ends_with("s old, of unknown end; refresh token: no"), "{text}");
        assert!(lines[4].starts_with("✓ github   connected as anna@example.com"), "{text}");
        assert!(lines[5].contains("s old, ends in 59 min; refresh token: yes"), "{text}");
        assert!(lines[6].trim().starts_with("scopes: profile email"), "{text}");
        assert_eq!(lines[7], "◷ jira     expired; the next read refreshes it");
        assert_eq!(*lines.last().unwrap(), "○ sandbox  not connected");
    }

    async fn inspect_tells_expiry_scopes_beginning_and_refresh_token_and_no_token(rig: Rig) {
        rig.connect("anna", "github").await;
        rig.beside(&["refresh", "github", "--user", "anna"]).expect(0);
        let text = rig.both(&["inspect", "github", "--user", "anna"]).expect(0);
        for part in [
            "✓ github of anna  connected as anna@example.com",
            "access token   ends: in 59 min (20",
            "refresh token  yes",
            "connected      ",
            "scopes         profile email",
            "last error     none",
            "refreshed, by system",
            "created, by browser of anna",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let token = rig.token("anna", "github").await.expect(200).json();
        let all = rig.both(&["inspect", "github", "--user", "anna", "--json"]).expect(0);
        assert!(!all.contains(token["access_token"].as_str().unwrap()) && !all.contains("sbx_"), "{all}");
    }

    async fn refresh_brings_a_new_token_although_nothing_was_due(rig: Rig) {
        rig.connect("anna", "github").await;
        let before = rig.token("anna", "github").await.expect(200).json();
        for ways in [rig.beside(&["refresh", "github", "--user", "anna"]), rig.through(&["refresh", "github", "--user", "anna"])] {
            let text = ways.expect(0);
            assert!(text.starts_with("github of anna has a new token after "), "{text}");
            assert!(text.contains("; it ends in 59 min (20"), "{text}");
        }
        assert_eq!(rig.calls("refresh_token").await, 2);
        let after = rig.token("anna", "github").await.expect(200).json();
        assert_ne!(before["access_token"], after["access_token"]);
    }

    async fn refresh_verbose_tells_attempts_delays_and_timing(rig: Rig) {
        rig.connect("anna", "github").await;
        let command = ["refresh", "github", "--user", "anna", "--verbose"];
        let said = rig.both(&command);
        let text = said.shape().expect(0);
        for part in ["# ms calling the provider, attempt #\n", "# ms new tokens after # ms\n", "# ms stored, with a new refresh token\n"] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        rig.control(&json!({"fail": {"kind": "503", "times": 2}})).await;
        let text = rig.through(&command).expect(0);
        for part in ["attempt 1\n", "answered http_503 (throttled) after", " ms before attempt 2\n", " ms before attempt 3\n", "attempt 3\n"] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    async fn validate_all_tells_pass_and_fail_of_each_tool(rig: Rig) {
        rig.connect("anna", "github").await;
        rig.connect("anna", "jira").await;
        assert_eq!(
            rig.both(&["validate-all", "--user", "anna"]).expect(0),
            "✓ github of anna  valid (200)\n✓ jira of anna    valid (200)\n"
        );
        rig.control(&json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
        let dead = rig.beside(&["refresh", "jira", "--user", "anna"]);
        assert!(dead.err.contains("(reconnect_required)") && dead.code == 1, "{dead:?}");
        let text = rig.both(&["validate-all", "--user", "anna"]).expect(1);
        assert_eq!(
            text,
            "✓ github of anna  valid (200)\n✗ jira of anna    broken; the person must connect again\n1 of 2 did not pass.\n"
        );
    }

    async fn disconnect_tells_what_the_provider_said_and_the_server_hands_out_no_token_from_that_moment(rig: Rig) {
        rig.connect("anna", "github").await;
        rig.connect("anna", "jira").await;
        // The token is in the memory of the server that runs.
        for tool in ["github", "jira"] {
            rig.token("anna", tool).await.expect(200);
        }
        let text = rig.beside(&["disconnect", "github", "--user", "anna"]).expect(0);
        assert_eq!(text, "github of anna is disconnected; nobody gets its token any more. The provider has ended the grant.\n");
        rig.gone("anna", "github").await;
        let text = rig.through(&["disconnect", "jira", "--user", "anna"]).expect(0);
        assert!(text.ends_with("The provider has ended the grant.\n"), "{text}");
        assert_eq!(rig.token("anna", "jira").await.problem(), (404, "connection_not_found".to_owned()));
        let again = rig.both(&["disconnect", "jira", "--user", "anna"]);
        assert!(again.err.contains("(connection_not_found)") && again.code == 1, "{again:?}");
    }

    async fn simulate_failure_spoils_the_token_gets_a_real_400_and_restores_everything(rig: Rig) {
        rig.connect("anna", "github").await;
        let before = rig.token("anna", "github").await.expect(200).json();
        let command = ["simulate-failure", "github", "--user", "anna", "--yes-really"];
        let text = rig.both(&command).shape().expect(0);
        for part in [
            "Playing the death of the grant of github of anna.\n",
            " ms the refresh token is set aside; an invalid one stands in its place\n",
            " ms calling the provider, attempt #\n",
            " ms answered invalid_grant (dead) after # ms\n",
            " ms the backend gets: # reconnect_required, grant_revoked\n",
            " ms the page says: Needs you again. Sandbox ended Claviger’s access on # ",
            ", as tools do when a password changes. Nothing that Claviger already read is lost.",
            " ms token and state are as before\n",
            "nothing was retried, nothing crashed, and everything is as before.\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert_eq!(rig.calls("refresh_token").await, 2, "one each: nothing retries");
        let log = Browser::with_key("none").get(format!("{}/control/log", rig.sandbox)).await;
        assert_eq!(log.body.matches("invalid_grant").count(), 2, "the provider itself refused: {}", log.body);
        let after = rig.token("anna", "github").await.expect(200).json();
        assert_eq!(before["access_token"], after["access_token"]);
        rig.through(&["refresh", "github", "--user", "anna"]).expect(0);
        let status = rig.both(&["status", "--user", "anna"]).expect(0);
        assert!(status.contains("✓ github   connected"), "{status}");
        rig.both(&["simulate-failure", "jira", "--user", "anna"]).ends_with(1, "(connection_not_found)");
    }

    async fn simulate_failure_is_refused_where_the_grant_could_end_unless_it_is_meant(rig: Rig) {
        // Refresh tokens of the sandbox work once.
        rig.connect("anna", "github").await;
        rig.both(&["simulate-failure", "github", "--user", "anna"]).ends_with(1, "(grant_at_risk)");
        assert_eq!(rig.calls("refresh_token").await, 0);
        rig.token("anna", "github").await.expect(200);
    }
}
