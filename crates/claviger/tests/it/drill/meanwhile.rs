//! What others do while a failure is played, and what is left when whoever played it is gone.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use connect::drill::{Drill, PageRow};
use connect::progress::Progress;
use model::{Actor, Clock as _};
use serde_json::{Value, json};
use store::drills::NewDrill;
use store::refreshes::{Claim, NewClaim};
use tokio::task::JoinSet;

use super::{drill, outcomes, said, shown, trail};
use crate::harness::{World, on_both_stores};
use crate::refresh::{force, key, metric, settle, text, tick, until_called, works};

const TOKEN: &str = "/api/connections/client-7/sandbox";

/// A sandbox that ends everything when a spent refresh token comes, and takes its time.
async fn slow(world: &World, milliseconds: u64) {
    let strict = json!({"rotation": "strict", "revokeFamilyOnReuse": true, "latency": milliseconds});
    world.control(&strict).await;
}

/// As a process leaves it that is killed during the call: the stand-in stands there, and the lease runs.
async fn begun(world: &World) -> Claim {
    let store = &world.server.app.store;
    let id = store.connections.get(&key("sandbox")).await.unwrap().unwrap().credential.unwrap();
    let look = store.refreshes.look(&id).await.unwrap().unwrap();
    let drill = NewDrill {
        credential: id,
        generation: look.credential.generation,
        fence: look.fence,
        holder: vault::random::id(),
        lease: Duration::from_secs(20),
        step: 1,
        aside: look.credential.tokens.refresh_token.clone().unwrap(),
        stand_in: vault::Sealed::from_row(vec![1; 60]),
        by: "operator".to_owned(),
    };
    store.drills.begin(&drill).await.unwrap().unwrap()
}

async fn marked(world: &World, claim: &Claim) {
    let (drills, now) = (&world.server.app.store.drills, world.clock.now());
    let reason = model::ReconnectReason::GrantRevoked;
    assert!(drills.mark_broken(claim, reason, Some("invalid_grant"), now).await.unwrap());
}

/// The same, right before it would have restored.
async fn abandoned(world: &World) {
    let claim = begun(world).await;
    marked(world, &claim).await;
}

