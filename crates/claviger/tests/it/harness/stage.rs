//! A product called Rowan with four tools, all played by the sandbox, and a person at a Chromium: always the same, so that
//! its pictures are.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use grant::users::NewUser;
use model::{Actor, Secret, Timestamp};
use serde_json::json;
use store::users::Membership;
use thirtyfour::prelude::*;

use super::chromium::{click, is_sound, says, shape, window};
use super::look::{axe, findings, loaded, noise, whole_picture};
use super::played::{four_apps, four_tools};
use super::{Browser, World};

/// 21 November 2026, 09:30 UTC.
const NOW: Timestamp = Timestamp::from_unix_ms(1_795_253_400_000);

/// The widths of the pictures.
pub(crate) const WIDTHS: [u32; 2] = [390, 1280];

/// The narrowest window (WCAG 2.2, 1.4.10).
const NARROWEST: u32 = 320;

/// The most that a page may weigh with all that it loads, in octets.
const MAX_WEIGHT: u64 = 60_000;

/// Her address and her password.
const ANNA: &str = "anna@example.com";
const PASSWORD: &str = "a long enough password";

/// What customers may let an application do at Rowan.
const GRANT: &str = r#"
[grant.scopes]
"reports.read" = { en = "Read your team’s reports", et = "Lugeda sinu meeskonna aruandeid" }
"reports.write" = { en = "Create reports in your name", et = "Luua sinu nimel aruandeid" }
[applications.zapier]
profile = "zapier"
name = "Zapier"
client_id = "zapier"
client_secret = "app-secret-0123456789abcdef"
redirect_uris = ["https://zapier.com/dashboard/auth/oauth/return/App235737CLIAPI/", "{sandbox}/"]
"#;

/// Where Zapier has its answers sent.
const ZAPIER: &str = "https://zapier.com/dashboard/auth/oauth/return/App235737CLIAPI/";

/// The members of the four tools.
const TOOLS: [&str; 7] = ["github", "jira", "confluence", "outlook", "teams", "onedrive", "google_workspace"];

/// A server, and a person who reads English at first.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) window: WebDriver,
    axe: String,
}

/// The names of the pictures of a page.
pub(crate) fn pictures(page: &str) -> impl Iterator<Item = String> {
    let page = page.replace('_', "-");
    WIDTHS.into_iter().flat_map(move |width| {
        let page = page.clone();
        [false, true].map(move |dark| picture_name(&page, width, dark))
    })
}

fn picture_name(page: &str, width: u32, dark: bool) -> String {
    format!("{page}-{width}-{}", if dark { "dark" } else { "light" })
}

impl Stage {
    /// Nobody has connected anything yet. `None` where there is no Chromium or no axe-core.
    pub(crate) async fn start() -> Option<Self> {
        Self::with("").await
    }

    /// The same with these lines in the configuration besides.
    pub(crate) async fn with(lines: &str) -> Option<Self> {
        let (axe, window) = (axe()?, window("en").await?);
        shape(&window, 1280, false).await;
        let asked = "github-secret\"\nscopes = [\"read:user\", \"repo\"]\n";
        let tools = four_apps().replacen("github-secret\"\n", asked, 1);
        let lines = format!(
            "product_name = \"Rowan\"\n{tools}[mail]\nhost = \"127.0.0.1\"\nport = 1\ntls = \"none\"\nfrom = \"hello@rowan.example\"\n\
             [stripe]\nsecret_key = \"sk_test_sandbox\"\napi_base = \"{{sandbox}}\"\n\
             [portal]\ncoming_soon = [\"zoom\"]\n{lines}\n{GRANT}"
        );
        let world = World::standing_at(NOW, four_tools, &lines).await;
        let rowan = ["github", "atlassian", "microsoft", "google"].map(|id| {
            let secret = format!("{id}-secret");
            (id, json!({"name": "Rowan", "profile": id, "clientSecret": secret, "anyLoopback": true}))
        });
        world.control(&json!({"approve": "ask", "apps": BTreeMap::from(rowan)})).await;
        Some(Self { world, window, axe })
    }

    /// Somebody is invited to the four tools. Answers the link, which is mailed if there is an address.
    pub(crate) async fn invite(&self, email: Option<&str>) -> String {
        let mut body = json!({"subject": "client-7", "page": "onboarding", "integrations": TOOLS});
        if let Some(email) = email {
            body["email"] = email.into();
        }
        self.invited(&body).await
    }

    /// Somebody is invited to Stripe. Answers the link.
    pub(crate) async fn invite_to_stripe(&self) -> String {
        self.invited(&json!({"subject": "client-7", "page": "stripe"})).await
    }

    async fn invited(&self, body: &serde_json::Value) -> String {
        let name = json!({"name": "Northwind OÜ"});
        self.world.call(Method::PUT, "/api/subjects/client-7", &name).await.expect(200);
        let made = self.world.call(Method::POST, "/api/portal-sessions", body).await.expect(201).json();
        made["url"].as_str().unwrap().to_owned()
    }

    /// Opens an address, or a path of the server.
    pub(crate) async fn open(&self, address: &str) {
        let url = if address.starts_with('/') { self.world.path(address) } else { address.to_owned() };
        self.window.goto(url).await.unwrap();
    }

    /// Follows a link that the product opened itself.
    pub(crate) async fn onboarding(&self) {
        let link = self.invite(None).await;
        self.open(&link).await;
    }

    /// The same to everything that there is, and to what is announced.
    pub(crate) async fn onboarding_to_all(&self) {
        let link = self.invited(&json!({"subject": "client-7", "page": "onboarding"})).await;
        self.open(&link).await;
    }

