//! What happens without anybody asking: recovery, idleness, keep-alive, the end of grants.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use claviger::config::Flags;
use claviger::server::{Listeners, Server};
use model::{Clock, FixedClock, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    DEADLINE, Own, force, metric, own_lines, refreshes, row, settle, text, tick, tick_for, token_of, works,
};
use crate::harness::browser::parameter;
use crate::harness::world::{configuration, start_sandbox};
use crate::harness::{Browser, World, on_both_stores};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// What nobody uses for two days is idle.
const IDLE: &str = "[connect.refresh]\nbackground = false\nfirst_retry = \"10ms\"\ncall_limit = \"1s\"\n\
                    idle_after = \"2d\"\n";

on_both_stores! {
    /// The best-known system of this kind withholds a token that still works while the provider is down.
    async fn while_the_provider_is_down_no_read_is_refused_and_its_return_is_noticed_without_any(world: World) {
        world.connect().await;
        let old = text(&world.token().await);
        // Due by now, wherever the dice put it.
        world.pass(Duration::from_mins(51));
        world.control(&json!({"fail": {"kind": "500", "times": 100_000}})).await;
        for _ in 0..32 {
            assert_eq!(text(&world.token().await.expect(200)), old);
            world.pass(SECOND * 15);
            tick(&world).await;
        }
        assert_eq!(metric(&world, "claviger_refresh_circuit_open{integration=\"sandbox\"").await, 1);
        let spent = metric(&world, "claviger_refreshes_total").await;
        assert!((2..=5).contains(&spent), "{spent} flights in eight minutes: the probes found out the rest");
        world.control(&json!({"fail": null})).await;
        tick_for(&world, SECOND * 10, SECOND).await;
        let fresh = row(&world, "sandbox").await.refreshed_at.expect("it was refreshed without anybody");
        assert!(world.clock.now().since(fresh) < SECOND * 11);
        let new = text(&world.token().await.expect(200));
        assert!(new != old && works(&world, &new).await);
    }

    async fn what_is_due_is_refreshed_before_anybody_asks(world: World) {
        world.connect().await;
        let old = text(&world.token().await);
        world.pass(Duration::from_mins(43));
        tick(&world).await;
        assert_eq!(refreshes(&world).await, 0, "it is not due before 44 minutes");
        tick_for(&world, Duration::from_mins(8), SECOND * 30).await;
        assert_eq!(refreshes(&world).await, 1);
        assert_ne!(text(&world.token().await), old);
    }
}

/// With the real timers: the clock is moved once, and nobody does anything else.
#[tokio::test]
async fn the_timers_of_the_server_refresh_what_is_due() {
    let lines = "[connect.refresh]\nbackground = true\nfirst_retry = \"10ms\"\ncall_limit = \"3s\"\n";
    let world = World::configured(lines).await;
    world.connect().await;
    world.pass(Duration::from_mins(51));
    let deadline = std::time::Instant::now() + DEADLINE;
    while row(&world, "sandbox").await.refreshed_at.is_none() {
        assert!(std::time::Instant::now() < deadline, "the timers did nothing");
        tokio::task::yield_now().await;
    }
    assert_eq!(refreshes(&world).await, 1);
}

/// A provider that notes what it is asked, and works or does not.
#[derive(Clone, Default)]
struct Provider {
    bodies: Arc<Mutex<Vec<String>>>,
    works: Arc<AtomicBool>,
    tokens: Arc<AtomicUsize>,
}

impl Provider {
    fn answer(&self, body: String) -> (StatusCode, [(&'static str, &'static str); 1], String) {
        let spends = body.contains("refresh_token=");
        self.bodies.lock().unwrap().push(body);
        let json = [("content-type", "application/json")];
        if !self.works.load(Ordering::SeqCst) {
            return (StatusCode::BAD_GATEWAY, json, String::new());
        }
        if !spends {
            return (StatusCode::BAD_REQUEST, json, json!({"error": "invalid_request"}).to_string());
        }
        let number = self.tokens.fetch_add(1, Ordering::SeqCst);
        let tokens = json!({"access_token": format!("at-{number}"), "refresh_token": format!("rt-{number}"),
                            "token_type": "Bearer", "expires_in": 3600});
        (StatusCode::OK, json, tokens.to_string())
    }

    /// Calls so far, and how many of them carried a refresh token.
    fn calls(&self) -> (usize, usize) {
        let bodies = self.bodies.lock().unwrap();
        (bodies.len(), bodies.iter().filter(|body| body.contains("refresh_token=")).count())
    }
}

