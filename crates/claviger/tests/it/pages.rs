//! The pages in a real Chromium, from `claviger dev` as a newcomer starts it.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::harness::{Browser, Program};

/// A browser window, or a line that says what was skipped.
async fn window() -> Option<WebDriver> {
    let Ok(driver) = std::env::var("CLAVIGER_TEST_CHROMEDRIVER") else {
        assert!(
            std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() != Ok("1"),
            "CLAVIGER_TEST_REQUIRE=1, but CLAVIGER_TEST_CHROMEDRIVER names none"
        );
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "skipped: {test} (no Chromium; run `cargo xtask test`)");
        return None;
    };
    let mut capabilities = DesiredCapabilities::chrome();
    if let Ok(binary) = std::env::var("CLAVIGER_TEST_CHROMIUM") {
        capabilities.set_binary(&binary).unwrap();
    }
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--lang=en",
    ] {
        capabilities.add_arg(argument).unwrap();
    }
    Some(WebDriver::new(driver, capabilities).await.unwrap())
}

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

async fn shape(window: &WebDriver, width: u32, dark: bool) {
    let tools = window.cdp();
    let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
    tools.send_raw("Emulation.setDeviceMetricsOverride", metrics).await.unwrap();
    let scheme = if dark { "dark" } else { "light" };
    let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
    tools.send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
}

/// Keeps a picture where `CLAVIGER_TEST_SCREENSHOTS` says.
async fn picture(window: &WebDriver, name: &str) {
    if let Ok(folder) = std::env::var("CLAVIGER_TEST_SCREENSHOTS") {
        window.screenshot(&PathBuf::from(folder).join(format!("{name}.png"))).await.unwrap();
    }
}

/// Waits until the page says this; the driver does not always notice that a click leads to another page.
async fn says(window: &WebDriver, words: &str) {
    let found = format!("//body[contains(normalize-space(.), \"{words}\")]");
    let shown = window.query(By::XPath(&*found)).first().await.is_ok();
    assert!(shown, "{words:?} is not on {:?}: {:?}", window.current_url().await, window.source().await);
}

async fn click(window: &WebDriver, css: &str) {
    let found = window.query(By::Css(css)).first().await;
    found.unwrap_or_else(|error| panic!("{css}: {error}")).click().await.unwrap();
}

async fn no_sideways_scrolling(window: &WebDriver) {
    let wide = window
        .execute("return document.documentElement.scrollWidth > window.innerWidth", Vec::new())
        .await
        .unwrap();
    assert_eq!(wide.json(), &json!(false), "the page is wider than the window");
}

#[tokio::test]
async fn a_person_clicks_connect_consents_and_sees_the_connection() {
    let Some(window) = window().await else { return };
    let dev = Dev::start();
    for (width, dark) in [(1280, false), (390, true), (320, false)] {
        let name = format!("{width}-{}", if dark { "dark" } else { "light" });
        shape(&window, width, dark).await;
        window.goto(dev.get("onboardingUrl")).await.unwrap();
        picture(&window, &format!("onboarding-empty-{name}")).await;
        no_sideways_scrolling(&window).await;
        click(&window, "#sandbox form.row-action button").await;
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

        click(&window, "#sandbox a.button-quiet").await;
        picture(&window, &format!("onboarding-disconnect-{name}")).await;
        click(&window, "#disconnect-sandbox button").await;
        window.query(By::Css("#sandbox form.row-action button")).first().await.unwrap();
        assert!(!window.source().await.unwrap().contains("anna@example.com"));
    }
    window.quit().await.unwrap();
}

#[tokio::test]
async fn a_person_clicks_through_a_provider_that_the_sandbox_plays() {
    let Some(window) = window().await else { return };
    let dev = Dev::with(&["--as", "github", "--as", "microsoft"]);
    for width in [1280, 390] {
        shape(&window, width, false).await;
        for (id, provider, account) in
            [("github", "GitHub", "anna"), ("outlook", "Microsoft", "anna@example.com")]
        {
            window.goto(dev.get("onboardingUrl")).await.unwrap();
            no_sideways_scrolling(&window).await;
            click(&window, &format!("#{id} form.row-action button")).await;
            says(&window, &format!("access to your account at {provider} (played by the sandbox)")).await;
            assert!(window.current_url().await.unwrap().as_str().starts_with(dev.get("sandboxUrl")));
            no_sideways_scrolling(&window).await;
            picture(&window, &format!("sandbox-consent-{id}-{width}")).await;
            click(&window, "button[name=decision][value=approve]").await;
            says(&window, &format!("Connected as {account}")).await;
            picture(&window, &format!("onboarding-{id}-{width}")).await;
            click(&window, &format!("#{id} a.button-quiet")).await;
            click(&window, &format!("#disconnect-{id} button")).await;
            window.query(By::Css(&*format!("#{id} form.row-action button"))).first().await.unwrap();
        }
    }
    window.quit().await.unwrap();
}

#[tokio::test]
async fn a_person_who_refuses_is_told_at_the_row_and_can_try_again() {
    let Some(window) = window().await else { return };
    let dev = Dev::start();
    shape(&window, 390, false).await;
    window.goto(dev.get("onboardingUrl")).await.unwrap();
    click(&window, "#sandbox form.row-action button").await;
    click(&window, "button[name=decision][value=deny]").await;
    says(&window, "You chose not to allow it, and nothing was shared.").await;
    says(&window, "Try again").await;
    picture(&window, "onboarding-error-390-light").await;
    click(&window, "#sandbox form.row-action button").await;
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
    let url = format!("{}/sandbox/connect", dev.get("onboardingUrl"));
    let person = Browser::new();
    let page = person.get(dev.get("onboardingUrl")).await.expect(200);
    assert!(!page.body.contains("<script") && !page.header("content-security-policy").contains("script-src"));
    person.form(&url, &[]).await.expect(303);
    for headers in [
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")][..],
        &[("origin", "null")],
        &[],
    ] {
        let answer = person.send(axum::http::Method::POST, &url, headers, "".into()).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    let rebound = [("host", "evil.example"), ("origin", "http://evil.example")];
    assert_eq!(person.send(axum::http::Method::POST, &url, &rebound, "".into()).await.status, 404);
}