on_both_stores! {
    async fn readers_are_served_and_a_forced_refresh_comes_after_it(world: World) {
        world.connect().await;
        let old = text(&world.token().await);
        slow(&world, 800).await;
        let world = Arc::new(world);
        let playing = tokio::spawn({ let world = world.clone(); async move { drill(&world).await } });
        until_called(&world, 1).await;
        let mut readers = JoinSet::new();
        for _ in 0..30 {
            let world = world.clone();
            readers.spawn(async move { world.token().await });
        }
        let forced = force(&world, "sandbox");
        let (forced, read) = tokio::join!(forced, readers.join_all());
        for answer in read {
            assert_eq!(text(&answer.expect(200)), old, "during the call nobody is told of a death");
        }
        forced.expect(200);
        assert_eq!(playing.await.unwrap().expect(200).json()["outcome"], "dead");
        let next = text(&world.token().await.expect(200));
        assert!(next != old && works(&world, &next).await);
        assert_eq!(outcomes(&world).await, ["invalid_grant", "ok"], "never with the stand-in, never twice");
    }

    async fn who_waits_for_an_expired_token_gets_one_when_it_is_over(world: World) {
        world.connect().await;
        world.pass(Duration::from_hours(2));
        slow(&world, 800).await;
        let (played, read, ()) = tokio::join!(drill(&world), async {
            until_called(&world, 1).await;
            world.token().await
        }, async {
            until_called(&world, 1).await;
            // The timers' work meets the lease.
            world.server.app.connect.refresh_due().await.unwrap();
            assert_eq!(world.server.app.connect.end_drills().await.unwrap(), 0);
        });
        assert_eq!(played.expect(200).json()["outcome"], "dead");
        assert!(works(&world, &text(&read.expect(200))).await, "it waited, and nobody told it of a death");
        assert_eq!(outcomes(&world).await, ["invalid_grant", "ok"]);
    }

    async fn two_at_once_come_one_after_the_other(world: World) {
        world.connect().await;
        slow(&world, 300).await;
        let before = shown(&world).await;
        let (one, two) = tokio::join!(drill(&world), drill(&world));
        for answer in [one, two] {
            assert_eq!(answer.expect(200).json()["outcome"], "dead");
        }
        assert_eq!(shown(&world).await, before);
        assert_eq!(outcomes(&world).await, ["invalid_grant", "invalid_grant"]);
        force(&world, "sandbox").await.expect(200);
    }

    async fn a_disconnect_wins_and_gives_back_the_token_that_was_set_aside(world: World) {
        world.connect().await;
        let token = text(&world.token().await);
        slow(&world, 800).await;
        let (played, gone) = tokio::join!(drill(&world), async {
            until_called(&world, 1).await;
            world.control(&json!({"latency": 0})).await;
            world.call(Method::DELETE, TOKEN, &Value::Null).await
        });
        assert_eq!(gone.expect(200).json()["revocation"], "succeeded");
        assert_eq!(played.problem(), (404, "connection_not_found".to_owned()));
        assert!(!works(&world, &token).await, "the grant itself has ended, so it was its own refresh token");
        assert_eq!(trail(&world).await, said(&[("drill.began", ""), ("drill.ended", "gone")]));
        let ended = world.audited("drill.ended").await;
        assert_eq!((&ended["outcome"], &ended["facts"]["restored"]), (&json!("success"), &json!(true)));
        assert_eq!(shown(&world).await["status"], "disconnected");
    }

    async fn a_new_consent_and_an_import_meanwhile_keep_their_own_tokens(world: World) {
        for imports in [false, true] {
            world.control(&json!({"latency": 0})).await;
            world.connect().await;
            slow(&world, 800).await;
            let called = outcomes(&world).await.len();
            let (played, ()) = tokio::join!(drill(&world), async {
                until_called(&world, called + 1).await;
                world.control(&json!({"latency": 0})).await;
                if imports {
                    let tokens = json!({"accessToken": "imported", "refreshToken": "imported-too"});
                    world.call(Method::PUT, TOKEN, &tokens).await.expect(200);
                } else {
                    world.connect().await;
                }
            });
            assert_eq!(played.problem(), (404, "connection_not_found".to_owned()), "that consent is no more");
            let now = text(&world.token().await.expect(200));
            assert!(if imports { now == "imported" } else { works(&world, &now).await });
            assert_eq!(shown(&world).await["status"], "active");
        }
    }

    async fn who_hangs_up_stops_nothing(world: World) {
        world.connect().await;
        slow(&world, 500).await;
        let before = shown(&world).await;
        tokio::select! {
            _ = drill(&world) => panic!("it was answered too soon"),
            () = until_called(&world, 1) => {}
        }
        settle(&world).await;
        assert_eq!(shown(&world).await, before);
        assert_eq!(trail(&world).await, said(&[("drill.began", ""), ("drill.ended", "dead")]));
        force(&world, "sandbox").await.expect(200);
    }

    async fn who_waits_is_not_told_of_a_death_that_is_only_played(world: World) {
        world.connect().await;
        let claim = begun(&world).await;
        let world = Arc::new(world);
        let forced = tokio::spawn({ let world = world.clone(); async move { force(&world, "sandbox").await } });
        while metric(&world, "claviger_refreshes_in_flight").await == 0 {
            tokio::task::yield_now().await;
        }
        marked(&world, &claim).await;
        // It looks again and again until the lease is over, and then puts the token back itself.
        settle(&world).await;
        assert_eq!(forced.await.unwrap().expect(200).json()["status"], "active");
        assert!(works(&world, &text(&world.token().await.expect(200))).await);
        assert_eq!(outcomes(&world).await, ["ok"]);
    }

    async fn an_abandoned_drill_is_ended_by_the_timers_once_its_lease_is_over(world: World) {
        world.connect().await;
        let (token, before) = (text(&world.token().await), shown(&world).await);
        abandoned(&world).await;
        tick_drills(&world).await;
        assert_eq!(shown(&world).await["status"], "broken", "whoever plays may still be there");
        let busy = drill(&world).await;
        assert_eq!(busy.problem(), (503, "refresh_under_way".to_owned()), "its death is only played");
        assert_eq!(busy.header("retry-after"), "20");
        world.pass(Duration::from_secs(21));
        tick_drills(&world).await;
        assert_eq!(text(&world.token().await.expect(200)), token);
        assert_eq!(shown(&world).await, before);
        assert_eq!(trail(&world).await, said(&[("drill.ended", "interrupted")]));
        let ended = world.audited("drill.ended").await;
        assert_eq!((&ended["outcome"], &ended["facts"]["by"]), (&json!("failure"), &json!("operator")));
        force(&world, "sandbox").await.expect(200);
        assert!(works(&world, &text(&world.token().await)).await);
    }

    async fn an_abandoned_drill_is_ended_by_the_next_one_and_by_the_next_flight(world: World) {
        world.connect().await;
        abandoned(&world).await;
        world.pass(Duration::from_secs(21));
        assert_eq!(drill(&world).await.expect(200).json()["outcome"], "dead");
        abandoned(&world).await;
        world.pass(Duration::from_secs(21));
        // The sweeper of leases does not know that there was a drill; its flight finds out.
        world.server.app.connect.recover().await.unwrap();
        settle(&world).await;
        assert!(works(&world, &text(&world.token().await.expect(200))).await);
        assert_eq!(outcomes(&world).await, ["invalid_grant", "ok"], "never with what stood there");
    }
}

