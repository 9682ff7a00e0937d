//! An authorization server with applications and people, and how they talk to it.

use axum::body::Bytes;
use axum::http::Method;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use grant::application::{NewApplication, Registered, plain};
use grant::users::NewUser;
use model::{Actor, ApplicationSettings, ClientAuthentication, GrantType, Secret};
use serde_json::Value;
use store::users::Membership;
use url::Url;

use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser, World};

/// Where answers go; nobody listens there.
/// The algorithms that can sign, each with the lines that choose it.
pub(crate) const ALGORITHMS: [(&str, &str); 3] = [
    ("", "RS256"),
    ("[grant.signing]\nalgorithm = \"ES256\"\n", "ES256"),
    ("[grant.signing]\nalgorithm = \"EdDSA\"\n", "EdDSA"),
];

pub(crate) const CALLBACK: &str = "https://app.example.com/callback";
pub(crate) const LOOPBACK: &str = "http://127.0.0.1:8976/callback";
pub(crate) const ZAPIER: &str = "https://zapier.com/dashboard/auth/oauth/return/App235737CLIAPI/";
pub(crate) const RESOURCE: &str = "https://api.example.com/reports";
pub(crate) const OTHER_RESOURCE: &str = "https://api.example.com/other";

pub(crate) const SECRET: &str = "app-secret-0123456789abcdef";
pub(crate) const EMAIL: &str = "anna@example.com";
pub(crate) const PASSWORD: &str = "a long enough password";

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// `app` proves who it is and needs PKCE; `other` is like it; `lax` needs none; `spa` and `native` are public; `zapier` is what it is;
/// `api` serves the two resources; `jwt` is like `app`.
const CONFIGURATION: &str = r#"
[grant]
resources = ["https://api.example.com/reports", "https://api.example.com/other"]
[grant.scopes]
"reports.read" = { en = "Read your team’s reports", et = "Lugeda sinu meeskonna aruandeid" }
"reports.write" = { en = "Create reports in your name", et = "Luua sinu nimel aruandeid" }
[applications.app]
name = "App"
client_id = "app"
client_secret = "app-secret-0123456789abcdef"
redirect_uris = ["https://app.example.com/callback", "https://app.example.com/second?x=1"]
homepage = "https://app.example.com"
[applications.other]
client_id = "other"
client_secret = "app-secret-0123456789abcdef"
redirect_uris = ["https://app.example.com/callback"]
[applications.lax]
client_id = "lax"
client_secret = "app-secret-0123456789abcdef"
redirect_uris = ["https://app.example.com/callback"]
require_pkce = false
[applications.spa]
client_id = "spa"
public = true
redirect_uris = ["https://app.example.com/callback"]
[applications.native]
client_id = "native"
public = true
redirect_uris = ["http://127.0.0.1:8976/callback"]
[applications.zapier]
profile = "zapier"
name = "Zapier"
client_id = "stackit_zapier_client_9f3a7c2d1b84e6f0"
client_secret = "app-secret-0123456789abcdef"
redirect_uris = ["https://zapier.com/dashboard/auth/oauth/return/App235737CLIAPI/"]
[applications.api]
client_id = "api"
client_secret = "app-secret-0123456789abcdef"
redirect_uris = ["https://app.example.com/callback"]
serves = ["https://api.example.com/reports"]
"#;

pub(crate) const ZAPIER_ID: &str = "stackit_zapier_client_9f3a7c2d1b84e6f0";

pub(crate) struct Rig {
    pub(crate) world: World,
}

/// An authorization request that is being put together.
#[derive(Debug, Clone)]
pub(crate) struct Ask(Vec<(String, String)>);

impl Ask {
    /// One without any parameters.
    pub(crate) fn nothing() -> Self {
        Self(Vec::new())
    }

