//! npm's emulate: what somebody else understood of vendors' services. The entries are the built-in ones; nothing in
//! them is changed but the addresses.
//!
//! To its APIs a token that it doesn't know is one of `nobody`, where the vendors answer 401; so each test looks at whom
//! a token is for. It checks a client's secret, its redirect URI up to the query, codes and refresh tokens.

use std::time::Duration;

use serde_json::{Value, json};

use super::{CLIENT, Foreign, Integration, arrive};
use crate::harness::browser::parameter;
use crate::harness::{Browser, World};

/// A built-in entry, with the places of its vendor's addresses at the emulator, which has one host for all of them.
struct Service {
    name: &'static str,
    integration: Integration,
    catalog: &'static str,
    places: &'static [(&'static str, &'static str)],
}

const GITHUB: Service = Service {
    name: "github",
    integration: Integration::new("github"),
    catalog: "github.toml",
    places: &[("https://github.com", ""), ("https://api.github.com", "")],
};

const GOOGLE: Service = Service {
    name: "google",
    integration: Integration::new("google_workspace"),
    catalog: "google.toml",
    places: &[
        ("https://accounts.google.com", ""),
        ("https://oauth2.googleapis.com", "/oauth2"),
        // It knows an older path of the same endpoint alone.
        ("https://openidconnect.googleapis.com/v1", "/oauth2/v2"),
    ],
};

const MICROSOFT: Service = Service {
    name: "microsoft",
    integration: Integration {
        callback: "microsoft",
        lines: "parameters = { tenant = \"oauth2\" }\n",
        ..Integration::new("outlook")
    },
    catalog: "microsoft.toml",
    places: &[
        // It knows no tenant in these two paths; a placeholder that stood nowhere would be an error.
        ("https://login.microsoftonline.com/{tenant}/oauth2", "/{tenant}"),
        ("https://graph.microsoft.com", ""),
    ],
};

const SLACK: Service = Service {
    name: "slack",
    integration: Integration::new("slack"),
    catalog: "slack.toml",
    places: &[("https://slack.com", "")],
};

impl Service {
    fn start(&self) -> Option<Foreign> {
        Foreign::node("emulate.mjs", &[self.name, &self.integration.redirect_uri()])
    }

    async fn world(&self, foreign: &Foreign) -> World {
        self.integration.world(foreign, &self.entry(foreign)).await
    }

    fn entry(&self, foreign: &Foreign) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../provider/catalog");
        let mut text = std::fs::read_to_string(format!("{folder}/{}", self.catalog)).unwrap();
        for (address, place) in self.places {
            assert!(text.contains(address), "{address} is not in {}", self.catalog);
            text = text.replace(address, &format!("{}{place}", foreign.url));
        }
        text
    }
}

/// What the vendor's API says to a token.
async fn ask(foreign: &Foreign, path: &str, token: &str) -> Value {
    Browser::with_key(token).get(format!("{}{path}", foreign.url)).await.expect(200).json()
}

/// It ignores PKCE, and has neither refresh tokens nor the endpoints that revoke and check a token (they answer 404).
#[tokio::test]
async fn github_emulated_is_connected_by_the_built_in_entry() {
    let Some(foreign) = GITHUB.start() else { return };
    let world = GITHUB.world(&foreign).await;
    GITHUB.integration.connect(&world, &Browser::new()).await;
    let token = GITHUB.integration.token(&world).await;
    let user = ask(&foreign, "/user", &token).await;
    assert_eq!(user["login"], "anna");

    let row = GITHUB.integration.row(&world).await;
    assert_eq!(
        row["account"],
        json!({"id": user["id"].to_string(), "name": "anna"}),
        "an id that is a number"
    );
    assert_eq!((&row["scopesMissing"], &row["hasRefreshToken"]), (&json!([]), &json!(false)));
    // An OAuth App's token has no end.
    world.pass(Duration::from_hours(24 * 300));
    assert_eq!(GITHUB.integration.token(&world).await, token);
    assert_eq!(GITHUB.integration.refresh(&world).await.problem(), (409, "no_refresh_token".to_owned()));
}

#[tokio::test]
async fn errors_with_status_200_of_github_emulated_are_errors() {
    let Some(mut foreign) = GITHUB.start() else { return };
    errors_with_status_200(&GITHUB, &mut foreign).await;
}

