//! The same for Stripe: keys, states, links of ours and of Stripe's.

use std::collections::BTreeSet;
use std::sync::Mutex;

use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use super::{dump, search, search_folder};
use crate::harness::browser::parameter;
use crate::harness::stripe::{SECRET_KEY, WEBHOOK_SECRET, stranger, stripe_lines};
use crate::harness::world::{configuration, start_sandbox};
use crate::harness::{Browser, Program};

/// A person and the product's backend before a running program; whatever secret they see is noted.
struct Walk {
    /// The program's address, which is another than the one in its links.
    url: String,
    sandbox: String,
    backend: Browser,
    noted: Mutex<BTreeSet<String>>,
}

impl Walk {
    fn note(&self, secret: &str) {
        self.noted.lock().unwrap().insert(secret.to_owned());
    }

    fn here(&self, link: &Url) -> String {
        format!("{}{}?{}", self.url, link.path(), link.query().unwrap_or_default())
    }

    async fn control(&self, settings: &Value) {
        stranger().json(Method::PUT, format!("{}/control/stripe", self.sandbox), settings).await.expect(200);
    }

    /// A link to Stripe for a subject; with an address it is mailed.
    async fn link(&self, subject: &str, email: Option<&str>) -> String {
        let body = json!({"subject": subject, "page": "stripe", "email": email});
        let url = format!("{}/api/portal-sessions", self.url);
        let made = self.backend.json(Method::POST, url, &body).await.expect(201).json();
        let link: Url = made["url"].as_str().unwrap().parse().unwrap();
        self.note(&parameter(&link, "token").unwrap());
        self.here(&link)
    }

    /// What Stripe's page leads back to.
    async fn through_stripe(&self, page: &Url) -> String {
        self.note(page.as_str());
        self.note(page.path().rsplit('/').next().unwrap());
        let back = Browser::new().get(page).await.expect(303).location();
        self.note(&parameter(&back, "state").unwrap());
        self.here(&back)
    }

    /// Onboardings that succeed, are incomplete, are attacked, fail and go on; a mail that stays unsent; events.
    async fn live(&self) {
        let webhook =
            json!({"url": format!("{}/connect/webhooks/stripe", self.url), "secret": WEBHOOK_SECRET});
        self.control(&json!({"onboarding": "incomplete", "deliver": "manual", "webhook": webhook})).await;
        let mailed = self.link("client-7", Some("anna@rowan.example")).await;
        Browser::new().get(&mailed).await.expect(200);
        let page = Browser::new().form(&mailed, &[]).await.expect(303).location();
        let callback = self.through_stripe(&page).await;
        let page = stranger().get(&callback).await.expect(303).location();
        let incomplete = self.through_stripe(&page).await;
        let refresh = incomplete.replace("/connect/callback", "/onboard-client/refresh");
        self.control(&json!({"onboarding": "complete"})).await;
        let page = stranger().get(refresh).await.expect(303).location();
        let complete = self.through_stripe(&page).await;
        for wrong in [&callback, &incomplete, &format!("{complete}0"), &format!("{complete}&state=x")] {
            Browser::new().get(wrong).await.expect(400);
        }
        stranger().get(complete).await.expect(303);

        let link = self.link("client-8", None).await;
        for endpoint in ["stripe.accounts", "stripe.account_links"] {
            for kind in ["500", "reset_after", "garbage", "redirect"] {
                self.control(&json!({"fail": {"kind": kind, "endpoints": [endpoint]}})).await;
                Browser::new().get(&link).await.expect(503);
            }
        }
        let own = |key: &str| json!({"platforms": {"acct_platformsandbox": {"name": "P", "secretKey": key}}});
        self.control(&own("sk_test_rolled")).await;
        Browser::new().get(&link).await.expect(502);
        self.control(&own(SECRET_KEY)).await;
        let page = stranger().get(&link).await.expect(303).location();
        self.through_stripe(&page).await;
        Browser::new().get(link).await.expect(400);

        let control = format!("{}/control/stripe", self.sandbox);
        let events = stranger().get(format!("{control}/events")).await.expect(200).json();
        let event = events["events"][0]["event"]["id"].as_str().unwrap();
        for signature in ["wrong", "old", "missing", "valid", "valid"] {
            let send = format!("{control}/events/{event}/send");
            stranger().json(Method::POST, send, &json!({ "signature": signature })).await.expect(200);
        }
    }
}

async fn no_secret_of_stripe_lies_in_clear(database: Option<&str>) {
    let (sandbox, _stop) = start_sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lines = stripe_lines("").replace("{sandbox}", &sandbox);
    let lines = format!("[log]\nformat = \"json\"\nlevel = \"trace\"\n{lines}");
    let text = configuration("http://127.0.0.1:1", &sandbox, data.to_str().unwrap(), database, &lines);
    let text = text.replace("listen = \"127.0.0.1:1\"", "listen = \"127.0.0.1:0\"");
    let config = folder.path().join("claviger.toml");
    std::fs::write(&config, text).unwrap();
    let program = Program::start(&["serve", "--config", config.to_str().unwrap()], &[]);
    let url = format!("http://{}", program.line_with("public")["public"].as_str().unwrap());
    let sqlite = format!("sqlite:{}", data.join("claviger.db").display());
    let key = crate::processes::add_key(database.unwrap_or(&sqlite)).await;
    let walk = Walk { url, sandbox, backend: Browser::with_key(&key), noted: Mutex::default() };
    for secret in [SECRET_KEY, WEBHOOK_SECRET, &key] {
        walk.note(secret);
    }
    walk.live().await;
    let metrics = walk.backend.get(format!("{}/metrics", walk.url)).await.expect(200).body;

    let noted = walk.noted.into_inner().unwrap();
    assert!(noted.len() >= 15, "{} secrets were seen", noted.len());
    search("the metrics", metrics.as_bytes(), &noted);
    assert!(database.is_some() || search_folder(&data, &noted) >= 3);
    if let Some(database) = database {
        let rows = dump(database).await;
        assert!(rows.contains("client-7") && rows.contains("acct_"), "the rows are there");
        search("PostgreSQL", rows.as_bytes(), &noted);
    }
    let (status, printed) = program.terminate();
    assert!(status.success(), "{printed}");
    for event in
        ["stripe.started", "stripe.linked", "stripe.refused", "stripe.failed", "stripe.event_refused"]
    {
        assert!(printed.contains(&format!("\"{event}\"")), "{event} in {printed}");
    }
    search("the log", printed.as_bytes(), &noted);
    if database.is_none() {
        search_folder(&data, &noted);
    }
}

#[tokio::test]
async fn no_secret_of_stripe_lies_in_clear_with_sqlite() {
    no_secret_of_stripe_lies_in_clear(None).await;
}

#[tokio::test]
async fn no_secret_of_stripe_lies_in_clear_with_postgresql() {
    if let Some(database) = store::testing::fresh_postgres().await {
        no_secret_of_stripe_lies_in_clear(Some(&database)).await;
    }
}
