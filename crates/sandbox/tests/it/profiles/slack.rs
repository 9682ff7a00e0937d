//! Slack: two pairs of tokens from one consent.

use axum::http::Method;
use serde_json::{Value, json};

use super::player::{Player, at, text};
use crate::harness::{Bench, encode};

async fn player() -> Player {
    Player {
        bench: Bench::start(json!({})).await,
        app: "slack",
        authorize: "slack.com/oauth/v2/authorize",
        token: "slack.com/api/oauth.v2.access",
        basic: false,
        asks: &[("scope", "chat:write,users:read"), ("user_scope", "search:read")],
    }
}

async fn call(player: &Player, method: &str, token: &str) -> Value {
    let answer =
        player.bench.send(player.bearer(Method::POST, &format!("slack.com/api/{method}"), token), "").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

fn failed(code: &str) -> Value {
    json!({"ok": false, "error": code})
}

#[tokio::test]
async fn a_bot_and_a_user_have_tokens_that_are_refreshed_apart() {
    let player = player().await;
    let answer = player.connect(&[]).await;
    let user = &answer["authed_user"];
    assert_eq!((&answer["ok"], &answer["token_type"]), (&json!(true), &json!("bot")));
    assert_eq!((&answer["scope"], &user["scope"]), (&json!("chat:write,users:read"), &json!("search:read")));
    assert_eq!((&user["token_type"], &user["expires_in"]), (&json!("user"), &json!(43_200)));
    let (bot_access, user_access) = (text(&answer, "access_token"), text(user, "access_token"));
    assert!(bot_access.starts_with("xoxe.xoxb-") && user_access.starts_with("xoxe.xoxp-"));

    let bot = call(&player, "auth.test", &bot_access).await;
    assert_eq!((&bot["user_id"], &bot["team_id"]), (&answer["bot_user_id"], &answer["team"]["id"]));
    let person = call(&player, "auth.test", &user_access).await;
    assert_eq!((&person["user_id"], &person["user"]), (&user["id"], &json!("anna")));

    // The answer to a refresh is flat for both.
    let bot = player.refresh(&text(&answer, "refresh_token")).await.json();
    assert_eq!((&bot["token_type"], &bot["authed_user"]), (&json!("bot"), &Value::Null));
    let person = player.refresh(&text(user, "refresh_token")).await.json();
    assert_eq!((&person["token_type"], &person["scope"]), (&json!("user"), &json!("search:read")));
    for spent in [text(&answer, "refresh_token"), text(user, "refresh_token")] {
        assert_eq!(player.refresh(&spent).await.json(), failed("invalid_refresh_token"));
    }
    for good in [&bot, &person] {
        assert_eq!(player.refresh(&text(good, "refresh_token")).await.json()["ok"], true);
    }
    assert_eq!(player.bench.totals().await, [6, 4, 2, 0, 0]);
}

#[tokio::test]
async fn a_consent_of_the_user_alone_has_its_only_pair_nested() {
    let player = player().await;
    let answer = player.connect(&[("scope", "")]).await;
    assert_eq!((&answer["access_token"], &answer["refresh_token"]), (&Value::Null, &Value::Null));
    let person = player.refresh(&text(&answer["authed_user"], "refresh_token")).await.json();
    assert_eq!(call(&player, "auth.test", &text(&person, "access_token")).await["user"], "anna");
    let bot_only = player.connect(&[("user_scope", "")]).await;
    assert_eq!(bot_only["authed_user"], json!({"id": answer["authed_user"]["id"]}));
    assert_eq!(player.ask(&[("scope", ""), ("user_scope", "")]).await["error"], "invalid_scope");
}

#[tokio::test]
async fn a_pair_that_was_granted_nothing_is_not_issued() {
    let player = player().await;
    player.control(json!({"grantedScopes": ["search:read"]})).await;
    let answer = player.connect(&[]).await;
    assert_eq!(
        (&answer["access_token"], &answer["authed_user"]["scope"]),
        (&Value::Null, &json!("search:read"))
    );
    player.control(json!({"grantedScopes": ["users:read"]})).await;
    let answer = player.connect(&[]).await;
    assert_eq!((&answer["scope"], &answer["authed_user"]["scope"]), (&json!("users:read"), &Value::Null));
    player.control(json!({"grantedScopes": ["admin"]})).await;
    assert_eq!(player.ask(&[]).await["error"], "invalid_scope");
}

#[tokio::test]
async fn a_code_that_comes_back_ends_both_pairs() {
    let player = player().await;
    let code = player.ask(&[]).await["code"].clone();
    let answer = player.exchange(&code).await.json();
    assert_eq!(player.exchange(&code).await.json(), failed("invalid_code"));
    for pair in [&answer, &answer["authed_user"]] {
        assert_eq!(call(&player, "auth.test", &text(pair, "access_token")).await, failed("invalid_auth"));
        assert_eq!(
            player.refresh(&text(pair, "refresh_token")).await.json(),
            failed("invalid_refresh_token")
        );
    }
}

#[tokio::test]
async fn a_revoked_token_takes_its_own_pair_and_not_the_other() {
    let player = player().await;
    let answer = player.connect(&[]).await;
    let (bot, user) = (text(&answer, "access_token"), text(&answer["authed_user"], "access_token"));
    assert_eq!(call(&player, "auth.revoke", &bot).await, json!({"ok": true, "revoked": true}));
    for method in ["auth.test", "auth.revoke"] {
        assert_eq!(call(&player, method, &bot).await, failed("token_revoked"));
    }
    assert_eq!(player.refresh(&text(&answer, "refresh_token")).await.json(), failed("invalid_refresh_token"));
    assert_eq!(call(&player, "auth.test", &user).await["ok"], true);
    player.bench.advance(43_200);
    assert_eq!(call(&player, "auth.test", &user).await, failed("token_expired"));
    assert_eq!(call(&player, "auth.test", "xoxb-nonsense").await, failed("invalid_auth"));
    let bare = player.bench.request(Method::POST, &at("slack.com/api/auth.test"));
    assert_eq!(player.bench.send(bare, "").await.json(), failed("not_authed"));
}

#[tokio::test]
async fn mistakes_have_slacks_own_names_and_status_200() {
    let player = player().await;
    let cases = [
        (vec![("client_id", "slack"), ("client_secret", "wrong")], "bad_client_secret"),
        (vec![("client_id", "github"), ("client_secret", "github-secret")], "invalid_client_id"),
        (vec![("client_id", "slack"), ("client_secret", "slack-secret"), ("code", "x")], "invalid_code"),
        (vec![("client_id", "slack"), ("client_secret", "slack-secret")], "invalid_arguments"),
        (
            vec![("client_id", "slack"), ("client_secret", "slack-secret"), ("grant_type", "password")],
            "invalid_grant_type",
        ),
    ];
    for (mut fields, code) in cases {
        fields.push(("redirect_uri", crate::harness::CALLBACK));
        let answer = player.bench.send(player.bench.form(&at(player.token)), encode(&fields)).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, failed(code)), "{code}");
    }
}

#[tokio::test]
async fn an_app_without_token_rotation_has_tokens_that_stay() {
    let player = player().await;
    player.control(json!({"omitRefreshToken": true, "expiresIn": "missing"})).await;
    let answer = player.connect(&[("user_scope", "")]).await;
    assert_eq!((&answer["refresh_token"], &answer["expires_in"]), (&Value::Null, &Value::Null));
}
