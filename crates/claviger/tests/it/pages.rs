//! The pages in a real Chromium, from `claviger dev` as a newcomer starts it.

mod onboarding;
mod settings;
mod tabs;
mod theme;
mod trouble;

use axum::http::Method;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::harness::chromium::{click, no_sideways_scrolling, picture, says, shape, window};
use crate::harness::{Browser, Program, World};

struct Dev {
    _folder: tempfile::TempDir,
    _program: Program,
    line: Value,
}

impl Dev {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("dev");
        let arguments = ["dev", "--json", "--port", "0", "--data-dir", data.to_str().unwrap()];
        let program = Program::start(&[&arguments, more].concat(), &[]);
        let line = program.line_with("onboardingUrl");
        Self { _folder: folder, _program: program, line }
    }

    fn get(&self, member: &str) -> &str {
        self.line[member].as_str().unwrap()
    }
}

/// The address that lets somebody in, of `client-7`'s onboarding page unless these members say otherwise.
async fn link(world: &World, more: &Value) -> String {
    let mut body = json!({"subject": "client-7", "page": "onboarding"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let session = world.call(Method::POST, "/api/portal-sessions", &body).await.expect(201).json();
    session["url"].as_str().unwrap().to_owned()
}

/// A browser without a screen that has come in by such a link.
async fn visitor(world: &World, more: &Value) -> Browser {
    let browser = Browser::new();
    browser.get(link(world, more).await).await.expect(303);
    browser
}

/// Presses the button of a row that connects it.
async fn press(window: &WebDriver, row: &str) {
    click(window, &format!("#row-{row} form.row-action button")).await;
}

/// Answers at the consent page of the sandbox.
async fn decide(window: &WebDriver, decision: &str) {
    says(window, "asks for access").await;
    click(window, &format!("button[name=decision][value={decision}]")).await;
}

async fn path(window: &WebDriver) -> String {
    window.current_url().await.unwrap().path().to_owned()
}

/// The words of a row.
async fn row(window: &WebDriver, id: &str) -> String {
    window.query(By::Css(&*format!("#row-{id}"))).first().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_person_clicks_connect_consents_and_sees_the_connection() {
    let Some(window) = window("en").await else { return };
    let dev = Dev::start();
    for (width, dark) in [(1280, false), (390, true), (320, false)] {
        let name = format!("{width}-{}", if dark { "dark" } else { "light" });
        shape(&window, width, dark).await;
        window.goto(dev.get("onboardingUrl")).await.unwrap();
        picture(&window, &format!("onboarding-empty-{name}")).await;
        no_sideways_scrolling(&window).await;
        click(&window, "#row-sandbox form.row-action button").await;
        says(&window, "asks for access").await;
        assert!(window.current_url().await.unwrap().as_str().starts_with(dev.get("sandboxUrl")));
        picture(&window, &format!("sandbox-consent-{name}")).await;
        click(&window, "button[name=decision][value=approve]").await;
        says(&window, "Connected as anna@example.com").await;
        assert!(window.current_url().await.unwrap().as_str().starts_with(dev.get("publicUrl")));
        picture(&window, &format!("onboarding-connected-{name}")).await;

        let token = format!("{}/api/connections/{}/sandbox/token", dev.get("backendUrl"), dev.get("subject"));
        let token = Browser::with_key(dev.get("apiKey")).get(token).await.expect(200).json();
        let me = Browser::with_key(token["access_token"].as_str().unwrap())
            .get(format!("{}/api/me", dev.get("sandboxUrl")))
            .await;
        assert!(me.expect(200).body.contains("anna@example.com"));

        click(&window, "#row-sandbox a.button-quiet").await;
        picture(&window, &format!("onboarding-disconnect-{name}")).await;
        click(&window, "#disconnect-sandbox button").await;
        window.query(By::Css("#row-sandbox form.row-action button")).first().await.unwrap();
        assert!(!window.source().await.unwrap().contains("anna@example.com"));
    }
    window.quit().await.unwrap();
}

#[tokio::test]
async fn a_person_clicks_through_a_provider_that_the_sandbox_plays() {
    let Some(window) = window("en").await else { return };
    let dev = Dev::with(&["--as", "github", "--as", "microsoft"]);
    for width in [1280, 390] {
        shape(&window, width, false).await;
        for (id, provider, account) in
            [("github", "GitHub", "anna"), ("microsoft", "Microsoft", "anna@example.com")]
        {
            window.goto(dev.get("onboardingUrl")).await.unwrap();
            no_sideways_scrolling(&window).await;
            click(&window, &format!("#row-{id} form.row-action button")).await;
            says(&window, &format!("access to your account at {provider} (played by the sandbox)")).await;
            assert!(window.current_url().await.unwrap().as_str().starts_with(dev.get("sandboxUrl")));
            no_sideways_scrolling(&window).await;
            picture(&window, &format!("sandbox-consent-{id}-{width}")).await;
            click(&window, "button[name=decision][value=approve]").await;
            says(&window, &format!("Connected as {account}")).await;
            picture(&window, &format!("onboarding-{id}-{width}")).await;
            click(&window, &format!("#row-{id} a.button-quiet")).await;
            click(&window, &format!("#disconnect-{id} button")).await;
            window.query(By::Css(&*format!("#row-{id} form.row-action button"))).first().await.unwrap();
        }
    }
    window.quit().await.unwrap();
}

#[tokio::test]
async fn a_person_who_refuses_is_told_at_the_row_and_can_try_again() {
    let Some(window) = window("en").await else { return };
    let dev = Dev::start();
    shape(&window, 390, false).await;
    window.goto(dev.get("onboardingUrl")).await.unwrap();
    click(&window, "#row-sandbox form.row-action button").await;
    click(&window, "button[name=decision][value=deny]").await;
    says(&window, "You chose not to allow it, and nothing was shared.").await;
    says(&window, "Try again").await;
    picture(&window, "onboarding-error-390-light").await;
    click(&window, "#row-sandbox form.row-action button").await;
    click(&window, "button[name=decision][value=approve]").await;
    says(&window, "Connected as").await;
    window.goto(format!("{}/api/oauth/callback?state=x", dev.get("publicUrl"))).await.unwrap();
    says(&window, "invalid_state").await;
    picture(&window, "error-390-light").await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn the_demonstration_takes_no_form_of_another_site_and_no_foreign_host_name() {
    let dev = Dev::start();
    let onboarding = dev.get("onboardingUrl");
    let url = format!("{onboarding}/sandbox/connect");
    let person = Browser::new();
    // Who is there without a session gets one of the demo subject.
    person.bare_form(&url, &[]).await.expect(401);
    let entered = person.get(onboarding).await.expect(303).location();
    assert_eq!(entered.as_str(), format!("{onboarding}?entered=true"));
    assert_eq!(person.get(entered).await.expect(303).location().as_str(), onboarding);
    person.get(onboarding).await.expect(200);
    person.form(&url, &[]).await.expect(303);
    for headers in [
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")][..],
        &[("origin", "null")],
        &[],
    ] {
        let answer = person.send(Method::POST, &url, headers, "".into()).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    // A name that leads here, but is not ours: its pages could read what we answer.
    let rebound = [("host", "evil.example"), ("origin", "http://evil.example")];
    for (method, url) in [(Method::GET, onboarding), (Method::POST, &url)] {
        let stranger = Browser::new();
        let answer = stranger.send(method, url, &rebound, "".into()).await.expect(401);
        assert!(answer.header("set-cookie").is_empty() && stranger.cookies_of(url).is_empty(), "{answer:?}");
    }
}
