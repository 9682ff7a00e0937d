//! Whatever a provider answers to a refresh: it ends in its class, spends nothing twice that must not be, and never
//! in a tight loop.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Own, connect, metric, refreshes, row, settle, text, tick, tick_for, token_of, works};
use crate::harness::World;

const SECOND: Duration = Duration::from_secs(1);

/// A failure, the class that it is counted under, and how many calls one reader of an expired token costs.
const FAILURES: [(&str, Option<u64>, &str, usize); 13] = [
    ("500", None, "ambiguous", 2),
    ("503", None, "throttled", 3),
    ("503", Some(120), "throttled", 1),
    ("429", None, "throttled", 3),
    ("429", Some(1), "throttled", 3),
    ("429", Some(7200), "throttled", 1),
    ("reset_before", None, "ambiguous", 2),
    ("hang", None, "ambiguous", 2),
    ("garbage", None, "malformed", 2),
    ("huge", None, "malformed", 2),
    ("redirect", None, "malformed", 2),
    ("409", None, "ambiguous", 2),
    ("invalid_client", None, "configuration", 1),
];

fn fail(kind: &str, times: u64, retry_after: Option<u64>) -> Value {
    let mut fail = json!({"kind": kind, "times": times});
    if let Some(seconds) = retry_after {
        fail["retryAfter"] = seconds.into();
    }
    json!({"fail": fail})
}

async fn quick() -> World {
    let lines = "[connect.refresh]\nbackground = false\nfirst_retry = \"10ms\"\ncall_limit = \"300ms\"\n";
    World::configured(lines).await
}

#[tokio::test]
async fn every_failure_ends_in_its_class_and_the_connection_outlives_it() {
    for (kind, retry_after, class, calls) in FAILURES {
        let world = quick().await;
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&fail(kind, calls as u64, retry_after)).await;
        let (status, code) = world.token().await.problem();
        let expected = if class == "configuration" {
            (502, "provider_configuration")
        } else {
            (503, "provider_unavailable")
        };
        assert_eq!((status, code.as_str()), expected, "{kind}");
        assert_eq!(refreshes(&world).await, calls, "{kind}");
        let counted = format!(
            "claviger_refreshes_total{{integration=\"sandbox\",outcome=\"failure\",class=\"{class}\"}}"
        );
        assert_eq!(metric(&world, &counted).await, 1, "{kind}");
        let row = world.api("/api/connections/client-7/sandbox").await.json();
        assert!(row["lastError"].is_string() && row["status"] == "expired", "{kind}: {row}");
        let longest = Duration::from_secs(retry_after.unwrap_or(10).min(3600) + 10);
        tick_for(&world, longest, SECOND * 5).await;
        assert!(works(&world, &text(&world.token().await.expect(200))).await, "{kind}");
        assert_eq!(
            world.api("/api/connections/client-7/sandbox").await.json()["lastError"],
            Value::Null,
            "{kind}"
        );
    }
}

/// The bounds: one failing flight costs up to three calls and rests at least five minutes in the end; a probe comes
/// every eight seconds at most.
#[tokio::test]
async fn no_failure_makes_a_tight_loop_of_readers_and_background() {
    for (kind, retry_after, _, _) in FAILURES {
        let world = quick().await;
        world.connect().await;
        world.pass(Duration::from_hours(2));
        // Hanging takes real time, and the sandbox's reset is as good an example of silence.
        let times = if kind == "hang" { 4 } else { 100_000 };
        world.control(&fail(kind, times, retry_after)).await;
        for _ in 0..100 {
            world.api("/api/connections/client-7/sandbox/token?wait=0s").await;
            world.pass(SECOND * 3);
            tick(&world).await;
        }
        let calls = refreshes(&world).await;
        assert!(calls <= 60, "{kind}: {calls} calls in five minutes");
        world.control(&json!({"fail": null})).await;
        let longest = Duration::from_secs(retry_after.unwrap_or(300).clamp(300, 3600) + 60);
        tick_for(&world, longest, SECOND * 20).await;
        assert!(works(&world, &text(&world.token().await.expect(200))).await, "{kind}");
    }
}

#[tokio::test]
async fn a_dead_grant_is_dead_whatever_the_status_and_connecting_again_repairs_it() {
    for kind in ["invalid_grant", "403_invalid_grant"] {
        let world = quick().await;
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&fail(kind, 1, None)).await;
        let answer = world.token().await;
        assert_eq!(answer.problem(), (409, "reconnect_required".to_owned()), "{kind}");
        assert_eq!(answer.json()["reason"], "grant_revoked");
        tick_for(&world, Duration::from_mins(30), SECOND * 30).await;
        assert_eq!(world.token().await.problem().0, 409);
        assert_eq!(refreshes(&world).await, 1, "it is never asked again");
        world.connect().await;
        assert!(works(&world, &text(&world.token().await.expect(200))).await);
        world.pass(Duration::from_hours(2));
        world.token().await.expect(200);
    }
}

#[tokio::test]
async fn the_answer_to_a_strict_rotation_that_nobody_got_is_lost_and_the_reason_says_so() {
    let world = quick().await;
    world.connect().await;
    world.pass(Duration::from_hours(2));
    world.control(&fail("reset_after", 1, None)).await;
    let answer = world.token().await;
    assert_eq!(answer.problem(), (409, "reconnect_required".to_owned()));
    assert_eq!(answer.json()["reason"], "answer_lost");
    assert_eq!(refreshes(&world).await, 2, "one replay, and no more");
    world.connect().await;
    world.token().await.expect(200);
}

