//! RFC 7592, OAuth 2.0 Dynamic Client Registration Management Protocol.

use axum::http::Method;
use serde_json::{Value, json};

use super::rig::{Ask, CALLBACK, Rig, error, text};
use crate::harness::{Answer, Browser};

fn said() -> Value {
    json!({
        "client_name": "Foreign",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_post",
    })
}

struct Own {
    rig: Rig,
    registered: Value,
}

impl Own {
    async fn new() -> Self {
        let rig = Rig::open("").await;
        let registered = rig.registers(&said()).await.expect(201).json();
        Self { rig, registered }
    }

    fn id(&self) -> &str {
        text(&self.registered, "client_id")
    }

    async fn call(&self, method: Method, token: Option<&str>, said: &Value) -> Answer {
        self.rig.json(method, &format!("/oauth/register/{}", self.id()), token, said).await
    }

    async fn own(&self, method: Method, said: &Value) -> Answer {
        self.call(method, Some(text(&self.registered, "registration_access_token")), said).await
    }
}

#[tokio::test]
async fn rfc7592_2_1_what_is_registered_can_be_read() {
    let own = Own::new().await;
    let answer = own.own(Method::GET, &Value::Null).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut expected = own.registered.clone();
    // Of a secret only its hash is known any more.
    for name in ["client_secret", "client_secret_expires_at"] {
        expected.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn rfc7592_2_1_without_its_token_a_registration_is_nobody_s_business() {
    let own = Own::new().await;
    let other = own.rig.registers(&said()).await.expect(201).json();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let bare = own.call(method.clone(), None, &said()).await.expect(401);
        assert_eq!(bare.header("www-authenticate"), "Bearer realm=\"claviger\"");
        for token in
            ["cvr_wrong", text(&other, "registration_access_token"), text(&own.registered, "client_secret")]
        {
            let refused = own.call(method.clone(), Some(token), &said()).await.expect(401);
            assert_eq!(error(&refused), "invalid_token", "{token}");
            assert!(refused.header("www-authenticate").contains("invalid_token"));
        }
    }
    own.own(Method::GET, &Value::Null).await.expect(200);
    // Whoever guesses is stopped (the application's own address too, for it comes from the same one here).
    for _ in 0..10 {
        own.call(Method::GET, Some("cvr_wrong"), &Value::Null).await;
    }
    own.call(Method::GET, Some("cvr_wrong"), &Value::Null).await.expect(429);
}

#[tokio::test]
async fn rfc7592_2_1_what_the_operator_registered_has_no_such_token() {
    let own = Own::new().await;
    own.rig.register("ours", |_| {}).await;
    let token = text(&own.registered, "registration_access_token");
    for id in ["ours", "app", "nobody"] {
        let path = format!("/oauth/register/{id}");
        let refused = own.rig.json(Method::GET, &path, Some(token), &Value::Null).await.expect(401);
        assert_eq!(error(&refused), "invalid_token");
    }
}

#[tokio::test]
async fn rfc7592_2_2_a_change_replaces_everything() {
    let own = Own::new().await;
    let more = "https://app.example.com/more";
    let change = json!({
        "client_id": own.id(),
        "client_secret": own.registered["client_secret"],
        "client_name": "Renamed",
        "redirect_uris": [more],
        "token_endpoint_auth_method": "client_secret_basic",
    });
    let changed = own.own(Method::PUT, &change).await.expect(200).json();
    assert_eq!(changed["client_name"], "Renamed");
    assert_eq!(changed["redirect_uris"], json!([more]));
    assert_eq!(
        changed["grant_types"],
        json!(["authorization_code"]),
        "what is left out has its default again"
    );
    assert_eq!(changed["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(own.own(Method::GET, &Value::Null).await.expect(200).json(), changed);
    let ask = Ask::of("app").with("client_id", own.id());
    own.rig.authorize(&Browser::new(), &ask).await.expect(400);
    own.rig.authorize(&Browser::new(), &ask.with("redirect_uri", more)).await.expect(303);
    assert!(own.rig.was_audited("application.changed").await);
}

#[tokio::test]
async fn rfc7592_2_2_a_change_leaves_what_the_operator_decided() {
    let own = Own::new().await;
    let path = format!("/api/applications/{}", own.id());
    let decided = json!({
        "scopes": ["reports.read"], "login": ["local"], "corsOrigins": ["https://app.example.com"],
        "accessTokenTtl": 60, "consentText": "Looked at.",
    });
    own.rig.world.call(Method::PATCH, &path, &decided).await.expect(200);
    let mut change = said();
    change["client_id"] = json!(own.id());
    change["client_name"] = json!("Renamed");
    change["scope"] = json!("reports.read reports.write");
    let changed = own.own(Method::PUT, &change).await.expect(200).json();
    assert_eq!(changed["client_name"], "Renamed");
    assert_eq!(changed["scope"], "openid profile email offline_access reports.read");
    let now = own.rig.world.api(&path).await.expect(200).json();
    for (name, value) in decided.as_object().unwrap() {
        assert_eq!(now[name], *value, "{name}");
    }
}

#[tokio::test]
async fn rfc7592_2_2_a_change_names_its_client_and_is_checked_like_a_registration() {
    let own = Own::new().await;
    let with = |name: &str, value: Value| {
        let mut change = said();
        change["client_id"] = json!(own.id());
        change[name] = value;
        change
    };
    for (change, code) in [
        (said(), "invalid_client_metadata"),
        (with("client_id", json!("app")), "invalid_client_metadata"),
        (with("client_secret", json!("another")), "invalid_client_metadata"),
        (with("token_endpoint_auth_method", json!("none")), "invalid_client_metadata"),
        (with("scope", json!("admin")), "invalid_client_metadata"),
        (with("redirect_uris", json!(["http://example.com/cb"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!([])), "invalid_redirect_uri"),
    ] {
        assert_eq!(error(&own.own(Method::PUT, &change).await.expect(400)), code, "{change}");
    }
    let registered = own.own(Method::GET, &Value::Null).await.expect(200).json();
    assert_eq!(registered["redirect_uris"], own.registered["redirect_uris"]);
    own.own(Method::PUT, &with("client_name", json!("Another"))).await.expect(200);
}

#[tokio::test]
async fn rfc7592_2_3_a_registration_goes_with_everything_that_it_was_given() {
    let own = Own::new().await;
    let code = own.rig.code(&Ask::of("app").with("client_id", own.id())).await;
    let secret = text(&own.registered, "client_secret");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", super::rig::VERIFIER),
        ("client_id", own.id()),
        ("client_secret", secret),
    ];
    let tokens = own.rig.post("/oauth/token", &fields).await.expect(200).json();
    let token = text(&tokens, "access_token");
    own.rig.userinfo(token).await.expect(200);
    let gone = own.own(Method::DELETE, &Value::Null).await.expect(204);
    assert!(gone.body.is_empty());
    own.rig.userinfo(token).await.expect(401);
    assert_eq!(error(&own.own(Method::GET, &Value::Null).await.expect(401)), "invalid_token");
    assert_eq!(error(&own.own(Method::DELETE, &Value::Null).await.expect(401)), "invalid_token");
    assert!(own.rig.was_audited("application.removed").await);
}

#[tokio::test]
async fn rfc7592_3_only_the_hash_of_the_token_is_kept() {
    let own = Own::new().await;
    for file in std::fs::read_dir(own.rig.world.data()).unwrap().map(|entry| entry.unwrap().path()) {
        if !file.file_name().unwrap().to_string_lossy().starts_with("claviger.db") {
            continue;
        }
        let octets = std::fs::read(&file).unwrap();
        for name in ["registration_access_token", "client_secret"] {
            let secret = text(&own.registered, name);
            let found = octets.windows(64).any(|window| window == &secret.as_bytes()[secret.len() - 64..]);
            assert!(!found, "{name} in {}", file.display());
        }
    }
}
