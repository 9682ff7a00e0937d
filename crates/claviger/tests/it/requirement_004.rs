//! Requirement 004, the rows Singleton to Mutex, Encryption, State, PKCE and Revocation of its unit test table. (Its other rows
//! come with their capabilities.)

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use serde_json::json;
use tokio::task::JoinSet;
use vault::TokenHash;

use crate::disconnect::{Own, disconnect};
use crate::harness::browser::parameter;
use crate::harness::played::app;
use crate::harness::process::run;
use crate::harness::{Browser, World, on_both_stores};
use crate::refresh::{refreshes, row, settle, text, works};

const GOOD: &str = "p2kPrqnc2IwqTtKX3J9TMV6wWd2FMqZ4hbMWBsLDp8o=";
const URL: (&str, &str) = ("CLAVIGER__PUBLIC_URL", "http://127.0.0.1:1");

#[test]
fn encryption_without_any_key_variable_it_does_not_start_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["serve"], &[URL], folder.path());
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stderr).unwrap();
    for part in ["key: is missing", "ENCRYPTION_KEY", "MCP_ENCRYPTION_KEY", "openssl rand -base64 32"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn encryption_with_only_mcp_encryption_key_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["config", "check"], &[URL, ("MCP_ENCRYPTION_KEY", GOOD)], folder.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn encryption_never_falls_back_to_the_jwt_secret_or_a_default() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["config", "check"], &[URL, ("JWT_SECRET", GOOD)], folder.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[tokio::test]
async fn state_that_is_fresh_is_accepted() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let callback = world.callback_url(&browser, "provider=sandbox").await;
    assert_eq!(parameter(&browser.get(callback).await.location(), "oauth").as_deref(), Some("success"));
}

#[tokio::test]
async fn state_of_eleven_minutes_ago_is_expired_and_the_age_is_on_record() {
    let world = World::on_sqlite().await;
    let browser = Browser::new();
    let callback = world.callback_url(&browser, "provider=sandbox").await;
    world.pass(Duration::from_mins(11));
    assert!(browser.get(callback).await.expect(400).body.contains("expired_state"));
    assert_eq!(world.audited("attempt.refused").await["facts"]["age_ms"], 660_000);
}

/// The requirement's state carried its time in itself, and one without was let through. Ours carries nothing; a state
/// in the old form is simply unknown.
#[tokio::test]
async fn state_in_the_old_form_is_refused_and_not_passed_through() {
    let world = World::on_sqlite().await;
    let legacy = data_encoding::BASE64.encode(br#"{"userId":"client-7","toolType":"github","state":"abc"}"#);
    let legacy: String = url::form_urlencoded::byte_serialize(legacy.as_bytes()).collect();
    let answer = Browser::with_key("none")
        .get(world.path(&format!("/api/oauth/callback?code=x&state={legacy}")))
        .await;
    assert_eq!(answer.problem(), (400, "invalid_state".to_owned()));
}

async fn fail(world: &World, kind: &str, times: u64) {
    world.control(&json!({"fail": {"kind": kind, "times": times}})).await;
}

on_both_stores! {
    async fn retry_after_503_twice_there_is_a_token_with_three_attempts(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        fail(&world, "503", 2).await;
        assert!(works(&world, &text(&world.token().await.expect(200))).await);
        assert_eq!(refreshes(&world).await, 3);
    }

    async fn retry_never_comes_after_400_at_first(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        fail(&world, "invalid_grant", 1).await;
        assert_eq!(world.token().await.problem(), (409, "reconnect_required".to_owned()));
        assert_eq!(refreshes(&world).await, 1);
    }

    async fn retry_gives_up_after_503_three_times_without_a_crash(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        fail(&world, "503", 3).await;
        let answer = world.token().await;
        assert_eq!(answer.problem(), (503, "provider_unavailable".to_owned()));
        assert_eq!(refreshes(&world).await, 3);
        world.pass(Duration::from_secs(answer.header("retry-after").parse().unwrap()));
        assert!(works(&world, &text(&world.token().await.expect(200))).await, "all goes on");
    }

    async fn mutex_of_five_callers_with_an_expired_token_one_refreshes_and_all_get_the_same(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&json!({"latency": 300})).await;
        let world = Arc::new(world);
        let mut callers = JoinSet::new();
        for _ in 0..5 {
            let world = world.clone();
            callers.spawn(async move { text(&world.token().await.expect(200)) });
        }
        let tokens = callers.join_all().await;
        assert_eq!(refreshes(&world).await, 1);
        assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
        assert!(works(&world, &tokens[0]).await);
    }
}

/// Two waits between three attempts; the third, of four times the first, is before the background's next try.
#[tokio::test]
async fn retry_waits_grow_from_one_to_two_to_four() {
    let lines = "[connect.refresh]\nbackground = false\nfirst_retry = \"100ms\"\ncall_limit = \"3s\"\n";
    let world = World::configured(lines).await;
    world.connect().await;
    world.pass(Duration::from_hours(2));
    fail(&world, "503", 3).await;
    let began = std::time::Instant::now();
    assert_eq!(world.token().await.problem().0, 503);
    assert!(began.elapsed() >= Duration::from_millis(80 + 160), "one and two, less the jitter");
    let rest = row(&world, "sandbox").await.due_at.unwrap().since(world.clock.now());
    assert!((320..=480).contains(&rest.as_millis()), "four, with the jitter: {rest:?}");
}

#[tokio::test]
async fn proactive_three_minutes_before_expiry_it_is_refreshed() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let old = text(&world.token().await);
    world.pass(Duration::from_mins(57));
    assert_eq!(text(&world.token().await.expect(200)), old, "nobody waits for it");
    settle(&world).await;
    assert_eq!(refreshes(&world).await, 1);
    assert_ne!(text(&world.token().await), old);
}

