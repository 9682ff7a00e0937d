//! Microsoft: one refresh token for many resources.

use serde_json::{Value, json};

use super::player::{Player, text};
use crate::harness::{Bench, refused};

const USERINFO: &str = "graph.microsoft.com/oidc/userinfo";
const ME: &str = "graph.microsoft.com/v1.0/me";
const WEB: &str = "contoso.sharepoint.com/_api/web";
const SHAREPOINT: &str = "https://contoso.sharepoint.com/.default";

async fn player() -> Player {
    Player {
        bench: Bench::start(json!({})).await,
        app: "microsoft",
        authorize: "login.microsoftonline.com/common/oauth2/v2.0/authorize",
        token: "login.microsoftonline.com/common/oauth2/v2.0/token",
        basic: false,
        asks: &[("scope", "openid email offline_access User.Read Mail.Read")],
    }
}

async fn refresh_for(player: &Player, refresh_token: &str, scope: &str) -> crate::harness::Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("scope", scope)];
    player.post(player.token, &fields).await
}

#[tokio::test]
async fn every_refresh_yields_a_new_token_and_the_old_one_goes_on_working() {
    let player = player().await;
    let back = player.ask(&[]).await;
    assert!(back.contains_key("session_state"));
    let first = player.exchange(&back["code"]).await.json();
    assert_eq!(first["ext_expires_in"], first["expires_in"]);
    let user = player.open(USERINFO, &text(&first, "access_token")).await.json();
    assert_eq!(user["email"], "anna@example.com");
    let me = player.open(ME, &text(&first, "access_token")).await.json();
    assert_eq!(
        (&me["userPrincipalName"], me["id"].as_str().map(str::len)),
        (&json!("anna@example.com"), Some(36))
    );

    let old = text(&first, "refresh_token");
    let second = player.refresh(&old).await.json();
    assert_ne!(text(&second, "refresh_token"), old);
    player.bench.advance(80 * 24 * 3600);
    for token in [old.clone(), text(&second, "refresh_token")] {
        assert_eq!(player.refresh(&token).await.status, 200);
    }
    player.bench.advance(10 * 24 * 3600);
    let dead = player.refresh(&old).await;
    assert_eq!(dead.error(), refused(400, "invalid_grant"));
    let body = dead.json();
    assert_eq!(body["error_codes"], json!([70_000]));
    for id in ["trace_id", "correlation_id"] {
        assert!(text(&body, "error_description").contains(&text(&body, id)), "{body}");
    }
}

#[tokio::test]
async fn the_scope_of_a_refresh_selects_the_only_resource_that_takes_the_token() {
    let player = player().await;
    let first = player.connect(&[]).await;
    let refresh = text(&first, "refresh_token");
    assert_eq!(player.open(WEB, &text(&first, "access_token")).await.status, 401);

    let site = refresh_for(&player, &refresh, SHAREPOINT).await.json();
    let token = text(&site, "access_token");
    assert_eq!(player.open(WEB, &token).await.json()["Url"], "https://contoso.sharepoint.com");
    for elsewhere in ["fabrikam.sharepoint.com/_api/web", ME, USERINFO] {
        assert_eq!(player.open(elsewhere, &token).await.status, 401, "{elsewhere}");
    }

    let graph =
        refresh_for(&player, &refresh, "https://graph.microsoft.com/User.Read offline_access").await.json();
    assert_eq!(graph["scope"], "openid email offline_access User.Read");
    assert_eq!(player.open(ME, &text(&graph, "access_token")).await.status, 200);
    let graph = refresh_for(&player, &refresh, "https://graph.microsoft.com/.default").await.json();
    assert_eq!(graph["scope"], first["scope"]);
    let mail = refresh_for(&player, &refresh, "Mail.Read").await.json();
    assert_eq!(player.open(ME, &text(&mail, "access_token")).await.status, 403);
}

#[tokio::test]
async fn two_resources_at_once_and_what_nobody_granted_are_refused() {
    let player = player().await;
    let refresh = text(&player.connect(&[]).await, "refresh_token");
    let cases = [
        ("User.Read https://contoso.sharepoint.com/.default", 28_000),
        ("https://contoso.sharepoint.com/.default https://fabrikam.sharepoint.com/.default", 28_000),
        ("Files.ReadWrite.All", 65_001),
        ("https://contoso.sharepoint.com/Sites.Read.All", 65_001),
        ("https://management.azure.com/.default", 65_001),
    ];
    for (scope, number) in cases {
        let answer = refresh_for(&player, &refresh, scope).await;
        assert_eq!(answer.error(), refused(400, "invalid_grant"), "{scope}");
        assert_eq!(answer.json()["error_codes"], json!([number]), "{scope}");
    }
    assert_eq!(refresh_for(&player, &refresh, "a\"b").await.error(), refused(400, "invalid_scope"));
    assert_eq!(player.refresh(&refresh).await.status, 200);
}

#[tokio::test]
async fn a_consent_over_two_resources_yields_a_token_for_the_first() {
    let player = player().await;
    let scope = "offline_access https://contoso.sharepoint.com/Sites.Read.All User.Read";
    let first = player.connect(&[("scope", scope)]).await;
    assert_eq!(first["scope"], "https://contoso.sharepoint.com/Sites.Read.All");
    assert_eq!(player.open(WEB, &text(&first, "access_token")).await.status, 200);
    let graph = refresh_for(&player, &text(&first, "refresh_token"), "User.Read").await.json();
    assert_eq!(player.open(ME, &text(&graph, "access_token")).await.status, 200);
}

#[tokio::test]
async fn without_offline_access_there_is_no_refresh_token() {
    let player = player().await;
    let answer = player.connect(&[("scope", "User.Read")]).await;
    assert_eq!(answer["refresh_token"], Value::Null);
    assert_eq!(player.open(USERINFO, &text(&answer, "access_token")).await.status, 403);
}

#[tokio::test]
async fn a_client_that_can_not_authenticate_is_told_the_number() {
    let player = player().await;
    let post = async |id: &str, secret: &str| {
        let fields = [("grant_type", "refresh_token"), ("client_id", id), ("client_secret", secret)];
        let answer = player.bench.post(&super::player::at(player.token), &fields).await;
        (answer.error(), answer.json()["error_codes"][0].clone())
    };
    assert_eq!(post("nobody", "x").await, (refused(400, "unauthorized_client"), json!(700_016)));
    assert_eq!(post("microsoft", "x").await, (refused(401, "invalid_client"), json!(7_000_215)));
    assert_eq!(post("microsoft", "").await, (refused(401, "invalid_client"), json!(7_000_218)));
}
