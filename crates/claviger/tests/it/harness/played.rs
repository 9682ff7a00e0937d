//! Real providers under the facts of their built-in entries, played by the sandbox.

use axum::body::Bytes;
use axum::http::Method;
use data_encoding::BASE64;
use provider::catalog::elsewhere;
use serde_json::{Value, json};
use url::Url;

use super::browser::parameter;
use super::{Answer, Browser, World};

/// The line of an integration, or of a group, with the sandbox's app of that name: `app("groups.zoho", "zoho")`.
pub(crate) fn app(table: &str, client_id: &str) -> String {
    format!("[{table}]\nclient_id = \"{client_id}\"\nclient_secret = \"{client_id}-secret\"\n")
}

/// The entries of the four providers of the onboarding page at the sandbox's address, in one file.
pub(crate) fn four_tools(sandbox: &str) -> String {
    let mut all = toml::Table::new();
    for id in ["github", "google_workspace", "jira", "outlook"] {
        // The entry of one member brings those of the whole group.
        let file = elsewhere(&id.parse().unwrap(), sandbox).unwrap();
        for (table, more) in file.parse::<toml::Table>().unwrap() {
            let own = all.entry(table).or_insert_with(|| Vec::<toml::Value>::new().into());
            own.as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
        }
    }
    toml::to_string(&all).unwrap()
}

/// The sandbox's apps for them.
pub(crate) fn four_apps() -> String {
    let apps = [
        app("integrations.github", "github"),
        app("integrations.google_workspace", "google"),
        app("groups.atlassian", "atlassian"),
        app("groups.microsoft", "microsoft") + "members = [\"outlook\", \"teams\", \"onedrive\"]\n",
    ];
    apps.concat()
}

impl World {
    /// A server that knows the provider of that id, with its group, at the sandbox's address.
    pub(crate) async fn playing(database: Option<String>, id: &str, lines: &str) -> Self {
        let id = id.parse().unwrap();
        Self::knowing_at(database, |sandbox| elsewhere(&id, sandbox).unwrap(), lines).await
    }

    /// A server that knows the four providers of the onboarding page, which the sandbox plays; people are asked there.
    pub(crate) async fn with_four_tools(database: Option<String>, lines: &str) -> Self {
        let world = Self::knowing_at(database, four_tools, &format!("{lines}{}", four_apps())).await;
        world.control(&json!({ "approve": "ask" })).await;
        world
    }

    /// An address of a real provider, as the sandbox plays it: `api.github.com/user`.
    pub(crate) fn at(&self, host_and_path: &str) -> String {
        format!("{}/at/{host_and_path}", self.sandbox)
    }

    /// Steers the sandbox towards one app.
    pub(crate) async fn control_app(&self, client_id: &str, settings: &Value) {
        let url = format!("{}/control?app={client_id}", self.sandbox);
        Browser::with_key("none").json(Method::PUT, url, settings).await.expect(200);
    }

    /// What this app called, at one endpoint, oldest first.
    pub(crate) async fn rows(&self, client_id: &str, endpoint: &str) -> Vec<Value> {
        let log = Browser::with_key("none").get(format!("{}/control/log", self.sandbox)).await.json();
        let of_app = |row: &&Value| row["clientId"] == client_id && row["endpoint"] == endpoint;
        log.as_array().unwrap().iter().filter(of_app).cloned().collect()
    }

    /// The refreshes of this app, and whether none of them presented a refresh token that was used up.
    pub(crate) async fn refreshes(&self, client_id: &str) -> (usize, bool) {
        let rows = self.rows(client_id, "token").await;
        let refreshes: Vec<_> = rows.iter().filter(|row| row["grantType"] == "refresh_token").collect();
        (refreshes.len(), refreshes.iter().all(|row| row["reuse"] != true))
    }

    /// Where the browser is sent to ask for consent.
    pub(crate) async fn authorization_request(&self, query: &str) -> Url {
        let link = self.auth_url(query).await;
        Browser::new().get(link).await.expect(303).location()
    }

    /// `client-7` consents, and arrives where the product waits.
    pub(crate) async fn consent(&self, query: &str) -> Url {
        let browser = Browser::new();
        let callback = self.callback_url(&browser, query).await;
        browser.get(callback).await.expect(303).location()
    }

    /// The same, and it succeeds.
    pub(crate) async fn connect_by(&self, query: &str) {
        let arrived = self.consent(query).await;
        assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
    }

    /// A call of the product's backend about one of `client-7`'s connections: `zoom/token`.
    pub(crate) async fn of(&self, path: &str) -> Answer {
        self.api(&format!("/api/connections/client-7/{path}")).await
    }

    /// The same with POST.
    pub(crate) async fn post_of(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, &format!("/api/connections/client-7/{path}"), body).await
    }

    /// What a connection shows.
    pub(crate) async fn connection(&self, integration: &str) -> Value {
        self.of(integration).await.expect(200).json()
    }

    /// The token that the backend gets, by `zoom/token`.
    pub(crate) async fn token_at(&self, path: &str) -> String {
        let answer = self.of(path).await.expect(200).json();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Reports that the provider's API refused the token.
    pub(crate) async fn reject(&self, integration: &str, token: &str) -> Answer {
        let digest = data_encoding::HEXLOWER.encode(vault::TokenHash::of(token).as_bytes());
        self.post_of(&format!("{integration}/token"), &json!({ "rejected": digest })).await
    }

    /// Whether a played API takes the token. Slack tells in the body that it does not.
    pub(crate) async fn is_taken(&self, method: Method, host_and_path: &str, token: &str) -> bool {
        let headers = [("user-agent", "a test")];
        let url = self.at(host_and_path);
        let answer = Browser::with_key(token).send(method, &url, &headers, Bytes::new()).await;
        answer.status == 200 && answer.json()["ok"] != false
    }
}

/// RFC 7617, with the secret of the sandbox's app.
pub(crate) fn basic(client_id: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{client_id}:{client_id}-secret").as_bytes()))
}

/// Tells one test to both databases, with one provider played and these lines in the configuration.
macro_rules! played_on_both_stores {
    ($id:literal, $lines:expr; $($(#[$meta:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($world: $crate::harness::World) $body

        mod $name {
            use $crate::harness::World;
            use super::*;

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(World::playing(None, $id, &$lines).await).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                if let Some(database) = store::testing::fresh_postgres().await {
                    super::$name(World::playing(Some(database), $id, &$lines).await).await;
                }
            }
        }
    )*};
}
pub(crate) use played_on_both_stores;
