//! Many at once: one wins, and the others learn what it got, or nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;

use super::on_both;
use super::rig::{Ask, CALLBACK, VERIFIER, error, proof, text};
use crate::harness::Answer;
use crate::harness::world::World;

/// How many ask at once.
const MANY: usize = 50;

/// Sends one form to the token endpoint, from as many connections at once; to the second address every other time.
async fn at_once(addresses: [&str; 2], fields: &[(&str, &str)]) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(MANY));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let calls: Vec<_> = (0..MANY)
        .map(|n| {
            let (barrier, body) = (Arc::clone(&barrier), body.clone());
            let url = format!("{}/oauth/token", addresses[n % 2]);
            tokio::spawn(async move {
                let headers =
                    [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
                barrier.wait().await;
                crate::harness::Browser::new()
                    .send(axum::http::Method::POST, &url, &headers, body.into())
                    .await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

/// A second replica on the same database, which says the same of itself.
async fn second(world: &World) -> (claviger::server::Server, String) {
    world.beside("\u{0}", "\u{0}").await.unwrap()
}

on_both! {
    async fn of_fifty_redemptions_of_one_code_one_succeeds_and_a_later_replay_ends_what_it_brought(rig: Rig) {
        let (replica, url) = second(&rig.world).await;
        let code = rig.code(&Ask::of("app")).await;
        let mut fields =
            vec![("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        fields.extend(proof("app"));
        let answers = at_once([&rig.world.url, &url], &fields).await;
        let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!((good.len(), bad.len()), (1, MANY - 1));
        for answer in &bad {
            assert_eq!((answer.status.as_u16(), &*error(answer)), (400, "invalid_grant"));
        }
        let tokens = good[0].json();
        assert_eq!(error(&rig.redeem("app", &code).await.expect(400)), "invalid_grant");
        rig.userinfo(text(&tokens, "access_token")).await.expect(401);
        rig.refresh("app", text(&tokens, "refresh_token")).await.expect(400);
        replica.stop().await;
    }

    async fn fifty_refreshes_with_one_token_bring_one_pair_fifty_times(rig: Rig) {
        let (replica, url) = second(&rig.world).await;
        for client in ["app", "spa"] {
            let first = rig.tokens(client).await;
            let spent = text(&first, "refresh_token");
            let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", spent)];
            fields.extend(proof(client));
            let answers = at_once([&rig.world.url, &url], &fields).await;
            let pairs: BTreeSet<String> = answers.into_iter().map(|answer| answer.expect(200).body).collect();
            assert_eq!(pairs.len(), 1, "{client}: the same answer, byte for byte");
            let pair: serde_json::Value = serde_json::from_str(pairs.first().unwrap()).unwrap();
            rig.userinfo(text(&pair, "access_token")).await.expect(200);
            // One live branch: the next rotation is the only one, and the first token brings its answer no longer.
            let next = rig.refresh(client, text(&pair, "refresh_token")).await.expect(200).json();
            rig.world.pass(Duration::from_secs(31));
            rig.refresh(client, text(&next, "refresh_token")).await.expect(200);
            assert_eq!(error(&rig.refresh(client, spent).await.expect(400)), "invalid_grant");
        }
        replica.stop().await;
    }

    async fn an_answer_that_was_lost_comes_again_until_the_leeway_is_over(rig: Rig) {
        let spent = text(&rig.tokens("app").await, "refresh_token").to_owned();
        let lost = rig.refresh("app", &spent).await.expect(200).body;
        rig.world.pass(Duration::from_secs(29));
        assert_eq!(rig.refresh("app", &spent).await.expect(200).body, lost);
        // Somebody else's try with it ends nothing.
        rig.refresh("other", &spent).await.expect(400);
        rig.world.pass(Duration::from_secs(1));
        rig.refresh("app", &spent).await.expect(400);
        let pair: serde_json::Value = serde_json::from_str(&lost).unwrap();
        rig.refresh("app", text(&pair, "refresh_token")).await.expect(400);
    }
}