/// What the timers do for drills, and then the rest of their work.
async fn tick_drills(world: &World) {
    world.server.app.connect.end_drills().await.unwrap();
    tick(world).await;
}

#[tokio::test]
async fn a_refresh_under_way_is_waited_for_and_not_for_long() {
    let world = World::on_sqlite().await;
    world.connect().await;
    world.control(&json!({"latency": 600})).await;
    let (forced, played) = tokio::join!(force(&world, "sandbox"), async {
        until_called(&world, 1).await;
        drill(&world).await
    });
    forced.expect(200);
    assert_eq!(played.expect(200).json()["outcome"], "dead", "with the tokens that the refresh brought");
    assert_eq!(outcomes(&world).await, ["ok", "invalid_grant"]);

    let store = &world.server.app.store;
    let id = store.connections.get(&key("sandbox")).await.unwrap().unwrap().credential.unwrap();
    let look = store.refreshes.look(&id).await.unwrap().unwrap();
    let claim = NewClaim {
        credential: id,
        generation: look.credential.generation,
        fence: look.fence,
        again: false,
        holder: vault::random::id(),
        lease: Duration::from_secs(20),
        step: 1,
    };
    store.refreshes.claim(&claim).await.unwrap().unwrap();
    let before = shown(&world).await;
    let busy = drill(&world).await;
    assert_eq!(busy.problem(), (503, "refresh_under_way".to_owned()));
    assert_eq!(busy.header("retry-after"), "20");
    assert_eq!(shown(&world).await, before);
    assert_eq!(outcomes(&world).await.len(), 2);
}

#[tokio::test]
async fn of_a_credential_that_goes_at_the_last_moment_nothing_is_left() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let file = world.data().join("claviger.db");
    // What the page says is asked for last.
    let words = Arc::new(move |_: &PageRow<'_>| {
        let database = rusqlite::Connection::open(&file).unwrap();
        database.busy_timeout(Duration::from_secs(30)).unwrap();
        let sql = "DELETE FROM drills; DELETE FROM connections; DELETE FROM refresh_journal; DELETE FROM credentials";
        database.execute_batch(sql).unwrap();
        String::new()
    });
    let drill = Drill { key: key("sandbox"), yes_really: true, by: Actor::Operator, words };
    let played = world.server.app.connect.simulate_failure(drill, Progress::unheard()).await;
    assert!(matches!(played, Err(connect::Error::ConnectionNotFound { .. })), "{played:?}");
    let ended = world.audited("drill.ended").await;
    assert_eq!((&ended["outcome"], &ended["reason"]), (&json!("success"), &json!("gone")));
    assert_eq!(ended["facts"]["restored"], true);
}
