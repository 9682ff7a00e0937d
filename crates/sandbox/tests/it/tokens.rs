//! How tokens are written, what they open, and how they end.

use std::collections::HashMap;

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::harness::{Bench, exchange_fields, refused};

#[tokio::test]
async fn a_form_answer_carries_tokens_and_errors() {
    let bench = Bench::start(json!({"tokenFormat": "form", "scopeSeparator": ","})).await;
    let code = bench.authorize(&[("scope", "profile,notes:read")]).await["code"].clone();
    let answer = bench.exchange(&code).await;
    assert_eq!(answer.header("content-type"), "application/x-www-form-urlencoded");
    let members: HashMap<_, _> = form_urlencoded::parse(&answer.body).into_owned().collect();
    assert_eq!(members["expires_in"], "3600");
    assert_eq!(members["scope"], "profile,notes:read");
    assert!(bench.opens(&members["access_token"]).await);
    let answer = bench.exchange(&code).await;
    assert_eq!((answer.status.as_u16(), answer.text().starts_with("error=invalid_grant&")), (400, true));
}

#[tokio::test]
async fn a_nested_answer_has_its_tokens_a_level_deeper() {
    let bench = Bench::start(json!({"tokenFormat": "nested"})).await;
    let code = bench.code().await;
    let body = bench.exchange(&code).await.json();
    assert_eq!(body["ok"], true);
    assert!(bench.opens(body["authed_user"]["access_token"].as_str().unwrap()).await);
    assert_eq!(body.get("access_token"), None);
    let refusal = bench.exchange(&code).await;
    assert_eq!(refusal.json()["ok"], false);
    assert_eq!(refusal.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn an_error_may_come_with_status_200() {
    let bench = Bench::start(json!({"tokenFormat": "error_with_200"})).await;
    let code = bench.code().await;
    assert_eq!(bench.exchange(&code).await.status, 200);
    assert_eq!(bench.exchange(&code).await.error(), refused(200, "invalid_grant"));
    assert_eq!(bench.outcomes("token").await, ["ok", "invalid_grant"]);
}

#[tokio::test]
async fn the_lifetime_is_written_as_the_control_says() {
    let bench = Bench::start(json!({"accessTokenTtl": 90})).await;
    let cases = [
        ("normal", Some(json!(90))),
        ("missing", None),
        ("zero", Some(json!(0))),
        ("string", Some(json!("90"))),
    ];
    for (expires_in, expected) in cases {
        bench.control(json!({"expiresIn": expires_in})).await;
        let answer = bench.exchange(&bench.code().await).await;
        assert_eq!(answer.json().get("expires_in"), expected.as_ref(), "{expires_in}");
        assert!(bench.opens(&answer.tokens().access).await, "{expires_in}");
    }
}

#[tokio::test]
async fn fewer_scopes_may_be_granted_than_were_asked() {
    let bench = Bench::start(json!({"grantedScopes": ["profile", "email"]})).await;
    let answer = bench.exchange(&bench.code().await).await;
    assert_eq!(answer.json()["scope"], "profile");
    let notes = bench.open("/api/notes", &answer.tokens().access).await;
    assert_eq!(notes.error(), refused(403, "insufficient_scope"));
    assert!(notes.header("www-authenticate").ends_with("scope=\"notes:read\""));
    let none = bench.authorize(&[("scope", "notes:read")]).await;
    assert_eq!(none["error"], "invalid_scope");
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scope_but_not_widen_it() {
    let bench = Bench::start(json!({"rotation": "none"})).await;
    let tokens = bench.connect().await;
    let refresh = async |scope: &str| {
        let fields =
            [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str()), ("scope", scope)];
        bench.client_post("/oauth/token", &fields).await
    };
    assert_eq!(refresh("profile").await.json()["scope"], "profile");
    assert_eq!(refresh("profile email").await.error(), refused(400, "invalid_scope"));
}

#[tokio::test]
async fn the_api_tells_a_missing_token_from_a_dead_one() {
    let bench = Bench::start(json!({})).await;
    for path in ["/oauth/userinfo", "/api/me", "/api/notes"] {
        let missing = bench.get(path).await;
        assert_eq!(missing.status, 401);
        assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"sandbox\"");
        let dead = bench.open(path, "sbx_at_0000000000000000nonsense").await;
        assert_eq!(dead.error(), refused(401, "invalid_token"));
        assert!(dead.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    let refresh_token = bench.connect().await.refresh;
    assert!(!bench.opens(&refresh_token).await, "a refresh token is no access token");
}

#[tokio::test]
async fn a_revoked_access_token_leaves_the_rest_and_a_refresh_token_takes_all() {
    let bench = Bench::start(json!({})).await;
    let revoke = async |token: &str| bench.client_post("/oauth/revoke", &[("token", token)]).await.status;
    let first = bench.connect().await;
    assert_eq!(revoke(&first.access).await, 200);
    assert!(!bench.opens(&first.access).await);
    let second = bench.refresh(&first.refresh).await.tokens();
    assert_eq!(revoke(&second.refresh).await, 200);
    assert!(!bench.opens(&second.access).await);
    assert_eq!(bench.refresh(&second.refresh).await.error(), refused(400, "invalid_grant"));
    // RFC 7009 §2.2: what is unknown is as good as revoked.
    assert_eq!(revoke("nonsense").await, 200);
    assert_eq!(revoke(&second.refresh).await, 200);
}

#[tokio::test]
async fn an_app_revokes_and_introspects_only_its_own_tokens() {
    let bench = Bench::start(json!({"apps": {"other": {"clientSecret": "other-secret"}}})).await;
    let tokens = bench.connect().await;
    let fields =
        [("token", tokens.access.as_str()), ("client_id", "other"), ("client_secret", "other-secret")];
    assert_eq!(bench.post("/oauth/revoke", &fields).await.error(), refused(400, "invalid_grant"));
    assert_eq!(bench.post("/oauth/introspect", &fields).await.json(), json!({"active": false}));
    assert!(bench.opens(&tokens.access).await);
    for path in ["/oauth/revoke", "/oauth/introspect"] {
        assert_eq!(bench.post(path, &fields[..1]).await.error(), refused(401, "invalid_client"));
        assert_eq!(bench.client_post(path, &[]).await.error(), refused(400, "invalid_request"));
    }
}

#[tokio::test]
async fn introspection_tells_what_a_living_token_is() {
    let bench = Bench::start(json!({"accessTokenTtl": 60, "rotation": "strict"})).await;
    let introspect = async |token: &str| -> Value {
        bench.client_post("/oauth/introspect", &[("token", token)]).await.json()
    };
    let tokens = bench.connect().await;
    let told = introspect(&tokens.access).await;
    let expected = [
        ("active", json!(true)),
        ("client_id", json!("claviger")),
        ("scope", json!("profile notes:read")),
        ("token_type", json!("Bearer")),
        ("username", json!("anna@example.com")),
        ("iss", json!(bench.base)),
        ("iat", json!(1_795_246_200)),
        ("exp", json!(1_795_246_260)),
    ];
    for (member, value) in expected {
        assert_eq!(told[member], value, "{member}");
    }
    assert_eq!(introspect(&tokens.refresh).await["active"], true);
    bench.refresh(&tokens.refresh).await.tokens();
    assert_eq!(introspect(&tokens.refresh).await, json!({"active": false}), "it was rotated");
    bench.advance(60);
    assert_eq!(introspect(&tokens.access).await, json!({"active": false}), "it has expired");
}

#[tokio::test]
async fn no_row_of_the_log_holds_a_code_a_token_or_a_secret() {
    let bench = Bench::start(json!({})).await;
    let code = bench.code().await;
    let tokens = bench.exchange(&code).await.tokens();
    let renewed = bench.refresh(&tokens.refresh).await.tokens();
    bench.opens(&renewed.access).await;
    bench.refresh(&tokens.refresh).await;
    bench.exchange(&code).await;
    // Put where they do not belong, by mistake.
    bench.post("/oauth/token", &[("grant_type", &code), ("client_id", "sandbox-secret")]).await;
    bench.get(&Bench::authorize_path(&[("client_id", &renewed.access), ("scope", &renewed.refresh)])).await;
    let log = Value::from(bench.log().await).to_string();
    let verifier = exchange_fields(&code)[3].1;
    for secret in [
        &code,
        &tokens.access,
        &tokens.refresh,
        &renewed.access,
        &renewed.refresh,
        verifier,
        "sandbox-secret",
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(log.contains("\"account\":\"anna@example.com\""));
}
