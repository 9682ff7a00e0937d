//! npm's oidc-provider: OpenID Connect by the book.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{CLIENT, Foreign, connect, redirect_uri, world_of};
use crate::harness::Browser;
use crate::harness::browser::parameter;

fn entry(issuer: &str) -> String {
    format!(
        r#"[[provider]]
id = "foreign"
display_name = "Foreign"
logo = "FO"
category = "identity"
documentation = "https://github.com/panva/node-oidc-provider"
flow = "oauth2_code"
issuer = "{issuer}"
callback_carries_issuer = true
client_authentication = "basic"
pkce = "s256"
default_scopes = ["openid", "email", "offline_access"]
access_header = "Authorization: Bearer {{token}}"
api_origins = ["{issuer}"]

[provider.authorize_parameters]
prompt = "consent"

[provider.endpoints]
authorize = "{issuer}/auth"
token = "{issuer}/token"
userinfo = "{issuer}/me"

[provider.refresh]
rotation = "strict"

[provider.identity]
id = "sub"
name = "email"
"#
    )
}

#[tokio::test]
async fn oidc_provider_from_npm_is_connected_by_an_entry_file_and_credentials() {
    let Some(foreign) = Foreign::node("oidc-provider.mjs", &[&redirect_uri("foreign")]) else { return };
    let world = world_of(&foreign, "foreign", &entry(&foreign.url), CLIENT).await;
    let back = connect(&world, &Browser::new(), "foreign").await;
    assert_eq!(parameter(&back, "iss").as_deref(), Some(&*foreign.url), "RFC 9207");

    let row = world.api("/api/connections/client-7/foreign").await.expect(200).json();
    assert_eq!(row["account"], json!({"id": "anna", "name": "anna@foreign.example"}));
    assert_eq!(row["scopesMissing"], json!([]));
    let first = world.api("/api/connections/client-7/foreign/token").await.expect(200).json();
    let me = |token: &Value| Browser::with_key(token["access_token"].as_str().unwrap());
    me(&first).get(format!("{}/me", foreign.url)).await.expect(200);

    // It rotates its refresh token at every use and ends the grant at a reuse: three in a row prove that each new one
    // was kept.
    for _ in 0..3 {
        world.pass(Duration::from_hours(2));
        let next = world.api("/api/connections/client-7/foreign/token").await.expect(200).json();
        me(&next).get(format!("{}/me", foreign.url)).await.expect(200);
        assert_ne!(next["access_token"], first["access_token"]);
    }
    world.call(Method::DELETE, "/api/connections/client-7/foreign", &Value::Null).await.expect(204);
}
