//! The same for our own authorization server: passwords, cookies, forms, codes, verifiers, tokens and secrets of applications; at their
//! right place, and at every wrong one.

use std::collections::BTreeSet;
use std::sync::Mutex;

use axum::http::Method;
use serde_json::{Value, json};

use super::{dump, search, search_folder};
use crate::grant::rig::{Ask, CALLBACK, SECRET, VERIFIER, hidden, text};
use crate::harness::browser::parameter;
use crate::harness::world::{configuration, start_sandbox};
use crate::harness::{Browser, Program};

/// Its address in the configuration; it listens on a free port.
const ISSUER: &str = "http://127.0.0.1:1";
const EMAIL: &str = "anna@example.com";
const PASSWORD: &str = "password-of-anna-0461";
const WRONG: &str = "mistyped-password-0462";

/// A person, their application and the product's backend before a running program; whatever secret they see is noted.
struct Walk {
    url: String,
    backend: Browser,
    noted: Mutex<BTreeSet<String>>,
}

impl Walk {
    fn note(&self, secret: &str) {
        self.noted.lock().unwrap().insert(secret.to_owned());
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Signs in and agrees; answers the code.
    async fn code(&self, browser: &Browser, ask: &Ask) -> String {
        // Its own links begin with the address that it has in its configuration.
        let here = |link: url::Url| self.at(&link[url::Position::BeforePath..]);
        let page = browser.get(self.at(&format!("/oauth/authorize?{}", ask.query()))).await.expect(303);
        let page = here(page.location());
        for password in [WRONG, PASSWORD] {
            let csrf = hidden(&browser.get(&page).await.expect(200), "csrf");
            self.note(&csrf);
            browser.bare_form(&page, &[("csrf", &csrf), ("email", EMAIL), ("password", password)]).await;
        }
        let csrf = hidden(&browser.get(&page).await.expect(200), "csrf");
        self.note(&csrf);
        for cookie in browser.cookies_of(&self.url).into_values() {
            self.note(&cookie);
        }
        let fields = [("csrf", &*csrf), ("decision", "authorize")];
        let back = browser.bare_form(&page, &fields).await.expect(303).location();
        let code = parameter(&back, "code").unwrap();
        self.note(&code);
        code
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let answer = Browser::new().bare_form(self.at(path), fields).await;
        let answer = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
        for name in ["access_token", "refresh_token", "id_token", "request_uri"] {
            if let Some(secret) = answer[name].as_str() {
                self.note(secret);
            }
        }
        answer
    }

    async fn live(&self) {
        let user = json!({"email": EMAIL, "password": PASSWORD});
        self.backend.json(Method::POST, self.at("/api/users"), &user).await.expect(201);
        let proof = [("client_id", "app"), ("client_secret", SECRET)];
        let grant = ("grant_type", "authorization_code");
        let openid = Ask::of("app").with("scope", "openid email reports.read").with("resource", ISSUER);
        let code = self.code(&Browser::new(), &openid).await;
        let redeem = [grant, ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        // The wrong places first: they cost nothing.
        let query = format!("client_id=app&client_secret={SECRET}&code={code}&code_verifier={VERIFIER}");
        for path in [
            format!("/oauth/token?{query}"),
            format!("/oauth/authorize?{query}"),
            format!("/oauth/nowhere?{query}"),
            format!("/oauth/token/{SECRET}"),
        ] {
            self.post(&path, &[&redeem[..], &proof].concat()).await;
            Browser::new().get(self.at(&path)).await;
        }
        let wrong = [("client_id", "app"), ("client_secret", "guessed-secret-0463")];
        self.post("/oauth/token", &[&redeem[..], &wrong].concat()).await;
        let tokens = self.post("/oauth/token", &[&redeem[..], &proof].concat()).await;
        let [access, refresh] = ["access_token", "refresh_token"].map(|name| text(&tokens, name).to_owned());
        assert!(tokens["id_token"].is_string(), "{tokens}");
        Browser::new().get(self.at(&format!("/oauth/userinfo?access_token={access}"))).await.expect(401);
        Browser::with_key(&access).get(self.at("/oauth/userinfo")).await.expect(200);
        Browser::with_key(&access).get(self.at("/api/users")).await.expect(401);
        self.post("/oauth/introspect", &[&[("token", &*access)][..], &proof].concat()).await;
        let again = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
        for _ in 0..2 {
            let next = self.post("/oauth/token", &[&again[..], &proof].concat()).await;
            assert!(next["access_token"].is_string(), "{next}");
        }
        self.post("/oauth/token", &[&redeem[..], &proof].concat()).await;
        self.post("/oauth/par", &[&Ask::of("app").pairs()[..], &proof[1..]].concat()).await;
        self.post("/oauth/revoke", &[&[("token", &*refresh)][..], &proof].concat()).await;

        let said = json!({"client_name": "Stranger", "redirect_uris": [CALLBACK],
                          "token_endpoint_auth_method": "client_secret_post"});
        let register = self.at("/oauth/register");
        let registered = Browser::new().json(Method::POST, register, &said).await.expect(201).json();
        for name in ["client_secret", "registration_access_token"] {
            self.note(text(&registered, name));
        }
        let own = text(&registered, "registration_access_token");
        let path = format!("/oauth/register/{}", text(&registered, "client_id"));
        Browser::with_key(own).get(self.at(&path)).await.expect(200);
        Browser::with_key("cvr_guessed-token-0464").get(self.at(&path)).await.expect(401);

        let body = json!({"name": "Made", "redirectUris": [CALLBACK]});
        let made = self.backend.json(Method::POST, self.at("/api/applications"), &body).await;
        self.note(text(&made.expect(201).json(), "clientSecret"));
        for secret in [SECRET, PASSWORD, WRONG, VERIFIER, "guessed-secret-0463", "cvr_guessed-token-0464"] {
            self.note(secret);
        }
    }
}

async fn no_secret_of_the_authorization_server_lies_in_clear(database: Option<&str>) {
    let (sandbox, _stop) = start_sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lines = format!(
        "[log]\nformat = \"json\"\nlevel = \"trace\"\n[grant.mcp]\nenabled = true\n\
         [grant.scopes]\n\"reports.read\" = {{ en = \"Read reports\", et = \"Lugeda aruandeid\" }}\n\
         [applications.app]\nclient_id = \"app\"\nclient_secret = \"{SECRET}\"\n\
         redirect_uris = [\"{CALLBACK}\"]\naccess_token_format = \"jwt\"\n"
    );
    let text = configuration(ISSUER, &sandbox, data.to_str().unwrap(), database, &lines);
    let text = text.replace("listen = \"127.0.0.1:1\"", "listen = \"127.0.0.1:0\"");
    let config = folder.path().join("claviger.toml");
    std::fs::write(&config, text).unwrap();
    let program = Program::start(&["serve", "--config", config.to_str().unwrap()], &[]);
    let url = format!("http://{}", program.line_with("public")["public"].as_str().unwrap());
    let sqlite = format!("sqlite:{}", data.join("claviger.db").display());
    let key = crate::processes::add_key(database.unwrap_or(&sqlite)).await;
    let walk = Walk { url, backend: Browser::with_key(&key), noted: Mutex::default() };
    walk.note(&key);
    walk.live().await;
    let metrics = walk.backend.get(walk.at("/metrics")).await.expect(200).body;

    let noted = walk.noted.into_inner().unwrap();
    assert!(noted.len() >= 20, "{} secrets were seen", noted.len());
    search("the metrics", metrics.as_bytes(), &noted);
    assert!(database.is_some() || search_folder(&data, &noted) >= 3);
    if let Some(database) = database {
        let rows = dump(database).await;
        assert!(rows.contains(EMAIL) && rows.contains("Stranger"), "the rows are there");
        search("PostgreSQL", rows.as_bytes(), &noted);
    }
    let (status, printed) = program.terminate();
    assert!(status.success(), "{printed}");
    assert!(printed.contains("\"request.answered\""), "it was talkative: {printed}");
    search("the log", printed.as_bytes(), &noted);
    if database.is_none() {
        search_folder(&data, &noted);
    }
}

#[tokio::test]
async fn no_secret_of_the_authorization_server_lies_in_clear_with_sqlite() {
    no_secret_of_the_authorization_server_lies_in_clear(None).await;
}

#[tokio::test]
async fn no_secret_of_the_authorization_server_lies_in_clear_with_postgresql() {
    if let Some(database) = store::testing::fresh_postgres().await {
        no_secret_of_the_authorization_server_lies_in_clear(Some(&database)).await;
    }
}
