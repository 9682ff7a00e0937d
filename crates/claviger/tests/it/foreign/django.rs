//! Django's OAuth toolkit: PKCE required, RFC 9207, refresh tokens that work once, RFC 7662 to look behind them.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{CLIENT, Foreign, Integration, attribute, submit};
use crate::harness::browser::parameter;
use crate::harness::{Browser, World};

const DJANGO: Integration = Integration::new("django");

fn entry(url: &str) -> String {
    format!(
        r#"[[provider]]
id = "django"
display_name = "Django"
logo = "DJ"
category = "developer_tools"
documentation = "https://django-oauth-toolkit.readthedocs.io/"
flow = "oauth2_code"
issuer = "{url}/o"
callback_carries_issuer = true
client_authentication = "basic"
pkce = "s256"
default_scopes = ["openid", "email", "notes"]
access_header = "Authorization: Bearer {{token}}"
api_origins = ["{url}"]

[provider.endpoints]
authorize = "{url}/o/authorize/"
token = "{url}/o/token/"
revoke = "{url}/o/revoke_token/"
introspect = "{url}/o/introspect/"
userinfo = "{url}/o/userinfo/"
validate = "{url}/o/userinfo/"

[provider.refresh]
access_token_lifetime_seconds = 3600
rotation = "strict"

[provider.revocation]
call = {{ method = "POST", authentication = "basic", body = "form" }}
takes = "refresh_token"
ends = "token_family"

[provider.introspection]
call = {{ method = "POST", authentication = "basic", body = "form" }}

[provider.validation]
method = "GET"

[provider.identity]
id = "sub"
name = "email"
"#
    )
}

async fn connected() -> Option<(Foreign, World, Browser)> {
    let arguments = [CLIENT.0, CLIENT.1, &DJANGO.redirect_uri()];
    let foreign = Foreign::python("django/serve.py", &arguments)?;
    let world = DJANGO.world(&foreign, &entry(&foreign.url)).await;
    let browser = Browser::new();
    let back = DJANGO.connect(&world, &browser).await;
    assert_eq!(parameter(&back, "iss"), Some(format!("{}/o", foreign.url)), "RFC 9207");
    Some((foreign, world, browser))
}

/// What the server itself says about a token (RFC 7662).
async fn introspect(foreign: &Foreign, token: &str) -> Value {
    // RFC 6749 §2.3.1 wants both encoded as in a form before they are joined; this server takes them only like that.
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(CLIENT.0), encode(CLIENT.1));
    let basic = format!("Basic {}", BASE64.encode(pair.as_bytes()));
    let headers =
        [(AUTHORIZATION.as_str(), &*basic), (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
    let body = Bytes::from(format!("token={token}"));
    let url = format!("{}/o/introspect/", foreign.url);
    Browser::new().send(Method::POST, &url, &headers, body).await.expect(200).json()
}

#[tokio::test]
async fn django_oauth_toolkit_is_connected_by_an_entry_file_and_credentials() {
    let Some((foreign, world, _)) = connected().await else { return };
    let row = DJANGO.row(&world).await;
    assert_eq!(row["account"], json!({"id": "1", "name": "anna@foreign.example"}));
    assert_eq!(row["scopesMissing"], json!([]));

    let mut last = DJANGO.token(&world).await;
    let said = introspect(&foreign, &last).await;
    assert_eq!((&said["active"], &said["client_id"]), (&json!(true), &json!(CLIENT.0)), "{said}");
    assert_eq!((&said["username"], &said["scope"]), (&json!("anna"), &json!("openid email notes")), "{said}");

    // A refresh retires the access token before it, and a refresh token that is used twice ends the whole family: three
    // in a row prove that each new one was kept.
    for _ in 0..3 {
        world.pass(Duration::from_hours(2));
        let next = DJANGO.token(&world).await;
        assert_eq!(introspect(&foreign, &next).await["active"], true);
        assert_eq!(introspect(&foreign, &last).await["active"], false);
        last = next;
    }
    DJANGO.refresh(&world).await.expect(200);
    assert_ne!(DJANGO.token(&world).await, last, "a forced one");
    world.call(Method::DELETE, &DJANGO.path(""), &Value::Null).await.expect(200);
}

#[tokio::test]
async fn a_consent_that_was_taken_back_at_django_oauth_toolkit_breaks_the_connection_for_good() {
    let Some((foreign, world, browser)) = connected().await else { return };
    let tokens = browser.get(format!("{}/o/authorized_tokens/", foreign.url)).await.expect(200);
    let revoke = tokens.body.split("<a").filter_map(|link| attribute(link, "href"));
    let revoke = revoke.into_iter().find(|link| link.ends_with("/delete/")).unwrap();
    let page = browser.get(tokens.url.join(&revoke).unwrap()).await.expect(200);
    submit(&browser, &page, "").await.expect(302);

    world.pass(Duration::from_hours(2));
    let answer = world.api(&DJANGO.path("/token")).await;
    assert_eq!(answer.problem(), (409, "reconnect_required".to_owned()));
    assert_eq!(answer.json()["reason"], "grant_revoked");
    assert_eq!(DJANGO.row(&world).await["status"], "broken");
    // The same person consents once more, and it lives again.
    DJANGO.connect(&world, &browser).await;
    assert_eq!(introspect(&foreign, &DJANGO.token(&world).await).await["active"], true);
}
