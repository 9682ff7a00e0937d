//! A wrong client secret, in each provider's own words, is the operator's to mend: no connection is marked for it.

use std::time::Duration;

use serde_json::json;

use super::playing;

/// Provider, the sandbox's app, how long its tokens live in hours, and its word for a wrong secret.
const WORDS: [(&str, &str, u64, &str); 7] = [
    ("github_app", "github_app", 8, "incorrect_client_credentials"),
    ("jira", "atlassian", 1, "access_denied"),
    ("outlook", "microsoft", 2, "invalid_client"),
    ("slack", "slack", 12, "bad_client_secret"),
    ("zoom", "zoom", 1, "invalid_client"),
    ("google_workspace", "google", 1, "invalid_client"),
    ("zoho_crm", "zoho", 1, "invalid_client_secret"),
];

#[tokio::test]
async fn a_wrong_secret_is_our_configuration_everywhere() {
    for (id, client_id, hours, word) in WORDS {
        let world = playing(id, client_id).await;
        world.connect_by(&format!("provider={id}")).await;
        let app = json!({"profile": client_id, "clientSecret": "another", "anyLoopback": true});
        world.control(&json!({"apps": {client_id: app}})).await;
        world.pass(Duration::from_hours(hours) + Duration::from_mins(1));
        let answer = world.of(&format!("{id}/token")).await;
        assert_eq!(answer.problem(), (502, "provider_configuration".to_owned()), "{id}");
        let calls = world.rows(client_id, "token").await;
        assert_eq!(calls.last().unwrap()["outcome"], word, "{id}");
        assert_eq!(world.refreshes(client_id).await.0, 1, "{id} is asked once");
        assert_eq!(world.connection(id).await["status"], "expired", "{id}, and not broken");
        // At a new consent the person's grant is not to blame either.
        let arrived = world.consent(&format!("provider={id}&label=other")).await;
        assert!(arrived.as_str().ends_with("code=provider_configuration"), "{id}: {arrived}");
    }
}
