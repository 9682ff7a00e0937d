//! `simulate-failure`: a grant dies for real, everybody sees what they would see, and afterwards everything is as before.

use std::time::Duration;

use axum::http::Method;
use model::ApiKeyScope;
use serde_json::{Value, json};

use crate::harness::{Answer, Browser, ThirdParty, World, on_both_stores};
use crate::refresh::{Own, force, metric, own_lines, refreshes, row, text, token_of, works};

mod meanwhile;

const PATH: &str = "/api/connections/client-7/sandbox/simulate-failure";

/// Played although the sandbox rotates strictly.
pub(crate) async fn drill(world: &World) -> Answer {
    world.call(Method::POST, PATH, &json!({"yesReally": true})).await
}

/// The same, step by step.
async fn steps(world: &World) -> Vec<Value> {
    let headers = [("content-type", "application/json"), ("accept", "application/jsonl")];
    let body = json!({"yesReally": true}).to_string();
    let told = world.backend.send(Method::POST, &world.path(PATH), &headers, body.into()).await.expect(200);
    told.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The connection as the API shows it.
async fn shown(world: &World) -> Value {
    world.api("/api/connections/client-7/sandbox").await.expect(200).json()
}

/// How the refreshes ended that reached the sandbox.
async fn outcomes(world: &World) -> Vec<String> {
    let log = Browser::with_key("none").get(format!("{}/control/log", world.sandbox)).await.json();
    let refreshes = log.as_array().unwrap().iter().filter(|row| row["grantType"] == "refresh_token");
    refreshes.map(|row| row["outcome"].as_str().unwrap().to_owned()).collect()
}

/// Everything that the audit trail says of drills and of deaths, the oldest first.
pub(crate) async fn trail(world: &World) -> Vec<(String, String)> {
    let wanted = |event: &str| {
        event.starts_with("drill.") || event == "connection.broken" || event.ends_with("_failed")
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let events = world.audit().await;
    let events = events.iter().map(|event| (text(&event["event"]), text(&event["reason"])));
    let mut events: Vec<_> = events.filter(|(event, _)| wanted(event)).collect();
    events.reverse();
    events
}

pub(crate) fn said(events: &[(&str, &str)]) -> Vec<(String, String)> {
    events.iter().map(|(event, reason)| ((*event).to_owned(), (*reason).to_owned())).collect()
}

on_both_stores! {
    async fn a_grant_dies_for_a_moment_and_everything_is_as_before(world: World) {
        world.control(&json!({"rotation": "strict", "revokeFamilyOnReuse": true})).await;
        world.connect().await;
        let token = text(&world.token().await);
        let before = (shown(&world).await, row(&world, "sandbox").await.due_at);
        let counted = metric(&world, "claviger_refreshes_total").await;

        let shown_then = drill(&world).await.expect(200).json();
        let took = shown_then["answer"]["tookMs"].as_u64().unwrap();
        let page = shown_then["page"].as_str().unwrap();
        assert!(page.starts_with("Needs you again. Sandbox ended ") && page.ends_with("Connect again to go on."), "{page}");
        assert_eq!(shown_then, json!({
            "outcome": "dead",
            "answer": {"error": "invalid_grant", "class": "dead", "tookMs": took},
            "attempts": 1,
            "backend": {"status": 409, "code": "reconnect_required", "reason": "grant_revoked"},
            "page": shown_then["page"],
            "restored": true,
        }));

        assert_eq!(outcomes(&world).await, ["invalid_grant"], "the provider itself said no, once");
        assert_eq!((shown(&world).await, row(&world, "sandbox").await.due_at), before);
        assert_eq!(text(&world.token().await.expect(200)), token);
        assert_eq!(metric(&world, "claviger_refreshes_total").await, counted, "nothing is counted");
        assert_eq!(metric(&world, "claviger_refreshes_in_flight").await, 0);
        assert_eq!(world.api("/api/refreshing").await.json()["openCircuits"], json!([]));
        assert_eq!(trail(&world).await, said(&[("drill.began", ""), ("drill.ended", "dead")]));
        let ended = world.audited("drill.ended").await;
        assert_eq!((&ended["outcome"], &ended["actor"]["type"]), (&json!("success"), &json!("api_key")));
        assert_eq!(ended["facts"]["error"], "invalid_grant");

        force(&world, "sandbox").await.expect(200);
        let next = text(&world.token().await.expect(200));
        assert!(next != token && works(&world, &next).await, "the refresh token is the one that it was");
        assert_eq!(outcomes(&world).await, ["invalid_grant", "ok"]);
    }

    async fn every_step_is_told_and_none_tells_a_secret(world: World) {
        world.connect().await;
        let token = text(&world.token().await);
        let told = steps(&world).await;
        let (last, steps) = told.split_last().unwrap();
        let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
        assert_eq!(names, ["set_aside", "calling", "answered", "backend_gets", "page_says", "restored"]);
        let times: Vec<u64> = steps.iter().map(|step| step["elapsedMs"].as_u64().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(steps[1]["attempt"], 1);
        assert_eq!((&steps[2]["error"], &steps[2]["class"]), (&json!("invalid_grant"), &json!("dead")));
        assert_eq!((&steps[3]["status"], &steps[3]["reason"]), (&json!(409), &json!("grant_revoked")));
        assert_eq!(steps[4]["page"], last["result"]["page"]);
        assert_eq!(last["result"]["restored"], true);
        let text = Value::Array(told).to_string();
        assert!(!text.contains("sbx_") && !text.contains(&token), "{text}");
    }

    async fn many_drills_are_no_burst_and_open_no_circuit(world: World) {
        world.connect().await;
        for _ in 0..15 {
            assert_eq!(drill(&world).await.expect(200).json()["outcome"], "dead");
        }
        assert_eq!(world.api("/api/refreshing").await.json()["openCircuits"], json!([]));
        world.pass(Duration::from_hours(2));
        world.control(&json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
        assert_eq!(world.token().await.problem(), (409, "reconnect_required".to_owned()), "a real death is believed");
    }
}

#[tokio::test]
async fn the_customers_page_is_told_in_the_callers_language() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let headers = [("content-type", "application/json"), ("accept-language", "et")];
    let body = json!({"yesReally": true}).to_string();
    let told = world.backend.send(Method::POST, &world.path(PATH), &headers, body.into()).await.expect(200);
    let page = told.json()["page"].as_str().unwrap().to_owned();
    assert!(page.contains("Sandbox") && !page.contains("Needs you"), "{page}");
}

#[tokio::test]
async fn a_strict_provider_needs_a_word_more_and_a_mistaken_one_does_nothing() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let before = shown(&world).await;
    for (body, expected) in [
        (json!({}), (409, "grant_at_risk")),
        (json!({"yesReally": false}), (409, "grant_at_risk")),
        (json!({"yesReally": "yes"}), (422, "validation_failed")),
        (json!({"yesreally": true}), (422, "validation_failed")),
        (json!([true]), (422, "validation_failed")),
    ] {
        let (status, code) = world.call(Method::POST, PATH, &body).await.problem();
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
    let bare = world.backend.send(Method::POST, &world.path(PATH), &[], "".into()).await;
    assert_eq!(bare.problem(), (409, "grant_at_risk".to_owned()), "no body, no word");
    assert_eq!(bare.json()["integration"], "sandbox");
    assert_eq!(refreshes(&world).await, 0);
    assert_eq!(shown(&world).await, before);
    assert_eq!(trail(&world).await, []);
}

#[tokio::test]
async fn where_the_refresh_token_stays_no_word_more_is_needed() {
    for (refresh, risk) in [
        ("rotation = \"none\"", false),
        ("rotation = \"leeway\"\nreuse_leeway_seconds = 600", false),
        ("rotation = \"until_use\"", false),
        ("rotation = \"strict\"", true),
        ("", true),
    ] {
        let Own { world, .. } = &Own::with(refresh, "").await;
        let path = "/api/connections/client-7/own/simulate-failure";
        let answer = world.backend.send(Method::POST, &world.path(path), &[], "".into()).await;
        if risk {
            assert_eq!(answer.problem(), (409, "grant_at_risk".to_owned()), "{refresh}");
        } else {
            assert_eq!(answer.expect(200).json()["backend"]["code"], "reconnect_required", "{refresh}");
        }
        force(world, "own").await.expect(200);
        assert!(works(world, &text(&token_of(world, "own").await.expect(200))).await);
    }
}

#[tokio::test]
async fn only_an_admin_plays_and_only_with_what_can_be_refreshed() {
    let world = World::on_sqlite().await;
    let missing = (404, "connection_not_found".to_owned());
    assert_eq!(drill(&world).await.problem(), missing);
    world.connect().await;
    for scope in ApiKeyScope::ALL.iter().filter(|scope| **scope != ApiKeyScope::Admin) {
        let backend = world.backend_with(*scope).await;
        let answer = backend.json(Method::POST, world.path(PATH), &json!({"yesReally": true})).await;
        assert_eq!(answer.problem(), (403, "insufficient_scope".to_owned()), "{scope}");
    }
    let other = format!("{PATH}?label=second");
    assert_eq!(world.call(Method::POST, &other, &json!({"yesReally": true})).await.problem(), missing);

    let hold = json!({"state": "held", "reason": "a backup"});
    world.call(Method::PUT, "/api/refreshing", &hold).await.expect(200);
    assert_eq!(drill(&world).await.problem(), (503, "refreshing_held".to_owned()));
    world.call(Method::PUT, "/api/refreshing", &json!({"state": "on"})).await.expect(200);
    assert_eq!(refreshes(&world).await, 0);

    let path = "/api/connections/client-7/sandbox";
    world.call(Method::PUT, path, &json!({"accessToken": "alone"})).await.expect(200);
    assert_eq!(drill(&world).await.problem(), (409, "no_refresh_token".to_owned()));
    world.call(Method::PUT, path, &json!({"refreshToken": "spent"})).await.expect(200);
    assert_eq!(world.token().await.problem(), (409, "reconnect_required".to_owned()));
    let broken = drill(&world).await;
    assert_eq!(broken.problem(), (409, "reconnect_required".to_owned()));
    assert_eq!(broken.json()["reason"], "grant_revoked", "its usual problem");
    world.call(Method::DELETE, path, &Value::Null).await.expect(200);
    assert_eq!(drill(&world).await.problem(), missing);
    assert!(trail(&world).await.iter().all(|(event, _)| !event.starts_with("drill.")));
}

/// Kind, outcome, class, calls, the code that the backend gets once the access token is over.
const OTHER_ANSWERS: [(&str, &str, &str, u64, &str); 5] = [
    ("500", "unavailable", "ambiguous", 2, "provider_unavailable"),
    ("503", "unavailable", "throttled", 3, "provider_unavailable"),
    ("garbage", "unavailable", "malformed", 2, "provider_unavailable"),
    ("reset_before", "unavailable", "ambiguous", 2, "provider_unavailable"),
    ("invalid_client", "configuration", "configuration", 1, "provider_configuration"),
];

on_both_stores! {
    async fn what_is_no_verdict_is_told_as_it_is_and_leaves_nothing_behind(world: World) {
        world.connect().await;
        let before = shown(&world).await;
        let live = steps_of(&world, "500").await;
        assert_eq!(live["backend"], json!({"status": 200, "code": null, "reason": null}), "what is good is good");
        assert_eq!(live["page"], "Connected");
        assert_eq!(shown(&world).await, before);
        world.pass(Duration::from_hours(2));
        let before = shown(&world).await;
        for (kind, outcome, class, calls, code) in OTHER_ANSWERS {
            let told = steps_of(&world, kind).await;
            assert_eq!((&told["outcome"], &told["answer"]["class"]), (&json!(outcome), &json!(class)), "{kind}");
            assert_eq!(told["attempts"], calls, "{kind}: as often as any flight");
            let status = if outcome == "configuration" { 502 } else { 503 };
            assert_eq!(told["backend"], json!({"status": status, "code": code, "reason": null}), "{kind}");
            assert_eq!(told["restored"], true, "{kind}");
            assert_eq!(shown(&world).await, before, "{kind}: no error, no rest, no other due time");
        }
        assert_eq!(world.api("/api/refreshing").await.json()["openCircuits"], json!([]));
        world.control(&json!({"fail": null})).await;
        assert!(works(&world, &text(&world.token().await.expect(200))).await);
        assert!(trail(&world).await.iter().all(|(event, _)| event.starts_with("drill.")));
    }
}

/// A drill at a provider that fails so.
async fn steps_of(world: &World, kind: &str) -> Value {
    world.control(&json!({"fail": {"kind": kind, "times": 20}})).await;
    drill(world).await.expect(200).json()
}

#[tokio::test]
async fn a_provider_that_gives_tokens_for_anything_is_found_out_and_its_tokens_are_dropped() {
    let party = ThirdParty::answering(500).await;
    let folder = tempfile::tempdir().unwrap();
    let lines = own_lines(folder.path(), &party.url, "rotation = \"none\"", "");
    let entry = folder.path().join("own.toml");
    let text = std::fs::read_to_string(&entry).unwrap().replace("/oauth/token", "/token");
    std::fs::write(&entry, text).unwrap();
    let world = World::reaching(&[party.host()], &lines).await;
    let path = "/api/connections/client-7/own";
    let tokens = json!({"accessToken": "old-access", "refreshToken": "old-refresh-token-0123456789"});
    world.call(Method::PUT, path, &tokens).await.expect(200);
    let before = world.api(path).await.json();
    let told =
        world.call(Method::POST, &format!("{path}/simulate-failure"), &json!({})).await.expect(200).json();
    assert_eq!(told["outcome"], "tokens");
    assert_eq!((&told["answer"]["error"], &told["answer"]["class"]), (&Value::Null, &Value::Null));
    assert_eq!((&told["backend"]["status"], &told["restored"]), (&json!(200), &json!(true)));
    let asked = party.asked();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].body.contains("refresh_token=old-") && !asked[0].body.contains("old-refresh"),
        "{asked:?}"
    );
    assert_eq!(world.api(path).await.json(), before);
    assert_eq!(token_of(&world, "own").await.json()["access_token"], "old-access", "nothing is kept");
    force(&world, "own").await.expect(200);
    assert!(party.asked()[1].body.contains("refresh_token=old-refresh-token-0123456789"));
}

#[tokio::test]
async fn a_drill_is_about_one_connection() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let second = "/api/connections/client-7/sandbox?label=second";
    let tokens = json!({"accessToken": "of-the-second", "refreshToken": "of-the-second-too"});
    world.call(Method::PUT, second, &tokens).await.expect(200);
    let before = (shown(&world).await, world.api(second).await.json());
    drill(&world).await.expect(200);
    assert_eq!((shown(&world).await, world.api(second).await.json()), before);
    let path = format!("{PATH}?label=second");
    let told = world.call(Method::POST, &path, &json!({"yesReally": true})).await.expect(200).json();
    assert_eq!((&told["outcome"], &told["restored"]), (&json!("dead"), &json!(true)));
    assert_eq!((shown(&world).await, world.api(second).await.json()), before);
    assert_eq!(outcomes(&world).await.len(), 2);
    force(&world, "sandbox").await.expect(200);
}
