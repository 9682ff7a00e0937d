//! The store goes away. Zapier, for one, marks a connection as dead on any 400 or 401: whoever did nothing wrong is told 503, and when
//! to come again.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use tokio::sync::Barrier;

use crate::grant::on_both;
use crate::grant::rig::{Ask, EMAIL, PASSWORD, Rig, error, hidden, proof, text};
use crate::harness::{Answer, Browser};
use crate::replicas::Road;

/// What everybody is told then.
fn check_unavailable(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{what}: {answer:?}");
    let after = answer.header("retry-after").parse::<u64>();
    assert!(after.is_ok_and(|after| (1..=60).contains(&after)), "{what}: {answer:?}");
    assert!(!answer.body.contains("invalid_"), "{what}: {answer:?}");
    assert!(answer.headers.get("location").is_none(), "{what}: {answer:?}");
}

on_both! {
    async fn a_store_that_does_not_answer_is_never_the_fault_of_the_application(rig: Rig) {
        rig.register_robot().await;
        let code = rig.code(&Ask::of("app")).await;
        let tokens = rig.tokens("app").await;
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let ask = Ask::of("app").without("client_id");
        let pushed = rig.post("/oauth/par", &[&ask.pairs()[..], &proof("app")].concat()).await.expect(201).json();
        let browser = Browser::new();
        let login = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
        let csrf = hidden(&browser.get(&login).await.expect(200), "csrf");
        rig.world.server.app.store.close().await;

        for (what, answer) in [
            ("code", rig.redeem("app", &code).await),
            ("refresh token", rig.refresh("app", refresh).await),
            ("client credentials", rig.own_tokens("robot", &[]).await),
            ("revocation", rig.revoke("app", refresh).await),
            ("revocation of an access token", rig.revoke("app", access).await),
            ("pushed request", rig.post("/oauth/par", &[&ask.pairs()[..], &proof("app")].concat()).await),
        ] {
            check_unavailable(what, &answer);
            assert_eq!(error(&answer), "temporarily_unavailable", "{what}");
        }
        let wrong = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "app"), ("client_secret", "x")];
        check_unavailable("wrong secret", &rig.post("/oauth/token", &wrong).await);

        // A page instead of JSON; nobody is sent anywhere.
        let named = Ask::nothing().with("client_id", "app").with("request_uri", text(&pushed, "request_uri"));
        let sign_in = [("csrf", &*csrf), ("email", EMAIL), ("password", PASSWORD)];
        for (what, page) in [
            ("request", rig.authorize(&Browser::new(), &Ask::of("app")).await),
            ("request that was pushed", rig.authorize(&Browser::new(), &named).await),
            ("sign-in", browser.bare_form(&login, &sign_in).await),
            ("decision", browser.bare_form(&login, &[("csrf", &*csrf), ("decision", "cancel")]).await),
        ] {
            check_unavailable(what, &page);
            assert!(page.body.contains("<h1>"), "{what}: {page:?}");
        }

        // What only reads goes on where it can: SQLite's readers stay open.
        let introspect = [&[("token", access)], &proof("app")[..]].concat();
        for (what, answer) in [
            ("introspection", rig.post("/oauth/introspect", &introspect).await),
            ("userinfo", rig.userinfo(access).await),
            ("key set", rig.send(Method::GET, "/oauth/jwks", &[]).await),
            ("page", browser.get(&login).await),
        ] {
            if answer.status != 200 {
                check_unavailable(what, &answer);
            }
            assert_ne!(answer.body, json!({"active": false}).to_string(), "{what}");
        }
        rig.metadata().await;
    }
}

/// One worker of an application, with a refresh token of its own.
struct Worker {
    rig: Arc<Rig>,
    token: String,
}

impl Worker {
    /// Refreshes once; whether that went well.
    async fn refresh(&mut self) -> bool {
        let answer = self.rig.refresh("app", &self.token).await;
        if answer.status == 200 {
            text(&answer.json(), "refresh_token").clone_into(&mut self.token);
            return true;
        }
        check_unavailable("refresh", &answer);
        false
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_refreshes_while_postgresql_goes_away_and_comes_back_none_loses_its_tokens() {
    let Some(database) = store::testing::fresh_postgres().await else { return };
    let road = Road::to(&database).await;
    // What was counted when the road was cut is not given back.
    let limits = "[grant.limits]\nclient = \"128 per 1m\"\nclient_address = \"128 per 1m\"\n";
    let rig = Arc::new(Rig::on(Some(road.by(&database)), limits).await);
    let workers = 6;
    let barrier = Arc::new(Barrier::new(workers + 1));
    let mut running = Vec::new();
    for _ in 0..workers {
        let token = text(&rig.tokens("app").await, "refresh_token").to_owned();
        let mut worker = Worker { rig: Arc::clone(&rig), token };
        let barrier = Arc::clone(&barrier);
        running.push(tokio::spawn(async move {
            barrier.wait().await;
            // The road is cut while these are under way.
            while worker.refresh().await {}
            barrier.wait().await;
            for _ in 0..3 {
                while !worker.refresh().await {}
            }
            worker
        }));
    }
    let story = async {
        barrier.wait().await;
        road.cut();
        barrier.wait().await;
        road.mend();
        for worker in running {
            let mut worker = worker.await.unwrap();
            assert!(worker.refresh().await);
        }
    };
    tokio::time::timeout(Duration::from_mins(1), story).await.unwrap();
    assert!(!rig.was_audited("refresh_token.reused").await);
}
