//! What a refresh does to the refresh token, and what becomes of one that comes back.

use serde_json::{Value, json};

use crate::harness::{Bench, refused};

#[tokio::test]
async fn without_rotation_the_refresh_token_stays() {
    let bench = Bench::start(json!({"rotation": "none"})).await;
    let tokens = bench.connect().await;
    for _ in 0..3 {
        let again = bench.refresh(&tokens.refresh).await.tokens();
        assert_eq!(again.refresh, tokens.refresh);
        assert_ne!(again.access, tokens.access);
        assert!(bench.opens(&again.access).await);
    }
    assert!(bench.opens(&tokens.access).await);
}

#[tokio::test]
async fn strict_rotation_kills_the_old_refresh_token_at_once() {
    let bench = Bench::start(json!({"rotation": "strict", "revokeFamilyOnReuse": false})).await;
    let first = bench.connect().await;
    let second = bench.refresh(&first.refresh).await.tokens();
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(bench.refresh(&first.refresh).await.error(), refused(400, "invalid_grant"));
    // Without family revocation the reuse hurts nobody else.
    assert!(bench.opens(&second.access).await);
    assert_eq!(bench.refresh(&second.refresh).await.status, 200);
}

#[tokio::test]
async fn reuse_of_a_strictly_rotated_refresh_token_ends_the_family() {
    let bench = Bench::start(json!({"rotation": "strict", "revokeFamilyOnReuse": true})).await;
    let (first, stranger) = (bench.connect().await, bench.connect().await);
    let second = bench.refresh(&first.refresh).await.tokens();
    assert_eq!(bench.refresh(&first.refresh).await.error(), refused(400, "invalid_grant"));
    assert_eq!(bench.refresh(&second.refresh).await.error(), refused(400, "invalid_grant"));
    assert!(!bench.opens(&second.access).await);
    // Another consent of the same person lives on.
    assert!(bench.opens(&stranger.access).await);
}

#[tokio::test]
async fn within_the_leeway_the_old_refresh_token_works_again() {
    let bench = Bench::start(json!({"rotation": "leeway", "leeway": 30, "revokeFamilyOnReuse": true})).await;
    let first = bench.connect().await;
    let second = bench.refresh(&first.refresh).await.tokens();
    bench.advance(29);
    let replayed = bench.refresh(&first.refresh).await.tokens();
    assert_ne!(replayed.refresh, second.refresh);
    // The replay did not lengthen the leeway, which counts from the first use.
    bench.advance(1);
    assert_eq!(bench.refresh(&first.refresh).await.error(), refused(400, "invalid_grant"));
    for token in [&second.refresh, &replayed.refresh] {
        assert_eq!(bench.refresh(token).await.error(), refused(400, "invalid_grant"));
    }
}

#[tokio::test]
async fn late_reuse_without_family_revocation_leaves_the_new_one_alive() {
    let bench = Bench::start(json!({"rotation": "leeway", "leeway": 30, "revokeFamilyOnReuse": false})).await;
    let first = bench.connect().await;
    let second = bench.refresh(&first.refresh).await.tokens();
    bench.advance(30);
    assert_eq!(bench.refresh(&first.refresh).await.error(), refused(400, "invalid_grant"));
    assert_eq!(bench.refresh(&second.refresh).await.status, 200);
}

