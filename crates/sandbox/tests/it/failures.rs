//! Bad days: each failure on demand, for as many calls as were ordered.

use std::error::Error;
use std::io;

use axum::Router;
use axum::http::Method;
use claviger_sandbox::{Sandbox, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::harness::{Bench, refused};

#[tokio::test]
async fn each_failure_looks_as_it_should_and_does_no_work() {
    let bench = Bench::start(json!({"rotation": "strict"})).await;
    let tokens = bench.connect().await;
    let cases = [
        (json!(500), 500, "text/html; charset=utf-8"),
        (json!("503"), 503, "text/html; charset=utf-8"),
        (json!(429), 429, "application/json"),
        (json!("409"), 409, "application/json"),
        (json!("invalid_grant"), 400, "application/json"),
        (json!("403_invalid_grant"), 403, "application/json"),
        (json!("invalid_client"), 401, "application/json"),
        (json!("garbage"), 200, "application/json"),
        (json!("huge"), 200, "application/json"),
        (json!("redirect"), 302, ""),
    ];
    for (kind, status, content_type) in cases {
        bench.control(json!({"fail": {"kind": kind, "retryAfter": 7}})).await;
        let answer = bench.refresh(&tokens.refresh).await;
        assert_eq!(answer.status, status, "{kind}");
        assert_eq!(answer.header("content-type"), content_type, "{kind}");
        let retry_after = if matches!(status, 429 | 503) { "7" } else { "" };
        assert_eq!(answer.header("retry-after"), retry_after, "{kind}");
        match kind.as_str() {
            Some("garbage") => assert!(str::from_utf8(&answer.body).is_err()),
            Some("huge") => assert_eq!(answer.body.len(), 10 * 1024 * 1024),
            Some("redirect") => {
                assert_eq!(answer.header("location"), format!("{}/oauth/elsewhere", bench.base));
            }
            _ => {}
        }
    }
    // Nothing was rotated by any of them.
    assert_eq!(bench.refresh(&tokens.refresh).await.status, 200);
    assert_eq!(
        bench.outcomes("token").await[1..],
        [
            "fail:500",
            "fail:503",
            "fail:429",
            "fail:409",
            "fail:invalid_grant",
            "fail:403_invalid_grant",
            "fail:invalid_client",
            "fail:garbage",
            "fail:huge",
            "fail:redirect",
            "ok"
        ]
    );
}

/// The row of the last call to the token endpoint, without what tells who and when.
async fn last_row(bench: &Bench) -> Value {
    let mut row = bench.log().await.into_iter().rfind(|row| row["endpoint"] == "token").unwrap();
    for member in ["at", "endpoint", "clientId", "scopes"] {
        row.as_object_mut().unwrap().remove(member);
    }
    row
}

#[tokio::test]
async fn a_reset_before_the_work_leaves_the_token_as_it_was() {
    let bench = Bench::start(json!({"rotation": "strict"})).await;
    let tokens = bench.connect().await;
    bench.control(json!({"fail": {"kind": "reset_before", "times": 2}})).await;
    for _ in 0..2 {
        let ended = bench.refresh_in_vain(&tokens.refresh).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let row = json!({"grantType": "refresh_token", "outcome": "fail:reset_before", "status": null});
        assert_eq!(last_row(&bench).await, row);
    }
    assert_eq!(bench.refresh(&tokens.refresh).await.status, 200);
    assert_eq!(bench.totals().await, [3, 1, 0, 0, 0]);
}

#[tokio::test]
async fn a_reset_after_the_work_loses_the_new_token() {
    let bench = Bench::start(json!({"rotation": "strict"})).await;
    let tokens = bench.connect().await;
    bench.control(json!({"fail": {"kind": "reset_after"}})).await;
    let ended = bench.refresh_in_vain(&tokens.refresh).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let row = json!({
        "grantType": "refresh_token", "outcome": "fail:reset_after", "work": "ok", "status": null,
        "rotated": true, "account": "anna@example.com",
    });
    assert_eq!(last_row(&bench).await, row);
    assert_eq!(bench.totals().await, [1, 1, 0, 0, 1]);
    // The only token that the client has is spent.
    assert_eq!(bench.refresh(&tokens.refresh).await.error(), refused(400, "invalid_grant"));
    assert_eq!(bench.totals().await, [2, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_reset_after_a_refusal_tells_the_log_what_was_refused() {
    let bench = Bench::start(json!({"rotation": "strict", "revokeFamilyOnReuse": false})).await;
    let tokens = bench.connect().await;
    bench.refresh(&tokens.refresh).await.tokens();
    bench.control(json!({"fail": {"kind": "reset_after"}})).await;
    bench.refresh_in_vain(&tokens.refresh).await.unwrap_err();
    let row = last_row(&bench).await;
    assert_eq!((&row["work"], &row["reuse"]), (&json!("invalid_grant"), &json!(true)));
    assert_eq!(bench.totals().await, [2, 1, 1, 0, 1]);
}

#[tokio::test]
async fn a_reset_reaches_a_client_that_keeps_its_connection_and_other_endpoints_too() {
    let bench = Bench::start(json!({"rotation": "none"})).await;
    let tokens = bench.connect().await;
    bench.control(json!({"fail": {"kind": "reset_after", "endpoints": ["userinfo"]}})).await;
    let request = bench.request(Method::GET, "/oauth/userinfo");
    let request = request.header("authorization", format!("Bearer {}", tokens.access));
    let error = bench.try_send(request, "").await.unwrap_err();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    assert_eq!(cause.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(bench.outcomes("userinfo").await, ["fail:reset_after"]);
    // Only the token endpoint's answers are counted.
    assert_eq!(bench.totals().await, [0; 5]);
    assert!(bench.opens(&tokens.access).await);
}

#[tokio::test]
async fn without_a_listener_of_its_own_a_reset_is_a_connection_that_closes_without_an_octet() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/sandbox", listener.local_addr().unwrap());
    let sandbox = Sandbox::new(&Url::parse(&base).unwrap(), SystemClock).unwrap();
    let router = Router::new().nest("/sandbox", sandbox.router());
    tokio::spawn(async { axum::serve(listener, router).await });
    let bench = Bench::at(base);
    let tokens = bench.connect().await;
    for kind in ["reset_before", "reset_after"] {
        bench.control(json!({"fail": {"kind": kind}})).await;
        bench.refresh_in_vain(&tokens.refresh).await.unwrap();
    }
    assert_eq!(bench.outcomes("token").await, ["ok", "fail:reset_before", "fail:reset_after"]);
    assert_eq!(bench.totals().await, [2, 1, 0, 0, 1]);
}

#[tokio::test]
async fn a_failure_lasts_as_many_calls_as_were_ordered() {
    let bench = Bench::start(json!({"rotation": "none"})).await;
    let tokens = bench.connect().await;
    bench.control(json!({"fail": {"kind": 500, "times": 2}})).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(bench.refresh(&tokens.refresh).await.status.as_u16());
        assert!(bench.opens(&tokens.access).await, "other endpoints are not meant");
    }
    assert_eq!(statuses, [500, 500, 200]);
    assert_eq!(bench.get("/control").await.json()["fail"], json!(null));
    bench.control(json!({"fail": {"kind": 500, "times": 2}})).await;
    bench.control(json!({"fail": null})).await;
    assert_eq!(bench.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn a_failure_can_be_ordered_for_other_endpoints_and_for_one_app() {
    let bench = Bench::start(json!({"rotation": "none", "apps": {"other": {"clientSecret": "x"}}})).await;
    let tokens = bench.connect().await;
    bench.control(json!({"fail": {"kind": 503, "endpoints": ["userinfo", "api"]}})).await;
    assert_eq!(bench.refresh(&tokens.refresh).await.status, 200);
    assert_eq!(bench.open("/oauth/userinfo", &tokens.access).await.status, 503);
    let answer = bench.put_control("?app=other", json!({"fail": {"kind": "500"}})).await;
    assert_eq!(answer.json()["fail"], json!({"kind": "500", "times": 1, "endpoints": ["token"]}));
    assert_eq!(bench.refresh(&tokens.refresh).await.status, 200);
    let fields = [("grant_type", "refresh_token"), ("client_id", "other"), ("client_secret", "x")];
    assert_eq!(bench.post("/oauth/token", &fields).await.status, 500);
    assert_eq!(bench.post("/oauth/token", &fields).await.error(), refused(400, "invalid_request"));
}

#[tokio::test]
async fn a_hanging_call_is_seen_in_the_log_and_holds_nobody_else() {
    let bench = std::sync::Arc::new(Bench::start(json!({"rotation": "strict"})).await);
    let tokens = bench.connect().await;
    bench.control(json!({"fail": {"kind": "hang"}})).await;
    let hanging = tokio::spawn({
        let (bench, token) = (bench.clone(), tokens.refresh.clone());
        async move { bench.refresh(&token).await }
    });
    while bench.outcomes("token").await.last().unwrap() != "fail:hang" {
        tokio::task::yield_now().await;
    }
    // The call that hangs has not rotated the token.
    assert_eq!(bench.refresh(&tokens.refresh).await.status, 200);
    assert_eq!(bench.totals().await, [2, 1, 0, 0, 0]);
    assert!(!hanging.is_finished());
    assert_eq!(
        bench.log().await.iter().find(|row| row["outcome"] == "fail:hang").unwrap()["status"],
        json!(null)
    );
    hanging.abort();
}

#[tokio::test]
async fn a_shutdown_lets_hanging_calls_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(claviger_sandbox::serve(listener, async { drop(stopped.await) }));
    let bench = std::sync::Arc::new(Bench::at(base));
    bench.control(json!({"fail": {"kind": "hang"}})).await;
    let hanging = tokio::spawn({
        let bench = bench.clone();
        async move { bench.refresh("any").await }
    });
    while bench.outcomes("token").await.is_empty() {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    assert_eq!(hanging.await.unwrap().status, 504);
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn latency_holds_back_the_answer_and_not_the_work() {
    let bench = std::sync::Arc::new(Bench::start(json!({"rotation": "strict"})).await);
    let tokens = bench.connect().await;
    bench.control(json!({"latency": 120_000})).await;
    let slow = tokio::spawn({
        let (bench, token) = (bench.clone(), tokens.refresh.clone());
        async move { bench.refresh(&token).await }
    });
    while bench.outcomes("token").await.len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(!slow.is_finished());
    slow.abort();
    // The client did not wait, but the token was rotated.
    while bench.totals().await != [1, 1, 0, 0, 1] {
        tokio::task::yield_now().await;
    }
    bench.control(json!({"latency": 0})).await;
    assert_eq!(bench.refresh(&tokens.refresh).await.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn a_listener_that_others_reach_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = claviger_sandbox::serve(listener, std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
}
