//! Zoom: Basic only, and strict.

use serde_json::json;

use super::player::{Player, text};
use crate::harness::{Bench, refused};

const ME: &str = "api.zoom.us/v2/users/me";

async fn player() -> Player {
    Player {
        bench: Bench::start(json!({})).await,
        app: "zoom",
        authorize: "zoom.us/oauth/authorize",
        token: "zoom.us/oauth/token",
        basic: true,
        asks: &[],
    }
}

#[tokio::test]
async fn a_connection_lives_from_consent_to_revocation() {
    let player = player().await;
    let first = player.connect(&[]).await;
    assert_eq!((&first["token_type"], &first["scope"]), (&json!("bearer"), &json!("user:read:user")));
    let me = player.open(ME, &text(&first, "access_token")).await.json();
    assert_eq!((&me["email"], &me["first_name"]), (&json!("anna@example.com"), &json!("Anna")));

    let second = player.refresh(&text(&first, "refresh_token")).await.json();
    let spent = player.refresh(&text(&first, "refresh_token")).await;
    assert_eq!(
        (spent.status.as_u16(), spent.json()),
        (400, json!({"reason": "Invalid Token!", "error": "invalid_grant"}))
    );
    // The reuse did no harm to the newest.
    let third = player.refresh(&text(&second, "refresh_token")).await.json();

    let token = text(&third, "access_token");
    let revoked = player.post("zoom.us/oauth/revoke", &[("token", &token)]).await;
    assert_eq!((revoked.status.as_u16(), revoked.json()), (200, json!({"status": "success"})));
    let dead = player.open(ME, &token).await;
    assert_eq!((dead.status.as_u16(), dead.json()["code"].clone()), (401, json!(124)));
    let refresh = text(&third, "refresh_token");
    player.post("zoom.us/oauth/revoke", &[("token", &refresh)]).await;
    assert_eq!(player.refresh(&refresh).await.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn credentials_in_the_body_are_refused() {
    let mut player = player().await;
    player.basic = false;
    let code = player.ask(&[]).await["code"].clone();
    let answer = player.exchange(&code).await;
    assert_eq!(answer.error(), refused(400, "invalid_client"));
    assert_eq!(answer.json()["reason"], "Invalid client_id or client_secret");
    assert_eq!(player.post("zoom.us/oauth/revoke", &[("token", "x")]).await.error().1, "invalid_client");
    player.basic = true;
    assert_eq!(player.exchange(&code).await.status, 200);
    assert_eq!(player.exchange(&code).await.json()["reason"], "Invalid authorization code.");
}