#[tokio::test]
async fn until_use_the_old_refresh_token_works_however_late() {
    let bench = Bench::start(json!({"rotation": "until_use", "revokeFamilyOnReuse": false})).await;
    let first = bench.connect().await;
    bench.refresh(&first.refresh).await.tokens();
    bench.advance(24 * 3600);
    let second = bench.refresh(&first.refresh).await.tokens();
    bench.refresh(&second.refresh).await.tokens();
    assert_eq!(bench.refresh(&first.refresh).await.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn the_new_access_tokens_first_use_retires_the_old_refresh_token() {
    let bench = Bench::start(json!({"rotation": "until_use"})).await;
    let first = bench.connect().await;
    let second = bench.refresh(&first.refresh).await.tokens();
    // Introspection is not use.
    let introspected = bench.client_post("/oauth/introspect", &[("token", &second.access)]).await;
    assert_eq!(introspected.json()["active"], true);
    let third = bench.refresh(&first.refresh).await.tokens();
    assert!(bench.opens(&third.access).await);
    assert_eq!(bench.refresh(&first.refresh).await.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn a_refresh_can_end_the_old_access_token() {
    let bench = Bench::start(json!({"killOldAccessTokenOnRefresh": true})).await;
    let first = bench.connect().await;
    let second = bench.refresh(&first.refresh).await.tokens();
    assert!(!bench.opens(&first.access).await);
    assert!(bench.opens(&second.access).await);
}

#[tokio::test]
async fn a_refresh_answer_without_a_refresh_token_keeps_the_old_one() {
    let bench = Bench::start(json!({"rotation": "strict"})).await;
    let first = bench.connect().await;
    bench.control(json!({"omitRefreshToken": true})).await;
    for _ in 0..2 {
        let body = bench.refresh(&first.refresh).await.json();
        assert_eq!(body.get("refresh_token"), None);
    }
    let offline = bench.exchange(&bench.code().await).await.json();
    assert_eq!(offline.get("refresh_token"), None);
}

#[tokio::test]
async fn tokens_expire_by_their_lifetimes() {
    let bench = Bench::start(json!({"accessTokenTtl": 60, "refreshTokenTtl": 100})).await;
    let tokens = bench.connect().await;
    bench.advance(59);
    assert!(bench.opens(&tokens.access).await);
    bench.advance(1);
    assert!(!bench.opens(&tokens.access).await);
    let renewed = bench.refresh(&tokens.refresh).await.tokens();
    bench.advance(100);
    assert_eq!(bench.refresh(&renewed.refresh).await.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn the_clock_offset_ages_tokens_but_not_the_log() {
    let bench = Bench::start(json!({"accessTokenTtl": 60})).await;
    let tokens = bench.connect().await;
    bench.control(json!({"clockOffset": 60})).await;
    assert!(!bench.opens(&tokens.access).await);
    bench.control(json!({"clockOffset": 0})).await;
    assert!(bench.opens(&tokens.access).await);
    assert!(bench.log().await.iter().all(|row| row["at"] == "2026-11-21T07:30:00.000Z"));
}

#[tokio::test]
async fn another_apps_refresh_token_is_refused_and_unharmed() {
    let bench = Bench::start(json!({"apps": {"other": {"clientSecret": "other-secret"}}})).await;
    let tokens = bench.connect().await;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &tokens.refresh),
        ("client_id", "other"),
        ("client_secret", "other-secret"),
    ];
    assert_eq!(bench.post("/oauth/token", &fields).await.error(), refused(400, "invalid_grant"));
    assert_eq!(bench.refresh(&tokens.refresh).await.status, 200);
}

/// The flags of all refreshes in the log: rotated, reuse, family revoked.
async fn flags(bench: &Bench) -> Vec<[bool; 3]> {
    let flags = |row: &Value| {
        ["rotated", "reuse", "familyRevoked"].map(|name| {
            assert_ne!(row.get(name), Some(&json!(false)), "what is false is left out");
            row.get(name) == Some(&json!(true))
        })
    };
    bench.log().await.iter().filter(|row| row["grantType"] == "refresh_token").map(flags).collect()
}

#[tokio::test]
async fn the_log_shows_a_spent_refresh_token_that_comes_back() {
    const ROTATED: [bool; 3] = [true, false, false];
    let cases = [
        // What the second presentation of the first token does
        (json!({"rotation": "none"}), [false, false, false], [0, 0, 0]),
        (json!({"rotation": "leeway"}), [true, true, false], [2, 1, 0]),
        (json!({"rotation": "leeway", "leeway": 0}), [false, true, true], [1, 1, 1]),
        (json!({"rotation": "until_use"}), [true, true, false], [2, 1, 0]),
        (json!({"rotation": "strict"}), [false, true, true], [1, 1, 1]),
        (json!({"rotation": "strict", "revokeFamilyOnReuse": false}), [false, true, false], [1, 1, 0]),
    ];
    for (settings, second, totals) in cases {
        let bench = Bench::start(settings.clone()).await;
        let tokens = bench.connect().await;
        bench.refresh(&tokens.refresh).await.tokens();
        bench.refresh(&tokens.refresh).await;
        let first = if totals[0] == 0 { [false; 3] } else { ROTATED };
        assert_eq!(flags(&bench).await, [first, second], "{settings}");
        let [rotated, reuse, revoked] = totals;
        assert_eq!(bench.totals().await, [2, rotated, reuse, revoked, 0], "{settings}");
    }
}

#[tokio::test]
async fn an_overtaken_refresh_token_is_spent_although_it_was_never_exchanged() {
    let bench = Bench::start(json!({"rotation": "until_use", "revokeFamilyOnReuse": false})).await;
    let first = bench.connect().await;
    let lost = bench.refresh(&first.refresh).await.tokens();
    let found = bench.refresh(&first.refresh).await.tokens();
    assert!(bench.opens(&found.access).await);
    assert_eq!(bench.refresh(&lost.refresh).await.error(), refused(400, "invalid_grant"));
    assert_eq!(flags(&bench).await.last(), Some(&[false, true, false]));
}

#[tokio::test]
async fn what_is_no_reuse_is_not_counted_as_one() {
    let bench = Bench::start(json!({"refreshTokenTtl": 60})).await;
    let tokens = bench.connect().await;
    bench.refresh("nonsense").await;
    bench.client_post("/oauth/token", &[("grant_type", "refresh_token")]).await;
    bench.control(json!({"fail": {"kind": 500}})).await;
    bench.refresh(&tokens.refresh).await;
    bench.advance(60);
    assert_eq!(bench.refresh(&tokens.refresh).await.error(), refused(400, "invalid_grant"));
    assert_eq!(bench.totals().await, [4, 0, 0, 0, 0]);
}
