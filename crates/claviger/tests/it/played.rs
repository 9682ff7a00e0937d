//! `claviger dev --as …`: providers of the catalog, played by the sandbox.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::browser::parameter;
use crate::harness::process::run;
use crate::harness::{Browser, Program};

fn start(data: &Path, more: &[&str]) -> (Program, Value) {
    let arguments = ["dev", "--json", "--port", "0", "--data-dir", data.to_str().unwrap()];
    let program = Program::start(&[&arguments, more].concat(), &[]);
    let line = program.line_with("onboardingUrl");
    (program, line)
}

/// Clicks Connect on the onboarding page and approves on the consent page, whose text is returned.
async fn click_through(line: &Value, bucket: &str) -> String {
    let browser = Browser::new();
    let onboarding = line["onboardingUrl"].as_str().unwrap();
    let entered = browser.get(onboarding).await.expect(303).location();
    browser.get(entered).await.expect(303);
    let hop = browser.form(format!("{onboarding}/{bucket}/connect"), &[]).await.expect(303).location();
    let provider = browser.get(hop).await.expect(303).location();
    assert!(provider.as_str().starts_with(line["sandboxUrl"].as_str().unwrap()), "{provider}");
    let page = browser.get(&provider).await.expect(200);

    let mut fields: Vec<(String, String)> = provider.query_pairs().into_owned().collect();
    fields.push(("decision".to_owned(), "approve".to_owned()));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut action = provider.clone();
    action.set_query(None);
    let callback = browser.form(action, &fields).await.expect(303).location();
    let arrived = browser.get(callback).await.expect(303).location();
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
    page.body
}

async fn token(line: &Value, integration: &str) -> crate::harness::Answer {
    let url = line["backendUrl"].as_str().unwrap();
    let path = format!("{url}/api/connections/demo/{integration}/token");
    Browser::with_key(line["apiKey"].as_str().unwrap()).get(path).await
}

async fn onboarding(line: &Value) -> String {
    let (browser, url) = (Browser::new(), line["onboardingUrl"].as_str().unwrap());
    let entered = browser.get(url).await.expect(303).location();
    browser.get(entered).await.expect(303);
    browser.get(url).await.expect(200).body
}

#[tokio::test]
async fn a_family_and_a_provider_are_there_with_their_consent_and_gone_without_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("dev");
    let (program, line) = start(&data, &["--as", "github", "--as", "microsoft", "--as", "jira"]);
    let expected =
        json!(["sandbox", "github", "jira", "outlook", "teams", "onedrive", "onenote", "sharepoint"]);
    assert_eq!(line["integrations"], expected);
    let page = onboarding(&line).await;
    for name in ["GitHub", "Microsoft 365", "Outlook", "SharePoint", "Jira"] {
        assert!(page.contains(&format!(">{name}</")), "{name} is not on {page}");
    }
    assert!(!page.contains("Confluence"));
    let consent = click_through(&line, "github").await;
    assert!(consent.contains("GitHub") && consent.contains("played by the sandbox"), "{consent}");
    let kept = token(&line, "github").await.expect(200).json();
    let user = format!("{}/at/api.github.com/user", line["sandboxUrl"].as_str().unwrap());
    let api = Browser::with_key(kept["access_token"].as_str().unwrap());
    let user = api.send(Method::GET, &user, &[("user-agent", "test")], "".into()).await.expect(200);
    assert_eq!(user.json()["login"], "anna");
    assert!(onboarding(&line).await.contains("Connected"));
    let (status, printed) = program.terminate();
    assert!(status.success(), "{printed}");

    let (program, line) = start(&data, &[]);
    assert_eq!(line["integrations"], json!(["sandbox"]));
    let page = onboarding(&line).await;
    // What is connected stays in sight, without a button that would fail.
    assert!(page.contains("Sandbox") && page.contains("GitHub") && !page.contains("Microsoft"), "{page}");
    assert!(!page.contains("/portal/onboarding/github/connect"), "{page}");
    let begin = format!("{}/api/oauth/authorize/demo?provider=github", line["backendUrl"].as_str().unwrap());
    let refused = Browser::with_key(line["apiKey"].as_str().unwrap()).get(begin).await;
    assert_eq!(refused.problem(), (400, "integration_not_configured".to_owned()));
    for file in fs::read_dir(&data).unwrap() {
        let file = file.unwrap();
        assert!(!file.path().is_dir(), "{file:?} is left");
    }
    let (status, printed) = program.terminate();
    assert!(status.success() && !printed.contains("WARN"), "{printed}");
}

#[tokio::test]
async fn everything_that_is_played_can_be_clicked_through_at_a_sandbox_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Program::start(&["sandbox", "--json"], &[]);
    let url = sandbox.line_with("sandboxUrl")["sandboxUrl"].as_str().unwrap().to_owned();
    let (_program, line) = start(&folder.path().join("dev"), &["--as", "all", "--sandbox", &url]);
    let integrations = line["integrations"].as_array().unwrap();
    assert_eq!(integrations.len(), 16, "{integrations:?}");
    let key = line["apiKey"].as_str().unwrap();
    let known = format!("{}/api/integrations", line["backendUrl"].as_str().unwrap());
    let known = Browser::with_key(key).get(known).await.expect(200).json();
    let mut connected = BTreeSet::new();
    for integration in integrations.iter().skip(1) {
        let integration = integration.as_str().unwrap();
        let known =
            known["integrations"].as_array().unwrap().iter().find(|one| one["id"] == integration).unwrap();
        let bucket = known["group"].as_str().unwrap_or(integration);
        if connected.insert(bucket.to_owned()) {
            let consent = click_through(&line, bucket).await;
            assert!(consent.contains("played by the sandbox"), "{bucket}: {consent}");
        }
        let answer = token(&line, integration).await.expect(200).json();
        assert!(answer["access_token"].is_string(), "{integration}: {answer}");
    }
}

#[test]
fn what_nobody_plays_is_refused_with_what_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&["dev", "--as", "github", "--as", "dropbox"], &[], folder.path());
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{text}");
    for part in ["dropbox", "--as", "github_app", "google (google_workspace)", "zoho_calendar", "`all`"] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    let nested = "http://127.0.0.1:1/sandbox";
    let data = ["--port", "0", "--data-dir", "data"];
    let refused =
        run(&[&["dev", "--as", "zoom", "--sandbox", nested], &data[..]].concat(), &[], folder.path());
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(3) && text.contains(nested) && text.contains("mend: "), "{text}");
}
