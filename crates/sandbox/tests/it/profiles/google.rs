//! Google: a refresh token that stays, and a revocation that ends the whole grant.

use serde_json::{Value, json};

use super::player::{Player, at, text};
use crate::harness::{Bench, refused};

const USERINFO: &str = "openidconnect.googleapis.com/v1/userinfo";
const DRIVE: &str = "https://www.googleapis.com/auth/drive.readonly";

async fn player() -> Player {
    Player {
        bench: Bench::start(json!({})).await,
        app: "google",
        authorize: "accounts.google.com/o/oauth2/v2/auth",
        token: "oauth2.googleapis.com/token",
        basic: false,
        asks: &[
            ("scope", "openid email https://www.googleapis.com/auth/drive.readonly"),
            ("access_type", "offline"),
            ("prompt", "consent"),
        ],
    }
}

#[tokio::test]
async fn a_connection_lives_from_consent_to_the_revocation_of_the_whole_grant() {
    let player = player().await;
    let back = player.ask(&[]).await;
    assert!(back["scope"].ends_with(DRIVE) && back["authuser"] == "0", "{back:?}");
    let first = player.exchange(&back["code"]).await.json();
    let refresh = text(&first, "refresh_token");
    assert!(text(&first, "access_token").starts_with("ya29.") && refresh.starts_with("1//"));
    let user = player.open(USERINFO, &text(&first, "access_token")).await.json();
    assert_eq!((&user["email"], &user["name"]), (&json!("anna@example.com"), &Value::Null));

    player.bench.advance(3599);
    assert_eq!(
        player.open(USERINFO, &text(&first, "access_token")).await.error(),
        refused(401, "invalid_request")
    );
    let second = player.refresh(&refresh).await.json();
    assert_eq!(second["refresh_token"], Value::Null);
    let other = player.connect(&[]).await;

    let revoke =
        async |token: &str| player.bench.post(&at("oauth2.googleapis.com/revoke"), &[("token", token)]).await;
    assert_eq!(revoke(&text(&second, "access_token")).await.status, 200);
    assert_eq!(revoke(&refresh).await.error(), refused(400, "invalid_token"));
    for gone in [refresh, text(&other, "refresh_token")] {
        assert_eq!(player.refresh(&gone).await.error(), refused(400, "invalid_grant"));
    }
    // The next consent is a first one.
    assert!(player.connect(&[("prompt", "")]).await["refresh_token"].is_string());
}

#[tokio::test]
async fn a_refresh_token_comes_offline_and_again_only_when_asked_again() {
    let player = player().await;
    let refresh = async |fields: &[(&str, &str)]| player.connect(fields).await["refresh_token"].is_string();
    assert!(!refresh(&[("access_type", "")]).await);
    assert!(!refresh(&[("access_type", "online")]).await);
    assert!(refresh(&[("prompt", "")]).await);
    assert!(!refresh(&[("prompt", "select_account")]).await);
    assert!(refresh(&[("prompt", "select_account consent")]).await);
    // Somebody else has not consented yet.
    player.control(json!({"account": "mari@example.com"})).await;
    assert!(refresh(&[("prompt", "")]).await);
}

#[tokio::test]
async fn a_person_may_grant_less_and_the_answer_says_so() {
    let player = player().await;
    player.control(json!({"grantedScopes": [DRIVE]})).await;
    let answer = player.connect(&[]).await;
    assert_eq!(answer["scope"], DRIVE);
    let denied = player.open(USERINFO, &text(&answer, "access_token")).await;
    assert_eq!(denied.error(), refused(403, "insufficient_scope"));
}

#[tokio::test]
async fn tokeninfo_tells_what_a_living_access_token_is() {
    let player = player().await;
    let answer = player.connect(&[]).await;
    let info = async |token: &str| {
        player.bench.get(&at(&format!("oauth2.googleapis.com/tokeninfo?access_token={token}"))).await
    };
    let told = info(&text(&answer, "access_token")).await.json();
    let expected = json!({
        "aud": "google", "azp": "google", "email": "anna@example.com", "expires_in": "3599",
        "access_type": "offline", "scope": answer["scope"],
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&told[member], value, "{member}");
    }
    assert_eq!(info(&text(&answer, "refresh_token")).await.error(), refused(400, "invalid_token"));
    assert_eq!(info("nonsense").await.error(), refused(400, "invalid_token"));
    assert_eq!(info("").await.error(), refused(400, "invalid_request"));
}
