//! GitHub's OAuth Apps and GitHub Apps.

use axum::http::{Method, header};
use serde_json::{Value, json};

use super::player::{Player, at, text};
use crate::harness::{Answer, Bench, encode, refused};

const TOKEN: &str = "github.com/login/oauth/access_token";
const USER: &str = "api.github.com/user";

pub(super) async fn player(app: &'static str) -> Player {
    Player {
        bench: Bench::start(json!({})).await,
        app,
        authorize: "github.com/login/oauth/authorize",
        token: TOKEN,
        basic: false,
        asks: &[("scope", "read:user repo")],
    }
}

/// A call of the app itself about a token.
async fn application(player: &Player, method: Method, deed: &str, body: &Value) -> Answer {
    let path = at(&format!("api.github.com/applications/{}/{deed}", player.app));
    let request = player
        .bench
        .request(method, &path)
        .header(header::USER_AGENT, "tests")
        .header(header::AUTHORIZATION, player.basic_header());
    player.bench.send(request, body.to_string()).await
}

#[tokio::test]
async fn an_oauth_app_gets_a_token_that_neither_expires_nor_refreshes() {
    let player = player("github").await;
    let back = player.ask(&[("response_type", "")]).await;
    assert_eq!((back["state"].as_str(), back.len()), ("xyz", 2));
    let answer = player.exchange(&back["code"]).await.json();
    let token = text(&answer, "access_token");
    assert!(token.starts_with("gho_"));
    assert_eq!(answer, json!({"access_token": token, "token_type": "bearer", "scope": "read:user,repo"}));

    let user = player.open(USER, &token).await;
    assert_eq!(user.header("x-oauth-scopes"), "read:user, repo");
    assert!(user.json()["id"].is_u64() && user.json()["login"] == "anna");
    player.bench.advance(300_000_000);
    assert_eq!(player.open(USER, &token).await.status, 200);
}

#[tokio::test]
async fn the_answer_is_a_form_unless_json_is_accepted_and_errors_have_status_200() {
    let player = player("github").await;
    let code = player.ask(&[]).await["code"].clone();
    let mut fields = super::player::exchange_fields(&code).to_vec();
    fields.extend([("client_id", "github"), ("client_secret", "github-secret")]);
    let answer = player.bench.post(&at(TOKEN), &fields).await;
    assert_eq!(answer.header("content-type"), "application/x-www-form-urlencoded");
    assert!(
        answer.text().contains("scope=read%3Auser%2Crepo") && answer.text().contains("token_type=bearer")
    );
    // The code comes back: an error, and the token is gone.
    let answer = player.bench.post(&at(TOKEN), &fields).await;
    assert!(answer.status == 200 && answer.text().starts_with("error=bad_verification_code&"), "{answer:?}");

    fields[5].1 = "wrong";
    let request = player.bench.form(&at(TOKEN)).header(header::ACCEPT, "application/json");
    let answer = player.bench.send(request, encode(&fields)).await;
    assert_eq!(answer.error(), refused(200, "incorrect_client_credentials"));
    assert!(text(&answer.json(), "error_uri").ends_with("#incorrect-client-credentials"));

    let code = player.ask(&[]).await["code"].clone();
    let fields = [("code", code.as_str()), ("redirect_uri", "http://127.0.0.1:8976/other")];
    assert_eq!(player.post(TOKEN, &fields).await.error(), refused(200, "redirect_uri_mismatch"));
    assert_eq!(player.bench.outcomes("token").await.last().unwrap(), "redirect_uri_mismatch");
}

