//! Requirement 004, the rows Encryption and State of its unit test table. (Its other rows come with their capabilities.)

use std::time::Duration;

use crate::harness::browser::parameter;
use crate::harness::process::run;
use crate::harness::{Browser, World};

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