    /// What `client` asks with everything that is right.
    pub(crate) fn of(client: &str) -> Self {
        let redirect_uri = match client {
            "native" => LOOPBACK,
            ZAPIER_ID => ZAPIER,
            _ => CALLBACK,
        };
        let ask = Self::nothing()
            .with("response_type", "code")
            .with("client_id", client)
            .with("redirect_uri", redirect_uri)
            .with("state", "some state & more")
            .with("scope", "reports.read");
        if client == ZAPIER_ID || client == "lax" {
            return ask;
        }
        ask.with("code_challenge", CHALLENGE).with("code_challenge_method", "S256")
    }

    /// The same with this parameter in place of the one of its name.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let mut ask = self.without(name);
        ask.0.push((name.to_owned(), value.to_owned()));
        ask
    }

    /// The same with this parameter besides.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(crate) fn query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

/// What a page's form hides.
pub(crate) fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.body.split_once(&start).unwrap_or_else(|| panic!("no {name} in {}", page.body)).1;
    rest.split('"').next().unwrap().to_owned()
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// The same with these lines in the configuration before the others.
    pub(crate) async fn with(lines: &str) -> Self {
        Self::on(None, lines).await
    }

    /// The same with these lines after the others.
    pub(crate) async fn with_more(lines: &str) -> Self {
        let world = World::configured(&format!("{CONFIGURATION}{lines}")).await;
        let rig = Self { world };
        rig.add_user(EMAIL, &[]).await;
        rig
    }

    /// The same, and the server may reach these hosts too.
    pub(crate) async fn reaching(hosts: &[&str], lines: &str) -> Self {
        let rig = Self { world: World::reaching(hosts, &format!("{CONFIGURATION}{lines}")).await };
        rig.add_user(EMAIL, &[]).await;
        rig
    }

    pub(crate) async fn on_postgresql() -> Option<Self> {
        Some(Self::on(Some(store::testing::fresh_postgres().await?), "").await)
    }

    pub(crate) async fn on(database: Option<String>, lines: &str) -> Self {
        let world = World::knowing(database, "", &format!("{lines}{CONFIGURATION}")).await;
        let rig = Self { world };
        rig.add_user(EMAIL, &[]).await;
        rig
    }

    /// Somebody who can sign in.
    pub(crate) async fn add_user(&self, email: &str, teams: &[(&str, &str)]) -> model::UserId {
        let teams = teams.iter().map(|(id, name)| Membership {
            team: id.parse().unwrap(),
            name: (*name).to_owned(),
            role: Some("Owner".to_owned()),
        });
        let new = NewUser {
            email: email.to_owned(),
            name: Some("Anna Tamm".to_owned()),
            password: Secret::from(PASSWORD),
            teams: teams.collect(),
        };
        self.world.server.app.grant.create_user(new, Actor::Operator).await.unwrap().id
    }

    pub(crate) fn path(&self, path: &str) -> String {
        self.world.path(path)
    }

    /// Comes to the authorization endpoint.
    pub(crate) async fn authorize(&self, browser: &Browser, ask: &Ask) -> Answer {
        browser.get(self.path(&format!("/oauth/authorize?{}", ask.query()))).await
    }

    /// What the application is told, if the browser goes back at once.
    pub(crate) async fn told(&self, ask: &Ask) -> Url {
        self.authorize(&Browser::new(), ask).await.expect(303).location()
    }

    /// The error that the application is told.
    pub(crate) async fn refused(&self, ask: &Ask) -> String {
        let told = self.told(ask).await;
        parameter(&told, "error").unwrap_or_else(|| panic!("no error in {told}"))
    }

    /// Signs in and agrees; answers where the browser is sent.
    pub(crate) async fn agree(&self, browser: &Browser, ask: &Ask) -> Url {
        self.agree_as(browser, ask, EMAIL, None).await
    }

    pub(crate) async fn agree_as(
        &self,
        browser: &Browser,
        ask: &Ask,
        email: &str,
        team: Option<&str>,
    ) -> Url {
        let next = self.authorize(browser, ask).await.expect(303).location();
        self.go_on(browser, next, email, team).await
    }

    /// Signs in and agrees from here on, until the browser is sent elsewhere.
    pub(crate) async fn go_on(
        &self,
        browser: &Browser,
        mut next: Url,
        email: &str,
        team: Option<&str>,
    ) -> Url {
        for _ in 0..5 {
            if !next.as_str().starts_with(&self.world.url) {
                return next;
            }
            let page = browser.get(&next).await;
            if page.status == 303 {
                next = page.location();
                continue;
            }
            let page = page.expect(200);
            let csrf = hidden(&page, "csrf");
            let answer = if page.body.contains("name=\"password\"") {
                browser.bare_form(&next, &[("csrf", &csrf), ("email", email), ("password", PASSWORD)]).await
            } else {
                let mut fields = vec![("csrf", &*csrf), ("decision", "authorize")];
                fields.extend(team.map(|team| ("team", team)));
                browser.bare_form(&next, &fields).await
            };
            next = answer.expect(303).location();
        }
        panic!("still at {next}")
    }

    /// A fresh code for `ask`, which a person has agreed to.
    pub(crate) async fn code(&self, ask: &Ask) -> String {
        let back = self.agree(&Browser::new(), ask).await;
        parameter(&back, "code").unwrap_or_else(|| panic!("no code in {back}"))
    }

    /// A server where applications may come without the operator.
    pub(crate) async fn open(lines: &str) -> Self {
        Self::with_more(&format!("[grant.mcp]\nenabled = true\n{lines}")).await
    }

    /// Registers an application as it does that itself (RFC 7591).
    pub(crate) async fn registers(&self, said: &Value) -> Answer {
        self.json(Method::POST, "/oauth/register", None, said).await
    }

    /// Sends JSON, with a token where there is one.
    pub(crate) async fn json(&self, method: Method, path: &str, token: Option<&str>, said: &Value) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("accept", "application/json"), ("content-type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        Browser::new().send(method, &self.path(path), &headers, Bytes::from(said.to_string())).await
    }

    /// Posts a form to an endpoint that applications call.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, &[], fields).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.raw(path, headers, body.into_bytes()).await
    }

    pub(crate) async fn raw(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut all = vec![("accept", "application/json")];
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type", "application/x-www-form-urlencoded"));
        }
        all.extend(headers);
        Browser::new().send(Method::POST, &self.path(path), &all, Bytes::from(body)).await
    }

    /// Redeems a code with everything that is right.
    pub(crate) async fn redeem(&self, client: &str, code: &str) -> Answer {
        self.redeem_with(client, code, &[]).await
    }

    pub(crate) async fn redeem_with(&self, client: &str, code: &str, more: &[(&str, &str)]) -> Answer {
        let redirect_uri = if client == "native" { LOOPBACK } else { CALLBACK };
        let mut fields =
            vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
        if client != "lax" {
            fields.push(("code_verifier", VERIFIER));
        }
        fields.extend(proof(client));
        fields.retain(|(name, _)| !more.iter().any(|(own, _)| own == name));
        fields.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        self.post("/oauth/token", &fields).await
    }

    /// The tokens that `client` gets from a person who agrees to `ask`.
    pub(crate) async fn tokens_for(&self, client: &str, ask: &Ask) -> Value {
        let code = self.code(ask).await;
        self.redeem(client, &code).await.expect(200).json()
    }

    pub(crate) async fn tokens(&self, client: &str) -> Value {
        self.tokens_for(client, &Ask::of(client)).await
    }

    pub(crate) async fn refresh(&self, client: &str, token: &str) -> Answer {
        self.refresh_with(client, token, &[]).await
    }

    pub(crate) async fn refresh_with(&self, client: &str, token: &str, more: &[(&str, &str)]) -> Answer {
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        fields.extend(proof(client));
        fields.extend(more);
        self.post("/oauth/token", &fields).await
    }

    /// What introspection says to the application itself.
    pub(crate) async fn introspect(&self, client: &str, token: &str) -> Value {
        let fields = [&[("token", token)], &proof(client)[..]].concat();
        self.post("/oauth/introspect", &fields).await.expect(200).json()
    }

    pub(crate) async fn is_active(&self, client: &str, token: &str) -> bool {
        self.introspect(client, token).await["active"] == true
    }

    /// Registers an application that the configuration does not know: like `app`, but for what `change` makes of it.
    pub(crate) async fn register(&self, id: &str, change: impl FnOnce(&mut ApplicationSettings)) {
        self.register_with(id, SECRET, change).await.unwrap();
    }

    pub(crate) async fn register_with(
        &self,
        id: &str,
        secret: &str,
        change: impl FnOnce(&mut ApplicationSettings),
    ) -> grant::Result<Registered> {
        let mut settings = plain(id, vec![CALLBACK.parse().unwrap()]);
        settings.scopes = self.world.server.app.grant.settings().all_scopes();
        change(&mut settings);
        let has_secret = settings.authentication == ClientAuthentication::Secret;
        let secret = has_secret.then(|| Secret::from(secret));
        let new = NewApplication { client_id: Some(id.parse().unwrap()), secret, settings };
        self.world.server.app.grant.register(new, Actor::Operator).await
    }

    /// Registers `robot`, an application that acts for itself alone.
    pub(crate) async fn register_robot(&self) {
        self.register("robot", |own| own.grant_types = vec![GrantType::ClientCredentials]).await;
    }

    /// What an application gets for itself (RFC 6749 §4.4).
    pub(crate) async fn own_tokens(&self, client: &str, more: &[(&str, &str)]) -> Answer {
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(proof(client));
        fields.extend(more);
        self.post("/oauth/token", &fields).await
    }

    pub(crate) async fn revoke(&self, client: &str, token: &str) -> Answer {
        let fields = [&[("token", token)], &proof(client)[..]].concat();
        self.post("/oauth/revoke", &fields).await
    }

    pub(crate) async fn jwks(&self) -> Value {
        self.send(Method::GET, "/oauth/jwks", &[]).await.expect(200).json()
    }

    /// What a token says that one of the published keys has signed.
    pub(crate) async fn verified(&self, token: &str) -> vault::jws::Verified {
        let keys = vault::KeySet::new(&self.jwks().await).unwrap();
        vault::jws::verify(token, &keys).unwrap()
    }

    pub(crate) async fn metadata(&self) -> Value {
        self.send(Method::GET, "/.well-known/oauth-authorization-server", &[]).await.expect(200).json()
    }

    /// The time, as claims have it.
    pub(crate) fn seconds(&self) -> i64 {
        use model::Clock as _;
        self.world.clock.now().as_unix_ms() / 1000
    }

    /// The userinfo endpoint with a token.
    pub(crate) async fn userinfo(&self, token: &str) -> Answer {
        let headers = [("authorization", &*format!("Bearer {token}")), ("accept", "application/json")];
        Browser::new().send(Method::GET, &self.path("/oauth/userinfo"), &headers, Bytes::new()).await
    }

    /// The same for any method and headers.
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        Browser::new().send(method, &self.path(path), headers, Bytes::new()).await
    }

    /// Whether anything in the audit trail has this name.
    pub(crate) async fn was_audited(&self, event: &str) -> bool {
        self.world.audit().await.iter().any(|entry| entry["event"] == event)
    }
}

/// How an application proves who it is, in the body.
pub(crate) fn proof(client: &str) -> Vec<(&str, &str)> {
    match client {
        "spa" | "native" => vec![("client_id", client)],
        _ => vec![("client_id", client), ("client_secret", SECRET)],
    }
}

/// The same in the header.
pub(crate) fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{client}:{secret}").as_bytes()))
}

/// The error code of an answer.
pub(crate) fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap_or_default().to_owned()
}

/// A member of an answer that is text.
pub(crate) fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// The claims of a JSON Web Token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// Its header.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}