#[tokio::test]
async fn an_open_circuit_fails_fast_spends_nothing_and_its_closing_hastens_all_who_waited() {
    let provider = Provider::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let there = provider.clone();
    let service = axum::Router::new().fallback(async move |body: String| there.answer(body));
    tokio::spawn(async move { axum::serve(listener, service).await });
    let lines = format!(
        "[integrations.down]\nprovider = \"sandbox\"\nclient_id = \"x\"\nclient_secret = \"y\"\n\
         parameters = {{ sandbox_url = \"http://{host}\" }}\n"
    );
    let world = World::reaching(&[&host], &lines).await;
    let past = json!({"accessToken": "old", "refreshToken": "rt", "expiresAt": "2020-01-01T00:00:00Z"});
    let subject = |number: usize| format!("/api/connections/client-{number}/down");
    for number in 0..6 {
        world.call(axum::http::Method::PUT, &subject(number), &past).await.expect(200);
    }
    let read = async |number: usize| world.api(&format!("{}/token", subject(number))).await;
    // Two calls each: the strictest provider is asked at most twice by a flight.
    for number in 0..3 {
        assert_eq!(read(number).await.problem(), (503, "provider_unavailable".to_owned()));
    }
    assert_eq!(provider.calls(), (6, 6));
    for number in 0..6 {
        let answer = read(number).await;
        assert_eq!(answer.problem(), (503, "provider_unavailable".to_owned()));
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    assert_eq!(provider.calls(), (6, 6), "callers fail fast");
    tick_for(&world, Duration::from_mins(2), SECOND).await;
    let (calls, spending) = provider.calls();
    assert_eq!(spending, 6, "a probe carries no refresh token");
    assert!((6 + 14..6 + 20).contains(&calls), "{calls}: a probe every eight seconds at most");
    provider.works.store(true, Ordering::SeqCst);
    tick_for(&world, SECOND * 9, SECOND).await;
    // The first three had failed and waited for a later time; the others are in the queue as before.
    tick_for(&world, SECOND * 30, SECOND).await;
    assert_eq!(provider.calls().1, 6 + 6, "all six, once each");
    for number in 0..6 {
        assert!(text(&read(number).await.expect(200)).starts_with("at-"));
    }
    assert_eq!(metric(&world, "claviger_refresh_circuit_open{").await, 0);
}

#[tokio::test]
async fn the_closing_of_a_circuit_hastens_what_had_been_put_off_for_minutes() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.pass(Duration::from_mins(51));
    world.control(&json!({"fail": {"kind": "503", "times": 100_000, "retryAfter": 20}})).await;
    for _ in 0..5 {
        // Retry-After is longer than a flight waits: one call each.
        force(&world, "sandbox").await;
    }
    settle(&world).await;
    assert_eq!(refreshes(&world).await, 5);
    world.control(&json!({"fail": {"kind": "503", "times": 1, "retryAfter": 300}})).await;
    world.pass(SECOND * 21);
    world.server.app.connect.probe_circuits();
    settle(&world).await;
    tick_for(&world, Duration::from_mins(4), SECOND * 10).await;
    assert_eq!(
        refreshes(&world).await,
        6,
        "one probe, which was told to leave the provider alone for five minutes"
    );
    tick_for(&world, SECOND * 70, SECOND).await;
    assert!(row(&world, "sandbox").await.refreshed_at.is_some());
    assert_eq!(refreshes(&world).await, 8, "a probe, and one refresh");
}

#[tokio::test]
async fn what_nobody_uses_is_left_to_demand_and_a_read_brings_it_back() {
    let world = World::configured(IDLE).await;
    world.control(&json!({"accessTokenTtl": 6 * 3600})).await;
    world.connect().await;
    tick_for(&world, DAY * 3, HOUR).await;
    let busy = refreshes(&world).await;
    assert!(
        (7..=9).contains(&busy),
        "{busy} refreshes in two days of six-hour tokens, and none on the third"
    );
    tick_for(&world, DAY * 5, HOUR).await;
    assert_eq!(refreshes(&world).await, busy, "nobody uses it");
    assert_eq!(row(&world, "sandbox").await.due_at, None);
    assert!(works(&world, &text(&world.token().await.expect(200))).await);
    assert_eq!(refreshes(&world).await, busy + 1, "on demand it is refreshed");
    world.server.app.connect.note_uses().await.unwrap();
    tick_for(&world, DAY, HOUR).await;
    assert!(refreshes(&world).await > busy + 3, "and is in use again");
}

#[tokio::test]
async fn what_would_die_of_inactivity_is_kept_alive_although_nobody_uses_it() {
    let own = Own::with("rotation = \"strict\"\ninactivity_seconds = 1814400", IDLE).await;
    let world = &own.world;
    tick_for(world, DAY * 3, HOUR).await;
    let busy = refreshes(world).await;
    tick_for(world, DAY * 28, HOUR * 6).await;
    let kept = refreshes(world).await - busy;
    assert!((4..=5).contains(&kept), "{kept} times in 28 days: once a week or a little more often");
    token_of(world, "own").await.expect(200);
}

