//! Stripe as the sandbox plays it, and a person on the way through.

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::http::Method;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use store::stripe::StripeAccount;
use url::Url;

use super::{Answer, Browser, World};

/// The platform's key at the sandbox.
pub(crate) const SECRET_KEY: &str = "sk_test_sandbox";
/// What the sandbox signs events with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_sandbox";

/// A mail server that nobody answers at, so that links are told by the API alone; and Stripe, with more lines at its end.
pub(crate) fn stripe_lines(more: &str) -> String {
    format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = 1\nfrom = \"hello@rowan.example\"\n\
         [stripe]\nsecret_key = \"{SECRET_KEY}\"\nwebhook_secrets = [\"{WEBHOOK_SECRET}\"]\n\
         api_base = \"{{sandbox}}\"\n{more}"
    )
}

/// Somebody who shows no cookies and reads problem documents.
pub(crate) fn stranger() -> Browser {
    Browser::with_key("none")
}

/// A parameter replaced, or with `None` removed.
pub(crate) fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let rest: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(own, _)| own != name)
        .map(|(own, value)| (own.into(), value.into()))
        .collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(rest).extend_pairs(value.map(|value| (name, value)));
    changed
}

impl World {
    /// A server with Stripe, whose events are sent when a test says so and whose page is passed through at once.
    pub(crate) async fn with_stripe(database: Option<String>, more: &str) -> Self {
        Self::with_stripe_by(database, &stripe_lines(more)).await
    }

    /// The same with these lines.
    pub(crate) async fn with_stripe_by(database: Option<String>, lines: &str) -> Self {
        let world = Self::knowing(database, "", lines).await;
        let url = world.path("/connect/webhooks/stripe");
        let webhook = json!({"url": url, "secret": WEBHOOK_SECRET});
        world.stripe(&json!({"onboarding": "complete", "deliver": "manual", "webhook": webhook})).await;
        world
    }

    /// Steers Stripe.
    pub(crate) async fn stripe(&self, settings: &Value) {
        self.control_stripe(Method::PUT, "", settings).await.expect(200);
    }

    /// A call of Stripe's control: `/accounts`.
    pub(crate) async fn control_stripe(&self, method: Method, path: &str, body: &Value) -> Answer {
        stranger().json(method, format!("{}/control/stripe{path}", self.sandbox), body).await
    }

    /// The next call of this endpoint fails.
    pub(crate) async fn stripe_fails(&self, kind: &str, endpoint: &str) {
        self.stripe(&json!({"fail": {"kind": kind, "times": 1, "endpoints": [endpoint]}})).await;
    }

    /// The accounts that Stripe has, newest first.
    pub(crate) async fn at_stripe(&self) -> Vec<Value> {
        let answer = self.control_stripe(Method::GET, "/accounts", &Value::Null).await.expect(200).json();
        answer["accounts"].as_array().unwrap().iter().map(|row| row["account"].clone()).collect()
    }

    /// What Stripe was called for, oldest first: `POST`, `stripe.accounts`.
    pub(crate) async fn stripe_rows(&self, method: &str, endpoint: &str) -> Vec<Value> {
        let log = stranger().get(format!("{}/control/log", self.sandbox)).await.json();
        let counts = |row: &&Value| row["endpoint"] == endpoint && row["method"] == method;
        log.as_array().unwrap().iter().filter(counts).cloned().collect()
    }

    /// A call of Stripe's own API, as the platform with this key.
    pub(crate) async fn call_stripe(&self, key: &str, method: Method, path: &str, form: &str) -> Value {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let url = format!("{}{path}", self.sandbox);
        let body = Bytes::from(form.to_owned());
        Browser::with_key(key).send(method, &url, &headers, body).await.expect(200).json()
    }

