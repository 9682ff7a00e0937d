//! A real Chromium, driven through `chromedriver`, and what is asked of every page in it.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;

/// A browser window of a person who reads this language, or a line that says what was skipped.
pub(crate) async fn window(language: &str) -> Option<WebDriver> {
    window_with(language, &[]).await
}

/// The same with these preferences of Chromium besides.
pub(crate) async fn window_with(language: &str, preferences: &[(&str, u8)]) -> Option<WebDriver> {
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
        &format!("--lang={language}"),
    ] {
        capabilities.add_arg(argument).unwrap();
    }
    let mut all = json!({ "intl.accept_languages": language });
    all.as_object_mut()
        .unwrap()
        .extend(preferences.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    capabilities.add_experimental_option("prefs", all).unwrap();
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
    Some(WebDriver::new(driver, capabilities).await.unwrap())
}

/// How wide the window is, and which colours the person prefers.
pub(crate) async fn shape(window: &WebDriver, width: u32, dark: bool) {
    let tools = window.cdp();
    let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
    tools.send_raw("Emulation.setDeviceMetricsOverride", metrics).await.unwrap();
    let scheme = if dark { "dark" } else { "light" };
    // Without motion, so that no picture shows the middle of one.
    let features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")];
    let features = features.map(|(name, value)| json!({"name": name, "value": value}));
    let media = json!({ "features": features });
    tools.send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
}

/// Keeps a picture where `CLAVIGER_TEST_SCREENSHOTS` says.
pub(crate) async fn picture(window: &WebDriver, name: &str) {
    if let Ok(folder) = std::env::var("CLAVIGER_TEST_SCREENSHOTS") {
        window.screenshot(&PathBuf::from(folder).join(format!("{name}.png"))).await.unwrap();
    }
}

/// Waits until the page says this; the driver does not always notice that a click leads to another page.
pub(crate) async fn says(window: &WebDriver, words: &str) {
    let found = format!("//body[contains(normalize-space(.), \"{words}\")]");
    let shown = window.query(By::XPath(&*found)).first().await.is_ok();
    assert!(shown, "{words:?} is not on {:?}: {:?}", window.current_url().await, window.source().await);
}

/// Presses what this selects.
pub(crate) async fn click(window: &WebDriver, css: &str) {
    let found = window.query(By::Css(css)).first().await;
    found.unwrap_or_else(|error| panic!("{css}: {error}")).click().await.unwrap();
}

/// Nothing is cut off at the right.
pub(crate) async fn no_sideways_scrolling(window: &WebDriver) {
    let wide = window
        .execute("return document.documentElement.scrollWidth > window.innerWidth", Vec::new())
        .await
        .unwrap();
    assert_eq!(wide.json(), &json!(false), "the page is wider than the window");
}

/// The HTTP status of the page.
pub(crate) async fn status(window: &WebDriver) -> u64 {
    let asked = "return performance.getEntriesByType('navigation')[0].responseStatus";
    window.execute(asked, Vec::new()).await.unwrap().json().as_u64().unwrap()
}

/// What every page of ours keeps to: one heading, a title, a language, a name for whatever can be pressed or filled in, nothing
/// inline, and nothing cut off.
pub(crate) async fn is_sound(window: &WebDriver, language: &str) {
    let look = r#"
        const all = (css) => [...document.querySelectorAll(css)];
        const named = (e) => e.textContent.trim() || e.labels?.length || e.getAttribute("aria-label");
        const ids = all("[id]").map((e) => e.id);
        const refers = (name) => all(`[${name}]`).flatMap((e) => e.getAttribute(name).split(" "));
        return {
            language: document.documentElement.lang,
            headings: all("h1").length,
            main: all("main").length,
            untitled: document.title.trim() === "",
            inline: all("[style], style, script:not([src]), [onclick], [onload]").length,
            nameless: all("a, button, input:not([type=hidden]), select, textarea").filter((e) => !named(e)).length,
            twice: ids.filter((id, at) => ids.indexOf(id) !== at),
            dangling: [...refers("aria-describedby"), ...refers("aria-labelledby")].filter((id) => !ids.includes(id)),
            images: all("img:not([alt]), svg:not([aria-hidden])").length,
        };
    "#;
    let seen = window.execute(look, Vec::new()).await.unwrap();
    let expected = json!({
        "language": language, "headings": 1, "main": 1, "untitled": false, "inline": 0, "nameless": 0, "twice": [],
        "dangling": [], "images": 0,
    });
    assert_eq!(*seen.json(), expected, "{:?}", window.current_url().await);
    no_sideways_scrolling(window).await;
}

/// Nothing that a page asked for was forbidden by its own policy.
pub(crate) async fn nothing_was_blocked(window: &WebDriver) {
    let log = window.browser_log().await.unwrap();
    let blocked: Vec<_> = log.iter().filter(|row| row.message.contains("Content Security Policy")).collect();
    assert!(blocked.is_empty(), "{blocked:?}");
}