on_both_stores! {
    async fn a_use_is_written_down_once_a_day_and_not_at_each_read(world: World) {
        world.connect().await;
        let used_at = async || {
            let standing = world.server.app.store.connections.standing(&super::key("sandbox")).await.unwrap();
            standing.unwrap().used_at.unwrap()
        };
        let read = async || {
            world.token().await.expect(200);
            world.server.app.connect.note_uses().await.unwrap();
        };
        let consented = used_at().await;
        world.pass(HOUR * 23);
        read().await;
        assert_eq!(used_at().await, consented, "it is known to be in use");
        world.pass(HOUR * 2);
        read().await;
        assert_eq!(used_at().await, world.clock.now());
    }
}

/// A replica on one database, with a data directory of its own.
async fn replica(
    text: &str,
    folder: &std::path::Path,
    listener: TcpListener,
    clock: Arc<FixedClock>,
) -> Server {
    std::fs::create_dir(folder).unwrap();
    let path = folder.join("claviger.toml");
    let data = format!("data_dir = \"{}\"", folder.display());
    std::fs::write(&path, text.replace("data_dir = \"DATA\"", &data)).unwrap();
    let flags = Flags { config: Some(path), data_dir: None };
    let config = claviger::config::load(&flags, std::iter::empty()).unwrap();
    Server::start(&config, Listeners { public: listener, backend: None }, clock, None).await.unwrap()
}

#[tokio::test]
async fn the_end_of_a_grant_is_told_30_14_and_7_days_ahead_once_each_by_one_of_two_replicas() {
    let Some(database) = store::testing::fresh_postgres().await else { return };
    let (sandbox, _stop) = start_sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let lines = own_lines(folder.path(), &sandbox, "rotation = \"strict\"\nfixed_end_seconds = 3456000", "");
    let listen = async || TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let (one, two) = (listen().await, listen().await);
    let url = format!("http://{}", one.local_addr().unwrap());
    let text = configuration(&url, &sandbox, "DATA", Some(&database), &lines);
    let clock = Arc::new(FixedClock::at(SystemClock.now()));
    let first = replica(&text, &folder.path().join("1"), one, clock.clone()).await;
    let second = replica(&text, &folder.path().join("2"), two, clock.clone()).await;
    let backend = Browser::with_key(&crate::processes::add_key(&database).await);
    let steer = async |settings: Value| {
        let control = format!("{sandbox}/control");
        Browser::with_key("none").json(axum::http::Method::PUT, control, &settings).await.expect(200)
    };
    steer(json!({"approve": "auto"})).await;
    let begun =
        backend.get(format!("{url}/api/oauth/authorize/client-7?provider=own")).await.expect(200).json();
    let browser = Browser::new();
    let provider = browser.get(begun["authUrl"].as_str().unwrap()).await.expect(303).location();
    let callback = browser.get(provider).await.expect(303).location();
    let arrived = browser.get(callback).await.expect(303).location();
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");

    let (mut told, mut stages) = (0, vec![]);
    clock.advance(HOUR);
    for day in 0..41 {
        let (one, two) = tokio::join!(first.app.connect.warn_of_ends(), second.app.connect.warn_of_ends());
        let warned = one.unwrap() + two.unwrap();
        if warned > 0 {
            stages.push(40 - day);
        }
        told += warned;
        clock.advance(DAY);
    }
    assert_eq!((told, stages), (3, vec![30, 14, 7]));
    let trail = first.app.store.audit.newest(&store::audit::About::Anything, None, 200).await.unwrap();
    let trail: Vec<Value> = trail.iter().map(|entry| serde_json::from_str(&entry.event).unwrap()).collect();
    let warnings: Vec<&Value> =
        trail.iter().filter(|entry| entry["event"] == "connection.grant_ending").collect();
    assert_eq!(warnings.len(), 3);
    for warning in warnings {
        assert_eq!((&warning["subject"], &warning["target"]), (&json!("client-7"), &json!("own")));
        assert!(warning["facts"]["ends_at"].is_string(), "{warning}");
    }
    // What dies after that day died of it.
    steer(json!({"fail": {"kind": "invalid_grant", "times": 1}})).await;
    let answer = backend.get(format!("{url}/api/connections/client-7/own/token")).await;
    assert_eq!(answer.problem(), (409, "reconnect_required".to_owned()));
    assert_eq!(answer.json()["reason"], "grant_ended");
    for server in [first, second] {
        server.stop().await;
    }
}
