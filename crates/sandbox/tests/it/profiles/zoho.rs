//! Zoho: data centres, errors with status 200, and a limit of access tokens.

use axum::http::{Method, header};
use serde_json::{Value, json};

use super::player::{Player, at, text};
use crate::harness::{Answer, Bench, refused};

async fn player() -> Player {
    Player {
        bench: Bench::start(json!({})).await,
        app: "zoho",
        authorize: "accounts.zoho.com/oauth/v2/auth",
        token: "accounts.zoho.com/oauth/v2/token",
        basic: false,
        asks: &[
            ("scope", "AaaServer.profile.Read,ZohoCRM.modules.READ"),
            ("access_type", "offline"),
            ("prompt", "consent"),
        ],
    }
}

async fn info(player: &Player, host: &str, token: &str) -> Answer {
    let request = player.bench.request(Method::GET, &at(&format!("{host}/oauth/user/info")));
    let request = request.header(header::AUTHORIZATION, format!("Zoho-oauthtoken {token}"));
    player.bench.send(request, "").await
}

fn invalid_code() -> (u16, String) {
    refused(200, "invalid_code")
}

#[tokio::test]
async fn a_connection_lives_from_consent_to_revocation() {
    let player = player().await;
    let back = player.ask(&[]).await;
    assert_eq!(
        (back["location"].as_str(), back["accounts-server"].as_str()),
        ("us", "https://accounts.zoho.com")
    );
    let first = player.exchange(&back["code"]).await.json();
    assert_eq!(
        (&first["api_domain"], &first["expires_in"]),
        (&json!("https://www.zohoapis.com"), &json!(3600))
    );
    let user = info(&player, "accounts.zoho.com", &text(&first, "access_token")).await.json();
    assert!(user["ZUID"].is_u64() && user["Email"] == "anna@example.com", "{user}");

    let refresh = text(&first, "refresh_token");
    let second = player.refresh(&refresh).await.json();
    assert_eq!(second["refresh_token"], Value::Null);

    let revoke = async |path: &str, body: String| {
        player
            .bench
            .send(player.bench.form(&at(&format!("accounts.zoho.com/oauth/v2/token/revoke{path}"))), body)
            .await
    };
    assert_eq!(revoke("", String::new()).await.error(), refused(200, "invalid_request"));
    for (query, form) in [("", "token=a&token=b"), ("?token=a&token=b", ""), ("?token=a", "token=b")] {
        assert_eq!(
            revoke(query, form.to_owned()).await.error(),
            refused(200, "invalid_request"),
            "{query} {form}"
        );
    }
    assert_eq!(
        revoke("", format!("token={}", "x".repeat(64 * 1024))).await.error(),
        refused(413, "invalid_request")
    );
    assert_eq!(revoke("", "token=nonsense".to_owned()).await.error(), invalid_code());
    assert_eq!(
        revoke(&format!("?token={refresh}"), String::new()).await.json(),
        json!({"status": "success"})
    );
    assert_eq!(player.refresh(&refresh).await.error(), invalid_code());
    let dead = info(&player, "accounts.zoho.com", &text(&second, "access_token")).await;
    assert_eq!((dead.status.as_u16(), dead.json()["code"].clone()), (401, json!("INVALID_OAUTHTOKEN")));
    assert_eq!(revoke("", format!("token={refresh}")).await.error(), invalid_code());
}

#[tokio::test]
async fn what_one_data_centre_issued_is_unknown_at_another() {
    let mut player = player().await;
    player.control(json!({"location": "eu"})).await;
    let back = player.ask(&[]).await;
    assert_eq!(
        (back["location"].as_str(), back["accounts-server"].as_str()),
        ("eu", "https://accounts.zoho.eu")
    );
    assert_eq!(player.exchange(&back["code"]).await.error(), invalid_code());
    player.token = "accounts.zoho.eu/oauth/v2/token";
    let answer = player.exchange(&back["code"]).await.json();
    assert_eq!(answer["api_domain"], "https://www.zohoapis.eu");
    let (access, refresh) = (text(&answer, "access_token"), text(&answer, "refresh_token"));
    assert_eq!(info(&player, "accounts.zoho.eu", &access).await.status, 200);
    assert_eq!(info(&player, "accounts.zoho.in", &access).await.status, 401);
    player.token = "accounts.zohocloud.ca/oauth/v2/token";
    assert_eq!(player.refresh(&refresh).await.error(), invalid_code());
}

