//! §6: an access token is refreshed.

use std::time::Duration;

use crate::grant::rig::{Ask, Rig, error, text};

#[tokio::test]
async fn rfc6749_6_the_application_has_to_authenticate() {
    let rig = Rig::new().await;
    let token = text(&rig.tokens("app").await, "refresh_token").to_owned();
    for proofs in [
        vec![],
        vec![("client_id", "app")],
        vec![("client_id", "app"), ("client_secret", "another-secret-0123456789")],
    ] {
        let fields = [&[("grant_type", "refresh_token"), ("refresh_token", &*token)], &proofs[..]].concat();
        assert_eq!(error(&rig.post("/oauth/token", &fields).await.expect(401)), "invalid_client");
    }
    rig.refresh("app", &token).await.expect(200);
}

#[tokio::test]
async fn rfc6749_6_a_refresh_token_is_bound_to_the_application_that_it_was_issued_to() {
    let rig = Rig::new().await;
    for (client, others) in [("app", ["other", "spa"]), ("spa", ["native", "app"])] {
        let token = text(&rig.tokens(client).await, "refresh_token").to_owned();
        for other in others {
            assert_eq!(error(&rig.refresh(other, &token).await.expect(400)), "invalid_grant", "{other}");
        }
        rig.refresh(client, &token).await.expect(200);
    }
}

#[tokio::test]
async fn rfc6749_6_a_refresh_token_has_to_be_valid() {
    let rig = Rig::new().await;
    let token = text(&rig.tokens("app").await, "refresh_token").to_owned();
    let changed = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    let long = format!("crt_{}", "0".repeat(10_000));
    for bad in ["x", "crt_", &token[..token.len() - 1], &format!("{token}0"), &long] {
        assert_eq!(error(&rig.refresh("app", bad).await.expect(400)), "invalid_grant", "{bad}");
    }
    rig.refresh("app", &token).await.expect(200);
    // One of the same family that was never issued is as good as spent: somebody guesses.
    rig.world.pass(Duration::from_secs(31));
    assert_eq!(error(&rig.refresh("app", &changed).await.expect(400)), "invalid_grant");
}

#[tokio::test]
async fn rfc6749_6_the_scope_is_the_one_that_was_granted_or_less() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").with("scope", "reports.read reports.write");
    let tokens = rig.tokens_for("app", &ask).await;
    let token = text(&tokens, "refresh_token");
    for wider in ["reports.read openid", "unknown", "reports.read reports.write profile"] {
        let answer = rig.refresh_with("app", token, &[("scope", wider)]).await.expect(400);
        assert_eq!(error(&answer), "invalid_scope", "{wider}");
    }
    let less = rig.refresh_with("app", token, &[("scope", "reports.read")]).await.expect(200).json();
    assert_eq!(text(&less, "scope"), "reports.read");
    assert_eq!(rig.introspect("app", text(&less, "access_token")).await["scope"], "reports.read");
}

#[tokio::test]
async fn rfc6749_6_the_scope_of_the_next_refresh_token_is_that_of_the_one_before() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").with("scope", "reports.read reports.write");
    let tokens = rig.tokens_for("app", &ask).await;
    let less = [("scope", "reports.read")];
    let less = rig.refresh_with("app", text(&tokens, "refresh_token"), &less).await.expect(200).json();
    let all = rig.refresh("app", text(&less, "refresh_token")).await.expect(200).json();
    assert_eq!(text(&all, "scope"), "reports.read reports.write");
}

#[tokio::test]
async fn rfc6749_6_a_new_refresh_token_comes_along_and_is_the_one_to_use() {
    let rig = Rig::new().await;
    let mut token = text(&rig.tokens("app").await, "refresh_token").to_owned();
    for _ in 0..3 {
        rig.world.pass(Duration::from_mins(1));
        let next = rig.refresh("app", &token).await.expect(200).json();
        rig.userinfo(text(&next, "access_token")).await.expect(200);
        assert_ne!(text(&next, "refresh_token"), token);
        text(&next, "refresh_token").clone_into(&mut token);
    }
}