/// The replay may end the whole family, the old access token with it: so it is used up first.
#[tokio::test]
async fn while_the_old_token_works_a_lost_answer_is_not_asked_for_again() {
    let world = quick().await;
    world.connect().await;
    let old = text(&world.token().await);
    world.pass(Duration::from_mins(51));
    world.control(&fail("reset_after", 1, None)).await;
    tick(&world).await;
    assert_eq!(refreshes(&world).await, 1);
    for _ in 0..30 {
        assert_eq!(text(&world.token().await.expect(200)), old);
        world.pass(SECOND * 15);
        tick(&world).await;
    }
    assert!(works(&world, &old).await);
    assert_eq!(refreshes(&world).await, 1, "with 90 seconds left");
    tick_for(&world, SECOND * 60, SECOND * 5).await;
    assert_eq!(refreshes(&world).await, 2, "in its last minute");
    let row = world.api("/api/connections/client-7/sandbox").await.json();
    assert_eq!((row["status"].as_str(), row["reason"].as_str()), (Some("broken"), Some("answer_lost")));
}

#[tokio::test]
async fn where_the_old_refresh_token_is_accepted_again_a_lost_answer_is_asked_for_again() {
    let cases = [
        ("none", "rotation = \"none\""),
        ("leeway", "rotation = \"leeway\"\nreuse_leeway_seconds = 60"),
        ("until_use", "rotation = \"until_use\""),
    ];
    for (rotation, refresh) in cases {
        let own = Own::with(refresh, "").await;
        let world = &own.world;
        world.control(&json!({"rotation": rotation, "leeway": 60})).await;
        for round in 1..=3 {
            world.pass(Duration::from_hours(2));
            world.control(&fail("reset_after", 1, None)).await;
            let token = text(&token_of(world, "own").await.expect(200));
            assert!(works(world, &token).await, "{rotation}");
            assert_eq!(refreshes(world).await, 2 * round, "{rotation}");
        }
    }
}

/// The sandbox's entry reads JSON after RFC 6749.
#[tokio::test]
async fn an_answer_in_another_shape_is_no_token_and_no_end() {
    for (shape, understood) in [("json", true), ("error_with_200", true), ("form", false), ("nested", false)]
    {
        let world = quick().await;
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&json!({"rotation": "none", "tokenFormat": shape})).await;
        if understood {
            assert!(works(&world, &text(&world.token().await.expect(200))).await, "{shape}");
        } else {
            assert_eq!(world.token().await.problem(), (503, "provider_unavailable".to_owned()), "{shape}");
            assert_eq!(row(&world, "sandbox").await.last_error.as_deref(), Some("http_200"), "{shape}");
        }
        let before = refreshes(&world).await;
        tick_for(&world, Duration::from_mins(5), SECOND).await;
        let calls = refreshes(&world).await - before;
        // A probe is answered well here and closes the circuit, so its eight seconds are no bound.
        assert!(calls <= 45, "{shape}: {calls} calls in five minutes");
        world.control(&json!({"tokenFormat": "json"})).await;
        tick_for(&world, Duration::from_mins(6), SECOND * 10).await;
        assert!(works(&world, &text(&world.token().await.expect(200))).await, "{shape}");
    }
}

#[tokio::test]
async fn a_dead_grant_that_is_told_with_200_is_dead() {
    let world = quick().await;
    world.connect().await;
    world.pass(Duration::from_hours(2));
    // The sandbox lets the grant end after 30 days.
    world.control(&json!({"tokenFormat": "error_with_200", "clockOffset": 31 * 86_400})).await;
    assert_eq!(world.token().await.problem(), (409, "reconnect_required".to_owned()));
    assert_eq!(refreshes(&world).await, 1);
}

#[tokio::test]
async fn the_ways_to_write_a_lifetime_end_in_no_loop_and_lose_nothing() {
    // A lifetime of 0 is taken for one that nobody knows.
    for (written, expires) in [("normal", true), ("string", true), ("missing", false), ("zero", false)] {
        let world = quick().await;
        world.connect().await;
        world.pass(Duration::from_hours(2));
        world.control(&json!({"expiresIn": written})).await;
        let first = text(&world.token().await.expect(200));
        assert_eq!(row(&world, "sandbox").await.expires_at.is_some(), expires, "{written}");
        tick_for(&world, Duration::from_mins(5), SECOND * 5).await;
        assert_eq!(text(&world.token().await.expect(200)), first, "{written}");
        assert_eq!(refreshes(&world).await, 1, "{written}");
        world.control(&json!({"expiresIn": "normal"})).await;
        let reported =
            json!({"rejected": data_encoding::HEXLOWER.encode(vault::TokenHash::of(&first).as_bytes())});
        let path = "/api/connections/client-7/sandbox/token";
        let next = text(&world.call(Method::POST, path, &reported).await.expect(200));
        assert!(next != first && works(&world, &next).await, "{written}");
    }
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let own = Own::with("rotation = \"none\"", "").await;
    let world = &own.world;
    world.control(&json!({"rotation": "none", "omitRefreshToken": true})).await;
    for round in 1..=3 {
        world.pass(Duration::from_hours(2));
        tick(world).await;
        settle(world).await;
        assert!(works(world, &text(&token_of(world, "own").await.expect(200))).await);
        assert_eq!(refreshes(world).await, round);
    }
    connect(world, "own").await;
    assert!(!row(world, "own").await.has_refresh_token, "a consent without one has none");
}
