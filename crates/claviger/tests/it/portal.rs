//! Portal sessions: who gets a link, what it opens and for how long, and the mail that carries it.

mod api;
mod links;
mod mails;
mod pages;
mod undelivered;

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::harness::{Answer, Browser, Smtp, World};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Instants are kept in milliseconds.
const MOMENT: Duration = Duration::from_millis(1);

fn just_before(end: Duration) -> Duration {
    end.saturating_sub(MOMENT)
}

/// The address of most invitations.
const ANNA: &str = "anna@rowan.example";

/// A mail server where nobody listens: every mail stays pending, and its link is known from the API.
const NO_POST: &str =
    "[mail]\nhost = \"127.0.0.1\"\nport = 1\ntls = \"none\"\nfrom = \"Rowan <hello@rowan.example>\"\n";

/// Tells one test to both databases, with these lines in the configuration.
macro_rules! configured_on_both_stores {
    ($lines:expr; $($(#[$meta:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($world: $crate::harness::World) $body

        mod $name {
            use $crate::harness::World;
            use super::*;

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(World::knowing(None, "", &$lines).await).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                if let Some(database) = store::testing::fresh_postgres().await {
                    super::$name(World::knowing(Some(database), "", &$lines).await).await;
                }
            }
        }
    )*};
}
use configured_on_both_stores;

/// The lines for a mail server on this machine without TLS.
fn post_office(smtp: &Smtp) -> String {
    NO_POST.replace("port = 1\n", &format!("port = {}\n", smtp.port))
}

/// The body of a request for a session of `client-7`'s onboarding page, with these members besides.
fn wanted(more: &Value) -> Value {
    let mut body = json!({"subject": "client-7", "page": "onboarding"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn ask(world: &World, more: &Value) -> Answer {
    world.call(Method::POST, "/api/portal-sessions", &wanted(more)).await
}

/// Makes a session.
async fn invite(world: &World, more: &Value) -> Value {
    ask(world, more).await.expect(201).json()
}

fn link(session: &Value) -> String {
    session["url"].as_str().unwrap().to_owned()
}

fn path(session: &Value) -> String {
    format!("/api/portal-sessions/{}", session["id"].as_str().unwrap())
}

/// The session as it stands.
async fn inspect(world: &World, session: &Value) -> Value {
    world.api(&path(session)).await.expect(200).json()
}

async fn withdraw(world: &World, session: &Value) -> Answer {
    world.call(Method::DELETE, &path(session), &Value::Null).await
}

/// Asks for another mail.
async fn resend(world: &World, session: &Value) -> Answer {
    world.call(Method::POST, &format!("{}/resend", path(session)), &Value::Null).await
}

/// A browser that has come in by a link that the product opens itself.
async fn visitor(world: &World, more: &Value) -> Browser {
    let browser = Browser::new();
    browser.get(link(&invite(world, more).await)).await.expect(303);
    browser
}

/// A browser that has pressed the button of a mailed link.
async fn accept(link: &str) -> Browser {
    let browser = Browser::new();
    assert_eq!(browser.form(link, &[]).await.expect(303).location().path(), "/portal/onboarding");
    browser
}

async fn onboarding(world: &World, browser: &Browser) -> Answer {
    browser.get(world.path("/portal/onboarding")).await
}

async fn press(world: &World, browser: &Browser, button: &str) -> Answer {
    browser.form(world.path(&format!("/portal/onboarding/{button}")), &[]).await
}

/// Connects the sandbox on the page, with everything that follows until the browser is back.
async fn connect_sandbox(world: &World, browser: &Browser) -> Url {
    let hop = press(world, browser, "sandbox/connect").await.expect(303).location();
    let provider = browser.get(hop).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    browser.get(callback).await.expect(303).location()
}

/// A page in the language that the browser states.
async fn read_in(language: &str, url: &str) -> Answer {
    let headers = [("accept", "text/html"), ("accept-language", language)];
    Browser::new().send(Method::GET, url, &headers, Bytes::new()).await
}

/// How often the audit trail has this event.
async fn told(world: &World, event: &str) -> usize {
    world.audit().await.iter().filter(|entry| entry["event"] == event).count()
}