#[tokio::test]
async fn the_callback_can_name_a_hostile_server() {
    let player = player().await;
    player.control(json!({"accountsServer": "https://evil.example"})).await;
    let back = player.ask(&[]).await;
    assert_eq!((back["location"].as_str(), back["accounts-server"].as_str()), ("us", "https://evil.example"));
}

#[tokio::test]
async fn an_eleventh_access_token_in_ten_minutes_is_one_too_many() {
    let player = player().await;
    let refresh = text(&player.connect(&[]).await, "refresh_token");
    for _ in 0..10 {
        assert_eq!(player.refresh(&refresh).await.json()["token_type"], "Bearer");
    }
    let throttled = player.refresh(&refresh).await;
    assert_eq!(throttled.error(), refused(200, "Access Denied"));
    assert_eq!(throttled.json()["status"], "failure");
    player.bench.advance(599);
    assert_eq!(player.refresh(&refresh).await.error().1, "Access Denied");
    player.bench.advance(1);
    assert_eq!(player.refresh(&refresh).await.json()["token_type"], "Bearer");
}

#[tokio::test]
async fn a_refresh_token_comes_offline_and_again_only_when_asked_again() {
    let player = player().await;
    let refresh = async |fields: &[(&str, &str)]| player.connect(fields).await["refresh_token"].is_string();
    assert!(!refresh(&[("access_type", "")]).await);
    assert!(refresh(&[("prompt", "")]).await);
    assert!(!refresh(&[("prompt", "")]).await);
    assert!(refresh(&[]).await);
}

#[tokio::test]
async fn mistakes_have_zohos_own_names_and_status_200() {
    let player = player().await;
    let code = player.ask(&[]).await["code"].clone();
    let post = async |id: &str, secret: &str, redirect_uri: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("client_id", id),
            ("client_secret", secret),
            ("redirect_uri", redirect_uri),
        ];
        player.bench.post(&at(player.token), &fields).await.error()
    };
    assert_eq!(post("nobody", "x", "http://127.0.0.1/").await, refused(200, "invalid_client"));
    assert_eq!(post("zoho", "x", "http://127.0.0.1/").await, refused(200, "invalid_client_secret"));
    assert_eq!(post("zoho", "zoho-secret", "http://127.0.0.1/").await, refused(200, "invalid_redirect_uri"));
    let no_profile = player.connect(&[("scope", "ZohoCRM.modules.READ")]).await;
    let answer = info(&player, "accounts.zoho.com", &text(&no_profile, "access_token")).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (401, json!("OAUTH_SCOPE_MISMATCH")));
    assert_eq!(player.ask(&[("scope", "a b")]).await["error"], "invalid_scope");
}

#[tokio::test]
async fn each_api_takes_its_own_scopes_and_its_own_data_centres_tokens() {
    let player = player().await;
    let crm = text(&player.connect(&[("scope", "ZohoCRM.settings.ALL")]).await, "access_token");
    let calendar = text(&player.connect(&[("scope", "ZohoCalendar.calendar.ALL")]).await, "access_token");
    let api = async |path: &str, token: &str| player.bench.open(&at(path), token).await;
    let (modules, calendars) = ("/crm/v8/settings/modules", "/api/v1/calendars");
    for (path, token, expected) in [
        (format!("www.zohoapis.com{modules}"), &crm, (200, Value::Null)),
        (format!("calendar.zoho.com{calendars}"), &calendar, (200, Value::Null)),
        (format!("www.zohoapis.com{modules}"), &calendar, (401, json!("OAUTH_SCOPE_MISMATCH"))),
        (format!("calendar.zoho.com{calendars}"), &crm, (401, json!("OAUTH_SCOPE_MISMATCH"))),
        (format!("www.zohoapis.eu{modules}"), &crm, (401, json!("INVALID_TOKEN"))),
        (format!("calendar.zoho.eu{calendars}"), &calendar, (401, json!("INVALID_TOKEN"))),
    ] {
        let answer = api(&path, token).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), expected, "{path}");
    }
}
