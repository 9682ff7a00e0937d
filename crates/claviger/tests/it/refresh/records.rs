//! What a refresh leaves behind for those who look: log, metrics, audit trail.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{DEADLINE, force, metric, settle, tick, until_called};
use crate::harness::world::{configuration, start_sandbox};
use crate::harness::{Browser, Program, World, on_both_stores};

/// Every line of this event so far, as JSON.
fn lines(program: &Program, event: &str) -> Vec<Value> {
    let printed = program.printed();
    let lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == event).collect()
}

/// The newest line of this event; it may still be on its way.
async fn line(program: &Program, event: &str) -> Value {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        if let Some(line) = lines(program, event).pop() {
            return line;
        }
        assert!(std::time::Instant::now() < deadline, "no {event} in:\n{}", program.printed());
        tokio::task::yield_now().await;
    }
}

#[track_caller]
fn has(line: &Value, level: &str, members: &[(&str, Value)], numbers: &[&str]) {
    assert_eq!(line["level"], level, "{line}");
    for (name, value) in members {
        assert_eq!(line[*name], *value, "{name} in {line}");
    }
    for name in numbers {
        assert!(line[*name].is_i64() || line[*name].is_u64(), "{name} in {line}");
    }
}

#[tokio::test]
async fn each_event_of_the_log_carries_its_fields() {
    let (sandbox, _stop) = start_sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{port}");
    let data = folder.path().join("data");
    let lines_of_log = "[log]\nformat = \"json\"\nlevel = \"debug\"\n";
    let text = configuration(&url, &sandbox, data.to_str().unwrap(), None, lines_of_log);
    let path = folder.path().join("claviger.toml");
    std::fs::write(&path, text).unwrap();
    let program = Program::start(&["serve", "--config", path.to_str().unwrap()], &[]);
    program.line_with("public");
    let key = crate::processes::add_key(&format!("sqlite:{}", data.join("claviger.db").display())).await;
    let backend = Browser::with_key(&key);
    let steer = async |settings: Value| {
        Browser::with_key("none").json(Method::PUT, format!("{sandbox}/control"), &settings).await.expect(200)
    };
    steer(json!({"approve": "auto"})).await;
    let begun =
        backend.get(format!("{url}/api/oauth/authorize/client-7?provider=sandbox")).await.expect(200).json();
    let browser = Browser::new();
    let provider = browser.get(begun["authUrl"].as_str().unwrap()).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    browser.get(callback).await.expect(303);
    let force = async || {
        backend
            .json(Method::POST, format!("{url}/api/connections/client-7/sandbox/refresh"), &Value::Null)
            .await
    };
    let common = [("subject", json!("client-7")), ("integration", json!("sandbox"))];
    let with = |more: &[(&'static str, Value)]| [&common[..], more].concat();

    force().await.expect(200);
    let started = line(&program, "refresh.started").await;
    has(&started, "INFO", &with(&[("trigger", json!("forced"))]), &["expires_in_ms"]);
    let succeeded = line(&program, "refresh.succeeded").await;
    let facts = [("outcome", json!("success")), ("attempts", json!(1)), ("rotated", json!(true))];
    has(&succeeded, "INFO", &with(&facts), &["duration_ms", "answer_to_durable_ms"]);

    steer(json!({"fail": {"kind": "503", "times": 1}})).await;
    force().await.expect(200);
    let retrying = line(&program, "refresh.retrying").await;
    let facts = [("attempt", json!(2)), ("class", json!("throttled")), ("error", json!("http_503"))];
    has(&retrying, "WARN", &with(&facts), &["next_retry_ms"]);
    assert_eq!(line(&program, "refresh.succeeded").await["attempts"], 2);

    steer(json!({"fail": {"kind": "503", "times": 1000}})).await;
    assert_eq!(force().await.problem().0, 503);
    let exhausted = line(&program, "refresh.exhausted").await;
    let facts = [("outcome", json!("failure")), ("attempts", json!(3)), ("reason", json!("throttled"))];
    has(&exhausted, "ERROR", &with(&facts), &["duration_ms"]);
    force().await;
    let opened = line(&program, "circuit.opened").await;
    has(&opened, "ERROR", &[("integration", json!("sandbox")), ("cause", json!("provider_down"))], &[]);
    steer(json!({"fail": null})).await;
    // A probe half opens it, and the first flight that brings tokens closes it.
    let recovered = async {
        while force().await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), recovered).await.unwrap();
    let closed = line(&program, "circuit.closed").await;
    has(&closed, "INFO", &[("integration", json!("sandbox"))], &[]);

    steer(json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
    assert_eq!(force().await.problem().0, 409);
    let dead = line(&program, "refresh.dead").await;
    let facts = [
        ("outcome", json!("failure")),
        ("attempts", json!(1)),
        ("reason", json!("grant_revoked")),
        ("error", json!("invalid_grant")),
    ];
    has(&dead, "ERROR", &with(&facts), &["duration_ms"]);
    let (status, printed) = program.terminate();
    assert!(status.success(), "{printed}");
}

#[tokio::test]
async fn the_metrics_tell_how_refreshes_end_and_what_waits() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let ended = async |outcome: &str, class: &str| {
        let name = format!(
            "claviger_refreshes_total{{integration=\"sandbox\",outcome=\"{outcome}\",class=\"{class}\"}}"
        );
        metric(&world, &name).await
    };
    world.pass(Duration::from_hours(2));
    world.server.app.connect.measure_backlog().await.unwrap();
    let waiting = metric(&world, "claviger_refresh_oldest_due_seconds ").await;
    assert!((4200..=4560).contains(&waiting), "it was due {waiting} s ago");
    world.control(&json!({"latency": 500})).await;
    let (token, ()) = tokio::join!(world.token(), async {
        until_called(&world, 1).await;
        assert_eq!(metric(&world, "claviger_refreshes_in_flight ").await, 1);
        assert_eq!(metric(&world, "claviger_refresh_waiters ").await, 1);
        world.server.app.connect.measure_backlog().await.unwrap();
        assert_eq!(metric(&world, "claviger_refresh_journal_rows ").await, 1);
    });
    token.expect(200);
    settle(&world).await;
    world.server.app.connect.measure_backlog().await.unwrap();
    for gauge in
        ["refreshes_in_flight", "refresh_waiters", "refresh_journal_rows", "refresh_oldest_due_seconds"]
    {
        assert_eq!(metric(&world, &format!("claviger_{gauge} ")).await, 0, "{gauge}");
    }
    assert_eq!(ended("success", "none").await, 1);
    assert_eq!(metric(&world, "claviger_refresh_answer_to_durable_seconds_count").await, 1);

    world.control(&json!({"latency": 0, "fail": {"kind": "500", "times": 2}})).await;
    force(&world, "sandbox").await;
    assert_eq!(ended("failure", "ambiguous").await, 1);
    world.control(&json!({"fail": {"kind": "invalid_client", "times": 1}})).await;
    force(&world, "sandbox").await;
    assert_eq!(ended("failure", "configuration").await, 1);
    world.server.app.connect.probe_circuits();
    assert_eq!(
        metric(&world, "claviger_refresh_circuit_open{integration=\"sandbox\",cause=\"configuration\"}")
            .await,
        1
    );
    world.pass(Duration::from_secs(2));
    tick(&world).await;
    force(&world, "sandbox").await.expect(200);
    tick(&world).await;
    assert_eq!(metric(&world, "claviger_refresh_circuit_open{").await, 0);
    world.control(&json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
    force(&world, "sandbox").await;
    assert_eq!(ended("dead", "dead").await, 1);
}

on_both_stores! {
    async fn the_audit_trail_has_every_end_of_a_refresh(world: World) {
        world.connect().await;
        force(&world, "sandbox").await.expect(200);
        let of = |event: &Value| (event["outcome"].clone(), event["reason"].clone(), event["subject"].clone());
        let client = json!("client-7");
        let refreshed = world.audited("connection.refreshed").await;
        assert_eq!(of(&refreshed), (json!("success"), Value::Null, client.clone()));
        assert_eq!((&refreshed["target"], &refreshed["facts"]["trigger"]), (&json!("sandbox"), &json!("forced")));
        world.control(&json!({"fail": {"kind": "500", "times": 2}})).await;
        force(&world, "sandbox").await;
        let failed = world.audited("connection.refresh_failed").await;
        assert_eq!(of(&failed), (json!("failure"), json!("ambiguous"), client.clone()));
        // With a call of unknown fate before it the reason would be another one.
        world.connect().await;
        world.control(&json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
        force(&world, "sandbox").await;
        assert_eq!(of(&world.audited("connection.broken").await), (json!("failure"), json!("grant_revoked"), client));
    }
}
