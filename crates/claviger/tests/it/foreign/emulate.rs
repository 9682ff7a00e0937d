//! npm's emulate: what somebody else understood of vendors' services. The entries are the built-in ones; nothing in
//! them is changed but the addresses.
//!
//! To its APIs a token that it doesn't know is one of `nobody`, where the vendors answer 401; so each test looks at whom
//! a token is for. It checks a client's secret, codes, refresh tokens and, except at GitHub, PKCE.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use super::{CLIENT, Foreign, arrive, click_through, connect, redirect_uri, world_of};
use crate::harness::browser::parameter;
use crate::harness::{Browser, World};

/// A built-in entry, with the places of its vendor's addresses at the emulator, which has one host for all of them.
struct Service {
    name: &'static str,
    integration: &'static str,
    catalog: &'static str,
    places: &'static [(&'static str, &'static str)],
}

const GITHUB: Service = Service {
    name: "github",
    integration: "github",
    catalog: "github.toml",
    places: &[("https://github.com", ""), ("https://api.github.com", "")],
};

const GOOGLE: Service = Service {
    name: "google",
    integration: "google_workspace",
    catalog: "google.toml",
    places: &[
        ("https://accounts.google.com", ""),
        ("https://oauth2.googleapis.com", "/oauth2"),
        // It knows an older path of the same endpoint alone.
        ("https://openidconnect.googleapis.com/v1", "/oauth2/v2"),
    ],
};

impl Service {
    fn start(&self) -> Option<Foreign> {
        Foreign::node("emulate.mjs", &[self.name, &redirect_uri(self.integration)])
    }

    async fn world(&self, foreign: &Foreign, client: (&str, &str)) -> World {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../provider/catalog");
        let mut text = std::fs::read_to_string(format!("{folder}/{}", self.catalog)).unwrap();
        for (address, place) in self.places {
            assert!(text.contains(address), "{address} is not in {}", self.catalog);
            text = text.replace(address, &format!("{}{place}", foreign.url));
        }
        world_of(foreign, self.integration, &text, client).await
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/connections/client-7/{}{rest}", self.integration)
    }

    async fn token(&self, world: &World) -> String {
        let answer = world.api(&self.path("/token")).await.expect(200).json();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn row(&self, world: &World) -> Value {
        world.api(&self.path("")).await.expect(200).json()
    }

    async fn refresh(&self, world: &World) -> (u16, String) {
        world.call(Method::POST, &self.path("/refresh"), &Value::Null).await.problem()
    }

    /// Anna's consent, as far as the redirect URI.
    async fn consent(&self, world: &World, browser: &Browser) -> Url {
        let link = world.auth_url(&format!("provider={}", self.integration)).await;
        click_through(browser, &link, &redirect_uri(self.integration)).await
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
    let world = GITHUB.world(&foreign, CLIENT).await;
    connect(&world, &Browser::new(), GITHUB.integration).await;
    let token = GITHUB.token(&world).await;
    let user = ask(&foreign, "/user", &token).await;
    assert_eq!(user["login"], "anna");

    let row = GITHUB.row(&world).await;
    assert_eq!(
        row["account"],
        json!({"id": user["id"].to_string(), "name": "anna"}),
        "an id that is a number"
    );
    assert_eq!((&row["scopesMissing"], &row["hasRefreshToken"]), (&json!([]), &json!(false)));
    // An OAuth App's token has no end.
    world.pass(Duration::from_hours(24 * 300));
    assert_eq!(GITHUB.token(&world).await, token);
    assert_eq!(GITHUB.refresh(&world).await, (409, "no_refresh_token".to_owned()));
}

#[tokio::test]
async fn errors_with_status_200_of_github_emulated_are_errors() {
    let Some(mut foreign) = GITHUB.start() else { return };
    let browser = Browser::new();
    let world = GITHUB.world(&foreign, CLIENT).await;
    let back = GITHUB.consent(&world, &browser).await;
    foreign.forget();
    let arrived = arrive(&world, &browser, GITHUB.integration, &back).await;
    assert_eq!(parameter(&arrived, "code").as_deref(), Some("exchange_failed"), "bad_verification_code");

    let world = GITHUB.world(&foreign, (CLIENT.0, "another secret")).await;
    let back = GITHUB.consent(&world, &browser).await;
    let arrived = arrive(&world, &browser, GITHUB.integration, &back).await;
    let code = parameter(&arrived, "code");
    assert_eq!(code.as_deref(), Some("provider_configuration"), "incorrect_client_credentials");
}

/// It checks PKCE, has no tokeninfo, and revokes nothing but the one token that it is given, where Google ends the grant.
#[tokio::test]
async fn google_emulated_is_connected_and_refreshed_by_the_built_in_entry() {
    let Some(mut foreign) = GOOGLE.start() else { return };
    let world = GOOGLE.world(&foreign, CLIENT).await;
    connect(&world, &Browser::new(), GOOGLE.integration).await;
    let mut last = GOOGLE.token(&world).await;
    let userinfo = ask(&foreign, "/oauth2/v2/userinfo", &last).await;
    let row = GOOGLE.row(&world).await;
    assert_eq!(row["account"], json!({"id": userinfo["sub"], "name": "anna@foreign.example"}));
    assert_eq!((&row["scopesMissing"], &row["hasRefreshToken"]), (&json!([]), &json!(true)));

    // Its answers to refreshes have no refresh token: the one from the consent stays.
    for _ in 0..3 {
        world.pass(Duration::from_hours(2));
        let next = GOOGLE.token(&world).await;
        assert_ne!(next, last);
        assert_eq!(ask(&foreign, "/oauth2/v2/userinfo", &next).await["email"], "anna@foreign.example");
        last = next;
    }

    foreign.forget();
    assert_eq!(GOOGLE.refresh(&world).await, (409, "reconnect_required".to_owned()));
    let row = GOOGLE.row(&world).await;
    assert_eq!(
        (&row["status"], &row["reason"]),
        (&json!("broken"), &json!("grant_revoked")),
        "invalid_grant"
    );
}