/// A code that it has forgotten, then a secret that it never knew.
async fn errors_with_status_200(service: &Service, foreign: &mut Foreign) {
    let browser = Browser::new();
    let world = service.world(foreign).await;
    let back = service.integration.consent(&world, &browser).await;
    foreign.forget();
    let arrived = arrive(&world, &browser, &back).await;
    assert_eq!(parameter(&arrived, "code").as_deref(), Some("exchange_failed"), "the code");

    let mistaken = Integration { client: (CLIENT.0, "another secret"), ..service.integration };
    let world = mistaken.world(foreign, &service.entry(foreign)).await;
    let back = mistaken.consent(&world, &browser).await;
    let arrived = arrive(&world, &browser, &back).await;
    assert_eq!(parameter(&arrived, "code").as_deref(), Some("provider_configuration"), "the secret");
}

/// It checks PKCE. It has no tokeninfo, and its revocation ends the one token that it is given, where Google ends the
/// grant.
#[tokio::test]
async fn google_emulated_is_connected_and_refreshed_by_the_built_in_entry() {
    let Some(mut foreign) = GOOGLE.start() else { return };
    let world = GOOGLE.world(&foreign).await;
    GOOGLE.integration.connect(&world, &Browser::new()).await;
    let mut last = GOOGLE.integration.token(&world).await;
    let userinfo = ask(&foreign, "/oauth2/v2/userinfo", &last).await;
    let row = GOOGLE.integration.row(&world).await;
    assert_eq!(row["account"], json!({"id": userinfo["sub"], "name": "anna@foreign.example"}));
    assert_eq!((&row["scopesMissing"], &row["hasRefreshToken"]), (&json!([]), &json!(true)));

    // Its answers to refreshes have no refresh token: the one from the consent stays.
    for _ in 0..3 {
        world.pass(Duration::from_hours(2));
        let next = GOOGLE.integration.token(&world).await;
        assert_ne!(next, last);
        assert_eq!(ask(&foreign, "/oauth2/v2/userinfo", &next).await["email"], "anna@foreign.example");
        last = next;
    }

    foreign.forget();
    assert_eq!(GOOGLE.integration.refresh(&world).await.problem(), (409, "reconnect_required".to_owned()));
    let row = GOOGLE.integration.row(&world).await;
    assert_eq!(
        (&row["status"], &row["reason"]),
        (&json!("broken"), &json!("grant_revoked")),
        "invalid_grant"
    );
}

/// It checks PKCE. It retires a refresh token at its use, where Microsoft lets the old one live, and gives the scopes of
/// the consent whatever a refresh asks for.
#[tokio::test]
async fn microsoft_emulated_is_connected_and_refreshed_by_the_built_in_entry() {
    let Some(mut foreign) = MICROSOFT.start() else { return };
    let world = MICROSOFT.world(&foreign).await;
    MICROSOFT.integration.connect(&world, &Browser::new()).await;
    let row = MICROSOFT.integration.row(&world).await;
    assert_eq!(row["account"]["name"], "anna@foreign.example");
    assert_eq!((&row["scopesMissing"], &row["hasRefreshToken"]), (&json!([]), &json!(true)));

    let mut last = MICROSOFT.integration.token(&world).await;
    for _ in 0..3 {
        world.pass(Duration::from_hours(2));
        let next = MICROSOFT.integration.token(&world).await;
        assert_ne!(next, last);
        assert_eq!(ask(&foreign, "/v1.0/me", &next).await["mail"], "anna@foreign.example");
        last = next;
    }

    foreign.forget();
    assert_eq!(MICROSOFT.integration.refresh(&world).await.problem(), (409, "reconnect_required".to_owned()));
    let row = MICROSOFT.integration.row(&world).await;
    assert_eq!(
        (&row["status"], &row["reason"]),
        (&json!("broken"), &json!("grant_revoked")),
        "invalid_grant"
    );
}

/// It has neither token rotation nor auth.revoke (404), and ignores PKCE.
#[tokio::test]
async fn slack_emulated_is_connected_by_the_built_in_entry() {
    let Some(foreign) = SLACK.start() else { return };
    let world = SLACK.world(&foreign).await;
    SLACK.integration.connect(&world, &Browser::new()).await;
    let token = SLACK.integration.token(&world).await;
    let test = Browser::with_key(&token).form(format!("{}/api/auth.test", foreign.url), &[]).await.json();
    // A token that it doesn't know is a person's, without an app.
    assert!(test["app_id"].is_string(), "{test}");

    let row = SLACK.integration.row(&world).await;
    let id = format!("{}:{}", test["team_id"].as_str().unwrap(), test["user_id"].as_str().unwrap());
    assert_eq!(row["account"]["id"], id);
    assert_eq!((&row["scopesMissing"], &row["hasRefreshToken"]), (&json!([]), &json!(false)));
}

#[tokio::test]
async fn errors_with_status_200_of_slack_emulated_are_errors() {
    let Some(mut foreign) = SLACK.start() else { return };
    errors_with_status_200(&SLACK, &mut foreign).await;
}