#[tokio::test]
async fn a_github_app_rotates_strictly_and_the_old_access_token_dies_too() {
    let player = player("github_app").await;
    let first = player.connect(&[]).await;
    assert_eq!((&first["scope"], &first["expires_in"]), (&json!(""), &json!(28_800)));
    assert_eq!(first["refresh_token_expires_in"], 15_811_200);
    let (access, refresh) = (text(&first, "access_token"), text(&first, "refresh_token"));
    assert!(access.starts_with("ghu_") && refresh.starts_with("ghr_"));
    assert_eq!(player.open(USER, &access).await.status, 200);

    let second = player.refresh(&refresh).await.json();
    let dead = player.open(USER, &access).await;
    assert_eq!((dead.status.as_u16(), dead.json()["message"].clone()), (401, json!("Bad credentials")));
    assert_eq!(player.open(USER, &text(&second, "access_token")).await.status, 200);
    assert_eq!(player.refresh(&refresh).await.error(), refused(200, "bad_refresh_token"));
    assert_eq!(player.refresh(&text(&second, "refresh_token")).await.json()["token_type"], "bearer");
    assert_eq!(player.bench.totals().await, [3, 2, 1, 0, 0]);
}

#[tokio::test]
async fn an_app_checks_and_deletes_a_token_or_the_whole_grant() {
    let player = player("github_app").await;
    let (one, two) = (player.connect(&[]).await, player.connect(&[]).await);
    let of = |answer: &Value| json!({"access_token": text(answer, "access_token")});
    let told = application(&player, Method::POST, "token", &of(&one)).await;
    assert_eq!((told.status.as_u16(), told.json()["user"]["login"].clone()), (200, json!("anna")));
    assert_eq!(application(&player, Method::DELETE, "token", &of(&one)).await.status, 204);
    for method in [Method::POST, Method::DELETE] {
        assert_eq!(application(&player, method, "token", &of(&one)).await.status, 404);
    }
    // The refresh token and the other connection live on, until the grant goes.
    let one = player.refresh(&text(&one, "refresh_token")).await.json();
    assert_eq!(application(&player, Method::DELETE, "grant", &of(&two)).await.status, 204);
    for answer in [&one, &two] {
        assert_eq!(player.open(USER, &text(answer, "access_token")).await.status, 401);
        assert_eq!(player.refresh(&text(answer, "refresh_token")).await.error().1, "bad_refresh_token");
    }
    for body in [json!({}), json!({"access_token": ""})] {
        assert_eq!(application(&player, Method::DELETE, "grant", &body).await.status, 422);
    }
    assert_eq!(application(&player, Method::DELETE, "grant", &json!([])).await.status, 400);
    let refresh = json!({"access_token": text(&player.connect(&[]).await, "refresh_token")});
    assert_eq!(application(&player, Method::DELETE, "token", &refresh).await.status, 404);
}

#[tokio::test]
async fn an_app_learns_nothing_of_anothers_tokens() {
    let player = player("github").await;
    let token = text(&player.connect(&[]).await, "access_token");
    let body = json!({"access_token": token}).to_string();
    let path = at("api.github.com/applications/github/token");
    let send = async |authorization: Option<String>, path: &str| {
        let mut request = player.bench.request(Method::DELETE, path).header(header::USER_AGENT, "tests");
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        player.bench.send(request, body.clone()).await.status.as_u16()
    };
    let other = self::player("github_app").await;
    assert_eq!(send(None, &path).await, 401);
    assert_eq!(send(Some(other.basic_header()), &path).await, 404);
    let path_of_other = at("api.github.com/applications/github_app/token");
    assert_eq!(send(Some(player.basic_header()), &path_of_other).await, 404);
    assert_eq!(player.open(USER, &token).await.status, 200);
}

#[tokio::test]
async fn the_api_wants_a_user_agent_and_a_token() {
    let player = player("github").await;
    let token = text(&player.connect(&[]).await, "access_token");
    let path = at(USER);
    let bare =
        player.bench.request(Method::GET, &path).header(header::AUTHORIZATION, format!("token {token}"));
    assert_eq!(player.bench.send(bare, "").await.status, 403);
    let bare = player.bench.request(Method::GET, &path).header(header::USER_AGENT, "tests");
    let answer = player.bench.send(bare, "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["message"].clone()),
        (401, json!("Requires authentication"))
    );
}
