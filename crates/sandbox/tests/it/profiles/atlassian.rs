//! Atlassian: ten minutes of leeway, and 403 for a dead refresh token.

use axum::http::{Method, header};
use serde_json::{Value, json};

use super::player::{Player, at, text};
use crate::harness::{Answer, Bench, CALLBACK, VERIFIER, refused};

const ME: &str = "api.atlassian.com/me";

async fn player() -> Player {
    Player {
        bench: Bench::start(json!({})).await,
        app: "atlassian",
        authorize: "auth.atlassian.com/authorize",
        token: "auth.atlassian.com/oauth/token",
        basic: false,
        asks: &[
            ("audience", "api.atlassian.com"),
            ("prompt", "consent"),
            ("scope", "read:me read:jira-work offline_access"),
        ],
    }
}

async fn post_json(player: &Player, body: &str) -> Answer {
    let request = player.bench.request(Method::POST, &at(player.token));
    player.bench.send(request.header(header::CONTENT_TYPE, "application/json"), body.to_owned()).await
}

#[tokio::test]
async fn a_connection_lives_from_consent_to_the_reuse_that_ends_it() {
    let player = player().await;
    let first = player.connect(&[]).await;
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let me = player.open(ME, &text(&first, "access_token")).await.json();
    assert_eq!(
        (&me["email"], me["account_id"].as_str().map(str::len)),
        (&json!("anna@example.com"), Some(36))
    );
    let sites = "api.atlassian.com/oauth/token/accessible-resources";
    let resources = player.open(sites, &text(&first, "access_token")).await;
    assert_eq!(resources.json()[0]["scopes"], json!(["read:me", "read:jira-work"]));

    let refresh = text(&first, "refresh_token");
    player.refresh(&refresh).await.tokens();
    player.bench.advance(599);
    let newest = player.refresh(&refresh).await.tokens();
    player.bench.advance(1);
    let dead = player.refresh(&refresh).await;
    assert_eq!(dead.error(), refused(403, "invalid_grant"));
    assert_eq!(dead.json()["error_description"], "Unknown or invalid refresh token.");
    assert_eq!(player.refresh(&newest.refresh).await.error(), refused(403, "invalid_grant"));
    let answer = player.open(ME, &newest.access).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (401, json!(401)));
}

#[tokio::test]
async fn the_token_endpoint_takes_json_as_strictly_as_a_form() {
    let player = player().await;
    let code = player.ask(&[]).await["code"].clone();
    let body = json!({
        "grant_type": "authorization_code", "client_id": "atlassian", "client_secret": "atlassian-secret",
        "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
    });
    let twice = body.to_string().replace('{', "{\"code\":\"other\",");
    assert_eq!(post_json(&player, &twice).await.error(), refused(400, "invalid_request"));
    assert_eq!(post_json(&player, &body.to_string()).await.status, 200);
    for bad in ["", "[]", "{\"grant_type\":1}"] {
        assert_eq!(post_json(&player, bad).await.error(), refused(400, "invalid_request"), "{bad}");
    }
    let huge = format!("{{\"code\":\"{}\"}}", "x".repeat(64 * 1024));
    assert_eq!(post_json(&player, &huge).await.error(), refused(413, "invalid_request"));
}

#[tokio::test]
async fn an_authorization_request_names_its_audience_and_prompts() {
    let player = player().await;
    for fields in
        [[("audience", "")], [("audience", "api.example.com")], [("prompt", "")], [("prompt", "none")]]
    {
        assert_eq!(player.ask(&fields).await["error"], "invalid_request", "{fields:?}");
    }
}

#[tokio::test]
async fn offline_access_and_read_me_are_needed_for_what_they_allow() {
    let player = player().await;
    let answer = player.connect(&[("scope", "read:jira-work")]).await;
    assert_eq!(answer["refresh_token"], Value::Null);
    assert_eq!(player.open(ME, &text(&answer, "access_token")).await.status, 403);
}

#[tokio::test]
async fn a_client_that_can_not_authenticate_is_denied_access() {
    let mut player = player().await;
    player.basic = true;
    let code = player.ask(&[]).await["code"].clone();
    assert_eq!(player.exchange(&code).await.error(), refused(401, "access_denied"));
    player.basic = false;
    assert_eq!(player.exchange(&code).await.status, 200, "the code was not touched");
    assert_eq!(player.exchange(&code).await.error(), refused(403, "invalid_grant"));
}
