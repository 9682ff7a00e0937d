//! npm's oidc-provider: OpenID Connect by the book.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Foreign, Integration};
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

const FOREIGN: Integration = Integration::new("foreign");

#[tokio::test]
async fn oidc_provider_from_npm_is_connected_by_an_entry_file_and_credentials() {
    let Some(foreign) = Foreign::node("oidc-provider.mjs", &[&FOREIGN.redirect_uri()]) else { return };
    let world = FOREIGN.world(&foreign, &entry(&foreign.url)).await;
    let back = FOREIGN.connect(&world, &Browser::new()).await;
    assert_eq!(parameter(&back, "iss").as_deref(), Some(&*foreign.url), "RFC 9207");

    let row = FOREIGN.row(&world).await;
    assert_eq!(row["account"], json!({"id": "anna", "name": "anna@foreign.example"}));
    assert_eq!(row["scopesMissing"], json!([]));
    let me =
        async |token: &str| Browser::with_key(token).get(format!("{}/me", foreign.url)).await.expect(200);
    let first = FOREIGN.token(&world).await;
    me(&first).await;

    // It rotates its refresh token at every use and ends the grant at a reuse: three in a row prove that each new one
    // was kept.
    for _ in 0..3 {
        world.pass(Duration::from_hours(2));
        let next = FOREIGN.token(&world).await;
        me(&next).await;
        assert_ne!(next, first);
    }
    world.call(Method::DELETE, &FOREIGN.path(""), &Value::Null).await.expect(200);
}
