//! Figma: an endpoint of its own for refreshes, and errors in a shape of its own.

use serde_json::json;

use super::player::{Player, exchange_fields, text};
use crate::harness::{Answer, Bench};

const ME: &str = "api.figma.com/v1/me";
const REFRESH: &str = "api.figma.com/v1/oauth/refresh";

async fn player() -> Player {
    Player {
        bench: Bench::start(json!({})).await,
        app: "figma",
        authorize: "www.figma.com/oauth",
        token: "api.figma.com/v1/oauth/token",
        basic: true,
        asks: &[("scope", "current_user:read,file_content:read")],
    }
}

fn failed(answer: &Answer) -> (u16, bool) {
    let body = answer.json();
    assert_eq!(body["status"], answer.status.as_u16(), "{body}");
    (answer.status.as_u16(), body["error"] == true && body["message"].is_string())
}

#[tokio::test]
async fn a_connection_lives_as_long_as_its_only_refresh_token() {
    let player = player().await;
    let first = player.connect(&[]).await;
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("bearer"), &json!(7_776_000)));
    let me = player.open(ME, &text(&first, "access_token")).await.json();
    assert_eq!((&me["id"], &me["handle"]), (&first["user_id_string"], &json!("Anna Tamm")));

    player.bench.advance(7_776_000);
    let dead = player.open(ME, &text(&first, "access_token")).await;
    assert_eq!((dead.status.as_u16(), dead.json()["err"].clone()), (403, json!("Invalid token")));
    let refresh = text(&first, "refresh_token");
    for _ in 0..2 {
        let answer = player.post(REFRESH, &[("refresh_token", &refresh)]).await.json();
        let access = text(&answer, "access_token");
        let expected = json!({"access_token": access, "expires_in": 7_776_000, "token_type": "bearer"});
        assert_eq!(answer, expected);
        assert_eq!(player.open(ME, &text(&answer, "access_token")).await.status, 200);
    }
    assert_eq!(player.bench.totals().await, [2, 0, 0, 0, 0]);
    assert_eq!(failed(&player.post(REFRESH, &[("refresh_token", "nonsense")]).await), (400, true));
}

#[tokio::test]
async fn each_endpoint_knows_one_kind_of_grant() {
    let player = player().await;
    let first = player.connect(&[]).await;
    assert_eq!(failed(&player.refresh(&text(&first, "refresh_token")).await), (400, true));
    let code = player.ask(&[]).await["code"].clone();
    assert_eq!(failed(&player.post(REFRESH, &exchange_fields(&code)).await), (400, true));
    assert_eq!(player.exchange(&code).await.status, 200, "the code was not touched");
}

#[tokio::test]
async fn a_code_lives_half_a_minute_and_credentials_stay_out_of_the_body() {
    let mut player = player().await;
    let code = player.ask(&[("scope", "current_user:read file_content:read")]).await["code"].clone();
    player.basic = false;
    assert_eq!(failed(&player.exchange(&code).await), (401, true));
    player.basic = true;
    player.bench.advance(30);
    assert_eq!(failed(&player.exchange(&code).await), (400, true));
    assert_eq!(player.ask(&[("state", "")]).await["error"], "invalid_request");
}