#[tokio::test]
async fn proactive_ten_minutes_before_expiry_it_is_not_refreshed() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.pass(Duration::from_mins(50));
    world.token().await.expect(200);
    settle(&world).await;
    assert_eq!(refreshes(&world).await, 0);
}

#[tokio::test]
async fn pkce_jiras_authorization_url_has_a_code_challenge() {
    let world = World::configured(&app("integrations.jira", "atlassian")).await;
    let url = world.authorization_request("provider=jira").await;
    assert_eq!(url.origin().ascii_serialization() + url.path(), "https://auth.atlassian.com/authorize");
    assert_eq!(parameter(&url, "code_challenge_method").as_deref(), Some("S256"), "{url}");
    let challenge = parameter(&url, "code_challenge").unwrap();
    assert_eq!(data_encoding::BASE64URL_NOPAD.decode(challenge.as_bytes()).unwrap().len(), 32, "{url}");
    assert!(parameter(&url, "code_verifier").is_none(), "{url}");
}

#[tokio::test]
async fn pkce_atlassian_microsoft_google_have_it() {
    let tools =
        ["jira", "confluence", "outlook", "teams", "onedrive", "onenote", "sharepoint", "google_workspace"];
    let lines = tools.map(|tool| app(&format!("integrations.{tool}"), "any"));
    let world = World::configured(&lines.concat()).await;
    let mut challenges = BTreeSet::new();
    for tool in tools {
        let url = world.authorization_request(&format!("provider={tool}")).await;
        assert_eq!(parameter(&url, "code_challenge_method").as_deref(), Some("S256"), "{url}");
        challenges.insert(parameter(&url, "code_challenge").unwrap());
    }
    assert_eq!(challenges.len(), tools.len(), "each attempt has its own");
}

#[tokio::test]
async fn pkce_a_provider_that_can_not_is_not_sent_one() {
    let lines = app("integrations.zoho_crm", "zoho");
    let world = World::playing(None, "zoho_crm", &lines).await;
    world.control_app("zoho", &json!({"pkce": "unsupported"})).await;
    let url = world.authorization_request("provider=zoho_crm").await;
    assert!(!url.as_str().contains("code_challenge"), "{url}");
    world.connect_by("provider=zoho_crm").await;
}

on_both_stores! {
    async fn pkce_after_the_callback_the_verifier_is_gone(world: World) {
        world.control(&json!({"pkce": "required"})).await;
        let attempts = &world.server.app.store.attempts;
        for outcome in ["code=", "error=access_denied"] {
            let browser = Browser::new();
            let mut callback = world.callback_url(&browser, "provider=sandbox").await;
            let state = parameter(&callback, "state").unwrap();
            let stored = async || attempts.find(&TokenHash::of(&state)).await.unwrap().unwrap();
            assert!(stored().await.code_verifier.is_some(), "until then it is kept, sealed");
            if outcome != "code=" {
                callback.set_query(Some(&format!("{outcome}&state={state}")));
            }
            browser.get(callback).await;
            let after = stored().await;
            assert!(after.consumed_at.is_some() && after.code_verifier.is_none(), "{outcome}");
        }
        world.token().await.expect(200);
    }
}

/// GitHub's own recipe, at an address of ours.
async fn github() -> Own {
    let revoke = "revoke = \"{url}/applications/{client_id}/grant\"";
    let recipe = "[provider.revocation]\n\
        call = { method = \"DELETE\", authentication = \"basic\", body = \"json\", parameter = \"access_token\" }\n\
        takes = \"access_token\"\nends = \"grant\"\n";
    let app = "[integrations.github]\nclient_id = \"Iv1.abc\"\nclient_secret = \"gh-secret\"\n";
    let own = Own::with("github", revoke, recipe, app).await;
    own.import("github", Some("583231")).await;
    own
}

#[tokio::test]
async fn revocation_disconnecting_calls_the_providers_revocation_endpoint() {
    let built_in = provider::catalog::Catalog::built_in();
    let entry = built_in.get(&"github".parse().unwrap()).unwrap();
    let real = entry.endpoints(&BTreeMap::new(), None).unwrap().revoke.unwrap().for_client("Iv1.abc");
    assert_eq!(real, "https://api.github.com/applications/Iv1.abc/grant");

    let own = github().await;
    assert_eq!(disconnect(&own.world, "github").await.expect(200).json()["revocation"], "succeeded");
    let asked = own.provider.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("DELETE", "/applications/Iv1.abc/grant"));
    assert_eq!(asked[0].body, r#"{"access_token":"access-1"}"#);
    let pair = data_encoding::BASE64.encode(b"Iv1.abc:gh-secret");
    assert_eq!(asked[0].headers["authorization"], format!("Basic {pair}"));
}

#[tokio::test]
async fn revocation_answers_404_and_it_is_disconnected_all_the_same() {
    let own = github().await;
    own.provider.answer(Some(404));
    let body = disconnect(&own.world, "github").await.expect(200).json();
    assert_eq!(
        (body["revocation"].as_str(), body["connection"]["status"].as_str()),
        (Some("already_gone"), Some("disconnected"))
    );
    assert_eq!(own.world.api("/api/connections/client-7/github/token").await.problem().0, 404);
    assert_eq!(own.provider.asked().len(), 1);
}

on_both_stores! {
    async fn revocation_goes_through_the_one_service_from_the_api(world: World) {
        world.connect().await;
        let token = text(&world.token().await.expect(200));
        assert_eq!(disconnect(&world, "sandbox").await.expect(200).json()["revocation"], "succeeded");
        assert_eq!(world.calls("revoke", None).await, 1);
        assert!(!works(&world, &token).await, "it has ended at the provider");
    }
}
