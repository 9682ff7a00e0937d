//! A failure is played at one replica, which is killed or falls asleep in the middle.

use axum::http::Method;
use serde_json::json;

use super::{Answer, Browser, ON_DEMAND, Replica, Road, Scene, access_token};

/// A drill that goes on by itself.
fn playing(at: &Replica) -> tokio::task::JoinHandle<Answer> {
    let (url, backend) = (at.path("client-7", "sandbox") + "/simulate-failure", Browser::with_key(&at.key));
    tokio::spawn(async move { backend.json(Method::POST, url, &json!({"yesReally": true})).await })
}

async fn force(at: &Replica) -> Answer {
    at.backend.json(Method::POST, at.path("client-7", "sandbox") + "/refresh", &json!({})).await
}

/// The refresh token is the one that it was, and was never shown twice.
async fn works_again(scene: &Scene, at: &Replica, live: &str) {
    assert_eq!(access_token(at.token("client-7", "sandbox").await), live);
    force(at).await.expect(200);
    let token = access_token(at.token("client-7", "sandbox").await);
    assert!(token != live && scene.accepts(&token).await);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((2, 0), 2));
}

/// Killed while the provider has the stand-in; answers the access token.
async fn killed_in_the_middle(scene: &Scene, one: Replica) -> String {
    let live = scene.import_live(&one, "client-7").await;
    scene.latency(None, 30_000).await;
    let playing = playing(&one);
    scene.called(1).await;
    one.program.kill_9();
    playing.abort();
    scene.latency(None, 0).await;
    live
}

async fn the_next_start_restores(scene: Scene) {
    let one = scene.replica("one").await;
    let live = killed_in_the_middle(&scene, one).await;
    scene.lease_runs_out().await;
    let again = scene.replica("again").await;
    again.program.said(&["drill.ended", "interrupted"]).await;
    works_again(&scene, &again, &live).await;
    again.ended_well();
}

async fn a_replica_beside_it_restores(scene: Scene) {
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    let live = killed_in_the_middle(&scene, one).await;
    assert_eq!(access_token(two.token("client-7", "sandbox").await), live, "what is good is handed out");
    scene.lease_runs_out().await;
    two.program.said(&["drill.ended", "interrupted"]).await;
    works_again(&scene, &two, &live).await;
    two.ended_well();
}

async fn a_flight_that_waits_restores(scene: Scene) {
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    let live = killed_in_the_middle(&scene, one).await;
    let (url, backend) = (two.path("client-7", "sandbox") + "/refresh", Browser::with_key(&two.key));
    let waiting = tokio::spawn(async move { backend.json(Method::POST, url, &json!({})).await });
    two.program.said(&["refresh.waiting"]).await;
    scene.lease_runs_out().await;
    waiting.await.unwrap().expect(200);
    let token = access_token(two.token("client-7", "sandbox").await);
    assert!(token != live && scene.accepts(&token).await);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((2, 0), 2));
    two.ended_well();
}

async fn a_sleeper_writes_nothing_when_it_wakes_up(scene: Scene) {
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    let live = scene.import_live(&one, "client-7").await;
    scene.latency(None, 1000).await;
    let playing = playing(&one);
    scene.called(1).await;
    one.program.signal("STOP");
    scene.lease_runs_out().await;
    two.program.said(&["drill.ended", "interrupted"]).await;
    works_again(&scene, &two, &live).await;
    one.program.signal("CONT");
    let told = playing.await.unwrap().expect(200).json();
    assert_eq!((&told["outcome"], &told["restored"]), (&json!("overtaken"), &json!(true)), "{told}");
    let token = access_token(one.token("client-7", "sandbox").await);
    assert!(scene.accepts(&token).await);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((2, 0), 2));
    one.ended_well();
    two.ended_well();
}

/// The store goes away in the middle and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_for_a_while_gets_everything_back() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let database = scene.database.as_deref().unwrap();
    let road = Road::to(database).await;
    let text = scene.text.replace(database, &road.by(database));
    let one = scene.replica_in("one", scene.folder.path().join("one"), &text).await;
    let live = scene.import_live(&one, "client-7").await;
    scene.latency(None, 1500).await;
    let playing = playing(&one);
    scene.called(1).await;
    road.cut();
    one.program.said(&["drill.waiting", "\"on\":\"store\""]).await;
    road.mend();
    let told = playing.await.unwrap().expect(200).json();
    assert_eq!((&told["outcome"], &told["restored"]), (&json!("dead"), &json!(true)), "{told}");
    scene.latency(None, 0).await;
    works_again(&scene, &one, &live).await;
    one.ended_well();
}

/// Tells a chapter on one file and on PostgreSQL.
macro_rules! on_both {
    ($($chapter:ident),*) => {
        mod sqlite {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $chapter() {
                super::$chapter(super::Scene::new(None, super::ON_DEMAND).await).await;
            }
        )*}

        mod postgresql {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $chapter() {
                if let Some(scene) = super::Scene::on_postgresql(super::ON_DEMAND).await {
                    super::$chapter(scene).await;
                }
            }
        )*}
    };
}

on_both! {
    the_next_start_restores, a_replica_beside_it_restores, a_flight_that_waits_restores,
    a_sleeper_writes_nothing_when_it_wakes_up
}
