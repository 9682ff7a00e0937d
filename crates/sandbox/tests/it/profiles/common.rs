//! What all profiles share: the checks, the control, the log and the pages.

use axum::http::Method;
use serde_json::{Value, json};

use super::github;
use super::player::{at, exchange_fields, text};
use crate::harness::{Bench, CALLBACK, VERIFIER, encode, refused};

#[tokio::test]
async fn a_host_or_a_path_that_is_nobodys_is_not_found() {
    let bench = Bench::start(json!({})).await;
    for (path, status) in [
        ("evil.example/user", 404),
        ("api.github.com.evil.example/user", 404),
        ("api.github.com/users", 404),
        ("api.github.com/user/", 404),
        ("slack.com/user", 404),
        ("github.com/login/oauth/access_token", 405),
    ] {
        assert_eq!(bench.get(&at(path)).await.status, status, "{path}");
    }
    for path in ["/at", "/at/", "/at/api.github.com", "/at//user"] {
        assert_eq!(bench.get(path).await.status, 404, "{path}");
    }
    assert_eq!(bench.log().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_person_clicks_through_the_consent_page() {
    let player = github::player("github").await;
    let page = player.bench.get(&player.path(&[("scope", "read:user repo notes:read all:else")])).await;
    let action = format!("action=\"{}\"", at(player.authorize));
    for expected in [
        "Claviger asks for access to your account at GitHub (played by the sandbox)",
        "GitHub itself never hears of what you decide",
        action.as_str(),
        "Read your profile",
        "Read and write code, issues and pull requests, also in private repositories",
        "Use the permission <code>all:else</code>",
    ] {
        assert!(page.text().contains(expected), "{expected} in {}", page.text());
    }
    let silent = player.bench.get(&player.path(&[("scope", "")])).await;
    assert!(silent.text().contains("See what is public, and do what it was registered for"));
    let path = player.path(&[("decision", "approve"), ("account", "jaan@example.com")]);
    let (path, form) = path.split_once('?').unwrap();
    let back = player.bench.send(player.bench.form(path), form.to_owned()).await.redirected();
    let answer = player.exchange(&back["code"]).await.json();
    assert_eq!(
        player.open("api.github.com/user", &text(&answer, "access_token")).await.json()["login"],
        "jaan"
    );
    let foreign = player.bench.form(path).header("origin", "https://evil.example");
    assert_eq!(player.bench.send(foreign, form.to_owned()).await.status, 403);
    let denied = form.replace("decision=approve", "decision=deny");
    let back = player.bench.send(player.bench.form(path), denied).await.redirected();
    assert_eq!(back["error"], "access_denied");
}

#[tokio::test]
async fn a_profile_checks_apps_addresses_and_parameters_as_the_sandbox_does() {
    let player = github::player("github").await;
    player.control(json!({"approve": "auto"})).await;
    for fields in [
        [("client_id", "nobody")],
        [("client_id", "claviger")],
        [("client_id", "slack")],
        [("redirect_uri", "https://evil.example/callback")],
        [("redirect_uri", "")],
    ] {
        let answer = player.bench.get(&player.path(&fields)).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{fields:?}");
    }
    let twice = format!("{}&client_id=github", player.path(&[]));
    assert_eq!(player.bench.get(&twice).await.status, 400);
    let twice = format!("{}&scope=repo", player.path(&[]));
    assert_eq!(player.bench.get(&twice).await.redirected()["error"], "invalid_request");
    assert_eq!(player.ask(&[("response_type", "token")]).await["error"], "unsupported_response_type");
    assert_eq!(player.ask(&[("code_challenge_method", "plain")]).await["error"], "invalid_request");
    player.control(json!({"sendIss": true})).await;
    assert_eq!(player.ask(&[]).await["iss"], format!("{}/at/github.com", player.bench.base));

    let code = player.ask(&[]).await["code"].clone();
    let token = at(player.token);
    let secret = [("client_id", "github"), ("client_secret", "github-secret")];
    let form = encode(&[exchange_fields(&code).as_slice(), &secret].concat());
    let cases = [
        (format!("{form}&code={code}"), refused(200, "invalid_request")),
        ("x".repeat(64 * 1024 + 1), refused(413, "invalid_request")),
        (form.replace("github-secret", ""), refused(200, "incorrect_client_credentials")),
        (form.replace(VERIFIER, &VERIFIER.replace('d', "e")), refused(200, "bad_verification_code")),
        (form, refused(200, "bad_verification_code")),
    ];
    for (body, expected) in cases {
        let request = player.bench.form(&token).header("accept", "application/json");
        assert_eq!(player.bench.send(request, body).await.error(), expected);
    }
}

#[tokio::test]
async fn an_app_its_codes_and_its_tokens_are_known_at_its_own_provider_alone() {
    let player = github::player("github").await;
    let token = text(&player.connect(&[]).await, "access_token");
    let slack = at("slack.com/api/auth.test");
    let request =
        player.bench.request(Method::POST, &slack).header("authorization", format!("Bearer {token}"));
    assert_eq!(player.bench.send(request, "").await.json()["error"], "invalid_auth");
    assert!(!player.bench.opens(&token).await);
    let own = player.bench.connect().await.access;
    assert_eq!(player.open("api.github.com/user", &own).await.status, 401);
    let revoke = [("token", own.as_str())];
    assert_eq!(player.bench.post(&at("oauth2.googleapis.com/revoke"), &revoke).await.status, 400);
    assert!(player.bench.opens(&own).await);

    let code = player.ask(&[]).await["code"].clone();
    let mut fields = exchange_fields(&code).to_vec();
    fields.extend([("client_id", "github"), ("client_secret", "github-secret")]);
    assert_eq!(player.bench.post("/oauth/token", &fields).await.error(), refused(401, "invalid_client"));
    let answer = player.bench.get(&Bench::authorize_path(&[("client_id", "github")])).await;
    assert_eq!(answer.status, 400);
    assert!(player.exchange(&code).await.json()["access_token"].is_string());
}

#[tokio::test]
async fn failures_latency_and_the_log_work_at_a_profile() {
    let player = github::player("github_app").await;
    let first = player.connect(&[]).await;
    let refresh = text(&first, "refresh_token");
    player.control(json!({"fail": {"kind": 503, "retryAfter": 3}, "latency": 1})).await;
    let failed = player.refresh(&refresh).await;
    assert_eq!((failed.status.as_u16(), failed.header("retry-after")), (503, "3"));
    player.control(json!({"fail": {"kind": "invalid_grant", "endpoints": ["userinfo"]}})).await;
    let second = player.refresh(&refresh).await.json();
    let user = player.open("api.github.com/user", &text(&second, "access_token")).await;
    assert_eq!(user.error(), refused(400, "invalid_grant"));
    let rows = player.bench.log().await;
    let told: Vec<_> = rows.iter().map(|row| [&row["endpoint"], &row["outcome"], &row["host"]]).collect();
    let expected = [
        ["authorize", "approved", "github.com"],
        ["token", "ok", "github.com"],
        ["token", "fail:503", "github.com"],
        ["token", "ok", "github.com"],
        ["userinfo", "fail:invalid_grant", "api.github.com"],
    ];
    assert_eq!(json!(told), json!(expected));
    for row in &rows {
        assert_eq!((&row["profile"], &row["clientId"]), (&json!("github"), &json!("github_app")), "{row}");
    }
    assert_eq!(rows[3]["grantType"], "refresh_token");
    let log = Value::from(rows).to_string();
    for secret in [refresh.as_str(), &text(&second, "access_token"), "github_app-secret"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn a_profile_begins_as_its_provider_behaves_and_takes_everybodys_other_settings() {
    let bench = Bench::start(json!({"rotation": "none", "latency": 7, "tokenFormat": "form"})).await;
    let slack = bench.get("/control?app=slack").await.json();
    let expected = json!({
        "rotation": "strict", "accessTokenTtl": 43_200, "scopeSeparator": ",", "latency": 7,
        "accessTokenLimit": null, "location": null, "accountsServer": null,
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&slack[member], value, "{member}");
    }
    assert_eq!(bench.get("/control?app=zoho").await.json()["accessTokenLimit"], 10);
    let apps = bench.get("/control").await.json()["apps"].clone();
    assert_eq!(apps["github_app"]["profile"], "github_app");
    assert_eq!(apps["claviger"].get("profile"), None);
    bench.put_control("?app=slack", json!({"rotation": "none"})).await;
    bench.send(bench.request(Method::POST, "/control/reset"), "").await;
    assert_eq!(bench.get("/control?app=slack").await.json()["rotation"], "strict");
}

#[tokio::test]
async fn settings_that_nothing_would_heed_are_refused() {
    let bench = Bench::start(json!({})).await;
    let cases = [
        ("?app=slack", json!({"tokenFormat": "form"}), "tokenFormat"),
        ("?app=slack", json!({"location": "eu"}), "location"),
        ("", json!({"location": "eu"}), "location"),
        ("", json!({"accountsServer": "https://evil.example"}), "accountsServer"),
        ("?app=zoho", json!({"location": "mars"}), "location"),
        ("?app=zoho", json!({"accountsServer": "x".repeat(2049)}), "accountsServer"),
        ("?app=zoho", json!({"accessTokenLimit": 65}), "accessTokenLimit"),
        ("", json!({"apps": {"x": {"clientSecret": "s", "profile": "myspace"}}}), "myspace"),
    ];
    for (app, change, named) in cases {
        let answer = bench.put_control(app, change.clone()).await;
        assert_eq!(answer.error(), refused(400, "invalid_setting"), "{change}");
        assert!(text(&answer.json(), "error_description").contains(named), "{change}");
    }
}

#[tokio::test]
async fn another_app_of_a_provider_begins_as_the_provider_behaves() {
    let mut player = github::player("github").await;
    let own = json!({"clientSecret": "mine-secret", "redirectUris": [CALLBACK], "profile": "github_app"});
    player.bench.control(json!({"apps": {"mine": own}})).await;
    player.app = "mine";
    let answer = player.connect(&[]).await;
    assert_eq!(answer["expires_in"], 28_800);
    assert_eq!(player.open("api.github.com/user", &text(&answer, "access_token")).await.status, 200);
    // One app can't use what another was given.
    player.app = "github_app";
    assert_eq!(
        player.refresh(&text(&answer, "refresh_token")).await.error(),
        refused(200, "bad_refresh_token")
    );
    player.app = "mine";
    assert!(player.refresh(&text(&answer, "refresh_token")).await.json()["refresh_token"].is_string());
}

#[tokio::test]
async fn the_home_page_lists_every_host_that_is_played() {
    let bench = Bench::start(json!({})).await;
    let home = bench.get("/").await;
    for host in [
        "api.github.com",
        "slack.com",
        "auth.atlassian.com",
        "accounts.zohocloud.ca",
        "oauth2.googleapis.com",
        "{name}.sharepoint.com",
        "api.zoom.us",
        "www.figma.com",
    ] {
        assert!(home.text().contains(&format!("<code>/at/{host}</code>")), "{host} in {}", home.text());
    }
}