    /// The same to the settings page.
    pub(crate) async fn settings(&self) {
        let body = json!({"subject": "client-7", "page": "settings", "integrations": TOOLS});
        let link = self.invited(&body).await;
        self.open(&link).await;
    }

    /// The provider ends what it gave to this integration.
    pub(crate) async fn loses(&self, integration: &str) {
        self.world.control(&json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
        self.world.post_of(&format!("{integration}/refresh"), &json!({})).await.expect(409);
    }

    /// Presses Connect at a tool of the onboarding page, and is asked by its provider.
    pub(crate) async fn ask(&self, tool: &str) {
        click(&self.window, &format!("form[action$='/{tool}/connect'] button")).await;
        says(&self.window, "played by the sandbox").await;
    }

    /// Answers the provider.
    pub(crate) async fn decide(&self, decision: &str) {
        click(&self.window, &format!("button[name=decision][value={decision}]")).await;
    }

    /// Presses what this selects.
    pub(crate) async fn press(&self, css: &str) {
        click(&self.window, css).await;
    }

    /// Goes through the consent of a tool, as somebody with this account there.
    pub(crate) async fn connect(&self, tool: &str, account: &str) {
        // The sandbox's app has the provider's name.
        self.world.control_app(tool.trim_end_matches("_workspace"), &json!({ "account": account })).await;
        self.ask(tool).await;
        self.decide("approve").await;
        says(&self.window, "Connected").await;
    }

    /// Later.
    pub(crate) fn pass(&self, duration: Duration) {
        self.world.pass(duration);
    }

    /// Where the sandbox is.
    pub(crate) fn sandbox(&self, path: &str) -> String {
        format!("{}{path}", self.world.sandbox)
    }

    /// Presses Connect at Zapier: the page to sign in.
    pub(crate) async fn zapier(&self) {
        self.zapier_at(ZAPIER).await;
    }

    /// Signs in and agrees, for an answer that somebody is there to take.
    pub(crate) async fn agree(&self) {
        self.zapier_at(&self.sandbox("/")).await;
        self.sign_in().await;
        self.press("button[value=authorize]").await;
        says(&self.window, "Providers that are played").await;
    }

    async fn zapier_at(&self, redirect_uri: &str) {
        let query =
            "response_type=code&client_id=zapier&state=x&scope=reports.read+reports.write+offline_access";
        self.open(&format!("/oauth/authorize?{query}&redirect_uri={redirect_uri}")).await;
    }

    /// Somebody who can sign in, of two teams.
    pub(crate) async fn anna(&self) {
        let teams = [("northwind", "Northwind OÜ", "Owner"), ("tamm", "Tamm Consulting", "Member")];
        let teams = teams.map(|(id, name, role)| Membership {
            team: id.parse().unwrap(),
            name: name.to_owned(),
            role: Some(role.to_owned()),
        });
        let new = NewUser {
            email: ANNA.to_owned(),
            name: Some("Anna Tamm".to_owned()),
            password: Secret::from(PASSWORD),
            teams: teams.into(),
        };
        self.world.server.app.grant.create_user(new, Actor::Operator).await.unwrap();
    }

    /// Signs her in at the page that is shown.
    pub(crate) async fn sign_in(&self) {
        for (id, text) in [("email", ANNA), ("password", PASSWORD)] {
            self.window.find(By::Id(id)).await.unwrap().send_keys(text).await.unwrap();
        }
        self.press("button.button-primary").await;
    }

    /// Steers Stripe.
    pub(crate) async fn stripe(&self, settings: &serde_json::Value) {
        let url = self.sandbox("/control/stripe");
        Browser::with_key("none").json(Method::PUT, url, settings).await.expect(200);
    }

    /// What axe-core finds on the page.
    pub(crate) async fn findings(&self) -> Vec<String> {
        findings(&self.window, &self.axe).await
    }

    /// The page says this, and is what every page is, at every width and in both colours; keeps its pictures.
    pub(crate) async fn shows(self, page: &str, words: &str, pictured: bool) {
        let window = &self.window;
        says(window, words).await;
        let noise = noise(window).await;
        assert!(noise.is_empty(), "the console of {page} says {noise:#?}");
        let loaded = loaded(window).await;
        // One of ours, and the product's colours.
        let own = loaded.foreign.is_empty() && (1..=2).contains(&loaded.stylesheets);
        assert!(own && (1..MAX_WEIGHT).contains(&loaded.weight), "{page}: {loaded:?}");
        let page = page.replace('_', "-");
        for width in WIDTHS.into_iter().chain([NARROWEST]) {
            for dark in [false, true] {
                let name = picture_name(&page, width, dark);
                self.is_well_made("en", &name, width, dark).await;
                if pictured && WIDTHS.contains(&width) {
                    whole_picture(window, &name).await;
                }
            }
        }
        self.turn_estonian().await;
        for (width, dark) in [(NARROWEST, true), (1280, false)] {
            self.is_well_made("et", &picture_name(&page, width, dark), width, dark).await;
        }
        self.window.quit().await.unwrap();
    }

    async fn is_well_made(&self, language: &str, name: &str, width: u32, dark: bool) {
        shape(&self.window, width, dark).await;
        is_sound(&self.window, language).await;
        let findings = self.findings().await;
        assert!(findings.is_empty(), "axe-core finds on {name} in {language}:\n{}", findings.join("\n"));
    }

    /// The same page for who reads Estonian, whose words are longer.
    async fn turn_estonian(&self) {
        let agent = self.window.execute("return navigator.userAgent", Vec::new()).await.unwrap();
        let reader = json!({"userAgent": agent.json(), "acceptLanguage": "et"});
        self.window.cdp().send_raw("Emulation.setUserAgentOverride", reader).await.unwrap();
        self.window.refresh().await.unwrap();
    }
}
