//! What is asked of every page in a real Chromium, at every width and in both colours, and the picture of it.

use std::path::PathBuf;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::json;
use thirtyfour::prelude::*;

/// Where axe-core is, or a line that says what was skipped.
pub(crate) fn axe() -> Option<String> {
    let Ok(folder) = std::env::var("CLAVIGER_TEST_FOREIGN") else {
        let required = std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() == Ok("1");
        assert!(!required, "CLAVIGER_TEST_REQUIRE=1, but CLAVIGER_TEST_FOREIGN is missing");
        eprintln!("skipped: no axe-core (run `cargo xtask test`)");
        return None;
    };
    let path = PathBuf::from(folder).join("node_modules/axe-core/axe.min.js");
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// What axe-core finds wrong by all its rules but those of level AAA and those that it has given up: rule, help and places.
pub(crate) async fn findings(window: &WebDriver, axe: &str) -> Vec<String> {
    if window.execute("return typeof axe", Vec::new()).await.unwrap().json() != "object" {
        window.execute(axe, Vec::new()).await.unwrap();
    }
    let run = r#"
        const done = arguments[0];
        const left_out = (rule) => rule.tags.some((tag) => tag.endsWith("aaa") || tag.endsWith("-obsolete"));
        const rules = Object.fromEntries(axe.getRules().map((rule) => [rule.ruleId, { enabled: !left_out(rule) }]));
        const told = ({ id, help, helpUrl, nodes }) => [
            `${id}: ${help} (${helpUrl})`,
            ...nodes.map((node) => `at ${node.target.flat().join(" ")}: ${node.failureSummary.replaceAll("\n", " ")}`),
        ].join("\n    ");
        axe.run(document, { rules }).then(
            ({ violations, passes, incomplete, inapplicable }) => done({
                findings: violations.map(told),
                rules: [violations, passes, incomplete, inapplicable].flat().map(({ id }) => id),
            }),
            (error) => done({ findings: [String(error)], rules: [] }),
        );
    "#;
    let answer = window.execute_async(run, Vec::new()).await.unwrap().json().clone();
    let strings = |name: &str| -> Vec<String> {
        answer[name].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let rules = strings("rules");
    for rule in ["color-contrast", "target-size", "region", "heading-order", "label", "html-has-lang"] {
        assert!(rules.iter().any(|asked| asked == rule), "{rule} was not asked: {answer}");
    }
    strings("findings")
}

/// What the console says beyond the status of a page that tells of an error.
pub(crate) async fn noise(window: &WebDriver) -> Vec<String> {
    let url = window.current_url().await.unwrap();
    let own_status = format!("{url} - Failed to load resource: the server responded with a status of 4");
    let rows = window.browser_log().await.unwrap().into_iter().map(|row| row.message);
    rows.filter(|message| !message.starts_with(&own_status)).collect()
}

/// What a page has loaded.
#[derive(Debug, Deserialize)]
pub(crate) struct Loaded {
    /// What came from elsewhere than the page itself.
    pub(crate) foreign: Vec<String>,
    /// Everything in octets, as it is after decompression.
    pub(crate) weight: u64,
    pub(crate) stylesheets: u64,
}

/// What the page has loaded, itself included.
pub(crate) async fn loaded(window: &WebDriver) -> Loaded {
    let look = r#"
        const entries = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
        return {
            foreign: entries.map(({ name }) => name).filter((name) => !name.startsWith(`${location.origin}/`)),
            weight: entries.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0),
            stylesheets: document.styleSheets.length,
        };
    "#;
    let seen = window.execute(look, Vec::new()).await.unwrap().json().clone();
    serde_json::from_value(seen).unwrap()
}

/// Keeps a picture of the whole page where `CLAVIGER_TEST_SCREENSHOTS` says. What is another at each run, as ports and
/// random ids are, is shown as something of the same kind that is always the same.
pub(crate) async fn whole_picture(window: &WebDriver, name: &str) {
    let Ok(folder) = std::env::var("CLAVIGER_TEST_SCREENSHOTS") else { return };
    let still = r#"
        const changing = [
            [/127\.0\.0\.1:\d+/g, "127.0.0.1:8080"],
            [/\bacct_[0-9A-Za-z]{8,}/g, "acct_1Q2w3E4r5T6y7U8i"],
            [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "0f3c9a52-5b1e-7d60-9a41-2c8d7e6f5a10"],
            [/\b(req|inv|ps)_[0-9A-Za-z]{8,}/g, "$1_5kq2v8x1m4c7z0"],
        ];
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            for (const [kind, same] of changing) texts.currentNode.data = texts.currentNode.data.replace(kind, same);
        }
        document.activeElement?.blur();
        scrollTo(0, 0);
        return Math.max(document.documentElement.scrollHeight, innerHeight);
    "#;
    let tools = window.cdp();
    // The pointer still stands where it clicked last.
    let away = json!({"type": "mouseMoved", "x": 0, "y": 0});
    tools.send_raw("Input.dispatchMouseEvent", away).await.unwrap();
    let height = window.execute(still, Vec::new()).await.unwrap().json().clone();
    let width = window.execute("return innerWidth", Vec::new()).await.unwrap().json().clone();
    let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
    let options = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
    let taken = tools.send_raw("Page.captureScreenshot", options).await.unwrap();
    let octets = BASE64.decode(taken["data"].as_str().unwrap().as_bytes()).unwrap();
    std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), octets).unwrap();
}