    /// An account of another platform.
    pub(crate) async fn foreign_account(&self) -> String {
        let other = json!({"acct_other": {"name": "Other", "secretKey": "sk_test_other"}});
        self.stripe(&json!({ "platforms": other })).await;
        let made = self.call_stripe("sk_test_other", Method::POST, "/v1/accounts", "type=standard").await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// The account changes at Stripe, as verification does it.
    pub(crate) async fn change_at_stripe(&self, account: &str, change: &Value) {
        self.control_stripe(Method::PUT, &format!("/accounts/{account}"), change).await.expect(200);
    }

    /// A portal session for Stripe's page; with an address its link is mailed.
    pub(crate) async fn invite_to_stripe(&self, subject: &str, email: Option<&str>) -> Value {
        let mut body = json!({"subject": subject, "page": "stripe"});
        if let Some(email) = email {
            body["email"] = email.into();
        }
        self.call(Method::POST, "/api/portal-sessions", &body).await.expect(201).json()
    }

    /// A link that the product opens itself.
    pub(crate) async fn stripe_link(&self, subject: &str) -> String {
        self.invite_to_stripe(subject, None).await["url"].as_str().unwrap().to_owned()
    }

    /// A link that is mailed.
    pub(crate) async fn mailed_stripe_link(&self, subject: &str) -> String {
        let session = self.invite_to_stripe(subject, Some("anna@rowan.example")).await;
        session["url"].as_str().unwrap().to_owned()
    }

    /// Where Stripe sends the browser that was sent there.
    pub(crate) async fn through_stripe(&self, page: &Url) -> Url {
        assert!(page.as_str().starts_with(&format!("{}/setup/e/acct_", self.sandbox)), "{page}");
        Browser::new().get(page).await.expect(303).location()
    }

    /// The callback's address, as Stripe would send the browser there.
    pub(crate) async fn stripe_callback(&self, subject: &str) -> Url {
        let link = self.stripe_link(subject).await;
        let page = stranger().get(link).await.expect(303).location();
        self.through_stripe(&page).await
    }

    /// The whole way; the account that the subject has then.
    pub(crate) async fn link_at_stripe(&self, subject: &str) -> String {
        let callback = self.stripe_callback(subject).await;
        let done = stranger().get(callback).await.expect(303).location();
        assert_eq!(done.as_str(), self.path("/onboard-client/done"));
        self.stripe_of(subject).await["stripeAccountId"].as_str().unwrap().to_owned()
    }

    /// What the product reads of a subject's account.
    pub(crate) async fn stripe_of(&self, subject: &str) -> Value {
        self.api(&format!("/api/subjects/{subject}/stripe")).await.expect(200).json()
    }

    /// The same, behind the API.
    pub(crate) async fn stripe_row(&self, subject: &str) -> Option<StripeAccount> {
        self.server.app.store.stripe.account(&subject.parse().unwrap()).await.unwrap()
    }

    /// The ids of Stripe's events of a type, newest first.
    pub(crate) async fn stripe_events(&self, event_type: &str) -> Vec<String> {
        let answer = self.control_stripe(Method::GET, "/events", &Value::Null).await.expect(200).json();
        let events = answer["events"].as_array().unwrap().iter().map(|row| &row["event"]);
        let of_type = events.filter(|event| event["type"] == event_type);
        of_type.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Stripe sends an event, signed as asked, and tells what we answered.
    pub(crate) async fn send_event(&self, event: &str, signature: &str) -> Value {
        let body = json!({ "signature": signature });
        let path = format!("/events/{event}/send");
        self.control_stripe(Method::POST, &path, &body).await.expect(200).json()["status"].clone()
    }

    /// A body at the webhook's door, with this `Stripe-Signature`.
    pub(crate) async fn at_the_webhook(&self, signature: &str, body: impl Into<Bytes>) -> Answer {
        let headers = [("stripe-signature", signature), ("content-type", "application/json")];
        stranger().send(Method::POST, &self.path("/connect/webhooks/stripe"), &headers, body.into()).await
    }

    /// How often this audit event stands in the trail.
    pub(crate) async fn audit_count(&self, event: &str) -> usize {
        self.audit().await.iter().filter(|entry| entry["event"] == event).count()
    }
}

/// As Stripe signs at these Unix seconds.
pub(crate) fn signed_at(seconds: i64, secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", HEXLOWER.encode(tag.as_ref()))
}

/// Tells one test to both databases, with Stripe.
macro_rules! stripe_on_both_stores {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($world: $crate::harness::World) $body

        mod $name {
            use $crate::harness::World;

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(World::with_stripe(None, "").await).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                if let Some(database) = store::testing::fresh_postgres().await {
                    super::$name(World::with_stripe(Some(database), "").await).await;
                }
            }
        }
    )*};
}
pub(crate) use stripe_on_both_stores;
