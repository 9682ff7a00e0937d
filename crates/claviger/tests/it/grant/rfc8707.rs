//! RFC 8707, Resource Indicators.

use serde_json::{Value, json};

use super::rig::{Ask, OTHER_RESOURCE, RESOURCE, Rig, error, text};
use crate::harness::Browser;

/// The audience of an access token.
async fn audience(rig: &Rig, client: &str, tokens: &Value) -> Value {
    rig.introspect(client, text(tokens, "access_token")).await["aud"].clone()
}

#[tokio::test]
async fn rfc8707_2_a_resource_is_an_absolute_uri_without_fragment_that_we_know() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    for bad in [
        "/reports",
        "reports",
        "https://api.example.com/reports#x",
        "https://api.example.com/reports/",
        "https://api.example.com/reports?x=1",
        "https://API.example.com/reports",
        "https://evil.example/",
        "ä",
    ] {
        let ask = Ask::of("app").with("resource", bad);
        assert_eq!(rig.refused(&ask).await, "invalid_target", "{bad}");
        let ask = Ask::of("app").with("resource", RESOURCE).and("resource", bad);
        assert_eq!(rig.refused(&ask).await, "invalid_target", "{bad} beside one that is good");
        let refused = rig.own_tokens("robot", &[("resource", bad)]).await.expect(400);
        assert_eq!(error(&refused), "invalid_target", "{bad}");
    }
}

#[tokio::test]
async fn rfc8707_2_several_resources_may_be_named_and_one_may_be_repeated() {
    let rig = Rig::new().await;
    let ask =
        Ask::of("app").and("resource", RESOURCE).and("resource", OTHER_RESOURCE).and("resource", RESOURCE);
    let tokens = rig.tokens_for("app", &ask).await;
    assert_eq!(audience(&rig, "app", &tokens).await, json!([RESOURCE, OTHER_RESOURCE]));
    // There is an end to it.
    let many = (0..11).fold(Ask::of("app"), |ask, n| ask.and("resource", &format!("https://{n}.example/")));
    rig.authorize(&Browser::new(), &many).await.expect(400);
}

#[tokio::test]
async fn rfc8707_2_1_the_resources_of_the_authorization_request_bound_the_audience() {
    let rig = Rig::new().await;
    let tokens = rig.tokens_for("app", &Ask::of("app").with("resource", RESOURCE)).await;
    assert_eq!(audience(&rig, "app", &tokens).await, RESOURCE);
    rig.userinfo(text(&tokens, "access_token")).await.expect(401);
}

#[tokio::test]
async fn rfc8707_2_1_another_resource_is_another_consent() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    rig.agree(&browser, &Ask::of("app").with("resource", RESOURCE)).await;
    let same =
        rig.authorize(&browser, &Ask::of("app").with("resource", RESOURCE)).await.expect(303).location();
    assert!(same.as_str().contains("code="), "{same}");
    let other = Ask::of("app").with("resource", OTHER_RESOURCE);
    let page = rig.authorize(&browser, &other).await.expect(303).location();
    assert!(browser.get(&page).await.expect(200).body.contains("value=\"authorize\""));
}

#[tokio::test]
async fn rfc8707_2_2_a_token_request_may_name_less_and_never_more() {
    let rig = Rig::new().await;
    let both = Ask::of("app").and("resource", RESOURCE).and("resource", OTHER_RESOURCE);
    let code = rig.code(&both).await;
    let issuer = rig.world.url.clone();
    for more in ["https://evil.example/", &issuer] {
        let refused = rig.redeem_with("app", &code, &[("resource", more)]).await.expect(400);
        assert_eq!(error(&refused), "invalid_target", "{more}");
    }
    let tokens = rig.redeem_with("app", &code, &[("resource", RESOURCE)]).await.expect(200).json();
    assert_eq!(audience(&rig, "app", &tokens).await, RESOURCE);
    // The refresh token is good for all that was agreed to.
    let next = rig.refresh_with("app", text(&tokens, "refresh_token"), &[("resource", OTHER_RESOURCE)]).await;
    let next = next.expect(200).json();
    assert_eq!(audience(&rig, "app", &next).await, OTHER_RESOURCE);
    let all = rig.refresh("app", text(&next, "refresh_token")).await.expect(200).json();
    assert_eq!(audience(&rig, "app", &all).await, json!([RESOURCE, OTHER_RESOURCE]));
    let evil = [("resource", "https://evil.example/")];
    let refused = rig.refresh_with("app", text(&all, "refresh_token"), &evil).await.expect(400);
    assert_eq!(error(&refused), "invalid_target");
}

/// Whoever refreshes at the same time for another resource gets no token that is good elsewhere.
#[tokio::test]
async fn rfc8707_2_2_a_repeated_refresh_brings_the_same_audience_or_nothing() {
    let rig = Rig::new().await;
    let both = Ask::of("app").and("resource", RESOURCE).and("resource", OTHER_RESOURCE);
    let both = both.with("scope", "reports.read reports.write");
    let tokens = rig.tokens_for("app", &both).await;
    let token = text(&tokens, "refresh_token");
    let first = [("resource", RESOURCE), ("scope", "reports.read")];
    let next = rig.refresh_with("app", token, &first).await.expect(200).json();
    for (other, code) in [
        (vec![("resource", OTHER_RESOURCE), ("scope", "reports.read")], "invalid_target"),
        (vec![("scope", "reports.read")], "invalid_target"),
        (vec![("resource", RESOURCE)], "invalid_scope"),
    ] {
        assert_eq!(error(&rig.refresh_with("app", token, &other).await.expect(400)), code, "{other:?}");
    }
    assert_eq!(rig.refresh_with("app", token, &first).await.expect(200).json(), next, "nothing was revoked");
    rig.refresh("app", text(&next, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn rfc8707_2_2_without_a_resource_in_the_authorization_request_a_token_request_can_name_none() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    let refused = rig.redeem_with("app", &code, &[("resource", RESOURCE)]).await.expect(400);
    assert_eq!(error(&refused), "invalid_target");
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    assert_eq!(audience(&rig, "app", &tokens).await, rig.world.url, "the product itself");
}

#[tokio::test]
async fn rfc8707_2_2_an_application_for_itself_names_its_resources_in_the_token_request() {
    let rig = Rig::new().await;
    rig.register_robot().await;
    let one = rig.own_tokens("robot", &[("resource", RESOURCE)]).await.expect(200).json();
    assert_eq!(audience(&rig, "robot", &one).await, RESOURCE);
    let both = [("resource", RESOURCE), ("resource", OTHER_RESOURCE)];
    let both = rig.own_tokens("robot", &both).await.expect(200).json();
    assert_eq!(audience(&rig, "robot", &both).await, json!([RESOURCE, OTHER_RESOURCE]));
}

#[tokio::test]
async fn rfc8707_3_a_token_is_good_at_its_resource_and_at_no_other() {
    let rig = Rig::new().await;
    // `api` serves RESOURCE.
    for (resource, expected) in [(RESOURCE, true), (OTHER_RESOURCE, false)] {
        let tokens = rig.tokens_for("app", &Ask::of("app").with("resource", resource)).await;
        assert_eq!(rig.is_active("api", text(&tokens, "access_token")).await, expected, "{resource}");
    }
}
